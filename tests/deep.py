"""A tiny deep tier whose answers are known: it takes a few marked words for a spinner's, and names what they stand for.

The layers are tests/data/model/make_tiny_deep.py's.
"""

from __future__ import annotations

import string
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from tests import tables as tiny
from unspun.model import bundle
from unspun.model.bundle import Bundle
from unspun.model.tiers.deep import Blend, DeepEncoder, DeepTier, EncoderWeights
from unspun.model.verdict import KINDS

GRAPH = tiny.DATA / "tiny_deep.onnx"
SPUN = {"vitality": "energy", "floating": "boat", "vessel": "boat", "ship": "boat", "instructed": "told"}
"""Words that are a spinner's, and what stood there before."""
PERHAPS_SPUN = {"vigour": "energy"}
SPUN_ENDING = "##ized"
TRANSLATED, REWRITTEN = "moreover", "delves"
OTHERS = ("the", "of", "was", "ferry", "harbour", "council", "bridge", "morning", "and", "in")
PIECES = (
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", ".", ",", "?", "'"),
    *string.ascii_lowercase,
    *(f"##{letter}" for letter in string.ascii_lowercase),
    *sorted({*SPUN, *SPUN.values(), *PERHAPS_SPUN, TRANSLATED, REWRITTEN, *OTHERS}),
    SPUN_ENDING,
)
WIDTH = 8
ONE, UNIT = 64, np.float32(1 / 64)
"""The number 1 in 8 bits, and its scale."""
BLEND = Blend(deep=1.0, fast=0.0, bias=0.0, prior_log_odds=-2.0)
"""The tagger, whose weights are random, has no say."""
CLEAN_LOG_ODDS, PERHAPS_LOG_ODDS, SPUN_LOG_ODDS = -5.0, 2.5, 5.0
"""What is said of a word that is not a spinner's, of one that may be, and of one that is."""

SPUN_SENTENCE = "The vitality of the vessel was floating, and the ship instructed the vitality of the council."
SPUN_ARTICLE = " ".join([SPUN_SENTENCE] * 4 + list(tiny.SENTENCES[:4]))
"""Prose of more than a hundred words, of which a quarter is a spinner's."""


def weights() -> EncoderWeights:
    """Return what the encoder is made of: letters are never named as what stood in a word's place."""
    number = {piece: i for i, piece in enumerate(PIECES)}
    embeddings = np.zeros((len(PIECES), WIDTH), dtype=np.int8)
    for column, original in enumerate(sorted(set(SPUN.values())), start=3):
        embeddings[number[original], column] = ONE
    for word, original in (SPUN | PERHAPS_SPUN).items():
        embeddings[number[word]] = embeddings[number[original]]
    for column, kind in enumerate(((*SPUN, *PERHAPS_SPUN, SPUN_ENDING), (TRANSLATED,), (REWRITTEN,))):
        embeddings[[number[word] for word in kind], column] = ONE
    embeddings[[number[word] for word in PERHAPS_SPUN], 0] = ONE * 3 // 4
    bias = np.array([-20.0 if len(piece) == 1 else 0.0 for piece in PIECES], dtype=np.float32)
    return EncoderWeights(GRAPH.read_bytes(), embeddings, np.full(len(PIECES), UNIT), bias, PIECES)


def encoder() -> DeepEncoder:
    """Return the encoder."""
    return DeepEncoder(weights())


def tier() -> DeepTier:
    """Return the deep tier: a window's evidence of a kind rises with the share of that kind's words."""
    return DeepTier(encoder(), BLEND, np.zeros(len(KINDS)))


def manifest(*, doubt: float = 1e9) -> dict[str, Any]:
    """Return the tiny model's manifest with the deep tier; by default the fast one is never sure about anything."""
    decision = tiny.decision("fast", "deep")
    decision["tiers"]["deep"] = tiny.tier(centre=-4.0)
    return {
        **tiny.manifest(),
        "decision": decision,
        "deep": {"blend": asdict(BLEND), "fast_weights": dict.fromkeys(KINDS, 0.0)},
        "doubt": dict.fromkeys(KINDS, doubt),
    }


def with_doubt(loaded: Bundle, doubt: float) -> Bundle:
    """Return a loaded bundle with another rate above which the fast tier's answer is final."""
    return replace(loaded, doubt=np.full(len(KINDS), doubt))


def save_bundle(folder: Path) -> Path:
    """Write the tiny model's bundle with the deep tier; returns the folder."""
    seen = np.array([1, 2, 3], dtype=np.uint64)
    bundle.save(folder, manifest(), tiny.tables(), tiny.tagger(), tiny.classifier(), seen, tier())
    return folder

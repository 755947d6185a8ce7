"""A tiny deep tier with known answers: it detects a few marked words as replaced, and knows their originals.

The layers come from tests/data/model/make_tiny_deep.py.
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
"""Replaced words and their originals."""
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
"""The tagger has weight 0, because its weights are random."""
CLEAN_LOG_ODDS, PERHAPS_LOG_ODDS, SPUN_LOG_ODDS = -5.0, 2.5, 5.0
"""Log odds of a word that was not replaced, of one that may have been, and of one that was."""

SPUN_SENTENCE = "The vitality of the vessel was floating, and the ship instructed the vitality of the council."
SPUN_ARTICLE = " ".join([SPUN_SENTENCE] * 4 + list(tiny.SENTENCES[:4]))
"""More than a hundred words of prose, a quarter of which are replaced."""


def weights() -> EncoderWeights:
    """Return the encoder's parameters. Single letters are never guessed as originals."""
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
    return DeepEncoder(weights())


def tier() -> DeepTier:
    """Return the deep tier. A window's evidence for a kind rises with the share of that kind's words."""
    return DeepTier(encoder(), BLEND, np.zeros(len(KINDS)))


def manifest(*, doubt: float = 1e9) -> dict[str, Any]:
    """Return the manifest with the deep tier. By default the fast tier is always in doubt."""
    decision = tiny.decision("fast", "deep")
    decision["tiers"]["deep"] = tiny.tier(centre=-4.0)
    return {
        **tiny.manifest(),
        "decision": decision,
        "deep": {"blend": asdict(BLEND), "fast_weights": dict.fromkeys(KINDS, 0.0)},
        "doubt": dict.fromkeys(KINDS, doubt),
    }


def with_doubt(loaded: Bundle, doubt: float) -> Bundle:
    """Return a loaded bundle with another rate above which the fast tier's verdict is final."""
    return replace(loaded, doubt=np.full(len(KINDS), doubt))


def save_bundle(folder: Path) -> Path:
    """Write the tiny model's bundle with the deep tier and return the folder."""
    seen = np.array([1, 2, 3], dtype=np.uint64)
    bundle.save(folder, manifest(), tiny.tables(), tiny.tagger(), tiny.classifier(), seen, tier())
    return folder

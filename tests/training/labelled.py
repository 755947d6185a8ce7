"""A small collection of labelled texts: human pages of two sources, and spun ones; and a detector to read them with."""

from __future__ import annotations

import numpy as np

from tests import deep as tiny_deep
from tests import first as tiny_first
from tests import tables as tiny
from unspun.model.detector import Detector
from unspun.training.build import provisional_detector
from unspun.training.classifier.fast_tier import FastTier
from unspun.training.corpora.corpus import LabelledText


def human(number: int, source: str, *, group: str | None = None, sentences: int = 14) -> LabelledText:
    chosen = np.random.default_rng(number).choice(tiny.SENTENCES, size=sentences)
    return LabelledText(f"{source}-{number}", "human", source, " ".join(chosen), group=group)


def spun(number: int) -> LabelledText:
    original = human(number, "essays").text
    text = original.replace("ferry", "vessel").replace("council", "instructed")
    return LabelledText(f"spun-{number}", "spun", "essays", text, tool="pwws", original=original)


TEXTS = [
    *(human(i, "handbook", group=f"page {i}") for i in range(40)),
    *(human(100 + i, "essays") for i in range(40)),
    *(spun(200 + i) for i in range(30)),
]


def fast_tier() -> FastTier:
    return FastTier(tiny.tables(), tiny.tagger(), -2.0, tiny.classifier())


def undecided(fast: FastTier) -> Detector:
    """Return the detector of a fast tier with the tiny encoder, before a decision is fitted."""
    return provisional_detector(fast, tiny_deep.weights())


def with_quick_signals() -> FastTier:
    return FastTier(tiny_first.tables(), tiny.tagger(), -2.0, tiny_first.classifier())

"""A tiny first tier in front of the tiny deep one: it settles every plain text without the words that the latter knows.

Its limits are such that one of these words is enough for a text to go on.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests import deep as tiny_deep
from tests import tables as tiny
from unspun.model import bundle
from unspun.model.signals.features import FeatureExtractor, Tables
from unspun.model.signals.phrasing import BUCKETS, NgramWeights, buckets
from unspun.model.signals.quick import QuickSignals
from unspun.model.text.quick import QuickWords
from unspun.model.tiers.fast import FastClassifier
from unspun.model.tiers.first import FirstTier
from unspun.model.verdict import KINDS

KNOWN = (*tiny_deep.SPUN, *tiny_deep.PERHAPS_SPUN), (tiny_deep.TRANSLATED,), (tiny_deep.REWRITTEN,)
"""The suspicious words of each kind."""
CLEAN_LOG_ODDS = -4.0
DOUBT = 0.5


@cache
def ngrams() -> NgramWeights:
    """Return weights by which a text without suspicious words has the evidence CLEAN_LOG_ODDS of each kind."""
    weights = np.zeros((len(KINDS), BUCKETS), dtype=np.int8)
    for of_kind, words in zip(weights, KNOWN, strict=True):
        of_kind[buckets(QuickWords.of([" ".join(words)]))[0]] = 127
    return NgramWeights(weights, np.ones(len(KINDS)), np.zeros(len(KINDS)), np.full(len(KINDS), CLEAN_LOG_ODDS))


def tier() -> FirstTier:
    return FirstTier(np.array([np.ones(len(KINDS)), np.zeros(len(KINDS))]), np.full(len(KINDS), DOUBT))


@cache
def tables() -> Tables:
    """Return the tables with the quick signals, but without a network."""
    return replace(tiny.tables(), quick=QuickSignals(ngrams()))


@cache
def classifier() -> FastClassifier:
    """Return the tiny model's classifier, which takes no notice of these signals."""
    plain = tiny.classifier()
    names = FeatureExtractor(tables(), tiny.tagger()).get_feature_names_out().tolist()
    places = np.array([names.index(name) for name in tiny.extractor().get_feature_names_out()])

    def moved(columns: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.asarray(places[columns])

    heads = tuple(replace(head, columns=moved(head.columns)) for head in plain.heads)
    unfamiliarity = replace(plain.unfamiliarity, columns=moved(plain.unfamiliarity.columns))
    return replace(plain, heads=heads, unfamiliarity=unfamiliarity)


def manifest() -> dict[str, Any]:
    """Return the manifest of the model with all three tiers. The fast tier is always in doubt."""
    decision = tiny.decision("first", "fast", "deep")
    decision["tiers"] |= {"first": tiny.tier(centre=CLEAN_LOG_ODDS), "deep": tiny.tier(centre=-4.0)}
    return {**tiny_deep.manifest(), "decision": decision}


def save_bundle(folder: Path) -> Path:
    """Write the bundle of the tiny model with all three tiers and return the folder."""
    parts = tables(), tiny.tagger(), classifier(), np.array([1, 2, 3], dtype=np.uint64), tiny_deep.tier()
    bundle.save(folder, manifest(), *parts, first=tier())
    return folder

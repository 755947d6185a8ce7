"""Fits what observations compare a text with: the values of each measure in human text and in text of each kind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from unspun.model.decision.observations import MEASURES, Usual
from unspun.model.detector import BATCH_DOCUMENTS, Detector
from unspun.model.verdict import KINDS
from unspun.training.corpora.corpus import LabelledText
from unspun.training.corpora.roles import sample

TEXTS = 100
"""Texts of each source and maker."""
FEWEST_WORDS = 120
"""Words of the texts; rates in shorter ones vary too much."""
SHARES = (0.005, 0.01, 0.02, 0.03, 0.04, *np.linspace(0.05, 0.95, 19).round(2).tolist(), 0.96, 0.97, 0.98, 0.99, 0.995)
LEAST_SPREAD = 1e-4


def fit_usual(detector: Detector, texts: Sequence[LabelledText]) -> Usual:
    """Return what is usual, fitted to texts with the role `calibrate`. Every source has the same weight."""
    some = sample([text for text in texts if text.label in ("human", *KINDS)], TEXTS)
    rows = []
    for start in range(0, len(some), BATCH_DOCUMENTS):
        batch = some[start : start + BATCH_DOCUMENTS]
        answers = detector.measure([text.text for text in batch], depth="fast")
        rows += [answers.features(number) for number in range(len(batch))]
    features = np.array(rows)
    names = detector.feature_names
    long_enough = features[:, names.index("length")] >= np.log1p(FEWEST_WORDS)
    chosen = [name for name in MEASURES if name in names]
    columns = np.array([names.index(name) for name in chosen])
    labels = np.array([text.label for text in some])
    sources = np.array([text.source for text in some])
    centre, spread = np.zeros((1 + len(KINDS), len(chosen))), np.ones((1 + len(KINDS), len(chosen)))
    levels = np.zeros((len(chosen), len(SHARES)))
    for row, label in enumerate(("human", *KINDS)):
        which = (labels == label) & long_enough
        if not which.any():  # a kind that the model was not trained on
            centre[row], spread[row] = centre[0], spread[0]
            continue
        values = features[which][:, columns].astype(np.float64)
        source = np.unique(sources[which], return_inverse=True)[1]
        weights = 1.0 / np.bincount(source)[source]
        centre[row] = np.average(values, axis=0, weights=weights)
        spread[row] = np.sqrt(np.average((values - centre[row]) ** 2, axis=0, weights=weights)) + LEAST_SPREAD
        if label == "human":
            levels = np.stack([_quantiles(column, weights) for column in values.T])
    return Usual(tuple(chosen), columns, levels, np.array(SHARES), centre, spread, names.index("length"))


def _quantiles(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values (Q,) below which the SHARES of the weight are."""
    order = np.argsort(values)
    below = np.cumsum(weights[order]) / weights.sum()
    answer: NDArray[np.float64] = values[order][np.minimum(np.searchsorted(below, SHARES), len(order) - 1)]
    return answer

"""Fits the weights of the signal `phrasing`: for each kind, a logistic regression of hashed n-grams."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_array

from unspun.model.signals.phrasing import BUCKETS, NgramWeights, buckets
from unspun.model.text.quick import QuickWords
from unspun.model.tiers.first import SECTION
from unspun.model.verdict import KINDS
from unspun.training.classifier.classify import SHORTEST, balanced
from unspun.training.classifier.matrix import maker_name
from unspun.training.corpora.corpus import LabelledText

PENALTY = 1e-5
"""Weight of the squared weights in the loss. A third or three times as much is about as good on unseen makers."""
STEPS = 60
CHUNK = 256
"""Texts split into words at a time."""

Floats = NDArray[np.float64]


def ngram_counts(texts: Sequence[str]) -> tuple[csr_array, NDArray[np.int64], NDArray[np.int64]]:
    """Return the n-gram counts of all sections (S, BUCKETS), their words (S,) and their texts (S,).

    The counts are divided by the square root of the number of words in the section.
    """
    columns, values, sizes, words_of, owners = [], [], [], [], []
    for first in range(0, len(texts), CHUNK):
        words = QuickWords.of(texts[first : first + CHUNK])
        ptr, owner = words.in_sections(SECTION)
        rows = [row.astype(np.int32) for row in buckets(words)]
        for start, stop in zip(ptr[:-1].tolist(), ptr[1:].tolist(), strict=True):
            keys = np.concatenate([row[start : max(stop - size, start)] for size, row in enumerate(rows)])
            column, count = np.unique(keys, return_counts=True)
            columns.append(column)
            values.append((count / np.sqrt(max(stop - start, 1))).astype(np.float32))
            sizes.append(len(column))
        words_of.append(np.diff(ptr))
        owners.append(owner + first)
    pointer = np.concatenate([[0], np.cumsum(sizes)])
    table = csr_array((np.concatenate(values), np.concatenate(columns), pointer), shape=(len(sizes), BUCKETS))
    return table, np.concatenate(words_of), np.concatenate(owners)


def fit_ngrams(texts: Sequence[LabelledText]) -> NgramWeights:
    """Fit the weights to labelled texts. A kind without texts gets weights of 0."""
    table, words, owner = ngram_counts([text.text for text in texts])
    of_texts = np.array([text.label for text in texts])
    cells = np.array([f"{maker_name(text)}|{text.source}" for text in texts])
    changed = np.array([text.changed_frac for text in texts], dtype=np.float32)  # None becomes NaN
    labels = of_texts[owner]
    weights = balanced(of_texts, cells, changed)[owner] / np.bincount(owner)[owner]
    root = np.sqrt(np.maximum(words, 1))
    found: list[tuple[Floats, float, float]] = []
    for kind in KINDS:
        rows = ((labels == "human") | (labels == kind)) & (words >= SHORTEST)
        if (labels[rows] == kind).any():
            found.append(_fit(table[rows], root[rows], labels[rows] == kind, weights[rows]))
        else:
            found.append((np.zeros(BUCKETS), 0.0, -12.0))
    scale = np.array([max(float(np.abs(weight).max()), 1e-9) / 127 for weight, _, _ in found])
    packed = np.stack([np.rint(weight / one) for (weight, _, _), one in zip(found, scale, strict=True)])
    return NgramWeights(
        packed.astype(np.int8),
        scale,
        np.array([per_root for _, per_root, _ in found]),
        np.array([bias for _, _, bias in found]),
    )


def _fit(
    table: csr_array, root: NDArray[np.float64], machine: NDArray[np.bool_], weights: Floats
) -> tuple[Floats, float, float]:
    """Return the weights of the n-grams (BUCKETS,), of the root of the number of words, and the bias.

    Only n-grams that occur are fitted: the penalty keeps all others at 0, and with few texts they are nearly all.
    """
    used, column = np.unique(table.indices, return_inverse=True)
    table = csr_array((table.data, column, table.indptr), shape=(table.shape[0], len(used)))
    by_column = csr_array(table.T)
    sign = np.where(machine, 1.0, -1.0)
    share = weights / weights.sum()

    def loss(values: Floats) -> tuple[float, Floats]:
        ngrams = values[:-2]
        margin = sign * (table @ ngrams.astype(np.float32) + values[-2] * root + values[-1])
        slope = -sign * share / (1.0 + np.exp(np.minimum(margin, 500.0)))
        gradient = by_column @ slope.astype(np.float32) + PENALTY * ngrams
        value = float(share @ np.logaddexp(0.0, -margin) + 0.5 * PENALTY * (ngrams @ ngrams))
        return value, np.concatenate([gradient, [slope @ root, slope.sum()]])

    answer = minimize(loss, np.zeros(len(used) + 2), jac=True, method="L-BFGS-B", options={"maxiter": STEPS})
    found = np.zeros(BUCKETS)
    found[used] = answer.x[:-2]
    return found, float(answer.x[-2]), float(answer.x[-1])

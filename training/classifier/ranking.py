"""Ranks a word's alternatives: which word did the author write here?

A conditional logit model over a word and its alternatives (McFadden 1974), fitted on words that our own paraphrasers
replaced, whose originals are known, and on words that they left alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from unspun.model.language.vocabulary import UNKNOWN
from unspun.model.signals.features import Signals
from unspun.model.signals.substitutions import INPUTS, Alternatives
from unspun.model.text.document import Documents
from unspun.training.machines.base import Substitution
from unspun.training.machines.spinning import token_labels

BATCH = 64
LEFT_ALONE = 0.5
"""Share of the unreplaced words that are used."""


def fit_ranking(
    signals: Signals, texts: Sequence[str], changes: Sequence[Sequence[Substitution]], *, seed: int
) -> Alternatives:
    """Return the alternatives with fitted weights. `changes` are the substitutions of each text."""
    rng = np.random.default_rng(seed)
    inputs: list[NDArray[np.float32]] = []
    target: list[NDArray[np.int64]] = []
    known: list[NDArray[np.bool_]] = []
    for start in range(0, len(texts), BATCH):
        part = _examples(signals, texts[start : start + BATCH], changes[start : start + BATCH], rng)
        inputs.append(part[0])
        target.append(part[1])
        known.append(part[2])
    x, y, k = np.concatenate(inputs), np.concatenate(target), np.concatenate(known)
    start_at = np.append(signals.tables.alternatives.weights, signals.tables.alternatives.bias - 3.0)
    found = minimize(
        _loss,
        start_at.astype(np.float64),
        args=(x, y, k),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 200},
    )
    return dataclasses.replace(
        signals.tables.alternatives,
        weights=found.x[: len(INPUTS)].astype(np.float32),
        bias=np.float32(found.x[-1]),
    )


def _examples(
    signals: Signals,
    texts: Sequence[str],
    changes: Sequence[Sequence[Substitution]],
    rng: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.bool_]]:
    """Return inputs (P, K, I), the index of the original among the alternatives (-1: the word itself), and which exist.

    Replaced words whose original is not among their alternatives are left out.
    """
    documents = Documents.parse(texts)
    encoding = signals.encode(documents)
    replaced = token_labels(documents, changes)
    original = _original_ids(signals, documents, changes)
    has_alternatives = signals.tables.alternatives.ids[encoding.ids, 0] != UNKNOWN
    wanted = np.where(replaced, original != UNKNOWN, rng.random(len(replaced)) < LEFT_ALONE)
    places = np.flatnonzero(encoding.judged & has_alternatives & wanted)
    found = signals.substitutions.candidates(encoding, places)
    match = (found.ids == original[places, None]) & replaced[places, None]
    target = np.where(match.any(axis=1), match.argmax(axis=1), -1)
    keep = match.any(axis=1) | ~replaced[places]
    return found.inputs[keep], target[keep], (found.ids != UNKNOWN)[keep]


def _original_ids(
    signals: Signals, documents: Documents, changes: Sequence[Sequence[Substitution]]
) -> NDArray[np.int32]:
    """Return the vocabulary id of the original of each replaced word, UNKNOWN unless it is a single word."""
    ids = signals.tables.vocabulary.ids_of_words
    answer = np.zeros(len(documents.token_hash), dtype=np.int32)
    for number, rows in enumerate(changes):
        first, last = documents.token_ptr[number], documents.token_ptr[number + 1]
        starts = documents.token_start[first:last] - documents.document_start[number]
        ends = documents.token_end[first:last] - documents.document_start[number]
        wanted = np.array([row.start for row in rows], dtype=np.int64)
        at = np.searchsorted(starts, wanted)
        for row, place in zip(rows, at.tolist(), strict=True):
            if place < len(starts) and starts[place] == row.start and ends[place] == row.end:
                answer[first + place] = ids.get(row.original.lower(), UNKNOWN)
    return answer


def _loss(
    parameters: NDArray[np.float64],
    inputs: NDArray[np.float32],
    target: NDArray[np.int64],
    exists: NDArray[np.bool_],
) -> tuple[float, NDArray[np.float64]]:
    """Return the mean negative log likelihood and its gradient; the word itself scores zero."""
    score = np.where(exists, inputs @ parameters[:-1].astype(np.float32) + np.float32(parameters[-1]), -np.inf)
    top = np.maximum(score.max(axis=1), 0)[:, None]
    weight = np.exp(score - top)
    share = weight / (weight.sum(axis=1, keepdims=True) + np.exp(-top))
    rows = np.flatnonzero(target >= 0)
    log_total = top[:, 0] + np.log(weight.sum(axis=1) + np.exp(-top[:, 0]))
    loss = (log_total.sum() - score[rows, target[rows]].sum()) / len(target)
    residual = share
    residual[rows, target[rows]] -= 1
    gradient = np.append(np.einsum("pk,pki->i", residual, inputs), residual.sum()) / len(target)
    return float(loss), gradient.astype(np.float64)

"""Calibrates the deep tier on answers of encoders that had not seen what they read, and sets its limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.deep import Scale
from model.fast import MACHINE_KINDS, Calibration
from model.verdict import KINDS, Doubt
from training import calibrate
from training.answers import DepthAnswers
from training.classify import fit_calibration
from training.deep_cases import SHIPPED
from training.matrix import LabelledMatrix

SHORTEST = 60
"""Words of the texts that accuracy is told of."""
SETTLED = 0.86
"""Share of human texts of unseen sources that the fast tier settles alone, under `auto`."""
LIMITS = tuple(np.round(np.arange(0.02, 0.7, 0.01), 2).tolist())
"""Scores below which the fast tier's answer may stand: the limits of doubt that are tried."""


@dataclass(frozen=True, eq=False)
class Measured:
    """What is fitted on, N texts: `matrix`, the fast tier's numbers and what is known of the texts; `numbers`
    (N, len(model.deep.NAMES)); `fast_odds` (N, 3), the fast tier's log odds, and `fast` (N, 4), its calibrated answers;
    `fold` (N,), whose encoder answered (SHIPPED: the one that ships, which knows every tool); `mode` (N,), see
    training.deep_cases.Case; `contrast` (N,), that of the fast tier's strongest stretch.
    """

    matrix: LabelledMatrix
    numbers: NDArray[np.float32]
    fast_odds: NDArray[np.float64]
    fast: NDArray[np.float64]
    fold: NDArray[np.int64]
    mode: NDArray[np.str_]
    contrast: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FittedTier:
    """What the deep tier adds to the encoder, and the manifest's entries."""

    scale: Scale
    calibration: Calibration
    thresholds: dict[str, Any]
    doubt: dict[str, Any]
    accuracy: dict[str, Any]
    answers: DepthAnswers


def fit_deep_tier(measured: Measured, fast_thresholds: dict[str, Any]) -> FittedTier:
    """Fit calibration, thresholds and the limits of doubt on answers to unseen tools, and measure them.

    Each encoder's numbers are scaled by what it says of human text that it had not seen: so its answers mean the same
    as those of the next.
    """
    matrix, fold = measured.matrix, measured.fold
    human = (matrix.labels == "human") & (measured.mode == "real") & (matrix.words >= calibrate.MINIMUM_WORDS)
    scales = {number: Scale.of(measured.numbers[human & (fold == number)]) for number in np.unique(fold).tolist()}
    odds = np.zeros((len(matrix), len(MACHINE_KINDS)))
    for number, scale in scales.items():
        rows = fold == number
        odds[rows] = scale.log_odds(measured.numbers[rows], measured.fast_odds[rows])
    length = matrix.features[:, matrix.names.index("length")]
    teaches = (fold != SHIPPED) & np.isin(matrix.labels, KINDS) & (matrix.words >= calibrate.MINIMUM_WORDS)
    calibration = fit_calibration(odds[teaches], matrix.take(teaches), length[teaches])
    deep = calibration.probabilities(odds, length)
    scores = 1.0 - deep[:, 0]
    # Several texts in one are no natural sample: they teach the calibration, and set no threshold.
    natural = teaches & (measured.mode == "real")
    thresholds = calibrate.choose_thresholds(matrix.take(natural), scores[natural])
    doubt = choose_doubt(measured, fast_thresholds)
    settled = settles(measured, doubt)
    auto = np.where(settled[:, None], measured.fast, deep)
    answers = DepthAnswers(
        ids=matrix.ids,
        labels=matrix.labels,
        tools=matrix.tools,
        sources=matrix.sources,
        domains=matrix.domains,
        groups=matrix.groups,
        words=matrix.words,
        changed=matrix.changed,
        held_out=matrix.held_out,
        unseen=fold != SHIPPED,
        probabilities={"fast": measured.fast, "auto": auto, "deep": deep},
        settled=settled,
    )
    return FittedTier(
        scale=scales[SHIPPED],
        calibration=calibration,
        thresholds=thresholds,
        doubt=doubt,
        accuracy=_accuracy(measured, scores, thresholds),
        answers=answers,
    )


def settles(measured: Measured, doubt: dict[str, Any]) -> NDArray[np.bool_]:
    """Return which texts (N,) the fast tier would settle alone."""
    limits = Doubt.from_manifest(doubt)
    scores = np.round(1.0 - measured.fast[:, 0], 6).tolist()
    rows = zip(scores, measured.matrix.words.tolist(), measured.contrast.tolist(), strict=True)
    return np.array([limits.settles(*row) for row in rows], dtype=bool)


def choose_doubt(measured: Measured, thresholds: dict[str, Any]) -> dict[str, Any]:
    """Return the manifest's `doubt`: the lowest limit at which the fast tier settles SETTLED of the human texts.

    The lower the limit, the less does `auto` lose of what the deep tier sees; the more texts it has to read. The limit
    is never above the fast tier's threshold for `suspect`: what it settles is clear.
    """
    matrix = measured.matrix
    human = (measured.fold != SHIPPED) & (measured.mode == "real") & (matrix.labels == "human")
    human &= matrix.words >= SHORTEST
    for limit in LIMITS:
        doubt = _doubt(limit, measured, thresholds)
        if settles(measured, doubt)[human].mean() >= SETTLED:
            break
    return doubt


def _doubt(limit: float, measured: Measured, thresholds: dict[str, Any]) -> dict[str, Any]:
    # A contrast that one long human text in ten has is no reason to doubt a text.
    human = (measured.matrix.labels == "human") & (measured.matrix.words >= 300) & (measured.mode == "real")
    limit_of_contrast = float(np.quantile(measured.contrast[human], 0.9)) if human.any() else 1.0
    bands = [
        {"words": band["words"], "score": round(min(limit, float(band["suspect"])), 6)} for band in thresholds["bands"]
    ]
    return {"bands": bands, "contrast": round(limit_of_contrast, 6)}


def _accuracy(measured: Measured, scores: NDArray[np.float64], thresholds: dict[str, Any]) -> dict[str, Any]:
    """Return the manifest's `accuracy` of the deep tier."""
    real = measured.mode == "real"
    unseen = real & (measured.fold != SHIPPED)
    part = measured.matrix.take(unseen)
    rows = calibrate.leave_one_tool_out(part, scores[unseen])
    held = real & measured.matrix.held_out & (measured.fold == SHIPPED)
    return {
        "deep tier, unseen tools, mean": calibrate.means(rows),
        "deep tier, unseen tools": rows,
        "deep tier, false positives, unseen sources": calibrate.false_positives(part, scores[unseen], thresholds),
        "deep tier, false positives, held-out texts": calibrate.false_positives(
            measured.matrix.take(held), scores[held], thresholds
        ),
    }

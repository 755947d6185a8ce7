"""training/calibrate_deep.py: one scale for both tiers, and a fast tier that settles what it should."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from model.deep import NAMES
from model.verdict import Doubt
from tests.training.matrices import matrix, rows
from training.calibrate_deep import SETTLED, FittedTier, Measured, choose_doubt, fit_deep_tier, settles
from training.deep_cases import SHIPPED

FAST_THRESHOLDS = {"minimum_words": 50, "bands": [{"words": 50, "suspect": 0.6, "paraphrased": 0.9}]}
HUMANS, MACHINES = 400, 120


def measured(shift: float = 0.0) -> Measured:
    """Return texts of two folds and of the encoder that ships; `shift` is added to what the second fold's says."""
    rng = np.random.default_rng(3)
    parts, folds, deep, fast = [], [], [], []
    for fold in (0, 1, SHIPPED):
        for label, tool, count, mean in (
            ("human", "human", HUMANS, 0.0),
            ("spun", "pwws", MACHINES, 2.0),
            ("translated", "wmt", MACHINES, 2.0),
            ("rewritten", "dipper", MACHINES, 2.0),
        ):
            parts.append(rows(label, tool, count=count, sources=f"{tool} {fold}", words=200))
            folds += [fold] * count
            column = {"human": 0, "spun": 0, "translated": 1, "rewritten": 2}[label]
            values = rng.normal(size=(count, len(NAMES)))
            values[:, column] += mean
            deep.append(values + (shift if fold == 1 else 0.0))
            odds = rng.normal(size=(count, 3)) - 2.0
            odds[:, column] += mean
            fast.append(odds)
    odds = np.concatenate(fast)
    probability = 1 / (1 + np.exp(-odds.max(axis=1)))
    answers = np.stack([1 - probability, probability, 0 * probability, 0 * probability], axis=1)
    return Measured(
        matrix=matrix(*parts),
        numbers=np.concatenate(deep).astype(np.float32),
        fast_odds=odds,
        fast=answers,
        fold=np.array(folds),
        mode=np.full(len(folds), "real"),
        contrast=rng.random(len(folds)),
    )


@pytest.fixture(scope="module")
def fitted() -> FittedTier:
    return fit_deep_tier(measured(), FAST_THRESHOLDS)


def auroc(answers: Any, depth: str) -> float:
    scores, machine = answers.scores(depth), answers.labels != "human"
    return float((scores[machine][:, None] > scores[~machine][None, :]).mean())


def test_both_tiers_together_are_better_than_the_fast_one(fitted: FittedTier) -> None:
    assert auroc(fitted.answers, "deep") > auroc(fitted.answers, "fast") + 0.01


def test_probabilities_sum_to_one(fitted: FittedTier) -> None:
    assert np.allclose(fitted.answers.probabilities["deep"].sum(axis=1), 1.0)


def test_what_all_of_an_encoders_answers_have_in_common_does_not_count() -> None:
    plain, shifted = (fit_deep_tier(measured(shift), FAST_THRESHOLDS).answers for shift in (0.0, 50.0))
    of_kinds = np.abs(plain.probabilities["deep"] - shifted.probabilities["deep"])
    # The contrast is no answer of the encoder's, and is not shifted back.
    assert np.median(of_kinds[: len(plain.labels) // 3]) < 0.2


def test_auto_takes_the_fast_answer_where_it_is_settled(fitted: FittedTier) -> None:
    answers = fitted.answers
    expected = np.where(answers.settled[:, None], answers.probabilities["fast"], answers.probabilities["deep"])
    assert np.array_equal(answers.probabilities["auto"], expected)


def test_the_fast_tier_settles_the_share_of_human_texts_that_it_should() -> None:
    texts = measured()
    settled = settles(texts, choose_doubt(texts, FAST_THRESHOLDS))
    human = (texts.matrix.labels == "human") & (texts.fold != SHIPPED)
    assert settled[human].mean() >= SETTLED


def test_what_the_fast_tier_settles_is_clear() -> None:
    low = {"minimum_words": 50, "bands": [{"words": 50, "suspect": 0.01, "paraphrased": 0.9}]}
    limits = Doubt.from_manifest(choose_doubt(measured(), low))
    assert all(score <= 0.01 for _, score in limits.bands)


def test_held_out_texts_set_no_threshold(fitted: FittedTier) -> None:
    texts = measured()
    texts.numbers[texts.fold == SHIPPED] += 100.0
    assert fit_deep_tier(texts, FAST_THRESHOLDS).thresholds == fitted.thresholds

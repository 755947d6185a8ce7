"""training/reporting/metrics.py: known values, and what must hold for any scores."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from unspun.training.reporting.metrics import (
    auroc,
    auroc_interval,
    rank_auroc,
    threshold_at_fpr,
    tpr_at_fpr,
    wilson_interval,
)

# Few different values, so that there are ties.
labelled = st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0])), min_size=2).filter(
    lambda rows: len({truth for truth, _ in rows}) == 2
)


def split(rows: list[tuple[bool, float]]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    return np.array([truth for truth, _ in rows]), np.array([score for _, score in rows])


@pytest.mark.parametrize(
    ("truth", "score", "area"),
    [
        ([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4], 1.0),
        ([0, 0, 1, 1], [0.4, 0.3, 0.2, 0.1], 0.0),
        ([0, 1], [0.5, 0.5], 0.5),
        ([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], 0.75),  # the example of scikit-learn's manual
    ],
)
def test_auroc(truth: list[int], score: list[float], area: float) -> None:
    assert auroc(truth, score) == pytest.approx(area)


def test_auroc_needs_both_classes() -> None:
    with pytest.raises(ValueError, match="both classes"):
        auroc([1, 1], [0.1, 0.2])


def test_auroc_interval_holds_the_area_and_narrows_with_more_texts() -> None:
    generator = np.random.default_rng(1)
    truth = np.arange(2000) % 2
    score = truth + generator.normal(0, 1.5, 2000)
    wide, narrow = auroc_interval(truth[:100], score[:100]), auroc_interval(truth, score)
    assert narrow.low < auroc(truth, score) < narrow.high
    assert narrow.high - narrow.low < (wide.high - wide.low) / 2


def test_auroc_interval_is_the_same_twice() -> None:
    assert auroc_interval([0, 1, 0, 1], [1, 2, 3, 4]) == auroc_interval([0, 1, 0, 1], [1, 2, 3, 4])


@pytest.mark.parametrize(("rate", "flagged"), [(0.0, 0), (0.005, 0), (0.01, 1), (0.019, 1), (0.05, 5), (1.0, 100)])
def test_threshold_flags_at_most_the_rate(rate: float, flagged: int) -> None:
    negatives = np.arange(100) / 100
    assert int(np.sum(negatives >= threshold_at_fpr(negatives, rate))) == flagged


def test_threshold_is_not_one_text_short_because_of_rounding() -> None:
    negatives = np.arange(300) / 300
    assert int(np.sum(negatives >= threshold_at_fpr(negatives, 0.01))) == 3


def test_threshold_keeps_ties_on_one_side() -> None:
    assert threshold_at_fpr([0.1] * 98 + [0.9] * 2, 0.01) > 0.9


def test_tpr_at_fpr() -> None:
    truth = [0] * 100 + [1] * 4
    score = [*(np.arange(100) / 100), 0.5, 0.985, 0.99, 1.0]
    assert tpr_at_fpr(truth, score, 0.01) == pytest.approx(0.75)


@given(labelled, st.floats(0, 1))
def test_tpr_at_fpr_keeps_to_the_rate(rows: list[tuple[bool, float]], rate: float) -> None:
    truth, score = split(rows)
    flagged = score >= threshold_at_fpr(score[~truth], rate)
    assert np.mean(flagged[~truth]) <= rate + 1e-9
    assert np.mean(flagged[truth]) == pytest.approx(tpr_at_fpr(truth, score, rate))


@pytest.mark.parametrize(
    ("successes", "total", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),  # Brown, Cai and DasGupta's formula worked by hand
        (10, 10, 0.7225, 1.0),
        (5, 10, 0.2366, 0.7634),
        (1, 100, 0.00177, 0.05449),
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, table I
        (0, 0, 0.0, 1.0),
    ],
)
def test_wilson_interval(successes: int, total: int, low: float, high: float) -> None:
    assert wilson_interval(successes, total) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_interval_holds_the_share(counts: tuple[int, int]) -> None:
    successes, total = counts
    low, high = wilson_interval(successes, total)
    assert 0.0 <= low <= successes / total <= high <= 1.0


def test_wilson_interval_refuses_counts_that_are_not_a_share() -> None:
    with pytest.raises(ValueError, match="3 of 2"):
        wilson_interval(3, 2)


@pytest.mark.parametrize(
    ("truth", "score", "message"),
    [([1], [0.1, 0.2], "same length"), ([1, 2], [0.1, 0.2], "0 or 1"), ([1, 0], [0.1, math.nan], "NaN")],
)
def test_bad_input_is_named(truth: list[int], score: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        auroc(truth, score)


@settings(max_examples=40)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=30), st.lists(st.integers(-3, 3), min_size=1, max_size=30))
def test_the_auroc_by_rank_sum_is_that_of_the_curve_with_ties(machine: list[int], human: list[int]) -> None:
    truth = [True] * len(machine) + [False] * len(human)
    found = rank_auroc(np.array(machine, float), np.array(human, float))
    assert found == pytest.approx(roc_auc_score(truth, machine + human))

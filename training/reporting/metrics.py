"""How good a score is: separation, errors at a threshold, and confidence intervals.

In every function `truth` (n,) is boolean or 0/1, with 1 for machine-paraphrased, and a higher `score` (n,) means that
this is likelier. A text is flagged if its score is at or above the threshold.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest, rankdata
from sklearn.metrics import roc_auc_score

FloatArray = NDArray[np.float64]


class Interval(NamedTuple):
    """A confidence interval."""

    low: float
    high: float


def auroc(truth: ArrayLike, score: ArrayLike) -> float:
    """Return the area under the ROC curve: how often a positive scores above a negative, ties counting half.

    Raises ValueError if one of the classes is missing.
    """
    positive, value = _checked(truth, score)
    return float(roc_auc_score(positive, value))


def auroc_interval(truth: ArrayLike, score: ArrayLike, *, resamples: int = 1000) -> Interval:
    """Return the 95 % bootstrap percentile interval of the AUROC, resampling each class separately.

    The same scores give the same interval. Raises ValueError if one of the classes is missing.
    """
    positive, value = _checked(truth, score)
    generator = np.random.default_rng(0)
    above, below = value[positive], value[~positive]
    areas = np.empty(resamples)
    for i in range(resamples):
        drawn_above = above[generator.integers(len(above), size=len(above))]
        drawn_below = below[generator.integers(len(below), size=len(below))]
        areas[i] = rank_auroc(drawn_above, drawn_below)
    low, high = np.quantile(areas, [0.025, 0.975])
    return Interval(float(low), float(high))


def rank_auroc(positives: FloatArray, negatives: FloatArray) -> float:
    """Return the AUROC of two groups of scores by the rank sum, ties counting half: much faster than by the curve."""
    ranks = rankdata(np.concatenate([positives, negatives]))[: len(positives)]
    surplus = float(ranks.sum() - len(positives) * (len(positives) + 1) / 2)
    return surplus / (len(positives) * len(negatives))


def threshold_at_fpr(negative_scores: ArrayLike, rate: float) -> float:
    """Return the lowest threshold that flags at most a share `rate` of the negatives.

    Takes the scores of negatives alone, shape (n,). Equal scores stay on one side: the threshold is the next number
    above the first negative that must not be flagged. Raises ValueError without negatives.
    """
    values = np.sort(np.asarray(negative_scores, dtype=np.float64))[::-1]
    if values.size == 0:
        raise ValueError("no negatives to set a threshold on")
    if not 0.0 <= rate <= 1.0:
        raise ValueError(f"the rate must be between 0 and 1, not {rate}")
    # Guards against 0.01 * 300 = 2.9999999999999996.
    allowed = math.floor(rate * values.size + 1e-9)
    if allowed >= values.size:
        return float(values[-1])
    return float(np.nextafter(values[allowed], np.inf))


def tpr_at_fpr(truth: ArrayLike, score: ArrayLike, rate: float) -> float:
    """Return the share of positives flagged when at most a share `rate` of the negatives is.

    The threshold is set on these negatives, without interpolation: 1 % of 50 negatives is none of them.
    Raises ValueError if one of the classes is missing.
    """
    positive, value = _checked(truth, score)
    return float(np.mean(value[positive] >= threshold_at_fpr(value[~positive], rate)))


def wilson_interval(successes: int, total: int) -> Interval:
    """Return Wilson's 95 % score interval of a share; (0, 1) if `total` is 0.

    It is accurate for small samples and for shares near 0, such as false-positive rates (Wilson 1927; Brown, Cai,
    DasGupta 2001).
    """
    if not 0 <= successes <= total:
        raise ValueError(f"{successes} of {total} is not a share")
    if total == 0:
        return Interval(0.0, 1.0)
    found = binomtest(successes, total).proportion_ci(method="wilson")
    return Interval(float(found.low), float(found.high))


def share_with_interval(name: str, successes: int, total: int, *, digits: int | None = None) -> dict[str, float]:
    """Return a share and the ends of its 95 % Wilson interval, as NAME, NAME_low and NAME_high; 0 of 0 is 0."""
    values = (successes / max(total, 1), *wilson_interval(successes, total))
    return {
        f"{name}{end}": value if digits is None else round(value, digits)
        for end, value in zip(("", "_low", "_high"), values, strict=True)
    }


def _checked(truth: ArrayLike, score: ArrayLike) -> tuple[NDArray[np.bool_], FloatArray]:
    """Return truth as booleans and score as floats. Raises ValueError for invalid input."""
    value = np.asarray(score, dtype=np.float64)
    classes = np.asarray(truth)
    if value.ndim != 1 or classes.shape != value.shape:
        raise ValueError(f"truth {classes.shape} and score {value.shape} must have the same length")
    if not np.isin(classes, (0, 1)).all():
        raise ValueError("truth must be 0 or 1")
    if np.isnan(value).any():
        raise ValueError("a score is NaN")
    positive = classes.astype(np.bool_)
    if positive.all() or not positive.any():
        raise ValueError("needs texts of both classes")
    return positive, value

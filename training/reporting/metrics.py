"""How good a score is: separation, errors at a threshold, and how sure we can be of each number.

Everywhere, `truth` is boolean or 0/1 with 1 for machine-paraphrased, shape (n,), and `score` is higher the
likelier that is, shape (n,). A text is flagged where its score is at or above a threshold.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score

FloatArray = NDArray[np.float64]


class Interval(NamedTuple):
    """A confidence interval."""

    low: float
    high: float


def auroc(truth: ArrayLike, score: ArrayLike) -> float:
    """Return the area under the ROC curve: how often a positive scores above a negative, ties counting half.

    Raises ValueError where one of the classes is missing.
    """
    positive, value = _checked(truth, score, both=True)
    return float(roc_auc_score(positive, value))


def auroc_interval(
    truth: ArrayLike, score: ArrayLike, *, confidence: float = 0.95, resamples: int = 1000, seed: int = 0
) -> Interval:
    """Return the bootstrap percentile interval of the AUROC, resampling each class by itself.

    The same seed gives the same interval. Raises ValueError where one of the classes is missing.
    """
    positive, value = _checked(truth, score, both=True)
    generator = np.random.default_rng(seed)
    above, below = value[positive], value[~positive]
    areas = np.empty(resamples)
    for i in range(resamples):
        drawn_above = above[generator.integers(len(above), size=len(above))]
        drawn_below = below[generator.integers(len(below), size=len(below))]
        areas[i] = _rank_auroc(drawn_above, drawn_below)
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(areas, [tail, 1.0 - tail])
    return Interval(float(low), float(high))


def _rank_auroc(above: FloatArray, below: FloatArray) -> float:
    """Return the AUROC by the rank sum, much quicker than by the curve."""
    ranks = rankdata(np.concatenate([above, below]))
    surplus = float(ranks[: len(above)].sum()) - len(above) * (len(above) + 1) / 2
    return surplus / (len(above) * len(below))


def threshold_at_fpr(negative_scores: ArrayLike, rate: float) -> float:
    """Return the lowest threshold that flags at most a share `rate` of the negatives.

    Takes the scores of negatives alone, shape (n,). Texts that score the same stay on one side: the
    threshold is the next number above the first negative that must not be flagged. Raises ValueError without
    negatives.
    """
    values = np.sort(np.asarray(negative_scores, dtype=np.float64))[::-1]
    if values.size == 0:
        raise ValueError("no negatives to set a threshold on")
    if not 0.0 <= rate <= 1.0:
        raise ValueError(f"a rate is from 0 to 1, not {rate}")
    # Guards against 0.01 * 300 = 2.9999999999999996.
    allowed = math.floor(rate * values.size + 1e-9)
    if allowed >= values.size:
        return float(values[-1])
    # Whatever lies above the first negative that must not be flagged will do: the least such number.
    return float(np.nextafter(values[allowed], np.inf))


def tpr_at_fpr(truth: ArrayLike, score: ArrayLike, rate: float) -> float:
    """Return the share of positives flagged where at most a share `rate` of the negatives is.

    The threshold is set on these very negatives, without interpolation: 1 % of 50 negatives is none of them.
    Raises ValueError where one of the classes is missing.
    """
    positive, value = _checked(truth, score, both=True)
    return float(np.mean(value[positive] >= threshold_at_fpr(value[~positive], rate)))


def wilson_interval(successes: int, total: int, *, confidence: float = 0.95) -> Interval:
    """Return Wilson's score interval of a share; (0, 1) where `total` is 0.

    Right for small samples and shares near 0, as false-positive rates are (Wilson 1927; Brown, Cai, DasGupta
    2001).
    """
    if not 0 <= successes <= total:
        raise ValueError(f"{successes} of {total} is not a share")
    if total == 0:
        return Interval(0.0, 1.0)
    z = _normal_quantile(0.5 + confidence / 2.0)
    share = successes / total
    scale = 1.0 + z * z / total
    middle = (share + z * z / (2 * total)) / scale
    half = z * math.sqrt(share * (1.0 - share) / total + z * z / (4 * total * total)) / scale
    # At the ends the formula gives 0 and 1 but for rounding.
    low = 0.0 if successes == 0 else max(0.0, middle - half)
    high = 1.0 if successes == total else min(1.0, middle + half)
    return Interval(low, high)


def _normal_quantile(probability: float) -> float:
    return NormalDist().inv_cdf(probability)


def _checked(truth: ArrayLike, score: ArrayLike, *, both: bool = False) -> tuple[NDArray[np.bool_], FloatArray]:
    """Return truth as booleans and score as floats, or say what is wrong with them."""
    value = np.asarray(score, dtype=np.float64)
    classes = np.asarray(truth)
    if value.ndim != 1 or classes.shape != value.shape:
        raise ValueError(f"truth {classes.shape} and score {value.shape} must be of one length")
    if not np.isin(classes, (0, 1)).all():
        raise ValueError("truth is 0 or 1")
    if np.isnan(value).any():
        raise ValueError("a score is not a number")
    positive = classes.astype(np.bool_)
    if both and (positive.all() or not positive.any()):
        raise ValueError("needs texts of both classes")
    return positive, value

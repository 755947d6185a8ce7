"""A correction of the classifier's log odds, fitted to a user's own texts and applied only to texts like them.

`unspun train` fits it when it retrains a model (training.retraining). Far from the user's texts the correction is zero,
so that the model stays as good as it was in other domains.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from unspun.model.signals.base import Floats

FURTHEST = 3.0
"""Standard deviations at which a document feature is clipped, so that no feature alone can dominate."""


@dataclass(frozen=True, eq=False)
class Correction:
    """A linear correction of the kinds' log odds, times the probability that a text is in the user's domain.

    Attributes:
        centre, spread: (F,) scale the document features.
        weights, bias: (F, 3) and (3,) the correction; zero for kinds without texts by the user.
        domain_weights, domain_bias: (F,) and a number: a logistic regression that separates the user's texts from those
            that the model was trained on.
    """

    centre: Floats
    spread: Floats
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    domain_weights: NDArray[np.float64]
    domain_bias: float

    def log_odds(self, features: Floats) -> NDArray[np.float64]:
        """Return the addition (D, 3) to the log odds of texts with these features (D, F)."""
        scaled = scale(features, self.centre, self.spread)
        # Not a matrix product, because its rounding depends on the number of texts in the batch.
        linear = np.einsum("df,fk->dk", scaled, self.weights) + self.bias
        answer: NDArray[np.float64] = linear * self.domain(scaled)[:, None]
        return answer

    def domain(self, scaled: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probability (D,) that texts with these scaled features (D, F) are in the user's domain."""
        odds = np.clip(np.einsum("df,f->d", scaled, self.domain_weights) + self.domain_bias, -30.0, 30.0)
        answer: NDArray[np.float64] = expit(odds)
        return answer


def scale(features: Floats, centre: Floats, spread: Floats) -> NDArray[np.float64]:
    """Return document features (D, F) as standard deviations from the centre, clipped at FURTHEST."""
    # Always in row order, because sums over another memory layout are rounded differently.
    rows = features.astype(np.float64, order="C")
    return np.clip((rows - centre) / spread, -FURTHEST, FURTHEST)

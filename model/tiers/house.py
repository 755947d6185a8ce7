"""What a house's own texts add to a model: a correction of the classifier's log odds that holds in the house's domain.

`unspun train` fits it (training.adapt). Far from the texts that it was fitted on it is nothing, so that what the model
knows of other domains stays as it was.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from unspun.model.signals.base import Floats

FURTHEST = 3.0
"""Standard deviations at which a document number is cut off: one odd number must not carry a text far away."""


@dataclass(frozen=True, eq=False)
class Correction:
    """A linear correction of the log odds of model.decision.KINDS, times the probability of the house's domain.

    `centre` and `spread` (F,) scale the document numbers; `weights` (F, 3) and `bias` (3,) are the correction, all zero
    for a kind of which the house gave no texts; `domain_weights` (F,) and `domain_bias` are a logistic regression that
    tells the house's texts from those that the model was made with.
    """

    centre: Floats
    spread: Floats
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    domain_weights: NDArray[np.float64]
    domain_bias: float

    def log_odds(self, features: Floats) -> NDArray[np.float64]:
        """Return what is to be added to the log odds, (D, 3), for document numbers (D, F)."""
        scaled = scale(features, self.centre, self.spread)
        # Not a matrix product, which rounds a text's numbers by how many others it is scored with.
        linear = np.einsum("df,fk->dk", scaled, self.weights) + self.bias
        answer: NDArray[np.float64] = linear * self.domain(scaled)[:, None]
        return answer

    def domain(self, scaled: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probability (D,) that texts with these scaled numbers (D, F) are of the house's domain."""
        odds = np.clip(np.einsum("df,f->d", scaled, self.domain_weights) + self.domain_bias, -30.0, 30.0)
        answer: NDArray[np.float64] = expit(odds)
        return answer


def scale(features: Floats, centre: Floats, spread: Floats) -> NDArray[np.float64]:
    """Return document numbers (D, F) in standard deviations from the centre, cut off at FURTHEST."""
    # In rows, whatever the order given: sums of the same numbers are then the same.
    rows = features.astype(np.float64, order="C")
    return np.clip((rows - centre) / spread, -FURTHEST, FURTHEST)

"""The fast tier: document numbers to calibrated probabilities of the four kinds.

One head a kind of machine tells that kind from human text, on the signals that carry over to tools it never saw; a
multinomial logistic regression on their log odds, fitted on held-out answers, calibrates and weighs them against each
other, by length.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import expit

from model.house import Correction
from model.signals.base import Floats
from model.trees import Trees

MACHINE_KINDS = ("spun", "translated", "rewritten")
_EDGE = 1e-6
NEVER = -12.0
"""Log odds of a kind that a model was not trained for."""


@dataclass(frozen=True, eq=False)
class Head:
    """Tells one kind of machine from human text: a classifier over some columns of the document numbers, and style.

    `estimator` is None where the model was trained without that kind, and never finds it. `style_weights`
    (model.style.BUCKETS,) and `style_bias` are a logistic regression's; None where the head reads none.
    """

    columns: NDArray[np.int64]
    estimator: Any
    style_weights: Floats | None = None
    style_bias: float = 0.0

    def log_odds(self, features: Floats, style: csr_array | None) -> NDArray[np.float64]:
        """Return the log odds (D,) of the kind against human text: the mean over its parts."""
        if self.estimator is None:
            return np.full(len(features), NEVER)
        chosen = features[:, self.columns]
        if self._trees is None:
            answer = _logit(self.estimator.predict_proba(chosen)[:, 1])
        else:
            answer = _logit(expit(self._trees.log_odds(chosen)))
        if self.style_weights is None or style is None:
            return answer
        return (answer + np.asarray(style @ self.style_weights, dtype=np.float64) + self.style_bias) / 2

    @cached_property
    def _trees(self) -> Trees | None:
        return Trees.of(self.estimator)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the arrays behind: they are made anew, and a bundle's bytes do not tell whether it was used."""
        return {name: value for name, value in self.__dict__.items() if name != "_trees"}


@dataclass(frozen=True, eq=False)
class FastClassifier:
    """The heads in the order of MACHINE_KINDS, and the calibration of their answers to probabilities.

    `length_column` is the place of log(1 + words) among the document numbers. `correction` is what a house's own texts
    add to the heads' answers, None in a model that was not retrained on any.
    """

    heads: tuple[Head, ...]
    calibration: Calibration
    length_column: int
    correction: Correction | None = None

    def log_odds(self, features: Floats, style: csr_array | None) -> NDArray[np.float64]:
        """Return the heads' log odds, shape (D, 3), corrected."""
        answer = np.stack([head.log_odds(features, style) for head in self.heads], axis=1)
        return answer if self.correction is None else answer + self.correction.log_odds(features)

    def probabilities(self, features: Floats, style: csr_array | None) -> NDArray[np.float64]:
        """Return the calibrated probabilities of model.verdict.KINDS, shape (D, 4), rows summing to one."""
        if not len(features):
            return np.zeros((0, 4))
        return self.calibration.probabilities(self.log_odds(features, style), features[:, self.length_column])


@dataclass(frozen=True, eq=False)
class Calibration:
    """A multinomial logistic regression over the heads' log odds and length, as plain arrays.

    `weights` (4, B) and `bias` (4,), for the B numbers of `calibration_inputs`.
    """

    weights: NDArray[np.float64]
    bias: NDArray[np.float64]

    def probabilities(self, log_odds: NDArray[np.float64], length: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return probabilities (D, 4) from log odds (D, 3) and log(1 + words) (D,)."""
        logits = calibration_inputs(log_odds, length) @ self.weights.T + self.bias
        logits -= logits.max(axis=1, keepdims=True)
        exponentials = np.exp(logits)
        answer: NDArray[np.float64] = exponentials / exponentials.sum(axis=1, keepdims=True)
        return answer


def calibration_inputs(log_odds: NDArray[np.float64], length: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return what the calibration reads, (D, 7): the log odds, the length, and each log odds times the length."""
    centred = np.asarray(length, dtype=np.float64)[:, None] - 5.0  # about 150 words
    return np.concatenate([log_odds, centred, log_odds * centred], axis=1)


def _logit(probability: NDArray[np.floating]) -> NDArray[np.float64]:
    clipped = np.clip(np.asarray(probability, dtype=np.float64), _EDGE, 1 - _EDGE)
    return np.log(clipped / (1 - clipped))

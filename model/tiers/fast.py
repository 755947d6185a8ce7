"""The fast tier: document numbers to the evidence of each kind, and how unfamiliar a text is.

One head for each kind of machine tells that kind from human text, on the signals that carry over to tools it never saw.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import expit

from unspun.model.signals.base import Floats
from unspun.model.tiers.house import Correction
from unspun.model.tiers.trees import Trees

_EDGE = 1e-6
MOST_UNFAMILIAR = 6.0
"""Standard deviations at which one number is cut off: it must not make a text unfamiliar alone."""
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
class Unfamiliarity:
    """How far a text's words and n-grams are from those of the human text that the tables were counted on.

    The mean over some document numbers, `columns` (U,), of how many standard deviations, `spread` (U,), each lies
    beyond the `centre` (U,) of human text in its unfamiliar direction, `sign` (U,).
    """

    columns: NDArray[np.int64]
    centre: Floats
    spread: Floats
    sign: Floats

    def of(self, features: Floats) -> NDArray[np.float64]:
        """Return the unfamiliarity (D,) of texts with these document numbers (D, F): about 0, above 3 is rare."""
        scaled = self.sign * (features[:, self.columns].astype(np.float64) - self.centre) / self.spread
        answer: NDArray[np.float64] = np.clip(scaled, -MOST_UNFAMILIAR, MOST_UNFAMILIAR).mean(axis=1)
        return answer


@dataclass(frozen=True, eq=False)
class FastClassifier:
    """The heads in the order of model.decision.KINDS, and what is unfamiliar.

    `correction` is what a house's own texts add to the heads' answers, None in a model that was not retrained on any.
    """

    heads: tuple[Head, ...]
    unfamiliarity: Unfamiliarity
    correction: Correction | None = None

    def log_odds(self, features: Floats, style: csr_array | None) -> NDArray[np.float64]:
        """Return the evidence of each kind, shape (D, 3): the heads' log odds, corrected."""
        answer = np.stack([head.log_odds(features, style) for head in self.heads], axis=1)
        return answer if self.correction is None else answer + self.correction.log_odds(features)

    def unfamiliar(self, features: Floats) -> NDArray[np.float64]:
        """Return how unfamiliar texts are, (D,)."""
        return self.unfamiliarity.of(features)


def _logit(probability: NDArray[np.floating]) -> NDArray[np.float64]:
    clipped = np.clip(np.asarray(probability, dtype=np.float64), _EDGE, 1 - _EDGE)
    return np.log(clipped / (1 - clipped))

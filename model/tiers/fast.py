"""The fast tier: turns document features into evidence for each kind of paraphrase, and measures unfamiliarity.

Each kind has its own classifier, a head, that separates it from human text. A head uses only the features that work on
paraphrasing tools it was not trained on.
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
from unspun.model.signals.quick import weighted
from unspun.model.tiers.house import Correction
from unspun.model.tiers.trees import Forest, Trees

_EDGE = 1e-6
MOST_UNFAMILIAR = 6.0
"""Standard deviations at which a feature is clipped, so that no feature alone can make a text unfamiliar."""
NEVER = -12.0
"""Log odds of a kind that the model was not trained on."""


@dataclass(frozen=True, eq=False)
class Head:
    """Separates one kind of paraphrase from human text.

    Attributes:
        columns: the document features that the classifier uses.
        estimator: the classifier, or its Trees; None if the model was trained without this kind and so never finds it.
        style_weights, style_bias: weights (model.signals.style.BUCKETS,) and bias of a logistic regression over style
            n-grams; the weights are None if the head does not use style.
    """

    columns: NDArray[np.int64]
    estimator: Any
    style_weights: Floats | None = None
    style_bias: float = 0.0

    def log_odds(self, features: Floats, style: csr_array | None) -> NDArray[np.float64]:
        """Return the log odds (D,) of this kind against human text: the mean of the classifier's and the style's."""
        if self.estimator is None:
            return np.full(len(features), NEVER)
        chosen = features[:, self.columns]
        if self.trees is None:
            answer = _logit(self.estimator.predict_proba(chosen)[:, 1])
        else:
            answer = _logit(expit(self.trees.log_odds(chosen)))
        return self.with_style(answer, style)

    def with_style(self, answer: NDArray[np.float64], style: csr_array | None) -> NDArray[np.float64]:
        """Return the mean of the classifier's log odds (D,) and the style's."""
        if self.style_weights is None or style is None:
            return answer
        return (answer + np.asarray(style @ self.style_weights, dtype=np.float64) + self.style_bias) / 2

    @cached_property
    def trees(self) -> Trees | None:
        """The classifier as trees; None if it is another one."""
        return None if self.estimator is None else Trees.of(self.estimator)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the cached trees, so that a bundle's bytes do not depend on whether the head was used."""
        return {name: value for name, value in self.__dict__.items() if name != "trees"}


@dataclass(frozen=True, eq=False)
class Unfamiliarity:
    """How far a text's words and n-grams are from the human text that the language tables were counted on.

    It is the mean, over the features `columns` (U,), of the standard deviations, `spread` (U,), by which each is beyond
    the `centre` (U,) of human text in its unfamiliar direction, `sign` (U,).
    """

    columns: NDArray[np.int64]
    centre: Floats
    spread: Floats
    sign: Floats

    def of(self, features: Floats) -> NDArray[np.float64]:
        """Return the unfamiliarity (D,) of texts with these features (D, F): usually about 0, rarely above 3."""
        scaled = self.sign * (features[:, self.columns].astype(np.float64) - self.centre) / self.spread
        clipped = np.minimum(np.maximum(scaled, -MOST_UNFAMILIAR), MOST_UNFAMILIAR)
        answer: NDArray[np.float64] = np.add.reduce(clipped, axis=1) / len(self.columns)
        return answer


@dataclass(frozen=True, eq=False)
class FastClassifier:
    """The heads, in the order of model.verdict.KINDS, and the measure of unfamiliarity.

    `correction` is fitted to a user's own texts when a model is retrained on them; otherwise it is None. `quick` (2, 3)
    are the weights of the quick signals (model.signals.quick), None in models without them.
    """

    heads: tuple[Head, ...]
    unfamiliarity: Unfamiliarity
    correction: Correction | None = None
    quick: NDArray[np.float64] | None = None

    def log_odds(self, features: Floats, style: csr_array | None) -> NDArray[np.float64]:
        """Return the evidence of each kind (D, 3): the heads' log odds, plus quick signals and correction if any.

        The features of the quick signals are the last ones.
        """
        if self._forest is None:
            by_head = [head.log_odds(features, style) for head in self.heads]
        else:
            of_trees = _logit(expit(self._forest.log_odds(features)))
            by_head = [head.with_style(odds, style) for head, odds in zip(self.heads, of_trees, strict=True)]
        answer = np.array(by_head).T.copy()
        if self.quick is not None:
            answer = answer + weighted(features[:, -self.quick.size :].astype(np.float64), self.quick)
        return answer if self.correction is None else answer + self.correction.log_odds(features)

    @cached_property
    def _forest(self) -> Forest | None:
        """The trees of all heads; None if a head has none."""
        sets = [(head.trees, head.columns) for head in self.heads if head.trees is not None]
        return Forest.of(sets) if len(sets) == len(self.heads) else None

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the cached forest, so that a bundle's bytes do not depend on whether it was used."""
        return {name: value for name, value in self.__dict__.items() if name != "_forest"}

    def unfamiliar(self, features: Floats) -> NDArray[np.float64]:
        """Return the unfamiliarity (D,) of texts."""
        return self.unfamiliarity.of(features)


def _logit(probability: NDArray[np.floating]) -> NDArray[np.float64]:
    clipped = np.minimum(np.maximum(probability, _EDGE, dtype=np.float64), 1 - _EDGE)
    answer: NDArray[np.float64] = np.log(clipped / (1 - clipped))
    return answer

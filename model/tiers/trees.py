"""Boosted trees as arrays, which score a few texts much faster than scikit-learn's own code.

All splits of all trees are evaluated at once. A split that sends a text to the right rules out the leaves on its left;
the first leaf of a tree that no split rules out is the text's leaf (Lucchese et al. 2015, "QuickScorer").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_LEAVES = 64
"""Leaves of a tree; each is a bit of a 64-bit integer."""


@dataclass(frozen=True, eq=False)
class Trees:
    """N trees with at most S splits and L leaves each, for features without missing values (NaN).

    Attributes:
        feature, threshold: (S, N) a text goes to the right at a split if its feature is above the threshold.
        stays: (S, N) the leaves that remain possible in that case, as bits.
        values: (N, L) the log odds of the leaves.
        baseline: the log odds to which those of all trees are added.
    """

    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    stays: NDArray[np.uint64]
    values: NDArray[np.float64]
    baseline: float

    @classmethod
    def of(cls, estimator: Any) -> Trees | None:
        """Return the trees of a fitted HistGradientBoostingClassifier; None for other estimators and kinds of trees.

        Trees are returned as they are.
        """
        if isinstance(estimator, Trees):
            return estimator
        # Imported here because it is slow. A caller with such an estimator has already imported it.
        from sklearn.ensemble import HistGradientBoostingClassifier

        if not isinstance(estimator, HistGradientBoostingClassifier) or estimator.is_categorical_ is not None:
            return None
        trees = [predictors[0].nodes for predictors in estimator._predictors]
        leaves = max((int(nodes["is_leaf"].sum()) for nodes in trees), default=0)
        if estimator.n_trees_per_iteration_ != 1 or not 0 < leaves <= MOST_LEAVES:
            return None
        shape = (max(leaves - 1, 1), len(trees))
        answer = cls(
            np.zeros(shape, dtype=np.int64),
            np.full(shape, np.inf),
            np.full(shape, np.uint64(2**64 - 1)),
            np.zeros((len(trees), leaves)),
            float(estimator._baseline_prediction[0, 0]),
        )
        for number, nodes in enumerate(trees):
            answer._enter(number, nodes)
        return answer

    def _enter(self, number: int, nodes: NDArray[Any]) -> None:
        """Fill in one tree, depth first and left before right."""
        splits = leaves = 0
        todo: list[tuple[int, int | None]] = [(0, None)]
        while todo:
            node, split = todo.pop()
            if split is not None:  # its left side, the leaves from number `node` on, is complete
                self.stays[split, number] = ~np.uint64((1 << leaves) - (1 << node))
                continue
            row = nodes[node]
            if row["is_leaf"]:
                self.values[number, leaves] = row["value"]
                leaves += 1
                continue
            self.feature[splits, number] = row["feature_idx"]
            self.threshold[splits, number] = row["num_threshold"]
            todo += [(int(row["right"]), None), (leaves, splits), (int(row["left"]), None)]
            splits += 1

    def log_odds(self, numbers: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the log odds (D,) of texts with these features (D, F), equal to scikit-learn's bit by bit."""
        goes_right = numbers.T.take(self.feature, axis=0) > self.threshold[..., None]
        left = goes_right - np.uint64(1)  # no leaf is ruled out unless the text goes to the right
        left |= self.stays[..., None]
        left = np.bitwise_and.reduce(left, axis=0)
        leaf = np.bitwise_count((left & -left) - np.uint64(1))
        added = self.values[np.arange(len(self.values))[:, None], leaf]
        # Added tree by tree, as scikit-learn does, because np.sum adds in another order.
        added[:1] += self.baseline
        total: NDArray[np.float64] = np.add.accumulate(added, axis=0)[-1]
        return total

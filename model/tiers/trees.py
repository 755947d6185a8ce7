"""Boosted trees as arrays: all splits of all trees are compared at once, where scikit-learn walks tree by tree.

A split that sends a text to the right rules out the leaves on its left; of those that no split rules out, the first is
the text's leaf (Lucchese et al. 2015, "QuickScorer").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_LEAVES = 64
"""Of a tree: a bit each."""


@dataclass(frozen=True, eq=False)
class Trees:
    """N trees of at most S splits and L leaves each, for numbers without gaps (NaN).

    `feature` and `threshold` (S, N): a text goes right where its number is above; `stays` (S, N) are the leaves that
    are left then, as bits. `values` (N, L) are the leaves' log odds, which are added to `baseline`.
    """

    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    stays: NDArray[np.uint64]
    values: NDArray[np.float64]
    baseline: float

    @classmethod
    def of(cls, estimator: Any) -> Trees | None:
        """Return a fitted classifier's trees; None for another estimator, or one whose trees are of another make."""
        # Where there is such an estimator the library is loaded; a model's other users need not wait for it.
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
        """Enter one tree, depth first and left before right."""
        splits = leaves = 0
        todo: list[tuple[int, int | None]] = [(0, None)]
        while todo:
            node, split = todo.pop()
            if split is not None:  # its left side is done: the leaves from `node` on
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
        """Return the log odds (D,) of texts from their numbers (D, F): what scikit-learn says, bit by bit."""
        goes_right = numbers.T[self.feature] > self.threshold[..., None]
        left = np.where(goes_right, self.stays[..., None], np.uint64(2**64 - 1))
        left = np.bitwise_and.reduce(left, axis=0)
        leaf = np.bitwise_count((left & (~left + np.uint64(1))) - np.uint64(1))
        added = self.values[np.arange(len(self.values))[:, None], leaf]
        start = np.full((1, len(numbers)), self.baseline)
        # One tree after the other, as scikit-learn adds: a plain sum is taken in another order.
        total: NDArray[np.float64] = np.add.accumulate(np.concatenate([start, added]), axis=0)[-1]
        return total

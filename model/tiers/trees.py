"""Boosted trees as arrays, which score a few texts much faster than scikit-learn's own code.

All splits of all trees are evaluated at once. A split that sends a text to the right rules out the leaves on its left;
the first leaf of a tree that no split rules out is the text's leaf (Lucchese et al. 2015, "QuickScorer").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
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
        return _sum(self.by_tree(numbers), self.baseline)

    def by_tree(self, numbers: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return what each tree adds (N, D) to the log odds of texts with these features (D, F)."""
        goes_right = numbers.T.take(self.feature, axis=0) > self.threshold[..., None]
        left = goes_right - np.uint64(1)  # no leaf is ruled out unless the text goes to the right
        left |= self.stays[..., None]
        left = np.bitwise_and.reduce(left, axis=0)
        leaf = np.bitwise_count((left & -left) - np.uint64(1))
        answer: NDArray[np.float64] = self.values[np.arange(len(self.values))[:, None], leaf]
        return answer


@dataclass(frozen=True, eq=False)
class Forest:
    """Several sets of trees over the same features, which are evaluated at once: that takes little longer than one.

    Attributes:
        joined: all trees.
        ends: the number of trees up to the end of each set.
        baselines: the baseline of each set.
    """

    joined: Trees
    ends: tuple[int, ...]
    baselines: tuple[float, ...]

    @classmethod
    def of(cls, sets: Sequence[tuple[Trees, NDArray[np.int64]]]) -> Forest:
        """Join sets of trees, given with the columns (F,) that each set's features have among those of all."""
        splits = max(len(trees.feature) for trees, _ in sets)
        leaves = max(trees.values.shape[1] for trees, _ in sets)
        missing = [((0, splits - len(trees.feature)), (0, 0)) for trees, _ in sets]
        joined = Trees(
            _padded([columns[trees.feature] for trees, columns in sets], missing, 0),
            _padded([trees.threshold for trees, _ in sets], missing, np.inf),
            _padded([trees.stays for trees, _ in sets], missing, np.uint64(2**64 - 1)),
            np.concatenate([np.pad(one.values, ((0, 0), (0, leaves - one.values.shape[1]))) for one, _ in sets]),
            0.0,
        )
        ends = np.cumsum([len(trees.values) for trees, _ in sets]).tolist()
        return cls(joined, tuple(ends), tuple(trees.baseline for trees, _ in sets))

    def log_odds(self, numbers: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return each set's log odds (k, D) of texts with these features (D, F)."""
        by_tree = self.joined.by_tree(numbers)
        spans = zip(pairwise((0, *self.ends)), self.baselines, strict=True)
        return np.array([_sum(by_tree[start:end], baseline) for (start, end), baseline in spans])


def _padded(tables: Sequence[NDArray[Any]], missing: Sequence[Any], fill: Any) -> NDArray[Any]:
    """Return tables (S, N) side by side, filled up to the same number of rows."""
    return np.concatenate(
        [np.pad(table, width, constant_values=fill) for table, width in zip(tables, missing, strict=True)], axis=1
    )


def _sum(by_tree: NDArray[np.float64], baseline: float) -> NDArray[np.float64]:
    """Return the sums (D,) of what trees add (N, D): tree by tree, as scikit-learn does. np.sum has another order."""
    by_tree[:1] += baseline
    total: NDArray[np.float64] = np.add.accumulate(by_tree, axis=0)[-1]
    return total

"""model/tiers/trees.py: boosted trees as arrays, bit for bit equal to scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from unspun.model import bundle
from unspun.model.tiers.trees import MOST_LEAVES, Forest, Trees


def fitted(leaves: int, *, rounds: int = 20) -> HistGradientBoostingClassifier:
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(600, 7))
    labels = numbers[:, 0] * numbers[:, 1] + rng.normal(size=600) > 0
    model = HistGradientBoostingClassifier(max_iter=rounds, max_leaf_nodes=leaves, min_samples_leaf=5, random_state=0)
    return model.fit(numbers, labels)


def made_trees(model: HistGradientBoostingClassifier) -> Trees:
    trees = Trees.of(model)
    assert trees is not None
    return trees


@pytest.mark.parametrize("leaves", [2, 3, 10, 31, MOST_LEAVES])
def test_the_log_odds_equal_those_of_scikit_learn(leaves: int) -> None:
    model = fitted(leaves)
    numbers = np.random.default_rng(1).normal(size=(500, 7)) * 3
    assert np.array_equal(made_trees(model).log_odds(numbers), model.decision_function(numbers))


def test_a_value_on_a_threshold_goes_the_same_way_as_in_scikit_learn() -> None:
    model = fitted(10)
    nodes = model._predictors[0][0].nodes
    split = nodes[~nodes["is_leaf"].astype(bool)][0]
    numbers = np.zeros((3, 7))
    numbers[:, split["feature_idx"]] = np.nextafter(split["num_threshold"], (-np.inf, split["num_threshold"], np.inf))
    assert np.array_equal(made_trees(model).log_odds(numbers), model.decision_function(numbers))


@settings(max_examples=30)
@given(st.lists(st.lists(st.floats(-1e6, 1e6, width=32), min_size=7, max_size=7), min_size=1, max_size=9))
def test_the_log_odds_do_not_depend_on_the_batch(rows: list[list[float]]) -> None:
    trees = made_trees(fitted(10, rounds=5))
    numbers = np.array(rows, dtype=np.float32)
    alone = np.concatenate([trees.log_odds(numbers[i : i + 1]) for i in range(len(numbers))])
    assert np.array_equal(trees.log_odds(numbers), alone)


def test_a_forest_gives_each_set_of_trees_its_own_log_odds() -> None:
    columns = np.array([3, 4, 5, 6, 7, 8, 9])
    small, large = made_trees(fitted(2, rounds=3)), made_trees(fitted(31))
    numbers = np.random.default_rng(1).normal(size=(50, 10))
    both = Forest.of([(small, columns), (large, columns[::-1])]).log_odds(numbers)
    assert np.array_equal(both, [small.log_odds(numbers[:, 3:]), large.log_odds(numbers[:, :2:-1])])


def test_the_shipped_heads_are_trees() -> None:
    assert all(Trees.of(head.estimator) is not None for head in bundle.load().classifier.heads)


def test_trees_stay_as_they_are() -> None:
    trees = made_trees(fitted(10))
    assert Trees.of(trees) is trees


def test_another_estimator_is_not_converted() -> None:
    numbers = np.random.default_rng(0).normal(size=(40, 2))
    assert Trees.of(LogisticRegression().fit(numbers, numbers[:, 0] > 0)) is None


def test_trees_with_too_many_leaves_are_not_converted() -> None:
    assert Trees.of(fitted(MOST_LEAVES + 30)) is None

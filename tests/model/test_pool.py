"""model/signals/base.py: values pooled by document equal those computed token by token."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unspun.model.signals.base import Pool

TOKENS = st.lists(st.tuples(st.integers(0, 4), st.floats(-9, 9, width=32)), max_size=60).map(sorted)
"""The document and value of each token; any of the five documents may have none."""
LIMITS = (-2.0, 0.0, 1.5)


def pool(tokens: list[tuple[int, float]]) -> tuple[Pool, np.ndarray]:
    return (
        Pool(np.array([document for document, _ in tokens], np.int32), 5),
        np.array([number for _, number in tokens], np.float32),
    )


def of_each_document(tokens: list[tuple[int, float]]) -> list[list[float]]:
    return [[number for owner, number in tokens if owner == document] for document in range(5)]


@given(TOKENS)
def test_shares_above_limits(tokens: list[tuple[int, float]]) -> None:
    pooled, numbers = pool(tokens)
    for limit, found in zip(LIMITS, pooled.shares_above(numbers, LIMITS), strict=True):
        shares = [sum(number > limit for number in own) / max(len(own), 1) for own in of_each_document(tokens)]
        assert found.tolist() == np.float32(shares).tolist()


@given(TOKENS)
def test_a_value_on_a_limit_is_not_above_it(tokens: list[tuple[int, float]]) -> None:
    pooled, numbers = pool([(document, 1.5) for document, _ in tokens])
    assert pooled.shares_above(numbers, LIMITS)[2].tolist() == [0] * 5


@given(TOKENS)
def test_means(tokens: list[tuple[int, float]]) -> None:
    pooled, numbers = pool(tokens)
    means = [sum(own) / max(len(own), 1) for own in of_each_document(tokens)]
    assert pooled.mean(numbers).tolist() == pytest.approx(means, abs=1e-5)


@given(TOKENS)
def test_shares_of_marked_tokens(tokens: list[tuple[int, float]]) -> None:
    pooled, numbers = pool(tokens)
    shares = [sum(number > 0 for number in own) / max(len(own), 1) for own in of_each_document(tokens)]
    assert pooled.mean(numbers > 0).tolist() == np.float32(shares).tolist()


def test_no_documents_have_no_shares() -> None:
    nothing = Pool(np.zeros(0, np.int32), 0)
    assert [len(share) for share in nothing.shares_above(np.zeros(0, np.float32), LIMITS)] == [0, 0, 0]

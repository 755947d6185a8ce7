"""model/text/arrays.py: the same answers as numpy's own functions and plain Python."""

from __future__ import annotations

from itertools import accumulate, groupby

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from unspun.model.text.arrays import counts_between, followed_by, running_totals, starts_of_runs, steps

NUMBERS = st.lists(st.integers(0, 3), max_size=20)
DOCUMENTS = st.lists(st.lists(st.booleans(), max_size=6), min_size=1, max_size=4)


@given(NUMBERS)
def test_steps_are_differences(numbers: list[int]) -> None:
    assert np.array_equal(steps(np.array(numbers, np.int64)), np.diff(np.array(numbers, np.int64)))


@given(NUMBERS)
def test_a_run_starts_where_the_value_changes(numbers: list[int]) -> None:
    runs = [len(list(run)) for _, run in groupby(numbers)]
    starts = list(accumulate(runs, initial=0))[: len(runs)]
    assert starts_of_runs(np.array(numbers, np.int64)).nonzero()[0].tolist() == starts


@given(NUMBERS)
def test_one_more_value_follows(numbers: list[int]) -> None:
    assert followed_by(np.array(numbers, np.int32), 9).tolist() == [*numbers, 9]


@given(NUMBERS)
def test_running_totals_begin_with_nothing(numbers: list[int]) -> None:
    assert running_totals(np.array(numbers, np.int64)).tolist() == list(accumulate(numbers, initial=0))


@given(DOCUMENTS)
def test_flags_are_counted_by_document(documents: list[list[bool]]) -> None:
    flags = np.array([flag for document in documents for flag in document], dtype=bool)
    bounds = np.array(list(accumulate(map(len, documents), initial=0)))
    counts = counts_between(np.array([flags, ~flags]), bounds)
    assert counts.tolist() == [list(map(sum, documents)), [len(one) - sum(one) for one in documents]]

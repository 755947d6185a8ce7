"""What numpy also has, but with a smaller cost per call: of a short text, calls are most of the work."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Item = TypeVar("Item", bound=np.generic)


def steps(values: NDArray[Any]) -> NDArray[Any]:
    """Return the differences (T - 1,) between neighbouring values (T,), like numpy.diff."""
    answer: NDArray[Any] = values[1:] - values[:-1]
    return answer


def starts_of_runs(groups: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which items (T,) are not in the same group as the one before."""
    starts = np.empty(len(groups), dtype=np.bool_)
    starts[:1] = True
    np.not_equal(groups[1:], groups[:-1], out=starts[1:])
    return starts


def followed_by(values: NDArray[Item], last: Any) -> NDArray[Item]:
    """Return some values (T,) and one more, like numpy.append, shape (T + 1,)."""
    longer = np.empty(len(values) + 1, dtype=values.dtype)
    longer[:-1] = values
    longer[-1] = last
    return longer


def counts_between(flags: NDArray[np.bool_], bounds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many flags of each row (k, T) are set from each of some bounds (D + 1,) to the next, shape (k, D).

    The first bound is 0, and the last is T.
    """
    counts: NDArray[np.int64]
    if len(bounds) == 2:
        counts = np.add.reduce(flags, axis=1, keepdims=True, dtype=np.int64)
        return counts
    rows = np.arange(len(flags))[:, None] * flags.shape[1]
    before = flags.reshape(-1).nonzero()[0].searchsorted(rows + bounds)
    counts = before[:, 1:] - before[:, :-1]
    return counts


def running_totals(values: NDArray[Any]) -> NDArray[np.int64]:
    """Return the sums of the first 0, 1, ..., T values (T,), shape (T + 1,)."""
    totals = np.zeros(len(values) + 1, dtype=np.int64)
    values.cumsum(out=totals[1:])
    return totals

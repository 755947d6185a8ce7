"""What numpy also has, but with a smaller cost per call: of a short text, calls are most of the work."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Item = TypeVar("Item", bound=np.generic)


def steps(values: NDArray[Item]) -> NDArray[Item]:
    """Return the differences (T - 1,) between neighbouring values (T,), like numpy.diff."""
    return values[1:] - values[:-1]


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


def running_totals(values: NDArray[Any]) -> NDArray[np.int64]:
    """Return the sums of the first 0, 1, ..., T values (T,), shape (T + 1,)."""
    totals = np.zeros(len(values) + 1, dtype=np.int64)
    values.cumsum(out=totals[1:])
    return totals

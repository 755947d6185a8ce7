"""Labelled texts as arrays, one row per text: selected, joined, saved and loaded together. Holds no text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack


@dataclass(frozen=True, eq=False)
class Runs:
    """A run of rows for each of N texts, such as one row per section.

    The run of text n is values[starts[n]:starts[n + 1]]; `values` is an array or a sparse array of M rows, and `starts`
    has the shape (N + 1,).
    """

    values: Any
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, values: Any, owner: NDArray[np.integer], count: int) -> Runs:
        """Group rows by the text that each belongs to, `owner` (M,), which must be in ascending order."""
        return cls(values, _starts(np.bincount(owner, minlength=count)))

    @property
    def owner(self) -> NDArray[np.int64]:
        """The text that each row belongs to (M,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, rows: NDArray[np.bool_] | NDArray[np.integer]) -> Runs:
        places = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        return self.joined([[place] for place in places.tolist()])

    def joined(self, parts: Sequence[Sequence[int]]) -> Runs:
        """Return one run for each part: the runs of its texts, one after the other."""
        runs = [[np.arange(self.starts[text], self.starts[text + 1]) for text in part] for part in parts]
        rows = np.concatenate([np.zeros(0, np.int64), *(run for part in runs for run in part)])
        return Runs(self.values[rows], _starts([sum(map(len, part)) for part in runs]))


def _starts(lengths: Sequence[int] | NDArray[np.integer]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Rows:
    """Base of dataclasses that describe N texts: every field is an array, a sparse array or `Runs`, with N rows.

    The one exception is a field called `names`: a tuple that names the columns, the same for all rows.
    """

    @classmethod
    def columns(cls) -> tuple[str, ...]:
        """Return the names of the fields that have a row for each text."""
        return tuple(field.name for field in fields(cls) if field.name != "names")

    def __len__(self) -> int:
        column = getattr(self, self.columns()[-1])
        return int(column.shape[0]) if isinstance(column, csr_array) else len(column)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.integer]) -> Self:
        """Return the rows that a mask or an array of row numbers selects."""
        return replace(self, **{name: getattr(self, name)[rows] for name in self.columns()})

    @classmethod
    def concatenated(cls, parts: Iterable[Self]) -> Self:
        """Return all rows of one or more parts, in order. Raises ValueError if their columns have different names."""
        some = list(parts)
        if len({getattr(part, "names", ()) for part in some}) > 1:
            raise ValueError("cannot join rows whose columns have different names")
        return replace(some[0], **{name: _stacked([getattr(part, name) for part in some]) for name in cls.columns()})

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all fields as plain arrays, the parts of a sparse array and of `Runs` under names of their own."""
        packed = (_packed(field.name, getattr(self, field.name)) for field in fields(self))
        return {name: values for part in packed for name, values in part}

    def save(self, file: Path) -> None:
        """Write the rows as .npz; folders are created as needed."""
        file.parent.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, Any] = self.arrays()
        np.savez_compressed(file, **arrays)

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read rows that `save` wrote."""
        with np.load(file, allow_pickle=False) as arrays:
            values = {field.name: _unpacked(field.name, arrays) for field in fields(cls)}
        if "names" in values:
            values["names"] = tuple(values["names"].tolist())
        return cls(**values)


@dataclass(frozen=True, eq=False)
class MadeTexts(Rows):
    """N texts and how they were made, each array of shape (N,).

    `tools` are their makers: "human" for human text, "unspun:NAME" for our own paraphrasers. `words` counts the words
    of prose, and `changed` is the share of words replaced, NaN if unknown. Texts of one group belong together.
    """

    labels: NDArray[np.str_]
    sources: NDArray[np.str_]
    tools: NDArray[np.str_]
    domains: NDArray[np.str_]
    groups: NDArray[np.int32]
    words: NDArray[np.int32]
    changed: NDArray[np.float32]


def rows_by_name(names: NDArray[np.str_], rows: NDArray[np.bool_]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield every name (N,) among the selected `rows` (N,), in alphabetical order, and the rows that have it."""
    for name in np.unique(names[rows]).tolist():
        yield name, rows & (names == name)


def spread_evenly(places: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return at most `most` of some places, spread evenly from first to last, so that every part is represented."""
    count = min(most, len(places))
    return places[np.arange(count) * len(places) // max(count, 1)]


_SPARSE = ("data", "indices", "indptr", "shape")


def _packed(name: str, value: Any) -> Iterator[tuple[str, NDArray[Any]]]:
    if isinstance(value, Runs):
        yield f"{name}.starts", value.starts
        yield from _packed(f"{name}.values", value.values)
    elif isinstance(value, csr_array):
        yield from ((f"{name}.{part}", np.asarray(getattr(value, part))) for part in _SPARSE)
    else:
        yield name, np.asarray(value)


def _unpacked(name: str, arrays: Mapping[str, NDArray[Any]]) -> Any:
    if f"{name}.starts" in arrays:
        return Runs(_unpacked(f"{name}.values", arrays), arrays[f"{name}.starts"])
    if f"{name}.indptr" in arrays:
        data, indices, indptr, shape = (arrays[f"{name}.{part}"] for part in _SPARSE)
        return csr_array((data, indices, indptr), shape=tuple(shape.tolist()))
    return arrays[name]


def _stacked(parts: Sequence[Any]) -> Any:
    if isinstance(parts[0], Runs):
        lengths = np.concatenate([np.diff(part.starts) for part in parts])
        return Runs(_stacked([part.values for part in parts]), _starts(lengths))
    return csr_array(vstack(parts)) if isinstance(parts[0], csr_array) else np.concatenate(parts)

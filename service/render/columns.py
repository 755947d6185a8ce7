"""The columns of a Verdict in a flat table. CSV, Parquet and data frames take them from its fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args, get_origin

from unspun.model.fields import Described, described, parts_of
from unspun.model.verdict import Evidence, Verdict

MOST_PHRASES = 10
"""Pieces of evidence in a cell, the heaviest."""
Value = str | int | float | None


@dataclass(frozen=True, slots=True)
class VerdictColumn:
    """A column: the type of its values, whether a cell holds `many` of them, and whether it may be empty.

    `path` leads to the value in the verdict's JSON. `of` is str, int, float, bool or, for a list of structures, a
    dataclass.
    """

    name: str
    path: tuple[str, ...]
    of: type
    many: bool
    optional: bool


def columns(record: type = Verdict) -> tuple[VerdictColumn, ...]:
    """Return the columns of a dataclass in the order of its fields.

    A dictionary has a column for each key, such as a verdict's kinds, and a structure one for each of its parts.
    """
    return _columns(record)


@cache
def _columns(record: type) -> tuple[VerdictColumn, ...]:
    return tuple(column for one in described(record) for column in _columns_of(one))


def _columns_of(one: Described) -> list[VerdictColumn]:
    optional = one.optional or one.left_out_with is not None
    origin = get_origin(one.type)
    if one.keys:
        return [VerdictColumn(key, (one.name, key), float, False, optional) for key in one.keys]
    if origin is tuple:
        return [VerdictColumn(one.name, (one.name,), get_args(one.type)[0], True, optional)]
    if part := parts_of(one.type):
        return [
            VerdictColumn(
                f"{one.name}_{inner.name}", (one.name, *inner.path), inner.of, inner.many, optional or inner.optional
            )
            for inner in columns(part)
        ]
    return [VerdictColumn(one.name, (one.name,), str if origin is Literal else one.type, False, optional)]


def row(verdict: Verdict) -> dict[str, Any]:
    """Return the value of every column, None if the verdict has none. Lists and structures are as in its JSON."""
    answer = verdict.to_dict()
    return {column.name: _at(answer, column.path) for column in columns(type(verdict))}


def from_row(values: Mapping[str, Any]) -> Verdict:
    """Rebuild a verdict from its row. Raises what Verdict.from_dict raises."""
    answer: dict[str, Any] = {}
    for column in columns():
        *outer, last = column.path
        inner = answer
        for name in outer:
            inner = inner.setdefault(name, {})
        inner[last] = values[column.name]
    # Either all of a verdict's kinds have a score or none has.
    return Verdict.from_dict({name: None if _is_missing(value) else value for name, value in answer.items()})


def cells(verdict: Verdict) -> dict[str, Value]:
    """Return the value of every column for a table of plain text and numbers: a list is summarised in one text."""
    found = row(verdict)
    for column in columns(type(verdict)):
        if column.many:
            items = getattr(verdict, column.name) or ()
            found[column.name] = summarise(items) if column.of is Evidence else " ".join(map(str, items))
    return found


def summarise(evidence: Sequence[Evidence]) -> str:
    """Return the heaviest evidence as "found -> suggestion; ...", each pair once, heaviest first.

    A suggestion that is not probable has a question mark.
    """
    ordered = sorted(evidence, key=lambda item: (-item.weight, item.start))
    phrases = dict.fromkeys(
        " ".join(
            (
                item.text
                if item.suggestion is None
                else f"{item.text} -> {item.suggestion}{'' if item.probable else '?'}"
            ).split()
        )
        for item in ordered
    )
    return "; ".join(list(phrases)[:MOST_PHRASES])


def _at(answer: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        answer = None if answer is None else answer.get(name)
    return answer


def _is_missing(value: Any) -> bool:
    return isinstance(value, dict) and all(inner is None for inner in value.values())

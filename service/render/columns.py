"""The columns of a Verdict in a flat table: CSV, Parquet and data frames take them from its fields."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from unspun.model.verdict import KINDS, Evidence, Verdict

"""The kinds of machine, in the order in which a verdict tells them."""
PHRASES = 10
"""Pieces of evidence in a cell, the heaviest."""
Value = str | int | float | None


@dataclass(frozen=True, slots=True)
class Column:
    """A column: what its values are, whether they are `many` in each cell, and whether a cell may be empty.

    `path` leads to the value in the verdict's JSON. `of` is str, int, float or, for a list of structures, a dataclass.
    """

    name: str
    path: tuple[str, ...]
    of: type
    many: bool
    optional: bool


@cache
def columns_of(record: type) -> tuple[Column, ...]:
    """Return the columns of a dataclass, field by field: a verdict's kinds, and a model's parts, are one each."""
    hints = get_type_hints(record)
    return tuple(column for field in fields(record) for column in _columns(field.name, hints[field.name]))


def columns() -> tuple[Column, ...]:
    """Return the columns of a Verdict, in the order of its JSON."""
    return columns_of(Verdict)


def _columns(name: str, hint: Any) -> list[Column]:
    hint, optional = without_none(hint)
    origin = get_origin(hint)
    if origin is dict:
        return [Column(kind, (name, kind), float, False, optional) for kind in KINDS]
    if origin is tuple:
        return [Column(name, (name,), get_args(hint)[0], True, optional)]
    if is_dataclass(hint) and isinstance(hint, type):
        return [
            Column(f"{name}_{inner.name}", (name, *inner.path), inner.of, inner.many, optional or inner.optional)
            for inner in columns_of(hint)
        ]
    return [Column(name, (name,), str if origin is Literal else hint, False, optional)]


def without_none(hint: Any) -> tuple[Any, bool]:
    """Return the type of a value that may be None without that, and whether it may be."""
    if get_origin(hint) not in (Union, types.UnionType):
        return hint, False
    [inner] = [one for one in get_args(hint) if one is not type(None)]
    return inner, True


def row(verdict: Verdict) -> dict[str, Any]:
    """Return the value of every column, None where the verdict has none; lists and structures are those of its JSON."""
    answer = verdict.to_dict()
    return {column.name: _at(answer, column.path) for column in columns()}


def from_row(values: Mapping[str, Any]) -> Verdict:
    """Return the verdict of which `values` is the row. Raises what Verdict.from_dict raises."""
    answer: dict[str, Any] = {}
    for column in columns():
        *outer, last = column.path
        inner = answer
        for name in outer:
            inner = inner.setdefault(name, {})
        inner[last] = values[column.name]
    # A verdict's kinds are there or not, all of them.
    return Verdict.from_dict({name: None if _is_missing(value) else value for name, value in answer.items()})


def cells(verdict: Verdict) -> dict[str, Value]:
    """Return the value of every column for a table that has only text and numbers: lists are summed up in a text."""
    found = row(verdict)
    found["repairs"] = " ".join(f"{repair.what}:{repair.count}" for repair in verdict.repairs)
    found["evidence"] = summarise(verdict.evidence or ())
    found["passages"] = " ".join(f"{one.start}-{one.end}" for one in verdict.passages)
    return found


def summarise(evidence: Sequence[Evidence]) -> str:
    """Return the heaviest evidence as "found -> suggestion; ...", each pair once, heaviest first."""
    ordered = sorted(evidence, key=lambda item: (-item.weight, item.start))
    phrases = dict.fromkeys(
        " ".join((item.text if item.suggestion is None else f"{item.text} -> {item.suggestion}").split())
        for item in ordered
    )
    return "; ".join(list(phrases)[:PHRASES])


def _at(answer: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        answer = None if answer is None else answer.get(name)
    return answer


def _is_missing(value: Any) -> bool:
    return isinstance(value, dict) and all(inner is None for inner in value.values())

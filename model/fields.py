"""Dataclasses that describe their own fields, become plain JSON types and are rebuilt from them.

A verdict, a comparison and their parts are such dataclasses. JSON, CSV, Parquet, data frames and the OpenAPI document
read the fields from here, so that a new field is written once.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from typing import Any, Literal, Self, Union, get_args, get_origin, get_type_hints


def about(
    description: str,
    *,
    ge: float | None = None,
    le: float | None = None,
    keys: tuple[str, ...] = (),
    left_out_with: str | None = None,
    example: Any = None,
) -> dict[str, Any]:
    """Return the metadata of a dataclass field: what it means and which values it takes.

    Args:
        description: What the field means, for the API reference.
        ge: The least value of a number. Pydantic reads it, `le` and `description` under these names.
        le: The greatest value of a number.
        keys: The keys of a dictionary whose values are numbers from 0 to 1, in order.
        left_out_with: A field of the same class, perhaps this one. When it is None, JSON leaves this field out.
        example: A value for the API reference; not needed if the field is a dataclass.
    """
    bounds = {name: value for name, value in (("ge", ge), ("le", le)) if value is not None}
    return {"description": description, "keys": keys, "left_out_with": left_out_with, "example": example, **bounds}


@dataclass(frozen=True, slots=True)
class Described:
    """A field of a dataclass: its type without None, whether it may be None, and what `about` says."""

    name: str
    type: Any
    optional: bool
    default: Any
    description: str = ""
    keys: tuple[str, ...] = ()
    left_out_with: str | None = None
    example: Any = None


class JsonRecord:
    """A dataclass as plain JSON types. Tuples become lists, and keys keep the order of the fields."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON types, without those that were not requested."""
        found = {}
        record: type = type(self)
        for name, left_out_with, plain in _plan(record):
            if left_out_with is None or getattr(self, left_out_with) is not None:
                value = getattr(self, name)
                found[name] = value if plain is None or value is None else plain(value)
        return found

    @classmethod
    def from_dict(cls, item: Mapping[str, Any]) -> Self:
        """Rebuild an object from its `to_dict` form. Unknown keys, perhaps of a later version, are ignored.

        Raises LookupError if a field is missing, and TypeError, ValueError or AttributeError if a value has the wrong
        type.
        """
        return cls(**{one.name: _rebuilt(one, item) for one in described(cls)})


def described(record: type) -> tuple[Described, ...]:
    """Return the fields of a dataclass, in order."""
    return _described(record)


@cache
def _described(record: type) -> tuple[Described, ...]:
    hints = get_type_hints(record)
    found = []
    for one in fields(record):
        kind, optional = _without_none(hints[one.name])
        metadata = {name: value for name, value in one.metadata.items() if name in Described.__dataclass_fields__}
        found.append(Described(one.name, kind, optional, one.default, **metadata))
    return tuple(found)


@cache
def _plan(record: type) -> tuple[tuple[str, str | None, Callable[[Any], Any] | None], ...]:
    """Return the name of each field, what it is left out with, and what makes its value plain, None if it is."""
    plain_already = (str, int, float, bool)
    return tuple(
        (one.name, one.left_out_with, None if one.type in plain_already or get_origin(one.type) is Literal else _plain)
        for one in described(record)
    )


def parts_of(hint: Any) -> type | None:
    """Return the dataclass that a type is, or that its list holds; None if there is none."""
    if get_origin(hint) is tuple:
        hint = get_args(hint)[0]
    return hint if isinstance(hint, type) and is_dataclass(hint) else None


def example_of(record: type) -> dict[str, Any]:
    """Return an example of a dataclass as plain JSON types, made of the examples of its fields."""
    return {one.name: _example(one) for one in described(record)}


def _example(one: Described) -> Any:
    part = parts_of(one.type)
    if part is None or one.example is not None:
        return _plain(one.example)
    return [example_of(part)] if get_origin(one.type) is tuple else example_of(part)


def _without_none(hint: Any) -> tuple[Any, bool]:
    if get_origin(hint) not in (Union, types.UnionType):
        return hint, False
    [kind] = [one for one in get_args(hint) if one is not types.NoneType]
    return kind, True


def _plain(value: Any) -> Any:
    if isinstance(value, JsonRecord):
        return value.to_dict()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return dict(value) if isinstance(value, dict) else value


def _rebuilt(one: Described, item: Mapping[str, Any]) -> Any:
    if one.left_out_with is not None and item.get(one.name) is None:
        return None if one.default is MISSING else one.default
    value = item[one.name]
    part = parts_of(one.type)
    if value is None and one.optional:
        return None
    if get_origin(one.type) is tuple:
        return tuple(value if part is None else (_rebuild(part, inner) for inner in value))
    if part is not None:
        return _rebuild(part, value)
    return dict(value) if get_origin(one.type) is dict else value


def _rebuild(part: Any, value: Any) -> Any:
    return part.from_dict(value)

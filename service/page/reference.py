"""The reference of the HTTP API as the page at `/v1/docs` shows it, read off the OpenAPI document."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from unspun.service.http.problems import TITLES, ProblemDocument

JSON = "application/json"
PROBLEM = ProblemDocument.__name__
PLACE = re.compile(r"\{(\w+)\}")
"""What stands in an address for a value."""
BOUNDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "maxItems": "at most {} items",
}


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a property of an object."""

    name: str
    kind: str
    required: bool
    description: str
    notes: str


@dataclass(frozen=True, slots=True)
class Body:
    """One media type of a request or an answer."""

    media_type: str
    kind: str
    note: str
    example: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer by its status."""

    status: str
    phrase: str
    description: str
    headers: dict[str, str]
    bodies: list[Body]


@dataclass(frozen=True, slots=True)
class Operation:
    """A method of an address."""

    anchor: str
    method: str
    path: str
    summary: str
    description: str
    needs_key: bool
    parameters: list[Field]
    bodies: list[Body]
    request: str
    example: str | None
    answers: list[Answer]


@dataclass(frozen=True, slots=True)
class Schema:
    """A named object."""

    name: str
    fields: list[Field]
    example: str | None


@dataclass(frozen=True, slots=True)
class Group:
    """The operations of a tag."""

    name: str
    description: str
    operations: list[Operation] = field(default_factory=list)


class Reference:
    """The document's parts, in its own order."""

    def __init__(self, document: dict[str, Any], address: str) -> None:
        self.info: dict[str, Any] = document["info"]
        self.address = address
        self._schemas: dict[str, Any] = document["components"]["schemas"]
        self.schemes: dict[str, Any] = document["components"]["securitySchemes"]
        self.groups = [Group(tag["name"], tag["description"]) for tag in document["tags"]]
        groups = {group.name: group for group in self.groups}
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                groups[operation["tags"][0]].operations.append(self._operation(path, method, operation))
        self.schemas = [Schema(name, list(_fields(one)), _example(one)) for name, one in self._schemas.items()]
        self.problems = [(name, status, title) for name, (status, title) in TITLES.items()]
        self.needs_key = any(one.needs_key for group in self.groups for one in group.operations)

    def _operation(self, path: str, method: str, about: dict[str, Any]) -> Operation:
        bodies = self._bodies(about.get("requestBody", {}))
        answers = [
            Answer(
                status,
                HTTPStatus(int(status)).phrase,
                answer["description"],
                {name: header["description"] for name, header in answer.get("headers", {}).items()},
                self._bodies(answer),
            )
            for status, answer in sorted(about["responses"].items())
        ]
        needs_key = bool(about.get("security"))
        return Operation(
            anchor=about["operationId"],
            method=method.upper(),
            path=path,
            summary=about["summary"],
            description=about.get("description", ""),
            needs_key=needs_key,
            parameters=[_parameter(one) for one in about.get("parameters", [])],
            bodies=bodies,
            request=_curl(self.address + _filled(path), method.upper(), bodies, needs_key),
            example=next((body.example for answer in answers for body in answer.bodies if body.example), None),
            answers=answers,
        )

    def _bodies(self, about: dict[str, Any]) -> list[Body]:
        return [
            Body(
                media_type,
                kind_of(schema),
                schema.get("description", ""),
                _shown(self._example_of(content), media_type),
            )
            for media_type, content in about.get("content", {}).items()
            for schema in [content.get("schema", {})]
        ]

    def _example_of(self, content: dict[str, Any]) -> Any:
        """Return the example of a body, by default that of its schema; a problem's is shown with its schema only."""
        named = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
        if "example" in content or named == PROBLEM:
            return content.get("example")
        return next(iter(self._schemas.get(named, {}).get("examples", [])), None)


def kind_of(schema: dict[str, Any]) -> str:
    """Return the type of a schema in words, values in backticks and names of schemas in brackets."""
    if "$ref" in schema:
        return f"[{schema['$ref'].rpartition('/')[2]}]"
    if "enum" in schema:
        return _either(f"`{value}`" if value is not None else "null" for value in schema["enum"])
    if "anyOf" in schema:
        return _either(kind_of(one) for one in schema["anyOf"] if one)
    if schema.get("type") == "array":
        return f"list of {kind_of(schema['items'])}"
    if "properties" in schema:
        told = "object with " + ", ".join(f"`{name}`" for name in schema["properties"])
        return f"{told} or null" if "null" in schema["type"] else told
    kinds = schema.get("type", "any text")
    return _either(kinds) if isinstance(kinds, list) else str(kinds)


def _either(kinds: Iterable[str]) -> str:
    *first, last = kinds
    return f"{', '.join(first)} or {last}" if first else last


def _fields(schema: dict[str, Any]) -> Iterator[Field]:
    required = schema.get("required", [])
    for name, one in schema.get("properties", {}).items():
        yield Field(name, kind_of(one), name in required, one.get("description", ""), _notes(one))


def _parameter(about: dict[str, Any]) -> Field:
    schema = about["schema"]
    return Field(about["name"], kind_of(schema), about.get("required", False), about["description"], _notes(schema))


def _notes(schema: dict[str, Any]) -> str:
    bounds = {name: value for one in [schema, *schema.get("anyOf", [])] for name, value in one.items()}
    notes = [words.format(f"{bounds[name]:,}") for name, words in BOUNDS.items() if name in bounds]
    if "default" in schema:
        notes.append(f"by default `{_plain(schema['default'])}`")
    return "; ".join(notes)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _example(schema: dict[str, Any]) -> str | None:
    return next((_shown(one, JSON) for one in schema.get("examples", [])), None)


def _shown(example: Any, media_type: str) -> str | None:
    if example is None:
        return None
    return (
        json.dumps(example, indent=2) if media_type.endswith("json") and not isinstance(example, str) else str(example)
    )


def _curl(address: str, method: str, bodies: list[Body], needs_key: bool) -> str:
    """Return the command that asks the example's question."""
    other = "" if method in ("GET", "POST") else f"-X {method} "
    lines = [f"curl {other}{shlex.quote(address)}"]
    if needs_key:
        lines.append("-H 'Authorization: Bearer KEY'")
    if method == "POST":
        example = next((body.example for body in bodies if body.example), "")
        lines.append(f"-H {shlex.quote(f'Content-Type: {bodies[0].media_type}')}")
        lines.append(f"--data-binary {shlex.quote(_compact(example))}")
    return " \\\n  ".join(lines)


def _filled(path: str) -> str:
    """Return an address with a word in capitals for whatever is to be put in."""
    return PLACE.sub(lambda match: match[1].upper(), path)


def _compact(example: str) -> str:
    try:
        return json.dumps(json.loads(example))
    except ValueError:  # a text
        return example

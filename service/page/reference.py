"""The API reference at `/v1/docs`, made from the OpenAPI document."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from unspun.service.http.problems import TITLES, ProblemDocument

JSON = "application/json"
PROBLEM = ProblemDocument.__name__
PLACE = re.compile(r"\{(\w+)\}")
"""A placeholder in a path."""
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
    """One media type of a request or a response."""

    media_type: str
    kind: str
    note: str
    example: str | None


@dataclass(frozen=True, slots=True)
class Response:
    """A response by its status."""

    status: str
    phrase: str
    description: str
    headers: dict[str, str]
    bodies: list[Body]


@dataclass(frozen=True, slots=True)
class Operation:
    """A method of a path."""

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
    answers: list[Response]


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


class ApiReference:
    """The parts of the document, in its order."""

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
            Response(
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
        """Return the example of a body, or else that of its schema, except for problems."""
        named = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
        if "example" in content or named == PROBLEM:
            return content.get("example")
        return next(iter(self._schemas.get(named, {}).get("examples", [])), None)


def kind_of(schema: dict[str, Any]) -> str:
    """Return the type of a schema in words, with values in backticks and names of schemas in brackets."""
    *first, last = _kinds(schema)
    return f"{', '.join(first)} or {last}" if first else last


def _kinds(schema: dict[str, Any]) -> list[str]:
    if "$ref" in schema:
        return [f"[{schema['$ref'].rpartition('/')[2]}]"]
    if "enum" in schema:
        return [f"`{value}`" for value in schema["enum"]]
    if "anyOf" in schema:
        return [kind for one in schema["anyOf"] if one for kind in _kinds(one)]
    if schema.get("type") == "array":
        return [f"list of {kind_of(schema['items'])}"]
    if "properties" in schema:
        return ["object with " + ", ".join(f"`{name}`" for name in schema["properties"])]
    return [str(schema.get("type", "any text"))]


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
    """Return a command that sends the example."""
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
    """Return a path with its placeholders as words in capitals."""
    return PLACE.sub(lambda match: match[1].upper(), path)


def _compact(example: str) -> str:
    try:
        return json.dumps(json.loads(example))
    except ValueError:  # a text
        return example

"""The API reference at `/v1/docs`, made from the OpenAPI document."""

from __future__ import annotations

import json
import re
import shlex
from http import HTTPStatus
from typing import Any

from unspun.service.http.examples import FILE
from unspun.service.http.problems import TITLES, ProblemDocument

PLACEHOLDER = re.compile(r"\{(\w+)\}")
BOUNDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "maxItems": "at most {} items",
}


class ApiReference:
    """What the template shows: the OpenAPI document, and its types, limits and examples in words."""

    problems = TITLES
    statuses = HTTPStatus

    def __init__(self, document: dict[str, Any], address: str) -> None:
        self.document = document
        self._address = address
        self._schemas: dict[str, Any] = document["components"]["schemas"]

    def operations(self, tag: str | None = None) -> list[tuple[str, str, dict[str, Any]]]:
        """Return the path, the method and the description of each operation of a tag, or of all."""
        return [
            (path, method.upper(), operation)
            for path, methods in self.document["paths"].items()
            for method, operation in methods.items()
            if tag in (None, operation["tags"][0])
        ]

    @property
    def needs_key(self) -> bool:
        """Whether any operation requires an API key."""
        return any(operation.get("security") for _, _, operation in self.operations())

    def kind(self, schema: dict[str, Any]) -> str:
        """Return the type of a schema in words, with values in backticks and names of schemas in brackets."""
        *first, last = _kinds(schema)
        return f"{', '.join(first)} or {last}" if first else last

    def notes(self, schema: dict[str, Any]) -> str:
        """Return the limits and the default of a schema in words."""
        bounds = {name: value for one in [schema, *schema.get("anyOf", [])] for name, value in one.items()}
        notes = [words.format(f"{bounds[name]:,}") for name, words in BOUNDS.items() if name in bounds]
        if "default" in schema:
            default = schema["default"]
            notes.append(f"by default `{default if isinstance(default, str) else json.dumps(default)}`")
        return "; ".join(notes)

    def request(self, path: str, method: str, operation: dict[str, Any]) -> str:
        """Return a command that sends the example; placeholders of the path become words in capitals."""
        address = shlex.quote(self._address + PLACEHOLDER.sub(lambda match: match[1].upper(), path))
        lines = [f"curl {address}" if method in ("GET", "POST") else f"curl -X {method} {address}"]
        if operation.get("security"):
            lines.append("-H 'Authorization: Bearer KEY'")
        if method == "POST":
            media_type = next(iter(operation["requestBody"]["content"]))
            if media_type == "multipart/form-data":
                return " \\\n  ".join([*lines, f"-F file=@{FILE}"])
            example = self._example(operation["requestBody"])
            lines.append(f"-H {shlex.quote(f'Content-Type: {media_type}')}")
            lines.append(f"--data-binary {shlex.quote(json.dumps(example))}")
        return " \\\n  ".join(lines)

    def response(self, operation: dict[str, Any]) -> Any:
        """Return the example of a successful response, None if there is none."""
        return next((self._example(one) for one in operation["responses"].values() if self._example(one)), None)

    def _example(self, body: dict[str, Any]) -> Any:
        """Return the example of the first content that has one, or whose schema has one, except for problems."""
        for content in body.get("content", {}).values():
            name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
            if "example" in content:
                return content["example"]
            if name and name != ProblemDocument.__name__:
                return self._schemas[name]["examples"][0]
        return None


def _kinds(schema: dict[str, Any]) -> list[str]:
    if "$ref" in schema:
        return [f"[{schema['$ref'].rpartition('/')[2]}]"]
    if "enum" in schema:
        return [f"`{value}`" for value in schema["enum"]]
    if "const" in schema:
        return [f"`{schema['const']}`"]
    if "anyOf" in schema:
        return [kind for one in schema["anyOf"] if one for kind in _kinds(one)]
    if schema.get("type") == "array":
        return [f"list of {' or '.join(_kinds(schema['items']))}"]
    if "properties" in schema:
        return ["object with " + ", ".join(f"`{name}`" for name in schema["properties"])]
    return [str(schema.get("type", "any text"))]

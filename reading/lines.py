"""Reads JSON lines and CSV: one document per line or row."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from typing import TextIO

from unspun.reading import records
from unspun.reading.records import Failure, Place, Record, too_long

JSON_TYPES: dict[type, str] = {
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "a boolean",
    list: "a list",
    dict: "an object",
    type(None): "null",
}


class LineTooLongError(ValueError):
    """A line is longer than the limit for one document."""


class _BoundedLines:
    """The lines of a text. A line above the limit raises LineTooLongError; the next call continues after it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.number = 0

    def __iter__(self) -> _BoundedLines:
        return self

    def __next__(self) -> str:
        line = self._stream.readline(records.LONGEST)
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) == records.LONGEST and not line.endswith("\n"):
            del line
            while (rest := self._stream.readline(1 << 20)) and not rest.endswith("\n"):
                pass
            raise LineTooLongError(too_long("characters"))
        return line


def read_json_lines(stream: TextIO, place: Place) -> Iterator[Record | Failure]:
    """Yield the document of each line, or a failure, and keep `place` current."""
    lines = _BoundedLines(stream)
    while True:
        place.line = lines.number + 1
        try:
            line = next(lines)
        except StopIteration:
            return
        except LineTooLongError as error:
            yield place.failure(str(error))
            continue
        if not line.isspace():
            yield _json_record(line, place)


def _json_record(line: str, place: Place) -> Record | Failure:
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        return place.failure(f"not valid JSON ({error.msg}, column {error.pos + 1})")
    except (RecursionError, ValueError) as error:  # nesting too deep, or a number with too many digits
        return place.failure(f"not valid JSON ({error})")
    if not isinstance(value, dict):
        return place.failure(f"{JSON_TYPES[type(value)]} where a JSON object was expected")
    if "text" not in value:
        return place.failure('no "text"')
    text = value["text"]
    if not isinstance(text, str):
        return place.failure(f'"text" is {JSON_TYPES[type(text)]}, not a string')
    return place.record(text, value)


def read_csv(stream: TextIO, place: Place) -> Iterator[Record | Failure]:
    """Yield the document of each row, or a failure, and keep `place` current."""
    csv.field_size_limit(records.LONGEST)  # the default is 128 KB
    lines = _BoundedLines(stream)
    header = next(lines, "")
    delimiter = next((mark for mark in ",;\t" if "text" in _column_names(header, mark)), ",")
    columns = _column_names(header, delimiter)
    if "text" not in columns:
        if header:
            place.line = 1
            yield place.failure('no column "text" in the header')
        return
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        place.line = lines.number + 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except (csv.Error, LineTooLongError) as error:
            yield place.failure(f"not valid CSV ({error})")
            continue
        if row:
            yield _csv_record(row, columns, place)


def _column_names(header: str, delimiter: str) -> list[str]:
    try:
        cells = next(csv.reader([header], delimiter=delimiter), [])
    except csv.Error:
        return []
    return [cell.strip().casefold() for cell in cells]


def _csv_record(row: list[str], columns: list[str], place: Place) -> Record | Failure:
    if len(row) != len(columns):
        return place.failure(f"{len(row)} fields where the header has {len(columns)}")
    values = dict(zip(columns, row, strict=True))
    return place.record(values["text"], {name: value or None for name, value in values.items()})

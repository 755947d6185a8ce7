"""Reads records that are lines of text: JSON lines and CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from typing import TextIO

from unspun.reading import records
from unspun.reading.records import NO_DOCUMENTS, Failure, Place, Record

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
    """A line is longer than any document; the message says so."""


class _Lines:
    """The lines of a text, each of bounded length: a longer one raises, the next call goes on after it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.number = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        longest = records.LONGEST
        line = self._stream.readline(longest)
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) == longest and not line.endswith("\n"):
            del line
            while (rest := self._stream.readline(1 << 20)) and not rest.endswith("\n"):
                pass
            raise LineTooLongError(f"longer than {longest:,} characters")
        return line


def read_json_lines(stream: TextIO, place: Place) -> Iterator[Record | Failure]:
    """Yield a document or what is wrong for each line; `place` is kept up to date. Raises what reading raises."""
    lines = _Lines(stream)
    found = False
    while True:
        place.line = lines.number + 1
        try:
            line = next(lines)
        except StopIteration:
            break
        except LineTooLongError as error:
            yield place.failure(str(error))
            continue
        if line.isspace():
            continue
        found = True
        yield _json_record(line, place)
    if not found:
        yield Failure(place.name, NO_DOCUMENTS)


def _json_record(line: str, place: Place) -> Record | Failure:
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        return place.failure(f"not valid JSON ({error.msg}, column {error.pos + 1})")
    except (RecursionError, ValueError) as error:  # nested too deep; a number of too many digits
        return place.failure(f"not valid JSON ({error})")
    if not isinstance(value, dict):
        return place.failure(f"{JSON_TYPES[type(value)]} where a JSON object was expected")
    if "text" not in value:
        return place.failure('no "text"')
    if not isinstance(value["text"], str):
        return place.failure(f'"text" is {JSON_TYPES[type(value["text"])]}, not a string')
    return place.record(value.get("id"), value["text"])


def read_csv(stream: TextIO, place: Place) -> Iterator[Record | Failure]:
    """Yield a document or what is wrong for each row; `place` is kept up to date. Raises what reading raises."""
    csv.field_size_limit(records.LONGEST)  # 128 KB else
    lines = _Lines(stream)
    first = next(lines, "")
    delimiter = next((mark for mark in ",;\t" if "text" in _column_names(first, mark)), ",")
    columns = _column_names(first, delimiter)
    if "text" not in columns:
        place.line = 1 if first else 0
        yield place.failure('no column "text" in the header' if first else NO_DOCUMENTS)
        return
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    found = False
    while True:
        place.line = lines.number + 1
        try:
            row = next(rows)
        except StopIteration:
            break
        except (csv.Error, LineTooLongError) as error:
            found = True
            yield place.failure(f"not valid CSV ({error})")
            continue
        if row:
            found = True
            yield _csv_record(row, columns, place)
    if not found:
        yield Failure(place.name, NO_DOCUMENTS)


def _column_names(header: str, delimiter: str) -> list[str]:
    try:
        cells = next(csv.reader([header], delimiter=delimiter), [])
    except csv.Error:
        return []
    return [cell.strip().casefold() for cell in cells]


def _csv_record(row: list[str], columns: list[str], place: Place) -> Record | Failure:
    if len(row) != len(columns):
        return place.failure(f"{len(row)} fields where the header has {len(columns)}")
    fields = dict(zip(columns, row, strict=True))
    return place.record(fields.get("id"), fields["text"])

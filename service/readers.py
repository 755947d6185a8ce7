"""Reads documents from files, folders and standard input, whatever state those are in.

Nothing here raises for bad input: what cannot be read comes out as a Failure in its place, and the rest
goes on.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import os
import re
import stat
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TextIO

from service.encodings import SAMPLE, NotTextError, decode, open_text, peek
from service.html import declared_encoding, extract_article

Format = Literal["txt", "html", "jsonl", "csv"]

SUFFIXES: dict[str, Format] = {
    ".txt": "txt",
    # Markdown is read as it is: document.py leaves out what is not prose, and offsets stay true.
    ".md": "txt",
    ".html": "html",
    ".htm": "html",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
}

STDIN = "-"

LONGEST = 1 << 27
"""The longest document, line or field that is read, in bytes or characters: it bounds the memory taken."""

JSON_OBJECT = re.compile(r"""\s*\{\s*["}]""")
JSON_TYPES: dict[type, str] = {
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "a boolean",
    list: "a list",
    dict: "an object",
    type(None): "null",
}


@dataclass(frozen=True, slots=True)
class Record:
    """One document as submitted. `where` names its file, and its line in a file of many."""

    id: str
    text: str
    where: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that could not be read or scored, and why, in words for its owner."""

    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


class Reader:
    """Reads every document under some paths, in order. One Reader reads once.

    `paths` are files, folders (searched in full, sorted by path; each real folder once, so that loops of
    links end) and "-". `stdin_format` None: JSON lines where standard input looks like it, else one plain
    text. `exclude` is a file left out of folders: the one being written.
    """

    def __init__(
        self,
        paths: Sequence[str],
        *,
        stdin: io.BufferedIOBase | None = None,
        stdin_format: Format | None = None,
        exclude: Path | None = None,
    ) -> None:
        self.paths = tuple(paths)
        self.skipped = 0
        """Files of other types met in folders so far."""
        self._stdin = stdin
        self._stdin_format = stdin_format
        self._exclude = None if exclude is None else os.path.realpath(exclude)
        self._read = 0
        self._current: io.FileIO | None = None

    def __iter__(self) -> Iterator[Record | Failure]:
        for path in self.paths:
            if path == STDIN:
                yield from self._from_stdin()
            elif _is_folder(path):
                yield from self._from_folder(path)
            else:
                yield from self._from_file(path)

    @property
    def bytes_read(self) -> int:
        """Bytes read from files so far, packed as they are on disk."""
        return self._read + (0 if self._current is None else _position(self._current))

    def total_bytes(self) -> int | None:
        """Return the size of all files that are to be read, None where standard input is among them."""
        if STDIN in self.paths:
            return None
        files = (file for path in self.paths for file in (_walk(path) if _is_folder(path) else [path]))
        total = 0
        for file in files:
            if isinstance(file, str) and (format_of(file) is not None or file in self.paths):
                with contextlib.suppress(OSError):  # told when it is its turn
                    total += Path(file).stat().st_size
        return total

    def _from_folder(self, folder: str) -> Iterator[Record | Failure]:
        found = False
        for file in _walk(folder):
            if isinstance(file, Failure):
                found = True
                yield file
            elif self._is_excluded(file):
                continue
            elif format_of(file) is None or _is_special(file):
                self.skipped += 1
            else:
                found = True
                yield from self._from_file(file)
        if not found:
            yield Failure(folder, f"no documents in this folder (looked for {' '.join(SUFFIXES)}, also .gz)")

    def _from_file(self, path: str) -> Iterator[Record | Failure]:
        try:
            with Path(path).open("rb", buffering=0) as raw:
                self._current = raw
                stream: io.BufferedIOBase = io.BufferedReader(raw, SAMPLE)
                if path.lower().endswith(".gz"):
                    stream = gzip.GzipFile(fileobj=stream)
                yield from read_stream(stream, path, format_of(path) or "txt")
                self._read += _position(raw)
        except OSError as error:
            yield Failure(path, _reason(error))
        finally:
            self._current = None

    def _from_stdin(self) -> Iterator[Record | Failure]:
        if self._stdin is None:
            yield Failure(STDIN, "standard input is closed")
            return
        sample, stream = peek(self._stdin)
        kind = self._stdin_format or ("jsonl" if _looks_like_json_lines(sample) else "txt")
        yield from read_stream(stream, STDIN, kind)

    def _is_excluded(self, file: str) -> bool:
        exclude = self._exclude
        # The names first: resolving links costs a system call a folder, for every file.
        return exclude is not None and exclude.endswith(Path(file).name) and os.path.realpath(file) == exclude


def format_of(path: str) -> Format | None:
    """Return how a file is read, by its name; None where the name does not tell."""
    return SUFFIXES.get(Path(path.lower().removesuffix(".gz")).suffix)


def read_stream(stream: io.BufferedIOBase, name: str, kind: Format) -> Iterator[Record | Failure]:
    """Yield the documents of one stream of bytes; `name` is what ids and messages call it."""
    place = _Place(name)
    try:
        if kind == "jsonl":
            yield from _json_lines(open_text(stream), place)
        elif kind == "csv":
            yield from _csv_rows(open_text(stream, newline=""), place)
        else:
            yield _whole(stream, name, kind)
    except NotTextError as error:
        yield Failure(name, str(error))
    except _LineTooLongError as error:
        yield Failure(str(place), str(error))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        yield Failure(str(place), f"broken gzip: {error}")
    except OSError as error:
        yield Failure(str(place), _reason(error))
    except MemoryError:
        yield Failure(str(place), "needs more memory than there is")
    except Exception as error:  # nobody's text may end a run
        yield Failure(str(place), f"could not be read ({type(error).__name__}: {error}); please report this")


class _Place:
    """How far the reading of a file has got: its name, and the line that the record at hand begins on."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.line = 0

    def __str__(self) -> str:
        return f"{self.name}:{self.line}" if self.line else self.name

    def record(self, id: Any, text: str) -> Record:
        return Record(f"{self.name}#{self.line}" if id is None or id == "" else str(id), text, str(self))

    def failure(self, message: str) -> Failure:
        return Failure(str(self), message)


class _LineTooLongError(ValueError):
    pass


class _Lines:
    """The lines of a text, each of bounded length: a longer one raises, the next call goes on after it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.number = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._stream.readline(LONGEST)
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) == LONGEST and not line.endswith("\n"):
            del line
            while (rest := self._stream.readline(1 << 20)) and not rest.endswith("\n"):
                pass
            raise _LineTooLongError(f"longer than {LONGEST:,} characters")
        return line


def _whole(stream: io.BufferedIOBase, name: str, kind: Format) -> Record | Failure:
    data = stream.read(LONGEST + 1)
    if len(data) > LONGEST:
        return Failure(name, f"longer than {LONGEST:,} bytes: not one document")
    if kind == "html":
        return Record(name, extract_article(decode(data, declared_encoding(data))), name)
    return Record(name, decode(data), name)


def _json_lines(stream: TextIO, place: _Place) -> Iterator[Record | Failure]:
    lines = _Lines(stream)
    found = False
    while True:
        place.line = lines.number + 1
        try:
            line = next(lines)
        except StopIteration:
            break
        except _LineTooLongError as error:
            yield place.failure(str(error))
            continue
        if line.isspace():
            continue
        found = True
        yield _json_record(line, place)
    if not found:
        yield Failure(place.name, "no documents in this file")


def _json_record(line: str, place: _Place) -> Record | Failure:
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


def _csv_rows(stream: TextIO, place: _Place) -> Iterator[Record | Failure]:
    csv.field_size_limit(LONGEST)  # 128 KB else
    lines = _Lines(stream)
    first = next(lines, "")
    delimiter = next((mark for mark in ",;\t" if "text" in _column_names(first, mark)), ",")
    columns = _column_names(first, delimiter)
    if "text" not in columns:
        place.line = 1 if first else 0
        yield place.failure('no column "text" in the header' if first else "no documents in this file")
        return
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    found = False
    while True:
        place.line = lines.number + 1
        try:
            row = next(rows)
        except StopIteration:
            break
        except (csv.Error, _LineTooLongError) as error:
            found = True
            yield place.failure(f"not valid CSV ({error})")
            continue
        if row:
            found = True
            yield _csv_record(row, columns, place)
    if not found:
        yield Failure(place.name, "no documents in this file")


def _column_names(header: str, delimiter: str) -> list[str]:
    try:
        cells = next(csv.reader([header], delimiter=delimiter), [])
    except csv.Error:
        return []
    return [cell.strip().casefold() for cell in cells]


def _csv_record(row: list[str], columns: list[str], place: _Place) -> Record | Failure:
    if len(row) != len(columns):
        return place.failure(f"{len(row)} fields where the header has {len(columns)}")
    fields = dict(zip(columns, row, strict=True))
    return place.record(fields.get("id"), fields["text"])


def _looks_like_json_lines(sample: bytes) -> bool:
    """Return whether every line begins as a JSON object does: with `{"`, unlike spintax."""
    try:
        lines = decode(sample).split("\n")
    except NotTextError:
        return False
    if len(sample) == SAMPLE and len(lines) > 1:
        lines.pop()  # cut in two
    seen = [line for line in lines if line and not line.isspace()]
    return bool(seen) and all(JSON_OBJECT.match(line) for line in seen)


def _walk(folder: str) -> Iterator[str | Failure]:
    """Yield the paths of all files under a folder, sorted, and folders that cannot be listed as failures."""
    visited: set[tuple[int, int]] = set()
    pending = [(folder, True)]
    while pending:
        path, is_folder = pending.pop()
        if not is_folder:
            yield path
            continue
        try:
            status = Path(path).stat()
            if (status.st_dev, status.st_ino) in visited:
                continue
            visited.add((status.st_dev, status.st_ino))
            with os.scandir(path) as entries:
                found = [(entry.path, _is_folder(entry.path)) for entry in entries]
        except OSError as error:
            yield Failure(path, _reason(error))
            continue
        # A folder sorts as its path with the slash that all within it have: the order of whole paths.
        pending += sorted(found, key=lambda item: item[0] + "/" * item[1], reverse=True)


def _is_folder(path: str) -> bool:
    try:
        return stat.S_ISDIR(Path(path).stat().st_mode)
    except (OSError, ValueError):
        return False


def _is_special(path: str) -> bool:
    """Return whether a path is a pipe, socket or device, whose reading might never end."""
    try:
        return not stat.S_ISREG(Path(path).stat().st_mode)
    except OSError:
        return False


def _position(raw: io.FileIO) -> int:
    try:
        return raw.tell()
    except OSError:  # a pipe
        return 0


def _reason(error: OSError) -> str:
    text = error.strerror or str(error) or type(error).__name__
    return text[:1].lower() + text[1:]

"""Reads JSON: an object per line, an array of records or of texts, or an object that holds them."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NoReturn, TextIO

from unspun.reading import records
from unspun.reading.fields import FieldError, Fields, listed, type_of
from unspun.reading.lines import BoundedLines, LineTooLongError
from unspun.reading.records import Failure, Place, Record, UnreadableError, too_long

PIECE = 1 << 16
"""Characters of a file that are read at a time."""
BLOCK = 1 << 17
"""Characters of lines that are left together to one process."""
CUT = 16
"""Characters at the end of a piece in which an error may only mean that the rest has not been read yet."""
BLANK = " \t\r\n\ufeff"
DEEPEST = 8
"""Objects inside each other in which records are looked for."""
TRIED = 100
"""Items of a list that are tried to find out whether it holds records."""


class _Object(dict[str, Any]):
    """A JSON object in which some names occur more than once."""

    repeated: frozenset[str] = frozenset()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    twice = _Object(found)
    twice.repeated = frozenset(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
    return twice


_DECODER = json.JSONDecoder(object_pairs_hook=_object)


class Lines(str):
    """Lines of JSON that have not been read yet, as the text of a Record whose `line` is that of the first.

    `Reader(..., in_blocks=True)` leaves reading them to the processes that score.
    """

    __slots__ = ()

    def records(self, at: Record, fields: Fields) -> Iterator[Record | Failure]:
        """Yield what `read_json_lines` yields for these lines; `at` is their Record."""
        return read_json_lines(io.StringIO(self), Place(at.file, fields.kept), fields, before=at.line - 1)


def read_json_blocks(stream: TextIO, place: Place) -> Iterator[Record | Failure]:
    """Yield the lines of a file as records of Lines, or failures, and keep `place` current."""
    lines = BoundedLines(stream)
    ended = False
    while not ended:
        place.line = first = lines.number + 1
        held: list[str] = []
        size = 0
        broken: Exception | None = None
        try:
            while size < BLOCK and not ended:
                held.append(next(lines, ""))
                size += len(held[-1])
                ended = not held[-1]
        except Exception as error:  # what was read before it is not lost
            broken = error
        text = "".join(held)
        if text and not text.isspace():
            yield Record("", Lines(text), place.name, first)
        if broken is not None:
            place.line = first + len(held)
            if not isinstance(broken, LineTooLongError):
                raise broken
            yield place.failure(str(broken))


def read_json_lines(stream: TextIO, place: Place, fields: Fields, *, before: int = 0) -> Iterator[Record | Failure]:
    """Yield the document of each line, or a failure, and keep `place` current.

    `before` is the number of lines before the stream.
    """
    lines = BoundedLines(stream)
    lines.number = before
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
            yield _parse_line(line, place, fields)


def _parse_line(line: str, place: Place, fields: Fields) -> Record | Failure:
    try:
        value = _DECODER.decode(line)
    except json.JSONDecodeError as error:
        return place.failure(f"not valid JSON ({error.msg}, column {error.pos + 1})")
    except (RecursionError, ValueError) as error:  # nesting too deep, or a number with too many digits
        return place.failure(f"not valid JSON ({error})")
    return _record(value, place, fields)


def read_json(stream: TextIO, place: Place, fields: Fields) -> Iterator[Record | Failure]:
    """Yield the documents of a JSON file, or failures; `place.line` is the number of the record.

    The file is an array of objects or of texts, an object with a text, or an object that holds one array of records; or
    several of these, one after the other. Memory is bounded by the longest record or object. Raises UnreadableError if
    the rest is not valid JSON.
    """
    text = _Text(stream, place)
    while opening := text.next():
        if opening == "[":
            for value in text.items():
                place.line += 1
                yield _record(value, place, fields, plain=True)
        else:
            yield from _of_object(text.value(), place, fields)


def _of_object(value: Any, place: Place, fields: Fields) -> Iterator[Record | Failure]:
    """Yield the document of an object, or those of the one array of records in it."""
    lists = {} if not isinstance(value, dict) or _has_text(value, fields) else dict(_lists(value, fields))
    if len(lists) == 1:
        for item in next(iter(lists.values())):
            place.line += 1
            yield _record(item, place, fields)
        return
    place.line += 1
    if lists:
        yield place.failure(f"several lists of records ({listed(tuple(lists))}); save one of them as a file")
    else:
        yield _record(value, place, fields)


def _lists(value: dict[str, Any], fields: Fields, path: str = "") -> Iterator[tuple[str, list[Any]]]:
    """Yield the lists in an object that hold objects with a text, by their dotted path."""
    for name, inner in value.items():
        if isinstance(inner, list) and any(_has_text(item, fields) for item in inner[:TRIED]):
            yield f"{path}{name}", inner
        elif isinstance(inner, dict) and path.count(".") < DEEPEST:
            yield from _lists(inner, fields, f"{path}{name}.")


def _has_text(value: Any, fields: Fields) -> bool:
    try:
        return isinstance(value, dict) and "text" in replace(fields, text_optional=False).values(value)
    except FieldError:
        return False


def _record(value: Any, place: Place, fields: Fields, *, plain: bool = False) -> Record | Failure:
    """Return the document of an object or, if `plain` texts are documents, too, of a string."""
    if plain and isinstance(value, str):
        return place.record(value, {})
    if not isinstance(value, dict):
        expected = "a JSON object or a string" if plain else "a JSON object"
        return place.failure(f"{type_of(value)} where {expected} was expected")
    try:
        found = fields.values(value)
    except FieldError as error:
        return place.failure(str(error))
    return place.record(found["text"], found)


class _Text:
    """A JSON text, of which only the current value is in memory. Raises UnreadableError where it is not valid."""

    def __init__(self, stream: TextIO, place: Place) -> None:
        self._stream = stream
        self._place = place
        self._text = ""
        self._at = 0
        self._line = 1
        self._column = 0
        """The place where the held text starts: the number of its line, and the characters before it in that line."""

    def next(self) -> str:
        """Return the next character that is not blank, without moving past it; "" at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in BLANK:
                    return self._text[self._at]
                self._at += 1
            if not self._more():
                return ""

    def items(self) -> Iterator[Any]:
        """Yield the items of the array that starts here."""
        self._at += 1
        if self.next() == "]":
            self._at += 1
            return
        while True:
            yield self.value()
            mark = self.next()
            if mark not in (",", "]"):
                self._fail("the array is not closed" if not mark else "no comma after this item", self._at)
            self._at += 1
            if mark == "]":
                return

    def value(self) -> Any:
        """Return the value that starts here."""
        self.next()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated string") or error.pos >= len(self._text) - CUT
                if not (cut and self._more()):
                    self._fail(error.msg, error.pos)
            except (RecursionError, ValueError) as error:  # nesting too deep, or a number with too many digits
                self._fail(str(error), self._at)
            else:
                if end < len(self._text) or not self._more():  # a number may go on in the next piece
                    self._at = end
                    return value

    def _more(self) -> bool:
        """Read on, as much as is held, so that trying again takes linear time; return whether there was more."""
        held = len(self._text) - self._at
        if held > records.LONGEST:
            self._fail(too_long("characters"), self._at)
        piece = self._stream.read(max(PIECE, held))
        if not piece:
            return False
        self._line, self._column = self._position(self._at)
        self._text, self._at = self._text[self._at :] + piece, 0
        return True

    def _fail(self, message: str, at: int) -> NoReturn:
        self._place.line, before = self._position(at)
        raise UnreadableError(f"not valid JSON ({message}, column {before + 1}); nothing after it was read")

    def _position(self, at: int) -> tuple[int, int]:
        """Return the number of a character's line, and the characters before it in that line."""
        breaks, last = self._text.count("\n", 0, at), self._text.rfind("\n", 0, at)
        return self._line + breaks, at - last - 1 if breaks else self._column + at

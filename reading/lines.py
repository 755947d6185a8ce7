"""Reads the lines of a stream within the limit for one document."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TextIO

from unspun.reading import records
from unspun.reading.records import too_long

PART = 1 << 20
AHEAD = 1 << 16
"""Characters that can be read ahead."""


class LineTooLongError(ValueError):
    """A line is longer than the limit for one document. `quotes` is the number of quotation marks in it."""

    def __init__(self, quotes: int) -> None:
        super().__init__(too_long("characters"))
        self.quotes = quotes


class BoundedLines:
    """The lines of a text. A line above the limit raises LineTooLongError; the next call continues after it.

    `number` is the number of the current line, from 1.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._ahead: deque[str | LineTooLongError] = deque()
        self.number = 0

    def __iter__(self) -> BoundedLines:
        return self

    def __next__(self) -> str:
        line = self._ahead.popleft() if self._ahead else self._read()
        if not line:
            raise StopIteration
        self.number += 1
        if isinstance(line, LineTooLongError):
            raise line
        return line

    def ahead(self) -> Iterator[str]:
        """Yield the next lines without moving on; not those above the limit, and no more than AHEAD characters."""
        seen = place = 0
        while seen < AHEAD:
            if place == len(self._ahead):
                line = self._read()
                if not line:
                    return
                self._ahead.append(line)
            found = self._ahead[place]
            place += 1
            if isinstance(found, LineTooLongError):
                return
            seen += len(found)
            yield found

    def _read(self) -> str | LineTooLongError:
        line = self._stream.readline(records.LONGEST)
        if len(line) < records.LONGEST or line.endswith("\n"):
            return line
        quotes = line.count('"')
        del line
        while rest := self._stream.readline(PART):
            quotes += rest.count('"')
            if rest.endswith("\n"):
                break
        return LineTooLongError(quotes)

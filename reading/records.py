"""What the reader yields: documents, and reports of what could not be read."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

LONGEST = 1 << 27
"""The longest document, line or field that is read, in bytes or characters. It limits memory use."""


MOST_LISTED = 10_000
"""Skipped files that are remembered by name."""
MOST_REASONS = 100
MOST_SHOWN = 5
"""Reasons that are counted, and that are shown in a line. A folder may hold files of a million types."""
OTHER = "other reasons"


@dataclass(frozen=True, slots=True)
class Record:
    """One document as submitted.

    `line` is its line, row or record number in a file of many documents, counted from 1; 0 if the file is one document.
    `fields` holds the fields that the reader was asked to keep, with None for those that the record lacks. It is None
    itself if no fields were asked for or the format has none, such as plain text. `repairs` says what was repaired or
    left out to read the text, and how often, such as {"hidden": 40}: 40 words of a page that no reader sees. The
    verdict lists it, too. `pages` says where the page changes in a PDF: the offset in `text`, and the page's number.
    """

    id: str
    text: str
    file: str
    line: int = 0
    fields: Mapping[str, Any] | None = None
    repairs: Mapping[str, int] = field(default_factory=dict)
    pages: tuple[tuple[int, int], ...] = ()

    @property
    def where(self) -> str:
        """The file and, in a file of many documents, the line: `FILE:LINE`."""
        return f"{self.file}:{self.line}" if self.line else self.file

    def page_at(self, offset: int) -> int | None:
        """Return the page of a PDF on which a place of the text is, None without pages."""
        number = bisect_right(self.pages, offset, key=lambda change: change[0])
        return self.pages[max(number - 1, 0)][1] if self.pages else None


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that could not be read or scored, and why, worded for the user."""

    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


@dataclass(frozen=True, slots=True)
class Omission(Failure):
    """Something that was skipped because it is no document, and why. Nothing is lost, so it is no failure."""


@dataclass(frozen=True, slots=True)
class Lost(Failure):
    """An input whose server cannot be reached, or no longer. Later it may be readable, so nothing is known about it."""


class Omissions:
    """What was skipped: how often for each reason, and the first of them by name, as many as fit in little memory."""

    def __init__(self) -> None:
        self.reasons: Counter[str] = Counter()
        self.first: list[Omission] = []

    def __len__(self) -> int:
        return self.reasons.total()

    def add(self, reason: str, where: str | None = None) -> None:
        """Count something; `where` is its name, None if it needs no mention of its own."""
        if reason not in self.reasons and len(self.reasons) >= MOST_REASONS:
            reason = OTHER
        self.reasons[reason] += 1
        if where is not None and len(self.first) < MOST_LISTED:
            self.first.append(Omission(where, reason))

    def update(self, others: Omissions) -> None:
        """Add all of others."""
        for reason, count in others.reasons.items():
            self.reasons[reason if reason in self.reasons or len(self.reasons) < MOST_REASONS else OTHER] += count
        self.first += others.first[: max(0, MOST_LISTED - len(self.first))]

    def beyond(self, number: int) -> Counter[str]:
        """Return how many there are for each reason besides the first `number` by name."""
        return self.reasons - Counter(one.message for one in self.first[:number])

    def __str__(self) -> str:
        """Return the most frequent reasons, each with its number."""
        ordered = self.reasons.most_common()
        shown = [f"{reason}: {count:,}" for reason, count in ordered[:MOST_SHOWN]]
        if rest := sum(count for _, count in ordered[MOST_SHOWN:]):
            shown.append(f"{OTHER}: {rest:,}")
        return ", ".join(shown)


class Place:
    """The current position in a file: its name, and the number of the current line, row or record, from 1.

    `fields` are the names of the fields to keep in its records.
    """

    def __init__(self, name: str, fields: Sequence[str] = ()) -> None:
        self.name = name
        self.fields = fields
        self.line = 0

    def record(self, text: str, values: Mapping[str, Any], repairs: Mapping[str, int] | None = None) -> Record:
        """Return the document at this position.

        `values` are all fields of its record; `repairs` is as in Record.
        """
        id = values.get("id")
        return Record(
            f"{self.name}#{self.line}" if id is None or id == "" else str(id),
            text,
            self.name,
            self.line,
            {name: values.get(name) for name in self.fields} if self.fields else None,
            repairs or {},
        )

    @property
    def where(self) -> str:
        """This position, for messages."""
        return f"{self.name}:{self.line}" if self.line else self.name

    def failure(self, message: str) -> Failure:
        """Return a failure at this position."""
        return Failure(self.where, message)


class UnreadableError(Exception):
    """A file, or the rest of it, cannot be read. The message says why, worded for the user."""


class NoTextError(UnreadableError):
    """A page has no text at all. The message says so."""


class StreamError(OSError):
    """A file cannot be read to its end, for example because its compression is damaged. The message says why."""


class ConnectionLostError(StreamError):
    """A server cannot be reached, or no longer, although it was asked several times. The message says why."""


class MissingLibraryError(UnreadableError):
    """Reading needs a library that is not installed. The message names the command that installs it."""

    def __init__(self, library: str, package: str, reader: str = "") -> None:
        super().__init__(f"{reader} needs {library}, which is not installed: pip install {package}".lstrip())


@contextmanager
def optional(library: str, extra: str) -> Iterator[None]:
    """Import an optional library inside this context. Raises MissingLibraryError if it is not installed."""
    try:
        yield
    except ImportError as error:
        raise MissingLibraryError(library, f"'unspun[{extra}]'") from error


def failed(where: str, error: OSError) -> Failure:
    """Return the failure of something that could not be read because of a system error."""
    return (Lost if isinstance(error, ConnectionLostError) else Failure)(where, explain(error))


def explain(error: OSError) -> str:
    """Return the message of a system error, starting in lower case as our own messages do."""
    text = error.strerror or str(error) or type(error).__name__
    return text[:1].lower() + text[1:]


def too_long(unit: str) -> str:
    """Return the message about a document or line above the limit; `unit` is bytes or characters."""
    return f"longer than {LONGEST:,} {unit}, the limit for one document"

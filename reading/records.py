"""What reading gives: documents, and what could not be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

LONGEST = 1 << 27
"""The longest document, line or field that is read, in bytes or characters: it bounds the memory taken."""

NO_DOCUMENTS = "no documents in this file"


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


class UnreadableError(Exception):
    """A file cannot be read, or not on; the message says why, in words for its owner."""


class StreamError(OSError):
    """The bytes of a file stop coming, as those of a packing that is broken; the message says why."""


class MissingLibraryError(UnreadableError):
    """Reading needs a library that is not installed; the message names the command that installs it."""

    def __init__(self, library: str, extra: str) -> None:
        super().__init__(f"needs {library}, which is not installed: pip install 'unspun[{extra}]'")


class Place:
    """How far the reading of a file has got: its name, and the line (row, record) that is at hand, from 1."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.line = 0

    def __str__(self) -> str:
        return f"{self.name}:{self.line}" if self.line else self.name

    def record(self, id: Any, text: str) -> Record:
        """Return the document that is here."""
        return Record(f"{self.name}#{self.line}" if id is None or id == "" else str(id), text, str(self))

    def failure(self, message: str) -> Failure:
        """Return what is wrong here."""
        return Failure(str(self), message)


def explain(error: OSError) -> str:
    """Return what a system error says, in the way that our own messages begin."""
    text = error.strerror or str(error) or type(error).__name__
    return text[:1].lower() + text[1:]

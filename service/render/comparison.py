"""Comparisons as `unspun compare` writes them, and what its table and its page share: passages cut into words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from unspun.model.comparing.comparison import Alignment, Comparison, Edit, Operation, Span

Side = Literal["suspect", "source"]

HEADLINES = {
    "copied": "Copied from the source",
    "spun": "Spun from the source",
    "translated": "Translated from the source and back",
    "rewritten": "Rewritten from the source",
}
KIND_MEANINGS = {
    "copied": "its sentences stand there as they are",
    "spun": "words and phrases replaced by others",
    "translated": "put through machine translation",
    "rewritten": "said again in other words",
}
UNRELATED = "Not made from the source"
UNRELATED_MEANING = "no more alike than two articles on the same event"
UNKNOWN = "Nothing can be said"
REASONS = {
    "too_short": "one of the two has too few words of running prose to compare; give longer texts",
    "not_english": "one of the two does not seem to be in English, and only English is compared; translate it first",
}


@dataclass(frozen=True, slots=True)
class Pair:
    """A comparison and the two texts, as submitted."""

    comparison: Comparison
    suspect: str
    source: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said about one suspect: its comparison with the source that was named, `among` being None.

    Or, where one was looked for, with the likeliest of so many documents, the likeliest first; where no document shares
    a word with it, with an empty text that has no id.
    """

    suspect_id: str
    pairs: tuple[Pair, ...]
    among: int | None = None


class Writer(Protocol):
    """Writes answers in one format. What it is given to write with raises OSError, and so do these."""

    def write(self, answer: Answer) -> None:
        """Take the answer on one suspect."""
        ...

    def close(self) -> None:
        """Write what is still to come."""
        ...


class Sink(Protocol):
    """Takes text."""

    def write(self, text: str) -> None:
        """Write text; raises OSError."""
        ...


class JsonLines:
    """A line of JSON a comparison: the bytes that every other surface gives."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def write(self, answer: Answer) -> None:
        """Write a line for each comparison."""
        for pair in answer.pairs:
            self._sink.write(f"{pair.comparison.to_json()}\n")

    def close(self) -> None:
        """Do nothing: lines are whole."""


class Json:
    """The same, indented: one object where the source was named, else a list."""

    def __init__(self, sink: Sink, *, is_list: bool) -> None:
        self._sink = sink
        self._is_list = is_list
        self._count = 0

    def write(self, answer: Answer) -> None:
        """Write each comparison."""
        for pair in answer.pairs:
            text = json.dumps(pair.comparison.to_dict(), indent=2)
            if self._is_list:
                text = ("[\n" if self._count == 0 else ",\n") + text
            else:
                text += "\n"
            self._count += 1
            self._sink.write(text)

    def close(self) -> None:
        """End the list."""
        if self._is_list:
            self._sink.write("\n]\n" if self._count else "[]\n")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a passage: words that an edit covers, by its number in the passage, or what stands between two."""

    text: str
    operation: Operation | None
    edit: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A passage of the suspect beside that of the source, each cut into pieces; None where there is none."""

    suspect: tuple[Piece, ...] | None
    source: tuple[Piece, ...] | None
    similarity: float
    moved: bool


def rows(pair: Pair) -> list[Row]:
    """Return the two texts side by side, in the suspect's order, what is missing from it last."""
    return [
        Row(
            _pieces(pair.suspect, alignment, "suspect"),
            _pieces(pair.source, alignment, "source"),
            alignment.similarity,
            alignment.moved,
        )
        for alignment in pair.comparison.alignments
    ]


def headline(comparison: Comparison) -> str:
    """Return what is said, in a few words."""
    if comparison.reason is not None:
        return UNKNOWN
    return UNRELATED if comparison.kind is None else HEADLINES[comparison.kind]


def meaning(comparison: Comparison) -> str:
    """Return what that means."""
    if comparison.reason is not None:
        return REASONS[comparison.reason]
    return UNRELATED_MEANING if comparison.kind is None else KIND_MEANINGS[comparison.kind]


def _pieces(text: str, alignment: Alignment, side: Side) -> tuple[Piece, ...] | None:
    """Cut one side of an alignment into pieces, none of them empty, that give its passage back when joined."""
    passage = alignment.suspect if side == "suspect" else alignment.source
    if passage is None:
        return None
    return tuple(_cut(text, passage, _edits(alignment.edits, side)))


def _edits(edits: Sequence[Edit], side: Side) -> list[tuple[Span, int, Operation]]:
    """Return the edits that have a place on a side, in the order of its text."""
    placed = []
    for number, edit in enumerate(edits):
        span = edit.suspect if side == "suspect" else edit.source
        if span is not None:
            placed.append((span, number, edit.operation))
    return sorted(placed, key=lambda item: (item[0].start, item[0].end))


def _cut(text: str, passage: Span, edits: list[tuple[Span, int, Operation]]) -> Iterator[Piece]:
    place = passage.start
    for span, number, operation in edits:
        start, end = max(span.start, place), min(span.end, passage.end)
        if start >= end:
            continue
        if start > place:
            yield Piece(text[place:start], None)
        yield Piece(text[start:end], operation, number)
        place = end
    if place < passage.end:
        yield Piece(text[place : passage.end], None)

"""Comparisons as `unspun compare` writes them, and the passages, cut into words, that its table and its page show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from unspun.model.comparing.comparison import Alignment, Comparison, Edit, Operation, Span
from unspun.model.wording import KIND_MEANINGS

Side = Literal["suspect", "source"]

HEADLINES = {
    "copied": "Copied from the source",
    "spun": "Spun from the source",
    "translated": "Translated from the source and back",
    "rewritten": "Rewritten from the source",
}
MEANINGS = {
    "copied": "its sentences are unchanged",
    "spun": KIND_MEANINGS["spun"],
    "translated": KIND_MEANINGS["translated"],
    "rewritten": "the same content in other words",
}
UNRELATED = "Not made from the source"
UNRELATED_MEANING = "no more alike than two articles about the same event"
UNKNOWN = "Cannot be compared"
REASONS = {
    "too_short": "one of the texts has too few words of running prose; give longer texts",
    "not_english": "one of the texts does not seem to be English, and only English is compared; translate it first",
}


@dataclass(frozen=True, slots=True)
class ComparedPair:
    """A comparison and the two texts, as submitted."""

    comparison: Comparison
    suspect: str
    source: str


@dataclass(frozen=True, slots=True)
class ComparedSuspect:
    """The comparisons of one suspect: with the source that was named, if `among` is None, else with the likeliest of
    that many documents, the likeliest first. If no document shares a word with the suspect, the only comparison is with
    an empty text without an id.
    """

    suspect_id: str
    pairs: tuple[ComparedPair, ...]
    among: int | None = None


class ComparisonWriter(Protocol):
    """Writes comparisons in one format. Raises OSError if the output does."""

    def write(self, answer: ComparedSuspect) -> None:
        """Write or keep the comparisons of one suspect."""
        ...

    def close(self) -> None:
        """Write the rest."""
        ...


class TextSink(Protocol):
    """Takes text."""

    def write(self, text: str) -> None:
        """Write text; raises OSError."""
        ...


class ComparisonJsonLines:
    """A line of JSON for each comparison, the same bytes as on every other surface."""

    def __init__(self, sink: TextSink) -> None:
        self._sink = sink

    def write(self, answer: ComparedSuspect) -> None:
        """Write a line for each comparison."""
        for pair in answer.pairs:
            self._sink.write(f"{pair.comparison.to_json()}\n")

    def close(self) -> None:
        """Do nothing: all lines are written."""


@dataclass(frozen=True, slots=True)
class PassagePiece:
    """The words of a passage that an edit covers, or the words between two edits.

    `edit` is the number of the edit. `counterpart` is the text on the other side if both were `replaced`.
    """

    text: str
    operation: Operation | None = None
    edit: int | None = None
    counterpart: str | None = None


Pieces = tuple[PassagePiece, ...]


@dataclass(frozen=True, slots=True)
class PassageRow:
    """A passage of the suspect beside that of the source, each cut into pieces; None if it has no counterpart."""

    suspect: Pieces | None
    source: Pieces | None
    moved: bool


def rows(pair: ComparedPair) -> list[PassageRow]:
    """Return the two texts side by side, in the order of the suspect; passages that only the source has come last.

    If the suspect was not made from the source, only passages with a counterpart are returned.
    """
    found = []
    for alignment in pair.comparison.alignments:
        if not pair.comparison.derived and (alignment.suspect is None or alignment.source is None):
            continue
        suspect, source = _pieces(pair.suspect, alignment, "suspect"), _pieces(pair.source, alignment, "source")
        found.append(PassageRow(_paired(suspect, source), _paired(source, suspect), alignment.moved))
    return found


def headline(comparison: Comparison) -> str:
    """Return the result in a few words."""
    if comparison.reason is not None:
        return UNKNOWN
    return UNRELATED if comparison.kind is None else HEADLINES[comparison.kind]


def meaning(comparison: Comparison) -> str:
    """Return what the headline means."""
    if comparison.reason is not None:
        return REASONS[comparison.reason]
    return UNRELATED_MEANING if comparison.kind is None else MEANINGS[comparison.kind]


def _pieces(text: str, alignment: Alignment, side: Side) -> Pieces | None:
    """Cut one side of an alignment into pieces, none of them empty; joined, they are its passage."""
    passage = alignment.suspect if side == "suspect" else alignment.source
    if passage is None:
        return None
    return tuple(_cut(text, passage, _edits(alignment.edits, side)))


def _paired(pieces: Pieces | None, others: Pieces | None) -> Pieces | None:
    """Return pieces with their counterparts among the pieces of the other side."""
    if pieces is None or others is None:
        return pieces
    replaced = {piece.edit: piece.text for piece in others if piece.operation == "replaced"}
    return tuple(
        replace(piece, counterpart=replaced.get(piece.edit)) if piece.operation == "replaced" else piece
        for piece in pieces
    )


def _edits(edits: Sequence[Edit], side: Side) -> list[tuple[Span, int, Operation]]:
    """Return the edits that have a span on a side, in the order of its text."""
    placed = []
    for number, edit in enumerate(edits):
        span = edit.suspect if side == "suspect" else edit.source
        if span is not None:
            placed.append((span, number, edit.operation))
    return sorted(placed, key=lambda item: (item[0].start, item[0].end))


def _cut(text: str, passage: Span, edits: list[tuple[Span, int, Operation]]) -> Iterator[PassagePiece]:
    place = passage.start
    for span, number, operation in edits:
        start, end = max(span.start, place), min(span.end, passage.end)
        if start >= end:
            continue
        if start > place:
            yield PassagePiece(text[place:start])
        yield PassagePiece(text[start:end], operation, number)
        place = end
    if place < passage.end:
        yield PassagePiece(text[place : passage.end])

"""Edits of one text that keep track of where each character came from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from unspun.model.text.characters import code_points, to_text


@dataclass(frozen=True, eq=False, slots=True)
class OffsetMap:
    """Maps character i of a repaired text to the span [start[i], end[i]) of the text as submitted."""

    start: NDArray[np.int32]
    end: NDArray[np.int32]

    def then(self, later: OffsetMap) -> OffsetMap:
        """Return the map of a later repair, composed with this one so that it refers to the text as submitted."""
        return OffsetMap(self.start[later.start], self.end[later.end - 1])

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the span of the submitted text that covers the non-empty span [start, end) of the repaired text."""
        return int(self.start[start:end].min()), int(self.end[start:end].max())


class TextEdit(NamedTuple):
    """Replaces text[start:end] with `text`; `lengths` are the old characters that each new one came from, if known."""

    start: int
    end: int
    text: str
    lengths: list[int] | None = None


class Editor:
    """A text that is being repaired.

    Attributes:
        text: the text so far.
        offsets: maps its characters to the text as submitted; None if all are still at the same offset.
        counts: number of repairs by kind.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.offsets: OffsetMap | None = None
        self.counts: dict[str, int] = {}

    def count(self, kind: str, number: int) -> None:
        """Add to the number of repairs of a kind."""
        if number:
            self.counts[kind] = self.counts.get(kind, 0) + number

    def substitute(self, pattern: re.Pattern[str], table: Mapping[int, str], kind: str | None) -> None:
        """Replace single characters with single characters."""
        if pattern.search(self.text):
            if kind is not None:
                self.count(kind, sum(1 for _ in pattern.finditer(self.text)))
            self.text = self.text.translate(table)

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Remove all characters that are not `kept` (C,)."""
        self.arrange(np.flatnonzero(kept))

    def arrange(self, order: NDArray[np.integer]) -> None:
        """Replace the text with its characters at the positions `order`, which may leave out and move characters."""
        start = order.astype(np.int32)
        self._take(to_text(code_points(self.text)[order]), OffsetMap(start, start + np.int32(1)))

    def remove(self, spans: Iterable[tuple[int, int]]) -> int:
        """Remove the spans [start, end) of characters. Return their number."""
        places = list(spans)
        if places:
            kept = np.ones(len(self.text), dtype=np.bool_)
            for start, end in places:
                kept[start:end] = False
            self.keep(kept)
        return len(places)

    def replace(self, edits: Iterable[TextEdit]) -> int:
        """Apply edits, which must be in order and must not overlap. Return their number."""
        pieces: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        places: list[tuple[int, int, int]] = []
        done = 0
        for one in edits:
            pieces += [self.text[done : one.start], one.text]
            edges = _edges(one)
            starts += edges[:-1]
            ends += [max(a + 1, b) for a, b in pairwise(edges)]
            places.append((one.start, one.end, len(one.text)))
            done = one.end
        if places:
            pieces.append(self.text[done:])
            self._take("".join(pieces), _offsets(len(self.text), places, starts, ends))
        return len(places)

    def _take(self, text: str, later: OffsetMap) -> None:
        self.text = text
        self.offsets = later if self.offsets is None else self.offsets.then(later)


def _edges(edit: TextEdit) -> list[int]:
    """Return the offset at which each new character of an edit starts in the old text, and the end of the last one.

    If the lengths are unknown, the old passage is divided evenly, so that tokens inside it do not overlap.
    """
    if edit.lengths is not None:
        return list(accumulate(edit.lengths, initial=edit.start))
    span = edit.end - edit.start
    size = max(len(edit.text), 1)
    return [edit.start + number * span // size for number in range(len(edit.text) + 1)]


def _offsets(length: int, places: list[tuple[int, int, int]], starts: list[int], ends: list[int]) -> OffsetMap:
    """Return the offset map of a text's edits.

    Args:
        length: length of the old text.
        places: start, end and new length of each edit.
        starts, ends: the span in the old text of each new character.
    """
    first, last, size = np.array(places, dtype=np.int64).T
    new_first = first + np.cumsum(size - (last - first)) - (size - (last - first))
    kept = _outside(length, first, last)
    new_length = kept.size + len(starts)
    new_kept = _outside(new_length, new_first, new_first + size)
    start = np.empty(new_length, dtype=np.int32)
    end = np.empty(new_length, dtype=np.int32)
    replaced = np.ones(new_length, dtype=np.bool_)
    replaced[new_kept] = False
    start[new_kept], end[new_kept] = kept, kept + 1
    start[replaced], end[replaced] = starts, ends
    return OffsetMap(start, end)


def _outside(length: int, first: NDArray[np.int64], last: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the positions below `length` that are outside all spans."""
    change = np.zeros(length + 1, dtype=np.int32)
    np.add.at(change, first, 1)
    np.add.at(change, last, -1)
    return np.flatnonzero(np.cumsum(change[:-1]) == 0)

"""Splits a text into plain passages and evidence, for the terminal, the page and the report."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from unspun.model.verdict import Evidence, Sentence

REACH = 240
"""Characters before and after evidence in which an excerpt looks for the ends of its sentence."""

SENTENCE_END = re.compile(
    r"""(?<!\bMr)(?<!\bMs)(?<!\bDr)(?<!\bSt)(?<!\bMrs)[.!?…]["'”’)\]]*\s+(?=["'“‘(\[]?[^\sa-z])|\n\s*\n"""
)
LEVELS = (3.5, 4.5)
"""Weights, in nats, from which evidence is shown with more emphasis."""

SENTENCE_LEVELS = (0.9, 0.98)
"""Scores of sentences from which they are highlighted, and highlighted with more emphasis."""
LONGEST_SENTENCE = 2 * REACH
"""Most characters that are shown of a sentence."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A passage of a text; `evidence` is None if it is plain."""

    text: str
    evidence: Evidence | None


@dataclass(frozen=True, slots=True)
class Excerpt:
    """About a sentence of a text, with the evidence in it.

    `start` and `end` are offsets into the text. `cut_start` and `cut_end` say whether the sentence was cut there.
    """

    start: int
    end: int
    cut_start: bool
    cut_end: bool
    segments: tuple[Segment, ...]


def level(weight: float) -> int:
    """Return the emphasis, 1 to 3, of evidence with a weight in nats."""
    return 1 + sum(weight >= limit for limit in LEVELS)


def sentence_level(score: float) -> int:
    """Return the emphasis, 0 to 2, of a sentence with a score; 0 is not highlighted."""
    return sum(score >= limit for limit in SENTENCE_LEVELS)


def suspicious(sentences: Iterable[Sentence], length: int) -> list[Sentence]:
    """Return the sentences of a text of `length` characters that are highlighted, the most suspicious first."""
    inside = (one for one in sentences if 0 <= one.start < one.end <= length and sentence_level(one.score))
    return sorted(inside, key=lambda one: (-one.score, one.start))


def quoted(text: str, sentence: Sentence, longest: int = LONGEST_SENTENCE) -> str:
    """Return a sentence in a line, without its end if it is too long."""
    line = " ".join(text[sentence.start : sentence.end].split())
    return line if len(line) <= longest else line[:longest].rsplit(" ", 1)[0] + " …"


def apart(sentences: Iterable[Sentence], shown: Sequence[Excerpt], count: int) -> list[Sentence]:
    """Return the first `count` sentences, without those of which most is in an excerpt that is shown already."""
    kept: list[Sentence] = []
    for one in sentences:
        common = sum(max(0, min(one.end, part.end) - max(one.start, part.start)) for part in shown)
        if len(kept) < count and 2 * common < one.end - one.start:
            kept.append(one)
    return kept


def select(evidence: Iterable[Evidence], length: int) -> list[Evidence]:
    """Return evidence that does not overlap, in the order of a text of `length` characters.

    Of two pieces that overlap, the heavier is kept (at the same weight the longer, then the earlier). Pieces that only
    touch are both kept. Pieces outside the text are left out.
    """
    inside = (item for item in evidence if 0 <= item.start < item.end <= length)
    heaviest_first = sorted(inside, key=lambda item: (-item.weight, item.start - item.end, item.start))
    starts: list[int] = []
    chosen: list[Evidence] = []
    for item in heaviest_first:
        place = bisect_right(starts, item.start)
        if place and chosen[place - 1].end > item.start:
            continue
        if place < len(starts) and starts[place] < item.end:
            continue
        starts.insert(place, item.start)
        chosen.insert(place, item)
    return chosen


def segments(text: str, evidence: Iterable[Evidence]) -> list[Segment]:
    """Split a whole text into segments, none of them empty; joined, they are the text."""
    return _cut(text, select(evidence, len(text)), 0, len(text))


def excerpts(text: str, evidence: Iterable[Evidence], count: int) -> list[Excerpt]:
    """Return the `count` sentences with the heaviest evidence, the heaviest first."""
    groups: list[_Group] = []
    for item in select(evidence, len(text)):
        last = groups[-1] if groups else None
        if last is not None and item.start < last.end:
            last.add(item)
        else:
            groups.append(_Group(text, item, 0 if last is None else last.end))
    heaviest = sorted(groups, key=lambda group: (-group.weight, group.start))[:count]
    return [
        Excerpt(
            group.start,
            group.end,
            group.cut_start,
            group.cut_end,
            tuple(_cut(text, group.items, group.start, group.end)),
        )
        for group in heaviest
    ]


class _Group:
    """The evidence in one sentence, and the bounds of the sentence."""

    def __init__(self, text: str, first: Evidence, floor: int) -> None:
        self.start, self.cut_start = _sentence_start(text, first.start, floor)
        self.end, self.cut_end = _sentence_end(text, first.end)
        self.items = [first]
        self.weight = first.weight

    def add(self, item: Evidence) -> None:
        self.items.append(item)
        self.weight += item.weight
        self.end = max(self.end, item.end)


def _sentence_start(text: str, at: int, floor: int) -> tuple[int, bool]:
    low = max(floor, at - REACH)
    # Two characters more, since the start of the next sentence shows where this one ends.
    ends = [found.end() for found in SENTENCE_END.finditer(text, low, at + 2) if found.end() <= at]
    if ends:
        return ends[-1], False
    window = text[low:at]
    if low == floor:
        return at - len(window.lstrip()), text[low - 1 : low].isalnum()
    space = re.search(r"\s+", window)
    return low + (space.end() if space else 0), True


def _sentence_end(text: str, at: int) -> tuple[int, bool]:
    high = min(len(text), at + REACH)
    # From one character before, since the evidence may include the full stop.
    found = SENTENCE_END.search(text, at - 1, high)
    if found:
        return max(at, found.start() + len(found.group().rstrip())), False
    window = text[at:high]
    if high == len(text):
        return at + len(window.rstrip()), False
    space = window.rfind(" ")
    return (at + space if space > 0 else high), True


def _cut(text: str, evidence: Sequence[Evidence], start: int, end: int) -> list[Segment]:
    parts: list[Segment] = []
    for item in evidence:
        if item.start > start:
            parts.append(Segment(text[start : item.start], None))
        parts.append(Segment(text[item.start : item.end], item))
        start = item.end
    if end > start:
        parts.append(Segment(text[start:end], None))
    return parts

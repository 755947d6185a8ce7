"""What changed between the matched passages of two texts: the share that was kept, replaced words, and edits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from unspun.model.comparing.align import AlignedPair, is_contraction, word_class
from unspun.model.comparing.comparison import Alignment, Edit, Operation, Span, WordSubstitution
from unspun.model.comparing.sentences import SentenceMatch
from unspun.model.comparing.texts import PreparedText
from unspun.model.text.document import Documents

MOST_REPLACED = 4
"""Words in the longest phrase that is listed as a replacement."""


def share_of_source(matches: Sequence[SentenceMatch], suspect: PreparedText, source: PreparedText) -> float:
    """Return the share (0 to 1) of the source's words that are in the suspect: unchanged, inflected or replaced."""
    kept = 0
    for pair in _pairs(matches):
        here = source.count(pair.original_start, pair.original_end)
        same = pair.change in ("equal", "inflected")
        kept += here if same else min(here, suspect.count(pair.start, pair.end))
    return min(1.0, kept / max(1, len(source.each)))


def substitutions(matches: Sequence[SentenceMatch]) -> tuple[WordSubstitution, ...]:
    """Return the replaced words and phrases, most frequent first, except where both are function words alone."""
    counts: Counter[tuple[str, str]] = Counter()
    for pair in _pairs(matches):
        if pair.change != "replaced" or is_contraction(pair):
            continue
        was, now = pair.original_text.lower().split(), pair.text.lower().split()
        closed = all(word_class(word) != "content" for word in (*was, *now))
        if max(len(was), len(now)) <= MOST_REPLACED and not closed:
            counts[" ".join(was), " ".join(now)] += 1
    found = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(WordSubstitution(was, now, count) for (was, now), count in found)


def alignments(
    documents: Documents, matches: Sequence[SentenceMatch], suspect: PreparedText, source: PreparedText
) -> Iterator[Alignment]:
    """Yield all passages of the suspect in order, then those of the source that are missing from it."""
    taken: dict[int, SentenceMatch | None] = {}
    for match in matches:
        taken[match.suspect[0]] = match
        taken.update(dict.fromkeys(range(match.suspect[0] + 1, match.suspect[1] + 1)))
    for place in range(len(suspect)):
        if place not in taken:
            yield Alignment(_span(documents, 0, *suspect.spans[place]), None, 0.0, False)
        elif (here := taken[place]) is not None:
            yield Alignment(
                _span(documents, 0, *suspect.characters(here.suspect)),
                _span(documents, 1, *source.characters(here.source)),
                here.similarity,
                here.moved,
                tuple(_edits(documents, here.pairs)),
            )
    found = {place for match in matches for place in range(match.source[0], match.source[1] + 1)}
    for place in range(len(source)):
        if place not in found:
            yield Alignment(None, _span(documents, 1, *source.spans[place]), 0.0, False)


def _pairs(matches: Iterable[SentenceMatch]) -> Iterator[AlignedPair]:
    for match in matches:
        yield from match.pairs


def _edits(documents: Documents, pairs: Iterable[AlignedPair]) -> Iterator[Edit]:
    operations: dict[str, Operation] = {"equal": "equal", "inserted": "inserted", "deleted": "deleted"}
    for pair in pairs:
        yield Edit(
            operations.get(pair.change, "replaced"),
            _span(documents, 0, pair.start, pair.end) if pair.end > pair.start else None,
            _span(documents, 1, pair.original_start, pair.original_end)
            if pair.original_end > pair.original_start
            else None,
        )


def _span(documents: Documents, number: int, start: int, end: int) -> Span:
    return Span(*documents.source_characters(number, start, end))

"""Sentence matching: which sentences of the suspect correspond to which sentences of the source.

Two sentences are similar if they share rare words. Most matches follow the order of both texts; very similar sentences
that are left over were moved. A match may grow to a few sentences where one text splits or merges them.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from unspun.model.comparing.align import AlignedPair, align
from unspun.model.comparing.texts import Floats, PreparedText

ALIKE, ALIKE_MOVED = 0.25, 0.5
"""Least similarity of two sentences that can correspond, in the order of both texts and out of order."""
CANDIDATES = 8
"""Sentences of the source that are considered for each sentence of the suspect."""
MEANING = 0.35
"""Weight of the word vectors in the similarity of two sentences; the words themselves have weight 1."""
MOST_PAIRS = 1_000_000
"""Pairs of sentences up to which all words and their vectors are compared."""
MOST_SHARED = 2500
"""Pairs of sentences that may share a word for it to be compared in longer texts."""
LONG_SENTENCE = 40
"""Words above which a longer sentence has no more weight in the order of the text."""
MOST_JOINED, JOIN_GAIN = 3, 0.03
"""Most sentences in one side of a match, and the least gain in similarity for which a sentence is added."""

Run = tuple[int, int]
"""The first and the last of neighbouring sentences."""


@dataclass(frozen=True, slots=True)
class SentenceMatch:
    """A run of the suspect's sentences, the run of the source's that it corresponds to, and their words aligned.

    `similarity` is 0 to 1. `moved`: the match is out of order. `pairs` has offsets into the repaired texts.
    """

    suspect: Run
    source: Run
    similarity: float
    moved: bool
    pairs: tuple[AlignedPair, ...]


@dataclass(slots=True)
class _Draft:
    """A match that may still grow."""

    suspect: Run
    source: Run
    moved: bool


def match_sentences(suspect: PreparedText, source: PreparedText) -> list[SentenceMatch]:
    """Return the sentences that correspond, in the suspect's order.

    In order are those on the heaviest chain of similar sentences that ascends in both texts. Of the rest, very similar
    sentences were moved. A sentence without a partner joins a neighbouring match if that makes the match more similar.
    """
    if suspect.bags == source.bags:
        return [_finished(_Draft((i, i), (i, i), False), 1.0, suspect, source) for i in range(len(suspect))]
    rows, columns, values = similar_sentences(suspect, source)
    # Among equally similar sentences, such as the lines of a refrain, the one at the nearest position comes first.
    away = np.abs(rows * len(source) - columns * len(suspect))
    order = np.lexsort((columns, away, -values, rows))
    rows, columns, values = rows[order], columns[order], values[order]
    rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
    chosen = rank < CANDIDATES
    candidates = list(zip(rows[chosen].tolist(), columns[chosen].tolist(), values[chosen].tolist(), strict=True))
    # Longer sentences weigh more: a chain of headings must not outweigh the text.
    mass = np.sqrt(np.minimum(suspect.words, LONG_SENTENCE)).tolist()
    chain = heaviest_chain([(i, j, value * mass[i]) for i, j, value in candidates])
    drafts = [_Draft((i, i), (j, j), False) for i, j in chain]
    left, right = {i for i, _ in chain}, {j for _, j in chain}
    for _, i, j in sorted((-value, i, j) for i, j, value in candidates if value >= ALIKE_MOVED):
        if i not in left and j not in right:
            left.add(i)
            right.add(j)
            drafts.append(_Draft((i, i), (j, j), True))
    _join_neighbours(drafts, suspect, source, left, right)
    matches = [
        _finished(one, round(min(1.0, _similarity(suspect, one.suspect, source, one.source)), 6), suspect, source)
        for one in drafts
    ]
    return sorted(matches, key=lambda match: match.suspect)


def _finished(draft: _Draft, similarity: float, suspect: PreparedText, source: PreparedText) -> SentenceMatch:
    first, last = suspect.characters(draft.suspect)
    start, end = source.characters(draft.source)
    pairs = tuple(
        replace(
            pair,
            original_start=pair.original_start + start,
            original_end=pair.original_end + start,
            start=pair.start + first,
            end=pair.end + first,
        )
        for pair in align(source.text[start:end], suspect.text[first:last])
    )
    return SentenceMatch(draft.suspect, draft.source, similarity, draft.moved, pairs)


def heaviest_chain(candidates: Sequence[tuple[int, int, float]]) -> list[tuple[int, int]]:
    """Return the heaviest chain of pairs that strictly ascends in both places.

    Args:
        candidates: place in the first text, place in the second text and weight of each pair.
    """
    if not candidates:
        return []
    # The best chains that end at or before each place of the second text; both places and weights ascend.
    ends: list[int] = []
    weights: list[float] = []
    last: list[int] = []
    previous: list[int] = []
    pairs: list[tuple[int, int]] = []
    by_row: dict[int, list[tuple[int, float]]] = {}
    for i, j, weight in candidates:
        by_row.setdefault(i, []).append((j, weight))
    for i in sorted(by_row):
        found = []
        for j, weight in by_row[i]:
            at = bisect_left(ends, j) - 1
            found.append((j, weight + (weights[at] if at >= 0 else 0.0), last[at] if at >= 0 else -1))
        for j, total, before in found:  # only now, because a chain has at most one pair of each row
            at = bisect_left(ends, j)
            if at > 0 and weights[at - 1] >= total:
                continue
            if at < len(ends) and ends[at] == j and weights[at] >= total:
                continue
            pairs.append((i, j))
            previous.append(before)
            stop = at
            while stop < len(ends) and weights[stop] <= total:
                stop += 1
            ends[at:stop], weights[at:stop], last[at:stop] = [j], [total], [len(pairs) - 1]
    chain = []
    at = last[-1]
    while at >= 0:
        chain.append(pairs[at])
        at = previous[at]
    return chain[::-1]


def _join_neighbours(
    drafts: list[_Draft], suspect: PreparedText, source: PreparedText, left: set[int], right: set[int]
) -> None:
    """Add each sentence without a partner to the neighbouring match that gains most in similarity, if any does."""
    by_suspect = {draft.suspect[0]: draft for draft in drafts}
    by_source = {draft.source[0]: draft for draft in drafts}
    for taken, size, by_place, of_suspect in (
        (left, len(suspect), by_suspect, True),
        (right, len(source), by_source, False),
    ):
        for place in range(size):
            if place in taken:
                continue
            best: tuple[float, _Draft, Run] | None = None
            for draft in {id(d): d for d in (by_place.get(place - 1), by_place.get(place + 1)) if d}.values():
                now = draft.suspect if of_suspect else draft.source
                wider = (min(now[0], place), max(now[1], place))
                if wider[1] - wider[0] >= MOST_JOINED:
                    continue
                before = _similarity(suspect, draft.suspect, source, draft.source)
                runs = (wider, draft.source) if of_suspect else (draft.suspect, wider)
                gain = _similarity(suspect, runs[0], source, runs[1]) - before
                if gain > JOIN_GAIN and (best is None or gain > best[0]):
                    best = (gain, draft, wider)
            if best is not None:
                _, draft, wider = best
                if of_suspect:
                    draft.suspect = wider
                else:
                    draft.source = wider
                taken.add(place)
                by_place[place] = draft


def similar_sentences(
    suspect: PreparedText, source: PreparedText, least: float = ALIKE
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Return pairs of similar sentences: place in the suspect, place in the source, and similarity.

    Similarity is the cosine of the sentences' weighted stems, plus MEANING times that of their word vectors unless the
    texts are very long. Pairs below `least` are left out.
    """
    columns: dict[str, int] = {}
    matrices = []
    for side in (suspect, source):
        ids = [columns.setdefault(word, len(columns)) for bag in side.bags for word in bag]
        rows = np.repeat(np.arange(len(side)), [len(bag) for bag in side.bags])
        values = np.array([value for bag in side.bags for value in bag.values()])
        matrices.append((values, rows, np.array(ids, dtype=np.int64)))
    many = len(suspect) * len(source) > MOST_PAIRS
    found_in = [np.bincount(at, minlength=len(columns)) for _, _, at in matrices]
    counts = (found_in[0] * found_in[1] <= MOST_SHARED) | (not many)
    packed = []
    for side, (values, rows, at) in zip((suspect, source), matrices, strict=True):
        norms = np.sqrt(np.bincount(rows, values**2, minlength=len(side)))
        unit = values / np.maximum(norms, 1e-9)[rows]
        rare = counts[at]
        packed.append(csr_array((unit[rare], (rows[rare], at[rare])), shape=(len(side), max(1, len(columns)))))
    if many:
        sparse = (packed[0] @ packed[1].T).tocoo()
        near = sparse.data >= least
        return sparse.row[near].astype(np.int64), sparse.col[near].astype(np.int64), sparse.data[near]
    likeness = (packed[0] @ packed[1].T).toarray() + MEANING * np.maximum(_meaning(suspect, source), 0.0)
    found, goal = np.nonzero(likeness >= least)
    return found, goal, likeness[found, goal]


def _meaning(suspect: PreparedText, source: PreparedText) -> Floats:
    """Return the cosines (S, T) of sentence vectors, each measured from the mean of both texts."""
    whole = np.concatenate([suspect.vectors, source.vectors]).astype(np.float64)
    lengths = np.sqrt((whole * whole).sum(axis=1, keepdims=True))
    unit = whole / np.maximum(lengths, 1e-9)
    unit -= unit.mean(axis=0)
    unit /= np.maximum(np.sqrt((unit * unit).sum(axis=1, keepdims=True)), 1e-9)
    answer: Floats = unit[: len(suspect)] @ unit[len(suspect) :].T
    return answer


def _similarity(suspect: PreparedText, run: Run, source: PreparedText, source_run: Run) -> float:
    """Return the cosine of the weighted stems of two runs of sentences."""
    one, other = _bag(suspect, run), _bag(source, source_run)
    norm = _length(one) * _length(other)
    return sum(value * other[word] for word, value in one.items() if word in other) / norm if norm else 0.0


def _bag(side: PreparedText, run: Run) -> dict[str, float]:
    if run[0] == run[1]:
        return side.bags[run[0]]
    answer: dict[str, float] = {}
    for bag in side.bags[run[0] : run[1] + 1]:
        for word, value in bag.items():
            answer[word] = answer.get(word, 0.0) + value
    return answer


def _length(bag: Mapping[str, float]) -> float:
    return math.sqrt(sum(value * value for value in bag.values()))

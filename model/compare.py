"""A suspect text against its suspected source: what corresponds, word by word, and whether one was made from the other.

Sentences are paired by the rare words that they share, in order where there is an order and out of it where passages
were moved; inside a pair words are aligned (model.align). A few numbers about the alignment tell a text that was made
from the source from one that is about the same thing, and how it was made (weights: training.compare).
"""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from threadpoolctl import ThreadpoolController

from model import bundle
from model.abstention import reasons
from model.align import Pair, align, is_contraction, stem, word_class
from model.characters import to_text
from model.comparison import (
    RELATIONS,
    Alignment,
    Comparison,
    Edit,
    Obstacle,
    Operation,
    Relation,
    Replacement,
    Span,
)
from model.document import Documents, TokenClass
from model.fast import MACHINE_KINDS
from model.features import FeatureExtractor
from model.topics import UNIT
from model.verdict import millionths
from model.vocabulary import SPECIALS, UNKNOWN
from model.wordlists import load_word_lists

Floats = NDArray[np.float64]

WEIGHTS = Path(__file__).with_name("comparison.json")
FEWEST_WORDS = 20
"""Words of a text below which nothing is said, unless it is the other text itself."""
ALIKE = 0.25
"""Cosine from which two sentences may correspond; ALIKE_MOVED where they stand in another order."""
ALIKE_MOVED = 0.5
CANDIDATES = 8
"""Sentences of the source that are looked at for each of the suspect."""
RARE, COMMONEST = 16.0, 2.5
"""How rare a word is that the model does not know, a name as a rule, and the commonest, in nats."""
MEANING = 0.35
"""Weight of the words' vectors, beside the words themselves, in how alike two sentences are."""
MOST_PAIRS = 1_000_000
"""Pairs of sentences up to which all words and their vectors are compared; beyond, words that at most MOST_SHARED pairs
of sentences share."""
MOST_SHARED = 2500
LONG_SENTENCE = 40
LONG_RUN = 4
"""Words of a run that is long: two writers seldom hit on the same four words in a row."""
LONGEST_PIECE = 120
"""Tokens after which a sentence is cut: aligning words takes the square of their number."""
MOST_JOINED = 3
JOIN_GAIN = 0.03
"""Sentences that are joined to one passage at most, and by how much more alike they must be for it."""
MOST_REPLACED = 4
"""Words of a replaced phrase that are listed as a substitution."""
FURTHEST = 4.0
DERIVED = 0.5
FUNCTION_WORDS = frozenset(load_word_lists("function_words.txt")["en"])


@dataclass(frozen=True, eq=False)
class Side:
    """One of the two texts: its S sentences as rows of weighted words.

    `text` is repaired; `bags` are the sentences' stems with their weights, the rarer a word the higher; `vectors`
    (S, E) the weighted sums of their words' vectors; `spans` the sentences' characters in `text`; `words` (S,) counts
    the words and numbers of each.
    """

    text: str
    bags: list[dict[str, float]]
    vectors: NDArray[np.float32]
    spans: list[tuple[int, int]]
    words: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.bags)


@dataclass(slots=True)
class Match:
    """Runs of sentences that correspond, [first, last] of the suspect and of the source, and their words aligned in
    characters of the repaired texts.
    """

    suspect: tuple[int, int]
    source: tuple[int, int]
    similarity: float
    moved: bool
    pairs: list[Pair] = field(default_factory=list)


class Comparer:
    """Compares pairs of texts. Threads may share it."""

    def __init__(self, loaded: bundle.Bundle, judge: Judge | None) -> None:
        vocabulary = loaded.tables.vocabulary
        self._ids = vocabulary.ids_of_words
        self._vectors = loaded.tables.vectors
        self._extractor = FeatureExtractor(loaded.tables, loaded.tagger)
        self._classifier = loaded.classifier
        self._threads = ThreadpoolController()
        self._rarity: dict[str, float] = {}
        # Of the words with one stem the commonest tells how rare it is: the words come commonest first.
        for word, value in zip(reversed(vocabulary.words), reversed(vocabulary.log_probability.tolist()), strict=True):
            self._rarity[stem(word)] = -value
        self._judge = judge

    @classmethod
    def load(cls, path: Path | None = None) -> Comparer:
        """Load with the words of a bundle, by default the one that ships; raises model.bundle.BundleError."""
        return cls(bundle.load(path), Judge.shipped())

    @classmethod
    def to_fit(cls, loaded: bundle.Bundle) -> Comparer:
        """Return one that measures and does not judge: for training."""
        return cls(loaded, None)

    def compare(
        self, suspect: str, source: str, *, suspect_id: str | None = None, source_id: str | None = None
    ) -> Comparison:
        """Compare two texts. Never fails on any strings; the same two give the same answer.

        Where nothing can be said, `reason` says why, and `probability` is 0. `kinds` are even where it is not derived.
        """
        documents = Documents.parse([suspect, source])
        sides = (self._side(documents, 0), self._side(documents, 1))
        reason = _obstacle(documents, sides)
        matches = _aligned(*sides) if reason is None else []
        probability = 0.0
        kinds: dict[Relation, float] = dict.fromkeys(RELATIONS, 1 / len(RELATIONS))
        if reason is None:
            assert self._judge is not None
            numbers = measure(matches, *sides)
            probability = self._judge.probability(numbers)
            if probability >= DERIVED:
                kinds = self._judge.kinds_of(np.concatenate([numbers, self._odds(documents)]))
        derived = probability >= DERIVED
        likeliest: Relation = max(RELATIONS, key=kinds.__getitem__)
        return Comparison(
            suspect_id=suspect_id,
            source_id=source_id,
            derived=derived,
            probability=round(probability, 6),
            kind=likeliest if derived else None,
            kinds={name: kinds[name] for name in RELATIONS},
            share=round(share_of_source(matches, sides[1]), 6),
            reason=reason,
            suspect_words=int(sides[0].words.sum()),
            source_words=int(sides[1].words.sum()),
            replacements=_replacements(matches) if derived else (),
            alignments=tuple(_alignments(documents, matches, *sides)),
        )

    def measure(self, suspect: str, source: str) -> Floats:
        """Return the numbers (len(NAMES) + len(ODDS),) that a judgement rests on: for training."""
        documents = Documents.parse([suspect, source])
        sides = (self._side(documents, 0), self._side(documents, 1))
        return np.concatenate([measure(_aligned(*sides), *sides), self._odds(documents)])

    def _odds(self, documents: Documents) -> Floats:
        """Return what the fast tier says of the suspect's kind, and how much more than of the source's (len(ODDS),)."""
        with self._threads.limit(limits=1):
            measured = self._extractor.measure(documents)
            suspect, source = self._classifier.log_odds(measured.documents, measured.style)
        return np.concatenate([suspect, suspect - source])

    def _side(self, documents: Documents, number: int) -> Side:
        first, last = int(documents.token_ptr[number]), int(documents.token_ptr[number + 1])
        origin = int(documents.document_start[number])
        text = to_text(documents.characters[origin : int(documents.document_start[number + 1]) - 1])
        starts = (documents.token_start[first:last] - origin).tolist()
        ends = (documents.token_end[first:last] - origin).tolist()
        counted = np.isin(documents.token_class[first:last], (TokenClass.WORD, TokenClass.NUMBER)).tolist()
        place = _pieces(documents.token_sentence[first:last])
        sentences = np.unique(place)
        folded = _lowered(text)
        bags: list[dict[str, float]] = [{} for _ in sentences]
        spans = [(0, 0)] * len(sentences)
        words = np.zeros(len(sentences), dtype=np.int64)
        known: list[tuple[int, int, float]] = []
        for start, end, count, row in zip(starts, ends, counted, place.tolist(), strict=True):
            begin, stop = spans[row]
            spans[row] = (start if stop == 0 else begin, end)
            if count:
                word = folded[start:end]
                root = stem(word)
                weight = self.weight(root)
                bags[row][root] = bags[row].get(root, 0.0) + weight
                words[row] += 1
                if (found := self._ids.get(word, UNKNOWN)) >= len(SPECIALS):
                    known.append((row, found, weight))
        vectors = np.zeros((len(sentences), self._vectors.values.shape[1]), dtype=np.float32)
        if known:
            at, ids, weights = (np.array(column) for column in zip(*known, strict=True))
            np.add.at(vectors, at, self._vectors.values[ids] * (UNIT * weights.astype(np.float32))[:, None])
        return Side(text, bags, vectors, spans, words)

    def weight(self, word: str) -> float:
        """Return the weight of a stem: how much rarer it is than the commonest words, in nats, squared."""
        return max(self._rarity.get(word, RARE) - COMMONEST, 0.1)


def _pieces(sentence: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the piece (T,) of each token, from 0: its sentence, or a part of one that is very long."""
    if not len(sentence):
        return np.zeros(0, dtype=np.int64)
    begins = np.flatnonzero(np.diff(sentence, prepend=sentence[0] - 1))
    place = np.arange(len(sentence)) - np.repeat(begins, np.diff(begins, append=len(sentence)))
    answer: NDArray[np.int64] = np.cumsum(place % LONGEST_PIECE == 0) - 1
    return answer


def _lowered(text: str) -> str:
    """Return a text in lower case, each character where it was: a few letters become two."""
    answer = text.lower()
    if len(answer) == len(text):
        return answer
    return "".join(char.lower() if len(char.lower()) == 1 else char for char in text)


# --- sentences ------------------------------------------------------------------------------------


def find_matches(suspect: Side, source: Side) -> list[Match]:
    """Pair the sentences of two texts, in the suspect's order.

    The heaviest chain of like sentences that ascends in both texts is in order; what is left and very like is moved.
    A sentence without a partner joins its neighbour's where the two together are more like it: cut or merged ones.
    """
    if suspect.bags == source.bags:
        return [Match((i, i), (i, i), 1.0, False) for i in range(len(suspect))]
    rows, columns, values = _like_sentences(suspect, source)
    # Of sentences that are as like, as the lines of a refrain, the one that stands where this one does comes first.
    away = np.abs(rows * len(source) - columns * len(suspect))
    order = np.lexsort((columns, away, -values, rows))
    rows, columns, values = rows[order], columns[order], values[order]
    rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
    chosen = rank < CANDIDATES
    candidates = list(zip(rows[chosen].tolist(), columns[chosen].tolist(), values[chosen].tolist(), strict=True))
    # Longer sentences say more: a chain of headings must not outweigh the text.
    mass = np.sqrt(np.minimum(suspect.words, LONG_SENTENCE)).tolist()
    chain = heaviest_chain([(i, j, value * mass[i]) for i, j, value in candidates])
    matches = [Match((i, i), (j, j), 0.0, False) for i, j in chain]
    left, right = {i for i, _ in chain}, {j for _, j in chain}
    for value, i, j in sorted(((-value, i, j) for i, j, value in candidates if value >= ALIKE_MOVED)):
        if i not in left and j not in right:
            left.add(i)
            right.add(j)
            matches.append(Match((i, i), (j, j), -value, True))
    _join_neighbours(matches, suspect, source, left, right)
    for match in matches:
        match.similarity = round(min(1.0, _likeness(match, suspect, source)), 6)
    return sorted(matches, key=lambda match: match.suspect)


def heaviest_chain(candidates: Sequence[tuple[int, int, float]]) -> list[tuple[int, int]]:
    """Return the pairs of the heaviest chain that ascends strictly in both places, of (place, place, weight)."""
    if not candidates:
        return []
    # Best chains that end at or before a place of the second text: places ascending, and so the weights.
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
        for j, total, before in found:  # after the row is read: a chain takes one pair of it
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


def _join_neighbours(matches: list[Match], suspect: Side, source: Side, left: set[int], right: set[int]) -> None:
    """Let sentences without a partner join a match beside them where that makes it more like."""
    by_suspect = {match.suspect[0]: match for match in matches}
    by_source = {match.source[0]: match for match in matches}
    for taken, size, by_place, of_suspect in (
        (left, len(suspect), by_suspect, True),
        (right, len(source), by_source, False),
    ):
        for place in range(size):
            if place in taken:
                continue
            best: tuple[float, Match, tuple[int, int]] | None = None
            for match in {id(m): m for m in (by_place.get(place - 1), by_place.get(place + 1)) if m}.values():
                now = match.suspect if of_suspect else match.source
                wider = (min(now[0], place), max(now[1], place))
                if wider[1] - wider[0] >= MOST_JOINED:
                    continue
                before = _likeness(match, suspect, source)
                joined = (
                    Match(wider, match.source, 0.0, False) if of_suspect else Match(match.suspect, wider, 0.0, False)
                )
                gain = _likeness(joined, suspect, source) - before
                if gain > JOIN_GAIN and (best is None or gain > best[0]):
                    best = (gain, match, wider)
            if best is not None:
                _, match, wider = best
                if of_suspect:
                    match.suspect = wider
                else:
                    match.source = wider
                taken.add(place)
                by_place[place] = match


def _like_sentences(suspect: Side, source: Side) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Return the places of sentences that are at least ALIKE, and how alike: the cosine of their weighted stems, and
    where there are not too many that of what they mean.
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
        near = sparse.data >= ALIKE
        return sparse.row[near].astype(np.int64), sparse.col[near].astype(np.int64), sparse.data[near]
    likeness = (packed[0] @ packed[1].T).toarray() + MEANING * np.maximum(meaning(suspect, source), 0.0)
    found, goal = np.nonzero(likeness >= ALIKE)
    return found, goal, likeness[found, goal]


def meaning(suspect: Side, source: Side) -> Floats:
    """Return how alike sentences are by their words' vectors (S, T): the cosine of what sets them apart from both
    texts' mean.
    """
    whole = np.concatenate([suspect.vectors, source.vectors]).astype(np.float64)
    lengths = np.sqrt((whole * whole).sum(axis=1, keepdims=True))
    unit = whole / np.maximum(lengths, 1e-9)
    unit -= unit.mean(axis=0)
    unit /= np.maximum(np.sqrt((unit * unit).sum(axis=1, keepdims=True)), 1e-9)
    answer: Floats = unit[: len(suspect)] @ unit[len(suspect) :].T
    return answer


def _likeness(match: Match, suspect: Side, source: Side) -> float:
    one, other = (_bag(side, run) for side, run in ((suspect, match.suspect), (source, match.source)))
    norm = _length(one) * _length(other)
    return sum(value * other[word] for word, value in one.items() if word in other) / norm if norm else 0.0


def _bag(side: Side, run: tuple[int, int]) -> dict[str, float]:
    if run[0] == run[1]:
        return side.bags[run[0]]
    answer: dict[str, float] = {}
    for bag in side.bags[run[0] : run[1] + 1]:
        for word, value in bag.items():
            answer[word] = answer.get(word, 0.0) + value
    return answer


def _length(bag: Mapping[str, float]) -> float:
    return math.sqrt(sum(value * value for value in bag.values()))


# --- words ----------------------------------------------------------------------------------------


def align_words(matches: Sequence[Match], suspect: Side, source: Side) -> None:
    """Align the words of each match's passages, in characters of the repaired texts."""
    for match in matches:
        first, last = _characters(suspect, match.suspect)
        start, end = _characters(source, match.source)
        match.pairs = [
            replace(
                pair,
                original_start=pair.original_start + start,
                original_end=pair.original_end + start,
                start=pair.start + first,
                end=pair.end + first,
            )
            for pair in align(source.text[start:end], suspect.text[first:last])
        ]


def _characters(side: Side, run: tuple[int, int]) -> tuple[int, int]:
    return side.spans[run[0]][0], side.spans[run[1]][1]


def _aligned(suspect: Side, source: Side) -> list[Match]:
    matches = find_matches(suspect, source)
    align_words(matches, suspect, source)
    return matches


def share_of_source(matches: Sequence[Match], source: Side) -> float:
    """Return the share (0 to 1) of the source's words that reappear, as themselves, in another form or replaced."""
    kept = 0
    for pair in _pairs(matches):
        here, there = len(pair.original_text.split()), len(pair.text.split())
        kept += here if pair.change in ("equal", "inflected") else min(here, there)
    return min(1.0, kept / max(1, int(source.words.sum())))


def _pairs(matches: Sequence[Match]) -> Iterator[Pair]:
    for match in matches:
        yield from match.pairs


def _replacements(matches: Sequence[Match]) -> tuple[Replacement, ...]:
    """Return the words that stand for others, most frequent first; changes of function words alone are none."""
    counts: Counter[tuple[str, str]] = Counter()
    for pair in _pairs(matches):
        if pair.change != "replaced" or is_contraction(pair):
            continue
        was, now = _listed(pair.original_text), _listed(pair.text)
        closed = all(word_class(word) != "content" for word in (*was, *now))
        if max(len(was), len(now)) <= MOST_REPLACED and not closed:
            counts[" ".join(was), " ".join(now)] += 1
    found = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Replacement(was, now, count) for (was, now), count in found)


def _listed(text: str) -> list[str]:
    return text.lower().split()


def _alignments(documents: Documents, matches: Sequence[Match], suspect: Side, source: Side) -> Iterator[Alignment]:
    """Yield what corresponds in the suspect's order, and then what of the source is missing."""
    taken: dict[int, Match | None] = {}
    for match in matches:
        taken[match.suspect[0]] = match
        taken.update(dict.fromkeys(range(match.suspect[0] + 1, match.suspect[1] + 1)))
    for place in range(len(suspect)):
        if place not in taken:
            yield Alignment(_span(documents, 0, *suspect.spans[place]), None, 0.0, False)
        elif (here := taken[place]) is not None:
            yield Alignment(
                _span(documents, 0, *_characters(suspect, here.suspect)),
                _span(documents, 1, *_characters(source, here.source)),
                here.similarity,
                here.moved,
                tuple(_edits(documents, here.pairs)),
            )
    found = {place for match in matches for place in range(match.source[0], match.source[1] + 1)}
    for place in range(len(source)):
        if place not in found:
            yield Alignment(None, _span(documents, 1, *source.spans[place]), 0.0, False)


def _edits(documents: Documents, pairs: Sequence[Pair]) -> Iterator[Edit]:
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


# --- judging --------------------------------------------------------------------------------------

NAMES = (
    "same_suspect",
    "same_source",
    "same_larger",
    "alike_suspect",
    "alike_source",
    "alike_larger",
    "bags",
    "longest_run",
    "long_runs",
    "in_order",
    "joined",
    "equal",
    "inflected",
    "replaced",
    "phrases",
    "inserted",
    "deleted",
    "rewritten",
    "function_words_kept",
    "content_words_kept",
    "function_share_of_changes",
    "length_ratio",
    "one_to_one",
    "diagonal",
    "contrast",
    "meaning",
    "unmatched_suspect",
    "unmatched_source",
    "rarer",
    "longer_words",
    "sentences_ratio",
    "whole_ratio",
    "commas",
)
"""The numbers that a judgement rests on: `measure`."""


def measure(matches: Sequence[Match], suspect: Side, source: Side) -> Floats:
    """Return the numbers NAMES about an alignment.

    Of all words, weighted by rarity: how many of the suspect's and of the source's are found again (`same_`), how alike
    their sentences are (`alike_`), and both texts as bags of words. Of the words in corresponding passages: what became
    of them.
    """
    totals = [sum(sum(bag.values()) for bag in side.bags) for side in (suspect, source)]
    whole = [_bag(side, (0, len(side) - 1)) if len(side) else {} for side in (suspect, source)]
    bag_norm = _length(whole[0]) * _length(whole[1])
    bags = sum(value * whole[1].get(word, 0.0) for word, value in whole[0].items()) / bag_norm if bag_norm else 0.0
    masses = [[sum(bag.values()) for bag in side.bags] for side in (suspect, source)]
    same = [0.0, 0.0]
    alike = [0.0, 0.0]
    for match in matches:
        bag, other = _bag(suspect, match.suspect), _bag(source, match.source)
        for side, (mine, its) in enumerate(((bag, other), (other, bag))):
            same[side] += sum(min(value, its[word]) for word, value in mine.items() if word in its)
        for side, run in ((0, match.suspect), (1, match.source)):
            alike[side] += match.similarity * sum(masses[side][run[0] : run[1] + 1])
    same = [value / total if total else 0.0 for value, total in zip(same, totals, strict=True)]
    alike = [value / total if total else 0.0 for value, total in zip(alike, totals, strict=True)]
    moved = sum(match.moved for match in matches)
    joined = sum(match.suspect[0] != match.suspect[1] or match.source[0] != match.source[1] for match in matches)
    count = max(1, len(matches))
    changes: Counter[str] = Counter()
    kept: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    longest = long = 0
    suspect_words = source_words = 0
    for pair in _pairs(matches):
        was, now = _listed(pair.original_text), _listed(pair.text)
        suspect_words += len(now)
        source_words += len(was)
        change = "phrases" if pair.change == "replaced" and max(len(was), len(now)) > 1 else pair.change
        changes[change] += max(len(was), len(now))
        if pair.change == "equal":
            longest = max(longest, len(now))
            long += len(now) if len(now) >= LONG_RUN else 0
        counter = kept if pair.change == "equal" else lost
        for word in was:
            counter["function" if word in FUNCTION_WORDS else "content"] += 1
    aligned = max(1, sum(changes.values()))
    shares = [changes[name] / aligned for name in _CHANGES]
    function = kept["function"] / max(1, kept["function"] + lost["function"])
    content = kept["content"] / max(1, kept["content"] + lost["content"])
    of_changes = lost["function"] / max(1, lost["function"] + lost["content"])
    return np.array(
        [
            *same,
            max(same),
            *alike,
            max(alike),
            bags,
            math.log1p(longest),
            long / max(1, suspect_words),
            1.0 - moved / count,
            joined / count,
            *shares,
            function,
            content,
            of_changes,
            math.log((suspect_words + 5) / (source_words + 5)),
            1.0 - joined / count,
            *_order(suspect, source),
            *_unmatched(matches, suspect, source),
            *_change_of_words(matches, suspect, source),
            math.log((len(suspect) + 1) / (len(source) + 1)),
            math.log((suspect.words.sum() + 5) / (source.words.sum() + 5)),
            *_commas(matches, suspect, source),
        ]
    )


def _order(suspect: Side, source: Side) -> tuple[float, float, float]:
    """Return how well each sentence's nearest one follows the order of the text (-1 to 1), how much nearer it is than
    the others, and how alike in meaning.
    """
    one, other = np.flatnonzero(suspect.words >= 4), np.flatnonzero(source.words >= 4)
    if min(len(one), len(other)) < 3 or len(one) * len(other) > MOST_PAIRS:
        return 0.0, 0.0, 0.0
    dense = np.zeros((len(suspect), len(source)))
    rows, columns, values = _like_sentences(suspect, source)
    dense[rows, columns] = values
    alike = dense[np.ix_(one, other)]
    means = meaning(suspect, source)[np.ix_(one, other)]
    nearest = alike.argmax(axis=1)
    best = alike.max(axis=1)
    places, goals = np.arange(len(one)) / (len(one) - 1), nearest / (len(other) - 1)
    weights = best + 1e-9
    weights = weights / weights.sum()
    dx, dy = places - weights @ places, goals - weights @ goals
    spread = math.sqrt(float(weights @ (dx * dx)) * float(weights @ (dy * dy)))
    order = float(weights @ (dx * dy)) / spread if spread > 1e-9 else 0.0
    rest = (alike.sum(axis=1) - best) / max(1, len(other) - 1)
    return order, float((best - rest).mean()), float(means[np.arange(len(one)), nearest].mean())


def _unmatched(matches: Sequence[Match], suspect: Side, source: Side) -> list[float]:
    answer = []
    for side, name in ((suspect, "suspect"), (source, "source")):
        found = {i for match in matches for i in range(getattr(match, name)[0], getattr(match, name)[1] + 1)}
        rest = sum(int(count) for i, count in enumerate(side.words) if i not in found)
        answer.append(rest / max(1, int(side.words.sum())))
    return answer


def _change_of_words(matches: Sequence[Match], suspect: Side, source: Side) -> list[float]:
    """Return by how much the suspect's words, in corresponding passages, are rarer and longer than the source's."""
    means = []
    for side, name in ((suspect, "suspect"), (source, "source")):
        values = [
            (value, len(word))
            for match in matches
            for i in range(getattr(match, name)[0], getattr(match, name)[1] + 1)
            for word, value in side.bags[i].items()
        ]
        means.append(np.mean(values, axis=0) if values else np.zeros(2))
    difference = means[0] - means[1]
    return [float(difference[0]), float(difference[1])]


def _commas(matches: Sequence[Match], suspect: Side, source: Side) -> list[float]:
    rates = []
    for side, name in ((suspect, "suspect"), (source, "source")):
        text = " ".join(side.text[slice(*_characters(side, getattr(match, name)))] for match in matches)
        rates.append(sum(text.count(sign) for sign in ",;:") / max(1, len(text.split())))
    return [rates[0] - rates[1]]


_CHANGES = ("equal", "inflected", "replaced", "phrases", "inserted", "deleted", "rewritten")


ODDS = tuple(f"{which}_{kind}" for which in ("odds", "more") for kind in MACHINE_KINDS)
"""The numbers of `Comparer._odds`."""
DECISIVE = ("same_larger", "alike_larger", "longest_run", "diagonal", "content_words_kept")
"""The few of NAMES that tell derived from unrelated texts: more of them learn the tools that they were fitted on."""


@dataclass(frozen=True, eq=False)
class Judge:
    """Two logistic regressions over scaled numbers: was one made from the other (DECISIVE), and how (NAMES and ODDS).

    `centre`, `spread` (N,) are those of NAMES and ODDS; `derived` (len(DECISIVE),) with `derived_bias`; `kinds`
    (len(RELATIONS), N) with `kinds_bias`.
    """

    centre: Floats
    spread: Floats
    derived: Floats
    derived_bias: float
    kinds: Floats
    kinds_bias: Floats

    @classmethod
    @cache
    def shipped(cls) -> Judge:
        """Return the judge that ships (training.compare fits it)."""
        values = json.loads(WEIGHTS.read_text("utf-8"))
        arrays = {name: np.array(values[name]) for name in ("centre", "spread", "derived", "kinds", "kinds_bias")}
        return cls(**arrays, derived_bias=float(values["derived_bias"]))

    def probability(self, numbers: Floats) -> float:
        """Return the probability that one was made from the other, by the numbers NAMES."""
        chosen = self._scaled(numbers)[[NAMES.index(name) for name in DECISIVE]]
        return 1.0 / (1.0 + math.exp(-float(np.clip(chosen @ self.derived + self.derived_bias, -30.0, 30.0))))

    def kinds_of(self, numbers: Floats) -> dict[Relation, float]:
        """Return the probability of each of RELATIONS, given that it was, by the numbers NAMES and ODDS."""
        logits = self.kinds @ self._scaled(numbers) + self.kinds_bias
        shares = np.exp(logits - logits.max())
        return millionths((shares / shares.sum()).tolist(), RELATIONS)

    def _scaled(self, numbers: Floats) -> Floats:
        return scale(numbers, self.centre[: len(numbers)], self.spread[: len(numbers)])


def scale(numbers: Floats, centre: Floats, spread: Floats) -> Floats:
    """Return numbers in standard deviations from the centre, cut off at FURTHEST."""
    return np.clip((numbers - centre) / spread, -FURTHEST, FURTHEST)


def _obstacle(documents: Documents, sides: Sequence[Side]) -> Obstacle | None:
    """Return why nothing can be said of two texts; the same words twice are the same, however few they are."""
    if min(int(side.words.sum()) for side in sides) == 0:
        return "too_short"
    if "not_english" in reasons(documents, FEWEST_WORDS):
        return "not_english"
    if min(int(side.words.sum()) for side in sides) < FEWEST_WORDS and sides[0].bags != sides[1].bags:
        return "too_short"
    return None

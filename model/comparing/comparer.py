"""A suspect text against its suspected source: what corresponds, word by word, and whether one was made from the other.

Sentences are paired by the rare words that they share, in order where there is an order and out of it where passages
were moved; inside a pair words are aligned (model.align). A few numbers about the alignment tell a text that was made
from the source from one that is about the same thing, and how it was made (weights: training.compare).
"""

from __future__ import annotations

import itertools
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
from scipy.special import expit
from threadpoolctl import ThreadpoolController

from unspun.model import bundle
from unspun.model.comparing.align import Pair, align, is_contraction, stem, word_class
from unspun.model.comparing.comparison import (
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
from unspun.model.decision.abstention import reasons
from unspun.model.language.topics import UNIT
from unspun.model.language.vocabulary import SPECIALS
from unspun.model.signals.features import FeatureExtractor
from unspun.model.text.characters import to_text
from unspun.model.text.document import Documents, Shape, TokenClass
from unspun.model.text.tokens import hash_token
from unspun.model.text.wordlists import english_function_words

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
LIKENESS = 0.2
"""Cosine that is taken for that of a word without a vector and another."""
MOST_CAPITALS = 0.5
"""Share of words with a capital within sentences above which capitals name nothing."""
DERIVED = 0.5
FEWEST_OWN = 8
"""Own words of a text without which all of its content words are looked at."""
_PAUSES = frozenset((",", ";", ":", "-", "--", "–", "—", "("))


@dataclass(frozen=True, eq=False)
class Words:
    """The N words and numbers of a text: where in it they start, their stems, how rare they are, and their vectors.

    `function` marks words of the closed classes; `own` those of the others that are no name, no number and in no
    quotation: what two reports on one event need not share. `length` are letters.
    """

    start: NDArray[np.int64]
    stems: list[str]
    weight: Floats
    length: NDArray[np.int64]
    function: NDArray[np.bool_]
    own: NDArray[np.bool_]
    ids: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.stems)


@dataclass(frozen=True, eq=False)
class Side:
    """One of the two texts: its S sentences as rows of weighted words.

    `text` is repaired; `bags` are the sentences' stems with their weights, the rarer a word the higher; `vectors`
    (S, E) the weighted sums of their words' vectors; `spans` the sentences' characters in `text`; `words` (S,) counts
    the words and numbers of each, `pauses` (S,) its commas, dashes and the like. `each` are the N words themselves.
    """

    text: str
    bags: list[dict[str, float]]
    vectors: NDArray[np.float32]
    spans: list[tuple[int, int]]
    words: NDArray[np.int64]
    pauses: NDArray[np.int64]
    each: Words

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
        self._model = loaded.info
        self._vocabulary = vocabulary
        self._vectors = loaded.tables.vectors
        self._extractor = FeatureExtractor(loaded.tables, loaded.tagger)
        names = self._extractor.get_feature_names_out().tolist()
        self._style_columns = [names.index(name) for name in STYLE_NUMBERS]
        self._directions = loaded.tagger.inputs.topics.directions
        self._threads = ThreadpoolController()
        self._rarity: dict[str, float] = {}
        # Of the words with one stem the commonest tells how rare it is: the words come commonest first.
        for word, value in zip(reversed(vocabulary.words), reversed(vocabulary.log_probability.tolist()), strict=True):
            self._rarity[stem(word)] = -value
        self._judge = judge

    @classmethod
    def load(cls, path: Path | None = None) -> Comparer:
        """Load with the words of a bundle, by default the one that ships; raises model.bundle.BundleError."""
        return cls.of(bundle.load(path))

    @classmethod
    def of(cls, loaded: bundle.Bundle) -> Comparer:
        """Return one with the words of a bundle that is loaded already."""
        return cls(loaded, Judge.shipped())

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
            numbers = measure(matches, *sides, self._directions)
            probability = self._judge.probability(numbers)
            if probability >= DERIVED:
                if _is_copy(*sides):
                    kinds = {name: float(name == "copied") for name in RELATIONS}
                else:
                    kinds = self._judge.kinds_of(np.concatenate([numbers, self._style(documents)]))
        derived = probability >= DERIVED
        likeliest: Relation = max(RELATIONS, key=kinds.__getitem__)
        return Comparison(
            suspect_id=suspect_id,
            source_id=source_id,
            derived=derived,
            probability=round(probability, 6),
            kind=likeliest if derived else None,
            kinds={name: kinds[name] for name in RELATIONS},
            share=round(share_of_source(matches, *sides), 6),
            reason=reason,
            suspect_words=int(sides[0].words.sum()),
            source_words=int(sides[1].words.sum()),
            replacements=_replacements(matches) if derived else (),
            alignments=tuple(_alignments(documents, matches, *sides)),
            model=self._model,
        )

    def measure(self, suspect: str, source: str) -> Floats:
        """Return the numbers (len(NAMES) + len(STYLE),) that a judgement rests on: for training."""
        documents = Documents.parse([suspect, source])
        sides = (self._side(documents, 0), self._side(documents, 1))
        return np.concatenate([measure(_aligned(*sides), *sides, self._directions), self._style(documents)])

    def _style(self, documents: Documents) -> Floats:
        """Return numbers about the suspect alone, and by how much they are larger than the source's (len(STYLE),)."""
        with self._threads.limit(limits=1):
            measured = self._extractor.measure(documents)
        suspect, source = measured.documents[:, self._style_columns].astype(np.float64)
        return np.concatenate([suspect, suspect - source])

    def _side(self, documents: Documents, number: int) -> Side:
        first, last = int(documents.token_ptr[number]), int(documents.token_ptr[number + 1])
        origin = int(documents.document_start[number])
        text = to_text(documents.characters[origin : int(documents.document_start[number + 1]) - 1])
        starts = (documents.token_start[first:last] - origin).tolist()
        ends = (documents.token_end[first:last] - origin).tolist()
        place = _pieces(documents.token_sentence[first:last])
        sentences = np.unique(place)
        counted = documents.token_class[first:last] != TokenClass.PUNCTUATION
        folded = _lowered(text)
        tokens = [folded[start:end] for start, end in zip(starts, ends, strict=True)]
        pause = np.array([token in _PAUSES for token in tokens], dtype=bool)
        spans = [(0, 0)] * len(sentences)
        for start, end, row in zip(starts, ends, place.tolist(), strict=True):
            begin, stop = spans[row]
            spans[row] = (start if stop == 0 else begin, end)
        each = self._words(documents, np.flatnonzero(counted) + first, tokens, first, origin)
        rows = place[counted]
        bags: list[dict[str, float]] = [{} for _ in sentences]
        for row, root, weight in zip(rows.tolist(), each.stems, each.weight.tolist(), strict=True):
            bags[row][root] = bags[row].get(root, 0.0) + weight
        vectors = np.zeros((len(sentences), self._vectors.values.shape[1]), dtype=np.float32)
        known = each.ids >= len(SPECIALS)
        scaled = self._vectors.values[each.ids[known]] * (UNIT * each.weight[known].astype(np.float32))[:, None]
        np.add.at(vectors, rows[known], scaled)
        size = len(sentences)
        return Side(
            text,
            bags,
            vectors,
            spans,
            words=np.bincount(rows, minlength=size),
            pauses=np.bincount(place[pause], minlength=size),
            each=each,
        )

    def _words(
        self, documents: Documents, places: NDArray[np.int64], tokens: Sequence[str], first: int, origin: int
    ) -> Words:
        words = [tokens[place - first] for place in places.tolist()]
        stems = [stem(word) for word in words]
        function = english_function_words().contains(documents.token_hash[places])
        capital = documents.token_shape[places] & Shape.CAPITAL > 0
        within = capital & (documents.token_shape[places] & Shape.SENTENCE_START == 0)
        names = _names(words, within, ~capital) & ~function
        named_or_quoted = names | _quoted(documents, places) | (documents.token_class[places] == TokenClass.NUMBER)
        return Words(
            documents.token_start[places] - origin,
            stems,
            np.array([self.weight(root) for root in stems], dtype=np.float64),
            documents.token_end[places] - documents.token_start[places],
            function,
            ~function & ~named_or_quoted,
            self._vocabulary.ids(documents)[places],
        )

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


def _names(words: Sequence[str], capital: NDArray[np.bool_], lower: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which words have a capital within a sentence more often than none; in a text all in capitals, none."""
    if len(words) == 0 or capital.mean() > MOST_CAPITALS:
        return np.zeros(len(words), dtype=bool)
    count = Counter(itertools.compress(words, capital.tolist()))
    count.subtract(Counter(itertools.compress(words, lower.tolist())))
    return np.array([count[word] > 0 for word in words], dtype=bool)


def _quoted(documents: Documents, places: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which words stand between double quotes; a paragraph with an odd number of them has no quotation."""
    if len(places) == 0:
        return np.zeros(0, dtype=bool)
    first, last = int(places[0]), int(places[-1]) + 1
    marks = documents.token_hash[first:last] == np.uint64(hash_token('"'))
    paragraph = documents.token_paragraph[first:last]
    seen = np.concatenate([[0], np.cumsum(marks)])
    begin = np.searchsorted(paragraph, paragraph)
    stop = np.searchsorted(paragraph, paragraph, side="right")
    inside = ((seen[1:] - seen[begin]) % 2 == 1) & ((seen[stop] - seen[begin]) % 2 == 0)
    return np.asarray(inside[places - first], dtype=bool)


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


def _like_sentences(
    suspect: Side, source: Side, least: float = ALIKE
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Return the places of sentences that are at least so alike, and how alike: the cosine of their weighted stems, and
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
        near = sparse.data >= least
        return sparse.row[near].astype(np.int64), sparse.col[near].astype(np.int64), sparse.data[near]
    likeness = (packed[0] @ packed[1].T).toarray() + MEANING * np.maximum(meaning(suspect, source), 0.0)
    found, goal = np.nonzero(likeness >= least)
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


def share_of_source(matches: Sequence[Match], suspect: Side, source: Side) -> float:
    """Return the share (0 to 1) of the source's words that reappear, as themselves, in another form or replaced."""
    kept = 0
    for pair in _pairs(matches):
        here = _count(source, pair.original_start, pair.original_end)
        same = pair.change in ("equal", "inflected")
        kept += here if same else min(here, _count(suspect, pair.start, pair.end))
    return min(1.0, kept / max(1, len(source.each)))


def _count(side: Side, start: int, end: int) -> int:
    """Return how many words and numbers start in a span."""
    first, last = np.searchsorted(side.each.start, (start, end))
    return int(last - first)


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
    "content_larger",
    "content_smaller",
    "own_larger",
    "own_smaller",
    "replaced_larger",
    "replaced_smaller",
    "function_larger",
    "bag",
    "types",
    "bigrams",
    "trigrams",
    "fivegrams",
    "order",
    "contrast",
    "nearest",
    "distinct",
    "moved",
    "joined",
    "matched_larger",
    "matched_smaller",
    "equal",
    "inflected",
    "replaced",
    "phrases",
    "inserted",
    "deleted",
    "rewritten",
    "function_kept",
    "content_kept",
    "function_lost",
    "function_new",
    "content_for_content",
    "function_for_function",
    "inflected_of_changes",
    "replaced_of_changes",
    "phrases_of_changes",
    "inserted_of_changes",
    "deleted_of_changes",
    "cosine",
    "rarer",
    "longer",
    "length",
    "length_change",
    "length_spread",
    "kept",
    "kept_spread",
    "pauses",
    "scrambled",
    "longest",
    "runs",
    "first",
    "last",
)
"""The numbers about an alignment: `measure`."""
STYLE_NUMBERS = (
    "misfit.probability_mean",
    "misfit.log_odds_mean",
    "misfit.log_odds_deviation",
    "misfit.content_above_0",
    "misfit.function_above_0",
    "frequency.mean",
    "frequency.deviation",
    "frequency.function_words",
    "frequency.unknown",
    "collocations.fit_mean",
    "collocations.fit_deviation",
    "collocations.association_mean",
)
"""Of the engine's document numbers (model.features), those that say how a text was made from another."""
STYLE = tuple(f"{prefix}{name}" for prefix in ("", "more_") for name in STYLE_NUMBERS)
"""The numbers of `Comparer._style`."""
DECISIVE = (
    "content_larger",
    "own_larger",
    "replaced_larger",
    "function_larger",
    "bag",
    "types",
    "bigrams",
    "trigrams",
    "order",
    "contrast",
    "nearest",
    "distinct",
    "matched_larger",
    "matched_smaller",
    "kept",
    "scrambled",
    "longest",
)
"""Those of NAMES that tell derived from unrelated texts: the others learn the tools that they were fitted on."""
_CHANGES = ("equal", "inflected", "replaced", "phrases", "inserted", "deleted", "rewritten")


def measure(matches: Sequence[Match], suspect: Side, source: Side, directions: Floats) -> Floats:
    """Return the numbers NAMES about an alignment; all 0 where nothing corresponds.

    Of the words, weighted by rarity, how many are found again in corresponding passages, in the text of which more are
    (`_larger`) and in the other: content words, own words (names, numbers and quotations left out), own words with
    replaced ones at half their weight, function words. Of all own words as bags, as types and in runs, how many both
    texts share. How the sentences correspond; what became of the words in them, and of those that were changed.
    `directions` (V, E) are the vocabulary's vectors, of length 1.
    """
    if not matches:
        return np.zeros(len(NAMES))
    words = _Fates(matches, suspect, source, directions)
    return np.array(
        [
            *words.found_again(),
            *_shared(suspect.each, source.each),
            *_order(suspect, source),
            *_layout(matches, suspect, source, words.weights),
            *words.changes(),
            *words.passages(matches, suspect, source),
        ]
    )


class _Fates:
    """What became of each word in corresponding passages.

    `same` and `replaced` hold for the suspect and the source which words (N,) stand in both, and which were put for
    others; `weights` (M,) are the passages' shares of the words.
    """

    def __init__(self, matches: Sequence[Match], suspect: Side, source: Side, directions: Floats) -> None:
        self.sides = (suspect.each, source.each)
        self.same = tuple(np.zeros(len(side)) for side in self.sides)
        self.replaced = tuple(np.zeros(len(side)) for side in self.sides)
        self.count: Counter[str] = Counter()
        self.kept: Counter[bool] = Counter()
        self.lost: Counter[bool] = Counter()
        self.new: Counter[bool] = Counter()
        self.runs: list[int] = []
        self.cosines: list[float] = []
        self.rarer: list[float] = []
        self.longer: list[int] = []
        self.passage: list[tuple[int, int, int, int]] = []
        self.equal: list[int] = []
        self._directions = directions
        for match in matches:
            a, b = _characters(suspect, match.suspect), _characters(source, match.source)
            ours = np.searchsorted(suspect.each.start, (*a, *(pair.start for pair in match.pairs))).tolist()
            theirs = np.searchsorted(source.each.start, (*b, *(pair.original_start for pair in match.pairs))).tolist()
            self.passage.append((ours[0], ours[1], theirs[0], theirs[1]))
            found = 0
            for i, pair in enumerate(match.pairs, 2):
                # A pair's words end where the next one's begin.
                first, last = ours[i], ours[i + 1] if i + 1 < len(ours) else ours[1]
                start, stop = theirs[i], theirs[i + 1] if i + 1 < len(theirs) else theirs[1]
                found += self._take(pair.change, first, last, start, stop)
            self.equal.append(found)
        sizes = np.array([max(1, min(b - a, d - c)) for a, b, c, d in self.passage], dtype=np.float64)
        self.weights: Floats = sizes / sizes.sum()

    def _take(self, change: str, first: int, last: int, start: int, stop: int) -> int:
        """Note a pair of the suspect's words first:last and the source's start:stop; return how many are the same."""
        ours, theirs = self.sides
        size = max(last - first, stop - start)
        self.count["phrases" if change == "replaced" and size > 1 else change] += size
        counter = self.kept if change == "equal" else self.lost
        counter.update(theirs.function[start:stop].tolist())
        if change != "equal":
            self.new.update(ours.function[first:last].tolist())
        if change in ("equal", "inflected"):
            self.same[0][first:last] = 1.0
            self.same[1][start:stop] = 1.0
            if change == "equal":
                self.runs.append(last - first)
            return last - first
        if change == "replaced":
            self.replaced[0][first:last] = 0.5
            self.replaced[1][start:stop] = 0.5
            if last - first == stop - start == 1:
                self._one_for_one(first, start)
        return 0

    def _one_for_one(self, place: int, was: int) -> None:
        ours, theirs = self.sides
        if ours.function[place] and theirs.function[was]:
            self.count["function"] += 1
        elif not ours.function[place] and not theirs.function[was]:
            self.count["content"] += 1
            ids = int(ours.ids[place]), int(theirs.ids[was])
            known = min(ids) >= len(SPECIALS)
            self.cosines.append(float(self._directions[ids[0]] @ self._directions[ids[1]]) if known else LIKENESS)
            self.rarer.append(float(ours.weight[place] - theirs.weight[was]))
            self.longer.append(int(ours.length[place] - theirs.length[was]))

    def found_again(self) -> list[float]:
        """Return the shares of words that are found again: larger and smaller of content, own and replaced; larger of
        function words.
        """
        answer: list[float] = []
        shares: list[list[float]] = []
        for side, same, replaced in zip(self.sides, self.same, self.replaced, strict=True):
            own = _own(side)
            shares.append(
                [
                    _share(side.weight * ~side.function, same),
                    _share(side.weight * own, same),
                    _share(side.weight * own, np.maximum(same, replaced)),
                    _share(side.function.astype(np.float64), same),
                ]
            )
        for one, other in zip(*shares, strict=True):
            answer += [max(one, other), min(one, other)]
        return answer[:-1]

    def changes(self) -> list[float]:
        """Return the shares of what became of words, and of what kinds the changes are."""
        aligned = max(1, sum(self.count[name] for name in _CHANGES))
        changed = max(1, aligned - self.count["equal"])
        kept, lost, new = self.kept, self.lost, self.new
        return [
            *(self.count[name] / aligned for name in _CHANGES),
            kept[True] / max(1, kept[True] + lost[True]),
            kept[False] / max(1, kept[False] + lost[False]),
            lost[True] / max(1, lost[True] + lost[False]),
            new[True] / max(1, new[True] + new[False]),
            self.count["content"] / changed,
            self.count["function"] / changed,
            self.count["inflected"] / changed,
            self.count["replaced"] / changed,
            (self.count["phrases"] + self.count["rewritten"]) / changed,
            self.count["inserted"] / changed,
            self.count["deleted"] / changed,
            # Drawn towards what is usual where there are few.
            (sum(self.cosines) + 5 * LIKENESS) / (len(self.cosines) + 5),
            sum(self.rarer) / (len(self.rarer) + 3),
            sum(self.longer) / (len(self.longer) + 3),
        ]

    def passages(self, matches: Sequence[Match], suspect: Side, source: Side) -> list[float]:
        """Return how passages differ in length, in words kept, in pauses and order, and at their ends."""
        ratios, kept, scrambled, common, pauses, more = [], [], 0, 0, 0, 0
        ends = np.zeros(2)
        for match, (a, b, c, d), same in zip(matches, self.passage, self.equal, strict=True):
            ratios.append(math.log((b - a + 1) / (d - c + 1)))
            kept.append(same / max(1, b - a, d - c))
            bags = Counter(suspect.each.stems[a:b]) & Counter(source.each.stems[c:d])
            scrambled += bags.total() - same
            common += min(b - a, d - c)
            counts = [
                int(side.pauses[run[0] : run[1] + 1].sum())
                for side, run in ((suspect, match.suspect), (source, match.source))
            ]
            pauses += abs(counts[0] - counts[1])
            more += max(counts)
            if b > a and d > c:
                ends += (self.same[0][a] * self.same[1][c], self.same[0][b - 1] * self.same[1][d - 1])
        weights = self.weights
        length, length_spread = _mean_and_spread(np.array(ratios), weights)
        mean, spread = _mean_and_spread(np.array(kept), weights)
        runs = np.array(self.runs or [0], dtype=np.float64)
        return [
            length,
            abs(length),
            length_spread,
            mean,
            spread,
            pauses / max(2, more),
            scrambled / max(1, common),
            math.log1p(float(runs.max())),
            math.log1p(float((runs * runs).sum() / max(1.0, float(runs.sum())))),
            *(ends / len(matches)).tolist(),
        ]


def _own(words: Words) -> NDArray[np.bool_]:
    return words.own if words.own.sum() >= FEWEST_OWN else ~words.function


def _share(weights: Floats, found: Floats) -> float:
    total = float(weights.sum())
    return float(weights @ found) / total if total > 0 else 0.0


def _mean_and_spread(values: Floats, weights: Floats) -> tuple[float, float]:
    mean = float(weights @ values)
    return mean, math.sqrt(float(weights @ (values - mean) ** 2))


def _shared(suspect: Words, source: Words) -> list[float]:
    """Return the shares of own words, by weight and by type, and of runs of 2, 3 and 5 words, that both texts have."""
    bags, types, runs = [], [], []
    for words in (suspect, source):
        own = _own(words)
        bag: dict[str, float] = {}
        for root, weight in itertools.compress(zip(words.stems, words.weight.tolist(), strict=True), own.tolist()):
            bag[root] = bag.get(root, 0.0) + weight
        bags.append(bag)
        types.append(set(bag))
        runs.append([_runs(words, length) for length in (2, 3, 5)])
    both = sum(min(weight, bags[1][root]) for root, weight in bags[0].items() if root in bags[1])
    least = min(sum(bag.values()) for bag in bags)
    return [
        both / least if least > 0 else 0.0,
        len(types[0] & types[1]) / max(1, min(map(len, types))),
        *(len(one & other) / max(5, min(len(one), len(other))) for one, other in zip(*runs, strict=True)),
    ]


def _runs(words: Words, length: int) -> set[tuple[str, ...]]:
    """Return the runs of words without names, numbers and quotations, in which not all are function words."""
    if len(words) < length:
        return set()
    window = np.ones(length)
    plain = np.convolve(words.own | words.function, window, "valid") == length
    plain &= np.convolve(words.own, window, "valid") > 0
    return set(itertools.compress(zip(*(words.stems[i:] for i in range(length)), strict=False), plain.tolist()))


def _order(suspect: Side, source: Side) -> tuple[float, float, float, float]:
    """Return how well each sentence's nearest one follows the order of the text (-1 to 1), how much nearer it is than
    the others, how near, and how many of the nearest are different ones. Seen from the text with fewer sentences.
    """
    one, other = np.flatnonzero(suspect.words >= 4), np.flatnonzero(source.words >= 4)
    if min(len(one), len(other)) == 0 or len(suspect) * len(source) > MOST_PAIRS:
        return 0.5, 0.5, 0.5, 1.0
    alike = np.zeros((len(suspect), len(source)))
    rows, columns, values = _like_sentences(suspect, source, least=0.0)
    alike[rows, columns] = values
    alike = alike[np.ix_(one, other)]
    if len(one) > len(other):
        alike = alike.T
    nearest, best = alike.argmax(axis=1), alike.max(axis=1)
    rest = (alike.sum(axis=1) - best) / max(1, alike.shape[1] - 1)
    near, contrast = float(best.mean()), float((best - rest).mean())
    if len(best) < 3:
        return 0.5, contrast, near, 1.0
    weights = (best + 1e-9) / (best + 1e-9).sum()
    places, goals = np.arange(len(best)) / (len(best) - 1), nearest / (alike.shape[1] - 1)
    dx, dy = places - weights @ places, goals - weights @ goals
    spread = math.sqrt(float(weights @ (dx * dx)) * float(weights @ (dy * dy)))
    order = float(weights @ (dx * dy)) / spread if spread > 1e-9 else 0.0
    return order, contrast, near, len(np.unique(nearest)) / len(best)


def _layout(matches: Sequence[Match], suspect: Side, source: Side, weights: Floats) -> list[float]:
    """Return the shares of passages that moved and that were cut or merged, and of both texts' words in passages."""
    moved = float(weights @ np.array([match.moved for match in matches], dtype=np.float64))
    joined = sum(match.suspect[0] != match.suspect[1] or match.source[0] != match.source[1] for match in matches)
    shares = []
    for side, runs in ((suspect, [one.suspect for one in matches]), (source, [one.source for one in matches])):
        inside = sum(int(side.words[first : last + 1].sum()) for first, last in runs)
        shares.append(inside / max(1, int(side.words.sum())))
    return [moved, joined / len(matches), max(shares), min(shares)]


@dataclass(frozen=True, eq=False)
class Judge:
    """Two logistic regressions over scaled numbers: was one made from the other (DECISIVE), and how (NAMES and STYLE).

    `centre`, `spread` (N,) are those of NAMES and STYLE; `derived` (len(DECISIVE),) with `derived_bias`; `kinds`
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
        return float(expit(np.clip(chosen @ self.derived + self.derived_bias, -30.0, 30.0)))

    def kinds_of(self, numbers: Floats) -> dict[Relation, float]:
        """Return the probability of each of RELATIONS, given that it was, by the numbers NAMES and STYLE."""
        logits = self.kinds @ self._scaled(numbers) + self.kinds_bias
        shares = np.exp(logits - logits.max())
        return _millionths((shares / shares.sum()).tolist())

    def _scaled(self, numbers: Floats) -> Floats:
        return scale(numbers, self.centre[: len(numbers)], self.spread[: len(numbers)])


def _millionths(shares: Sequence[float]) -> dict[Relation, float]:
    """Round shares to millionths that sum to exactly one, by largest remainder; by name."""
    scaled = [share * 1_000_000 for share in shares]
    whole = [int(value) for value in scaled]
    order = sorted(range(len(scaled)), key=lambda i: (whole[i] - scaled[i], i))
    for i in order[: 1_000_000 - sum(whole)]:
        whole[i] += 1
    return {name: value / 1_000_000 for name, value in zip(RELATIONS, whole, strict=True)}


def scale(numbers: Floats, centre: Floats, spread: Floats) -> Floats:
    """Return numbers in standard deviations from the centre, cut off at FURTHEST."""
    return np.clip((numbers - centre) / spread, -FURTHEST, FURTHEST)


def _is_copy(suspect: Side, source: Side) -> bool:
    """Return whether two derived texts are one: few words, which only the same ones are compared of, or all alike."""
    few = min(int(side.words.sum()) for side in (suspect, source)) < FEWEST_WORDS
    return few or suspect.text.split() == source.text.split()


def _obstacle(documents: Documents, sides: Sequence[Side]) -> Obstacle | None:
    """Return why nothing can be said of two texts; the same words twice are the same, however few they are."""
    if min(int(side.words.sum()) for side in sides) == 0:
        return "too_short"
    if "not_english" in reasons(documents, FEWEST_WORDS):
        return "not_english"
    if min(int(side.words.sum()) for side in sides) < FEWEST_WORDS and sides[0].bags != sides[1].bags:
        return "too_short"
    return None

"""Numbers about two matched texts, from which the judge decides: was one made from the other, and how?

Texts about the same event share names, numbers and quotations. A text made from the other also shares plain words, runs
of words, and the order of its sentences. How it was made shows in what became of the words: a spinner replaces words
one for one, a translator rephrases.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from unspun.model.comparing.sentences import MOST_PAIRS, SentenceMatch, similar_sentences
from unspun.model.comparing.texts import Floats, PreparedText, TextWords
from unspun.model.language.vocabulary import SPECIALS

USUAL_COSINE = 0.2
"""Cosine of a word and its replacement if one of them has no vector."""
FEWEST_OWN = 8
"""Own words below which a text's content words are counted instead."""
FEWEST_IN_SENTENCE = 4
"""Words of a sentence below which it is left out where the order of sentences is measured."""

_NAMES = """
content_larger content_smaller own_larger own_smaller replaced_larger replaced_smaller function_larger
bag types bigrams trigrams fivegrams
order contrast nearest distinct
moved joined matched_larger matched_smaller
equal inflected replaced phrases inserted deleted rewritten
function_kept content_kept function_lost function_new
content_for_content function_for_function
inflected_of_changes replaced_of_changes phrases_of_changes inserted_of_changes deleted_of_changes
cosine rarer longer
length length_change length_spread kept kept_spread pauses scrambled longest runs first last
"""
NAMES = tuple(_NAMES.split())
"""Names of the numbers that `measure` returns. `_larger` and `_smaller` are the larger and the smaller share of the
two texts; `_of_changes` are shares of the changed words only."""
_CHANGES = ("equal", "inflected", "replaced", "phrases", "inserted", "deleted", "rewritten")


def measure(
    matches: Sequence[SentenceMatch], suspect: PreparedText, source: PreparedText, directions: Floats
) -> Floats:
    """Return the numbers NAMES, in that order; all are 0 if no sentences match.

    Args:
        matches: the matched sentences, M of them.
        suspect: the text that may have been made from the other.
        source: the other text.
        directions: (V, E) the vocabulary's word vectors, scaled to length 1.
    """
    if not matches:
        return np.zeros(len(NAMES))
    words = _Outcomes(matches, suspect, source, directions)
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


class _Outcomes:
    """What became of each word in the matched passages.

    `same` and `replaced`, each for the suspect and the source, mark the words (N,) that are in both texts (1.0) and
    those that were replaced (0.5). `weights` (M,) are the passages' shares of the words. `count` has the words by
    change; `kept` and `lost` count the source's words, `new` the suspect's: True for function words, False for others.
    """

    def __init__(
        self, matches: Sequence[SentenceMatch], suspect: PreparedText, source: PreparedText, directions: Floats
    ) -> None:
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
            a, b = suspect.characters(match.suspect), source.characters(match.source)
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
        """Count a pair: the suspect's words first:last and the source's words start:stop. Return how many are equal."""
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
            self.cosines.append(float(self._directions[ids[0]] @ self._directions[ids[1]]) if known else USUAL_COSINE)
            self.rarer.append(float(ours.weight[place] - theirs.weight[was]))
            self.longer.append(int(ours.length[place] - theirs.length[was]))

    def found_again(self) -> list[float]:
        """Return the shares of words, weighted by rarity, that are in the matched passages of both texts.

        For content words, own words, and own words with replaced ones at half weight: the larger and the smaller share
        of the two texts. For function words: the larger.
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
        """Return how words changed: shares of all aligned words, of function and content words, and of all changes."""
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
            # Shrunk towards the usual value if there are few.
            (sum(self.cosines) + 5 * USUAL_COSINE) / (len(self.cosines) + 5),
            sum(self.rarer) / (len(self.rarer) + 3),
            sum(self.longer) / (len(self.longer) + 3),
        ]

    def passages(self, matches: Sequence[SentenceMatch], suspect: PreparedText, source: PreparedText) -> list[float]:
        """Return how passages differ in length, words kept, pauses and word order, and at their ends."""
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


def _own(words: TextWords) -> NDArray[np.bool_]:
    return words.own if words.own.sum() >= FEWEST_OWN else ~words.function


def _share(weights: Floats, found: Floats) -> float:
    total = float(weights.sum())
    return float(weights @ found) / total if total > 0 else 0.0


def _mean_and_spread(values: Floats, weights: Floats) -> tuple[float, float]:
    mean = float(weights @ values)
    return mean, math.sqrt(float(weights @ (values - mean) ** 2))


def _shared(suspect: TextWords, source: TextWords) -> list[float]:
    """Return the shares of words that both texts have: own words by weight and by type, runs of 2, 3 and 5 words."""
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


def _runs(words: TextWords, length: int) -> set[tuple[str, ...]]:
    """Return the runs of words without names, numbers and quotations that have at least one own word."""
    if len(words) < length:
        return set()
    window = np.ones(length)
    plain = np.convolve(words.own | words.function, window, "valid") == length
    plain &= np.convolve(words.own, window, "valid") > 0
    return set(itertools.compress(zip(*(words.stems[i:] for i in range(length)), strict=False), plain.tolist()))


def _order(suspect: PreparedText, source: PreparedText) -> tuple[float, float, float, float]:
    """Compare each sentence of the shorter text with the most similar one of the other.

    Returns how well those follow the order of the text (-1 to 1), how much more similar they are than the rest, how
    similar they are, and the share of them that are different sentences.
    """
    one, other = np.flatnonzero(suspect.words >= FEWEST_IN_SENTENCE), np.flatnonzero(source.words >= FEWEST_IN_SENTENCE)
    if min(len(one), len(other)) == 0 or len(suspect) * len(source) > MOST_PAIRS:
        return 0.5, 0.5, 0.5, 1.0
    alike = np.zeros((len(suspect), len(source)))
    rows, columns, values = similar_sentences(suspect, source, least=0.0)
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


def _layout(
    matches: Sequence[SentenceMatch], suspect: PreparedText, source: PreparedText, weights: Floats
) -> list[float]:
    """Return the shares of passages that were moved, and split or merged; and of each text's words that are matched."""
    moved = float(weights @ np.array([match.moved for match in matches], dtype=np.float64))
    joined = sum(match.suspect[0] != match.suspect[1] or match.source[0] != match.source[1] for match in matches)
    shares = []
    for side, runs in ((suspect, [one.suspect for one in matches]), (source, [one.source for one in matches])):
        inside = sum(int(side.words[first : last + 1].sum()) for first, last in runs)
        shares.append(inside / max(1, int(side.words.sum())))
    return [moved, joined / len(matches), max(shares), min(shares)]

"""An article spinner: it replaces words and phrases of a text, and reports exactly which.

A `Spinner` is one or more thesauri, a table of phrases and `Knobs`: ranges from which the `Manner` of each document is
drawn, because documents from one tool differ less than the tools do. The same text, generator state and sources give
the same paraphrase, in every process.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Literal, NamedTuple, TypeVar

import numpy as np

from unspun.training.machines.base import Machine, Paraphrase, Substitution
from unspun.training.machines.inflection import TAG_POS, Inflection, Pos, Tag, frequency
from unspun.training.machines.phrase_table import SpinnerPhrases
from unspun.training.machines.synonyms import LemmaThesaurus, Thesaurus
from unspun.training.machines.words import TAG_FIT, Capitals, SpinnableWords, indefinite_article, read_words, recase

_T = TypeVar("_T")

Choice = Literal["plausible", "first", "random", "rare"]
MAX_REPLACEMENTS = 25
"""Replacements of one reading of a word that are considered."""


@dataclass(frozen=True, slots=True)
class Manner:
    """The settings with which one document is spun."""

    rate: float = 0.4
    """Share of the words with a replacement that are replaced."""
    phrase_rate: float = 0.0
    """Share of the phrases found in the table that are replaced. Phrases are tried before words."""
    choice: Choice = "plausible"
    """Prefer likely replacements, always take the first, draw uniformly, or prefer rare words."""
    inflection: Inflection = "correct"
    multiword: bool = True
    """Whether a phrase may replace a word."""
    pos: frozenset[Pos] = frozenset(("noun", "verb", "adj", "adv"))
    """Parts of speech that are replaced."""
    context: bool = True
    """Guess the part of speech from the word before; otherwise use any reading of the word."""
    consistent: bool = False
    """Treat every occurrence of a word in a document alike."""
    capitals: Capitals = "kept"
    """The replacement of a capitalised word: capitalised, in lower case, or with every word capitalised."""
    names: bool = False
    """Replace capitalised words inside sentences too."""
    quotes: bool = True
    """Replace words inside quotation marks too."""
    articles: bool = True
    """Change "a" to "an" and back where a replacement requires it. That is a substitution of its own."""
    spintax: float = 0.0
    """Share of replacements left in the tool's markup: "{word|replacement}"."""
    source: int | None = 0
    """Index of the thesaurus used for the document; None draws one for every word."""


@dataclass(frozen=True, slots=True)
class Knobs:
    """The ranges from which the manner of each document is drawn. Plain numbers are probabilities."""

    rate: tuple[float, float] = (0.15, 1.0)
    phrase_rate: tuple[float, float] = (0.0, 0.0)
    choices: Mapping[Choice, float] = field(default_factory=lambda: {"plausible": 1.0})
    inflections: Mapping[Inflection, float] = field(default_factory=lambda: {"correct": 1.0})
    multiword: float = 0.7
    all_pos: float = 0.7
    context: float = 0.6
    consistent: float = 0.4
    capitals: Mapping[Capitals, float] = field(default_factory=lambda: {"kept": 0.85, "lost": 0.1, "title": 0.05})
    names: float = 0.1
    quotes: float = 0.7
    articles: float = 0.5
    spintax: float = 0.01
    per_word_source: bool = False

    def draw(self, rng: np.random.Generator, sources: int) -> Manner:
        """Draw the manner of one document for a spinner with this many thesauri."""
        low, high = self.rate
        pos = frozenset(TAG_POS.values())
        if rng.random() >= self.all_pos:
            # Simple tools avoid verbs because of their forms; tools built on word vectors take one class at a time.
            subsets: tuple[tuple[Pos, ...], ...] = (("noun",), ("noun", "adj"), ("noun", "adj", "adv"), ("verb",))
            pos = frozenset(subsets[int(rng.integers(len(subsets)))])
        return Manner(
            # Skewed to the lower half: most real spun text keeps most of its words.
            rate=low + (high - low) * float(rng.beta(1.3, 1.7)),
            phrase_rate=float(rng.uniform(*self.phrase_rate)),
            choice=_draw(self.choices, rng),
            inflection=_draw(self.inflections, rng),
            multiword=bool(rng.random() < self.multiword),
            pos=pos,
            context=bool(rng.random() < self.context),
            consistent=bool(rng.random() < self.consistent),
            capitals=_draw(self.capitals, rng),
            names=bool(rng.random() < self.names),
            quotes=bool(rng.random() < self.quotes),
            articles=bool(rng.random() < self.articles),
            spintax=float(rng.uniform(0.02, 0.3)) if rng.random() < self.spintax else 0.0,
            source=None if self.per_word_source else int(rng.integers(sources)) if sources else None,
        )


class WordOptions(NamedTuple):
    """The replacements of one reading of a word, with cumulative weights by plausibility and by rarity."""

    tag: Tag
    weight: float
    words: tuple[str, ...]
    plausible: tuple[float, ...]
    rare: tuple[float, ...]


class SpinnerEdit(NamedTuple):
    """Characters [start, end) of the source text become `replacement`."""

    start: int
    end: int
    replacement: str


class Spinner(Machine):
    """A machine that replaces words and phrases."""

    kind = "spun"

    def __init__(
        self,
        name: str,
        thesauri: Sequence[Thesaurus],
        knobs: Knobs | None = None,
        phrases: SpinnerPhrases | None = None,
    ) -> None:
        """Take one or more thesauri, the ranges of the manner, and a phrase table."""
        self.name = name
        self.thesauri = tuple(thesauri)
        self.knobs = knobs or Knobs()
        self.phrases = phrases
        self._options: dict[tuple[int, Inflection, bool], dict[str, tuple[WordOptions, ...]]] = {}

    def paraphrase(self, text: str, rng: np.random.Generator) -> Paraphrase:
        """Paraphrase a text in a manner drawn for it."""
        return self.paraphrase_as(text, self.knobs.draw(rng, len(self.thesauri)), rng)

    def paraphrase_as(self, text: str, manner: Manner, rng: np.random.Generator) -> Paraphrase:
        """Paraphrase a text in the given manner."""
        words = read_words(text, names=manner.names, quotes=manner.quotes)
        # Selection, reading, replacement, thesaurus, markup: always five numbers a word, used or not.
        chances: list[list[float]] = rng.random((len(words), 5)).tolist()
        edits: list[SpinnerEdit] = []
        first_seen: dict[str, list[float]] = {}
        i = 0
        while i < len(words):
            if not words.free[i]:
                i += 1
                continue
            chance = chances[i]
            if manner.consistent:
                chance = first_seen.setdefault(words.folded[i], chance)
            replacement, length = None, 1
            if self.phrases is not None and chance[0] < manner.phrase_rate:
                phrase = self.phrases.match(words, i)
                if phrase is not None:
                    replacement = _weighted(phrase.replacements, phrase.bounds, chance[2])
                    length = len(phrase.words)
            if replacement is None and chance[0] < manner.rate:
                replacement = self._replacement(words, i, manner, chance)
            if replacement is not None:
                last_end = edits[-1].end if edits else 0
                edits += _edits(words, i, length, replacement, manner, chance[4], last_end)
            i += length
        return _apply(text, edits)

    def _replacement(self, words: SpinnableWords, i: int, manner: Manner, chance: list[float]) -> str | None:
        """Draw the replacement of word `i`, or None if it has none."""
        source = int(chance[3] * len(self.thesauri)) if manner.source is None else manner.source
        options = self._options_of(words.folded[i], source, manner) if self.thesauri else ()
        if not options:
            return None
        context = words.context_before(i) if manner.context else None
        fit, otherwise = TAG_FIT[context] if context else ({}, 1.0)
        weights = [
            option.weight * fit.get(option.tag, otherwise) if TAG_POS[option.tag] in manner.pos else 0.0
            for option in options
        ]
        bounds = tuple(accumulate(weights))
        if bounds[-1] <= 0.0:
            return None
        option = _weighted(options, bounds, chance[1])
        if manner.choice == "first":
            return option.words[0]
        if manner.choice == "random":
            return option.words[int(chance[2] * len(option.words))]
        return _weighted(option.words, option.rare if manner.choice == "rare" else option.plausible, chance[2])

    def _options_of(self, word: str, source: int, manner: Manner) -> tuple[WordOptions, ...]:
        table = self._options.setdefault((source, manner.inflection, manner.multiword), {})
        options = table.get(word)
        if options is None:
            thesaurus = self.thesauri[source]
            if isinstance(thesaurus, LemmaThesaurus):
                thesaurus = thesaurus.with_inflection(manner.inflection)
            options = table[word] = tuple(_prepare(thesaurus, word, manner.multiword))
        return options


def _prepare(thesaurus: Thesaurus, word: str, multiword: bool) -> Iterator[WordOptions]:
    """Yield the replacements of each reading of a word, with weights accumulated for drawing."""
    for tag, weight, alternatives in thesaurus.readings(word):
        kept = [(form, share) for form, share in alternatives if multiword or " " not in form][:MAX_REPLACEMENTS]
        if kept:
            forms = tuple(form for form, _ in kept)
            rarity = (1.0 / (frequency(form) + 1e-7) ** 0.5 for form in forms)
            plausibility = tuple(accumulate(share for _, share in kept))
            yield WordOptions(tag, weight, forms, plausibility, tuple(accumulate(rarity)))


def _edits(
    words: SpinnableWords, i: int, length: int, replacement: str, manner: Manner, chance: float, last_end: int
) -> Iterator[SpinnerEdit]:
    """Yield the edit of `length` words from word `i` on, preceded by one of the article before them if it must change.

    An article before `last_end`, the end of the last edit, was replaced already.
    """
    start, end = words.starts[i], words.ends[i + length - 1]
    source = words.text[start:end]
    replacement = recase(replacement, source, manner.capitals)
    if replacement == source:
        return
    if manner.articles and i and words.folded[i - 1] in ("a", "an"):
        article, article_start = indefinite_article(replacement), words.starts[i - 1]
        if article != words.folded[i - 1] and words.gap_before(i) == " " and article_start >= last_end:
            yield SpinnerEdit(article_start, words.ends[i - 1], recase(article, words.text[article_start], "kept"))
    if chance < manner.spintax:
        replacement = f"{{{source}|{replacement}}}"
    yield SpinnerEdit(start, end, replacement)


def _apply(text: str, edits: Sequence[SpinnerEdit]) -> Paraphrase:
    pieces: list[str] = []
    substitutions: list[Substitution] = []
    at = length = 0
    for start, end, replacement in edits:
        length += start - at
        pieces += (text[at:start], replacement)
        substitutions.append(Substitution(length, length + len(replacement), text[start:end]))
        length += len(replacement)
        at = end
    return Paraphrase("".join((*pieces, text[at:])), tuple(substitutions))


def _draw(shares: Mapping[_T, float], rng: np.random.Generator) -> _T:
    """Draw a key by its share, in insertion order."""
    return _weighted(list(shares), tuple(accumulate(shares.values())), float(rng.random()))


def _weighted(items: Sequence[_T], bounds: Sequence[float], chance: float) -> _T:
    """Return the item whose share of the cumulative weights contains `chance`, from [0, 1)."""
    return items[min(bisect_right(bounds, chance * bounds[-1]), len(items) - 1)]

"""Machine paraphrasers to learn against: they replace words and phrases of a text and say exactly which.

Real article spinners are closed, so these imitate what is known of them, from sources so different that
leaving one out of training means something: WordNet synonyms, a big thesaurus without parts of speech,
neighbours by word vectors, phrase-for-phrase idioms, other WordNet relations, and a mixture of all.

A `Spinner` is a thesaurus (or several), a table of phrases and `Knobs`: ranges from which each document draws
its `Manner`, because one tool's documents differ less from each other than the tools do. The same text, the
same generator state and the same sources give the same paraphrase, whatever the hash seed.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, TypeVar

import numpy as np

from unspun.training.corpora.roles import default_roles
from unspun.training.machines.inflection import TAG_POS, Pos, Tag, analyse, frequency, inflect
from unspun.training.machines.synonyms import (
    FUNCTION_WORDS,
    Inflection,
    LemmaThesaurus,
    Moby,
    MyThes,
    Neighbours,
    Thesaurus,
    WordNet,
    word_vectors,
)

_T = TypeVar("_T")

Choice = Literal["plausible", "first", "random", "rare"]
Capitals = Literal["kept", "lost", "title"]


@dataclass(frozen=True, slots=True)
class Substitution:
    """A replaced passage: characters [start, end) of the paraphrase stand where `original` stood."""

    start: int
    end: int
    original: str


@dataclass(frozen=True, slots=True)
class Paraphrase:
    """A paraphrased text and its substitutions in order; they do not overlap."""

    text: str
    substitutions: tuple[Substitution, ...]

    def undo(self) -> str:
        """Return the text before paraphrasing."""
        pieces: list[str] = []
        at = 0
        for substitution in self.substitutions:
            pieces += (self.text[at : substitution.start], substitution.original)
            at = substitution.end
        return "".join((*pieces, self.text[at:]))


class Paraphraser(Protocol):
    """Anything that paraphrases a text and tells what it replaced."""

    @property
    def name(self) -> str:
        """Name of the tool."""
        ...

    def paraphrase(self, text: str, rng: np.random.Generator) -> Paraphrase:
        """Paraphrase a text; the generator decides everything that is left to chance."""
        ...


@dataclass(frozen=True, slots=True)
class Manner:
    """How one document is spun."""

    rate: float = 0.4
    """Share replaced of the words that have a replacement."""
    phrase_rate: float = 0.0
    """Share replaced of the matches of the phrase table, which goes before words."""
    choice: Choice = "plausible"
    """Likely alternatives more often, always the first, any alike, or rare words more often."""
    inflection: Inflection = "correct"
    multiword: bool = True
    """Whether a phrase may replace a word."""
    pos: frozenset[Pos] = frozenset(("noun", "verb", "adj", "adv"))
    """Parts of speech that are replaced."""
    context: bool = True
    """Guess the part of speech by the word before; otherwise any reading of the word may be taken."""
    consistent: bool = False
    """Replace a word everywhere or nowhere in a document, and always alike."""
    capitals: Capitals = "kept"
    """A capitalised word's replacement: capitalised too, lower case, or with every word capitalised."""
    names: bool = False
    """Replace capitalised words inside sentences too."""
    quotes: bool = True
    """Replace inside quotation marks too."""
    articles: bool = True
    """Turn "a" into "an", and back, where a replacement needs it; that is a substitution of its own."""
    spintax: float = 0.0
    """Share of replacements left as the tool's markup: "{word|replacement}"."""
    source: int | None = 0
    """Which of the spinner's thesauri serves the document; None: drawn for every word."""


@dataclass(frozen=True, slots=True)
class Knobs:
    """The ranges a spinner's documents draw their manner from. Plain numbers are probabilities."""

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
        """Draw the manner of one document for a spinner of so many thesauri."""
        low, high = self.rate
        pos = frozenset(TAG_POS.values())
        if rng.random() >= self.all_pos:
            # Simple tools leave verbs alone, because of their forms; word-vector ones take one class at a
            # time.
            kinds: tuple[tuple[Pos, ...], ...] = (
                ("noun",),
                ("noun", "adj"),
                ("noun", "adj", "adv"),
                ("verb",),
            )
            pos = frozenset(kinds[int(rng.integers(len(kinds)))])
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


def _draw(shares: Mapping[_T, float], rng: np.random.Generator) -> _T:
    """Draw a key by its share, in the order the keys were written."""
    bounds = list(accumulate(shares.values()))
    return list(shares)[min(bisect_right(bounds, float(rng.random()) * bounds[-1]), len(bounds) - 1)]


# ---------------------------------------------------------------------------------------------------- the
# text

_TOKENS = re.compile(
    # Left alone: links, addresses, handles, anything with a digit or underscore, the possessive s.
    r"(?P<skip>https?://\S+|www\.\S+|[\w.+-]+@[\w.-]+|[@#]\w+|[^\W\d_]*[\d_]\w*|(?<=\w)['’]s\b)"
    # A word; an inner apostrophe belongs to it ("don't") except before that s.
    r"|[^\W\d_]+(?:['’](?!s\b)[^\W\d_]+)*"
)
_SENTENCE_BREAK = re.compile(r"[.!?:\n\"“”]")
_QUOTATION = re.compile(r"“[^”\n]{1,600}”|\"[^\"\n]{1,600}\"")
_TITLES = frozenset(
    (
        "mr",
        "mrs",
        "ms",
        "dr",
        "st",
        "prof",
        "gen",
        "sen",
        "rep",
        "gov",
        "lt",
        "col",
        "capt",
        "sgt",
        "rev",
        "jr",
        "sr",
    )
)


class _Words(NamedTuple):
    """The words of a text: spans, folded spelling, and whether each may be replaced."""

    starts: list[int]
    ends: list[int]
    folded: list[str]
    free: list[bool]


def _read_words(text: str, manner: Manner) -> _Words:
    """Find the words of a text and which of them the manner leaves alone: names, quotations, links."""
    words = _Words([], [], [], [])
    quoted = [] if manner.quotes else [match.span() for match in _QUOTATION.finditer(text)]
    names: set[str] = set()
    starters: list[int] = []
    before, at_quote = "", 0
    for match in _TOKENS.finditer(text):
        start, end = match.span()
        word = match.group()
        folded = word.lower()
        free = match.lastgroup != "skip" and len(word) > 1
        if free and not manner.names and not word.islower():
            gap = text[words.ends[-1] if words.ends else 0 : start]
            opens = not words.ends or (_SENTENCE_BREAK.search(gap) and before not in _TITLES and len(before) > 1)
            if not opens or not (len(word) > 1 and word[1:].islower()):
                names.add(folded)
                free = False
            else:
                starters.append(len(words.starts))
        while at_quote < len(quoted) and quoted[at_quote][1] <= start:
            at_quote += 1
        if at_quote < len(quoted) and quoted[at_quote][0] <= start:
            free = False
        words.starts.append(start)
        words.ends.append(end)
        words.folded.append(folded)
        words.free.append(free)
        before = folded
    for i in starters:
        # A sentence may open with a name that stands inside another one.
        if words.folded[i] in names:
            words.free[i] = False
    return words


# Factors on the readings of a word by the word before it; forms not named get the last one.
_FIT: dict[str, tuple[dict[Tag, float], float]] = {
    "determiner": ({"NN": 1, "NNS": 1, "JJ": 1, "JJR": 1, "JJS": 1, "VBG": 0.3, "VBN": 0.3, "RB": 0.2}, 0.01),
    "to": ({"VB": 1, "NN": 0.3, "NNS": 0.3, "JJ": 0.2, "RB": 0.3, "VBG": 0.1}, 0.01),
    "modal": ({"VB": 1, "RB": 0.5, "NN": 0.05, "JJ": 0.05}, 0.01),
    "have": ({"VBN": 1, "RB": 0.3, "NN": 0.2, "NNS": 0.2, "JJ": 0.2}, 0.02),
    "be": ({"VBG": 1, "VBN": 1, "JJ": 1, "JJR": 1, "RB": 0.5, "NN": 0.3, "NNS": 0.3}, 0.01),
    "subject": ({"VBD": 1, "VBZ": 1, "VB": 1, "RB": 0.5}, 0.03),
    "preposition": ({"NN": 1, "NNS": 1, "JJ": 1, "JJR": 1, "JJS": 1, "VBG": 1, "RB": 0.2, "VBN": 0.2}, 0.01),
}
_BEFORE: dict[str, str] = {
    word: kind
    for kind, words in {
        "determiner": "a an the this that these those my your his its our their some any no every each another",
        "to": "to",
        "modal": "can could may might must shall should will would do does did don't doesn't didn't can't won't",
        "have": "has have had having hasn't haven't hadn't",
        "be": "am is are was were be been being isn't aren't wasn't weren't",
        "subject": "i you he she it we they who",
        "preposition": "of in on at by for with from into onto over under about between through during "
        "against without within across along among toward towards",
    }.items()
    for word in words.split()
}


_CONTRACTED_WITH_IS = frozenset(("he", "she", "it", "that", "there", "what", "who", "where", "here"))


def _kind_before(text: str, words: _Words, i: int) -> str | None:
    """Return what the word before word `i` says of it: a kind of `_FIT`, or None."""
    if not text[words.ends[i - 1] : words.starts[i]].isspace():
        return None
    before = words.folded[i - 1]
    if before in ("'s", "’s"):
        pronoun = i > 1 and words.folded[i - 2] in _CONTRACTED_WITH_IS
        return "be" if pronoun else "determiner"
    return _BEFORE.get(before)


def _recase(replacement: str, source: str, capitals: Capitals) -> str:
    """Give a replacement the capitals of what it replaces, as the manner has it."""
    if len(source) > 1 and source.isupper():
        return replacement.upper()
    if not source[:1].isupper() or capitals == "lost":
        return replacement
    if capitals == "title":
        return " ".join(word[:1].upper() + word[1:] for word in replacement.split(" "))
    return replacement[:1].upper() + replacement[1:]


_SOUNDS_LIKE_CONSONANT = re.compile(r"(eu|ew|one\b|once|uni([^nm]|$)|us[aeiu]|ut[ei]|u[bk]i)")
_SILENT_H = re.compile(r"(hour|honest|honou?r|heir)")


def indefinite_article(word: str) -> str:
    """Return "a" or "an" as the word's first sound asks, by its spelling."""
    word = word.lower()
    if word[:1] in "aeiou" and not _SOUNDS_LIKE_CONSONANT.match(word):
        return "an"
    return "an" if _SILENT_H.match(word) else "a"


# ---------------------------------------------------------------------------------------------------- phrases


class _Phrase(NamedTuple):
    """A phrase of the table: its words, what parts them, and its replacements with cumulated weights."""

    words: tuple[str, ...]
    gaps: tuple[str, ...]
    replacements: tuple[str, ...]
    bounds: tuple[float, ...]


class PhraseTable:
    """Phrases (or single words) with replacements, found by their first word, longest first."""

    def __init__(self, rows: Iterable[tuple[str, str, float]]) -> None:
        """Take rows of original, replacement and weight (any unit); repeated rows add up."""
        weights: dict[str, dict[str, float]] = {}
        for original, replacement, weight in rows:
            if original and replacement and original != replacement:
                pool = weights.setdefault(original, {})
                pool[replacement] = pool.get(replacement, 0.0) + weight
        self._by_first: dict[str, list[_Phrase]] = {}
        for original, pool in weights.items():
            matches = list(_TOKENS.finditer(original))
            if not matches or matches[0].start() != 0 or matches[-1].end() != len(original):
                continue  # opens or closes with a sign, which is no word to look up
            words = tuple(match.group() for match in matches)
            gaps = tuple(original[a.end() : b.start()] for a, b in pairwise(matches))
            phrase = _Phrase(words, gaps, tuple(pool), tuple(accumulate(pool.values())))
            self._by_first.setdefault(words[0], []).append(phrase)
        for phrases in self._by_first.values():
            phrases.sort(key=lambda phrase: -len(phrase.words))

    def __len__(self) -> int:
        return sum(map(len, self._by_first.values()))

    def match(self, text: str, words: _Words, i: int) -> _Phrase | None:
        """Return the longest phrase that the text has from its word `i` on, all of it free to be replaced."""
        for phrase in self._by_first.get(words.folded[i], ()):
            n = len(phrase.words)
            if n == 1:
                return phrase
            if tuple(words.folded[i : i + n]) == phrase.words and all(
                words.free[i + k] and text[words.ends[i + k - 1] : words.starts[i + k]] == phrase.gaps[k - 1]
                for k in range(1, n)
            ):
                return phrase
        return None


def read_phrases(path: Path | None = None) -> list[tuple[str, str, float]]:
    """Return original, replacement and weight from the phrase file, by default the one beside this module."""
    path = path or Path(__file__).with_name("phrases.tsv")
    rows: list[tuple[str, str, float]] = []
    for line in _data_lines(path):
        original, _, replacements = line.partition("\t")
        rows += [(original, replacement, 1.0 / (i + 1)) for i, replacement in enumerate(replacements.split("|"))]
    return rows


def read_lexicons(directory: Path) -> list[tuple[str, str, float]]:
    """Return known substitutions turned round: what people write, what machines made of it, weight.

    Reads `spinner_pairs.tsv` (spun, original, documents, source) and `tortured_phrases.tsv` (phrase, expected
    term) where the folder has them. A term that ends in a singular noun is given in the plural as well.
    """
    rows: list[tuple[str, str, float]] = []
    rows_of = default_roles().lexicon_rows
    for line in _data_lines(directory / "spinner_pairs.tsv"):
        spun, original, documents, known = line.split("\t")[:4]
        if rows_of.get(known, "train") != "train":
            continue
        rows.append((original, spun, 1.0 + int(documents)))
    for line in _data_lines(directory / "tortured_phrases.tsv"):
        phrase, _, expected = line.partition("\t")
        # Notes stand in brackets; "???" and "a / b" say that the original is not known for certain.
        expected = re.sub(r"\s*\([^)]*\)", "", expected).strip()
        if expected in FUNCTION_WORDS:
            continue  # slips of single tools ("and" taken for an abbreviation) that would be everywhere
        if re.fullmatch(r"[a-z][a-z' -]+[a-z]", expected) and re.fullmatch(r"[a-z][a-z' -]+[a-z]", phrase):
            rows.append((expected, phrase, 1.0))
            if _ends_in_singular(expected) and _ends_in_singular(phrase):
                rows.append((_plural(expected), _plural(phrase), 1.0))
    return rows


def _data_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a file that are neither blank nor comments; nothing if there is no such file."""
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.strip() and not line.startswith("#"):
                yield line


def _ends_in_singular(term: str) -> bool:
    readings = analyse(re.split(r"[ -]", term)[-1])
    return bool(readings) and readings[0].tag == "NN"


def _plural(term: str) -> str:
    head, space, last = term.rpartition(" ")
    return f"{head}{space}{inflect(last, 'NNS')}"


# ---------------------------------------------------------------------------------------------------- the
# spinner


class _Options(NamedTuple):
    """The replacements of one reading of a word, with cumulated weights by plausibility and by rarity."""

    tag: Tag
    weight: float
    words: tuple[str, ...]
    plausible: tuple[float, ...]
    rare: tuple[float, ...]


class _Edit(NamedTuple):
    """Characters [start, end) of the source text become `replacement`."""

    start: int
    end: int
    replacement: str


_CHOICES_KEPT = 25


class Spinner:
    """A paraphraser of words and phrases; see `Knobs` for what it can be told."""

    def __init__(
        self,
        name: str,
        thesauri: Sequence[Thesaurus],
        knobs: Knobs | None = None,
        phrases: PhraseTable | None = None,
    ) -> None:
        """Take the thesauri (one, or several to draw from), the ranges of its manner, and a phrase table."""
        self.name = name
        self.thesauri = tuple(thesauri)
        self.knobs = knobs or Knobs()
        self.phrases = phrases
        self._options: dict[tuple[int, Inflection, bool], dict[str, tuple[_Options, ...]]] = {}

    def __getstate__(self) -> dict[str, object]:
        """Pickle without the prepared words."""
        return {**self.__dict__, "_options": {}}

    def paraphrase(self, text: str, rng: np.random.Generator) -> Paraphrase:
        """Paraphrase a text in a manner drawn for it."""
        return self.paraphrase_as(text, self.knobs.draw(rng, len(self.thesauri)), rng)

    def paraphrase_as(self, text: str, manner: Manner, rng: np.random.Generator) -> Paraphrase:
        """Paraphrase a text in the manner given."""
        words = _read_words(text, manner)
        # Select, reading, alternative, thesaurus, markup: five numbers a word, whatever becomes of it.
        chances: list[list[float]] = rng.random((len(words.starts), 5)).tolist()
        return _apply(text, self._edits(text, words, manner, chances))

    def _edits(self, text: str, words: _Words, manner: Manner, chances: list[list[float]]) -> list[_Edit]:
        """Decide word by word; a phrase found goes before its words."""
        edits: list[_Edit] = []
        first_seen: dict[str, list[float]] = {}
        i = 0
        while i < len(words.starts):
            if not words.free[i]:
                i += 1
                continue
            chance = chances[i]
            if manner.consistent:
                chance = first_seen.setdefault(words.folded[i], chance)
            replacement, length = None, 1
            if self.phrases is not None and chance[0] < manner.phrase_rate:
                phrase = self.phrases.match(text, words, i)
                if phrase is not None:
                    replacement, length = (
                        _weighted(phrase.replacements, phrase.bounds, chance[2]),
                        len(phrase.words),
                    )
            if replacement is None and chance[0] < manner.rate:
                replacement = self._replacement(text, words, i, manner, chance)
            if replacement is not None:
                self._edit(edits, text, words, i, length, replacement, manner, chance)
            i += length
        return edits

    def _edit(
        self,
        edits: list[_Edit],
        text: str,
        words: _Words,
        i: int,
        length: int,
        replacement: str,
        manner: Manner,
        chance: list[float],
    ) -> None:
        """Add the edit of the words from `i` on and, where it must be, of the article before them."""
        start, end = words.starts[i], words.ends[i + length - 1]
        source = text[start:end]
        replacement = _recase(replacement, source, manner.capitals)
        if replacement == source:
            return
        if manner.articles and i and words.folded[i - 1] in ("a", "an"):
            article_start, article_end = words.starts[i - 1], words.ends[i - 1]
            untouched = not edits or edits[-1].end <= article_start
            article = indefinite_article(replacement)
            if untouched and article != words.folded[i - 1] and text[article_end:start] == " ":
                edits.append(_Edit(article_start, article_end, _recase(article, text[article_start], "kept")))
        if chance[4] < manner.spintax:
            replacement = f"{{{source}|{replacement}}}"
        edits.append(_Edit(start, end, replacement))

    def _replacement(self, text: str, words: _Words, i: int, manner: Manner, chance: list[float]) -> str | None:
        """Draw what stands for word `i`, or None if nothing does."""
        source = int(chance[3] * len(self.thesauri)) if manner.source is None else manner.source
        options = self._options_of(words.folded[i], source, manner) if self.thesauri else ()
        if not options:
            return None
        kind = _kind_before(text, words, i) if manner.context and i else None
        fit, otherwise = _FIT[kind] if kind else ({}, 1.0)
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

    def _options_of(self, word: str, source: int, manner: Manner) -> tuple[_Options, ...]:
        """Return the prepared replacements of a word, looked up once a process."""
        table = self._options.setdefault((source, manner.inflection, manner.multiword), {})
        options = table.get(word)
        if options is None:
            thesaurus = self.thesauri[source]
            if isinstance(thesaurus, LemmaThesaurus):
                thesaurus = thesaurus.with_inflection(manner.inflection)
            options = table[word] = tuple(_prepare(thesaurus, word, manner.multiword))
        return options


def _prepare(thesaurus: Thesaurus, word: str, multiword: bool) -> Iterator[_Options]:
    """Yield the replacements of each reading of a word, with their weights summed up for drawing."""
    for tag, weight, alternatives in thesaurus.readings(word):
        kept = [(form, share) for form, share in alternatives if multiword or " " not in form][:_CHOICES_KEPT]
        if kept:
            forms = tuple(form for form, _ in kept)
            rarity = (1.0 / (frequency(form) + 1e-7) ** 0.5 for form in forms)
            yield _Options(tag, weight, forms, tuple(accumulate(share for _, share in kept)), tuple(accumulate(rarity)))


def _weighted(items: Sequence[_T], bounds: Sequence[float], chance: float) -> _T:
    """Return the item in whose share of the cumulated weights the chance, from [0, 1), falls."""
    return items[min(bisect_right(bounds, chance * bounds[-1]), len(items) - 1)]


def _apply(text: str, edits: Sequence[_Edit]) -> Paraphrase:
    """Carry out edits, which are in order and do not overlap."""
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


# ---------------------------------------------------------------------------------------------------- the
# ensemble


def paraphrasers(lexicons: Path | None = None) -> dict[str, Paraphraser]:
    """Return the paraphrasers to train against, by name, always in the same order.

    Building them reads every source (about 20 seconds, once a process); words are prepared when first met.

    Args:
        lexicons: folder of `spinner_pairs.tsv` and `tortured_phrases.tsv` for `idioms`; without it that
        paraphraser
            knows only the phrases of `training/machines/phrases.tsv`.

    Raises:
        RuntimeError, FileNotFoundError: a source is missing; the message names the package.
    """
    common = read_phrases()
    plain_phrases = PhraseTable(common)
    idioms = PhraseTable([*common, *(read_lexicons(lexicons) if lexicons else ())])
    wordnet = WordNet()
    first_sense = WordNet(first_sense=True)
    relations = WordNet(relation_weights={"hypernym": 0.5, "hyponym": 0.5, "similar": 0.7, "cohyponym": 0.2})
    moby, near_moby, mythes = Moby(commonness=0.1), Moby(word_vectors(), commonness=0.3), MyThes()
    neighbours, near_words = Neighbours(), Neighbours(same_form=False)
    all_near_words = Neighbours(same_form=False, function_words=True)
    spinners = (
        Spinner(
            "wordnet",
            (wordnet,),
            Knobs(
                phrase_rate=(0.0, 0.3),
                choices={"plausible": 0.45, "first": 0.2, "random": 0.25, "rare": 0.1},
                inflections={"correct": 0.75, "naive": 0.1, "none": 0.15},
            ),
            plain_phrases,
        ),
        Spinner(
            "moby",
            (moby, near_moby),
            Knobs(
                phrase_rate=(0.0, 0.5),
                choices={"plausible": 0.2, "random": 0.45, "rare": 0.35},
                inflections={"correct": 0.85, "naive": 0.05, "none": 0.1},
            ),
            plain_phrases,
        ),
        Spinner(
            "neighbours",
            (neighbours, near_words, all_near_words),
            Knobs(
                rate=(0.1, 0.9),
                choices={"plausible": 0.35, "first": 0.1, "random": 0.25, "rare": 0.3},
                names=0.4,
                articles=0.2,
                consistent=0.3,
            ),
        ),
        Spinner(
            "idioms",
            (first_sense,),
            Knobs(
                rate=(0.05, 0.7),
                phrase_rate=(0.2, 1.0),
                choices={"plausible": 0.6, "first": 0.4},
                inflections={"correct": 0.95, "none": 0.05},
                all_pos=0.85,
                consistent=0.6,
                names=0.05,
            ),
            idioms,
        ),
        Spinner(
            "relations",
            (relations,),
            Knobs(
                choices={"plausible": 0.2, "random": 0.45, "rare": 0.35},
                inflections={"correct": 0.5, "none": 0.5},
                capitals={"kept": 0.45, "lost": 0.5, "title": 0.05},
                context=0.4,
                names=0.3,
            ),
        ),
        Spinner(
            "mixed",
            (wordnet, near_moby, neighbours, first_sense, relations, mythes),
            Knobs(
                rate=(0.05, 0.9),
                phrase_rate=(0.0, 1.0),
                choices={"plausible": 0.45, "random": 0.35, "rare": 0.2},
                inflections={"correct": 0.9, "naive": 0.05, "none": 0.05},
                per_word_source=True,
            ),
            idioms,
        ),
    )
    return {spinner.name: spinner for spinner in spinners}

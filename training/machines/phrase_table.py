"""The phrases that spinners replace, from our own list and from lexicons of real spinners' output."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import accumulate, pairwise
from pathlib import Path
from typing import NamedTuple

from unspun.training.corpora.roles import default_roles
from unspun.training.machines.inflection import analyse, inflect
from unspun.training.machines.synonyms import FUNCTION_WORDS
from unspun.training.machines.words import TOKENS, SpinnableWords

PHRASES = Path(__file__).with_name("phrases.tsv")


class TablePhrase(NamedTuple):
    """A phrase: its words, the gaps between them, and its replacements with cumulative weights."""

    words: tuple[str, ...]
    gaps: tuple[str, ...]
    replacements: tuple[str, ...]
    bounds: tuple[float, ...]


class SpinnerPhrases:
    """Phrases (or single words) with replacements, found by their first word, longest first."""

    def __init__(self, rows: Iterable[tuple[str, str, float]]) -> None:
        """Take rows of original, replacement and weight (any unit). The weights of repeated rows add up."""
        weights: dict[str, dict[str, float]] = {}
        for original, replacement, weight in rows:
            if original and replacement and original != replacement:
                pool = weights.setdefault(original, {})
                pool[replacement] = pool.get(replacement, 0.0) + weight
        self._by_first: dict[str, list[TablePhrase]] = {}
        for original, pool in weights.items():
            matches = list(TOKENS.finditer(original))
            if not matches or matches[0].start() != 0 or matches[-1].end() != len(original):
                continue  # it begins or ends with punctuation
            words = tuple(match.group() for match in matches)
            gaps = tuple(original[a.end() : b.start()] for a, b in pairwise(matches))
            phrase = TablePhrase(words, gaps, tuple(pool), tuple(accumulate(pool.values())))
            self._by_first.setdefault(words[0], []).append(phrase)
        for phrases in self._by_first.values():
            phrases.sort(key=lambda phrase: -len(phrase.words))

    def match(self, words: SpinnableWords, i: int) -> TablePhrase | None:
        """Return the longest phrase that starts at word `i` and may be replaced as a whole."""
        for phrase in self._by_first.get(words.folded[i], ()):
            n = len(phrase.words)
            if tuple(words.folded[i : i + n]) == phrase.words and all(
                words.free[i + k] and words.gap_before(i + k) == phrase.gaps[k - 1] for k in range(1, n)
            ):
                return phrase
        return None


def read_phrases() -> list[tuple[str, str, float]]:
    """Return original, replacement and weight for every row of `phrases.tsv`."""
    rows: list[tuple[str, str, float]] = []
    for original, replacements in lexicon_rows(PHRASES):
        rows += [(original, replacement, 1.0 / (i + 1)) for i, replacement in enumerate(replacements.split("|"))]
    return rows


def lexicon_rows(path: Path) -> Iterator[list[str]]:
    """Yield the columns of a tab-separated file, without comments and rows whose last column is a held-out source.

    A missing file has no rows. Held-out sources are in the table `lexicon_rows` of roles.toml.
    """
    roles = default_roles().lexicon_rows
    for line in path.read_text("utf-8").splitlines() if path.is_file() else ():
        columns = line.split("\t")
        if line.strip() and not line.startswith("#") and roles.get(columns[-1], "train") == "train":
            yield columns


def read_reversed_lexicons(directory: Path) -> list[tuple[str, str, float]]:
    """Return known substitutions in reverse: what people write, what a machine made of it, and a weight.

    Reads `spinner_pairs.tsv` (spun, original, documents, source) and `tortured_phrases.tsv` (phrase, expected term) if
    the folder has them. A term that ends in a singular noun is also added in the plural.
    """
    pairs = lexicon_rows(directory / "spinner_pairs.tsv")
    rows = [(original, spun, 1.0 + int(documents)) for spun, original, documents, *_ in pairs]
    for phrase, expected, *_ in lexicon_rows(directory / "tortured_phrases.tsv"):
        # Notes are in brackets; "???" and "a / b" mean that the original is not known for certain.
        expected = re.sub(r"\s*\([^)]*\)", "", expected).strip()
        if expected in FUNCTION_WORDS:
            continue  # mistakes of single tools ("and" taken for an abbreviation), which would match everywhere
        if re.fullmatch(r"[a-z][a-z' -]+[a-z]", expected) and re.fullmatch(r"[a-z][a-z' -]+[a-z]", phrase):
            rows.append((expected, phrase, 1.0))
            if _ends_in_singular(expected) and _ends_in_singular(phrase):
                rows.append((_plural(expected), _plural(phrase), 1.0))
    return rows


def _ends_in_singular(term: str) -> bool:
    readings = analyse(re.split(r"[ -]", term)[-1])
    return bool(readings) and readings[0].tag == "NN"


def _plural(term: str) -> str:
    head, space, last = term.rpartition(" ")
    return f"{head}{space}{inflect(last, 'NNS')}"

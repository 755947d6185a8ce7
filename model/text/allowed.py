"""Allowed terms: words and phrases that are never evidence, such as the terms of a field or the names of brands.

A list has one term per line. Its terms are masked before a text is scored: they are not judged, and the signals and the
encoder see a stand-in in their place, so that no verdict depends on them (`Documents.token_allowed`).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unspun.model.text.characters import code_points
from unspun.model.text.tokens import TokenClass, Tokens, phrase_keys
from unspun.model.text.wordlists import english_function_words, read_sections

MOST_TERMS = 10_000
"""Terms of a list. A longer list is a dictionary, with which every text would be judged by a few of its words."""
LONGEST_TERM, LONGEST_LINE = 12, 200
"""Most words and marks of a term, and most characters of its line."""
MOST_ALLOWED = 0.2
"""Share of a text's words of prose in allowed terms above which the others are too few to stand for it."""
MOST_NAMED = 3
"""Wrong entries that an error names."""
_AROUND = " \t\"'“”‘’,;:()[]"
"""What spreadsheets and programs leave around a term."""
_BULLET = re.compile(r"^[-–*•] ")
"""What begins an item of a list in plain text."""


class AllowedError(ValueError):
    """A list of allowed terms cannot be used. The message names the entry and says what to do."""


class Allowed:
    """A list of terms that are never evidence.

    A term matches in any case, as whole words, and also with 's at its end; other forms, such as plurals, are terms of
    their own.

    Args:
        terms: the terms, words or phrases.

    Raises:
        AllowedError: if there are too many terms, or one of them is a common word, too long, or no word at all.
        TypeError: if the terms are a single string.
    """

    def __init__(self, terms: Iterable[str]) -> None:
        if isinstance(terms, str):
            raise TypeError("allowed terms are a list of strings; to read a file of them, use Allowed.read(path)")
        entries = ((f"term {number:,}", term) for number, term in enumerate(terms, 1))
        self._keep(_checked("the allowed terms", entries))

    @classmethod
    def read(cls, path: str | Path) -> Allowed:
        """Read a file with one term per line. Empty lines, and lines that start with #, are skipped.

        Raises AllowedError.
        """
        made = cls(())
        made._keep(_checked(str(path), _lines(Path(path))))
        return made

    @classmethod
    def of(cls, terms: Allowed | Iterable[str] | None) -> Allowed | None:
        """Return the list of these terms, which may be one already; None if there is none."""
        return terms if terms is None or isinstance(terms, Allowed) else cls(terms)

    def _keep(self, terms: dict[str, Tokens]) -> None:
        self.terms = tuple(terms)
        self.sha256 = hashlib.sha256("\n".join(sorted(terms)).encode("utf-8", "replace")).hexdigest()
        keys: dict[int, list[int]] = {}
        for term, tokens in terms.items():
            # With 's, the last word is another token.
            for form in (tokens, Tokens(code_points(f"{term}'s"))):
                length = len(form.hash)
                keys.setdefault(length, []).append(int(phrase_keys(form.hash, length)[0]))
        self._keys = {length: np.unique(np.array(found, dtype=np.uint64)) for length, found in sorted(keys.items())}

    def __len__(self) -> int:
        """Return the number of different terms."""
        return len(self.terms)

    def __eq__(self, other: object) -> bool:
        """Lists with the same terms are equal."""
        return isinstance(other, Allowed) and self.sha256 == other.sha256

    def __hash__(self) -> int:
        return hash(self.sha256)

    def __repr__(self) -> str:
        return f"<Allowed: {len(self):,} terms, sha256 {self.sha256[:12]}>"

    def to_manifest(self) -> dict[str, int | str]:
        """Return what a model's manifest says of the list that it was made with: not the terms, which may be secret."""
        return {"terms": len(self), "sha256": self.sha256}

    def find(self, hashes: NDArray[np.uint64], document: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return which tokens (T,) are part of a term, given their hashes (T,) and documents (T,)."""
        found = np.zeros(len(hashes), dtype=np.bool_)
        for length, keys in self._keys.items():
            run = phrase_keys(hashes, length)
            at = np.minimum(np.searchsorted(keys, run), len(keys) - 1)
            first = np.flatnonzero(keys[at] == run)
            first = first[document[first] == document[first + (length - 1)]]
            for k in range(length):
                found[first + k] = True
        return found


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the place and the text of each line that has a term, reading no further than it is asked to."""
    try:
        with path.open(encoding="utf-8-sig") as stream:
            for number, line in enumerate(iter(lambda: stream.readline(LONGEST_LINE), ""), 1):
                if line.strip() and not line.lstrip().startswith("#"):
                    yield f"line {number:,}", line
    except OSError as error:
        raise AllowedError(f"{path}: {error.strerror}; give a text file with one allowed term per line") from error
    except UnicodeDecodeError as error:
        raise AllowedError(f"{path}: is not UTF-8 text; save it as UTF-8, with one allowed term per line") from error


def _checked(name: str, entries: Iterable[tuple[str, str]]) -> dict[str, Tokens]:
    """Return the different terms with their tokens. Raises AllowedError."""
    terms: dict[str, Tokens] = {}
    common: list[str] = []
    for place, entry in entries:
        term = _BULLET.sub("", " ".join(unicodedata.normalize("NFC", entry).split()))
        term = term.strip(_AROUND).lstrip("@#").lower()
        tokens = Tokens(code_points(term))
        words = tokens.hash[tokens.token_class == TokenClass.WORD]
        named = f"{place}: {_short(entry)!r}"
        if not len(words):
            raise AllowedError(f"{name}: {named} has no word; remove it")
        if len(tokens.hash) > LONGEST_TERM or len(entry) >= LONGEST_LINE:
            raise AllowedError(
                f"{name}: {named} is too long: a term may have {LONGEST_TERM} words; put each term on a line of its own"
            )
        if term.rstrip(".!?…") in commonest_words():  # "time." would be found at the ends of sentences
            common.append(named)
            continue
        if english_function_words().contains(words).all():
            what = "is a function word" if len(words) == 1 else "consists of function words"
            raise AllowedError(f"{name}: {named} {what}, which every text has; remove it")
        terms[term] = tokens
        if len(terms) > MOST_TERMS:
            raise AllowedError(
                f"{name}: {named} is one too many: a list may have {MOST_TERMS:,} terms; keep those that your texts use"
            )
    if common:
        more = f" and {len(common) - MOST_NAMED:,} more" if len(common) > MOST_NAMED else ""
        what = "is one of" if len(common) == 1 else "are among"
        raise AllowedError(
            f"{name}: {', '.join(common[:MOST_NAMED])}{more} {what} the thousand commonest words, without which "
            "no text can be judged; remove the entry, or write out the term that it is part of"
        )
    return terms


def _short(entry: str) -> str:
    entry = " ".join(entry.split())
    return entry if len(entry) <= 40 else f"{entry[:37]}..."


@cache
def commonest_words() -> frozenset[str]:
    """Return the thousand commonest words of English, in lower case."""
    return frozenset(read_sections("commonest_words.txt")["commonest"])

"""Finds listed phrases that people do not write: tortured phrases, and the idioms of article spinners.

The list is `listed_phrases.tsv`, made by `unspun.training.language.listed_phrases`. It has nothing to do with the
verdict: the model has a table of its own (`unspun.model.signals.known_phrases`), which also holds phrases that count
only in some contexts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from unspun.model.text.document import Documents
from unspun.model.text.sentences import TERMINATORS, codes, is_among
from unspun.model.text.tokens import TokenClass

FILE = Path(__file__).with_name("listed_phrases.tsv")
PhraseKind = Literal["tortured", "spinner", "own"]
PHRASE_KINDS: tuple[PhraseKind, ...] = get_args(PhraseKind)
LONGEST = 12
"""Words in a phrase, at most."""
MOST = 100_000
"""Phrases in a list of your own, at most."""
CLOSES_GROUP = codes(";:…")
"""Signs that a phrase does not go across, besides the end of a sentence."""
HYPHENS = codes("-\u2010\u00ad")
SPACE = re.compile(r"\s+")
CONTEXT = 100
"""Characters of the sentence to quote on each side of a phrase, at most."""


@dataclass(frozen=True, slots=True)
class ListedPhrase:
    """An entry of the list.

    `phrase` has its words and numbers, folded, with spaces between them. `expected` is the term that it probably
    replaces, None if that is unknown.
    """

    phrase: str
    expected: str | None
    kind: PhraseKind


@dataclass(frozen=True, slots=True)
class PhraseFound:
    """A place where a text has a listed phrase.

    `start` and `end` are offsets into the text as submitted, in code points; `text` is what is there. `before` and
    `after` are the rest of the sentence, with single spaces, shortened to CONTEXT characters each.
    """

    start: int
    end: int
    text: str
    entry: ListedPhrase
    before: str
    after: str


class PhraseListError(ValueError):
    """A line of a list cannot be used. The message says which and why."""


class PhraseList:
    """Phrases that can be found in texts. Of two entries for a phrase, the later one counts."""

    def __init__(self, entries: Iterable[ListedPhrase]) -> None:
        self._entries = {tuple(entry.phrase.split()): entry for entry in entries}
        lengths: dict[str, set[int]] = {}
        for words in self._entries:
            lengths.setdefault(words[0], set()).add(len(words))
        self._words = {word for words in self._entries for word in words}
        # By the first word of a phrase: the numbers of words of such phrases, the longest first.
        self._lengths = {word: tuple(sorted(found, reverse=True)) for word, found in lengths.items()}

    def __len__(self) -> int:
        """Return the number of phrases."""
        return len(self._entries)

    def find(self, texts: Sequence[str]) -> list[list[PhraseFound]]:
        """Return the listed phrases of each text, in the order of the text; of overlapping ones, the first and longest.

        Case, line breaks, hyphens, brackets and quotation marks do not matter. A phrase may not go across the end of a
        sentence. Headings, captions and tables are searched, too.
        """
        documents = Documents.parse(texts)
        places = np.flatnonzero(_is_word(documents))
        groups, cut = _groups(documents, places).tolist(), _cut(documents, places).tolist()
        folded = documents.words()
        words, group, firsts, lasts = list[str](), list[int](), list[int](), list[int]()
        for number, token in enumerate(places.tolist()):
            if number and cut[number - 1] and words[-1] + folded[token] in self._words:
                words[-1] += folded[token]
                lasts[-1] = token
                continue
            words.append(folded[token])
            group.append(groups[number])
            firsts.append(token)
            lasts.append(token)
        found: list[list[PhraseFound]] = [[] for _ in documents.texts]
        place = 0
        while place < len(words):
            length = self._length_at(words, group, place)
            if length:
                document = int(documents.token_document[firsts[place]])
                entry = self._entries[tuple(words[place : place + length])]
                found[document].append(_found(documents, firsts[place], lasts[place + length - 1], entry))
            place += max(length, 1)
        return found

    def _length_at(self, words: list[str], group: list[int], place: int) -> int:
        """Return the number of words of the longest phrase that starts at a place, 0 if none does."""
        for length in self._lengths.get(words[place], ()):
            last = place + length - 1
            if last < len(words) and group[last] == group[place] and tuple(words[place : last + 1]) in self._entries:
                return length
        return 0


@cache
def shipped_phrases() -> tuple[ListedPhrase, ...]:
    """Return the list that ships with unspun."""
    rows = (columns for _, columns in _rows(FILE.read_text("utf-8")))
    return tuple(ListedPhrase(row[0], row[1] or None, cast(PhraseKind, row[2])) for row in rows)


def read_phrases(text: str) -> list[ListedPhrase]:
    """Read a list of your own: a phrase in each line and, after a tab, the expected term; `#` begins a comment.

    Raises PhraseListError.
    """
    rows = list(_rows(text))
    if len(rows) > MOST:
        raise PhraseListError(f"has {len(rows):,} phrases; the limit is {MOST:,}")
    found = []
    for (number, columns), words in zip(rows, split_words([columns[0] for _, columns in rows]), strict=True):
        if not 1 < len(words) <= LONGEST:
            raise PhraseListError(
                f"line {number}: {columns[0]!r} has {len(words)} word{'s' * (len(words) != 1)}; a phrase has "
                f"from 2 to {LONGEST} words, and the expected term comes after a tab"
            )
        found.append(ListedPhrase(" ".join(words), columns[1] or None, "own"))
    return found


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the columns of each line of a list, at least two columns."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            yield number, [column.strip() for column in f"{line}\t".split("\t")]


def split_words(phrases: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the words and numbers of each text, folded."""
    documents = Documents.parse(phrases)
    words = documents.words()
    found: list[list[str]] = [[] for _ in phrases]
    for token in np.flatnonzero(_is_word(documents)).tolist():
        found[documents.token_document[token]].append(words[token])
    return [tuple(one) for one in found]


def _groups(documents: Documents, places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of the group of each word, given its token: no phrase goes from one group into another."""
    closed = np.cumsum(is_among(documents.characters[documents.token_end - 1], CLOSES_GROUP) & ~_is_word(documents))
    ended = np.cumsum(is_among(documents.characters[documents.token_end - 1], TERMINATORS) & ~_is_word(documents))
    newlines = np.cumsum(documents.characters == ord("\n"))
    before, after = places[:-1], places[1:]
    apart = documents.token_document[before] != documents.token_document[after]
    apart |= closed[before] != closed[after]
    # "e.g. the" has a full stop, but is one sentence. A heading ends without one, at a blank line.
    apart |= (ended[before] != ended[after]) & (documents.token_sentence[before] != documents.token_sentence[after])
    apart |= newlines[documents.token_start[after]] - newlines[documents.token_end[before] - 1] > 1
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(apart)])


def _cut(documents: Documents, places: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return after which words, given by their tokens, there is only a hyphen at the end of a line."""
    before, after = places[:-1], places[1:]
    end = documents.token_end[before]
    hyphen = is_among(documents.characters[np.minimum(end, len(documents.characters) - 1)], HYPHENS)
    newline = documents.characters[np.minimum(end + 1, len(documents.characters) - 1)] == ord("\n")
    answer: NDArray[np.bool_] = (after == before + 2) & hyphen & newline
    return answer


def _is_word(documents: Documents) -> NDArray[np.bool_]:
    answer: NDArray[np.bool_] = documents.token_class != TokenClass.PUNCTUATION
    return answer


def _found(documents: Documents, first: int, last: int, entry: ListedPhrase) -> PhraseFound:
    text = documents.texts[documents.token_document[first]]
    start, end = documents.source_span(first, last)
    sentence = np.searchsorted(documents.token_sentence, documents.token_sentence[[first, last]], side="left")
    until = int(np.searchsorted(documents.token_sentence, documents.token_sentence[last], side="right")) - 1
    before = SPACE.sub(" ", text[documents.source_span(int(sentence[0]), first)[0] : start])
    after = SPACE.sub(" ", text[end : documents.source_span(last, until)[1]])
    if len(before) > CONTEXT:
        before = "…" + before[-CONTEXT:].partition(" ")[2]
    if len(after) > CONTEXT:
        after = after[:CONTEXT].rpartition(" ")[0] + "…"
    return PhraseFound(start, end, text[start:end], entry, before, after)

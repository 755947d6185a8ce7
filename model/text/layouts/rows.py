"""The rows of a text, as layouts see them: what is between two newlines, and whether a row breaks off in a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import accumulate, pairwise
from statistics import fmean, pstdev

from unspun.model.text.edits import Editor, TextEdit
from unspun.model.text.wordlists import COMMON_WORDS, read_sections

BROKEN_SHARE = 0.25
"""Share of row ends inside sentences from which rows are running text that was broken up.

Prose that was wrapped at random has 0.6 or more. Lists, verse and one sentence to a row have less than 0.15.
"""

MOST_VARIED = 0.65
"""Variation of the words in a row of verse, at most. Prose that was broken up anywhere has about 1."""

_ENDS = '.!?:\u2026"\u201d'
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")


@cache
def function_words() -> frozenset[str]:
    """Return the function words of English."""
    return frozenset(" ".join(read_sections("function_words.txt")["en"]).split())


@cache
def layout_words(section: str) -> frozenset[str]:
    """Return the words of a section of layout_words.txt."""
    return frozenset(" ".join(read_sections("layout_words.txt")[section]).split())


@cache
def common_words() -> dict[str, int]:
    """Return the common words of English, folded, with their ranks by frequency."""
    ranks: dict[str, int] = {}
    for words in read_sections(COMMON_WORDS.name).values():
        for rank, word in enumerate(words):
            ranks.setdefault(word.lower(), rank)
    return ranks


def is_broken(before: str, after: str) -> bool:
    """Return whether a sentence continues from one row to the next, judging by its last and its first word."""
    before, after = before.rstrip(), after.lstrip()
    if not before or not after or before[-1] in _ENDS:
        return False
    if after[0].islower():
        return True
    word = before[before.rfind(" ") + 1 :]
    return word.lower() in function_words() and word != "I"


def broken_share(rows: Iterable[str]) -> float:
    """Return the share of pairs of successive rows that break a sentence, not counting blank rows."""
    filled = [row for row in rows if row and not row.isspace()]
    pairs = [is_broken(before, after) for before, after in pairwise(filled)]
    return sum(pairs) / len(pairs) if pairs else 0.0


def is_dangling(row: str) -> bool:
    """Return whether a row ends with a word such as "the" or "of"."""
    return row.rstrip().rpartition(" ")[2].lower() in layout_words("dangling")


def dangling_share(rows: Sequence[str]) -> float:
    """Return the share of rows that end with a word such as "the" or "of"."""
    return sum(is_dangling(row) for row in rows) / max(len(rows), 1)


def variation(rows: Iterable[str]) -> float:
    """Return the standard deviation of the number of words in a row, divided by its mean."""
    words = [len(row.split()) for row in rows]
    return pstdev(words) / fmean(words)


def function_share(rows: Iterable[str]) -> float:
    """Return the share of function words among the words of some rows."""
    words = [word.lower() for row in rows for word in _WORD.findall(row)]
    known = function_words()
    return sum(word in known for word in words) / len(words) if words else 0.0


class RowEdits:
    """Edits of a text's rows, applied together."""

    def __init__(self, editor: Editor, rows: Sequence[str]) -> None:
        self._editor = editor
        self._rows = rows
        self._starts = list(accumulate((len(row) + 1 for row in rows), initial=0))
        self._edits: list[TextEdit] = []

    def cut(self, row: int, start: int, end: int, text: str = "") -> None:
        """Replace a part of a row, by default with nothing."""
        origin = self._starts[row]
        if end > start:
            self._edits.append(TextEdit(origin + start, origin + end, text))

    def drop(self, row: int) -> None:
        """Remove a row and its newline."""
        end = min(self._starts[row + 1], len(self._editor.text))
        if end > self._starts[row]:
            self._edits.append(TextEdit(self._starts[row], end, ""))

    def join(self, row: int, text: str = " ") -> None:
        """Replace the newline at the end of a row, by default with a space."""
        end = self._starts[row + 1]
        if end <= len(self._editor.text):
            self._edits.append(TextEdit(end - 1, end, text))

    def apply(self) -> bool:
        """Apply the edits. Return whether there were any."""
        return self._editor.replace(sorted(self._edits)) > 0

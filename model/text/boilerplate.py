"""Boilerplate phrases of web pages, from boilerplate.txt: one pattern for lines, one for sentences."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from unspun.model.text.tokens import TokenClass, Tokens, hash_tokens
from unspun.model.text.wordlists import WordTable, read_sections

LONGEST_MATCH = 500
"""Most characters of a line or sentence that can be boilerplate."""

_LEADING_SIGNS = 2
"""Signs that may precede the first word, such as a bullet or an opening bracket."""


@dataclass(frozen=True, eq=False, slots=True)
class LinePhrases:
    """Phrases that match whole lines or sentences.

    Attributes:
        pattern: matches the whole of a folded line or sentence.
        first_words: the words that phrases start with. They rule out most text without a search.
        first_number: whether any phrase starts with a number.
    """

    pattern: re.Pattern[str]
    first_words: WordTable
    first_number: bool

    def find(
        self,
        folded: str,
        tokens: Tokens,
        first: NDArray[np.int64],
        last: NDArray[np.int64],
        wanted: NDArray[np.bool_],
    ) -> NDArray[np.bool_]:
        """Return which of the `wanted` spans of tokens, `first` to `last` (included), match a phrase."""
        found = np.zeros(first.size, dtype=np.bool_)
        candidates = wanted.nonzero()[0]
        if not candidates.size:
            return found
        candidates = candidates[self._may_start(tokens, first[candidates], last[candidates])]
        start, end = tokens.start[first[candidates]].tolist(), tokens.end[last[candidates]].tolist()
        for number, a, b in zip(candidates.tolist(), start, end, strict=True):
            found[number] = self.pattern.fullmatch(folded, a, b) is not None
        return found

    def _may_start(self, tokens: Tokens, first: NDArray[np.int64], last: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which spans of tokens may be a phrase, judging by their first word and their length."""
        word = first.copy()
        for _ in range(_LEADING_SIGNS):
            signs = (tokens.token_class[word] == TokenClass.PUNCTUATION) & (word < last)
            if not signs.any():
                break
            word += signs
        fits = self.first_words.contains(tokens.hash[word])
        if self.first_number:
            fits |= tokens.token_class[word] == TokenClass.NUMBER
        return fits & (tokens.end[last] - tokens.start[first] <= LONGEST_MATCH)


@dataclass(frozen=True, eq=False, slots=True)
class Boilerplate:
    """The sections of boilerplate.txt, compiled."""

    anywhere: tuple[str, ...]
    sentence: LinePhrases
    line: LinePhrases


@cache
def load_boilerplate() -> Boilerplate:
    """Return the phrases that ship with the package."""
    sections = read_sections("boilerplate.txt")
    return Boilerplate(tuple(sections["anywhere"]), _compile(sections["sentence"]), _compile(sections["line"]))


def _compile(phrases: list[str]) -> LinePhrases:
    """Compile phrases, each in the form `first words | rest`, into one pattern."""
    first_words: set[str] = set()
    alternatives = []
    for phrase in phrases:
        words, rest = phrase.split("|", 1)
        first_words.update(words.split())
        starts = "|".join(r"\d+" if word == "0" else re.escape(word) for word in words.split())
        alternatives.append(rf"(?:{starts})\b ?(?:{rest.strip()})")
    pattern = re.compile(r"\W{0,4}(?:" + "|".join(alternatives) + r")\W*")
    words_only = sorted(first_words - {"0"})
    return LinePhrases(pattern, WordTable({"first": hash_tokens(words_only)}), "0" in first_words)

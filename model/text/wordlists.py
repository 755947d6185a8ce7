"""Short word lists that ship as text files with the code, looked up by token hash in arrays."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unspun.model.text.tokens import hash_tokens

COMMON_WORDS = Path(__file__).with_name("common_words.txt")
CASES = ("lower", "capital", "capitals", "either")
"""How people write a word in the middle of a sentence: "vision", "London", "NATO", "house" or "House". The sections of
COMMON_WORDS."""

NOTICE = ("notice_subjects", "notice_address", "notice")
"""The sections of boilerplate.txt with words of notices."""

_SLOTS = 1 << 15


class WordTable:
    """Up to 32 named lists of words in one hash table.

    A word's slot is given by the low bits of its hash. If that is taken, the word is in a second table, by higher bits.
    """

    def __init__(self, lists: dict[str, NDArray[np.uint64]]) -> None:
        self.names = tuple(lists)
        self._bits = {name: 1 << number for number, name in enumerate(lists)}
        self._first = np.zeros(_SLOTS, dtype=np.uint64)
        self._second = np.zeros(_SLOTS, dtype=np.uint64)
        self._first_lists = np.zeros(_SLOTS, dtype=np.uint32)
        self._second_lists = np.zeros(_SLOTS, dtype=np.uint32)
        listed: dict[int, int] = {}
        for number, hashes in enumerate(lists.values()):
            for value in hashes.tolist():
                listed[value] = listed.get(value, 0) | 1 << number
        for value, bits in listed.items():
            self._insert(value, bits)

    def _insert(self, value: int, bits: int) -> None:
        slot = value % _SLOTS
        if self._first_lists[slot] == 0:
            self._first[slot], self._first_lists[slot] = value, bits
            return
        slot = (value >> 32) % _SLOTS
        if self._second_lists[slot]:
            raise ValueError("two words share both slots; increase _SLOTS")
        self._second[slot], self._second_lists[slot] = value, bits

    def bit(self, *names: str) -> np.uint32:
        """Return the bits of one or several lists in the results of `lookup`."""
        return np.uint32(sum([self._bits[name] for name in names]))

    def lookup(self, hashes: NDArray[np.uint64]) -> NDArray[np.uint32]:
        """Return for each hash the lists that contain it, as bits."""
        slot = (hashes & np.uint64(_SLOTS - 1)).view(np.int64)
        bits: NDArray[np.uint32] = self._first_lists.take(slot)
        same = self._first.take(slot) == hashes
        # Only words whose first slot has another word can be in the second table.
        others = ((bits > 0) > same).nonzero()[0]
        bits *= same
        if len(others):
            wanted = hashes[others]
            slot = ((wanted >> np.uint64(32)) & np.uint64(_SLOTS - 1)).view(np.int64)
            bits[others] = self._second_lists.take(slot) * (self._second.take(slot) == wanted)
        return bits

    def contains(self, hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Return which hashes are in any list."""
        return self.lookup(hashes) > 0


def read_sections(file_name: str) -> dict[str, list[str]]:
    """Return the lines of each `[section]` of a file in this package, without empty lines and `#` comments."""
    sections: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in resources.files("unspun.model.text").joinpath(file_name).read_text(encoding="utf-8").splitlines():
        content = line.strip()
        if content.startswith("["):
            lines = sections.setdefault(content.strip("[]"), [])
        elif content and not content.startswith("#"):
            lines.append(content)
    return sections


@cache
def load_word_lists(file_name: str, names: tuple[str, ...] | None = None) -> dict[str, NDArray[np.uint64]]:
    """Return the hashes of the words in each section of a file, or in the sections of these names."""
    sections = read_sections(file_name)
    return {name: np.unique(hash_tokens(" ".join(sections[name]).split())) for name in names or sections}


@cache
def english_function_words() -> WordTable:
    """Return the function words of English."""
    return WordTable({"en": load_word_lists("function_words.txt")["en"]})


@cache
def listed_words() -> WordTable:
    """Return the lists that have to be known for each token, so that one look-up tells them all.

    They are the function words of English ("en"); those of each language of `foreign_languages`; and the words of
    notices about cookies and consent: what they are about, whom they address, and others (NOTICE).
    """
    notices = load_word_lists("boilerplate.txt", NOTICE)
    return WordTable({"en": load_word_lists("function_words.txt")["en"], **_foreign_words(), **notices})


@cache
def foreign_languages() -> dict[str, np.uint32]:
    """Return the bits in `listed_words` of the languages other than English."""
    return {name: listed_words().bit(name) for name in _foreign_words()}


@cache
def foreign_bits() -> np.uint32:
    """Return the bits in `listed_words` of all languages other than English."""
    return listed_words().bit(*foreign_languages())


@cache
def _foreign_words() -> dict[str, NDArray[np.uint64]]:
    """Return the function words of other languages, by language, without those that are also English words."""
    lists = load_word_lists("function_words.txt")
    english = np.union1d(lists["en"], lists["also_english"])
    foreign = {name: np.setdiff1d(words, english) for name, words in lists.items()}
    return {name: words for name, words in foreign.items() if words.size}


@cache
def common_words() -> frozenset[str]:
    """Return the common words of English, folded."""
    return frozenset(word for name in CASES for word in read_sections(COMMON_WORDS.name)[name])


@cache
def usual_cases() -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
    """Return the hashes of the common words, sorted, and the number in CASES of each."""
    lists = load_word_lists(COMMON_WORDS.name)
    hashes = np.concatenate([lists[name] for name in CASES])
    cases = np.repeat(np.arange(len(CASES), dtype=np.uint8), [lists[name].size for name in CASES])
    order = np.argsort(hashes, kind="stable")
    return hashes[order], cases[order]

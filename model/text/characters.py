"""What each code point means to the tokeniser: its class, its folded form and its contribution to a token's hash.

Tables cover the Basic Multilingual Plane. They are filled from Python's own Unicode data at first use, in about 35 ms.
Code points above it, mostly emoji, are looked up one by one.
"""

from __future__ import annotations

import sys
import unicodedata
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

TABLE_SIZE = 0x10000
"""Number of code points in the Basic Multilingual Plane."""

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)

_FOLD_EXCEPTIONS = {
    "\u2018": "'",  # left single quotation mark
    "\u2019": "'",  # right single quotation mark, the usual typographic apostrophe
    "\u201a": "'",
    "\u201b": "'",
    "\u2032": "'",  # prime
    "\u02b9": "'",  # modifier letter prime
    "\u02bb": "'",  # turned comma, as in Hawaiian names
    "\u02bc": "'",  # modifier letter apostrophe
    "\u00b4": "'",  # acute accent: "don´t"
    "\u0060": "'",  # grave accent: "don`t"
    "\u201c": '"',
    "\u201d": '"',
    "\u201e": '"',
    "\u201f": '"',
    "\u2033": '"',
    "\u00ab": '"',
    "\u00bb": '"',
    "\u0130": "i",  # capital I with dot: its lower case is two code points
}


class CharacterClass:
    """The classes that decide where tokens start and end. They are bytes, because an IntEnum would widen the arrays."""

    SPACE: Final = np.uint8(0)
    PUNCTUATION: Final = np.uint8(1)
    LOWER: Final = np.uint8(2)
    UPPER: Final = np.uint8(3)
    MARK: Final = np.uint8(4)
    DIGIT: Final = np.uint8(5)
    APOSTROPHE: Final = np.uint8(6)
    POINT: Final = np.uint8(7)
    REPEATABLE: Final = np.uint8(8)
    COUNT: Final = 9


_CLASS_EXCEPTIONS = {
    **dict.fromkeys("'\u2018\u2019\u201b\u2032\u02b9\u02bb\u02bc\u00b4`", CharacterClass.APOSTROPHE),
    **dict.fromkeys(".,", CharacterClass.POINT),
    **dict.fromkeys("-_=*~#+", CharacterClass.REPEATABLE),
    **dict.fromkeys("\u00aa\u00ba", CharacterClass.PUNCTUATION),  # ordinal indicators, which are not letters of a word
}

_CLASS_BY_CATEGORY = {
    "Lu": CharacterClass.UPPER,
    "Lt": CharacterClass.UPPER,
    "Ll": CharacterClass.LOWER,
    "Lm": CharacterClass.LOWER,
    "Lo": CharacterClass.LOWER,
    "Mn": CharacterClass.MARK,
    "Mc": CharacterClass.MARK,
    "Me": CharacterClass.MARK,
    "Nd": CharacterClass.DIGIT,
    "Nl": CharacterClass.DIGIT,
    "No": CharacterClass.DIGIT,
    "Zs": CharacterClass.SPACE,
    "Zl": CharacterClass.SPACE,
    "Zp": CharacterClass.SPACE,
    "Cc": CharacterClass.SPACE,
}


def character_class(code: int) -> np.uint8:
    """Return the CharacterClass of one code point."""
    character = chr(code)
    exception = _CLASS_EXCEPTIONS.get(character)
    if exception is not None:
        return exception
    return _CLASS_BY_CATEGORY.get(unicodedata.category(character), CharacterClass.PUNCTUATION)


def fold_code(code: int) -> int:
    """Return the folded form of one code point, which is always one code point: lower case, straight quotes."""
    character = chr(code)
    folded = _FOLD_EXCEPTIONS.get(character) or character.lower()
    return ord(folded) if len(folded) == 1 else code


def splitmix64(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scramble 64-bit integers (Steele, Lea and Flood 2014), with the same result on every machine."""
    mixed = values + _GAMMA
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX_1
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX_2
    return mixed ^ (mixed >> np.uint64(31))


@cache
def class_table() -> NDArray[np.uint8]:
    """Return the CharacterClass of every code point of the Basic Multilingual Plane, shape (65536,)."""
    category = unicodedata.category
    classes = _CLASS_BY_CATEGORY
    default = CharacterClass.PUNCTUATION
    by_category = [classes.get(category(chr(code)), default) for code in range(TABLE_SIZE)]
    table = np.array(by_category, dtype=np.uint8)
    for character, exception in _CLASS_EXCEPTIONS.items():
        table[ord(character)] = exception
    return table


@cache
def fold_table() -> NDArray[np.uint32]:
    """Return the folded form of every code point of the Basic Multilingual Plane, shape (65536,)."""
    table = np.arange(TABLE_SIZE, dtype=np.uint32)
    for code in range(TABLE_SIZE):
        lower = chr(code).lower()
        if len(lower) == 1:
            table[code] = ord(lower)
    for character, folded in _FOLD_EXCEPTIONS.items():
        table[ord(character)] = ord(folded)
    return table


@cache
def hash_table() -> NDArray[np.uint64]:
    """Return the 64-bit hash of every code point's folded form, shape (65536,)."""
    return splitmix64(fold_table().astype(np.uint64))


def classify(characters: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Return the CharacterClass of each code point."""
    classes = class_table().take(characters, mode="clip")
    for code, where in _astral(characters):
        classes[where] = character_class(code)
    return classes


def fold(characters: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return the folded form of each code point."""
    folded = fold_table().take(characters, mode="clip")
    for code, where in _astral(characters):
        folded[where] = fold_code(code)
    return folded


def hash_values(characters: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """Return the 64-bit hash of each code point's folded form; a token's hash is computed from their sum."""
    values = hash_table().take(characters, mode="clip")
    for code, where in _astral(characters):
        values[where] = splitmix64(np.array([fold_code(code)], dtype=np.uint64))[0]
    return values


def _astral(characters: NDArray[np.uint32]) -> list[tuple[int, NDArray[np.int64]]]:
    """Return each distinct code point above the tables' range, with its positions."""
    where = np.flatnonzero(characters >= TABLE_SIZE)
    if where.size == 0:
        return []
    codes = characters[where]
    order = np.argsort(codes, kind="stable")
    distinct, first = np.unique(codes[order], return_index=True)
    return list(zip(distinct.tolist(), np.split(where[order], first[1:]), strict=True))


def code_points(text: str) -> NDArray[np.uint32]:
    """Return the code points of `text`, including lone surrogates, as a read-only array."""
    encoded = text.encode("utf-32-le" if sys.byteorder == "little" else "utf-32-be", "surrogatepass")
    return np.frombuffer(encoded, dtype=np.uint32)


def to_text(characters: NDArray[np.uint32]) -> str:
    """Return the string of these code points: the inverse of `code_points`."""
    encoding = "utf-32-le" if sys.byteorder == "little" else "utf-32-be"
    return np.ascontiguousarray(characters).tobytes().decode(encoding, "surrogatepass")

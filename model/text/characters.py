"""What each code point means to the tokeniser: its class, its folded form and its contribution to a token's hash.

Tables cover the Basic Multilingual Plane. They are filled from Python's own Unicode data at first use, in about 50 ms.
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

_APOSTROPHES = "'\u2018\u2019\u201b\u2032\u02b9\u02bb\u02bc\u00b4`"
"""Apostrophes and what people write instead of them: quotation marks, primes and accents."""
_FOLD_EXCEPTIONS = {
    **dict.fromkeys(f"{_APOSTROPHES}\u201a", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
    "\u0130": "i",  # capital I with dot, whose lower case is two code points
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
    **dict.fromkeys(_APOSTROPHES, CharacterClass.APOSTROPHE),
    **dict.fromkeys(".,", CharacterClass.POINT),
    **dict.fromkeys("-_=*~#+", CharacterClass.REPEATABLE),
    **dict.fromkeys("\u00aa\u00ba", CharacterClass.PUNCTUATION),  # ordinal indicators, which are not letters of a word
}

_CLASS_BY_CATEGORY = {
    **dict.fromkeys(("Lu", "Lt"), CharacterClass.UPPER),
    **dict.fromkeys(("Ll", "Lm", "Lo"), CharacterClass.LOWER),
    **dict.fromkeys(("Mn", "Mc", "Me"), CharacterClass.MARK),
    **dict.fromkeys(("Nd", "Nl", "No"), CharacterClass.DIGIT),
    **dict.fromkeys(("Zs", "Zl", "Zp", "Cc"), CharacterClass.SPACE),
}
"""The class of each Unicode category; PUNCTUATION for all others."""


def character_class(code: int) -> np.uint8:
    """Return the CharacterClass of one code point."""
    character = chr(code)
    by_category = _CLASS_BY_CATEGORY.get(unicodedata.category(character), CharacterClass.PUNCTUATION)
    return _CLASS_EXCEPTIONS.get(character, by_category)


def fold_code(code: int) -> int:
    """Return the folded form of one code point, which is always one code point: lower case, straight quotes."""
    character = chr(code)
    folded = _FOLD_EXCEPTIONS.get(character) or character.lower()
    return ord(folded) if len(folded) == 1 else code


def splitmix64(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scramble 64-bit integers (Steele, Lea and Flood 2014), with the same result on every machine."""
    mixed = values + _GAMMA
    mixed ^= mixed >> np.uint64(30)
    mixed *= _MIX_1
    mixed ^= mixed >> np.uint64(27)
    mixed *= _MIX_2
    mixed ^= mixed >> np.uint64(31)
    return mixed


@cache
def class_table() -> NDArray[np.uint8]:
    """Return the CharacterClass of every code point of the Basic Multilingual Plane, shape (65536,)."""
    categories = map(unicodedata.category, map(chr, range(TABLE_SIZE)))
    table = np.array([_CLASS_BY_CATEGORY.get(one, CharacterClass.PUNCTUATION) for one in categories], dtype=np.uint8)
    for character, own in _CLASS_EXCEPTIONS.items():
        table[ord(character)] = own
    return table


@cache
def fold_table() -> NDArray[np.uint32]:
    """Return the folded form of every code point of the Basic Multilingual Plane, shape (65536,)."""
    lower = [chr(code).lower() for code in range(TABLE_SIZE)]
    table = np.array([ord(one) if len(one) == 1 else code for code, one in enumerate(lower)], dtype=np.uint32)
    for character, own in _FOLD_EXCEPTIONS.items():
        table[ord(character)] = ord(own)
    return table


@cache
def hash_table() -> NDArray[np.uint64]:
    """Return the 64-bit hash of every code point's folded form, shape (65536,)."""
    return splitmix64(fold_table().astype(np.uint64))


def translate(values: NDArray[np.uint8], table: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the entry of a table (256,) for each byte. This is several times as fast as an index into the table."""
    return np.frombuffer(bytearray(values).translate(table.tobytes()), dtype=np.uint8)


def classify(characters: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Return the CharacterClass of each code point."""
    classes = translate(characters.astype(np.uint8), class_table()[:256])
    wide = (characters > 0xFF).nonzero()[0]
    if len(wide):
        classes[wide] = class_table().take(characters[wide], mode="clip")
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
    values = hash_table().take(characters.astype(np.intp), mode="clip")
    for code, where in _astral(characters):
        values[where] = splitmix64(np.array([fold_code(code)], dtype=np.uint64))[0]
    return values


def _astral(characters: NDArray[np.uint32]) -> list[tuple[int, NDArray[np.int64]]]:
    """Return each distinct code point above the tables' range, with its positions."""
    where = (characters >= TABLE_SIZE).nonzero()[0]
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


def all_bytes_but(kept: str) -> bytes:
    """Return all bytes but those with which the UTF-8 of some characters begins, for `count_bytes`."""
    return bytes({*range(256)} - {character.encode("utf-8")[0] for character in kept})


def count_bytes(text: str, ignored: bytes) -> int:
    """Return the number of bytes of a text's UTF-8 that are not `ignored`.

    With `all_bytes_but(kept)`, it is the number of these characters, or more if others begin with the same byte. It
    takes less time than `str.count` takes for a single character.
    """
    return len(text.encode("utf-8", "surrogatepass").translate(None, ignored))


def to_text(characters: NDArray[np.uint32]) -> str:
    """Return the string of these code points: the inverse of `code_points`."""
    encoding = "utf-32-le" if sys.byteorder == "little" else "utf-32-be"
    return np.ascontiguousarray(characters).tobytes().decode(encoding, "surrogatepass")

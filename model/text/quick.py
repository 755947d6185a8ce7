"""Splits raw text into words in a few passes over its bytes: ten times as fast as model.text.document, and coarser.

It repairs nothing and knows neither sentences nor what is prose. A word is a run of letters, digits and apostrophes;
every other sign is a word by itself. Capitals count as small letters, and all digits as the same one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TYPOGRAPHY = {
    **dict.fromkeys("\u2018\u2019", "'"),
    **dict.fromkeys("\u201c\u201d", '"'),
    **dict.fromkeys("\u2013\u2014", "-"),
    "\u2026": ".",
    "\u00a0": " ",
}
"""Signs that typesetting programs put in place of those on a keyboard."""

_GAP = b"\n" * 9
"""Bytes between two texts, so that no word and no 8-byte look-up spans both."""
_SPACE, _WORD, _SIGN = range(3)
_CLASS = np.full(256, _SIGN, dtype=np.uint8)
_CLASS[list(b"\0\t\n\v\f\r ")] = _SPACE
_CLASS[list(b"'0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")] = _WORD
_CLASS[128:] = _WORD
_FOLDED = np.arange(256, dtype=np.uint8)
_FOLDED[ord("A") : ord("Z") + 1] += 32
_FOLDED[ord("0") : ord("9") + 1] = ord("0")
_FIRST = np.array([(1 << 8 * size) - 1 for size in range(9)], dtype=np.uint64)
"""For each length up to 8, the bits of an 8-byte number that belong to a word of that length."""
_ODD = tuple(np.uint64(odd) for odd in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9))

Hashes = NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class QuickWords:
    """The words of D texts, T in all.

    Attributes:
        hashes: (T,) a hash of each word, the same on every machine. It covers the first and the last 8 bytes.
        first: (T,) the first byte of each word as it is in the text.
        place, length: (T,) where each word is among the bytes of all texts, and its bytes.
        ptr: (D + 1,) the words of text d are ptr[d]:ptr[d + 1].
        begin: (D,) where each text is among the bytes of all texts.
        size, lines: (D,) bytes and line ends in each text.
    """

    hashes: Hashes
    first: NDArray[np.uint8]
    place: NDArray[np.int64]
    length: NDArray[np.int64]
    ptr: NDArray[np.int64]
    begin: NDArray[np.int64]
    size: NDArray[np.int64]
    lines: NDArray[np.int64]

    @classmethod
    def of(cls, texts: Sequence[str]) -> QuickWords:
        """Split texts. Any strings are accepted."""
        parts = [_encoded(text) for text in texts]
        raw = np.frombuffer(_GAP.join([b"", *parts, b"\n" * 8]), dtype=np.uint8)
        size = np.array([len(part) for part in parts], dtype=np.int64)
        ends = np.cumsum(size + len(_GAP))
        classes = _CLASS[raw]
        inside = classes == _WORD
        start = np.flatnonzero((inside[1:] & ~inside[:-1]) | (classes[1:] == _SIGN)) + 1
        of_word = inside[start]
        length = np.ones(len(start), dtype=np.int64)
        length[of_word] = np.flatnonzero(inside[:-1] & ~inside[1:]) + 1 - start[of_word]
        eight = _eight(_FOLDED[raw])
        hashes = eight[start] & _FIRST[np.minimum(length, 8)]
        hashes *= _ODD[0]
        long = np.flatnonzero(length > 8)
        tail = length.astype(np.uint64)
        tail[long] += eight[start[long] + length[long] - 8]
        hashes ^= tail * _ODD[1]
        hashes ^= hashes >> np.uint64(29)
        hashes *= _ODD[2]
        hashes ^= hashes >> np.uint64(32)
        ptr = np.concatenate([np.zeros(1, np.int64), np.searchsorted(start, ends)])
        line_ends = np.flatnonzero(raw == ord("\n"))
        lines = np.searchsorted(line_ends, ends) - np.searchsorted(line_ends, ends - size)
        return cls(hashes, raw[start], start, length, ptr, ends - size, size, lines)

    @property
    def start(self) -> NDArray[np.int64]:
        """The first byte of each word (T,), counted from the first of its text."""
        return self.place - np.repeat(self.begin, np.diff(self.ptr))

    @property
    def capital(self) -> NDArray[np.bool_]:
        """Which words (T,) begin with a capital letter from A to Z."""
        answer: NDArray[np.bool_] = (self.first >= ord("A")) & (self.first <= ord("Z"))
        return answer

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.ptr) - 1

    def in_sections(self, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return where sections of about `size` words begin and end (S + 1,), and the text of each (S,).

        Each text has at least one section; all sections of a text differ by at most one word.
        """
        words = np.diff(self.ptr)
        sections = np.maximum(np.rint(words / size).astype(np.int64), 1)
        owner = np.repeat(np.arange(len(self)), sections)
        place = np.arange(len(owner)) - np.repeat(np.cumsum(sections) - sections, sections)
        starts = self.ptr[owner] + place * words[owner] // sections[owner]
        return np.append(starts, self.ptr[-1]), owner


def _encoded(text: str) -> bytes:
    return _plain(text).encode("utf-8", "replace")


def _plain(text: str) -> str:
    if not text.isascii():
        for sign, plain in TYPOGRAPHY.items():
            text = text.replace(sign, plain)
    return text


def byte_places(text: str) -> NDArray[np.int64]:
    """Return where each character of a text begins, and where the last ends, in the bytes that `start` counts."""
    sizes = [len(sign.encode("utf-8", "replace")) for sign in _plain(text)]
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


def _eight(raw: NDArray[np.uint8]) -> Hashes:
    """Return for each byte but the last seven the number that it forms with the seven that follow."""
    two = raw[:-1].astype(np.uint16)
    two |= raw[1:].astype(np.uint16) << np.uint16(8)
    four = two[:-2].astype(np.uint32)
    four |= two[2:].astype(np.uint32) << np.uint32(16)
    eight = four[:-4].astype(np.uint64)
    eight |= four[4:].astype(np.uint64) << np.uint64(32)
    return eight


def ngrams(hashes: Hashes) -> tuple[Hashes, Hashes, Hashes]:
    """Return hashes of the single words (T,), of the pairs (T - 1,) and of the runs of three (T - 2,)."""
    pairs = hashes[:-1] * _ODD[0] + hashes[1:] * _ODD[1]
    pairs ^= pairs >> np.uint64(31)
    threes = pairs[:-1] * _ODD[2] + hashes[2:] * _ODD[0]
    threes ^= threes >> np.uint64(30)
    return hashes, pairs * _ODD[1], threes * _ODD[1]

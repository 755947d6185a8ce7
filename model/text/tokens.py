"""Finds tokens: where they start and end, their classes, shapes and hashes. Works on arrays, not token by token."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from unspun.model.text.characters import CharacterClass, classify, code_points, hash_values, splitmix64, translate

HASH_CHUNK = 1 << 18
"""Characters hashed at a time, so that the tables of powers stay in the processor's cache."""

_BASE = 0x9E3779B97F4A7C15
_BASE_INVERSE = pow(_BASE, -1, 1 << 64)
_ODD, _HALF = np.uint64(_BASE), np.uint64(31)


class TokenClass:
    """What a token is: the values of `Documents.token_class`.

    They are bytes, because numpy compares an array with them eight times as fast as with an IntEnum.
    """

    WORD: Final = np.uint8(0)
    NUMBER: Final = np.uint8(1)
    PUNCTUATION: Final = np.uint8(2)


class Shape:
    """The bits of `Documents.token_shape`. They are bytes, because an IntEnum would widen the arrays."""

    CAPITAL: Final = np.uint8(1)
    ALL_CAPITALS: Final = np.uint8(2)
    SENTENCE_START: Final = np.uint8(4)
    SPACE_BEFORE: Final = np.uint8(8)


# What each CharacterClass contributes to a token. A word or a number continues as long as its kind does. A punctuation
# mark is a token by itself, except that some marks form one token while they repeat ("...", "--").
_SPACE, _PUNCTUATION, _WORD, _NUMBER, _REPEATED = range(5)
_KIND = np.zeros(256, dtype=np.uint8)
_KIND[CharacterClass.PUNCTUATION] = _PUNCTUATION
_KIND[CharacterClass.LOWER] = _WORD
_KIND[CharacterClass.UPPER] = _WORD
_KIND[CharacterClass.MARK] = _WORD
_KIND[CharacterClass.DIGIT] = _NUMBER
_KIND[CharacterClass.APOSTROPHE] = _PUNCTUATION
_KIND[CharacterClass.POINT] = _PUNCTUATION
_KIND[CharacterClass.REPEATABLE] = _REPEATED

_TOKEN_CLASS = np.full(CharacterClass.COUNT, TokenClass.PUNCTUATION, dtype=np.uint8)
_TOKEN_CLASS[CharacterClass.LOWER] = TokenClass.WORD
_TOKEN_CLASS[CharacterClass.UPPER] = TokenClass.WORD
_TOKEN_CLASS[CharacterClass.DIGIT] = TokenClass.NUMBER


class Tokens:
    """The tokens of a run of characters.

    Attributes:
        classes: (C,) uint8, the CharacterClass of each character.
        start, end: (T,) int64, offsets into the characters.
        token_class: (T,) uint8, TokenClass.
        shape: (T,) uint8, bits of Shape, except SENTENCE_START.
        hash: (T,) uint64.
    """

    classes: NDArray[np.uint8]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    token_class: NDArray[np.uint8]
    shape: NDArray[np.uint8]
    hash: NDArray[np.uint64]

    def __init__(self, characters: NDArray[np.uint32]) -> None:
        classes = self.classes = classify(characters)
        self.start, self.end = _boundaries(characters, classes)
        self.token_class = _TOKEN_CLASS[classes[self.start]]
        self.shape = shapes(classes, self.start, self.end)
        self.hash = hash_spans(characters, self.start, self.end)


def _boundaries(
    characters: NDArray[np.uint32], classes: NDArray[np.uint8]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    kind = translate(classes, _KIND)
    kind[characters == ord(".")] = _REPEATED
    _join_inner(kind, classes)
    starts = kind != _SPACE
    continues = kind[1:] == kind[:-1]
    continues &= kind[1:] != _PUNCTUATION
    continues &= (kind[1:] != _REPEATED) | (characters[1:] == characters[:-1])
    starts[1:] &= ~continues
    ends = kind != _SPACE
    ends[:-1] &= ~continues
    return starts.nonzero()[0], ends.nonzero()[0] + 1


def _join_inner(kind: NDArray[np.uint8], classes: NDArray[np.uint8]) -> None:
    """Join apostrophes and points, in place, with the words or numbers on both sides of them: don't, 1,000.5."""
    inside = classes[1:-1]
    inner = ((inside == CharacterClass.APOSTROPHE) | (inside == CharacterClass.POINT)).nonzero()[0] + 1
    joined = np.where(classes[inner] == CharacterClass.POINT, np.uint8(_NUMBER), np.uint8(_WORD))
    fits = (kind[inner - 1] == joined) & (kind[inner + 1] == joined)
    kind[inner[fits]] = joined[fits]


def shapes(classes: NDArray[np.uint8], start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return the bits of Shape that depend only on a token's characters and the one before it."""
    upper = classes == CharacterClass.UPPER
    shape: NDArray[np.uint8] = upper[start].astype(np.uint8) * Shape.CAPITAL
    # Capitals are rare, so only the words that have several are looked at.
    owner = start.searchsorted(upper.nonzero()[0], side="right") - 1
    several = (np.bincount(owner, minlength=start.size) >= 2).nonzero()[0]
    if several.size:
        lowers = _count_in_spans(classes == CharacterClass.LOWER, start[several], end[several])
        shape[several[lowers == 0]] |= Shape.ALL_CAPITALS
    after_space = start == 0
    after_space |= classes[start - 1] == CharacterClass.SPACE
    shape[after_space] |= Shape.SPACE_BEFORE
    return shape


def _count_in_spans(flags: NDArray[np.bool_], start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of flags in each of some spans, none of which is empty."""
    lengths = end - start
    first = lengths.cumsum() - lengths
    inside = np.arange(lengths.sum()) + np.repeat(start - first, lengths)
    counts: NDArray[np.int64] = np.add.reduceat(flags[inside].astype(np.int64), first)
    return counts


def hash_spans(characters: NDArray[np.uint32], start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return the hash of each span of characters, after folding. Spans must be in order and must not overlap.

    A span's hash is the scrambled sum, modulo 2^64, of its length and of its folded code points' random values, the
    i-th multiplied by the i-th power of an odd base. Differences of running sums give the sums of all spans at once;
    inverse powers of the base remove a span's position.
    """
    hashes = np.empty(start.size, dtype=np.uint64)
    done = 0
    while done < start.size:
        origin = int(start[done])
        stop = max(int(end.searchsorted(origin + HASH_CHUNK, side="right")), done + 1)
        limit = int(end[stop - 1])
        powers, inverses = _powers(limit - origin)
        running = np.zeros(limit - origin + 1, dtype=np.uint64)
        (hash_values(characters[origin:limit]) * powers).cumsum(out=running[1:])
        first = start[done:stop] - origin
        last = end[done:stop] - origin
        sums = (running[last] - running[first]) * inverses[first]
        hashes[done:stop] = splitmix64(sums + (last - first).astype(np.uint64))
        done = stop
    return hashes


def _powers(length: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return the first powers of the base and of its inverse modulo 2^64."""
    if length <= HASH_CHUNK:
        powers, inverses = _cached_powers()
        return powers[:length], inverses[:length]
    return _compute_powers(_BASE, length), _compute_powers(_BASE_INVERSE, length)


@cache
def _cached_powers() -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    return _compute_powers(_BASE, HASH_CHUNK), _compute_powers(_BASE_INVERSE, HASH_CHUNK)


def _compute_powers(base: int, length: int) -> NDArray[np.uint64]:
    powers = np.full(length, base, dtype=np.uint64)
    powers[:1] = 1
    return np.cumprod(powers, out=powers)


def hash_tokens(words: Sequence[str]) -> NDArray[np.uint64]:
    """Return the hash of each word as in `Documents.token_hash`. Each is hashed as one token, whatever it contains."""
    lengths = np.array([len(word) for word in words], dtype=np.int64)
    end = lengths.cumsum(dtype=np.int64)
    return hash_spans(code_points("".join(words)), end - lengths, end)


def hash_token(word: str) -> int:
    """Return the hash of a single token; see `hash_tokens`."""
    return int(hash_tokens([word])[0])


def phrase_keys(hashes: NDArray[np.uint64], length: int) -> NDArray[np.uint64]:
    """Return the hash of every run of `length` tokens, shape (T - length + 1,), given the tokens' hashes (T,)."""
    count = max(len(hashes) - length + 1, 0)
    return run_keys(hashes, np.arange(count), np.full(count, length))


def run_keys(hashes: NDArray[np.uint64], first: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return the hashes (N,) of runs of tokens, given their first tokens and their lengths (N,), the longest first."""
    key = lengths.astype(np.uint64)
    sizes = (-lengths).searchsorted(-np.arange(lengths.max(initial=0))).tolist()  # for each k, the runs longer than k
    for k, size in enumerate(sizes):
        longer = key[:size]
        longer ^= hashes.take(first[:size] + k)
        longer *= _ODD
        longer ^= longer >> _HALF
    return key

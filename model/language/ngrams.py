"""How people combine words: n-gram log probabilities in a compact hash table.

The table contains no words. A slot has 16 bits: a fingerprint of the n-gram and its quantised log probability.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVEL_BITS = 5
FINGERPRINT_BITS = 16 - LEVEL_BITS
_LEVEL_MASK = np.uint16((1 << LEVEL_BITS) - 1)
_MULTIPLIERS = tuple(np.uint64(value) for value in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9))
_MIX = np.uint64(0xFF51AFD7ED558CCD)
_ONE = np.uint64(1)

MAX_PROBES = 16
"""Longer walks would slow down every look-up and save only one n-gram in several hundred."""

BLOCK = 1 << 14
"""Keys looked up at a time, so that the working arrays stay in the processor's cache."""

FEW = 512
"""Keys that are looked up without the steps that save work for many, because these steps have their own cost."""

Ids = NDArray[np.integer]


def ngram_keys(*columns: Ids) -> NDArray[np.uint64]:
    """Return a 64-bit key for each n-gram, whose words are given as columns of ids, first word first.

    The columns are broadcast against each other.
    """
    key: Any = np.uint64(len(columns))
    for multiplier, column in zip(_MULTIPLIERS, columns, strict=False):
        word = column.astype(np.uint64)
        word += _ONE
        word *= multiplier
        key = word ^ key
        _mix(key)
    key ^= key >> np.uint64(32)
    answer: NDArray[np.uint64] = key
    return answer


@dataclass(frozen=True, eq=False)
class NgramTable:
    """A hash table of n-gram log probabilities with open addressing, which can be memory-mapped.

    Attributes:
        slots: uint16, a power of two of them; 0 if empty, otherwise fingerprint << 5 | level, with levels from 1.
        levels: (32,) float32, the log probability of each level, in nats.
        probes: length of the longest walk to a stored n-gram.
    """

    slots: NDArray[np.uint16]
    levels: NDArray[np.float32]
    probes: int

    @classmethod
    def build(cls, keys: NDArray[np.uint64], values: NDArray[np.floating], slot_bits: int) -> NgramTable:
        """Store n-grams, given by their keys (N,) and log probabilities (N,), in 2**slot_bits slots.

        N-grams that find no free slot within MAX_PROBES steps are dropped; earlier ones have priority. Raises
        ValueError if more than 90 % of the slots would be filled.
        """
        if len(keys) > 0.9 * (1 << slot_bits):
            raise ValueError(f"{len(keys)} n-grams do not fit into 2**{slot_bits} slots")
        inner = np.quantile(values, np.linspace(0, 1, (1 << LEVEL_BITS) - 1 + 1))
        edges = inner[1:-1]
        level = edges.searchsorted(values).astype(np.int64)
        count = (1 << LEVEL_BITS) - 1
        sums = np.bincount(level, weights=values, minlength=count)
        sizes = np.maximum(np.bincount(level, minlength=count), 1)
        levels = np.concatenate([[0.0], sums / sizes]).astype(np.float32)
        entry = (_fingerprint(keys) << np.uint16(LEVEL_BITS)) | (level + 1).astype(np.uint16)
        slots = np.zeros(1 << slot_bits, dtype=np.uint16)
        home = (keys >> np.uint64(64 - slot_bits)).astype(np.int64)
        mask = (1 << slot_bits) - 1
        pending = np.arange(len(keys))
        probes = 0
        while len(pending) and probes < MAX_PROBES:
            at = (home[pending] + probes) & mask
            free = slots[at] == 0
            _, first = np.unique(at[free], return_index=True)
            placed = free.nonzero()[0][first]
            slots[at[placed]] = entry[pending[placed]]
            pending = np.delete(pending, placed)
            probes += 1
        return cls(slots=slots, levels=levels, probes=probes)

    def find(self, keys: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the positions (F,) of the keys (N,) that are stored, and their log probabilities (F,)."""
        if keys.size <= BLOCK:
            places, levels = self._find_block(keys)
        else:
            starts = range(0, keys.size, BLOCK)
            found = [self._find_block(keys[start : start + BLOCK]) for start in starts]
            places = np.concatenate([of_block + start for start, (of_block, _) in zip(starts, found, strict=True)])
            levels = np.concatenate([of_block for _, of_block in found])
        return places, self.levels.take(levels)

    def _find_block(self, keys: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.uint16]]:
        """Return the positions (F,) of the keys (N,) that are stored, and their levels (F,)."""
        home = (keys >> np.uint64(64 - self.slots.size.bit_length() + 1)).view(np.int64)
        low = keys.astype(np.uint16)
        if keys.size < FEW:
            level = self._walk(home, low << np.uint16(LEVEL_BITS))
            hit = (level != 0).nonzero()[0]
            return hit, level.take(hit)
        may_be = self._may_meet(home, low).nonzero()[0]
        level = self._level(home.take(may_be), low.take(may_be) << np.uint16(LEVEL_BITS))
        hit = (level != 0).nonzero()[0]
        return may_be.take(hit), level.take(hit)

    def _level(self, at: NDArray[np.int64], entry: NDArray[np.uint16]) -> NDArray[np.uint16]:
        """Return the level of each entry (N,), given the slot at which its walk starts; 0 if it is not stored."""
        # Most walks end at once, at the n-gram or at an empty slot.
        level = self._slots.take(at)
        todo = (((level ^ entry) > _LEVEL_MASK) & (level != 0)).nonzero()[0]
        level &= _LEVEL_MASK
        level[todo] = self._walk(at.take(todo), entry.take(todo))
        return level

    def _walk(self, at: NDArray[np.int64], entry: NDArray[np.uint16]) -> NDArray[np.uint16]:
        """Return the level of each entry (N,), given the slot at which its walk starts; 0 if it is not stored.

        All steps of a walk are compared at once.
        """
        met = self._walks[at].view(np.uint16).reshape(-1, MAX_PROBES)
        ends = (met ^ entry[:, None]) <= _LEVEL_MASK
        ends |= met == 0
        # As one integer for each walk, in which the lowest bit that is set is where it ends.
        bits = np.packbits(ends.reshape(-1), bitorder="little").view("<u2")
        bits &= np.uint16((1 << self.probes) - 1)
        step = np.bitwise_count((bits & -bits) - np.uint16(1)) & np.uint8(MAX_PROBES - 1)
        level: NDArray[np.uint16] = met.reshape(-1).take(np.arange(0, met.size, MAX_PROBES) + step)
        level &= _LEVEL_MASK  # 0 if the slot is empty
        level *= bits != 0
        return level

    def _may_meet(self, home: NDArray[np.int64], low: NDArray[np.uint16]) -> NDArray[np.bool_]:
        """Return whether a walk may find each key (N,), given the slot at which it starts and the key's low bits."""
        met = self._met.take(home)
        met >>= low & np.uint16(15)
        met &= np.uint16(1)
        return met.astype(bool)

    @cached_property
    def _walks(self) -> NDArray[np.void]:
        """The MAX_PROBES slots from each slot on: overlapping items of one array, so that it takes no more memory."""
        item = np.dtype((np.void, MAX_PROBES * self._slots.itemsize))
        return np.ndarray(self.slots.size, item, buffer=self._slots, strides=self._slots.strides)

    @cached_property
    def _slots(self) -> NDArray[np.uint16]:
        """The slots, and the first of them again for walks across the end, in memory that is faster than a file's."""
        return np.asarray(self.slots).take(np.arange(self.slots.size + MAX_PROBES), mode="wrap")

    @cached_property
    def _met(self) -> NDArray[np.uint16]:
        """The fingerprints that a walk from each slot meets, as bits by their last four bits.

        Most n-grams that are looked up were never stored, and in a full table their walks are the longest. One look-up
        in this array makes nearly all of those walks unnecessary.
        """
        answer = np.empty(self.slots.size, dtype=np.uint16)
        for start in range(0, self.slots.size, BLOCK):
            stop = min(start + BLOCK, self.slots.size)
            slots = self.slots.take(np.arange(start, stop + self.probes), mode="wrap")
            full = slots != 0
            met = full.astype(np.uint16) << (slots >> np.uint16(LEVEL_BITS) & np.uint16(15))
            ahead = 1
            while ahead < self.probes:  # each round doubles the number of steps
                met[:-ahead] |= met[ahead:] * full[:-ahead]
                full[:-ahead] &= full[ahead:]
                ahead *= 2
            answer[start:stop] = met[: stop - start]
        return answer


def _fingerprint(keys: NDArray[np.uint64]) -> NDArray[np.uint16]:
    """Return the low bits of each key, which are independent of the high bits that select the slot."""
    return keys.astype(np.uint16) & np.uint16((1 << FINGERPRINT_BITS) - 1)


def _keys_around(words: Ids, left2: Ids, left1: Ids, right1: Ids, right2: Ids) -> NDArray[np.uint64]:
    """Return the `ngram_keys` (5, K, P) of words (K, P) with their neighbours (P,).

    They are those of the pairs (left1, word) and (word, right1), and of the triples (word, right1, right2), (left1,
    word, right1) and (left2, left1, word). All n-grams with a word in the same place are computed at once.
    """
    first, second, third = _MULTIPLIERS
    one = words.astype(np.uint64) + _ONE
    left2, left1, right1, right2 = (ids.astype(np.uint64) + _ONE for ids in (left2, left1, right1, right2))
    keys = np.empty((5, *words.shape), dtype=np.uint64)
    np.multiply(one, first, out=keys[1])
    np.bitwise_xor(keys[1], np.uint64(3), out=keys[2])
    keys[1] ^= np.uint64(2)
    _mix(keys[1:3])
    keys[1:3] ^= right1 * second
    one_second = one * second
    np.bitwise_xor(one_second, _mix(left1 * first ^ np.uint64(2)), out=keys[0])
    np.bitwise_xor(one_second, _mix(left1 * first ^ np.uint64(3)), out=keys[3])
    _mix(keys[:4])
    keys[2] ^= right2 * third
    keys[3] ^= right1 * third
    before = _mix(_mix(left2 * first ^ np.uint64(3)) ^ left1 * second)
    np.bitwise_xor(one * third, before, out=keys[4])
    _mix(keys[2:])
    keys ^= keys >> np.uint64(32)
    return keys


def _mix(key: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scramble keys in place after each word."""
    key ^= key >> np.uint64(29)
    key *= _MIX
    return key


BACKOFF = np.float32(np.log(0.4))
"""The log factor for falling back to a shorter context (Brants et al. 2007, "Large language models in machine
translation")."""


@dataclass(frozen=True, eq=False)
class LanguageModel:
    """P(word | the two words before it) with stupid backoff, in natural logarithms.

    Attributes:
        unigram: (V,) float32, the log probability of each word.
        backoff: (V,) float32, the log weight of unseen successors of each word.
        table: the stored bigrams and trigrams.
    """

    unigram: NDArray[np.float32]
    backoff: NDArray[np.float32]
    table: NgramTable

    def bigram(self, first: Ids, second: Ids) -> NDArray[np.float32]:
        """Return log P(second | first). The arguments are broadcast against each other."""
        answer = self.backoff.take(first) + self.unigram.take(second)
        places, found = self.table.find(ngram_keys(first, second).reshape(-1))
        answer.reshape(-1)[places] = found
        return answer

    def running(self, ids: Ids) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float32]]:
        """Return the log probabilities of running text (T,): of each word but the first, given the one before it
        (T - 1,), whether that pair is stored (T - 1,), and of each word but two, given the two before it (T - 2,).
        """
        # One search for all, because the cost per n-gram falls with their number.
        keys = np.concatenate([ngram_keys(ids[:-1], ids[1:]), ngram_keys(ids[:-2], ids[1:-1], ids[2:])])
        places, found = self.table.find(keys)
        size = len(ids) - 1
        pairs = int(places.searchsorted(size))
        pair = self.backoff.take(ids[:-1]) + self.unigram.take(ids[1:])
        pair[places[:pairs]] = found[:pairs]
        known = np.zeros(size, dtype=bool)
        known[places[:pairs]] = True
        triple = pair[1:] + BACKOFF
        triple[places[pairs:] - size] = found[pairs:]
        return pair, known, triple

    def fit(
        self, words: Ids, left2: Ids, left1: Ids, right1: Ids, right2: Ids, right_pair: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return how well words (K, P) would fit between their neighbours (P,): log probabilities (3, K, P).

        They are the log probabilities of the word, of the next word, and of the one after that, each given the two
        words before it. `right_pair` (P,) is log P(right2 | right1), which does not depend on the word.
        """
        # One search for all, because the cost per n-gram falls with their number.
        places, found = self.table.find(_keys_around(words, left2, left1, right1, right2).reshape(-1))
        answer = np.empty((5, *words.shape), dtype=np.float32)
        np.add(self.backoff.take(left1), self.unigram.take(words), out=answer[0])
        np.add(self.backoff.take(words), self.unigram.take(right1), out=answer[1])
        pairs = int(places.searchsorted(2 * words.size))
        answer.reshape(-1)[places[:pairs]] = found[:pairs]
        np.add(right_pair, BACKOFF, out=answer[2])
        np.add(answer[1::-1], BACKOFF, out=answer[3:])
        answer.reshape(-1)[places[pairs:]] = found[pairs:]
        return answer[:1:-1]

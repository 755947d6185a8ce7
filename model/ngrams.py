"""How people put words next to each other: n-gram log probabilities in a compact hashed table.

The table holds no words and no text: a slot is 16 bits, a fingerprint of the n-gram and its quantised log probability.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVEL_BITS = 5
FINGERPRINT_BITS = 16 - LEVEL_BITS
_LEVEL_MASK = np.uint16((1 << LEVEL_BITS) - 1)
_MULTIPLIERS = tuple(np.uint64(value) for value in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9))
_MIX = np.uint64(0xFF51AFD7ED558CCD)

MAX_PROBES = 16
"""A longer walk would cost every look-up and save one n-gram in some hundreds."""

BLOCK = 1 << 14
"""Keys looked up at a time: their working arrays stay in the processor's cache."""

Ids = NDArray[np.integer]


def ngram_keys(*columns: Ids) -> NDArray[np.uint64]:
    """Return one 64-bit key for each n-gram given as its columns of word ids, first word first."""
    key = np.full(columns[0].shape, np.uint64(len(columns)), dtype=np.uint64)
    for multiplier, column in zip(_MULTIPLIERS, columns, strict=False):
        key ^= (column.astype(np.uint64) + np.uint64(1)) * multiplier
        key ^= key >> np.uint64(29)
        key *= _MIX
    key ^= key >> np.uint64(32)
    return key


@dataclass(frozen=True, eq=False)
class NgramTable:
    """A hash table of n-gram log probabilities with open addressing, made to be memory-mapped.

    `slots` (a power of two, uint16): 0 where empty, else fingerprint << 5 | level, level from 1; `levels` (32,) float32
    holds the log probability (nats) of each level; `probes` is the longest walk to any stored n-gram.
    """

    slots: NDArray[np.uint16]
    levels: NDArray[np.float32]
    probes: int

    @classmethod
    def build(cls, keys: NDArray[np.uint64], values: NDArray[np.floating], slot_bits: int) -> NgramTable:
        """Pack n-grams by their keys (N,) and log probabilities (N,) into 2**slot_bits slots.

        Those that find no slot within MAX_PROBES steps are dropped, the later ones first.
        """
        if len(keys) > 0.9 * (1 << slot_bits):
            raise ValueError(f"{len(keys)} n-grams do not fit into 2**{slot_bits} slots")
        inner = np.quantile(values, np.linspace(0, 1, (1 << LEVEL_BITS) - 1 + 1))
        edges = inner[1:-1]
        level = np.searchsorted(edges, values).astype(np.int64)
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
            placed = np.flatnonzero(free)[first]
            slots[at[placed]] = entry[pending[placed]]
            pending = np.delete(pending, placed)
            probes += 1
        return cls(slots=slots, levels=levels, probes=probes)

    def find(self, keys: NDArray[np.uint64]) -> NDArray[np.float32]:
        """Return the log probability of each n-gram, shape of `keys`; NaN where it was never stored."""
        flat = keys.ravel()
        answer = np.empty(flat.shape, dtype=np.float32)
        for start in range(0, flat.size, BLOCK):
            answer[start : start + BLOCK] = self._find_block(flat[start : start + BLOCK])
        return answer.reshape(keys.shape)

    def _find_block(self, keys: NDArray[np.uint64]) -> NDArray[np.float32]:
        at = (keys >> np.uint64(64 - self.slots.size.bit_length() + 1)).astype(np.int64)
        wanted = _fingerprint(keys)
        answer = np.full(keys.shape, np.nan, dtype=np.float32)
        todo = np.arange(keys.size)
        mask = np.int64(self.slots.size - 1)
        for _ in range(self.probes):
            slot = self.slots[at]
            hit = (slot >> np.uint16(LEVEL_BITS) == wanted) & (slot != 0)
            answer[todo[hit]] = self.levels[slot[hit] & _LEVEL_MASK]
            on = np.flatnonzero((slot != 0) & ~hit)
            if not len(on):
                break
            todo, wanted = todo[on], wanted[on]
            at = (at[on] + 1) & mask
        return answer


def _fingerprint(keys: NDArray[np.uint64]) -> NDArray[np.uint16]:
    """Return the low bits of each key: independent of the high bits that choose the slot."""
    return (keys & np.uint64((1 << FINGERPRINT_BITS) - 1)).astype(np.uint16)


BACKOFF = np.float32(np.log(0.4))
"""The price of falling back to a shorter context (Brants et al. 2007, "Large language models in machine
translation")."""


@dataclass(frozen=True, eq=False)
class LanguageModel:
    """P(word | the two words before) with stupid backoff, in natural logarithms.

    `unigram` (V,) float32 log probabilities, `backoff` (V,) float32 the log weight that is left for unseen
    followers of each word, `table` the stored bigrams and trigrams.
    """

    unigram: NDArray[np.float32]
    backoff: NDArray[np.float32]
    table: NgramTable

    def bigram(self, first: Ids, second: Ids) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return log P(second | first) and whether the pair is known, shape of the arguments."""
        found = self.table.find(ngram_keys(first, second))
        known = ~np.isnan(found)
        return np.where(known, found, self.backoff[first] + self.unigram[second]), known

    def trigram(self, first: Ids, second: Ids, third: Ids, second_third: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return log P(third | first, second), given log P(third | second), shape of the arguments."""
        found = self.table.find(ngram_keys(first, second, third))
        return np.where(np.isnan(found), second_third + BACKOFF, found)

"""How well does each word fit the words around it, to a network that has learned from the deep tier?

What it looks for: words, and the five words on either side of each. A small convolutional network over hashed words
(compare Kim 2014) gives every word a log odds for each kind of paraphrase; what counts is the sum.

Why that betrays a machine: the network was taught by the deep tier's answers about each word, by paraphrases whose
replaced words are known, and by paraphrased texts as a whole.

What it misses: words whose hashes share a row of the table, and anything that takes more than eleven words to see.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unspun.model.onnx_session import run, session
from unspun.model.text.quick import QuickWords
from unspun.model.verdict import KINDS

ROW_BITS = 16
ROWS = 1 << ROW_BITS
"""Rows of the table of words."""
ZERO = 128
"""The input that represents 0."""
REACH = 5
"""Words on either side that count for a word."""
GAP = 3
"""Empty places between two texts, so that neither counts for the other."""
CHUNK = 512
"""Places that the network reads at a time, so that what it computes stays in the processor's cache."""
INPUTS = ("places", "mask")
"""Inputs of the graph."""
TYPICAL_WORDS = 200
"""Words of a section whose evidence is the mean of its words' log odds. That of others grows with the square root."""


@dataclass(frozen=True, eq=False)
class ContextNetwork:
    """The network, in integer arithmetic until its last sums, so that no answer depends on the rest of the batch.

    Attributes:
        table: (ROWS + 1, E) uint8, what each row of words is to the network, with ZERO for 0. The last row is that of
            empty places. `capital` (E,) uint8 is added for words that begin with a capital letter, modulo 256.
        graph: the ONNX model: places (P, E) uint8, of which those with a `mask` (P, 1) of 255 are words and those with
            0 are empty, to one number for each kind from each of its two layers (P, 6) int32.
        scale: (6,) what 1 is worth in each of these numbers.
        bias: (3,) log odds of each kind that a word has by itself.
    """

    table: NDArray[np.uint8]
    capital: NDArray[np.uint8]
    graph: bytes
    scale: NDArray[np.float64]
    bias: NDArray[np.float64]

    def log_odds(self, words: QuickWords, ptr: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the evidence (S, 3) of each kind in sections that begin and end at `ptr` (S + 1,); 0 if empty."""
        answer = np.zeros((len(ptr) - 1, len(KINDS)))
        size = np.diff(ptr)
        filled = np.flatnonzero(size)
        if len(filled):
            sums = np.add.reduceat(self._read(words), ptr[filled], axis=1, dtype=np.int64)
            by_layer = (sums * self.scale[:, None]).reshape(2, len(KINDS), -1)
            count = size[filled, None]
            answer[filled] = (by_layer.sum(axis=0).T + count * self.bias) / np.sqrt(TYPICAL_WORDS * count)
        return answer

    def _read(self, words: QuickWords) -> NDArray[np.int32]:
        """Return the network's numbers (6, T) about words."""
        size = np.diff(words.ptr)
        place = np.arange(len(words.hashes)) + np.repeat(np.arange(1, len(size) + 1) * GAP, size)
        places = len(words.hashes) + (len(size) + 1) * GAP
        rows = np.full(places, ROWS, dtype=np.uint64)
        rows[place] = words.hashes >> np.uint64(64 - ROW_BITS)
        inputs = self.table[rows]
        inputs[place[words.capital]] += self.capital
        mask = np.where(rows == ROWS, np.uint8(0), np.uint8(255))[:, None]
        found = np.empty((2 * len(KINDS), places), dtype=np.int32)
        for start in range(0, places, CHUNK):
            first, stop = max(start - REACH, 0), start + CHUNK
            given = dict(zip(INPUTS, (inputs[first : stop + REACH], mask[first : stop + REACH]), strict=True))
            [part] = run(self._session, None, given)
            found[:, start:stop] = part[start - first :][:CHUNK].T
        return found[:, place]

    @cached_property
    def _session(self) -> Any:
        return session(self.graph)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the session, which cannot be pickled."""
        return {name: value for name, value in self.__dict__.items() if name != "_session"}

"""Word vectors, and what the words around a place are about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from model.encoding import Encoding

WIDE = 12
"""Words to each side in the mean of the context."""

BLOCK = 1024
"""Rows compared at a time: their vectors stay in the processor's cache."""

UNIT = np.float32(4.0 / 127.0)
"""What a step of the packed vectors is worth, in standard deviations."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class WordVectors:
    """Word vectors (V, E), stored as int8 with one scale a dimension (E,) float32. Specials are zero."""

    values: NDArray[np.int8]
    scale: Floats

    @classmethod
    def pack(cls, vectors: NDArray[np.floating]) -> WordVectors:
        """Quantise vectors (V, E); values beyond four standard deviations are clipped."""
        scale = (4.0 * vectors.std(axis=0) / 127.0).astype(np.float32)
        values = np.clip(np.rint(vectors / scale), -127, 127).astype(np.int8)
        return cls(values, scale)

    def unpacked(self) -> Floats:
        """Return the vectors as float32, shape (V, E), each dimension with a standard deviation of one."""
        return self.values.astype(np.float32) * UNIT


class Topics:
    """Mean vectors of wider contexts, and how near words are to them."""

    def __init__(self, vectors: WordVectors) -> None:
        self.values = vectors.values
        self.vectors = vectors.unpacked()
        norms = np.sqrt(np.einsum("ij,ij->i", self.vectors, self.vectors))
        self.directions = self.vectors / np.maximum(norms, 1e-6)[:, None]

    def contexts(self, encoding: Encoding) -> Contexts:
        """Return the contexts of a batch, from running sums: each costs the same whatever its width.

        The sums are of the vectors' integers, and so exact: a text's answer does not depend on those before it.
        """
        known = _CONTEXTS.get(encoding)
        if known is None or known[0] is not self.values:
            known = _CONTEXTS[encoding] = self.values, self._sum_up(encoding)
        return known[1]

    def _sum_up(self, encoding: Encoding) -> Contexts:
        document = encoding.documents.token_document
        summed = np.zeros((len(encoding.ids) + 1, self.vectors.shape[1]), dtype=np.int32)
        summed[1:] = self.values[encoding.ids]
        # In place and without a cast: three times as fast as a cumsum of the bytes.
        np.add.accumulate(summed, axis=0, out=summed)
        here = np.arange(len(encoding.ids))
        low = np.maximum(here - WIDE, encoding.documents.token_ptr[:-1][document])
        high = np.minimum(here + WIDE + 1, encoding.documents.token_ptr[1:][document])
        return Contexts(summed, low, high)

    def similarity(
        self, encoding: Encoding, places: NDArray[np.int64]
    ) -> Callable[[NDArray[np.int64], NDArray[np.int32]], Floats]:
        """Return a function from rows of `places` and word ids to the cosine of word and context."""
        contexts, _ = self.contexts(encoding).around(places)
        norms = np.sqrt(np.einsum("ij,ij->i", contexts, contexts))
        contexts = contexts / np.maximum(norms, 1e-6)[:, None]

        def cosines(row: NDArray[np.int64], word: NDArray[np.int32]) -> Floats:
            answer = np.empty(len(row), dtype=np.float32)
            for start in range(0, len(row), BLOCK):
                rows = contexts.take(row[start : start + BLOCK], axis=0)
                words = self.directions.take(word[start : start + BLOCK], axis=0)
                np.einsum("ij,ij->i", rows, words, out=answer[start : start + BLOCK])
            return answer

        return cosines


@dataclass(frozen=True, eq=False)
class Contexts:
    """Running sums of a batch's word vectors (T + 1, E), and first and last place of each token's context (T,)."""

    summed: NDArray[np.int32]
    low: NDArray[np.int64]
    high: NDArray[np.int64]

    def around(self, places: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Return the mean vector (P, E) of the words around each place, itself left out, and how many places they
        are."""
        low, high = self.low[places], self.high[places]
        own = self.summed[places + 1] - self.summed[places]
        total = self.summed[high] - self.summed[low] - own
        count = (high - low).astype(np.float32)
        mean: Floats = total.astype(np.float32) * UNIT
        mean /= np.maximum(count - 1, 1)[:, None]
        return mean, count


_CONTEXTS: WeakKeyDictionary[Encoding, tuple[NDArray[np.int8], Contexts]] = WeakKeyDictionary()
"""The contexts of batches that are being read: substitutions and tagger ask for the same."""


def cosine(a: Floats, b: Floats) -> Floats:
    """Return the cosine of each row of `a` with the same row of `b`, 0 for rows of zeros."""
    norms = np.sqrt(np.einsum("ij,ij->i", a, a) * np.einsum("ij,ij->i", b, b))
    value: Floats = (np.einsum("ij,ij->i", a, b) / np.maximum(norms, 1e-6)).astype(np.float32)
    return value

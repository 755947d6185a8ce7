"""Word vectors, and how near words are to the topic of the words around them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from unspun.model.language.encoding import Encoding
from unspun.model.language.vocabulary import BOUNDARY

WIDE = 12
"""Words on each side that make up a context."""

BLOCK = 1024
"""Rows compared at a time, so that their vectors stay in the processor's cache."""

UNIT = np.float32(4.0 / 127.0)
"""Unit of the packed vectors, in standard deviations."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class PackedVectors:
    """Word vectors (V, E), stored as int8 with a float32 scale for each dimension (E,). SPECIALS have zero vectors."""

    values: NDArray[np.int8]
    scale: Floats

    @classmethod
    def pack(cls, vectors: NDArray[np.floating]) -> PackedVectors:
        """Quantise vectors (V, E). Values beyond four standard deviations are clipped."""
        scale = (4.0 * vectors.std(axis=0) / 127.0).astype(np.float32)
        values = np.clip(np.rint(vectors / scale), -127, 127).astype(np.int8)
        return cls(values, scale)

    def unpacked(self) -> Floats:
        """Return the vectors as float32, shape (V, E), with a standard deviation of 1 in each dimension."""
        return self.values.astype(np.float32) * UNIT


class Topics:
    """The mean vectors of wider contexts, and the similarity of words to them."""

    def __init__(self, vectors: PackedVectors) -> None:
        self.values = vectors.values
        self.vectors = vectors.unpacked()
        norms = np.sqrt(np.einsum("ij,ij->i", self.vectors, self.vectors))
        self.directions = self.vectors / np.maximum(norms, 1e-6)[:, None]

    @staticmethod
    @lru_cache(maxsize=1)
    def of(vectors: PackedVectors) -> Topics:
        """Return the topics of a model's vectors: the same object for the tagger and for the signals."""
        return Topics(vectors)

    def contexts(self, encoding: Encoding, places: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Return the mean vectors (P, E) of the contexts of `places` (P,), and the contexts' numbers of tokens (P,).

        The words themselves are part of the number, but not of the mean. Sums are computed on integers, so they are
        exact and do not depend on the rest of the batch.
        """
        return encoding.once(self, self._sum_up).around(places)

    def _sum_up(self, encoding: Encoding) -> Contexts:
        documents, size = encoding.documents, len(encoding.ids)
        # Boundaries, whose vectors are zero, separate the documents, so that no context spans two.
        here = np.arange(size) + WIDE * (documents.token_document + 1)
        padded = np.full(size + WIDE * (len(documents.texts) + 1), BOUNDARY, dtype=np.int32)
        padded[here] = encoding.ids
        summed = np.empty((size, self.values.shape[1]), dtype=np.int16)
        for start in range(0, size, BLOCK):
            places = here[start : start + BLOCK]
            first, last = int(places[0]) - WIDE, int(places[-1]) + WIDE + 1
            values = self.values.take(padded[first:last], axis=0).astype(np.int16)
            sums = _window_sums(values, 2 * WIDE + 1)
            sums -= values[WIDE:-WIDE]
            sums.take(places - (first + WIDE), axis=0, out=summed[start : start + BLOCK], mode="clip")
        document, place = documents.token_document, np.arange(size)
        before = np.minimum(place - documents.token_ptr[:-1][document], WIDE)
        after = np.minimum(documents.token_ptr[1:][document] - place - 1, WIDE)
        return Contexts(summed, (before + after + 1).astype(np.float32))

    def similarity(self, encoding: Encoding, places: NDArray[np.int64], words: NDArray[np.int32]) -> Floats:
        """Return the cosines (K, P) between words (K, P) and the contexts of `places` (P,)."""
        contexts, _ = self.contexts(encoding, places)
        norms = np.sqrt(np.einsum("ij,ij->i", contexts, contexts))
        contexts = contexts / np.maximum(norms, 1e-6)[:, None]
        answer = np.empty(words.shape, dtype=np.float32)
        step = max(BLOCK // len(words), 1)
        for start in range(0, len(places), step):
            part = slice(start, start + step)
            directions = self.directions.take(words[:, part], axis=0)
            np.einsum("pe,kpe->kp", contexts[part], directions, out=answer[:, part])
        return answer


@dataclass(frozen=True, eq=False)
class Contexts:
    """The contexts of T tokens: sums (T, E) of the packed vectors of the words around, and numbers of tokens (T,).

    The token itself is part of the number, but not of the sum.
    """

    summed: NDArray[np.int16]
    count: Floats

    def around(self, places: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Return the mean vectors (P, E) of the words around some places, and the sizes (P,) of their contexts."""
        count = self.count[places]
        mean = self.summed.take(places, axis=0).astype(np.float32)
        mean *= UNIT
        mean /= np.maximum(count - 1, 1)[:, None]
        return mean, count


def _window_sums(values: NDArray[np.int16], width: int) -> NDArray[np.int16]:
    """Return the sum of each run of `width` rows of `values` (N, E), shape (N - width + 1, E).

    A run is put together from runs of 1, 2, 4, ... rows, each of which is the sum of two runs of half its length.
    """
    total = np.zeros((len(values) - width + 1, values.shape[1]), dtype=values.dtype)
    size, done = 1, 0
    while size <= width:
        if width & size:
            total += values[done : done + len(total)]
            done += size
        values = values[:-size] + values[size:]
        size *= 2
    return total


def cosine(a: Floats, b: Floats) -> Floats:
    """Return the cosine of each row of `a` with the same row of `b`; 0 for rows of zeros."""
    norms = np.sqrt(np.einsum("ij,ij->i", a, a) * np.einsum("ij,ij->i", b, b))
    value: Floats = (np.einsum("ij,ij->i", a, b) / np.maximum(norms, 1e-6)).astype(np.float32)
    return value

"""Word vectors, and what the words around a place are about."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

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

    def contexts(self, encoding: Encoding, places: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Return the mean vector (P, E) of the words around each place, itself left out, and how many places they are.

        `places` (P,) are tokens in rising order. The cost of each is the same whatever the width: running sums. They
        are of the vectors' integers, and so exact: a text's answer does not depend on those before it.
        """
        mean = np.empty((len(places), self.vectors.shape[1]), dtype=np.float32)
        document = encoding.documents.token_document[places]
        low = np.maximum(places - WIDE, encoding.documents.token_ptr[:-1][document])
        high = np.minimum(places + WIDE + 1, encoding.documents.token_ptr[1:][document])
        count = (high - low).astype(np.float32)
        edges = np.searchsorted(places, np.arange(0, len(encoding.ids) + BLOCK, BLOCK))
        for start, stop in pairwise(edges.tolist()):
            if start == stop:
                continue
            first, last = int(low[start]), int(high[stop - 1])
            values = self.values[encoding.ids[first:last]]
            summed = np.zeros((last - first + 1, values.shape[1]), dtype=np.int32)
            summed[1:] = values
            # In place and without a cast: three times as fast as a cumsum of the bytes.
            np.add.accumulate(summed, axis=0, out=summed)
            part = slice(start, stop)
            total = summed.take(high[part] - first, axis=0)
            total -= summed.take(low[part] - first, axis=0)
            total -= values.take(places[part] - first, axis=0)
            np.multiply(total, UNIT, out=mean[part], casting="unsafe", dtype=np.float32)
        mean /= np.maximum(count - 1, 1)[:, None]
        return mean, count

    def similarity(self, encoding: Encoding, places: NDArray[np.int64], words: NDArray[np.int32]) -> Floats:
        """Return the cosines (K, P) of words (K, P) and the contexts of `places` (P,)."""
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


def cosine(a: Floats, b: Floats) -> Floats:
    """Return the cosine of each row of `a` with the same row of `b`, 0 for rows of zeros."""
    norms = np.sqrt(np.einsum("ij,ij->i", a, a) * np.einsum("ij,ij->i", b, b))
    value: Floats = (np.einsum("ij,ij->i", a, b) / np.maximum(norms, 1e-6)).astype(np.float32)
    return value

"""What every signal gives: numbers for each token, which evidence is read from, and for each document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from unspun.model.language.encoding import Encoding

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class SignalValues:
    """A signal's answer for a batch: `tokens` (T, k) and `documents` (D, m), float32, columns as the signal names
    them."""

    tokens: Floats
    documents: Floats


class Signal(Protocol):
    """Looks for one trace that machines leave."""

    @property
    def name(self) -> str:
        """The signal's name, in lower case."""
        ...

    @property
    def token_names(self) -> tuple[str, ...]:
        """The columns of `SignalValues.tokens`."""
        ...

    @property
    def document_names(self) -> tuple[str, ...]:
        """The columns of `SignalValues.documents`."""
        ...

    def read(self, encoding: Encoding) -> SignalValues:
        """Read the signal from a batch."""
        ...


class Pool:
    """Sums per-token numbers up by document; the numbers of tokens that do not count are left out.

    A document without any such token gets zeros. `document` holds the selected tokens' documents, in rising order.
    """

    def __init__(self, document: NDArray[np.int32], documents: int) -> None:
        self.document = document
        self.size = documents
        self.bounds = np.searchsorted(document, np.arange(documents + 1))
        self.weight = np.maximum(np.diff(self.bounds), 1).astype(np.float32)

    @classmethod
    def of(cls, encoding: Encoding, tokens: NDArray[np.bool_]) -> Pool:
        """Pool over the tokens that a mask (T,) selects."""
        return cls(encoding.documents.token_document[tokens], len(encoding.documents.texts))

    def mean(self, values: NDArray[np.floating] | NDArray[np.integer] | NDArray[np.bool_]) -> Floats:
        """Return the mean of `values` (selected tokens,) in each document, shape (D,)."""
        if values.dtype == np.bool_:
            set_ = np.diff(np.searchsorted(np.flatnonzero(values), self.bounds))
            shares: Floats = (set_ / self.weight).astype(np.float32)
            return shares
        return (np.bincount(self.document, weights=values, minlength=self.size) / self.weight).astype(np.float32)

    def mean_and_deviation(self, values: NDArray[np.floating]) -> tuple[Floats, Floats]:
        """Return mean and standard deviation in each document, shapes (D,)."""
        mean = self.mean(values)
        square = self.mean(np.square(values - mean[self.document]))
        return mean, np.sqrt(square)

    def shares_above(self, values: NDArray[np.floating], limits: tuple[float, ...]) -> list[Floats]:
        """Return for each limit, in rising order, the share of tokens above it in each document."""
        # Counted once, by document and by how many limits a value is above.
        cells = len(limits) + 1
        cell = self.document * np.int32(cells)
        for limit in np.array(limits, dtype=values.dtype):
            cell += values > limit
        counts = np.bincount(cell, minlength=self.size * cells).reshape(self.size, cells)
        above = np.cumsum(counts[:, :0:-1], axis=1)[:, ::-1]
        return list((above.T / self.weight).astype(np.float32))

"""What every signal returns: numbers for each token, which become evidence, and features of each document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from unspun.model.language.encoding import BatchMemory, Encoding
from unspun.model.text.arrays import steps

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class SignalValues:
    """A signal's values for a batch of T tokens and D documents.

    `tokens` (T, k) and `documents` (D, m) are float32; the signal names their columns.
    """

    tokens: Floats
    documents: Floats


class Signal(Protocol):
    """A signal looks for one trace that machines leave."""

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
        """Compute the signal for a batch."""
        ...


class Pool:
    """Summarises the values of selected tokens by document. Documents without such tokens get zeros.

    Args:
        document: the document of each selected token, in rising order.
        documents: number of documents, D.
    """

    def __init__(self, document: NDArray[np.int32], documents: int) -> None:
        self.document = document
        self.size = documents
        self.bounds: NDArray[np.int64] = document.searchsorted(np.arange(documents + 1))
        self.weight: Floats = np.maximum(steps(self.bounds), 1).astype(np.float32)

    @classmethod
    def of(cls, encoding: Encoding, tokens: NDArray[np.int64] | None = None) -> Pool:
        """Pool over some tokens, given by their places in rising order; by default over those that are judged."""
        size = len(encoding.documents.texts)
        if tokens is not None:
            return cls(encoding.documents.token_document.take(tokens), size)
        judged = _JUDGED.get(encoding)
        if judged is None:
            judged = _JUDGED[encoding] = cls(encoding.place_document, size)
        return judged

    def mean(self, values: NDArray[np.floating] | NDArray[np.integer] | NDArray[np.bool_]) -> Floats:
        """Return the mean of each document's `values`, shape (D,). There is one value for each selected token."""
        if values.dtype == np.bool_:
            before = values.nonzero()[0].searchsorted(self.bounds)
            return (steps(before) / self.weight).astype(np.float32)
        return (np.bincount(self.document, weights=values, minlength=self.size) / self.weight).astype(np.float32)

    def mean_and_deviation(self, values: NDArray[np.floating]) -> tuple[Floats, Floats]:
        """Return the mean and the standard deviation of each document's values, shapes (D,)."""
        mean = self.mean(values)
        square = self.mean(np.square(values - mean[self.document]))
        return mean, np.sqrt(square)

    def shares_above(self, values: NDArray[np.floating], limits: tuple[float, ...]) -> list[Floats]:
        """Return for each of some rising limits the share of each document's values above it, shapes (D,)."""
        # One count of the values, by document and by the number of limits that they exceed.
        cells = len(limits) + 1
        above_each = values > np.array(limits, dtype=values.dtype)[:, None]
        cell = self.document * np.int32(cells)
        cell += np.add.reduce(above_each.view(np.uint8), axis=0, dtype=np.uint8)
        counts = np.bincount(cell, minlength=self.size * cells).reshape(self.size, cells)
        above = counts[:, :0:-1].cumsum(axis=1)[:, ::-1]
        return list((above.T / self.weight).astype(np.float32))


_JUDGED: BatchMemory[Pool] = BatchMemory()
"""The pool of the tokens that are judged, because most signals need it."""


def in_columns(values: Sequence[NDArray[Any]]) -> Floats:
    """Return some values of each of N tokens or documents, (N,) each, as the columns of an array (N, k)."""
    return np.array(values, dtype=np.float32).T


def side_by_side(tables: Sequence[NDArray[Any]]) -> Floats:
    """Return the columns of several arrays (N, ...) in one array, in row order."""
    joined = np.empty((len(tables[0]), sum(table.shape[1] for table in tables)), dtype=np.float32)
    return np.concatenate(tables, axis=1, out=joined, casting="same_kind")

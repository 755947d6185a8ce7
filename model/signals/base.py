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

    def means(self, rows: NDArray[np.floating] | NDArray[np.bool_]) -> Floats:
        """Return the mean of each document's values in each row: shape (k, D), given `rows` (k, P).

        A row has one value for each of the P selected tokens.
        """
        number = np.arange(len(rows))[:, None]
        if rows.dtype == np.bool_:
            before = rows.reshape(-1).nonzero()[0].searchsorted(number * rows.shape[1] + self.bounds)
            sums: NDArray[Any] = before[:, 1:] - before[:, :-1]
        else:
            cells = (number * self.size + self.document).reshape(-1)
            sums = np.bincount(cells, weights=rows.reshape(-1), minlength=len(rows) * self.size)
            sums = sums.reshape(len(rows), self.size)
        return (sums / self.weight).astype(np.float32)

    def mean(self, values: NDArray[np.floating] | NDArray[np.bool_]) -> Floats:
        """Return the mean of each document's values, shape (D,)."""
        answer: Floats = self.means(values[None])[0]
        return answer

    def deviations(self, rows: NDArray[np.floating], means: Floats) -> Floats:
        """Return the standard deviation of each document's values in each row, shape (k, D), given the means."""
        return np.sqrt(self.means(np.square(rows - means.take(self.document, axis=1))))

    def mean_and_deviation(self, values: NDArray[np.floating]) -> Floats:
        """Return the mean and the standard deviation of each document's values, shape (2, D)."""
        means = self.means(values[None])
        return np.concatenate([means, self.deviations(values[None], means)])

    def shares_above(self, values: NDArray[np.floating], limits: tuple[float, ...]) -> Floats:
        """Return for each of k limits the share of each document's values above it, shape (k, D)."""
        return self.means(values > np.array(limits, dtype=values.dtype)[:, None])


_JUDGED: BatchMemory[Pool] = BatchMemory()
"""The pool of the tokens that are judged, because most signals need it."""


def in_columns(values: Sequence[NDArray[Any]]) -> Floats:
    """Return some values of each of N tokens or documents, (N,) each, as the columns of an array (N, k)."""
    return np.array(values, dtype=np.float32).T


def side_by_side(tables: Sequence[NDArray[Any]]) -> Floats:
    """Return the columns of several arrays (N, ...) in one array, in row order."""
    joined = np.empty((len(tables[0]), sum(table.shape[1] for table in tables)), dtype=np.float32)
    return np.concatenate(tables, axis=1, out=joined, casting="same_kind")

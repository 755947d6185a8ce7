"""What every signal returns: numbers for each token, which become evidence, and features of each document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from unspun.model.language.encoding import Encoding
from unspun.model.text.arrays import counts_between, steps

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

    `number` (D,) is the number of selected tokens of each document, and `weight` (D,) the same, but at least 1.

    Args:
        document: the document of each selected token, in rising order.
        documents: number of documents, D.
    """

    def __init__(self, document: NDArray[np.int32], documents: int) -> None:
        self.document = document
        self.size = documents
        self.bounds: NDArray[np.int64] = document.searchsorted(np.arange(documents + 1))
        self.number: NDArray[np.int64] = steps(self.bounds)
        self.weight: NDArray[np.int64] = np.maximum(self.number, 1)

    @classmethod
    def of(cls, encoding: Encoding, tokens: NDArray[np.int64] | None = None) -> Pool:
        """Pool over some tokens, given by their places in rising order; by default over those that are judged."""
        if tokens is None:
            return encoding.once(cls, _of_judged)  # most signals need it
        return cls(encoding.documents.token_document.take(tokens), len(encoding.documents.texts))

    def means(self, rows: NDArray[Any]) -> Floats:
        """Return the mean of each document's values in each row: shape (k, D), given `rows` (k, P).

        A row has one value for each of the P selected tokens.
        """
        if rows.dtype == np.bool_:
            return (self.counts(rows) / self.weight).astype(np.float32)
        sums = np.array([np.bincount(self.document, weights=row, minlength=self.size) for row in rows])
        return (sums / self.weight).astype(np.float32)

    def counts(self, rows: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return how many of each document's flags are set in each row: shape (k, D), given `rows` (k, P)."""
        return counts_between(rows, self.bounds)

    def mean(self, values: NDArray[Any]) -> Floats:
        """Return the mean of each document's values, shape (D,)."""
        if values.dtype == np.bool_:
            sums: NDArray[Any] = steps(values.nonzero()[0].searchsorted(self.bounds))
        else:
            sums = np.bincount(self.document, weights=values, minlength=self.size)
        return (sums / self.weight).astype(np.float32)

    def deviations(self, rows: NDArray[np.floating], means: Floats) -> Floats:
        """Return the standard deviation of each document's values in each row, shape (k, D), given the means."""
        return np.sqrt(self.means(np.square(rows - means.take(self.document, axis=1))))

    def mean_and_deviation(self, values: NDArray[np.floating]) -> Floats:
        """Return the mean and the standard deviation of each document's values, shape (2, D)."""
        mean = self.mean(values)
        return np.array([mean, np.sqrt(self.mean(np.square(values - mean.take(self.document))))])

    def shares_above(self, values: NDArray[np.floating], limits: tuple[float, ...]) -> Floats:
        """Return for each of k limits the share of each document's values above it, shape (k, D)."""
        return self.means(above(values, limits))


def above(values: NDArray[np.floating], limits: tuple[float, ...]) -> NDArray[np.bool_]:
    """Return for each of k limits which values (P,) are above it: shape (k, P)."""
    answer: NDArray[np.bool_] = values > _as_rows(limits, values.dtype)
    return answer


@cache
def _as_rows(limits: tuple[float, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    return np.array(limits, dtype=dtype)[:, None]


def share(part: NDArray[np.int64], whole: NDArray[np.int64]) -> Floats:
    """Return numbers as shares of others; 0 of nothing."""
    return (part / np.maximum(whole, 1)).astype(np.float32)


def _of_judged(encoding: Encoding) -> Pool:
    return Pool(encoding.place_document, len(encoding.documents.texts))


def in_columns(values: Sequence[NDArray[Any]]) -> Floats:
    """Return some values of each of N tokens or documents, (N,) each, as the columns of an array (N, k)."""
    return np.array(values, dtype=np.float32).T


def side_by_side(tables: Sequence[NDArray[Any]]) -> Floats:
    """Return the columns of several arrays (N, ...) in one array, in row order."""
    joined = np.empty((len(tables[0]), sum(table.shape[1] for table in tables)), dtype=np.float32)
    return np.concatenate(tables, axis=1, out=joined, casting="same_kind")

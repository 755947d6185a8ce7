"""A batch of documents as vocabulary ids with their neighbours: the input of every signal, computed once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from unspun.model.language.vocabulary import BOUNDARY, UNKNOWN, Vocabulary
from unspun.model.text.document import Documents, TokenClass

Answer = TypeVar("Answer")


@dataclass(frozen=True, eq=False)
class Encoding:
    """The vocabulary ids of all tokens of a batch, and of the tokens around them.

    Attributes:
        documents: the batch.
        ids: (T,) vocabulary ids; UNKNOWN in allowed terms, so that it does not matter to other words which term it is.
        judged: (T,) which tokens are judged: words in prose.
        neighbours: for k from -2 to 2, the ids (T,) of the tokens k places later; BOUNDARY outside the document.
    """

    documents: Documents
    ids: NDArray[np.int32]
    judged: NDArray[np.bool_]
    neighbours: dict[int, NDArray[np.int32]]

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """The tokens that are judged (P,)."""
        return np.flatnonzero(self.judged)

    @cached_property
    def place_document(self) -> NDArray[np.int32]:
        """The document of each token that is judged (P,)."""
        return self.documents.token_document.take(self.places)

    @classmethod
    def of(cls, documents: Documents, vocabulary: Vocabulary) -> Encoding:
        """Encode a parsed batch with a model's vocabulary."""
        ids = vocabulary.ids(documents)
        ids[documents.token_allowed] = UNKNOWN
        judged = (documents.token_class == TokenClass.WORD) & documents.token_prose
        shifted = {k: shift(ids, documents.token_document, k, BOUNDARY) for k in (-2, -1, 1, 2)}
        return cls(documents, ids, judged, {0: ids, **shifted})


def shift(values: NDArray[np.int32], groups: NDArray[np.int32], by: int, fill: int) -> NDArray[np.int32]:
    """Return for each token the value `by` places later if that is in the same group, otherwise `fill`: shape (T,)."""
    moved = np.full_like(values, fill)
    if by == 0 or abs(by) >= len(values):
        return values.copy() if by == 0 else moved
    here, there = (slice(None, -by), slice(by, None)) if by > 0 else (slice(-by, None), slice(None, by))
    moved[here] = np.where(groups[here] == groups[there], values[there], fill)
    return moved


class BatchMemory(WeakKeyDictionary[Encoding, Answer]):
    """A cache of what was computed for a batch, for as long as the batch exists. A pickled copy is empty."""

    def __reduce__(self) -> tuple[type[BatchMemory[Answer]], tuple[()]]:
        return type(self), ()

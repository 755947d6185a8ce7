"""A batch of documents as vocabulary ids: the input of every signal, computed once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from unspun.model.language.vocabulary import BOUNDARY, UNKNOWN, Vocabulary
from unspun.model.text.document import Documents, TokenClass

Answer = TypeVar("Answer")
PADDING = 2
"""Boundaries around each document in `Encoding.padded`: as many as the words before a word that an n-gram covers."""


@dataclass(frozen=True, eq=False)
class Encoding:
    """The vocabulary ids of all tokens of a batch.

    Attributes:
        documents: the batch.
        ids: (T,) vocabulary ids; UNKNOWN in allowed terms, so that it does not matter to other words which term it is.
        judged: (T,) which tokens are judged: words in prose.
    """

    documents: Documents
    ids: NDArray[np.int32]
    judged: NDArray[np.bool_]
    _memory: dict[object, Any] = field(default_factory=dict, repr=False)

    def once(self, key: object, compute: Callable[[Encoding], Answer]) -> Answer:
        """Return what `compute` returns for this batch. It is computed only once for each key."""
        answer: Answer | None = self._memory.get(key)
        if answer is None:
            answer = self._memory[key] = compute(self)
        return answer

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """The tokens that are judged (P,)."""
        return self.judged.nonzero()[0]

    @cached_property
    def place_document(self) -> NDArray[np.int32]:
        """The document of each token that is judged (P,)."""
        return self.documents.token_document.take(self.places)

    @cached_property
    def padded_places(self) -> NDArray[np.int64]:
        """The place of each token (T,) in `padded`."""
        return np.arange(len(self.ids)) + PADDING * (self.documents.token_document.astype(np.int64) + 1)

    @cached_property
    def padded(self) -> NDArray[np.int32]:
        """The ids of all documents, with PADDING boundaries before and after each."""
        padded = np.full(len(self.ids) + PADDING * (len(self.documents.texts) + 1), BOUNDARY, dtype=np.int32)
        padded[self.padded_places] = self.ids
        return padded

    @cached_property
    def following(self) -> NDArray[np.int32]:
        """The id of the token after each (T,); BOUNDARY at the end of a document."""
        return self.padded.take(self.padded_places + 1)

    @classmethod
    def of(cls, documents: Documents, vocabulary: Vocabulary) -> Encoding:
        """Encode a parsed batch with a model's vocabulary."""
        ids = vocabulary.ids(documents)
        ids[documents.token_allowed] = UNKNOWN
        judged = (documents.token_class == TokenClass.WORD) & documents.token_prose
        return cls(documents, ids, judged)

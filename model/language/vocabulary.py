"""The words that a model knows, as numbers: maps token hashes to vocabulary ids."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from unspun.model.text.document import Documents, TokenClass, hash_tokens

UNKNOWN = 0
"""A word outside the vocabulary."""
BOUNDARY = 1
"""The end of a sentence (its punctuation mark), or the edge of the text."""
NUMBER = 2
"""Any number."""
SPECIALS = ("<unknown>", "<boundary>", "<number>")
SENTENCE_ENDS = (".", "!", "?", "…", "...")


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The V words that a model knows: SPECIALS, then the others, commonest first.

    `log_probability` (V,) float32 is the natural logarithm of each word's share of running text.
    """

    words: tuple[str, ...]
    log_probability: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def _index(self) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
        """Sorted token hashes, and the id of each."""
        hashes = hash_tokens(self.words[len(SPECIALS) :])
        ids = np.arange(len(SPECIALS), len(self.words), dtype=np.int32)
        ends = hash_tokens(SENTENCE_ENDS)
        hashes = np.concatenate([hashes, ends])
        ids = np.concatenate([ids, np.full(len(ends), BOUNDARY, dtype=np.int32)])
        order = np.argsort(hashes, kind="stable")
        return hashes[order], ids[order]

    @cached_property
    def _buckets(self) -> NDArray[np.int32]:
        """The start in the sorted index of each value of a hash's top 16 bits, so that searches are short."""
        hashes, _ = self._index
        tops = np.arange((1 << 16) + 1, dtype=np.uint64) << np.uint64(48)
        starts = np.searchsorted(hashes, tops[:-1]).astype(np.int32)
        return np.append(starts, np.int32(len(hashes)))

    @cached_property
    def ids_of_words(self) -> dict[str, int]:
        """The id of every word. For building tables; scoring looks up hashes instead."""
        return {word: i for i, word in enumerate(self.words)}

    def ids(self, documents: Documents) -> NDArray[np.int32]:
        """Return the vocabulary id of every token of a batch, shape (T,)."""
        hashes, ids = self._index
        wanted = documents.token_hash
        top = (wanted >> np.uint64(48)).astype(np.int64)
        at = self._buckets[top].astype(np.int64)
        stop = self._buckets[top + 1]
        found = np.zeros(len(wanted), dtype=np.int32)
        todo = np.flatnonzero(at < stop)
        while len(todo):
            hit = hashes[at[todo]] == wanted[todo]
            found[todo[hit]] = ids[at[todo[hit]]]
            todo = todo[~hit]
            at[todo] += 1
            todo = todo[at[todo] < stop[todo]]
        found[documents.token_class == TokenClass.NUMBER] = NUMBER
        return found

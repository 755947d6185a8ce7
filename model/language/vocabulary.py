"""Words as numbers: token hashes to vocabulary ids, made once per batch and shared by every signal."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from unspun.model.text.document import Documents, TokenClass, hash_tokens

UNKNOWN = 0
"""A word outside the vocabulary."""
BOUNDARY = 1
"""The edge of a sentence: its end mark, or the edge of the text."""
NUMBER = 2
"""Any number."""
SPECIALS = ("<unknown>", "<boundary>", "<number>")
SENTENCE_ENDS = (".", "!", "?", "…", "...")


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The words a model knows, commonest first after the specials.

    `words` has shape (V,); `log_probability` (V,) float32 is the natural logarithm of each word's share of
    running text, the specials' included.
    """

    words: tuple[str, ...]
    log_probability: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def _index(self) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
        """Sorted token hashes and the id of each: the dictionary, as two arrays."""
        hashes = hash_tokens(self.words[len(SPECIALS) :])
        ids = np.arange(len(SPECIALS), len(self.words), dtype=np.int32)
        ends = hash_tokens(SENTENCE_ENDS)
        hashes = np.concatenate([hashes, ends])
        ids = np.concatenate([ids, np.full(len(ends), BOUNDARY, dtype=np.int32)])
        order = np.argsort(hashes, kind="stable")
        return hashes[order], ids[order]

    @cached_property
    def _buckets(self) -> NDArray[np.int32]:
        """Where each value of a hash's top 16 bits begins in the sorted index: a search starts at its goal."""
        hashes, _ = self._index
        tops = np.arange((1 << 16) + 1, dtype=np.uint64) << np.uint64(48)
        starts = np.searchsorted(hashes, tops[:-1]).astype(np.int32)
        return np.append(starts, np.int32(len(hashes)))

    @cached_property
    def ids_of_words(self) -> dict[str, int]:
        """The id of every word, for building tables; scoring looks hashes up instead."""
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

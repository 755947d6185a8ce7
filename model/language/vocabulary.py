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
SLOT_BITS = 17
"""Bits of a token's hash that tell where its word is looked for first."""
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
    def _slots(self) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
        """The hash and the id of the commonest word for each value of a hash's top bits; zeros if there is none.

        Nearly all words of a text are the commonest of their slot. The others are searched for in the index.
        """
        hashes, ids = self._index
        rare_first = np.argsort(ids, kind="stable")[::-1]
        slot = (hashes[rare_first] >> np.uint64(64 - SLOT_BITS)).astype(np.int64)
        hash_of, id_of = np.zeros(1 << SLOT_BITS, dtype=np.uint64), np.zeros(1 << SLOT_BITS, dtype=np.int32)
        hash_of[slot], id_of[slot] = hashes[rare_first], ids[rare_first]
        return hash_of, id_of

    @cached_property
    def ids_of_words(self) -> dict[str, int]:
        """The id of every word. For building tables; scoring looks up hashes instead."""
        return {word: i for i, word in enumerate(self.words)}

    def ids(self, documents: Documents) -> NDArray[np.int32]:
        """Return the vocabulary id of every token of a batch, shape (T,)."""
        hash_of, id_of = self._slots
        wanted = documents.token_hash
        slot = (wanted >> np.uint64(64 - SLOT_BITS)).view(np.int64)
        found = id_of.take(slot)
        same = hash_of.take(slot) == wanted
        others = ((found > 0) > same).nonzero()[0]
        hashes, ids = self._index
        at = np.minimum(hashes.searchsorted(wanted.take(others)), len(hashes) - 1)
        found[others] = np.where(hashes.take(at) == wanted.take(others), ids.take(at), np.int32(UNKNOWN))
        found[documents.token_class == TokenClass.NUMBER] = NUMBER
        return found

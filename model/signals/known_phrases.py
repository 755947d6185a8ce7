"""Is a phrase known to replace another one: a tortured phrase or a spinner's idiom?

What it looks for: phrases on a list, each with its original: "counterfeit consciousness" for "artificial intelligence",
"imaginative and prescient" for "vision".

Why that betrays a machine: nobody writes them but a spinner. Some ("in line with" for "according to") are also good
English, and count only if the original would fit the context better.

What it misses: every phrase that is not on the list, and so every tool whose output the list was not made from.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from unspun.model.language.encoding import Encoding
from unspun.model.language.ngrams import LanguageModel
from unspun.model.language.vocabulary import SPECIALS
from unspun.model.signals.base import Pool, SignalValues, in_columns
from unspun.model.text.document import hash_phrases
from unspun.model.text.tokens import phrase_keys as phrase_keys
from unspun.model.text.tokens import run_keys

ORDINARY = Path(__file__).parents[1] / "language" / "ordinary_phrases.txt"
"""Known phrases that people also write, one a line. `training.language.ordinary` counts them."""
MAX_WORDS = 7
LAST = 8
"""Distance of the bit for the last word of a phrase from that for its first word."""
KEY_END = np.uint64((1 << 20) - 1)
"""The bits of a key that are looked up first."""
CONTEXT_GAIN = np.float32(1.0)
"""How much better the original must fit, in nats, if the phrase is also good English."""


@cache
def ordinary_keys() -> NDArray[np.uint64]:
    """Return the keys of the phrases that people also write."""
    phrases = [line for line in ORDINARY.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    return np.array([phrase_keys(words, len(words))[0] for words in hash_phrases(phrases)], dtype=np.uint64)


@dataclass(frozen=True, eq=False)
class PhraseTable:
    """P known phrases, sorted by key.

    Attributes:
        keys: (P,) uint64, hash of the phrase.
        lengths: (P,) number of words.
        weights: (P,) float32, log odds in nats.
        in_context: (P,) whether the phrase is also good English and counts only if the original fits better.
        ends: (P, 4) vocabulary ids of the first and the last word of the phrase, and of its original.
        originals: the originals.
    """

    keys: NDArray[np.uint64]
    lengths: NDArray[np.int8]
    weights: NDArray[np.float32]
    in_context: NDArray[np.bool_]
    ends: NDArray[np.int32]
    originals: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class PhraseHits:
    """H phrases in the order of the text: first token, number of tokens, and row of `PhraseTable`."""

    first: NDArray[np.int64]
    length: NDArray[np.int64]
    phrase: NDArray[np.int64]


class KnownPhrases:
    """Finds all known phrases in one pass over a batch for each phrase length."""

    name = "known_phrase"
    question = "is a phrase known to be a machine's replacement for another?"
    evidence: ClassVar = {"known_phrase": "a phrase that spinners are known to produce"}
    token_names = ("phrase_weight",)
    document_names = ("phrases_per_100_words", "phrase_weight_per_100_words")

    def __init__(self, language: LanguageModel, phrases: PhraseTable) -> None:
        self.language = language
        self.phrases = phrases
        self.betraying = ~(phrases.in_context | np.isin(phrases.keys, ordinary_keys()))
        """(P,) which phrases nobody writes but a spinner. The others count for the verdict, but are no evidence."""
        # This table rules out most runs of words without a search among the keys.
        self._ends_of_keys = np.zeros(int(KEY_END) + 1, dtype=bool)
        self._ends_of_keys[phrases.keys & KEY_END] = True
        # And this one rules out words that no phrase of a length starts with (bits 1 to 7) or ends with (bits 9 to 15).
        # Numbers and words outside the vocabulary may be in any phrase.
        self._may_end = np.zeros(len(language.unigram), dtype=np.uint16)
        for side, shift in ((0, 0), (1, LAST)):
            bits = np.uint16(1) << (phrases.lengths.astype(np.uint16) + np.uint16(shift))
            np.bitwise_or.at(self._may_end, phrases.ends[:, side], bits)
        self._may_end[: len(SPECIALS)] = np.iinfo(np.uint16).max
        self._lengths = np.unique(phrases.lengths)[::-1].astype(np.int64)  # the longest first
        self._bits = (1 << self._lengths).astype(np.uint16)[:, None]
        self._by_key = phrases.keys.argsort(kind="stable")
        self._keys = phrases.keys[self._by_key]

    def find(self, encoding: Encoding) -> PhraseHits:
        """Return the phrases of a batch; of overlapping ones, the longest. Cached, because evidence needs them too."""
        return encoding.once(self, self._find)

    def _find(self, encoding: Encoding) -> PhraseHits:
        documents = encoding.documents
        first, lengths, key = self._runs(encoding)
        at = np.minimum(self._keys.searchsorted(key), len(self._keys) - 1)
        known = (self._keys[at] == key) & documents.token_prose[first]
        known &= documents.token_document[first] == documents.token_document[first + (lengths - 1)]
        first, lengths, phrase = first[known], lengths[known], self._by_key[at[known]]
        keep = self._fits(encoding, first, first + lengths - 1, phrase).nonzero()[0]
        taken = bytearray(len(encoding.ids))
        free = []
        for place, start, size in zip(keep.tolist(), first[keep].tolist(), lengths[keep].tolist(), strict=True):
            if not any(taken[start : start + size]):
                taken[start : start + size] = bytes([1]) * size
                free.append(place)
        free.sort(key=first.tolist().__getitem__)
        return PhraseHits(first[free], lengths[free], phrase[free])

    def _runs(self, encoding: Encoding) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint64]]:
        """Return the first tokens, the lengths and the keys (R,) of runs that may be phrases, the longest first."""
        documents, lengths = encoding.documents, self._lengths
        # Phrases of the list do not contain the hash 0.
        hashes = np.where(documents.token_allowed, np.uint64(0), documents.token_hash)
        size = len(hashes)
        may_end = np.zeros(size + MAX_WORDS, dtype=np.uint16)
        may_end[:size] = self._may_end.take(encoding.ids)
        last = np.empty((len(lengths), size), dtype=np.uint16)
        for row, length in enumerate(lengths.tolist()):
            last[row] = may_end[length - 1 : length - 1 + size]
        last >>= np.uint16(LAST)
        last &= may_end[:size]
        of_length, first = (last & self._bits > 0).nonzero()
        lengths = lengths[of_length]
        key = run_keys(hashes, first, lengths)
        may_be = self._ends_of_keys.take((key & KEY_END).view(np.int64))
        return first.compress(may_be), lengths.compress(may_be), key.compress(may_be)

    def _fits(
        self,
        encoding: Encoding,
        first: NDArray[np.int64],
        last: NDArray[np.int64],
        phrase: NDArray[np.int64],
    ) -> NDArray[np.bool_]:
        """Return which hits count. Phrases that are also good English count only if the original fits better."""
        answer: NDArray[np.bool_] = ~self.phrases.in_context[phrase]
        unsure = (~answer).nonzero()[0]
        if not len(unsure):
            return answer
        left = encoding.padded.take(encoding.padded_places.take(first[unsure]) - 1)
        right = encoding.following.take(last[unsure])
        ends = self.phrases.ends[phrase[unsure]].T
        firsts, seconds = np.array([left, left, ends[3], ends[1]]), np.array([ends[2], ends[0], right, right])
        before, after = self.language.bigram(firsts, seconds).reshape(2, 2, -1)
        answer[unsure] = before[0] - before[1] + (after[0] - after[1]) > CONTEXT_GAIN
        return answer

    def read(self, encoding: Encoding) -> SignalValues:
        """Return for each token the weight of the known phrase that it is part of."""
        hits = self.find(encoding)
        weight = np.zeros((len(encoding.ids), 1), dtype=np.float32)
        for k in range(int(hits.length.max(initial=0))):
            inside = hits.length > k
            weight[hits.first[inside] + k, 0] = self.phrases.weights[hits.phrase[inside]]
        size = len(encoding.documents.texts)
        words = Pool.of(encoding).weight
        document = encoding.documents.token_document[hits.first]
        number = np.bincount(document, minlength=size)
        total = np.bincount(document, weights=self.phrases.weights[hits.phrase], minlength=size)
        rates = np.minimum([100 * number / words, 100 * total / words], 50.0)
        return SignalValues(tokens=weight, documents=in_columns(list(rates)))

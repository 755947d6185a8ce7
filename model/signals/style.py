"""How is the text put together, whatever its topic?

What it looks for: n-grams of function words, endings and punctuation. Content words are replaced by classes (their
ending, a capital), so that the n-grams show grammar rather than topic.

Why that betrays a machine: grammar of this kind distinguishes translated and machine-written text from text that people
write themselves (Volansky et al. 2015).

What it misses: texts of a few sentences, and spinners, which leave the grammar alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from unspun.model.language.encoding import Encoding
from unspun.model.language.vocabulary import SPECIALS, Vocabulary
from unspun.model.text.arrays import followed_by, running_totals, starts_of_runs, steps
from unspun.model.text.document import Shape

SUFFIXES = ("ly", "ing", "ed", "tion", "ment", "ness", "ity", "ous", "ive", "al", "er", "est", "s", "n't", "'s")
BUCKET_BITS = 14
BUCKETS = 1 << BUCKET_BITS
"""Buckets of hashed n-grams, the sparse features of a document."""
ORDERS = (1, 2, 3)
_WORDS = """
a an the this that these those some any no none every each all both half either neither such what which who whom whose
i me my mine myself you your yours yourself he him his himself she her hers herself it its itself we us our ours
ourselves they them their theirs themselves one ones someone something anyone anything everyone everything nobody
nothing am is are was were be been being do does did done doing have has had having can could may might must shall
should will would ought of in on at by for with from to into onto upon over under about above below between among
through during before after against within without across along around behind beside beyond near off out up down
toward towards until till since than as like per via and or but nor so yet if though although because while whereas
unless when where why how whether there here then not don't doesn't didn't isn't wasn't can't won't couldn't wouldn't
i'm i've it's that's there's you're we're they're very too also just only even again ever never now more most less
least much many few own same other another however therefore said
"""
_FUNCTION_WORDS = _WORDS.split()
_CAPITALISED = 20
_SPECIAL = 40
_FUNCTION = 50
_MULTIPLIER = np.uint64(1_000_003)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_LEADING = tuple(np.uint64(order * 1_000_003**order) for order in ORDERS)
"""The leading term of each order's polynomial."""


@lru_cache(maxsize=2)
def ending_classes(words: tuple[str, ...]) -> NDArray[np.int64]:
    """Return for each word the position of its longest ending in SUFFIXES, from 1, or 0 if it has none."""
    place = {suffix: i + 1 for i, suffix in enumerate(SUFFIXES)}
    lengths = sorted({len(suffix) for suffix in SUFFIXES}, reverse=True)
    answer = np.zeros(len(words), dtype=np.int64)
    for number, word in enumerate(words):
        for length in lengths:
            if len(word) > length + 2 and word[-length:] in place:
                answer[number] = place[word[-length:]]
                break
    return answer


class Style:
    """Counts n-grams of word classes."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        words = vocabulary.words
        self.word_class = ending_classes(words) + 1
        self.word_class[0] = 0
        for i in range(1, len(SPECIALS)):
            self.word_class[i] = _SPECIAL + i
        kept = [word for word in words[len(SPECIALS) :] if not word[0].isalpha()]
        for i, word in enumerate((*_FUNCTION_WORDS, *sorted(kept))):
            if word in vocabulary.ids_of_words:
                self.word_class[vocabulary.ids_of_words[word]] = _FUNCTION + i

    def read(self, encoding: Encoding) -> csr_array:
        """Return the square roots of each document's n-gram counts, scaled to length 1: shape (D, BUCKETS)."""
        documents = encoding.documents
        shape = documents.token_shape
        classes = self.word_class.take(encoding.ids)
        name = (shape & (Shape.CAPITAL | Shape.SENTENCE_START) == Shape.CAPITAL) & (classes < _CAPITALISED)
        classes = np.where(name, classes + _CAPITALISED, classes)
        prose = documents.token_prose.nonzero()[0]
        document, of_prose = documents.token_document.take(prose), classes.take(prose).astype(np.uint64)
        keys = np.concatenate(list(_ngrams(of_prose, document.astype(np.int64))))
        keys.sort()
        first = starts_of_runs(keys).nonzero()[0]
        unique, counts = keys.take(first), steps(followed_by(first, len(keys)))
        owner, value = unique >> BUCKET_BITS, np.sqrt(counts)
        size = len(documents.texts)
        norm = np.sqrt(np.bincount(owner, weights=counts, minlength=size))
        pointer = running_totals(np.bincount(owner, minlength=size)).astype(np.int32)
        data = (value / norm[owner]).astype(np.float32)
        return csr_array((data, (unique & (BUCKETS - 1)).astype(np.int32), pointer), shape=(size, BUCKETS))


def _ngrams(classes: NDArray[np.uint64], document: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Yield for each order document << BUCKET_BITS | bucket of each run of so many classes inside one document.

    A run's hash is the value of the polynomial whose coefficients are the order and the classes.
    """
    first_bits = document << BUCKET_BITS
    run = classes
    for order, leading in zip(ORDERS, _LEADING, strict=True):
        if order > 1:
            run = run[:-1] * _MULTIPLIER + classes[order - 1 :]
        key = run + leading
        key *= _MIX
        key >>= np.uint64(64 - BUCKET_BITS)
        answer = first_bits[: len(run)] | key.view(np.int64)
        yield answer if order == 1 else answer.compress(document[: len(run)] == document[order - 1 :])

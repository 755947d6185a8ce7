"""How common the words are: each by itself, and the rare and the common end of the vocabulary.

Spinners reach into a thesaurus, whose entries are rarer than what people write ("told" becomes "apprised"), or swap a
domain's word for a common one that does not belong ("neural network" becomes "nervous organization"). Round trips and
neural rewriters go the other way: they prefer the middle of the vocabulary. Misses swaps between equally common words.
"""

from __future__ import annotations

import numpy as np

from unspun.model.language.encoding import Encoding
from unspun.model.language.ngrams import LanguageModel
from unspun.model.language.vocabulary import UNKNOWN
from unspun.model.signals.base import Pool, SignalValues

RARE = (-15.0, -13.5, -12.0, -10.5, -9.0)
"""Log probabilities at which the distribution of a text's words is read."""


class Frequency:
    """Log probability of each word by itself, and its distribution over the words that carry content."""

    name = "frequency"
    question = "how rare are the words, in themselves and beside their commoner synonyms?"
    token_names = ("log_probability", "unknown")
    document_names = (
        "mean",
        "deviation",
        *(f"above_{-limit:g}" for limit in RARE),
        "unknown",
        "function_words",
    )

    def __init__(self, language: LanguageModel) -> None:
        self.unigram = language.unigram

    def read(self, encoding: Encoding) -> SignalValues:
        """Read word frequencies."""
        unknown = encoding.ids == UNKNOWN
        log_probability = self.unigram[encoding.ids]
        judged = encoding.judged
        everything = Pool.of(encoding, judged)
        content = judged & ~unknown & (log_probability < FUNCTION_WORD)
        pool = Pool.of(encoding, content)
        values = log_probability[content]
        mean, deviation = pool.mean_and_deviation(values)
        columns = [
            mean,
            deviation,
            *pool.shares_above(values, RARE),
            everything.mean(unknown[judged]),
            everything.mean(log_probability[judged] >= FUNCTION_WORD),
        ]
        return SignalValues(
            tokens=np.stack([log_probability, unknown.astype(np.float32)], axis=1),
            documents=np.stack(columns, axis=1),
        )


FUNCTION_WORD = np.float32(-7.0)
"""Words commoner than this (one in 1,100) are nearly all articles, pronouns, prepositions and auxiliaries."""

"""How common are the words?

What it looks for: the log probability of each word by itself, and how it is distributed over a text's content words.

Why that betrays a machine: spinners take words from a thesaurus, which are rarer than those that people choose ("told"
becomes "apprised"), or replace a technical term with a common word that does not belong ("neural network" becomes
"nervous organization"). Round trips through translation and neural rewriters do the opposite: they avoid rare words.

What it misses: replacements by equally common words.
"""

from __future__ import annotations

import numpy as np

from unspun.model.language.encoding import Encoding
from unspun.model.language.ngrams import LanguageModel
from unspun.model.language.vocabulary import UNKNOWN
from unspun.model.signals.base import Pool, SignalValues, in_columns

RARE = (-15.0, -13.5, -12.0, -10.5, -9.0)
"""Limits: the share of content words with a log probability above each is a feature."""
FUNCTION_WORD = np.float32(-7.0)
"""Log probability (1 in 1,100) above which nearly all words are function words: articles, pronouns, prepositions."""


class Frequency:
    """The log probability of each word, and its distribution over content words."""

    name = "frequency"
    question = "how rare are the words?"
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
        """Compute word frequencies."""
        unknown = encoding.ids == UNKNOWN
        log_probability = self.unigram.take(encoding.ids)
        judged = encoding.places
        everything = Pool.of(encoding)
        of_judged, unknown_judged = log_probability.take(judged), unknown.take(judged)
        content = judged[~unknown_judged & (of_judged < FUNCTION_WORD)]
        pool = Pool.of(encoding, content)
        values = log_probability.take(content)
        columns = [
            *pool.mean_and_deviation(values),
            *pool.shares_above(values, RARE),
            *everything.means(np.array([unknown_judged, of_judged >= FUNCTION_WORD])),
        ]
        return SignalValues(
            tokens=in_columns([log_probability, unknown]),
            documents=in_columns(columns),
        )

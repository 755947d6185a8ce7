"""How well does each word fit its neighbours, compared with how people write?

What it looks for: improbable words, by the log probability of each word after the two before it, and of the next two
words after it.

Why that betrays a machine: people write in collocations ("key partner", "renewable energy"). A machine that replaces
one word leaves the rest of the collocation as it was ("key associate"). Round trips through translation do the
opposite: their text is smoother than what people write.

What it misses: replacements in contexts that accept almost any word ("the ... of the").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unspun.model.language.encoding import Encoding
from unspun.model.language.ngrams import LanguageModel
from unspun.model.language.vocabulary import UNKNOWN
from unspun.model.signals.base import Floats, Pool, SignalValues, in_columns
from unspun.model.signals.frequency import FUNCTION_WORD

FIT = (-14.0, -11.0, -8.5, -6.0, -4.0)
ASSOCIATION = (-2.0, 0.0, 2.0, 4.0)


@dataclass(frozen=True, eq=False)
class WordFit:
    """How well each word of a batch fits: log probabilities in nats, all of shape (T,).

    Attributes:
        after_left: of the word, given the two words before it.
        right_after, second_right_after: of the next word and the one after that, each given the two words before it.
        left_pair: of the word, given the word before it.
        pair: of the next word, given the word.
        right_pair: of the second next word, given the next.
        left_known, right_known: whether the pairs of `left_pair` and `pair` are in the language model.
    """

    after_left: Floats
    right_after: Floats
    second_right_after: Floats
    left_pair: Floats
    pair: Floats
    right_pair: Floats
    left_known: NDArray[np.bool_]
    right_known: NDArray[np.bool_]


class Collocations:
    """The log probability of each word given the words before it, and of the words that follow."""

    name = "collocations"
    question = "how well does each word fit its neighbours, compared with human text?"
    token_names = (
        "after_left",
        "right_after",
        "second_right_after",
        "left_association",
        "right_association",
        "left_known",
        "right_known",
    )
    document_names = (
        "fit_mean",
        "fit_deviation",
        *(f"fit_above_{-limit:g}" for limit in FIT),
        "association_mean",
        "association_deviation",
        *(f"association_above_{limit:g}" for limit in ASSOCIATION),
        "unknown_pairs",
        "content_unknown_pairs",
        "content_fit_mean",
    )

    def __init__(self, language: LanguageModel) -> None:
        self.language = language

    def fit(self, encoding: Encoding) -> WordFit:
        """Return how well the words of a batch fit. Cached, because `read` and the substitutions both need it."""
        return encoding.once(self, self._fit)

    def _fit(self, encoding: Encoding) -> WordFit:
        # Each pair and each triple is looked up once.
        here = encoding.padded_places
        pair, known, triple = self.language.running(encoding.padded)
        before, after = here - 1, here + 1
        return WordFit(
            after_left=triple.take(here - 2),
            right_after=triple.take(before),
            second_right_after=triple.take(here),
            left_pair=pair.take(before),
            pair=pair.take(here),
            right_pair=pair.take(after),
            left_known=known.take(before),
            right_known=known.take(here),
        )

    def read(self, encoding: Encoding) -> SignalValues:
        """Compute how well the words fit."""
        fit = self.fit(encoding)
        after_left, left_known, right_known = fit.after_left, fit.left_known, fit.right_known
        unigram = self.language.unigram
        own = unigram.take(encoding.ids)
        left = fit.left_pair - own
        right = fit.pair - unigram.take(encoding.following)
        numbers = [after_left, fit.right_after, fit.second_right_after, left, right, left_known, right_known]
        judged = (encoding.judged & (encoding.ids != UNKNOWN)).nonzero()[0]
        content = judged[own.take(judged) < FUNCTION_WORD]
        pool, of_content = Pool.of(encoding, judged), Pool.of(encoding, content)
        fits, associations = both = np.array([after_left, left]).take(judged, axis=1)
        means = pool.means(both)
        deviations = pool.deviations(both, means)
        columns = [
            means[0],
            deviations[0],
            *pool.shares_above(fits, FIT),
            means[1],
            deviations[1],
            *pool.shares_above(associations, ASSOCIATION),
            pool.mean(~left_known.take(judged)),
            of_content.mean(~(left_known | right_known).take(content)),
            of_content.mean((after_left + fit.right_after).take(content)),
        ]
        return SignalValues(tokens=in_columns(numbers), documents=in_columns(columns))

"""How well each word fits its neighbours, against how people write.

People write in collocations ("key partner", "renewable energy"); a machine that swaps one word leaves the rest of the
collocation standing ("key associate"). Read as the log probability of the word after the two before it, and of the two
words after it. Round trips through translation read smoother than people write, so the sign differs between kinds.
Misses swaps within a frame that takes any word ("the ... of the").
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.encoding import Encoding
from model.ngrams import LanguageModel
from model.signals.base import Floats, Pool, Reading
from model.signals.frequency import FUNCTION_WORD
from model.vocabulary import UNKNOWN

FIT = (-14.0, -11.0, -8.5, -6.0, -4.0)
ASSOCIATION = (-2.0, 0.0, 2.0, 4.0)


class Collocations:
    """Log probability of each word given the words before it, and of the words after it."""

    name = "collocations"
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

    def fit(
        self,
        word: NDArray[np.int32],
        left2: NDArray[np.int32],
        left1: NDArray[np.int32],
        right1: NDArray[np.int32],
        right2: NDArray[np.int32],
        right_pair: Floats,
    ) -> tuple[Floats, Floats, Floats, Floats, Floats, NDArray[np.bool_], NDArray[np.bool_]]:
        """Return the three log probabilities that `word` takes part in, the two pairs' own, and whether these are
        known.

        All of one shape. `right_pair` is log P(right2 | right1), which does not depend on the word.
        """
        language = self.language
        left_pair, left_known = language.bigram(left1, word)
        pair, right_known = language.bigram(word, right1)
        after_left = language.trigram(left2, left1, word, left_pair)
        right_after = language.trigram(left1, word, right1, pair)
        second = language.trigram(word, right1, right2, right_pair)
        return after_left, right_after, second, left_pair, pair, left_known, right_known

    def read(self, encoding: Encoding) -> Reading:
        """Read how well the words fit."""
        near = encoding.neighbours
        right_pair, _ = self.language.bigram(near[1], near[2])
        after_left, right_after, second, left_pair, pair, left_known, right_known = self.fit(
            near[0], near[-2], near[-1], near[1], near[2], right_pair
        )
        unigram = self.language.unigram
        left = left_pair - unigram[near[0]]
        right = pair - unigram[near[1]]
        tokens = np.stack(
            [after_left, right_after, second, left, right, left_known, right_known], axis=1, dtype=np.float32
        )
        judged = encoding.judged & (near[0] != UNKNOWN)
        content = judged & (unigram[near[0]] < FUNCTION_WORD)
        pool, of_content = Pool.of(encoding, judged), Pool.of(encoding, content)
        fit_mean, fit_deviation = pool.mean_and_deviation(after_left[judged])
        mean, deviation = pool.mean_and_deviation(left[judged])
        columns = [
            fit_mean,
            fit_deviation,
            *pool.shares_above(after_left[judged], FIT),
            mean,
            deviation,
            *pool.shares_above(left[judged], ASSOCIATION),
            pool.mean(~left_known[judged]),
            of_content.mean(~(left_known | right_known)[content]),
            of_content.mean((after_left + right_after)[content]),
        ]
        return Reading(tokens=tokens, documents=np.stack(columns, axis=1))

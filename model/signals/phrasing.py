"""Which words and phrases are more frequent in machine text than in human text?

What it looks for: words, pairs of words and runs of three, each with a weight for each kind of paraphrase. The n-grams
are hashed into a table (Weinberger et al. 2009); the weights are those of a logistic regression against human text.

Why that betrays a machine: translation engines and rewriters prefer the same turns of phrase in every text, and these
carry over to engines that the model has not seen.

What it misses: spinners, whose substitutions are as varied as their thesauri; texts of a few sentences.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unspun.model.text.quick import QuickWords, ngrams
from unspun.model.verdict import KINDS

BUCKET_BITS = 20
BUCKETS = 1 << BUCKET_BITS
"""Buckets of hashed n-grams."""


@dataclass(frozen=True, eq=False)
class NgramWeights:
    """A logistic regression over the counts of hashed n-grams, divided by the square root of the number of words.

    Attributes:
        weights: (3, BUCKETS) int8, the weights of each kind.
        scale: (3,) what a weight of 1 is worth.
        per_root, bias: (3,) weight of the square root of the number of words, and bias.
    """

    weights: NDArray[np.int8]
    scale: NDArray[np.float64]
    per_root: NDArray[np.float64]
    bias: NDArray[np.float64]

    def log_odds(self, words: QuickWords, ptr: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the log odds (S, 3) of each kind against human text in sections that begin and end at `ptr` (S + 1,).

        Those of a section without words are the bias.
        """
        sums = np.zeros((len(ptr) - 1, len(KINDS)), dtype=np.int64)
        filled = np.flatnonzero(np.diff(ptr))
        if len(filled):
            starts = ptr[filled]
            rows = buckets(words)
            for kind, weights in enumerate(self.weights):
                total, *longer = (weights[row].astype(np.int32) for row in rows)
                for size, added in enumerate(longer, 1):
                    for k in range(size):  # n-grams that span two sections do not count
                        spanning = starts[1:] - 1 - k
                        added[spanning[(spanning >= 0) & (spanning < len(added))]] = 0
                    total[size:] += added
                sums[filled, kind] = np.add.reduceat(total, starts)
        # Whole numbers until here, so that the sums do not depend on the rest of the batch.
        root = np.sqrt(np.maximum(np.diff(ptr), 1))[:, None]
        answer: NDArray[np.float64] = sums * self.scale / root + self.per_root * root + self.bias
        return answer


def buckets(words: QuickWords) -> tuple[NDArray[np.int64], ...]:
    """Return the bucket of each word, pair and run of three; also of those that span two texts."""
    return tuple((of_size >> np.uint64(64 - BUCKET_BITS)).astype(np.int64) for of_size in ngrams(words.hashes))

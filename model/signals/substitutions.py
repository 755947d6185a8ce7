"""Would a plain synonym fit here far better than the word that is there?

For "instructed reporters", "told" would. Each word's alternatives (thesauri and substitutions seen from real tools) are
put in its place, and the gain in log probability of the whole neighbourhood is read. A spun word has an alternative that
fits far better: the original. Misses words whose original is not among their alternatives, and phrases.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.encoding import Encoding
from model.signals.base import Pool, Reading
from model.signals.collocations import Collocations
from model.vocabulary import UNKNOWN

GAINS = (-4.0, -2.0, 0.0, 1.0, 2.0, 3.0, 4.5, 6.0)


@dataclass(frozen=True, eq=False)
class Alternatives:
    """What might have stood in a word's place, likeliest first: (V, K) word ids, UNKNOWN where there are fewer.

    `log_prior` (K,) float32 is the log probability that the k-th alternative was the original, by its rank alone.
    """

    ids: NDArray[np.uint16]
    log_prior: NDArray[np.float32]


class Substitutions:
    """The gain of the best alternatives over each word."""

    name = "substitutions"
    token_names = ("best_gain", "second_gain", "odds", "rarer_by", "better", "alternatives")
    document_names = (
        "gain_mean",
        "gain_deviation",
        *(f"gain_above_{limit:g}" for limit in GAINS),
        "odds_mean",
        "odds_deviation",
        "rarer_mean",
        "with_alternatives",
    )

    def __init__(self, collocations: Collocations, alternatives: Alternatives) -> None:
        self.collocations = collocations
        self.alternatives = alternatives

    def read(self, encoding: Encoding) -> Reading:
        """Read the gains; see `gains` for the alternatives themselves."""
        tokens, _ = self.read_with_best(encoding)
        some = tokens[:, 5] > 0
        pool = Pool.of(encoding, some)
        mean, deviation = pool.mean_and_deviation(tokens[some, 0])
        odds, odds_deviation = pool.mean_and_deviation(tokens[some, 2])
        columns = [
            mean,
            deviation,
            *pool.shares_above(tokens[some, 0], GAINS),
            odds,
            odds_deviation,
            pool.mean(tokens[some, 3]),
            Pool.of(encoding, encoding.judged).mean(some[encoding.judged]),
        ]
        return Reading(tokens=tokens, documents=np.stack(columns, axis=1))

    def read_with_best(self, encoding: Encoding) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Return the token numbers (T, 6) and the id of each token's best alternative (T,), UNKNOWN where none."""
        total = len(encoding.ids)
        tokens = np.zeros((total, len(self.token_names)), dtype=np.float32)
        tokens[:, :3] = NO_ALTERNATIVE
        best = np.zeros(total, dtype=np.int32)
        places = np.flatnonzero(encoding.judged & (self.alternatives.ids[encoding.ids, 0] != UNKNOWN))
        if not len(places):
            return tokens, best
        gain, chosen = self.gains(encoding, places)
        order = np.argsort(-gain, axis=1, kind="stable")[:, :2]
        top = np.take_along_axis(gain, order, axis=1)
        best[places] = np.take_along_axis(chosen, order[:, :1], axis=1)[:, 0]
        with np.errstate(under="ignore"):
            odds = np.logaddexp.reduce(gain + self.alternatives.log_prior, axis=1)
        unigram = self.collocations.language.unigram
        tokens[places, 0] = top[:, 0]
        tokens[places, 1] = top[:, 1]
        tokens[places, 2] = odds
        tokens[places, 3] = unigram[best[places]] - unigram[encoding.ids[places]]
        tokens[places, 4] = (gain > 1.0).sum(axis=1)
        tokens[places, 5] = (chosen != UNKNOWN).sum(axis=1)
        return tokens, best

    def gains(
        self, encoding: Encoding, places: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Return the gain of each alternative at `places` (P,), in nats, and its id: shapes (P, K).

        Where a word has fewer alternatives the gain is NO_ALTERNATIVE.
        """
        chosen = self.alternatives.ids[encoding.ids[places]].astype(np.int32)
        # The word itself goes first: it is scored beside its alternatives.
        words = np.concatenate([encoding.ids[places][:, None], chosen], axis=1)
        row, column = np.nonzero(words != UNKNOWN)
        near = {k: values[places] for k, values in encoding.neighbours.items()}
        right_pair, _ = self.collocations.language.bigram(near[1], near[2])
        parts = self.collocations.fit(
            words[row, column], near[-2][row], near[-1][row], near[1][row], near[2][row], right_pair[row]
        )
        total = np.full(words.shape, -np.inf, dtype=np.float32)
        total[row, column] = parts[0] + parts[1] + parts[2]
        gain = np.where(chosen != UNKNOWN, total[:, 1:] - total[:, :1], NO_ALTERNATIVE)
        return np.clip(gain, NO_ALTERNATIVE, -NO_ALTERNATIVE).astype(np.float32), chosen


NO_ALTERNATIVE = np.float32(-12.0)
"""The gain where there is nothing to put in the word's place, and the largest loss that is told apart."""

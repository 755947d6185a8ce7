"""Would a common synonym fit far better than the word in the text?

What it looks for: how much the log probability of the neighbourhood rises if the word's best alternative takes its
place. Alternatives are from thesauri and from substitutions that real tools made.

Why that betrays a machine: a word that a spinner put there has an alternative that fits far better: the original. For
"instructed reporters", that is "told".

What it misses: words whose original is not among their alternatives, and replaced phrases.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from unspun.model.language.encoding import Encoding
from unspun.model.language.topics import Topics
from unspun.model.language.vocabulary import UNKNOWN
from unspun.model.signals.base import Pool, SignalValues, in_columns
from unspun.model.signals.collocations import Collocations

GAINS = (-4.0, -2.0, 0.0, 1.0, 2.0, 3.0, 4.5, 6.0)
ODDS = (-4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0)

BLOCK = 2048
"""Words whose alternatives are compared at a time. This bounds memory to some 10 MB."""

INPUTS = ("left", "right", "second_right", "commoner", "rank", "topic")
"""What an alternative's score is computed from: the gains in log probability of the word given its left context, of the
next word, of the one after that, and of the word by itself; its rank among the alternatives; and how much closer its
vector is to the vectors of the surrounding words."""
NO_ALTERNATIVE = np.float32(-12.0)
"""The gain for words without alternatives, and the lowest gain (and, negated, the highest) that is distinguished."""


@dataclass(frozen=True, eq=False)
class Alternatives:
    """The words that each word of the vocabulary may have replaced, likeliest first.

    Attributes:
        ids: (V, K) word ids; UNKNOWN if there are fewer than K.
        log_prior: (K,) log probability that the k-th alternative was the original, by its rank alone.
        weights, bias: weights (len(INPUTS),) and bias of a conditional logit model, which predicts the word that a
            person wrote: the one in the text or one of its alternatives (`training.classifier.ranking`).
    """

    ids: NDArray[np.uint16]
    log_prior: NDArray[np.float32]
    weights: NDArray[np.float32]
    bias: np.float32


class Substitutions:
    """The gain of the best alternatives over each word."""

    name = "substitutions"
    question = "would a common synonym fit far better than the word in the text?"
    evidence: ClassVar = {"substitution": "another word would fit far better"}
    token_names = ("best_gain", "chosen_gain", "odds", "rarer_by", "better", "alternatives")
    document_names = (
        "gain_mean",
        "gain_deviation",
        *(f"gain_above_{limit:g}" for limit in GAINS),
        *(f"odds_above_{limit:g}" for limit in ODDS),
        "odds_mean",
        "odds_deviation",
        "rarer_mean",
        "with_alternatives",
    )

    def __init__(self, collocations: Collocations, alternatives: Alternatives, topics: Topics) -> None:
        self.collocations = collocations
        self.alternatives = alternatives
        self.topics = topics
        self._numbers = (alternatives.ids != UNKNOWN).sum(axis=1).astype(np.float32)
        self._ones = np.ones(alternatives.ids.shape[1], dtype=np.float32)

    def read(self, encoding: Encoding) -> SignalValues:
        """Compute the gains. For the alternatives themselves, see `candidates`."""
        tokens, _ = self.read_with_best(encoding)
        some = tokens[:, 5] > 0
        places = some.nonzero()[0]
        pool = Pool.of(encoding, places)
        gains, odds, _ = values = np.array([tokens[:, column].take(places) for column in (0, 2, 3)])
        means = pool.means(values)
        deviations = pool.deviations(values[:2], means[:2])
        columns = [
            means[0],
            deviations[0],
            *pool.shares_above(gains, GAINS),
            *pool.shares_above(odds, ODDS),
            means[1],
            deviations[1],
            means[2],
            Pool.of(encoding).mean(some.take(encoding.places)),
        ]
        return SignalValues(tokens=tokens, documents=in_columns(columns))

    def read_with_best(self, encoding: Encoding) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Return the token values (T, 6) and the id of each token's best alternative (T,), or UNKNOWN."""
        total = len(encoding.ids)
        tokens = np.zeros((total, len(self.token_names)), dtype=np.float32)
        tokens[:, :3] = NO_ALTERNATIVE
        best = np.zeros(total, dtype=np.int32)
        places = encoding.places[self._numbers.take(encoding.ids.take(encoding.places)) > 0]
        for start in range(0, len(places), BLOCK):
            self._read_block(encoding, places[start : start + BLOCK], tokens, best)
        gains = tokens[:, :3]
        np.maximum(gains, NO_ALTERNATIVE, out=gains)
        np.minimum(gains, -NO_ALTERNATIVE, out=gains)
        return tokens, best

    def _read_block(
        self, encoding: Encoding, places: NDArray[np.int64], tokens: NDArray[np.float32], best: NDArray[np.int32]
    ) -> None:
        """Fill in the token values and the best alternatives at some places."""
        found = self.candidates(encoding, places)
        score = found.score
        unigram = self.collocations.language.unigram
        first = score.argmax(axis=1)
        here = np.arange(len(places))
        best[places] = found.ids[here, first]
        top = score[here, first]
        with np.errstate(under="ignore"):
            odds = top + np.log(np.exp(score - top[:, None]).sum(axis=1))
        own = encoding.ids.take(places)
        tokens[places, 0] = found.gain.max(axis=0)
        tokens[places, 1] = found.gain[first, here]
        tokens[places, 2] = odds
        tokens[places, 3] = unigram.take(best.take(places)) - unigram.take(own)
        tokens[places, 4] = (score > 0).astype(np.float32) @ self._ones  # faster than np.sum along a short axis
        tokens[places, 5] = self._numbers.take(own)

    def candidates(self, encoding: Encoding, places: NDArray[np.int64]) -> Candidates:
        """Compute how well each alternative fits in the place of the words at `places` (P,)."""
        # Arrays are (K, P), because numpy is fast along many places and slow along few alternatives.
        own = encoding.ids[places]
        words = np.ascontiguousarray(self.alternatives.ids[own].T).astype(np.int32)
        fit = self.collocations.fit(encoding)
        fits = fit.after_left[places], fit.right_after[places], fit.second_right_after[places]
        unigram = self.collocations.language.unigram
        topic = self.topics.similarity(encoding, places, np.concatenate([own[None], words]))
        gains = np.empty((len(places), len(words), len(INPUTS)), dtype=np.float32)
        by_input = gains.transpose(2, 1, 0)
        here = encoding.padded_places.take(places)
        left2, left1, right1, right2 = (encoding.padded.take(here + k) for k in (-2, -1, 1, 2))
        others = self.collocations.language.fit(words, left2, left1, right1, right2, fit.right_pair[places])
        others -= np.array(fits)[:, None]
        by_input[:3] = others
        gain = others[0] + others[1]
        gain += others[2]
        gain[words == UNKNOWN] = NO_ALTERNATIVE
        np.subtract(unigram.take(words), unigram.take(own), out=by_input[3])
        by_input[4] = self.alternatives.log_prior[:, None]
        np.subtract(topic[1:], topic[0], out=by_input[5])
        chosen = np.ascontiguousarray(words.T)
        none = (chosen.reshape(-1) == UNKNOWN).nonzero()[0]
        gains.reshape(-1, len(INPUTS))[none] = 0
        score = gains @ self.alternatives.weights + self.alternatives.bias
        score.reshape(-1)[none] = NO_ALTERNATIVE
        return Candidates(chosen, gains, gain, score)


@dataclass(frozen=True, eq=False)
class Candidates:
    """The alternatives of P words.

    Attributes:
        ids: (P, K) word ids; UNKNOWN if there are fewer than K.
        inputs: (P, K, len(INPUTS)) what the score is computed from.
        gain: (K, P) the sum of the first three inputs: how much better the alternative fits; NO_ALTERNATIVE if there
            are fewer than K.
        score: (P, K) log odds that the alternative was written instead of the word in the text.
    """

    ids: NDArray[np.int32]
    inputs: NDArray[np.float32]
    gain: NDArray[np.float32]
    score: NDArray[np.float32]

"""From evidence to false-positive rates, and from rates to a verdict. Thresholds are used nowhere else.

A tier returns one number for each kind of paraphrase: the evidence. A `Tail` says how often human text of the same
length shows evidence at least as strong, for a source at the 90th percentile of the calibration sources. The kinds
share a budget of false positives: a kind's rate is that probability divided by the kind's share, and the text's rate is
the smallest of the kinds' rates. Two thresholds turn the rate into a verdict; the score is a function of the rate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from unspun.model.verdict import KINDS

SCORE_PARAPHRASED, SCORE_SUSPECT = 0.9, 0.5
"""Scores at the two thresholds, for every length and depth."""
Z_90 = 1.2816
"""Standard deviations from the average source to the one at the 90th percentile."""
BARELY = 1e-6
"""How far above the threshold of `suspect` the log rate of a text is at least that must stay `clear`."""
SHORTEST, LONGEST = 50, 30_000
"""Text lengths, in words, that calibration covers. Shorter and longer texts count as these."""

Word = Literal["paraphrased", "suspect", "clear"]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Tail:
    """How often human text shows evidence of one kind at least this strong, by length and unfamiliarity.

    Attributes:
        words: (K,) text lengths in rising order.
        centre, spread: (K,) mean and standard deviation of human evidence at each length.
        unfamiliar: what each unit of a text's unfamiliarity adds to the centre and to the log of the spread.
        deviations: (G,) standard deviations above the centre, in rising order.
        log_odds: (G,) falling log odds that human evidence exceeds each deviation. They are extrapolated linearly at
            both ends, so that two strong texts never tie.
        between: standard deviation between sources, in deviations.
    """

    words: Floats
    centre: Floats
    spread: Floats
    unfamiliar: tuple[float, float]
    deviations: Floats
    log_odds: Floats
    between: float

    @classmethod
    def from_manifest(cls, entry: Mapping[str, Any]) -> Tail:
        """Read a tail from a bundle's manifest. Raises ValueError or LookupError if it is invalid."""
        arrays = {
            name: np.asarray(entry[name], dtype=np.float64)
            for name in ("words", "centre", "spread", "deviations", "log_odds")
        }
        centre, spread = (float(value) for value in entry["unfamiliar"])
        tail = cls(unfamiliar=(centre, spread), between=float(entry["between"]), **arrays)
        same = len(tail.words) == len(tail.centre) == len(tail.spread)
        if not same or len(tail.deviations) != len(tail.log_odds) or len(tail.log_odds) < 2:
            raise ValueError("the arrays of a tail differ in length")
        if not np.isfinite(np.concatenate([*arrays.values(), [centre, spread, tail.between]])).all():
            raise ValueError("a tail has numbers that are not finite")
        if (tail.words <= 0).any() or (np.diff(tail.words) <= 0).any() or (tail.spread <= 0).any():
            raise ValueError("the lengths of a tail must be positive and rising, and its spreads positive")
        if (np.diff(tail.deviations) <= 0).any() or (np.diff(tail.log_odds) >= 0).any():
            raise ValueError("the deviations of a tail must rise and its log odds fall")
        return tail

    def to_manifest(self) -> dict[str, Any]:
        """Return the tail as plain JSON types."""
        names = ("words", "centre", "spread", "deviations", "log_odds")
        answer: dict[str, Any] = {name: [round(float(v), 6) for v in getattr(self, name)] for name in names}
        return {**answer, "unfamiliar": list(self.unfamiliar), "between": self.between}

    def deviation(self, evidence: Floats, log_words: Floats, unfamiliar: Floats) -> Floats:
        """Return how many standard deviations (D,) the evidence is above that of human text of this `log_length`."""
        knots, log_spread = self._logs
        centre = np.interp(log_words, knots, self.centre) + self.unfamiliar[0] * unfamiliar
        spread = np.exp(np.interp(log_words, knots, log_spread) + self.unfamiliar[1] * unfamiliar)
        answer: Floats = (evidence - centre) / spread
        return answer

    @cached_property
    def _logs(self) -> tuple[Floats, Floats]:
        """The logs of `words` and of `spread`."""
        return np.log(self.words), np.log(self.spread)

    def log_rate(self, evidence: Floats, words: NDArray[np.integer], unfamiliar: Floats) -> Floats:
        """Return the log probability (D,) of evidence at least as strong, for a source at the 90th percentile."""
        return log_probability(self.odds(evidence, log_length(words), unfamiliar))

    def odds(self, evidence: Floats, log_words: Floats, unfamiliar: Floats) -> Floats:
        """Return the log odds (D,) of evidence at least as strong in texts of this `log_length`."""
        at = self.deviation(evidence, log_words, unfamiliar) - Z_90 * self.between
        odds = np.interp(at, self.deviations, self.log_odds)
        for end, inner, beyond in ((0, 1, at < self.deviations[0]), (-1, -2, at > self.deviations[-1])):
            if beyond.any():
                slope = (self.log_odds[end] - self.log_odds[inner]) / (self.deviations[end] - self.deviations[inner])
                odds = np.where(beyond, self.log_odds[end] + slope * (at - self.deviations[end]), odds)
        return odds


def log_length(words: NDArray[np.integer]) -> Floats:
    """Return the logs of text lengths, within those that calibration covers."""
    answer: Floats = np.log(np.minimum(np.maximum(words, SHORTEST), LONGEST))
    return answer


def log_probability(odds: Floats) -> Floats:
    """Return the log probabilities that belong to log odds."""
    answer: Floats = -np.logaddexp(0.0, -odds)
    return answer


@dataclass(frozen=True, eq=False)
class TierDecision:
    """How the evidence of one tier is judged.

    Attributes:
        tails: the tail of each kind.
        shares: (3,) each kind's share of the budget of false positives.
        paraphrased, suspect: false-positive rates at the two thresholds.
        factors: (3,) factors of the kinds' rates; 1 unless `unspun calibrate` fitted them to a user's own texts.
    """

    tails: tuple[Tail, ...]
    shares: Floats
    paraphrased: float
    suspect: float
    factors: Floats = field(default_factory=lambda: np.ones(len(KINDS)))

    @classmethod
    def from_manifest(cls, entry: Mapping[str, Any]) -> TierDecision:
        """Read a tier from a bundle's manifest. Raises ValueError or LookupError if it is invalid."""
        tails = tuple(Tail.from_manifest(entry["tails"][kind]) for kind in KINDS)
        shares = np.array([float(entry["shares"][kind]) for kind in KINDS])
        paraphrased, suspect = float(entry["paraphrased"]), float(entry["suspect"])
        if not (0.0 < paraphrased < suspect < 1.0) or not (shares > 0).all():
            raise ValueError("the thresholds of a tier must be 0 < paraphrased < suspect < 1, and its shares positive")
        factors = np.array([float(entry.get("factors", {}).get(kind, 1.0)) for kind in KINDS])
        if not (np.isfinite(factors) & (factors > 0)).all():
            raise ValueError("the factors of a tier must be positive numbers")
        return cls(tails, shares, paraphrased, suspect, factors)

    def to_manifest(self) -> dict[str, Any]:
        """Return the tier as plain JSON types."""
        answer: dict[str, Any] = {
            "tails": {kind: tail.to_manifest() for kind, tail in zip(KINDS, self.tails, strict=True)},
            "shares": dict(zip(KINDS, self.shares.tolist(), strict=True)),
            "paraphrased": self.paraphrased,
            "suspect": self.suspect,
        }
        if (self.factors != 1.0).any():
            answer["factors"] = dict(zip(KINDS, self.factors.tolist(), strict=True))
        return answer

    def log_rates(self, evidence: Floats, words: NDArray[np.integer], unfamiliar: Floats) -> Floats:
        """Return the log rate of each kind (D, 3): the probability in human text, divided by the kind's share."""
        log_words = log_length(words)
        odds = [tail.odds(evidence[:, k], log_words, unfamiliar) for k, tail in enumerate(self.tails)]
        answer: Floats = log_probability(np.array(odds)).T.copy() + np.log(self.factors) - np.log(self.shares)
        return answer

    def kept_clear(self, log_rates: Floats) -> Floats:
        """Return log rates of any shape, raised so that none gives more than `clear`."""
        answer: Floats = np.maximum(log_rates, np.log(self.suspect) + BARELY)
        return answer

    def scores(self, log_rates: Floats) -> Floats:
        """Return the scores of log rates of any shape: 0.9 at the threshold of `paraphrased`, 0.5 at that of `suspect`.

        Up to 0.9 the score is a logistic function. Above it, a hyperbola with the same slope approaches 1 more slowly,
        so that strong texts still differ in six decimals.
        """
        low, high = np.log(self.paraphrased), np.log(self.suspect)
        top = np.log(SCORE_PARAPHRASED / (1.0 - SCORE_PARAPHRASED))
        position = (high - np.asarray(log_rates, dtype=np.float64)) / (high - low)  # 0 at `suspect`, 1 at `paraphrased`
        beyond = np.maximum(position - 1.0, 0.0)
        answer: Floats = expit(top * np.minimum(position, 1.0))
        strong = 1.0 - (1.0 - SCORE_PARAPHRASED) / (1.0 + SCORE_PARAPHRASED * top * beyond)
        return np.where(position > 1.0, strong, answer)

    def word(self, log_rate: float) -> Word:
        """Return the verdict for a text's log rate."""
        if log_rate <= np.log(self.paraphrased):
            return "paraphrased"
        return "suspect" if log_rate <= np.log(self.suspect) else "clear"


@dataclass(frozen=True, eq=False)
class Decision:
    """Everything that turns evidence into verdicts.

    Attributes:
        minimum_words: words of prose that a text needs.
        supported: the smallest false-positive rate that the calibration sample supports.
        least_familiar: unfamiliarity above which a text gets no verdict.
        tiers: the decision of each tier, by name.
        likelihoods: for each tier, scores and the log likelihood ratios of paraphrased to human text at those scores.
    """

    minimum_words: int
    supported: float
    least_familiar: float
    tiers: Mapping[str, TierDecision]
    likelihoods: Mapping[str, tuple[Floats, Floats]]

    @classmethod
    def from_manifest(cls, entry: Mapping[str, Any]) -> Decision:
        """Read the `decision` of a bundle's manifest. Raises ValueError, TypeError or LookupError if it is invalid."""
        likelihoods = {
            tier: (np.asarray(one["scores"], dtype=np.float64), np.asarray(one["log_ratios"], dtype=np.float64))
            for tier, one in entry["likelihoods"].items()
        }
        tiers = {tier: TierDecision.from_manifest(one) for tier, one in entry["tiers"].items()}
        if "fast" not in tiers or set(likelihoods) != set(tiers):
            raise ValueError("the decision lacks a tier")
        if any(len(scores) != len(ratios) or (np.diff(scores) <= 0).any() for scores, ratios in likelihoods.values()):
            raise ValueError("the scores of a tier's likelihood ratios must be rising, with one ratio each")
        return cls(
            int(entry["minimum_words"]),
            float(entry["supported"]),
            float(entry["least_familiar"]),
            tiers,
            likelihoods,
        )

    def to_manifest(self) -> dict[str, Any]:
        """Return the decision as plain JSON types."""
        return {
            "minimum_words": self.minimum_words,
            "supported": self.supported,
            "least_familiar": self.least_familiar,
            "tiers": {tier: one.to_manifest() for tier, one in self.tiers.items()},
            "likelihoods": {
                tier: {"scores": scores.tolist(), "log_ratios": ratios.tolist()}
                for tier, (scores, ratios) in self.likelihoods.items()
            },
        }

    def with_thresholds(self, tier: str, paraphrased: float, suspect: float) -> Decision:
        """Return a copy with other false-positive rates at one tier's thresholds."""
        changed = replace(self.tiers[tier], paraphrased=paraphrased, suspect=suspect)
        return replace(self, tiers={**self.tiers, tier: changed})

    def without(self, tier: str) -> Decision:
        """Return a copy that lacks a tier."""
        return replace(
            self,
            tiers={name: one for name, one in self.tiers.items() if name != tier},
            likelihoods={name: one for name, one in self.likelihoods.items() if name != tier},
        )

    def is_final(self, log_rates: Floats, doubt: Floats) -> NDArray[np.bool_]:
        """Return for which texts (D,) the fast tier's answer is final at depth `auto`, given its log rates (D, 3).

        It is if the rates of all kinds are above `doubt` (3,). In a model with a first tier, it also is if the text is
        `paraphrased`.
        """
        final = (log_rates > np.log(doubt)).all(axis=1)
        if "first" in self.tiers:
            final |= log_rates.min(axis=1) <= np.log(self.tiers["fast"].paraphrased)
        return np.asarray(final)

    def probability(self, tier: str, score: float, base_rate: float) -> float:
        """Return the probability that a text with this score is paraphrased, if `base_rate` of all texts are."""
        scores, ratios = self.likelihoods[tier]
        odds = float(np.log(base_rate / (1.0 - base_rate)) + np.interp(score, scores, ratios))
        return float(expit(odds))


def check_base_rate(value: float) -> float:
    """Return a base rate as a float. Raises ValueError unless it is between 0 and 1, both excluded."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 < value < 1.0:
        raise ValueError(f"base rate {value!r}: give the share of paraphrased texts, between 0 and 1 (5 % is 0.05)")
    return float(value)

"""Evidence to false-positive rates, and rates to a verdict: the only place that reads thresholds.

For each kind of machine a tier gives one number, the evidence. A `Tail` says how often human text of the same length
shows evidence at least as strong, for a source at the 90th percentile of sources. Each kind has a share of the budget
of false positives; its rate is that probability divided by its share, and the text's rate is the smallest of the
kinds'. Two constants turn the rate into a verdict, and a fixed function of the rate is the score.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from unspun.model.verdict import KINDS

SCORE_PARAPHRASED, SCORE_SUSPECT = 0.9, 0.5
"""Scores at the two thresholds, at every length and depth."""
Z_90 = 1.2816
"""Standard deviations between the average source and the one at the 90th percentile."""
SHORTEST, LONGEST = 50, 30_000
"""Words between which evidence was compared with human text of the same length; beyond, the nearer one counts."""

Word = Literal["paraphrased", "suspect", "clear"]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Tail:
    """How often human text shows evidence of one kind at least as strong, by length and unfamiliarity.

    At `words` (K,), numbers of words in rising order, human evidence has its `centre` (K,) and `spread` (K,);
    `unfamiliar` adds (centre, log spread) for each unit of a text's unfamiliarity. `deviations` (G,) rise and
    `log_odds` (G,) of exceeding them fall; beyond both ends the last slope goes on, so that strong texts never tie.
    `between` is the standard deviation of sources, in deviations.
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
        """Read one tail of a bundle's manifest. Raises ValueError and LookupError where it is not one."""
        arrays = {
            name: np.asarray(entry[name], dtype=np.float64)
            for name in ("words", "centre", "spread", "deviations", "log_odds")
        }
        centre, spread = (float(value) for value in entry["unfamiliar"])
        tail = cls(unfamiliar=(centre, spread), between=float(entry["between"]), **arrays)
        same = len(tail.words) == len(tail.centre) == len(tail.spread)
        if not same or len(tail.deviations) != len(tail.log_odds) or len(tail.log_odds) < 2:
            raise ValueError("a tail's numbers do not fit together")
        if not np.isfinite(np.concatenate([*arrays.values(), [centre, spread, tail.between]])).all():
            raise ValueError("a tail's numbers are not all finite")
        if (tail.words <= 0).any() or (np.diff(tail.words) <= 0).any() or (tail.spread <= 0).any():
            raise ValueError("a tail's numbers are not in order")
        if (np.diff(tail.deviations) <= 0).any() or (np.diff(tail.log_odds) >= 0).any():
            raise ValueError("a tail's numbers are not in order")
        return tail

    def to_manifest(self) -> dict[str, Any]:
        """Return the tail as plain JSON types."""
        names = ("words", "centre", "spread", "deviations", "log_odds")
        answer: dict[str, Any] = {name: [round(float(v), 6) for v in getattr(self, name)] for name in names}
        return {**answer, "unfamiliar": list(self.unfamiliar), "between": self.between}

    def deviation(self, evidence: Floats, words: NDArray[np.integer], unfamiliar: Floats) -> Floats:
        """Return how many standard deviations (D,) evidence lies above that of human text like it."""
        length = np.log(np.clip(words, SHORTEST, LONGEST))
        knots = np.log(self.words)
        centre = np.interp(length, knots, self.centre) + self.unfamiliar[0] * unfamiliar
        spread = np.exp(np.interp(length, knots, np.log(self.spread)) + self.unfamiliar[1] * unfamiliar)
        answer: Floats = (evidence - centre) / spread
        return answer

    def log_rate(self, evidence: Floats, words: NDArray[np.integer], unfamiliar: Floats) -> Floats:
        """Return the log probability (D,) of evidence at least as strong, for a source at the 90th percentile."""
        at = self.deviation(evidence, words, unfamiliar) - Z_90 * self.between
        odds = np.interp(at, self.deviations, self.log_odds)
        for end, inner in ((0, 1), (-1, -2)):
            slope = (self.log_odds[end] - self.log_odds[inner]) / (self.deviations[end] - self.deviations[inner])
            beyond = at < self.deviations[0] if end == 0 else at > self.deviations[-1]
            odds = np.where(beyond, self.log_odds[end] + slope * (at - self.deviations[end]), odds)
        answer: Floats = -np.logaddexp(0.0, -odds)
        return answer


@dataclass(frozen=True, eq=False)
class TierDecision:
    """The tails of one tier's evidence, the kinds' shares of the budget, and the rates at the two thresholds.

    `factors` (3,) multiply the kinds' rates. They are 1 unless `unspun calibrate` set them by a user's own texts.
    """

    tails: tuple[Tail, ...]
    shares: Floats
    paraphrased: float
    suspect: float
    factors: Floats = field(default_factory=lambda: np.ones(len(KINDS)))

    @classmethod
    def from_manifest(cls, entry: Mapping[str, Any]) -> TierDecision:
        """Read one tier of a bundle's manifest. Raises ValueError and LookupError where it is not one."""
        tails = tuple(Tail.from_manifest(entry["tails"][kind]) for kind in KINDS)
        shares = np.array([float(entry["shares"][kind]) for kind in KINDS])
        paraphrased, suspect = float(entry["paraphrased"]), float(entry["suspect"])
        if not (0.0 < paraphrased < suspect < 1.0) or not (shares > 0).all():
            raise ValueError("the thresholds of a tier are not in order")
        factors = np.array([float(entry.get("factors", {}).get(kind, 1.0)) for kind in KINDS])
        if not (np.isfinite(factors) & (factors > 0)).all():
            raise ValueError("the factors of a tier are not positive numbers")
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
        """Return the log rate of each kind (D, 3): its probability in human text, divided by its share."""
        columns = [tail.log_rate(evidence[:, k], words, unfamiliar) for k, tail in enumerate(self.tails)]
        answer: Floats = np.stack(columns, axis=1) + np.log(self.factors) - np.log(self.shares)
        return answer

    def scores(self, log_rates: Floats) -> Floats:
        """Return the scores of log rates, any shape: 0.9 at the threshold of `paraphrased`, 0.5 at `suspect`.

        Beyond 0.9 the score nears 1 as a hyperbola does, with the slope that the logistic function has there: printed
        with six decimals, strong texts differ.
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
    """All that turns evidence into verdicts.

    `supported` is the smallest false-positive rate that the calibration sample supports. `least_familiar` is the
    unfamiliarity from which no verdict is given. `likelihoods` holds, for the score of each tier, knots of the log
    likelihood ratio of paraphrased against human text.
    """

    minimum_words: int
    supported: float
    least_familiar: float
    tiers: Mapping[str, TierDecision]
    likelihoods: Mapping[str, tuple[Floats, Floats]]

    @classmethod
    def from_manifest(cls, entry: Mapping[str, Any]) -> Decision:
        """Read the `decision` of a bundle's manifest. Raises ValueError, TypeError and LookupError."""
        likelihoods = {
            tier: (np.asarray(one["scores"], dtype=np.float64), np.asarray(one["log_ratios"], dtype=np.float64))
            for tier, one in entry["likelihoods"].items()
        }
        tiers = {tier: TierDecision.from_manifest(one) for tier, one in entry["tiers"].items()}
        if "fast" not in tiers or set(likelihoods) != set(tiers):
            raise ValueError("the decision of a tier is missing")
        if any(len(scores) != len(ratios) or (np.diff(scores) <= 0).any() for scores, ratios in likelihoods.values()):
            raise ValueError("the likelihood ratios of a tier are not in order")
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
        """Return the decision with other rates at one tier's thresholds."""
        changed = replace(self.tiers[tier], paraphrased=paraphrased, suspect=suspect)
        return replace(self, tiers={**self.tiers, tier: changed})

    def probability(self, tier: str, score: float, base_rate: float) -> float:
        """Return the probability that a text with this score is paraphrased, where `base_rate` of all texts are."""
        scores, ratios = self.likelihoods[tier]
        odds = float(np.log(base_rate / (1.0 - base_rate)) + np.interp(score, scores, ratios))
        return float(expit(odds))


def check_base_rate(value: float) -> float:
    """Return a base rate; raises ValueError for one that is not between 0 and 1, both excluded."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 < value < 1.0:
        raise ValueError(f"base rate {value!r}: give the share of paraphrased texts, between 0 and 1 (5 % is 0.05)")
    return float(value)

"""Fits a correction of a model to a user's own texts ("the house's"), no stronger than the reference texts allow.

The correction is fitted on the house's texts alone, is regularised by how far it would move the reference texts, which
the model was made with, and applies in the house's domain only. Refitting the trees with the new texts weighted in
learnt the house less well and lost more elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from unspun.model.bundle import Bundle
from unspun.model.decision.decision import SCORE_PARAPHRASED, SCORE_SUSPECT
from unspun.model.detector import DECIMALS
from unspun.model.tiers.house import Correction, scale
from unspun.model.verdict import KINDS
from unspun.training.calibration.reference import ReferenceTexts
from unspun.training.classifier.classify import BARELY_SPUN, sample_weights
from unspun.training.reporting.metrics import rank_auroc

Floats = NDArray[np.float64]

LEAST_TEXTS = 8
"""Texts of a kind that are needed to fit anything to it."""
ANCHOR, RIDGE, DOMAIN_RIDGE = 0.6, 6.0, 0.01
"""Strength of the pull towards the reference texts and towards zero, in texts of the house; and of the pull towards
zero on the domain's weights."""
DOMAIN_PRIOR = -2.0
"""Added to the log odds of the house's domain: a text counts as outside it unless its numbers say otherwise."""
STRENGTHS = (1.5, 1.0, 0.7, 0.5, 0.35, 0.25, 0.18, 0.12, 0.08, 0.05, 0.03)
"""Factors on the fitted correction, tried from the largest."""
LARGEST_FALL = 0.003
"""Largest AUROC loss that is allowed in any part of the reference."""
LARGEST_RISE = {"paraphrased": 0.0005, "suspect": 0.005}
"""Largest increase in the share of the reference's human texts that get each verdict."""
LEAST_SCORE = {"paraphrased": SCORE_PARAPHRASED, "suspect": SCORE_SUSPECT}
LEAST_CELL = 25
"""Texts of each side that a part needs for its AUROC to count."""
_STEPS = 30


@dataclass(frozen=True, slots=True)
class ReferencePart:
    """A part of the reference, texts of one `kind` of one source or domain, and the human texts to separate it from."""

    name: str
    kind: str
    machine: NDArray[np.int64]
    human: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Effect:
    """The effect of a correction on the reference: the worst `fall` of AUROC and its `part`, and the `rise` in the
    share of human texts with each verdict.
    """

    fall: float
    part: str
    rise: dict[str, float]

    def within(self) -> bool:
        """Return whether the harm is within the limits."""
        return self.fall <= LARGEST_FALL and all(self.rise[word] <= most for word, most in LARGEST_RISE.items())


@dataclass(frozen=True, eq=False)
class FittedCorrection:
    """A correction as strong as the reference allows (None if it allows none), its strength, and its effect."""

    correction: Correction | None
    strength: float
    effect: Effect


class Fitter:
    """Fits corrections, and checks them on the reference of a bundle, which holds no text of a house.

    The caller should limit threads to one, so that the same texts give the same numbers.
    """

    def __init__(self, bundle: Bundle, reference: ReferenceTexts) -> None:
        self.bundle = bundle
        self.reference = reference
        self.centre = reference.features.mean(axis=0, dtype=np.float64).astype(np.float32)
        spread = reference.features.std(axis=0, dtype=np.float64)
        self.spread = np.where(spread > 0, spread, 1.0).astype(np.float32)
        self._scaled = scale(reference.features, self.centre, self.spread)
        weights = sample_weights(reference)
        self._weights = weights / weights.sum()
        self._mean = self._weights @ self._scaled
        away = self._scaled - self._mean
        self._moved = (away * self._weights[:, None]).T @ away
        self._parts = parts(reference)
        self._before = dict(self._rated(0.0))

    def fit(self, house: ReferenceTexts) -> FittedCorrection:
        """Fit a correction to a house's texts, as strong as the reference allows."""
        whole = self._whole(house)
        for strength in STRENGTHS if whole.weights.any() else ():
            tried = replace(whole, weights=whole.weights * strength, bias=whole.bias * strength)
            effect = self._effect(tried)
            if effect.within():
                return FittedCorrection(tried, strength, effect)
        return FittedCorrection(None, 0.0, Effect(0.0, "", dict.fromkeys(LARGEST_RISE, 0.0)))

    def log_rates(self, rows: ReferenceTexts, added: Floats | float = 0.0) -> dict[str, Floats]:
        """Return each kind's log rate (N, 3) by tier when a correction adds `added` (N, 3) to the evidence.

        The deep tier is included only if it has read all rows.
        """
        evidence = {"fast": rows.log_odds}
        if self.bundle.deep is not None and np.isfinite(rows.deep).all():
            evidence["deep"] = rows.deep + self.bundle.deep.fast_weights * rows.log_odds
        return {
            tier: self.bundle.decision.tiers[tier].log_rates(values + added, rows.words, rows.unfamiliar)
            for tier, values in evidence.items()
        }

    def scores(self, rows: ReferenceTexts, added: Floats | float = 0.0) -> dict[str, Floats]:
        """Return the scores (N,) by tier when a correction adds `added` (N, 3) to the evidence."""
        return {
            tier: self.bundle.decision.tiers[tier].scores(rates.min(axis=1))
            for tier, rates in self.log_rates(rows, added).items()
        }

    def _whole(self, house: ReferenceTexts) -> Correction:
        scaled = scale(house.features, self.centre, self.spread)
        columns = scaled.shape[1]
        weights, bias = np.zeros((columns, len(KINDS))), np.zeros(len(KINDS))
        for number, kind in enumerate(KINDS):
            rows = np.isin(house.labels, ("human", kind))
            if (house.labels == kind).sum() < LEAST_TEXTS:
                bias[number] = -self._false_alarm(house, number)
                continue
            truth = house.labels[rows] == kind
            penalty = 2 * (ANCHOR * self._moved + RIDGE * np.eye(columns)) / rows.sum()
            shares = np.where(truth, 0.5 / truth.sum(), 0.5 / (~truth).sum())
            fitted = logistic(scaled[rows], truth, shares, penalty, offset=house.log_odds[rows, number])
            weights[:, number], bias[number] = fitted
        inside = np.concatenate([np.ones(len(scaled), bool), np.zeros(len(self._scaled), bool)])
        shares = np.concatenate([np.full(len(scaled), 0.5 / len(scaled)), 0.5 * self._weights])
        both = np.concatenate([scaled, self._scaled])
        domain, domain_bias = logistic(both, inside, shares, DOMAIN_RIDGE * np.eye(columns))
        return Correction(self.centre, self.spread, weights, bias, domain, domain_bias + DOMAIN_PRIOR)

    def _false_alarm(self, house: ReferenceTexts, number: int) -> float:
        """Return how much more of a kind's evidence the house's human texts show than other human texts do.

        Used for kinds of which the house gave no texts: a head that is wrong about the house's style would otherwise
        drown what the other heads learn.
        """
        human = self.reference.log_odds[self.reference.labels == "human", number]
        own = house.log_odds[house.labels == "human", number]
        return max(0.0, float(own.mean() - human.mean())) if len(human) and len(own) else 0.0

    def _effect(self, correction: Correction) -> Effect:
        after = dict(self._rated(correction.log_odds(self.reference.features)))
        falls = [(float(self._before[name] - value), name) for name, value in after.items() if name not in LARGEST_RISE]
        fall, part = max(falls, default=(0.0, ""))
        rise = {word: round(after[word] - self._before[word], 6) for word in LARGEST_RISE}
        return Effect(round(fall, 6), part, rise)

    def _rated(self, added: Floats | float) -> list[tuple[str, float]]:
        """Return the AUROC of each part by each tier's score and by its kind's own score, and the share of human texts
        that are suspect and paraphrased, in the tier where it is larger.
        """
        by_tier = self.log_rates(self.reference, added)
        rated = []
        for part in self._parts:
            for tier, rates in by_tier.items():
                own = rates[:, KINDS.index(part.kind)]
                for name, values in (("score", rates.min(axis=1)), (f"kinds.{part.kind}", own)):
                    rated.append(
                        (f"{part.name}, {tier} {name}", rank_auroc(-values[part.machine], -values[part.human]))
                    )
        human = self.reference.labels == "human"
        for word in LARGEST_RISE:
            shares = [
                float(called(self.bundle.decision.tiers[tier].scores(rates[human].min(axis=1)), word).mean())
                for tier, rates in by_tier.items()
            ]
            rated.append((word, max(shares)))
        return rated


def called(scores: Floats, word: str) -> NDArray[np.bool_]:
    """Return which texts (N,) with these scores get the verdict `word`, suspect or paraphrased, or a worse one."""
    answer: NDArray[np.bool_] = np.round(scores, DECIMALS) >= LEAST_SCORE[word]
    return answer


def parts(reference: ReferenceTexts) -> list[ReferencePart]:
    """Return the parts whose AUROC may not fall: each kind and source against all human text, and each kind and domain
    against the human text of that domain.
    """
    human = np.flatnonzero(reference.labels == "human")
    found = []
    for kind in KINDS:
        machine = np.flatnonzero((reference.labels == kind) & ~(reference.changed < BARELY_SPUN))
        sources, domains = reference.sources[machine], reference.domains[machine]
        found += [
            ReferencePart(f"{kind} of {name}", kind, machine[sources == name], human) for name in np.unique(sources)
        ]
        for name in np.unique(domains):
            same = human[reference.domains[human] == name]
            found.append(ReferencePart(f"{kind} {name} among {name}", kind, machine[domains == name], same))
    return [part for part in found if min(len(part.machine), len(part.human)) >= LEAST_CELL]


def logistic(
    inputs: Floats, truth: NDArray[np.bool_], shares: Floats, penalty: Floats, *, offset: Floats | None = None
) -> tuple[Floats, float]:
    """Fit a logistic regression by Newton's method: weights (F,) and bias for inputs (N, F).

    The loss is the mean by `shares` (N,), which sum to one, plus half of weights @ `penalty` (F, F) @ weights. `offset`
    (N,) is added to the log odds.
    """
    design = np.column_stack([inputs, np.ones(len(inputs))])
    curvature = np.zeros((design.shape[1],) * 2)
    curvature[:-1, :-1] = penalty
    curvature[-1, -1] = 1e-6
    fixed = np.zeros(len(design)) if offset is None else offset
    answer = np.zeros(design.shape[1])

    def loss(weights: Floats) -> float:
        signed = np.where(truth, -1.0, 1.0) * (fixed + design @ weights)
        return float(shares @ np.logaddexp(0.0, signed) + weights @ curvature @ weights / 2)

    now = loss(answer)
    for _ in range(_STEPS):
        probability = expit(np.clip(fixed + design @ answer, -30.0, 30.0))
        gradient = design.T @ (shares * (probability - truth)) + curvature @ answer
        hessian = (design * (shares * probability * (1.0 - probability))[:, None]).T @ design + curvature
        step = np.linalg.solve(hessian, gradient)
        length = 1.0
        while loss(answer - length * step) > now and length > 1e-4:  # far from the optimum, a full step may overshoot
            length /= 2
        answer = answer - length * step
        before, now = now, loss(answer)
        if before - now < 1e-9:
            break
    return answer[:-1], float(answer[-1])

"""Fits how the tiers work together: the weights of their signals, the decision, and which texts each tier settles.

Everything is fitted on evidence in texts with the role `calibrate`, with every human source counted once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from unspun.model.decision.decision import Decision, TierDecision
from unspun.model.signals.quick import NAMES as QUICK_NAMES
from unspun.model.signals.quick import SIGNALS as QUICK_SIGNALS
from unspun.model.signals.quick import weighted
from unspun.model.tiers.first import FirstTier
from unspun.model.verdict import KINDS
from unspun.training.calibration.evidence import LabelledEvidence
from unspun.training.calibration.fit import (
    Sample,
    fit_decision,
    fit_tails,
    human_weights,
    makers_of,
    quantiles,
    simplex,
)
from unspun.training.rows import Runs

MINIMUM_WORDS = 50
LONG_WORDS = (1000, 3000, 8000, 20_000)
LEAST_FAMILIAR = 0.005
"""Share of the human calibration texts, with every source counted once, that is too unfamiliar for a verdict."""
FAST_WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5)
"""Weights of the fast tier's evidence to try, in standard deviations of the encoder's evidence."""
QUICK_WEIGHTS = (0.0, 0.25, 0.5, 1.0, 1.5)
"""Weights of each quick signal to try, in standard deviations of the fast tier's other evidence."""
SETTLED = 0.87
"""Share of the human texts in plain English prose that the first tier settles."""
NEVER = 50.0
"""Log rate of texts that are not to be sent, above that of all others."""
SENT, SENT_WITHOUT_FIRST = 0.02, 0.2
"""Share of the human texts that `auto` sends to the deep tier, and in models without a first tier."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Cascade:
    """What was fitted.

    Attributes:
        labelled: the evidence it was fitted on, with that of the fast tier including the quick signals.
        decision: the decision.
        doubt: (3,) rate of each kind above which the fast tier's answer is final.
        fast_weights: (3,) weight of the fast tier's evidence in the deep tier's.
        quick: (2, 3) weights of the quick signals in the fast tier's evidence; None without quick signals.
        first: the first tier; None without quick signals.
    """

    labelled: LabelledEvidence
    decision: Decision
    doubt: Floats
    fast_weights: Floats
    quick: Floats | None = None
    first: FirstTier | None = None


def fit_cascade(labelled: LabelledEvidence, *, deep: bool) -> Cascade:
    """Fit everything. The quick signals are used if the evidence has them, the deep tier if `deep`.

    The fast tier's evidence must be that of its heads alone.
    """
    quick = None
    if len(labelled.quick.values):
        quick = choose_quick_weights(labelled)
        labelled = with_quick_signals(labelled, quick)
    fast_weights = choose_fast_weights(labelled) if deep else np.zeros(len(KINDS))
    extended = with_long_texts(labelled)
    samples = {"fast": Sample(extended, extended.fast())}
    if deep:
        samples["deep"] = Sample(extended, extended.deep() + fast_weights * extended.fast())
    if quick is None:
        decision = fit_decision(samples, minimum_words=MINIMUM_WORDS, least_familiar=least_familiar(labelled))
        found = _found(decision.tiers["deep"], samples["deep"]) if deep else None
        doubt = choose_doubt(extended, log_rates(decision.tiers["fast"], samples["fast"]), found, SENT_WITHOUT_FIRST)
        return Cascade(labelled, decision, doubt, fast_weights)
    return _fit_with_first(labelled, extended, samples, quick, fast_weights)


def _fit_with_first(
    labelled: LabelledEvidence,
    extended: LabelledEvidence,
    samples: dict[str, Sample],
    quick: Floats,
    fast_weights: Floats,
) -> Cascade:
    """Fit a decision with a first tier."""
    weights = choose_first_weights(labelled)
    seen = as_first_sees(extended)
    first = Sample(seen, extended.first(weights))
    decision = fit_decision(
        {"first": first, **samples}, minimum_words=MINIMUM_WORDS, least_familiar=least_familiar(labelled)
    )
    last = next(reversed(samples))
    rates_first = log_rates(decision.tiers["first"], first)
    limits = choose_doubt(seen, rates_first, _found(decision.tiers[last], samples[last]), 1.0 - SETTLED)
    tier = FirstTier(weights, limits)
    settled = tier.settles(extended.plain, rates_first)
    fast = log_rates(decision.tiers["fast"], samples["fast"])
    # Texts that never reach the deep tier: settled, or paraphrased beyond doubt.
    fast[settled | decision.is_final(fast, np.full(len(KINDS), np.inf))] = NEVER
    doubt = choose_doubt(extended, fast, _found(decision.tiers[last], samples[last]), SENT)
    return Cascade(labelled, decision, doubt, fast_weights, quick, tier)


def log_rates(tier: TierDecision, sample: Sample) -> Floats:
    """Return a tier's log rates (N, 3) of labelled texts."""
    return tier.log_rates(sample.evidence, sample.labelled.words, sample.labelled.unfamiliar)


def _found(tier: TierDecision, sample: Sample) -> NDArray[np.bool_]:
    """Return which texts (N,) a tier finds."""
    found: NDArray[np.bool_] = log_rates(tier, sample).min(axis=1) <= np.log(tier.suspect)
    return found


def as_first_sees(labelled: LabelledEvidence) -> LabelledEvidence:
    """Return the evidence as the first tier sees it: its own words, nothing unfamiliar, no verdict unless plain."""
    reasons = np.where(labelled.plain, labelled.reasons, "not plain")
    words = np.maximum(labelled.quick_words, 1)
    return replace(labelled, words=words, unfamiliar=np.zeros(len(labelled)), reasons=reasons)


def with_quick_signals(labelled: LabelledEvidence, weights: Floats) -> LabelledEvidence:
    """Return the evidence with the quick signals, weighted (2, 3), added to the fast tier's."""
    added = weighted(labelled.features.values[:, -len(QUICK_NAMES) :].astype(np.float64), weights)
    sections = (labelled.sections.values + added).astype(np.float32)
    return replace(labelled, sections=Runs(sections, labelled.sections.starts))


def choose_quick_weights(labelled: LabelledEvidence) -> Floats:
    """Return the weights (2, 3) of the quick signals in the fast tier's evidence."""
    signals = _deviations(labelled, replace(labelled.features, values=labelled.features.values[:, -len(QUICK_NAMES) :]))
    scale = _deviations(labelled, labelled.sections) / signals.reshape(len(QUICK_SIGNALS), len(KINDS))
    candidates = [scale * np.array([[one], [two]]) for one in QUICK_WEIGHTS for two in QUICK_WEIGHTS]
    return _best(labelled, candidates, lambda weights: with_quick_signals(labelled, weights).fast())


def choose_first_weights(labelled: LabelledEvidence) -> Floats:
    """Return the weights (2, 3) of the quick signals in the first tier's evidence."""
    scale = 1.0 / _deviations(labelled, labelled.quick).reshape(len(QUICK_SIGNALS), len(KINDS))
    pairs = [*((1.0, two) for two in QUICK_WEIGHTS), *((one, 1.0) for one in QUICK_WEIGHTS[:3])]
    candidates = [scale * np.array([[one], [two]]) for one, two in pairs]
    seen = as_first_sees(labelled)
    return _best(seen, candidates, labelled.first, (0.05, 0.1))


def choose_fast_weights(labelled: LabelledEvidence) -> Floats:
    """Return the weight of the fast tier's evidence of each kind, relative to the encoder's (3,)."""
    deep, fast = labelled.deep(), labelled.fast()
    human = human_weights(labelled) > 0
    ratio = np.std(deep[human], axis=0) / np.maximum(np.std(fast[human], axis=0), 1e-6)
    return _best(labelled, [weight * ratio for weight in FAST_WEIGHTS], lambda weights: deep + weights * fast)


def _deviations(labelled: LabelledEvidence, runs: Runs) -> Floats:
    """Return the standard deviation of each column in sections of human texts."""
    human = human_weights(labelled)[runs.owner] > 0
    answer: Floats = np.maximum(np.std(runs.values[human].astype(np.float64), axis=0), 1e-6)
    return answer


def _best(
    labelled: LabelledEvidence,
    candidates: Sequence[Floats],
    evidence: Callable[[Floats], Floats],
    shares: Sequence[float] = (0.01, 0.03),
) -> Floats:
    """Return the weights (..., 3) that are best for each kind, rounded; the first candidate for a kind without texts.

    They are best if they find the most: the mean, over makers and over the `shares` of the human texts that may be
    found as well, of the share of the maker's texts that is found. Evidence is compared with that of human texts of the
    same length.
    """
    weights = human_weights(labelled)
    human = weights > 0
    values = np.zeros((len(candidates), len(KINDS)))
    for number, candidate in enumerate(candidates):
        sample = Sample(labelled, evidence(candidate))
        rates = sample.log_rates(fit_tails(sample, weights))
        for k, kind in enumerate(KINDS):
            limits = quantiles(rates[human, k], weights[human], shares)
            found = [(rates[rows, k] <= limit).mean() for _, rows in makers_of(labelled, kind) for limit in limits]
            values[number, k] = float(np.mean(found)) if found else 0.0
    best = np.argmax(values, axis=0)
    return np.round(np.stack([candidates[best[k]][..., k] for k in range(len(KINDS))], axis=-1), 4)


def with_long_texts(labelled: LabelledEvidence, lengths: Sequence[int] = LONG_WORDS) -> LabelledEvidence:
    """Add long human texts: the pages of one source joined, in order, up to each length."""
    rng = np.random.default_rng(0)
    parts: list[list[int]] = []
    whole = ~np.char.endswith(labelled.ids, "#short")
    for source in np.unique(labelled.sources[labelled.labels == "human"]):
        rows = np.flatnonzero((labelled.sources == source) & (labelled.labels == "human") & whole)
        if (labelled.groups[rows] == "").all():  # texts by many writers
            continue
        for length in lengths:
            starts = rng.permutation(len(rows))[: max(1, min(30, 2 * len(rows) * 300 // length))]
            for start in starts.tolist():
                run = np.roll(rows, -start)
                stop = int(np.searchsorted(np.cumsum(labelled.words[run]), length)) + 1
                if stop <= len(run):
                    parts.append(run[:stop].tolist())
    return LabelledEvidence.concatenated([labelled, labelled.joined(parts)]) if parts else labelled


def least_familiar(labelled: LabelledEvidence) -> float:
    """Return the unfamiliarity that a share LEAST_FAMILIAR of the human texts exceeds."""
    weights = human_weights(labelled)
    order = np.argsort(-labelled.unfamiliar)
    place = int(np.searchsorted(np.cumsum(weights[order]), LEAST_FAMILIAR))
    return round(float(labelled.unfamiliar[order[min(place, len(order) - 1)]]), 4)


def choose_doubt(labelled: LabelledEvidence, rates: Floats, found: NDArray[np.bool_] | None, share: float) -> Floats:
    """Return the rate of each kind (3,) above which a tier's answer is final, given its log rates (N, 3).

    Texts with a lower rate of any kind go to the next tier. The rates send a `share` of the human texts, with every
    source counted once, and among such rates they send the most of the machine texts that the next tier finds, `found`
    (N,), on average over kinds and makers.
    """
    weights = human_weights(labelled)
    human = weights > 0
    ranks = np.stack([_ranks(rates[:, k], rates[human, k], weights[human]) for k in range(len(KINDS))], axis=1)
    makers = [[rows if found is None else rows & found for _, rows in makers_of(labelled, kind)] for kind in KINDS]
    best, chosen = -1.0, np.zeros(len(KINDS))
    for allotment in simplex():
        scaled = (ranks / allotment).min(axis=1)
        limit = float(quantiles(scaled[human], weights[human], (share,))[0])
        reached = [np.mean([(scaled[rows] < limit).mean() for rows in kind if rows.any()] or [1.0]) for kind in makers]
        if np.mean(reached) > best + 1e-9:
            best, chosen = float(np.mean(reached)), limit * allotment
    limits = [
        quantiles(rates[human, k], weights[human], (min(part, 1.0),))[0] for k, part in enumerate(chosen.tolist())
    ]
    answer: NDArray[np.float64] = np.exp(limits)
    return answer


def _ranks(
    values: NDArray[np.float64], human: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the share of the human texts whose log rate is below each value (N,)."""
    order = np.argsort(human, kind="stable")
    cumulated = np.concatenate([[0.0], np.cumsum(weights[order])])
    answer: NDArray[np.float64] = cumulated[np.searchsorted(human[order], values)]
    return answer

"""Fits the decision: the tails of human evidence, the kinds' shares of the budget of false positives, the thresholds.

Everything is fitted on evidence in texts with the role `calibrate`, with every source counted once. The tail of a kind
has a location and a scale that change smoothly with length, a random effect of the source, and an exponential tail
beyond the largest quantile that the sample supports, so that strong texts never tie (compare multiscaled conformal
prediction, arXiv 2505.05084).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from unspun.model.decision.decision import LONGEST, SHORTEST, Decision, Tail, TierDecision
from unspun.model.verdict import KINDS
from unspun.training.calibration.evidence import LabelledEvidence
from unspun.training.rows import rows_by_name

Floats = NDArray[np.float64]

LENGTHS = (50, 80, 130, 220, 400, 1000, 3000, 8000, 20_000)
"""Lengths in words at which location and scale are fitted."""
BANDWIDTH = 0.45
"""Bandwidth of the kernel over the logarithm of length."""
QUANTILES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975)
"""Quantiles of human evidence that a tail stores. Beyond the last, the tail is assumed to be exponential."""
PARAPHRASED, SUSPECT = 0.005, 0.037
"""Shares of the human calibration texts at or above the two thresholds, by the evidence of one tier alone. At depth
`auto` fewer get there, because each tier can clear them."""
DRAWS, CONFIDENCE = 300, 0.9
"""Bootstrap draws of the calibration sources for the threshold of `paraphrased`, and the share that must be safe."""
CANDIDATE_SHARES = (0.2, 0.3, 0.4, 0.5, 0.6)
FOLDS = 7
"""Groups of sources; each is judged by tails that were fitted on the others."""
SUPPORTING = 3
"""Human texts that must be below a threshold to read it off the sample."""
ROUNDS = 6
"""Rounds of fitting location and scale, and the effects of sources, in turn."""
BETWEEN_SOURCES = 2.0
"""Weight of the standard deviation of sources in the scale. Chosen so that long texts are false positives as often as
others when they are judged by tails that were fitted without their source.
"""
LEAST_SOURCE = 20
"""Texts that a source needs to count in the random effect."""


def human_weights(labelled: LabelledEvidence) -> Floats:
    """Return weights (N,) that sum to one, under which every human source counts the same; 0 for all other texts."""
    human = (labelled.labels == "human") & (labelled.reasons == "")
    _, inverse = np.unique(labelled.sources, return_inverse=True)
    own = np.bincount(inverse, weights=human)[inverse]
    weights = np.where(human, 1.0 / np.maximum(own, 1), 0.0)
    total: Floats = weights / max(weights.sum(), 1e-12)
    return total


def quantiles(values: Floats, weights: Floats, shares: Sequence[float]) -> Floats:
    """Return weighted quantiles."""
    order = np.argsort(values, kind="stable")
    cumulated = np.cumsum(weights[order])
    cumulated = (cumulated - 0.5 * weights[order]) / cumulated[-1]
    answer: Floats = np.interp(shares, cumulated, values[order])
    return answer


def fit_tail(
    evidence: Floats, words: NDArray[np.integer], unfamiliar: Floats, sources: NDArray[np.str_], weights: Floats
) -> Tail:
    """Fit the tail of one kind to evidence (N,); `weights` (N,) are those of `human_weights`."""
    rows = weights > 0
    evidence, words, unfamiliar = evidence[rows], words[rows], unfamiliar[rows]
    sources, weights = sources[rows], weights[rows]
    length = np.log(np.clip(words, SHORTEST, LONGEST))
    knots = np.log(np.array(LENGTHS, dtype=np.float64))
    slope = (0.0, 0.0)
    centre, spread = _location_and_scale(evidence, length, knots, weights)
    for _ in range(ROUNDS):
        at = np.interp(length, knots, centre)
        wide = np.exp(np.interp(length, knots, np.log(spread)))
        typical = float(np.average(wide, weights=weights))
        slope = _slopes((evidence - at) / wide, unfamiliar, weights, typical)
        effect, between = _source_effects((evidence - at - slope[0] * unfamiliar) / typical, sources)
        # Remove the effects of sources, since short texts come from other sources than long ones.
        levelled = at + (evidence - at - slope[0] * unfamiliar - effect * typical) / np.exp(slope[1] * unfamiliar)
        centre, spread = _location_and_scale(levelled, length, knots, weights)
        # A longer text says more about its source, so that sources differ by more of its standard deviations.
        spread = np.hypot(spread, BETWEEN_SOURCES * between * typical)
    at = np.interp(length, knots, centre) + slope[0] * unfamiliar
    wide = np.exp(np.interp(length, knots, np.log(spread)) + slope[1] * unfamiliar)
    typical = float(np.average(wide, weights=weights))
    effect, between = _source_effects((evidence - at) / typical, sources)
    within = (evidence - at - effect * typical) / wide
    grid = quantiles(within, weights, QUANTILES)
    odds = np.log((1.0 - np.array(QUANTILES)) / np.array(QUANTILES))
    beyond = within > grid[-1]
    excess = float(np.average(within[beyond] - grid[-1], weights=weights[beyond])) if beyond.any() else 1.0
    grid = np.append(grid, grid[-1] + 2.0 * max(excess, 0.05))
    odds = np.append(odds, odds[-1] - 2.0)
    grid = np.maximum.accumulate(grid + np.arange(len(grid)) * 1e-6)
    return Tail(
        np.array(LENGTHS, dtype=np.float64),
        centre,
        spread,
        (round(slope[0], 6), round(slope[1], 6)),
        grid,
        odds,
        round(between, 6),
    )


def _location_and_scale(evidence: Floats, length: Floats, knots: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return median and upper spread at each knot, by a kernel over length that widens until it has enough texts."""
    centre, spread = np.zeros(len(knots)), np.zeros(len(knots))
    for i, knot in enumerate(knots):
        width = BANDWIDTH
        while True:
            near = weights * np.exp(-0.5 * ((length - knot) / width) ** 2)
            if near.sum() ** 2 / max((near**2).sum(), 1e-300) >= 100 or width > 10:
                break
            width *= 1.3
        low, high = quantiles(evidence, near, (0.5, 0.9))
        centre[i], spread[i] = low, max((high - low) / 1.2816, 0.05)
    return centre, spread


def _slopes(deviation: Floats, unfamiliar: Floats, weights: Floats, scale: float) -> tuple[float, float]:
    """Return how much centre and log spread rise for each unit of unfamiliarity; neither may fall."""
    centred = unfamiliar - np.average(unfamiliar, weights=weights)
    square = np.average(centred**2, weights=weights)
    clipped = np.clip(deviation, -3.0, 3.0)
    slope = float(np.average(clipped * centred, weights=weights) / max(square, 1e-12))
    rest = np.log(np.abs(clipped - slope * unfamiliar) + 0.1)
    log_spread = float(np.average(rest * centred, weights=weights) / max(square, 1e-12))
    return max(slope, 0.0) * scale, max(log_spread, 0.0)


def _source_effects(deviation: Floats, sources: NDArray[np.str_]) -> tuple[Floats, float]:
    """Return the effect of each text's source (N,), shrunk by the noise of its mean, and its standard deviation."""
    _, inverse, counts = np.unique(sources, return_inverse=True, return_counts=True)
    clipped = np.clip(deviation, -3.0, 3.0)
    means = np.bincount(inverse, weights=clipped) / counts
    within = float(np.sqrt(np.average((clipped - means[inverse]) ** 2)))
    large = counts >= LEAST_SOURCE
    if large.sum() < 3:
        return np.zeros(len(deviation)), 0.0
    noise = within**2 / counts
    between = max(float(np.var(means[large]) - np.mean(noise[large])), 0.0)
    shrunk = (means - means[large].mean()) * between / (between + noise + 1e-12)
    return shrunk[inverse], float(np.sqrt(between))


@dataclass(frozen=True, eq=False)
class Sample:
    """One tier's evidence (N, 3) in labelled texts."""

    labelled: LabelledEvidence
    evidence: Floats

    def log_rates(self, tails: Sequence[Tail]) -> Floats:
        """Return each kind's log probability in human text (N, 3)."""
        labelled = self.labelled
        columns = [
            tail.log_rate(self.evidence[:, k], labelled.words, labelled.unfamiliar) for k, tail in enumerate(tails)
        ]
        return np.stack(columns, axis=1)


def fit_tier(sample: Sample) -> TierDecision:
    """Fit tails, shares and thresholds of one tier.

    Thresholds are read off rates from tails that were fitted without the text's own source: on their own sources tails
    are too confident, and users' texts come from other sources.
    """
    labelled = sample.labelled
    weights = human_weights(labelled)
    tails = fit_tails(sample, weights)
    rates = np.where((weights > 0)[:, None], cross_fitted(sample, weights), sample.log_rates(tails))
    shares = choose_shares(labelled, rates, weights)
    smallest = (rates - np.log(shares)).min(axis=1)
    paraphrased, suspect = thresholds(smallest, weights)
    paraphrased = min(paraphrased, over_sources(smallest, labelled.sources, weights))
    return TierDecision(tails, shares, paraphrased, suspect)


def fit_tails(sample: Sample, weights: Floats) -> tuple[Tail, ...]:
    """Fit the tails of all kinds."""
    labelled = sample.labelled
    return tuple(
        fit_tail(sample.evidence[:, k], labelled.words, labelled.unfamiliar, labelled.sources, weights)
        for k in range(len(KINDS))
    )


def cross_fitted(sample: Sample, weights: Floats) -> Floats:
    """Return the log rates (N, 3) of human texts from tails fitted without their source; 0 for other texts."""
    sources = np.unique(sample.labelled.sources[weights > 0])
    folds = min(FOLDS, len(sources))
    answer = np.zeros((len(weights), len(KINDS)))
    if folds < 2:
        return sample.log_rates(fit_tails(sample, weights))
    for fold in range(folds):
        out = np.isin(sample.labelled.sources, sources[fold::folds]) & (weights > 0)
        answer[out] = sample.log_rates(fit_tails(sample, np.where(out, 0.0, weights)))[out]
    return answer


def thresholds(log_rate: Floats, weights: Floats) -> tuple[float, float]:
    """Return the rates at or below which the shares PARAPHRASED and SUSPECT of the human texts are.

    If the sample is too small to have SUPPORTING texts below a threshold, the threshold is extrapolated in proportion
    from the share that has. Thresholds have an upper limit, so that texts with equal evidence are never found.
    """
    human = weights > 0
    effective = float(weights[human].sum() ** 2 / (weights[human] ** 2).sum())
    shares = np.array([PARAPHRASED, SUSPECT])
    supported = np.clip(shares, min(SUPPORTING / effective, 0.5), None)
    values = quantiles(log_rate[human], weights[human], supported.tolist()) + np.log(shares / supported)
    low, high = np.minimum(values, np.log([0.5, 0.9])).tolist()
    return float(np.exp(low)), float(np.exp(max(high, low + 1e-3)))


def over_sources(log_rate: Floats, sources: NDArray[np.str_], weights: Floats) -> float:
    """Return the threshold of `paraphrased` that is low enough in a share CONFIDENCE of bootstrap draws of the sources.

    The calibration sources are themselves a sample, and accusations must be rare for other sources, too.
    """
    rows = [np.flatnonzero((sources == source) & (weights > 0)) for source in np.unique(sources[weights > 0])]
    rng = np.random.default_rng(0)
    found = []
    for _ in range(DRAWS):
        drawn = np.concatenate([rows[i] for i in rng.integers(len(rows), size=len(rows))])
        found.append(thresholds(log_rate[drawn], weights[drawn])[0])
    return float(np.quantile(found, 1.0 - CONFIDENCE))


def choose_shares(labelled: LabelledEvidence, rates: Floats, weights: Floats) -> Floats:
    """Return the shares of the budget (3,) that find the most machine text: the mean over kinds, makers and the two
    thresholds of the share that is found.
    """
    best, chosen = 0.0, np.full(len(KINDS), 1.0 / len(KINDS))
    makers = [[rows for _, rows in makers_of(labelled, kind)] for kind in KINDS]
    if not any(makers):  # a small collection
        makers = [[rows for _, rows in makers_of(labelled, kind, least=1)] for kind in KINDS]
    for shares in simplex():
        smallest = (rates - np.log(shares)).min(axis=1)
        limits = np.log(thresholds(smallest, weights))
        found = [
            np.mean([(smallest[rows] <= limit).mean() for rows in of_kind for limit in limits])
            for of_kind in makers
            if of_kind
        ]
        value = float(np.mean(found)) if found else 0.0
        if value > best + 1e-9:
            best, chosen = value, shares
    return chosen


def simplex() -> Iterator[Floats]:
    """Yield the candidate shares of the kinds (3,), which sum to one."""
    for first, second in product(CANDIDATE_SHARES, repeat=2):
        third = round(1.0 - first - second, 3)
        if third >= min(CANDIDATE_SHARES):
            yield np.array([first, second, third])


def contests_joined(makers: NDArray[np.str_]) -> NDArray[np.str_]:
    """Return makers (N,) with the systems of the WMT contests under one name."""
    return np.array([name.partition(":")[0] if name.startswith("wmt:") else name for name in makers], dtype=np.str_)


def makers_of(labelled: LabelledEvidence, kind: str, least: int = 15) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield the makers of a kind and the rows (N,) of each; all systems of the WMT contests are one maker."""
    rows = (labelled.labels == kind) & (labelled.reasons == "")
    names = contests_joined(labelled.makers)
    yield from ((name, own) for name, own in rows_by_name(names, rows) if own.sum() >= least)


def fit_decision(samples: Mapping[str, Sample], *, minimum_words: int, least_familiar: float) -> Decision:
    """Fit the whole decision to the samples of the tiers."""
    tiers = {tier: fit_tier(sample) for tier, sample in samples.items()}
    likelihoods = {tier: fit_likelihoods(sample, tiers[tier]) for tier, sample in samples.items()}
    first = next(iter(samples.values()))
    human = int((human_weights(first.labelled) > 0).sum())
    # With 95 % confidence, the rate of an event that never occurred in n texts is below 3 / n.
    return Decision(minimum_words, float(f"{3.0 / max(human, 30):.1g}"), least_familiar, tiers, likelihoods)


def fit_likelihoods(sample: Sample, tier: TierDecision) -> tuple[Floats, Floats]:
    """Return scores, and the log likelihood ratio of paraphrased against human text at each; both rise.

    The ratios are of smoothed counts in bins of the score, with every maker and every human source counted once.
    """
    labelled = sample.labelled
    rates = tier.log_rates(sample.evidence, labelled.words, labelled.unfamiliar)
    scores = tier.scores(rates).max(axis=1)
    human = human_weights(labelled)
    machine = np.zeros(len(labelled))
    for kind in KINDS:
        for _, rows in makers_of(labelled, kind, least=1):
            machine[rows] = 1.0 / rows.sum()
    if not machine.any() or not human.any():
        return np.array([0.0, 1.0]), np.array([-1.0, 1.0])
    machine /= machine.sum()
    edges = np.array([0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0000001])
    of_human = np.histogram(scores, edges, weights=human)[0]
    of_machine = np.histogram(scores, edges, weights=machine)[0]
    prior = 1.0 / max(int((human > 0).sum()), 1)
    ratios = np.log((of_machine + prior) / (of_human + prior))
    return (edges[:-1] + np.minimum(edges[1:], 1.0)) / 2, np.maximum.accumulate(ratios)

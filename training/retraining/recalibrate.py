"""Calibrates a model's decision on a user's own trusted human texts: `unspun calibrate`.

Each tier has two thresholds, whose meaning stays the same, and for each kind a factor on the kind's rate. The factors
are set here, one for all lengths, since few users have enough texts to set each length separately.

The guarantee needs no model of the text. If n texts are drawn like those to come, the share of new texts that show more
evidence of a kind than the (c + 1)-th strongest text has a Beta distribution. The texts beyond such a limit for any of
the kinds form a union of Tukey's statistically equivalent blocks (Annals of Mathematical Statistics 18, 1947), whose
share is Beta(m, n + 1 - m) for m blocks. This is the split-conformal bound, for three kinds at once.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from unspun.model import bundle
from unspun.model.decision.decision import Decision, TierDecision
from unspun.model.detector import Detector
from unspun.model.verdict import KINDS
from unspun.training.reporting.card import write_card

Floats = NDArray[np.float64]

SUSPECT_FACTOR = 6.0
"""The default target for suspect, as a multiple of the target for paraphrased: 3 % for 0.5 %."""
FEWEST = 200
"""Judged texts that are needed to calibrate at all."""
CONFIDENCE = 0.95
LEAST_FACTOR = 0.1
"""The smallest factor: evidence that one human text in ten shows must never accuse anybody."""
CHUNK = 16
"""Texts that are measured at a time."""
STEP = 1e-5
"""Distance, as a logarithm, between a threshold and the text that sets it; larger than the rounding of a factor."""

WORDS = ("paraphrased", "suspect")
"""The verdicts with a threshold, which are also the names of the thresholds in a TierDecision."""


class CalibrationError(ValueError):
    """The texts cannot be used for calibration; the message says in one line what to do."""


@dataclass(frozen=True, eq=False)
class TrustedEvidence:
    """The evidence in N trusted texts.

    `evidence` (N, 3) by tier is NaN for texts that the tier did not read. `words`, `unfamiliar` and `judged` are (N,).
    """

    evidence: Mapping[str, Floats]
    words: NDArray[np.int64]
    unfamiliar: Floats
    judged: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.words)

    def rows(self, tier: str) -> NDArray[np.bool_]:
        """Return which texts (N,) get a verdict from a tier."""
        read: NDArray[np.bool_] = self.judged & ~np.isnan(self.evidence[tier]).any(axis=1)
        return read


@dataclass(frozen=True, slots=True)
class Check:
    """How many of the `texts` that a tier judged get the verdict `word`, or a worse one, before and after.

    With 95 % confidence, at most the share `at_most` of new texts like these gets it. `enough` says whether the texts
    were enough to prove the target.
    """

    tier: str
    word: str
    target: float
    texts: int
    before: int
    after: int
    at_most: float
    enough: bool


@dataclass(frozen=True, slots=True)
class Recalibrated:
    """The decision with its new factors, and the effect of each."""

    decision: Decision
    checks: tuple[Check, ...]


def measure(
    detector: Detector, texts: Sequence[str], *, track: Callable[[range], Iterable[int]] = iter
) -> TrustedEvidence:
    """Measure texts with every tier of a model. `track` wraps the positions of the chunks, to show progress."""
    fast, deep = [np.zeros((0, len(KINDS)))], [np.zeros((0, len(KINDS)))]
    words: list[int] = []
    unfamiliar: list[float] = []
    judged: list[bool] = []
    for start in track(range(0, len(texts), CHUNK)):
        found = detector.measure(texts[start : start + CHUNK], depth="deep")
        fast.append(found.fast)
        deep.append(np.full_like(found.fast, np.nan) if found.deep is None else found.deep)
        words += found.words.tolist()
        unfamiliar += found.unfamiliar.tolist()
        judged += [reason is None for reason in found.why]
    evidence = {"fast": np.concatenate(fast)}
    if detector.bundle.deep is not None:
        evidence["deep"] = np.concatenate(deep)
    return TrustedEvidence(
        evidence, np.array(words, np.int64), np.array(unfamiliar, np.float64), np.array(judged, bool)
    )


def recalibrate(decision: Decision, sample: TrustedEvidence, targets: Mapping[str, float]) -> Recalibrated:
    """Return the decision under which at most the target share of the trusted texts gets each verdict.

    Each kind may spend its share of the target. If the texts prove the target, every kind's factor is set to what they
    prove. If they are too few, a factor is above 1 if the target would be missed, and 1 otherwise. Earlier factors are
    discarded. Raises CalibrationError.
    """
    tiers, checks = dict(decision.tiers), []
    for name in sample.evidence:
        rows = sample.rows(name)
        count = int(rows.sum())
        if count < FEWEST:
            raise CalibrationError(
                f"{count} of {len(sample)} texts can be judged: {FEWEST - count} more are needed, {FEWEST} in all, and "
                f"{texts_needed(targets['paraphrased']):,} to prove a share of {targets['paraphrased']:.1%}"
            )
        old = decision.tiers[name]
        bare = replace(old, factors=np.ones(len(KINDS)))
        measured = sample.evidence[name][rows], sample.words[rows], sample.unfamiliar[rows]
        log_rates = bare.log_rates(*measured)
        budgets = {word: Budget.of(count, targets[word], old.shares) for word in WORDS}
        new = replace(old, factors=_factors(log_rates, bare, budgets))
        tiers[name] = new
        for word, budget in budgets.items():
            checks.append(
                Check(
                    tier=name,
                    word=word,
                    target=targets[word],
                    texts=count,
                    before=_called(log_rates, old, word),
                    after=_called(log_rates, new, word),
                    at_most=round(budget.at_most, 5),
                    enough=budget.proven,
                )
            )
    return Recalibrated(replace(decision, tiers=tiers), tuple(checks))


@dataclass(frozen=True, eq=False)
class Budget:
    """How many of n texts may cross the threshold by each kind, `allowed` (3,), and the largest share of new texts,
    `at_most`, that then does.
    """

    allowed: NDArray[np.int64]
    at_most: float
    proven: bool

    @classmethod
    def of(cls, texts: int, target: float, shares: Floats) -> Budget:
        """Return the largest budget that proves the target, or the one that keeps it on these texts if none does."""
        totals = np.arange(int(target * texts + 1e-9) + 1)
        allowed = np.floor(np.outer(totals, shares / shares.sum()) + 1e-9).astype(np.int64)
        at_most = np.array([bound(texts, int(blocks)) for blocks in allowed.sum(axis=1) + len(shares)])
        proven = np.flatnonzero(at_most <= target)
        chosen = int(proven[-1]) if len(proven) else -1
        return cls(allowed[chosen], float(at_most[chosen]), bool(len(proven)))


def bound(texts: int, blocks: int) -> float:
    """Return the largest share of new texts, with 95 % confidence, that falls into `blocks` blocks of `texts` texts."""
    return float(betaincinv(blocks, texts + 1 - blocks, CONFIDENCE)) if blocks <= texts else 1.0


def texts_needed(target: float) -> int:
    """Return how many texts prove a target if none of them crosses the threshold."""
    counts = range(len(KINDS), 10**9)
    return counts[bisect_left(counts, True, key=lambda texts: bound(texts, len(KINDS)) <= target)]


def _factors(log_rates: Floats, tier: TierDecision, budgets: Mapping[str, Budget]) -> Floats:
    """Return the factors (3,) under which no kind exceeds its budget; `log_rates` (N, 3) are without factors."""
    ascending = np.sort(log_rates, axis=0)
    needed = np.full(len(KINDS), np.log(LEAST_FACTOR))
    for word, budget in budgets.items():
        limit = np.log(getattr(tier, word))
        first = ascending[budget.allowed, np.arange(len(KINDS))]  # the strongest text that must not cross
        least = limit - first + STEP
        if not budget.proven:
            least = np.where(first > limit, 0.0, least)
        needed = np.maximum(needed, least)
    factors: Floats = np.array([float(f"{value:.6g}") for value in np.exp(needed)])
    return factors


def _called(log_rates: Floats, tier: TierDecision, word: str) -> int:
    """Return how many texts get the verdict `word` or a worse one, from their log rates (N, 3) without factors."""
    limit = np.log(getattr(tier, word))
    return int(((log_rates + np.log(tier.factors)).min(axis=1) <= limit).sum())


def leaves_out_first(detector: Detector, recalibrated: Recalibrated) -> bool:
    """Return whether `write` leaves out the first tier: a factor has fallen, so that the later tiers find more."""
    old, new = detector.decision.tiers, recalibrated.decision.tiers
    fallen = any(bool((one.factors < old[name].factors).any()) for name, one in new.items())
    return detector.bundle.first is not None and fallen


def write(detector: Detector, recalibrated: Recalibrated, output: Path, *, version: str) -> None:
    """Write the model with its new decision as a bundle.

    The first tier settles what the old thresholds would not find. If the new ones find more, it is left out.
    """
    base = detector.bundle
    manifest: dict[str, Any] = {key: value for key, value in base.manifest.items() if key not in bundle.WRITTEN}
    decision, first = recalibrated.decision, base.first
    if leaves_out_first(detector, recalibrated):
        decision, first = decision.without("first"), None
    manifest["decision"] = decision.to_manifest()
    if base.deep is not None:
        # Ask the deep tier about every suspect text, so that the target holds for both tiers together.
        suspect = recalibrated.decision.tiers["fast"].suspect
        manifest["doubt"] = {kind: max(float(rate), suspect) for kind, rate in manifest["doubt"].items()}
    manifest["version"] = version
    manifest["calibrated_from"] = base.info.to_dict()
    manifest.pop("allowed", None)
    if detector.allowed is not None:
        manifest["allowed"] = detector.allowed.to_manifest()
    manifest["calibration"] = [asdict(check) for check in recalibrated.checks]
    extra = bundle.read_extra(base, "reference")
    parts = base.tables, base.tagger, base.classifier, base.seen, base.deep
    bundle.save(output, manifest, *parts, first=first, extra=extra)
    write_card(output)

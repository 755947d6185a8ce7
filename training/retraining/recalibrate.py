"""Sets a model's decision by a user's own trusted human text: `unspun calibrate`.

Each tier has two thresholds, which keep their meaning, and for each kind a factor on the kind's rate, which is what is
set here: one for all lengths, since few users have enough texts to set each length by itself.

The guarantee needs no model of the text. In n texts drawn like those to come, the share of new texts that show evidence
of a kind beyond the (c + 1)-th strongest text has a Beta distribution; what lies beyond such a text of one kind or
another is a union of Tukey's statistically equivalent blocks (Annals of Mathematical Statistics 18, 1947), whose share
is Beta(m, n + 1 - m) for m blocks. This is the split-conformal bound, for three kinds at once.
"""

from __future__ import annotations

import json
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
from unspun.training.reporting.card import CARD, render_card

Floats = NDArray[np.float64]

SUSPECT_FACTOR = 6.0
"""How many times the share of human texts may be called suspect or worse, unless it is given: 3 % beside 0.5 %."""
FEWEST = 200
"""Judged texts without which nothing is set."""
CONFIDENCE = 0.95
LEAST_FACTOR = 0.1
"""Factors are not set below: a kind's evidence that one human text in ten shows must not come to accuse."""
CHUNK = 16
"""Texts measured at a time."""
STEP = 1e-5
"""How far, as a logarithm, a threshold is kept from the text that it is set by; more than a rounded factor is off."""

WORDS = ("paraphrased", "suspect")


class CalibrationError(ValueError):
    """The texts will not do; the message says what to do, in one line."""


@dataclass(frozen=True, eq=False)
class Measured:
    """What the tiers say about N trusted texts.

    `evidence` (N, 3) by tier: NaN where a tier says nothing about a text. `words`, `unfamiliar` and `judged` (N,).
    """

    evidence: Mapping[str, Floats]
    words: NDArray[np.int64]
    unfamiliar: Floats
    judged: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.words)

    def rows(self, tier: str) -> NDArray[np.bool_]:
        """Return which texts (N,) a tier gives a verdict on."""
        said: NDArray[np.bool_] = self.judged & ~np.isnan(self.evidence[tier]).any(axis=1)
        return said


@dataclass(frozen=True, slots=True)
class Check:
    """How many trusted texts a tier calls `word`, or worse, before and after.

    Of `texts` that the tier judged. `at_most` is the share of new texts like these that is called so, with 95 %
    confidence. `enough`: were the texts enough to prove the target?
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
    """The decision with its new factors, and what it is worth."""

    decision: Decision
    checks: tuple[Check, ...]


def measure(detector: Detector, texts: Sequence[str], *, track: Callable[[range], Iterable[int]] = iter) -> Measured:
    """Return what every tier of a model says about texts. `track` is given the places of the chunks, for progress."""
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
    return Measured(evidence, np.array(words, np.int64), np.array(unfamiliar, np.float64), np.array(judged, bool))


def recalibrate(decision: Decision, sample: Measured, targets: Mapping[str, float]) -> Recalibrated:
    """Return the decision at which at most the target share of trusted texts is called so, by word.

    Each kind may spend its share of the target. Where the texts prove the target, every kind's factor is set to what
    they prove. Where they are too few for that, a factor is above 1 if more than the target would be called so, else 1.
    Earlier factors are forgotten. Raises CalibrationError.
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
    """How many of n texts each kind may call so, `allowed` (3,), and the share of new texts that then is `at_most`."""

    allowed: NDArray[np.int64]
    at_most: float
    proven: bool

    @classmethod
    def of(cls, texts: int, target: float, shares: Floats) -> Budget:
        """Return the largest budget that proves the target; where none does, that which keeps it on the texts."""
        totals = np.arange(int(target * texts + 1e-9) + 1)
        allowed = np.floor(np.outer(totals, shares / shares.sum()) + 1e-9).astype(np.int64)
        at_most = np.array([bound(texts, int(blocks)) for blocks in allowed.sum(axis=1) + len(shares)])
        proven = np.flatnonzero(at_most <= target)
        chosen = int(proven[-1]) if len(proven) else -1
        return cls(allowed[chosen], float(at_most[chosen]), bool(len(proven)))


def bound(texts: int, blocks: int) -> float:
    """Return the share of new texts that, with 95 % confidence, at most falls into so many blocks of `texts`."""
    return float(betaincinv(blocks, texts + 1 - blocks, CONFIDENCE)) if blocks <= texts else 1.0


def texts_needed(target: float) -> int:
    """Return how many texts, none of them called so, prove a target."""
    low, high = len(KINDS), len(KINDS)
    while bound(high, len(KINDS)) > target:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if bound(middle, len(KINDS)) > target else (low, middle)
    return high


def _factors(log_rates: Floats, tier: TierDecision, budgets: Mapping[str, Budget]) -> Floats:
    """Return the factors (3,) at which no kind spends more than its budget; `log_rates` (N, 3) are without any."""
    ascending = np.sort(log_rates, axis=0)
    needed = np.full(len(KINDS), np.log(LEAST_FACTOR))
    for word, budget in budgets.items():
        limit = np.log(tier.paraphrased if word == "paraphrased" else tier.suspect)
        first = ascending[budget.allowed, np.arange(len(KINDS))]  # the strongest text that must not be called so
        least = limit - first + STEP
        if not budget.proven:
            least = np.where(first > limit, 0.0, least)
        needed = np.maximum(needed, least)
    factors: Floats = np.array([float(f"{value:.6g}") for value in np.exp(needed)])
    return factors


def _called(log_rates: Floats, tier: TierDecision, word: str) -> int:
    """Return how many texts a tier calls `word` or worse, by their log rates (N, 3) without factors."""
    limit = np.log(tier.paraphrased if word == "paraphrased" else tier.suspect)
    return int(((log_rates + np.log(tier.factors)).min(axis=1) <= limit).sum())


def write(detector: Detector, recalibrated: Recalibrated, output: Path, *, version: str) -> None:
    """Write the model with its new decision."""
    base = detector.bundle
    manifest: dict[str, Any] = {key: value for key, value in base.manifest.items() if key not in bundle.WRITTEN}
    manifest["decision"] = recalibrated.decision.to_manifest()
    if base.deep is not None:
        # Below the threshold of suspect the deep tier decides: the target holds for both tiers together.
        suspect = recalibrated.decision.tiers["fast"].suspect
        manifest["doubt"] = {kind: max(float(rate), suspect) for kind, rate in manifest["doubt"].items()}
    manifest["version"] = version
    manifest["calibrated_from"] = base.info.to_dict()
    manifest["calibration"] = [asdict(check) for check in recalibrated.checks]
    extra = bundle.read_extra(base, "reference")
    bundle.save(output, manifest, base.tables, base.tagger, base.classifier, base.seen, base.deep, extra=extra)
    written = json.loads((output / bundle.MANIFEST).read_text("utf-8"))
    (output / CARD).write_text(render_card(written), "utf-8")

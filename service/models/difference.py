"""Verdicts of two models on the same texts: which ones differ, and whether the evidence or the decision differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from unspun.model.decision.decision import Decision, TierDecision
from unspun.model.detector import Detector
from unspun.model.verdict import KINDS, Evidence, ModelInfo, Verdict
from unspun.reading.reader import Failure, Record
from unspun.service.batch.scoring import Scored, batches, score_batch
from unspun.service.render.summary import summary as summary_of_verdict

Cause = Literal["evidence", "decision", "evidence or decision", "evidence and decision", "tier", "kind", "abstention"]
"""What changed a verdict: the evidence alone, the decision alone, either of them, or only both together; `tier` if
another tier decided, `kind` if only the kind differs, `abstention` if one of the models gives no verdict."""
Called = tuple[str, str | None]
"""The word and the kind of a verdict."""
LENGTHS = (100, 300, 1000, 5000)
"""Lengths of text, in words, for which a decision is summarised."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Basis:
    """What a verdict is based on: the evidence (1, 3) of the tier that decided, and how that tier decides."""

    tier: TierDecision
    evidence: Floats
    words: NDArray[np.int64]
    unfamiliar: Floats

    @classmethod
    def of(cls, detector: Detector, text: str, verdict: Verdict) -> Basis:
        """Measure a text again; `verdict` is the one that the detector gave it."""
        found = detector.measure([text], depth=verdict.depth)
        evidence = found.deep if verdict.depth == "deep" and found.deep is not None else found.fast
        return cls(detector.decision.tiers[verdict.depth], evidence, found.words, found.unfamiliar)

    def word(self, tier: TierDecision) -> str:
        """Return the verdict that a tier of this or another model reaches on the evidence."""
        return tier.word(float(tier.log_rates(self.evidence, self.words, self.unfamiliar).min()))


@dataclass(frozen=True, slots=True)
class Difference:
    """A text whose verdict differs.

    `came` is the evidence that only the later model found, and `went` that of the earlier model, the heaviest first.
    """

    before: Verdict
    after: Verdict
    cause: Cause
    came: tuple[Evidence, ...]
    went: tuple[Evidence, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the difference as plain JSON types."""
        return {
            "id": self.before.id,
            "cause": self.cause,
            "before": summary_of_verdict(self.before)["verdict"],
            "after": summary_of_verdict(self.after)["verdict"],
            "came": [evidence.to_dict() for evidence in self.came],
            "went": [evidence.to_dict() for evidence in self.went],
        }


@dataclass
class Totals:
    """Counts of texts whose verdict differs, by both verdicts and the cause, and of failures."""

    before: ModelInfo
    after: ModelInfo
    decisions: tuple[Decision, Decision]
    documents: int = 0
    failures: int = 0
    changes: Counter[tuple[Called, Called]] = field(default_factory=Counter)
    causes: Counter[tuple[Called, Called, Cause]] = field(default_factory=Counter)
    words_before: Counter[str] = field(default_factory=Counter)
    words_after: Counter[str] = field(default_factory=Counter)

    @property
    def changed(self) -> int:
        """Number of texts whose verdict differs."""
        return self.changes.total()

    def add(self, before: Verdict, after: Verdict, difference: Difference | None) -> None:
        """Count a text."""
        self.documents += 1
        self.words_before[before.verdict] += 1
        self.words_after[after.verdict] += 1
        if difference is not None:
            change = (called(before), called(after))
            self.changes[change] += 1
            self.causes[*change, difference.cause] += 1

    def rows(self) -> Iterator[tuple[Called, Called, int, dict[str, int]]]:
        """Yield each change, the most frequent first: both verdicts, the number of texts, and the number by cause."""
        for (was, became), count in sorted(self.changes.items(), key=lambda item: (-item[1], str(item[0]))):
            causes = {cause: n for (a, b, cause), n in self.causes.items() if (a, b) == (was, became)}
            yield was, became, count, dict(sorted(causes.items()))

    def to_dict(self) -> dict[str, Any]:
        """Return the totals as plain JSON types."""
        return {
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
            "decisions": dict(zip(("before", "after"), map(summary, self.decisions), strict=True)),
            "documents": self.documents,
            "changed": self.changed,
            "failures": self.failures,
            "verdicts_before": dict(sorted(self.words_before.items())),
            "verdicts_after": dict(sorted(self.words_after.items())),
            "changes": [
                {
                    "before": {"verdict": was[0], "kind": was[1]},
                    "after": {"verdict": became[0], "kind": became[1]},
                    "documents": count,
                    "causes": causes,
                }
                for was, became, count, causes in self.rows()
            ],
        }


def differences(
    before: Detector, after: Detector, records: Iterable[Record | Failure], totals: Totals, *, depth: str = "auto"
) -> Iterator[tuple[Record, Verdict, Difference | None] | Failure]:
    """Score every record with both models; yield the later verdict and the difference, if any, and failures."""
    for batch in batches(records):
        pairs = zip(*(score_batch(model, batch, depth, "all") for model in (before, after)), strict=True)
        for was, became in pairs:
            failed = was if isinstance(was, Failure) else became
            if isinstance(failed, Failure):
                totals.failures += 1
                yield failed
                continue
            assert isinstance(was, Scored)
            assert isinstance(became, Scored)
            found = difference(was.verdict, became.verdict, _bases(before, after, was, became))
            totals.add(was.verdict, became.verdict, found)
            yield was.record, became.verdict, found


def _bases(before: Detector, after: Detector, was: Scored, became: Scored) -> Callable[[], tuple[Basis, Basis]]:
    """Return a function that measures a text again with both models; it is called for the few texts that differ."""
    text = was.record.text
    return lambda: (Basis.of(before, text, was.verdict), Basis.of(after, text, became.verdict))


def difference(before: Verdict, after: Verdict, bases: Callable[[], tuple[Basis, Basis]]) -> Difference | None:
    """Return how two models' verdicts on a text differ in word or kind, None if they do not.

    `bases` returns what the verdicts are based on; it is called only if the word differs and the same tier decided.
    """
    if called(before) == called(after):
        return None
    went, came = set(before.evidence or ()), set(after.evidence or ())
    places = {_place(evidence) for evidence in went} & {_place(evidence) for evidence in came}
    return Difference(
        before,
        after,
        _cause(before, after, bases),
        _heaviest(evidence for evidence in came if _place(evidence) not in places),
        _heaviest(evidence for evidence in went if _place(evidence) not in places),
    )


def called(verdict: Verdict) -> Called:
    """Return the word and the kind of a verdict."""
    return verdict.verdict, verdict.kind


def _cause(before: Verdict, after: Verdict, bases: Callable[[], tuple[Basis, Basis]]) -> Cause:
    if before.verdict == after.verdict:
        return "kind"
    if "abstained" in (before.verdict, after.verdict):
        return "abstention"
    if before.depth != after.depth:
        return "tier"
    old, new = bases()
    by_evidence = new.word(old.tier) == after.verdict
    by_decision = old.word(new.tier) == after.verdict
    if by_evidence and by_decision:
        return "evidence or decision"
    if by_evidence or by_decision:
        return "evidence" if by_evidence else "decision"
    return "evidence and decision"


def summary(decision: Decision) -> dict[str, Any]:
    """Return the numbers of a decision that can be compared, as plain JSON types.

    For each tier that gives scores: the rates at its thresholds, and for each kind its share of the budget, its factor,
    and, by number of words, the evidence at which a familiar text becomes suspect and paraphrased.
    """
    return {
        "minimum_words": decision.minimum_words,
        "least_familiar": decision.least_familiar,
        "supported": decision.supported,
        "tiers": {name: _summary(tier) for name, tier in decision.without("first").tiers.items()},
    }


def _summary(tier: TierDecision) -> dict[str, Any]:
    limits = {"suspect": tier.suspect, "paraphrased": tier.paraphrased}
    needed = {word: evidence_needed(tier, rate) for word, rate in limits.items()}
    kinds = {
        kind: {
            "share": round(float(tier.shares[k]), 6),
            "factor": float(tier.factors[k]),
            **{
                word: {str(length): round(float(value), 3) for length, value in zip(LENGTHS, at[:, k], strict=True)}
                for word, at in needed.items()
            },
        }
        for k, kind in enumerate(KINDS)
    }
    return {**limits, "kinds": kinds}


def evidence_needed(tier: TierDecision, rate: float) -> Floats:
    """Return the evidence (L, 3) of each kind that gives a familiar text of LENGTHS words a rate, by bisection."""
    words, familiar = np.array(LENGTHS), np.zeros(len(LENGTHS))
    low, high = np.full((len(LENGTHS), len(KINDS)), -1e3), np.full((len(LENGTHS), len(KINDS)), 1e3)
    for _ in range(50):
        middle = (low + high) / 2
        weaker = tier.log_rates(middle, words, familiar) > np.log(rate)
        low, high = np.where(weaker, middle, low), np.where(weaker, high, middle)
    return high


def _place(evidence: Evidence) -> tuple[int, int]:
    return evidence.start, evidence.end


def _heaviest(found: Iterable[Evidence]) -> tuple[Evidence, ...]:
    return tuple(sorted(found, key=lambda evidence: (-evidence.weight, evidence.start, evidence.end)))

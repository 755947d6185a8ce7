"""What two models say of the same texts: which verdicts change, and whether the score or the threshold changed them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from model.detector import Detector
from model.verdict import Band, Evidence, ModelInfo, Thresholds, Verdict
from service.readers import Failure, Record
from service.scoring import Scored, batches, score_batch

Cause = Literal["score", "threshold", "score or threshold", "score and threshold", "kind", "abstention"]
"""What changed a verdict: the score alone, the thresholds alone, either of them alone would have, or only both
together; `kind` where the word is the same, `abstention` where one of the models does not judge."""
Called = tuple[str, str | None]
"""A verdict's word and kind."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A text of which the models differ. `came` and `went` are the evidence of one model only, heaviest first.

    The bands are those of the text's length, of the tier that decided.
    """

    before: Verdict
    after: Verdict
    cause: Cause
    band_before: Band
    band_after: Band
    came: tuple[Evidence, ...]
    went: tuple[Evidence, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        return {
            "id": self.before.id,
            "cause": self.cause,
            "before": _said(self.before, self.band_before),
            "after": _said(self.after, self.band_after),
            "came": [evidence.to_dict() for evidence in self.came],
            "went": [evidence.to_dict() for evidence in self.went],
        }


@dataclass
class Totals:
    """How many texts changed, by what they were called and what changed them; how many could not be read or scored."""

    before: ModelInfo
    after: ModelInfo
    documents: int = 0
    failures: int = 0
    changes: Counter[tuple[Called, Called]] = field(default_factory=Counter)
    causes: Counter[tuple[Called, Called, Cause]] = field(default_factory=Counter)
    words_before: Counter[str] = field(default_factory=Counter)
    words_after: Counter[str] = field(default_factory=Counter)

    @property
    def changed(self) -> int:
        """Texts that are called otherwise."""
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
        """Yield each change, most frequent first: from what, to what, how often, and how often by which cause."""
        for (was, became), count in sorted(self.changes.items(), key=lambda item: (-item[1], str(item[0]))):
            causes = {cause: n for (a, b, cause), n in self.causes.items() if (a, b) == (was, became)}
            yield was, became, count, dict(sorted(causes.items()))

    def to_dict(self) -> dict[str, Any]:
        """Return them as plain JSON types."""
        return {
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
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
    """Score every record with both models; yield the later verdict and what differs, if anything, and failures."""
    limits_before, limits_after = limits(before.bundle.manifest), limits(after.bundle.manifest)
    for batch in batches(records):
        if isinstance(batch, Failure):
            totals.failures += 1
            yield batch
            continue
        pairs = zip(*(score_batch(model, batch, depth, True) for model in (before, after)), strict=True)
        for was, became in pairs:
            failed = was if isinstance(was, Failure) else became
            if isinstance(failed, Failure):
                totals.failures += 1
                yield failed
                continue
            assert isinstance(was, Scored)
            assert isinstance(became, Scored)
            found = difference(was.verdict, became.verdict, limits_before, limits_after)
            totals.add(was.verdict, became.verdict, found)
            yield was.record, became.verdict, found


def limits(manifest: Mapping[str, Any]) -> dict[str, Thresholds]:
    """Return the thresholds of each tier of a manifest."""
    found = {"fast": Thresholds.from_manifest(manifest["thresholds"])}
    if "deep" in manifest:
        found["deep"] = Thresholds.from_manifest(manifest["deep"]["thresholds"])
    return found


def difference(
    before: Verdict,
    after: Verdict,
    limits_before: Mapping[str, Thresholds],
    limits_after: Mapping[str, Thresholds],
) -> Difference | None:
    """Return how two models' verdicts on a text differ in word or kind, None where they do not."""
    if called(before) == called(after):
        return None
    old, new = limits_before[before.depth], limits_after[after.depth]
    went, came = set(before.evidence or ()), set(after.evidence or ())
    places = {_place(evidence) for evidence in went} & {_place(evidence) for evidence in came}
    return Difference(
        before,
        after,
        _cause(before, after, old, new),
        old.band(before.words),
        new.band(after.words),
        _heaviest(evidence for evidence in came if _place(evidence) not in places),
        _heaviest(evidence for evidence in went if _place(evidence) not in places),
    )


def called(verdict: Verdict) -> Called:
    """Return what a verdict says."""
    return verdict.verdict, verdict.kind


def _cause(before: Verdict, after: Verdict, old: Thresholds, new: Thresholds) -> Cause:
    if before.verdict == after.verdict:
        return "kind"
    if "abstained" in (before.verdict, after.verdict):
        return "abstention"
    by_score = old.word(after.score, after.words) == after.verdict
    by_threshold = new.word(before.score, before.words) == after.verdict
    if by_score and by_threshold:
        return "score or threshold"
    if by_score or by_threshold:
        return "score" if by_score else "threshold"
    return "score and threshold"


def _said(verdict: Verdict, band: Band) -> dict[str, Any]:
    return {
        "score": verdict.score,
        "verdict": verdict.verdict,
        "kind": verdict.kind,
        "reason": verdict.reason,
        "words": verdict.words,
        "depth": verdict.depth,
        "thresholds": {"suspect": band.suspect, "paraphrased": band.paraphrased},
        "model": verdict.model.to_dict(),
    }


def _place(evidence: Evidence) -> tuple[int, int]:
    return evidence.start, evidence.end


def _heaviest(found: Iterable[Evidence]) -> tuple[Evidence, ...]:
    return tuple(sorted(found, key=lambda evidence: (-evidence.weight, evidence.start, evidence.end)))

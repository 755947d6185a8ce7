"""Scores a stream of documents in batches, so that one bad document costs nobody else their verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from unspun.model.verdict import Verdict
from unspun.reading.reader import Failure, Record
from unspun.service.console import is_bundle_error

BATCH_DOCUMENTS = 64
BATCH_CHARACTERS = 1_000_000
"""A batch is closed at either: large enough to keep the arrays busy, small enough to bound memory."""
WARM_UP = (
    "The mayor of the town told reporters that the new bridge would be open to all before the end of the year. " * 4
)
"""A text that every tier judges: to load what is loaded late, and to see whether a model can score at all."""


class Scorer(Protocol):
    """What the surfaces need of a `model.detector.Detector`."""

    def score_many(
        self,
        texts: Sequence[str],
        *,
        ids: Sequence[str | None] | None = None,
        depth: str = "auto",
        evidence: bool = True,
        base_rate: float | None = None,
    ) -> list[Verdict]:
        """Return a verdict for each text, in order; with a base rate, each with its probability."""
        ...


class ScorerLoader(Protocol):
    """Loads a model; None is the one that ships. Raises model.bundle.BundleError."""

    def __call__(self, bundle: Path | None) -> Scorer:
        """Return the model."""
        ...


@dataclass(frozen=True, slots=True)
class Scored:
    """A document and what the model says of it."""

    record: Record
    verdict: Verdict


@dataclass
class Tally:
    """What a run has done so far."""

    verdicts: Counter[str] = field(default_factory=Counter)
    words: int = 0
    failures: int = 0

    def add(self, outcome: Scored | Failure) -> None:
        """Count one document."""
        if isinstance(outcome, Failure):
            self.failures += 1
        else:
            self.verdicts[outcome.verdict.verdict] += 1
            self.words += outcome.verdict.words

    @property
    def documents(self) -> int:
        """Documents that got a verdict."""
        return self.verdicts.total()


def supported_by(scorer: Any) -> float:
    """Return the smallest false-positive rate that a model's calibration supports; 0 if it does not say."""
    return float(getattr(getattr(scorer, "decision", None), "supported", 0.0))


def score_records(
    scorer: Scorer,
    records: Iterable[Record | Failure],
    *,
    depth: str = "auto",
    evidence: bool = True,
    base_rate: float | None = None,
) -> Iterator[Scored | Failure]:
    """Yield the verdict of every record, in order, and failures where they come.

    A batch that fails is scored again document by document, and only those that fail alone are given up.
    """
    for batch in batches(records):
        if isinstance(batch, Failure):
            yield batch
        else:
            yield from score_batch(scorer, batch, depth, evidence, base_rate)


def batches(records: Iterable[Record | Failure]) -> Iterator[list[Record] | Failure]:
    """Group records into batches of bounded size; failures pass through at once."""
    batch: list[Record] = []
    characters = 0
    for record in records:
        if isinstance(record, Failure):
            yield record
            continue
        if batch and (len(batch) == BATCH_DOCUMENTS or characters + len(record.text) > BATCH_CHARACTERS):
            yield batch
            batch, characters = [], 0
        batch.append(record)
        characters += len(record.text)
    if batch:
        yield batch


def score_batch(
    scorer: Scorer, batch: list[Record], depth: str, evidence: bool, base_rate: float | None = None
) -> Iterator[Scored | Failure]:
    """Yield the verdicts of a batch; where it fails as a whole, document by document."""
    try:
        verdicts = scorer.score_many(
            [record.text for record in batch],
            ids=[record.id for record in batch],
            depth=depth,
            evidence=evidence,
            base_rate=base_rate,
        )
        outcomes = [Scored(record, verdict) for record, verdict in zip(batch, verdicts, strict=True)]
    except Exception as error:
        if is_bundle_error(error):  # wrong for every document alike
            raise
        if len(batch) == 1:
            yield Failure(batch[0].where, _explain(batch[0], error))
            return
        for record in batch:
            yield from score_batch(scorer, [record], depth, evidence, base_rate)
    else:
        yield from outcomes


def _explain(record: Record, error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "needs more memory than there is"
    name = "" if record.id == record.where else f" (id {record.id})"
    return f"could not be scored{name}: {type(error).__name__}: {error}; please report this"

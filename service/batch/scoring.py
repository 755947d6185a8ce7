"""Scores documents in batches. Only this module groups texts and handles batches that fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

from unspun.model.text.allowed import Allowed
from unspun.model.text.document import MAX_CHARACTERS
from unspun.model.verdict import EvidenceChoice, Verdict
from unspun.reading.html import Page
from unspun.reading.jsons import Lines
from unspun.reading.reader import Failure, Record
from unspun.reading.records import NoTextError, Omission, UnreadableError
from unspun.service.console import is_bundle_error

BATCH_DOCUMENTS = 64
BATCH_CHARACTERS = 1_000_000
BATCH_ITEMS = 1_000
"""A batch ends when it reaches any of these limits, which balance speed and memory.
Items are documents and failures.
"""
WARM_UP = (
    "The mayor of the town told reporters that the new bridge would be open to all before the end of the year. " * 4
)
"""A text that is long enough for every tier. Scoring it loads the whole model and shows whether the model works."""


class HasText(Protocol):
    """A record or a submission."""

    @property
    def text(self) -> str:
        """The text to score."""
        ...


Item = TypeVar("Item", bound=HasText)
Answer = TypeVar("Answer")


class Scorer(Protocol):
    """The method of a `model.detector.Detector` that commands and service use."""

    def score_many(
        self,
        texts: Sequence[str],
        *,
        ids: Sequence[str | None] | None = None,
        depth: str = "auto",
        evidence: EvidenceChoice = True,
        base_rate: float | None = None,
    ) -> list[Verdict]:
        """Return a verdict for each text, in order; with a base rate, each with its probability."""
        ...


ScorerLoader = Callable[[Path | None], Scorer]
"""Loads a model, None for the one that ships. Raises model.bundle.BundleError."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A document and its verdict."""

    record: Record
    verdict: Verdict


class Written(NamedTuple):
    """A scored document whose output a worker has already written: a line, and what is counted or reported of it.

    `where` is as in Record, and `notice` as `notice` returns it for the document.
    """

    id: str
    where: str
    line: str
    verdict: str
    words: int
    reason: str | None
    notice: str | None


Outcome = Scored | Written | Failure
"""What a document comes to."""


@dataclass
class Tally:
    """Counts the documents that a run has processed so far."""

    verdicts: Counter[str] = field(default_factory=Counter)
    words: int = 0
    failures: int = 0

    def add(self, outcome: Outcome) -> None:
        """Count one document; what was skipped is not counted here."""
        if isinstance(outcome, Failure):
            self.failures += not isinstance(outcome, Omission)
            return
        of = outcome if isinstance(outcome, Written) else outcome.verdict
        self.verdicts[of.verdict] += 1
        self.words += of.words

    @property
    def documents(self) -> int:
        """Documents that got a verdict."""
        return self.verdicts.total()


def notice(outcome: Outcome) -> str | None:
    """Return what to report about an outcome: a failure, or that a text was too long to be judged as a whole."""
    if isinstance(outcome, Failure):
        return None if isinstance(outcome, Omission) else str(outcome)
    if isinstance(outcome, Written):
        return outcome.notice
    if len(outcome.record.text) > MAX_CHARACTERS:
        return f"{outcome.record.where}: only the first {MAX_CHARACTERS:,} characters were judged"
    return None


def supported_by(scorer: Any) -> float:
    """Return the smallest false-positive rate that a model's calibration supports; 0 if it does not say."""
    return float(getattr(getattr(scorer, "decision", None), "supported", 0.0))


def has_depth(scorer: Scorer, depth: str) -> bool:
    """Return whether a model can score at a depth, which it cannot if it lacks the tier."""
    from unspun.model.detector import MissingTierError

    try:
        scorer.score_many([], depth=depth, evidence=False)
    except MissingTierError:
        return False
    return True


def allowing(scorer: Any, allowed: Allowed | None) -> Any:
    """Return a scorer that takes no notice of these terms, None if there are none."""
    return scorer if allowed is None else scorer.allowing(allowed)


def score_records(
    scorer: Scorer,
    records: Iterable[Record | Failure],
    *,
    depth: str = "auto",
    evidence: EvidenceChoice = True,
    base_rate: float | None = None,
) -> Iterator[Scored | Failure]:
    """Yield the verdict of every record, in order, and failures in their places."""
    for batch in batches(records):
        yield from score_batch(scorer, batch, depth, evidence, base_rate)


def batches(
    items: Iterable[Item | Failure], documents: int = BATCH_DOCUMENTS, characters: int = BATCH_CHARACTERS
) -> Iterator[list[Item | Failure]]:
    """Group texts into batches of at most so many documents and characters, with failures in their places."""
    batch: list[Item | Failure] = []
    count = size = 0
    for item in items:
        length = 0 if isinstance(item, Failure) else len(item.text)
        if batch and (count >= documents or size + length > characters or len(batch) == BATCH_ITEMS):
            yield batch
            batch, count, size = [], 0, 0
        batch.append(item)
        # Lines are many documents, and so a batch of their own.
        count += 0 if isinstance(item, Failure) else documents if isinstance(item.text, Lines) else 1
        size += length
    if batch:
        yield batch


def score_or_split(
    score: Callable[[list[Item]], Iterable[Answer]], batch: list[Item], failed: Callable[[Item, Exception], Answer]
) -> Iterator[Answer]:
    """Yield the outcomes of a batch, in order.

    If scoring the batch fails, its items are scored one by one, so that a bad document does not affect the others.
    `failed` returns the outcome of an item that fails on its own, or raises.
    """
    try:
        outcomes = list(score(batch))
    except Exception as error:
        if len(batch) == 1:
            yield failed(batch[0], error)
            return
        for item in batch:
            yield from score_or_split(score, [item], failed)
    else:
        yield from outcomes


def score_batch(
    scorer: Scorer,
    batch: Sequence[Record | Failure],
    depth: str,
    evidence: EvidenceChoice,
    base_rate: float | None = None,
) -> Iterator[Scored | Failure]:
    """Yield the verdicts of a batch, and failures in their places. Pages are reduced to their articles."""

    def score(records: list[Record]) -> list[Scored | Failure]:
        verdicts = scorer.score_many(
            [record.text for record in records],
            ids=[record.id for record in records],
            depth=depth,
            evidence=evidence,
            base_rate=base_rate,
        )
        return [
            Scored(record, verdict.with_repairs(record.repairs))
            for record, verdict in zip(records, verdicts, strict=True)
        ]

    items = [_with_article(item) for item in batch]
    records = [item for item in items if isinstance(item, Record)]
    outcomes = score_or_split(score, records, unexpected_failure) if records else iter(())
    for item in items:
        yield item if isinstance(item, Failure) else next(outcomes)


def _with_article(item: Record | Failure) -> Record | Failure:
    """Return a record whose text is the article of its page, if it was a page."""
    if isinstance(item, Failure) or not isinstance(item.text, Page):
        return item
    try:
        article = item.text.article()
    except NoTextError as error:  # in archives of crawls, where many pages consist of scripts, this is no failure
        return (Omission if item.line else Failure)(item.where, str(error))
    except UnreadableError as error:
        return Failure(item.where, str(error))
    except Exception as error:
        return unexpected_failure(item, error, "read")
    return replace(item, text=article.text, repairs=article.repairs)


def unexpected_failure(record: Record, error: Exception, done: str = "scored") -> Failure:
    """Return the failure of a document, which could not be `done`. Raises `error` if it is the model's."""
    if is_bundle_error(error):  # the model is broken for every document
        raise error
    if isinstance(error, MemoryError):
        return Failure(record.where, "needs more memory than is available")
    name = "" if record.id == record.where else f" (id {record.id})"
    return Failure(record.where, f"could not be {done}{name}: {type(error).__name__}: {error}; please report this")

"""Accuracy, measured with people's labels: precision, recall and false-positive rate, each with its interval."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from unspun.model.verdict import JUDGEMENTS, KINDS
from unspun.service.feedback.labels import Label
from unspun.service.feedback.store import Contradiction, contradictions
from unspun.training.reporting.metrics import wilson_interval

Level = Literal["suspect", "paraphrased"]
"""The lowest verdict that counts as found."""
FOUND: dict[Level, tuple[str, ...]] = {"suspect": ("suspect", "paraphrased"), "paraphrased": ("paraphrased",)}
NO_SOURCE = "(no source)"


@dataclass(frozen=True, slots=True)
class Share:
    """A share of texts, with its 95 % Wilson interval. Both are None if `whole` is 0."""

    part: int
    whole: int

    @property
    def value(self) -> float | None:
        """The share, between 0 and 1."""
        return self.part / self.whole if self.whole else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The lower and upper end of the interval."""
        return wilson_interval(self.part, self.whole) if self.whole else None

    def to_dict(self) -> dict[str, Any]:
        """Return the share as plain JSON types."""
        numbers = (self.value, *(self.interval or (None, None)))
        value, low, high = (None if number is None else round(number, 6) for number in numbers)
        return {"value": value, "low": low, "high": high, "part": self.part, "whole": self.whole}


@dataclass(frozen=True, slots=True)
class AuditRow:
    """Accuracy for one signal, kind, source or model.

    `precision` is a share of the texts found, `recall` of those that should be found, and `false_positive_rate` of the
    texts labelled human. `texts` is the number of texts behind the figures.
    """

    name: str
    texts: int
    precision: Share
    recall: Share
    false_positive_rate: Share

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain JSON types."""
        return {
            "name": self.name,
            "texts": self.texts,
            **{name: getattr(self, name).to_dict() for name in ("precision", "recall", "false_positive_rate")},
        }


@dataclass(frozen=True)
class Audit:
    """The accuracy, measured with all labels in a database.

    A text counts once, with its latest label, and once per model in `models`. Texts with contradicting labels are left
    out. Texts that the model abstained from are not errors; they count only as `abstained`.
    """

    level: Level
    labels: int
    texts: int
    abstained: int
    words: dict[str, int]
    overall: list[AuditRow]
    signals: list[AuditRow]
    kinds: list[AuditRow]
    sources: list[AuditRow]
    models: list[AuditRow]
    contradicting: list[Contradiction]

    def to_dict(self) -> dict[str, Any]:
        """Return the audit as plain JSON types."""
        tables = ("overall", "signals", "kinds", "sources", "models")
        return {
            "level": self.level,
            "labels": self.labels,
            "texts": self.texts,
            "abstained": self.abstained,
            "words": dict(self.words),
            **{name: [row.to_dict() for row in getattr(self, name)] for name in tables},
            "contradicting": [
                {
                    "digest": one.digest,
                    "labels": [{"id": label.id, "label": label.label, "source": label.source} for label in one.labels],
                }
                for one in self.contradicting
            ],
        }


def audit(labels: Iterable[Label], level: Level = "suspect") -> Audit:
    """Measure the accuracy of the verdicts stored with the labels, which come earliest first."""
    every = list(labels)
    disputed = contradictions(every)
    left_out = {one.digest for one in disputed}
    agreed = [label for label in every if label.digest not in left_out]
    latest = list({label.digest: label for label in agreed}.values())
    judged = [label for label in latest if label.verdict.verdict != "abstained"]
    of_model = _grouped({(label.digest, label.verdict.model.sha256): label for label in agreed}.values(), _model)
    return Audit(
        level=level,
        labels=len(every),
        texts=len({label.digest for label in every}),
        abstained=len(latest) - len(judged),
        words={word: sum(label.label == word for label in judged) for word in JUDGEMENTS},
        overall=[
            _row("paraphrased", judged, lambda label: _found(label, "paraphrased"), _machine),
            _row("paraphrased or suspect", judged, lambda label: _found(label, "suspect"), _machine),
        ],
        signals=[
            _row(name, judged, lambda label, name=name: _fired(label, name), _machine)  # type: ignore[misc]
            for name in sorted({signal.signal for label in judged for signal in label.signals})
        ],
        kinds=[_kind(kind, judged, level) for kind in KINDS],
        sources=_rows(_grouped(judged, lambda label: label.source or NO_SOURCE), level),
        models=_rows(of_model, level),
        contradicting=disputed,
    )


def _rows(groups: dict[str, list[Label]], level: Level) -> list[AuditRow]:
    """Return one row per group, the largest group first."""
    rows = []
    for name, group in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
        judged = [label for label in group if label.verdict.verdict != "abstained"]
        rows.append(_row(name, judged, lambda label: _found(label, level), _machine))
    return rows


def _row(
    name: str, labels: Sequence[Label], found: Callable[[Label], bool], wanted: Callable[[Label], bool]
) -> AuditRow:
    hits = sum(found(label) and wanted(label) for label in labels)
    human = [label for label in labels if label.label == "human"]
    return AuditRow(
        name,
        len(labels),
        Share(hits, sum(map(found, labels))),
        Share(hits, sum(map(wanted, labels))),
        Share(sum(map(found, human)), len(human)),
    )


def _kind(kind: str, labels: Sequence[Label], level: Level) -> AuditRow:
    """Return how well a kind is distinguished from the other kinds and from human text."""
    return _row(
        kind,
        labels,
        lambda label: _found(label, level) and label.verdict.kind == kind,
        lambda label: label.label == kind,
    )


def _grouped(labels: Iterable[Label], key: Callable[[Label], str]) -> dict[str, list[Label]]:
    groups: dict[str, list[Label]] = defaultdict(list)
    for label in labels:
        groups[key(label)].append(label)
    return groups


def _machine(label: Label) -> bool:
    return label.label != "human"


def _found(label: Label, level: Level) -> bool:
    return label.verdict.verdict in FOUND[level]


def _fired(label: Label, name: str) -> bool:
    return any(signal.signal == name and signal.count > 0 for signal in label.signals)


def _model(label: Label) -> str:
    model = label.verdict.model
    return f"{model.name} {model.version} ({model.sha256[:12]})"

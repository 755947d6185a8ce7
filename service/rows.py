"""Scores rows of texts for engines that bring their own workers: Spark, Ray, Hugging Face datasets and datatrove."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from unspun.model.bundle import BundleError
from unspun.model.detector import Detector
from unspun.model.text.allowed import Allowed
from unspun.model.verdict import EvidenceChoice, Verdict
from unspun.reading.fields import FieldError, Fields, for_programs
from unspun.service.batch.scoring import allowing
from unspun.service.render.columns import VerdictColumn, cells, columns

PREFIX = "unspun_"
"""Where the columns of a verdict stand beside those of the text, their names begin with this."""
MISSING: dict[type, str | int | float | bool] = {str: "", int: 0, float: math.nan, bool: False}
"""What stands for null in engines that take the type of a column from its first values."""


@dataclass(frozen=True, slots=True)
class RowScorer:
    """How rows are scored: the arguments of `Detector.score_many`, the bundle, and terms that are never evidence.

    If `sha256` is given, a process with another model refuses to score.
    """

    depth: str = "auto"
    evidence: EvidenceChoice = True
    bundle: str | None = None
    base_rate: float | None = None
    sha256: str | None = None
    allowed: Allowed | None = None

    def score(self, texts: Sequence[Any], ids: Sequence[Any]) -> list[Verdict | None]:
        """Return the verdict on each row, in order; None for a row whose text is no string, such as null."""
        asked = [row for row, text in enumerate(texts) if isinstance(text, str)]
        found = allowing(loaded(self.bundle, self.sha256), self.allowed).score_many(
            [texts[row] for row in asked],
            ids=[name_of(ids[row]) for row in asked],
            depth=self.depth,
            evidence=self.evidence,
            base_rate=self.base_rate,
        )
        verdicts: list[Verdict | None] = [None] * len(texts)
        for row, verdict in zip(asked, found, strict=True):
            verdicts[row] = verdict
        return verdicts


def loaded(bundle: str | None, sha256: str | None = None) -> Detector:
    """Return the model, which each process loads once. Raises BundleError, also if it is not the one with this hash."""
    # A process that was forked loads its own: the sessions of onnxruntime do not survive a fork.
    detector = _loaded(bundle, os.getpid())
    if sha256 is not None and detector.model.sha256 != sha256:
        raise BundleError(
            f"{bundle or 'the model that ships'}: this worker does not have the model that the run began with; "
            "give all workers the same version of unspun and the same bundle"
        )
    return detector


@lru_cache(maxsize=1)
def _loaded(bundle: str | None, process: int) -> Detector:
    return Detector.load(bundle)


def places(names: Iterable[Any], text_field: str | None, id_field: str | None) -> dict[str, int]:
    """Return the places of the columns "text" and, if there is one, "id". Raises KeyError if there is no text."""
    try:
        return Fields(text_field, id_field).columns([str(name) for name in names])
    except FieldError as error:
        raise KeyError(for_programs(error)) from None


def name_of(value: Any) -> str | None:
    """Return an id as a string, None if it is null or empty."""
    return None if value is None or value == "" else str(value)


def row_columns(record: type[Verdict] = Verdict) -> dict[str, type]:
    """Return the names and types of the columns of an answer: those of the CSV, and `json`, the whole verdict."""
    return {column.name: _type(column) for column in columns(record)} | {"json": str}


def row_values(verdict: Verdict) -> dict[str, Any]:
    """Return the value of each column of an answer."""
    return {**cells(verdict), "json": verdict.to_json()}


def without_nulls(values: dict[str, Any]) -> dict[str, Any]:
    """Return the value of each column except the id, with MISSING for null, under names that begin with PREFIX."""
    return {
        f"{PREFIX}{name}": MISSING[kind] if values.get(name) is None else values[name]
        for name, kind in row_columns().items()
        if name != "id"
    }


def _type(column: VerdictColumn) -> type:
    return str if column.many else column.of

"""A filter for datatrove, which cleans crawls: `UnspunFilter()` drops the documents that a machine paraphrased."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from unspun.model.detector import DEPTHS
from unspun.model.text.allowed import Allowed
from unspun.model.verdict import KINDS, VERDICTS, EvidenceChoice, Kind, Verdict, VerdictWord
from unspun.reading.records import optional
from unspun.service.rows import PREFIX, RowScorer

with optional("datatrove", "datatrove"):
    from datatrove.pipeline.filters.base_filter import BaseFilter

if TYPE_CHECKING:
    from datatrove.data import Document
    from datatrove.pipeline.writers.disk_base import DiskWriter

DROPPED: tuple[VerdictWord, ...] = ("paraphrased",)
"""The verdicts that are dropped unless others are named."""


class UnspunFilter(BaseFilter):
    """Drops documents by their verdict, and notes the verdict in the metadata of all documents, kept and dropped.

    The metadata gets `unspun_verdict`, `unspun_kind`, `unspun_reason` and `unspun_score`, and `unspun_json`, the whole
    verdict, if `keep_json` is set. There is no null among them, because datatrove's Parquet writer takes the types from
    the first document: a missing score is NaN, and a missing word is empty.

    A dropped document has a reason: its verdict with its kind, such as `paraphrased_spun`, or for `abstained` with why,
    such as `abstained_too_short`. datatrove counts the reasons in its statistics, and notes the reason as
    `filter_reason` in the metadata of what it passes to the exclusion writer.

    Args:
        drop: the verdicts that are dropped; none to note verdicts only.
        kinds: the kinds of paraphrase that are dropped.
        exclusion_writer: a writer of datatrove for the dropped documents.
        batch_size: documents that are scored at a time.
        depth: `first`, `auto`, `fast` or `deep`.
        evidence: whether `unspun_json` has the suspicious words, which take longer to find.
        bundle: the folder of the model, by default the one that ships. Each process loads it once.
        keep_json: whether to note the whole verdict.
        allowed: terms that are never evidence.

    Raises:
        ValueError: if a verdict, a kind or a depth is unknown.
        MissingLibraryError: if datatrove is not installed.
    """

    name = "unspun"

    def __init__(
        self,
        drop: Collection[VerdictWord] = DROPPED,
        *,
        kinds: Collection[Kind] = KINDS,
        exclusion_writer: DiskWriter | None = None,
        batch_size: int = 256,
        depth: str = "auto",
        evidence: EvidenceChoice = False,
        bundle: str | None = None,
        keep_json: bool = False,
        allowed: Allowed | None = None,
    ) -> None:
        super().__init__(exclusion_writer, batch_size)
        self.drop = _known("verdict", drop, VERDICTS)
        self.kinds = _known("kind", kinds, KINDS)
        [depth] = _known("depth", [depth], DEPTHS)
        self.scorer = RowScorer(depth, evidence, bundle, allowed=allowed)
        self.keep_json = keep_json

    def filter(self, doc: Document) -> bool | tuple[bool, str]:
        """Return True for a document to keep, and False with the reason for one to drop."""
        return self.filter_batch([doc])[0]

    def filter_batch(self, batch: list[Document]) -> list[bool | tuple[bool, str]]:
        """Return what to do with each document, and note its verdict in its metadata."""
        verdicts = self.scorer.score([doc.text for doc in batch], [doc.id for doc in batch])
        answers: list[bool | tuple[bool, str]] = []
        for doc, verdict in zip(batch, verdicts, strict=True):
            assert verdict is not None  # every document has a text
            doc.metadata.update(self._noted(verdict))
            answers.append((False, reason(verdict)) if self._is_dropped(verdict) else True)
        return answers

    def _is_dropped(self, verdict: Verdict) -> bool:
        return verdict.verdict in self.drop and (verdict.kind is None or verdict.kind in self.kinds)

    def _noted(self, verdict: Verdict) -> dict[str, Any]:
        values: dict[str, Any] = {
            "verdict": verdict.verdict,
            "kind": verdict.kind or "",
            "reason": verdict.reason or "",
            "score": math.nan if verdict.score is None else verdict.score,
        }
        if self.keep_json:
            values["json"] = verdict.to_json()
        return {f"{PREFIX}{name}": value for name, value in values.items()}


def reason(verdict: Verdict) -> str:
    """Return why a document is dropped: its verdict, with the kind or the reason if there is one."""
    return "_".join(filter(None, (verdict.verdict, verdict.kind, verdict.reason)))


def _known(what: str, given: Collection[str], known: Collection[str]) -> tuple[str, ...]:
    """Return the given words, or one. Raises ValueError if one is unknown."""
    words = (given,) if isinstance(given, str) else tuple(given)
    for word in words:
        if word not in known:
            raise ValueError(f"unknown {what} {word!r}; use {', '.join(known)}")
    return words

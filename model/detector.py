"""The engine's front door: text in, Verdict out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from model import bundle
from model.abstention import reasons
from model.document import Documents
from model.evidence import find_evidence
from model.features import BATCH_DOCUMENTS, FeatureExtractor, Measured
from model.verdict import Depth, Evidence, ModelInfo, Thresholds, Verdict, decide

DEPTHS = ("auto", "fast", "deep")
BATCH_CHARACTERS = 1_000_000
"""Characters read at a time, which bounds memory whatever the documents' sizes."""


class Detector:
    """Scores texts with one model. Made by `Detector.load`; scoring changes nothing in it, so threads may share it."""

    def __init__(self, loaded: bundle.Bundle) -> None:
        self.bundle = loaded
        self._extractor = FeatureExtractor(loaded.tables, loaded.tagger)
        self._thresholds = Thresholds.from_manifest(loaded.manifest["thresholds"])
        self._prior = float(loaded.manifest["tagger_prior_log_odds"])
        # Batches are too small to be worth a second thread, and threads that wait for a busy core cost ten times the
        # work; more cores are used by scoring in more processes.
        self._threads = ThreadpoolController()

    @classmethod
    def load(cls, path: str | Path | None = None) -> Detector:
        """Load a bundle's detector, by default of the model that ships. Raises model.bundle.BundleError."""
        return cls(bundle.load(path))

    @property
    def model(self) -> ModelInfo:
        """Name, version and sha256 of the model in use."""
        return self.bundle.info

    def score(self, text: str, *, id: str | None = None, depth: str = "auto", evidence: bool = True) -> Verdict:
        """Judge one text. Never fails on any string: a text that cannot be judged is `abstained`."""
        return self.score_many([text], ids=[id], depth=depth, evidence=evidence)[0]

    def score_many(
        self,
        texts: Sequence[str],
        *,
        ids: Sequence[str | None] | None = None,
        depth: str = "auto",
        evidence: bool = True,
    ) -> list[Verdict]:
        """Judge texts in batches; the answers are those of `score`, in order.

        Raises ValueError for a depth that is none, or one that this model does not have.
        """
        if depth not in DEPTHS:
            raise ValueError(f"depth {depth!r} is none of {', '.join(DEPTHS)}")
        if depth == "deep":
            raise ValueError("this model has no deep tier; use depth 'auto' or 'fast'")
        names = list(ids) if ids is not None else [None] * len(texts)
        if len(names) != len(texts):
            raise ValueError(f"{len(names)} ids for {len(texts)} texts")
        answers: list[Verdict] = []
        with self._threads.limit(limits=1):
            for start, stop in _batches(texts):
                answers += self._score_batch(texts[start:stop], names[start:stop], evidence)
        return answers

    def _score_batch(self, texts: Sequence[str], names: Sequence[str | None], evidence: bool) -> list[Verdict]:
        documents = Documents.parse(texts)
        measured = self._extractor.measure(documents)
        probabilities = self.bundle.classifier.probabilities(measured.documents, measured.style)
        found = self._evidence(measured, probabilities[:, 1]) if evidence else [None] * len(texts)
        why = reasons(documents, self._thresholds.minimum_words)
        words = np.bincount(documents.token_document[measured.encoding.judged], minlength=len(texts))
        depth: Depth = "fast"
        return [
            decide(
                id=names[i],
                probabilities=_floats(probabilities[i]),
                words=int(words[i]),
                reason=why[i],
                depth=depth,
                evidence=found[i],
                model=self.model,
                thresholds=self._thresholds,
            )
            for i in range(len(texts))
        ]

    def _evidence(self, measured: Measured, spun: NDArray[np.float64]) -> list[tuple[Evidence, ...] | None]:
        return [tuple(rows) for rows in find_evidence(self._extractor.signals, measured, self._prior, spun)]


def _floats(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _batches(texts: Sequence[str]) -> list[tuple[int, int]]:
    """Cut a list of texts into runs of bounded number and size; a long text is a run of its own."""
    runs: list[tuple[int, int]] = []
    start, size = 0, 0
    for i, text in enumerate(texts):
        if i > start and (i - start >= BATCH_DOCUMENTS or size + len(text) > BATCH_CHARACTERS):
            runs.append((start, i))
            start, size = i, 0
        size += len(text)
    if start < len(texts):
        runs.append((start, len(texts)))
    return runs

"""The engine's front door: text in, Verdict out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from model import bundle
from model.abstention import reasons
from model.deep import SAID_OF_NOTHING, DeepTier, document_numbers, judged_words
from model.document import Documents
from model.evidence import DeepAnswers, find_evidence
from model.features import FeatureExtractor, Measured
from model.passages import Passage, contrast, find_passage, stands_out
from model.verdict import Depth, Doubt, Evidence, ModelInfo, SpunPassage, Thresholds, Verdict, decide

DEPTHS = ("auto", "fast", "deep")
BATCH_DOCUMENTS, BATCH_CHARACTERS = 256, 200_000
"""Documents and characters read at a time: many of short ones, to pay for numpy's calls, and no more text than the
caches hold, which bounds memory, too."""
LONG = 300
"""Words of a text in which a spun passage is looked for."""
PASSAGE_PRIOR = -3.0
"""Log odds of a replaced word in a text of which only a part may be spun."""
LEAST_PASSAGE, MOST_OF_TEXT = 20, 0.7
"""Words of the shortest passage that is told apart, and the share of the text above which it is the whole text."""


class Detector:
    """Scores texts with one model. Made by `Detector.load`; scoring changes nothing in it, so threads may share it."""

    def __init__(self, loaded: bundle.Bundle) -> None:
        self.bundle = loaded
        self._extractor = FeatureExtractor(loaded.tables, loaded.tagger)
        self._thresholds = Thresholds.from_manifest(loaded.manifest["thresholds"])
        self._prior = float(loaded.manifest["tagger_prior_log_odds"])
        self._deep = loaded.deep
        if loaded.deep is not None:
            entry = loaded.manifest["deep"]
            self._deep_thresholds = Thresholds.from_manifest(entry["thresholds"])
            self._doubt = Doubt.from_manifest(entry["doubt"])
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
        if depth == "deep" and self._deep is None:
            raise ValueError("this model has no deep tier; use depth 'auto' or 'fast'")
        names = list(ids) if ids is not None else [None] * len(texts)
        if len(names) != len(texts):
            raise ValueError(f"{len(names)} ids for {len(texts)} texts")
        answers: list[Verdict] = []
        with self._threads.limit(limits=1):
            for start, stop in _batches(texts):
                answers += self._score_batch(texts[start:stop], names[start:stop], depth, evidence)
        return answers

    def _score_batch(
        self, texts: Sequence[str], names: Sequence[str | None], depth: str, evidence: bool
    ) -> list[Verdict]:
        documents = Documents.parse(texts)
        measured = self._extractor.measure(documents)
        classifier = self.bundle.classifier
        log_odds = classifier.log_odds(measured.documents, measured.style)
        length = measured.documents[:, classifier.length_column]
        probabilities = classifier.calibration.probabilities(log_odds, length)
        why = reasons(documents, self._thresholds.minimum_words)
        words = np.bincount(documents.token_document[measured.encoding.judged], minlength=len(texts))
        deep = np.zeros(len(texts), dtype=bool)
        answers: DeepAnswers | None = None
        if self._deep is not None and depth != "fast":
            judged = np.array([reason is None for reason in why], dtype=bool)
            asked = words > 0 if depth == "deep" else judged & ~self._settled(measured, probabilities, words)
            if asked.any():
                answers = _ask(self._deep, measured, asked, evidence)
                deep = answers.decided
                which = np.flatnonzero(deep).tolist()
                numbers = document_numbers(documents, answers.log_odds, which)
                probabilities[which] = self._deep.probabilities(numbers, log_odds[which], length[which])
        passages = self._passages(documents, measured, answers) if evidence else [None] * len(texts)
        found = self._evidence(measured, probabilities[:, 1], answers, passages) if evidence else None
        return [
            decide(
                id=names[i],
                probabilities=_floats(probabilities[i]),
                words=int(words[i]),
                reason=why[i],
                depth=_depth(deep[i]),
                evidence=None if found is None else tuple(found[i]),
                model=self.model,
                thresholds=self._deep_thresholds if deep[i] else self._thresholds,
                passages=_located(documents, i, passages[i]),
            )
            for i in range(len(texts))
        ]

    def _settled(
        self, measured: Measured, probabilities: NDArray[np.float64], words: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Return which documents (D,) the fast tier is sure of."""
        documents = measured.encoding.documents
        answer = np.zeros(len(words), dtype=bool)
        for number, score in enumerate((1.0 - probabilities[:, 0]).tolist()):
            odds = measured.misfit[judged_words(documents, number)]
            answer[number] = self._doubt.settles(score, int(words[number]), contrast(_probability(odds)))
        return answer

    def _passages(
        self, documents: Documents, measured: Measured, answers: DeepAnswers | None
    ) -> list[tuple[NDArray[np.int64], Passage] | None]:
        """Return the words of each longer document, and the passage among them in which replaced words stand."""
        answer: list[tuple[NDArray[np.int64], Passage] | None] = [None] * len(documents.texts)
        for number in range(len(documents.texts)):
            words = judged_words(documents, number)
            if len(words) < LONG:
                continue
            by_deep = answers is not None and answers.decided[number]
            if answers is not None and by_deep:
                odds = answers.log_odds[words, 0] - answers.prior_log_odds
            else:
                odds = measured.misfit[words] - self._prior
            probability = _probability(odds + PASSAGE_PRIOR)
            if not stands_out(probability):
                continue
            passage = find_passage(probability)
            if LEAST_PASSAGE <= passage.stop - passage.start < MOST_OF_TEXT * len(words):
                answer[number] = words, passage
        return answer

    def _evidence(
        self,
        measured: Measured,
        spun: NDArray[np.float64],
        answers: DeepAnswers | None,
        passages: Sequence[tuple[NDArray[np.int64], Passage] | None],
    ) -> list[list[Evidence]]:
        inside = spun[measured.encoding.documents.token_document]
        for found in passages:
            if found is not None:  # what is odd elsewhere in the text is more likely the writer's own
                words, passage = found
                inside[words[: passage.start]] = 0.0
                inside[words[passage.stop :]] = 0.0
        return find_evidence(self._extractor.signals, measured, self._prior, inside, answers)


def _ask(tier: DeepTier, measured: Measured, asked: NDArray[np.bool_], evidence: bool) -> DeepAnswers:
    """Let the deep tier read the documents that it is asked about (D,)."""
    documents = measured.encoding.documents
    reading = tier.encoder.read(documents, np.flatnonzero(asked).tolist(), keep=evidence)
    odds = tier.blend.log_odds(reading, measured.misfit)
    # Documents of whose words it knows no piece are left to the fast tier.
    read = np.bincount(documents.token_document, odds[:, 0] > SAID_OF_NOTHING, minlength=len(asked)) > 0
    return DeepAnswers(tier.encoder, reading, odds, asked & read, tier.blend.prior_log_odds)


def _depth(deep: np.bool_) -> Depth:
    return "deep" if deep else "fast"


def _located(
    documents: Documents, number: int, found: tuple[NDArray[np.int64], Passage] | None
) -> tuple[SpunPassage, ...]:
    """Return a passage's place in the text as submitted."""
    if found is None:
        return ()
    words, passage = found
    start, end = documents.source_span(int(words[passage.start]), int(words[passage.stop - 1]))
    return (SpunPassage(start, end, passage.stop - passage.start),)


def _probability(log_odds: NDArray[np.floating]) -> NDArray[np.float64]:
    answer: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-np.asarray(log_odds, dtype=np.float64)))
    return answer


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

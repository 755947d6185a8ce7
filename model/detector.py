"""The engine's entry point: text in, Verdict out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from unspun.model import bundle
from unspun.model.decision.abstention import reasons
from unspun.model.decision.decision import Decision, check_base_rate
from unspun.model.decision.evidence import DeepAnswers, find_evidence
from unspun.model.decision.passages import Part, suspicious_parts
from unspun.model.signals.features import FeatureExtractor, Measured
from unspun.model.text.document import Documents
from unspun.model.tiers.deep import DeepReading, DeepTier, judged_words, pool
from unspun.model.tiers.fast import FastClassifier
from unspun.model.verdict import KINDS, Depth, Evidence, ModelInfo, Reason, Repair, SpunPassage, Verdict

DEPTHS = ("auto", "fast", "deep")
BATCH_DOCUMENTS, BATCH_CHARACTERS = 256, 200_000
"""Documents and characters read at a time: many of short ones, to pay for numpy's calls, and no more text than the
caches hold, which bounds memory, too."""
ROUNDED = 6
"""Decimal places of scores."""


class NoDeepTierError(ValueError):
    """Depth "deep" was requested from a model that has no deep tier."""


class Detector:
    """Scores texts with one model. Made by `Detector.load`; scoring changes nothing in it, so threads may share it."""

    def __init__(self, loaded: bundle.Bundle) -> None:
        self.bundle = loaded
        self._extractor = FeatureExtractor(loaded.tables, loaded.tagger)
        self._decision = loaded.decision
        self._prior = float(loaded.manifest["tagger_prior_log_odds"])
        self._deep = loaded.deep
        # Batches are too small to be worth a second thread, and threads that wait for a busy core cost ten times the
        # work; more cores are used by scoring in more processes.
        self._threads = ThreadpoolController()

    @classmethod
    def load(cls, path: str | Path | None = None) -> Detector:
        """Load a bundle's detector, by default of the model that ships. Raises model.bundle.BundleError."""
        return cls(bundle.load(path))

    def __reduce__(self) -> tuple[type[Detector], tuple[bundle.Bundle]]:
        """Leave to another process all but the bundle: what limits threads cannot be sent."""
        return Detector, (self.bundle,)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the document numbers."""
        return tuple(self._extractor.get_feature_names_out().tolist())

    @property
    def model(self) -> ModelInfo:
        """Name, version and sha256 of the model in use."""
        return self.bundle.info

    @property
    def decision(self) -> Decision:
        """How evidence becomes a verdict."""
        return self._decision

    def score(
        self,
        text: str,
        *,
        id: str | None = None,
        depth: str = "auto",
        evidence: bool = True,
        base_rate: float | None = None,
    ) -> Verdict:
        """Judge one text. Never fails on any string: a text that cannot be judged is `abstained`."""
        return self.score_many([text], ids=[id], depth=depth, evidence=evidence, base_rate=base_rate)[0]

    def score_many(
        self,
        texts: Sequence[str],
        *,
        ids: Sequence[str | None] | None = None,
        depth: str = "auto",
        evidence: bool = True,
        base_rate: float | None = None,
    ) -> list[Verdict]:
        """Judge texts in batches; the answers are those of `score`, in order.

        Raises ValueError for an unknown depth, one that this model does not have, or a base rate outside (0, 1).
        """
        if depth not in DEPTHS:
            raise ValueError(f"depth {depth!r} is none of {', '.join(DEPTHS)}")
        if depth == "deep" and self._deep is None:
            raise NoDeepTierError("this model has no deep tier; use depth 'auto' or 'fast'")
        if base_rate is not None:
            base_rate = check_base_rate(base_rate)
        names = list(ids) if ids is not None else [None] * len(texts)
        if len(names) != len(texts):
            raise ValueError(f"{len(names)} ids for {len(texts)} texts")
        answers: list[Verdict] = []
        with self._threads.limit(limits=1):
            for start, stop in _batches(texts):
                answers += self._score_batch(texts[start:stop], names[start:stop], depth, evidence, base_rate)
        return answers

    def measure(self, texts: Sequence[str], *, depth: str = "deep") -> Answers:
        """Return what the tiers say about texts, before it is decided upon: for calibration and training."""
        with self._threads.limit(limits=1):
            return self._measure(Documents.parse(texts), depth, evidence=False)

    def _measure(self, documents: Documents, depth: str, evidence: bool) -> Answers:
        sections, owner = documents.in_sections()
        measured = self._extractor.measure(sections)
        size = len(documents)
        classifier = self.bundle.classifier
        by_section = classifier.log_odds(measured.documents, measured.style)
        fast = pool(by_section, owner, size)
        words = np.bincount(documents.token_document[measured.encoding.judged], minlength=size)
        counts = np.bincount(sections.token_document[measured.encoding.judged], minlength=len(owner))
        sums = np.bincount(owner, weights=counts * classifier.unfamiliar(measured.documents), minlength=size)
        unfamiliar: NDArray[np.float64] = sums / np.maximum(words, 1)
        why = reasons(documents, self._decision.minimum_words)
        for i in np.flatnonzero(unfamiliar > self._decision.least_familiar).tolist():
            why[i] = why[i] or "unfamiliar"
        answers = Answers(documents, measured, owner, by_section, counts, words, unfamiliar, tuple(why), fast)
        if self._deep is None or depth == "fast":
            return answers
        judged = np.array([reason is None for reason in why], dtype=bool)
        asked = words > 0 if depth == "deep" else judged & ~self._settled(answers)
        if not asked.any():
            return answers
        return answers.with_deep(self._deep, np.flatnonzero(asked).tolist(), classifier, evidence)

    def _settled(self, answers: Answers) -> NDArray[np.bool_]:
        """Return which documents (D,) the fast tier is sure about."""
        rates = self._decision.tiers["fast"].log_rates(answers.fast, answers.words, answers.unfamiliar)
        return np.asarray((rates > np.log(self.bundle.doubt)).all(axis=1))

    def _score_batch(
        self, texts: Sequence[str], names: Sequence[str | None], depth: str, evidence: bool, base_rate: float | None
    ) -> list[Verdict]:
        documents = Documents.parse(texts)
        answers = self._measure(documents, depth, evidence)
        log_rates = np.zeros((len(texts), len(KINDS)))
        scores = np.zeros((len(texts), len(KINDS)))
        for tier, rows in (("fast", ~answers.decided), ("deep", answers.decided)):
            if rows.any():
                of_tier = self._decision.tiers[tier]
                values = answers.deep if tier == "deep" and answers.deep is not None else answers.fast
                log_rates[rows] = of_tier.log_rates(values[rows], answers.words[rows], answers.unfamiliar[rows])
                scores[rows] = of_tier.scores(log_rates[rows])
        decided = [self._decide(answers, i, names[i], log_rates[i], scores[i], base_rate) for i in range(len(texts))]
        if not evidence:
            return [verdict for verdict, _ in decided]
        found = self._evidence(answers, decided, scores)
        return [
            replace(verdict, evidence=tuple(found[i]), passages=_located(documents, parts))
            for i, (verdict, parts) in enumerate(decided)
        ]

    def _decide(
        self,
        answers: Answers,
        number: int,
        name: str | None,
        log_rates: NDArray[np.float64],
        scores: NDArray[np.float64],
        base_rate: float | None,
    ) -> tuple[Verdict, tuple[Part, ...]]:
        """Return the verdict on a document, without evidence, and the document's suspicious parts."""
        depth: Depth = "deep" if answers.decided[number] else "fast"
        tier = self._decision.tiers[depth]
        reason = answers.why[number]
        verdict = Verdict(
            id=name,
            verdict="abstained",
            kind=None,
            score=None,
            false_positive_rate=None,
            share=None,
            kinds=None,
            reason=reason,
            words=int(answers.words[number]),
            depth=depth,
            repairs=tuple(Repair(what, count) for what, count in sorted(answers.documents.repairs[number].items())),
            evidence=None,
            model=self.model,
        )
        if reason is not None:
            return verdict, ()
        strongest = int(log_rates.argmin())
        word = tier.word(float(log_rates[strongest]))
        score = round(float(scores[strongest]), ROUNDED)
        rate = max(float(np.exp(min(log_rates[strongest], 0.0))), self._decision.supported)
        parts, share = ((), 0.0) if word == "clear" else self._parts(answers, number, depth, strongest)
        probability = None
        if base_rate is not None:
            probability = round(self._decision.probability(depth, score, base_rate), ROUNDED)
        verdict = replace(
            verdict,
            verdict=word,
            kind=None if word == "clear" else KINDS[strongest],
            score=score,
            false_positive_rate=float(f"{rate:.3g}"),
            share=share,
            kinds={kind: round(float(value), ROUNDED) for kind, value in zip(KINDS, scores, strict=True)},
            probability=probability,
        )
        return verdict, parts

    def _parts(self, answers: Answers, number: int, tier: Depth, kind: int) -> tuple[tuple[Part, ...], float]:
        """Return the suspicious parts of a document, none where it is the whole, and their share of its words."""
        reading = answers.reading
        if tier == "deep" and reading is not None and self._deep is not None:
            rows = np.flatnonzero(reading.window_document == number)
            of_fast = self._deep.fast_weights[kind] * answers.fast[number, kind]
            values, tokens = reading.windows[rows, kind] + of_fast, reading.window_tokens[rows]
        else:
            rows = np.flatnonzero(answers.owner == number)
            values = answers.by_section[rows, kind]
            ptr = answers.measured.encoding.documents.token_ptr
            tokens = np.column_stack([ptr[rows], ptr[rows + 1] - 1])
        words = judged_words(answers.documents, number)
        return suspicious_parts(values, tokens, words, self._decision.tiers[tier].tails[kind])

    def _evidence(
        self, answers: Answers, decided: Sequence[tuple[Verdict, tuple[Part, ...]]], scores: NDArray[np.float64]
    ) -> list[list[Evidence]]:
        """Return the odd words of each document. In a text of which a part is paraphrased, those of that part."""
        documents = answers.documents
        inside = scores[:, 0][documents.token_document]
        for number, (verdict, parts) in enumerate(decided):
            if parts and verdict.kind == "spun":
                first, last = documents.token_ptr[number], documents.token_ptr[number + 1]
                kept = np.zeros(last - first, dtype=bool)
                for part in parts:
                    kept[part.first - first : part.last - first + 1] = True
                inside[first:last][~kept] = 0.0
        deep = None
        if answers.reading is not None and self._deep is not None:
            replaced = self._deep.blend.log_odds(answers.reading, answers.measured.misfit)
            deep = DeepAnswers(
                self._deep.encoder, answers.reading, replaced, answers.decided, self._deep.blend.prior_log_odds
            )
        return find_evidence(self._extractor.signals, documents, answers.measured, self._prior, inside, deep)


@dataclass(frozen=True, eq=False)
class Answers:
    """What the tiers say about a batch of D documents, before it is decided upon.

    The fast tier reads S sections: `owner` (S,) is the document of each, `by_section` (S, 3) its evidence, `counts`
    (S,) its words; `fast` (D, 3) is the evidence pooled by document. `words`, `unfamiliar` (D,) and `why` (D): the
    reason to give no verdict. Where the deep tier `decided` (D,), its evidence is in `deep` (D, 3), and `reading` is
    what it read.
    """

    documents: Documents
    measured: Measured
    owner: NDArray[np.int64]
    by_section: NDArray[np.float64]
    counts: NDArray[np.int64]
    words: NDArray[np.int64]
    unfamiliar: NDArray[np.float64]
    why: tuple[Reason | None, ...]
    fast: NDArray[np.float64]
    deep: NDArray[np.float64] | None = None
    reading: DeepReading | None = None

    @property
    def decided(self) -> NDArray[np.bool_]:
        """Where the deep tier decides (D,): not where it knows no piece of any word."""
        if self.deep is None:
            return np.zeros(len(self.words), dtype=bool)
        known: NDArray[np.bool_] = ~np.isnan(self.deep[:, 0])
        return known

    def with_deep(self, tier: DeepTier, which: Sequence[int], classifier: FastClassifier, evidence: bool) -> Answers:
        """Return the answers with those of the deep tier on some documents."""
        reading = tier.encoder.read(self.documents, which, keep=evidence)
        deep = tier.evidence(reading, self.fast)
        if classifier.correction is not None:  # a part of it is in the fast tier's evidence already
            added = classifier.correction.log_odds(self.measured.documents)
            deep = deep + (1.0 - tier.fast_weights) * pool(added, self.owner, len(self.documents))
        return replace(self, deep=deep, reading=reading)


def _located(documents: Documents, parts: Sequence[Part]) -> tuple[SpunPassage, ...]:
    """Return the places of parts in the text as submitted."""
    return tuple(SpunPassage(*documents.source_span(part.first, part.last), part.words) for part in parts)


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

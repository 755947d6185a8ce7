"""The engine's entry point: text in, Verdict out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from unspun.model import bundle
from unspun.model.decision.abstention import reasons
from unspun.model.decision.decision import check_base_rate
from unspun.model.decision.evidence import DeepTagging, find_evidence
from unspun.model.decision.passages import SuspiciousPart, suspicious_parts
from unspun.model.decision.sentences import listed, measure_sentences
from unspun.model.onnx_session import CPU, check_device
from unspun.model.signals.features import BatchFeatures, FeatureExtractor
from unspun.model.text.allowed import Allowed
from unspun.model.text.document import Documents, TokenClass
from unspun.model.tiers.deep import DeepTier, EncoderOutput, judged_words, pool
from unspun.model.tiers.fast import FastClassifier
from unspun.model.tiers.first import FirstLook, FirstTier, look
from unspun.model.verdict import (
    KINDS,
    Depth,
    DepthChoice,
    Evidence,
    EvidenceChoice,
    ModelInfo,
    Observation,
    Reason,
    Repair,
    Sentence,
    SpunPassage,
    Verdict,
)

DEPTHS = get_args(DepthChoice)
BATCH_DOCUMENTS, BATCH_CHARACTERS = 256, 400_000
"""Most documents and characters scored at a time. Many short documents share the cost of numpy's calls; the limit on
characters keeps the arrays within the processor's caches and bounds memory."""
DECIMALS = 6
"""Decimal places of scores and probabilities."""


class MissingTierError(ValueError):
    """Depth "first" or "deep" was requested from a model that lacks this tier."""


class Detector:
    """Scores texts with one model. Create it with `Detector.load`. Scoring changes no state, so threads may share one.

    Terms that are `allowed` are never evidence.

    A batch goes through these steps: parse the texts (model.text), compute their features (model.signals), turn the
    features into evidence for each kind of paraphrase (model.tiers), and decide (model.decision). At depth `auto` the
    first tier settles most human texts before that, and only the documents that the fast tier is unsure about go
    through the slower deep tier.
    """

    def __init__(self, loaded: bundle.Bundle, allowed: Allowed | Iterable[str] | None = None) -> None:
        self.bundle = loaded
        self.allowed = Allowed.of(allowed)
        self.extractor = FeatureExtractor(loaded.tables, loaded.tagger)
        self.decision = loaded.decision
        self._prior = float(loaded.manifest["tagger_prior_log_odds"])
        self._deep = loaded.deep
        # Batches are too small for a second thread to pay, and threads that wait for a busy core are ten times as slow.
        # To use more cores, score in more processes.
        self._threads = ThreadpoolController()

    @classmethod
    def load(
        cls,
        path: str | Path | None = None,
        *,
        allowed: Allowed | Iterable[str] | None = None,
        device: str = CPU,
        trusted_keys: str | Path | None = None,
    ) -> Detector:
        """Load a bundle, by default the one that ships.

        Args:
            path: the bundle's folder.
            allowed: terms that are never evidence.
            device: where the deep tier runs: cpu, or cuda for a GPU.
            trusted_keys: a file of keys, one of which must have signed the bundle (model.signing). Without it, the
                environment variable UNSPUN_TRUSTED_KEYS may name one.

        Raises:
            BundleError: if the bundle cannot be used (model.bundle), or has no signature that can be trusted.
            DeviceError: if the device cannot be used (model.onnx_session).
        """
        checked, loaded = check_device(device), bundle.load(path, trusted=bundle.trusted(trusted_keys))
        deep = None if loaded.deep is None else loaded.deep.on(checked)
        made = cls(replace(loaded, deep=deep), allowed)
        bundle.check_features(loaded, len(made.feature_names), len(made.extractor.signals.token_names))
        return made

    def __reduce__(self) -> tuple[type[Detector], tuple[bundle.Bundle, Allowed | None]]:
        """Pickle only the bundle and the terms, because the thread pool controller cannot be pickled."""
        return Detector, (self.bundle, self.allowed)

    @property
    def made_with(self) -> str | None:
        """The sha256 of the allowed terms that the model was trained or calibrated with, None if there were none."""
        entry = self.bundle.manifest.get("allowed")
        return entry.get("sha256") if isinstance(entry, dict) else None

    def allowing(self, allowed: Allowed | Iterable[str] | None) -> Detector:
        """Return a detector of the same model that takes no notice of these terms. It shares the model's memory."""
        twin = object.__new__(Detector)
        twin.__dict__.update(self.__dict__, allowed=Allowed.of(allowed))
        return twin

    @property
    def _first(self) -> FirstTier | None:
        """The first tier, which cannot leave out allowed terms: its table holds other hashes than theirs."""
        return None if self.allowed else self.bundle.first

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the document features."""
        return tuple(self.extractor.get_feature_names_out().tolist())

    @property
    def model(self) -> ModelInfo:
        """Name, version and sha256 of the model in use."""
        return self.bundle.info

    def score(
        self,
        text: str,
        *,
        id: str | None = None,
        depth: str = "auto",
        evidence: EvidenceChoice = True,
        base_rate: float | None = None,
    ) -> Verdict:
        """Score one text; see `score_many`."""
        return self.score_many([text], ids=[id], depth=depth, evidence=evidence, base_rate=base_rate)[0]

    def score_many(
        self,
        texts: Sequence[str],
        *,
        ids: Sequence[str | None] | None = None,
        depth: str = "auto",
        evidence: EvidenceChoice = True,
        base_rate: float | None = None,
    ) -> list[Verdict]:
        """Score texts in batches. Any strings are accepted; a text that cannot be judged gets the verdict `abstained`.

        Args:
            texts: the texts.
            ids: an id for each text, which its verdict repeats.
            depth: the tier that decides: `first`, `fast`, `deep`, or `auto`, which begins with the fastest tier and
                asks the next one only about the documents that are in doubt. The first tier knows only `clear`; at the
                depth `first`, texts that it does not settle get the verdict `abstained`.
            evidence: whether to look for suspicious words and passages, which takes longer. Texts that are `clear` get
                none, unless this is "all". The verdict does not depend on it, except for its `depth` and numbers: with
                "all", the fast tier also reads texts that the first tier settles, because that finds no evidence.
            base_rate: the share (0 to 1) of paraphrased texts among the caller's; adds `probability` to each verdict.

        Returns:
            One verdict for each text, in order. It does not depend on the other texts.

        Raises:
            MissingTierError: if `depth` is "first" or "deep" and this model has no such tier.
            ValueError: if `depth`, `evidence` or `base_rate` is invalid, or the number of ids is wrong.
        """
        if evidence not in (True, False, "all"):
            raise ValueError(f"unknown evidence {evidence!r}; use True, False or 'all'")
        if depth not in DEPTHS:
            raise ValueError(f"unknown depth {depth!r}; use one of {', '.join(DEPTHS)}")
        if depth == "deep" and self._deep is None:
            raise MissingTierError("this model has no deep tier; use depth 'auto' or 'fast'")
        if depth == "first" and self._first is None:
            why = "allowed terms need the fast tier" if self.allowed else "this model has no first tier"
            raise MissingTierError(f"{why}; use depth 'auto' or 'fast'")
        if base_rate is not None:
            base_rate = check_base_rate(base_rate)
        names = list(ids) if ids is not None else [None] * len(texts)
        if len(names) != len(texts):
            raise ValueError(f"got {len(names)} ids for {len(texts)} texts; give one id for each text")
        answers: list[Verdict | None] = [None] * len(texts)
        settled = np.zeros(len(texts), dtype=bool)
        with self._threads.limit(limits=1):
            if depth in ("first", "auto") and self._first is not None:
                for start, stop in _batches(texts):
                    found, settled[start:stop] = self._look(texts[start:stop])
                    if depth == "first" or evidence != "all":
                        some = names[start:stop], found.words, settled[start:stop]
                        answers[start:stop] = self._after_look(*some, depth, base_rate)
            left = [number for number, answer in enumerate(answers) if answer is None]
            rest, names = [texts[number] for number in left], [names[number] for number in left]
            for start, stop in _batches(rest):
                some_left = left[start:stop]
                given = rest[start:stop], names[start:stop], settled[some_left]
                for number, verdict in zip(
                    some_left, self._score_batch(*given, depth, evidence, base_rate), strict=True
                ):
                    answers[number] = verdict
        return [answer for answer in answers if answer is not None]

    def _look(self, texts: Sequence[str]) -> tuple[FirstLook, NDArray[np.bool_]]:
        """Return what the first tier sees in texts, and which it settles (D,)."""
        tier, quick = self.bundle.first, self.bundle.tables.quick
        assert tier is not None
        assert quick is not None
        found = look(quick, texts, self.decision.minimum_words)
        rates = self.decision.tiers["first"].log_rates(tier.evidence(found), found.words, np.zeros(len(texts)))
        return found, tier.settles(found.plain, rates)

    def _after_look(
        self,
        names: Sequence[str | None],
        words: NDArray[np.int64],
        settled: NDArray[np.bool_],
        depth: str,
        base_rate: float | None,
    ) -> list[Verdict | None]:
        """Return the verdicts of the first tier, None for texts that it leaves to the next one."""
        probability = None
        if base_rate is not None:
            probability = round(self.decision.probability("first", 0.0, base_rate), DECIMALS)
        common: dict[str, Any] = {
            "kind": None,
            "score": None,
            "false_positive_rate": None,
            "share": None,
            "kinds": None,
            "depth": "first",
            "repairs": (),
            "evidence": None,
            "model": self.model,
        }
        answers: list[Verdict | None] = []
        for name, count, is_settled in zip(names, words.tolist(), settled.tolist(), strict=True):
            if is_settled:
                clear = Verdict(id=name, verdict="clear", reason=None, words=count, probability=probability, **common)
                answers.append(clear)
            elif depth == "first":
                answers.append(Verdict(id=name, verdict="abstained", reason="unsettled", words=count, **common))
            else:
                answers.append(None)
        return answers

    def measure(self, texts: Sequence[str], *, depth: str = "deep", evidence: bool = False) -> TierAnswers:
        """Return the tiers' evidence about texts, without deciding: for training and calibration."""
        with self._threads.limit(limits=1):
            return self._measure(
                Documents.parse(texts, allowed=self.allowed), np.zeros(len(texts), bool), depth, evidence
            )

    def _measure(self, documents: Documents, settled: NDArray[np.bool_], depth: str, evidence: bool) -> TierAnswers:
        # Features are computed by section, because the classifier was trained on texts of that length.
        sections, owner = documents.in_sections()
        measured = self.extractor.measure(sections)
        size = len(documents)
        classifier = self.bundle.classifier
        by_section = classifier.log_odds(measured.documents, measured.style)
        fast = pool(by_section, owner, size)
        words = np.bincount(documents.token_document.take(measured.encoding.places), minlength=size)
        counts = np.bincount(measured.encoding.place_document, minlength=len(owner))
        sums = np.bincount(owner, weights=counts * classifier.unfamiliar(measured.documents), minlength=size)
        unfamiliar: NDArray[np.float64] = sums / np.maximum(words, 1)
        why = reasons(documents, self.decision.minimum_words)
        for i in np.flatnonzero(unfamiliar > self.decision.least_familiar).tolist():
            why[i] = why[i] or "unfamiliar"
        answers = TierAnswers(documents, measured, owner, by_section, counts, words, unfamiliar, tuple(why), fast)
        if self._deep is None or depth == "fast":
            return answers
        decided = words > 0
        shown = np.zeros(size, dtype=bool)
        if depth != "deep":
            judged = np.array([reason is None for reason in why], dtype=bool) & ~settled
            rates = self.decision.tiers["fast"].log_rates(fast, words, unfamiliar)
            decided = judged & ~self.decision.is_final(rates, self.bundle.doubt)
            # The encoder sees best which words were replaced, so it reads these texts for the evidence alone.
            paraphrased = rates.min(axis=1) <= np.log(self.decision.tiers["fast"].paraphrased)
            shown = judged & paraphrased & ~decided & evidence
        if not (decided | shown).any():
            return answers
        return answers.with_deep(self._deep, decided, shown, classifier, evidence)

    def _score_batch(
        self,
        texts: Sequence[str],
        names: Sequence[str | None],
        settled: NDArray[np.bool_],
        depth: str,
        evidence: EvidenceChoice,
        base_rate: float | None,
    ) -> list[Verdict]:
        """Return verdicts. Texts that the first tier `settled` (D,) are clear, whatever the others say."""
        documents = Documents.parse(texts, allowed=self.allowed)
        answers = self._measure(documents, settled, depth, bool(evidence))
        why = tuple(None if is_settled else one for one, is_settled in zip(answers.why, settled.tolist(), strict=True))
        answers = replace(answers, why=why)
        log_rates = np.zeros((len(texts), len(KINDS)))
        scores = np.zeros((len(texts), len(KINDS)))
        for tier, rows in (("fast", ~answers.decided), ("deep", answers.decided)):
            if rows.any():
                of_tier = self.decision.tiers[tier]
                values = answers.deep if tier == "deep" and answers.deep is not None else answers.fast
                log_rates[rows] = of_tier.log_rates(values[rows], answers.words[rows], answers.unfamiliar[rows])
                log_rates[settled & rows] = of_tier.kept_clear(log_rates[settled & rows])
                scores[rows] = of_tier.scores(log_rates[rows])
        decided = [self._decide(answers, i, names[i], log_rates[i], scores[i], base_rate) for i in range(len(texts))]
        if not evidence:
            return [verdict for verdict, _ in decided]
        shown = np.array([evidence == "all" or verdict.verdict != "clear" for verdict, _ in decided], dtype=bool)
        found = self._evidence(answers, decided, scores, shown)
        return [
            replace(
                verdict,
                evidence=tuple(evidence_of),
                passages=tuple(
                    SpunPassage(*documents.source_span(part.first, part.last), part.words) for part in parts
                ),
                sentences=self._sentences(answers, number, verdict),
                observations=self._observations(answers, number, verdict),
            )
            if is_shown
            else verdict
            for number, ((verdict, parts), evidence_of, is_shown) in enumerate(
                zip(decided, found, shown.tolist(), strict=True)
            )
        ]

    def _sentences(self, answers: TierAnswers, number: int, verdict: Verdict) -> tuple[Sentence, ...]:
        """Return how suspicious each sentence of a document is; none if unspun abstains."""
        read = answers.read is not None and bool(answers.read[number])
        scale = self.bundle.sentences.get("deep" if read else "fast")
        if verdict.verdict == "abstained" or scale is None:
            return ()
        tier = (self._deep, answers.reading) if read else ()
        found = measure_sentences(self.extractor, self.bundle.classifier, answers.documents, number, *tier)
        return listed(answers.documents, found, scale)

    def _observations(self, answers: TierAnswers, number: int, verdict: Verdict) -> tuple[Observation, ...]:
        """Return what the signals saw in a document as a whole; nothing if it is not suspicious."""
        if verdict.kind is None or self.bundle.usual is None:
            return ()
        kind = KINDS.index(verdict.kind)
        used = self.bundle.classifier.heads[kind].columns
        return self.bundle.usual.observe(answers.features(number), kind, used)

    def _decide(
        self,
        answers: TierAnswers,
        number: int,
        name: str | None,
        log_rates: NDArray[np.float64],
        scores: NDArray[np.float64],
        base_rate: float | None,
    ) -> tuple[Verdict, tuple[SuspiciousPart, ...]]:
        """Return a document's verdict, still without evidence, and its suspicious parts."""
        depth: Depth = "deep" if answers.decided[number] else "fast"
        tier = self.decision.tiers[depth]
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
            allowed=None if self.allowed is None else self._allowed_words(answers.documents, number),
            english=round(float(answers.documents.english[number]), DECIMALS),
            depth=depth,
            repairs=tuple(Repair(what, count) for what, count in sorted(answers.documents.repairs[number].items())),
            evidence=None,
            model=self.model,
        )
        if reason is not None:
            return verdict, ()
        strongest = int(log_rates.argmin())
        word = tier.word(float(log_rates[strongest]))
        score = round(float(scores[strongest]), DECIMALS)
        rate = max(float(np.exp(min(log_rates[strongest], 0.0))), self.decision.supported)
        parts, share = ((), 0.0) if word == "clear" else self._parts(answers, number, depth, strongest)
        probability = None
        if base_rate is not None:
            probability = round(self.decision.probability(depth, score, base_rate), DECIMALS)
        verdict = replace(
            verdict,
            verdict=word,
            kind=None if word == "clear" else KINDS[strongest],
            score=score,
            false_positive_rate=float(f"{rate:.3g}"),
            share=share,
            kinds={kind: round(float(value), DECIMALS) for kind, value in zip(KINDS, scores, strict=True)},
            probability=probability,
        )
        return verdict, parts

    @staticmethod
    def _allowed_words(documents: Documents, number: int) -> int:
        tokens = slice(*documents.token_ptr[number : number + 2].tolist())
        words = documents.token_class[tokens] == TokenClass.WORD
        return int(np.count_nonzero(words & documents.token_allowed[tokens]))

    def _parts(
        self, answers: TierAnswers, number: int, tier: Depth, kind: int
    ) -> tuple[tuple[SuspiciousPart, ...], float]:
        """Return the suspicious parts of a document and their share of its words.

        There are no parts if the whole document is suspicious.
        """
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
        return suspicious_parts(values, tokens, words, self.decision.tiers[tier].tails[kind])

    def _evidence(
        self,
        answers: TierAnswers,
        decided: Sequence[tuple[Verdict, tuple[SuspiciousPart, ...]]],
        scores: NDArray[np.float64],
        shown: NDArray[np.bool_],
    ) -> list[list[Evidence]]:
        """Return the evidence of each document that is `shown` (D,), none of the others.

        Where only parts are spun, less is shown outside them.
        """
        documents = answers.documents
        if not shown.any():
            return [[] for _ in decided]
        inside = scores[:, 0][documents.token_document]
        for number, (verdict, parts) in enumerate(decided):
            if parts and verdict.kind == "spun":
                first, last = documents.token_ptr[number], documents.token_ptr[number + 1]
                kept = np.zeros(last - first, dtype=bool)
                for part in parts:
                    kept[part.first - first : part.last - first + 1] = True
                inside[first:last][~kept] = 0.0
        is_spun = np.array([verdict.kind == "spun" for verdict, *_ in decided], dtype=bool)
        deep = None
        if answers.reading is not None and answers.read is not None and self._deep is not None:
            replaced = self._deep.blend.log_odds(answers.reading, answers.measured.misfit)
            deep = DeepTagging(
                self._deep.encoder, answers.reading, replaced, answers.read, self._deep.blend.prior_log_odds
            )
        return find_evidence(
            self.extractor.signals, documents, answers.measured, self._prior, inside, shown, is_spun, deep
        )


@dataclass(frozen=True, eq=False)
class TierAnswers:
    """The tiers' evidence about a batch of D documents, before the decision.

    The fast tier splits long documents into sections, S in all.

    Attributes:
        documents: the batch.
        measured: the features of the sections.
        owner: (S,) the document of each section.
        by_section: (S, 3) evidence of each kind in each section.
        counts: (S,) judged words in each section.
        words: (D,) judged words in each document.
        unfamiliar: (D,) how far each document is from the text that the model was calibrated on.
        why: for each document, the reason to give no verdict, or None.
        fast: (D, 3) the fast tier's evidence, pooled by document.
        deep: (D, 3) the deep tier's evidence, NaN for documents that it does not decide; None if it read none.
        read: (D,) the documents that its encoder read.
        reading: what the deep tier's encoder returned.
    """

    documents: Documents
    measured: BatchFeatures
    owner: NDArray[np.int64]
    by_section: NDArray[np.float64]
    counts: NDArray[np.int64]
    words: NDArray[np.int64]
    unfamiliar: NDArray[np.float64]
    why: tuple[Reason | None, ...]
    fast: NDArray[np.float64]
    deep: NDArray[np.float64] | None = None
    read: NDArray[np.bool_] | None = None
    reading: EncoderOutput | None = None

    def features(self, number: int) -> NDArray[np.float64]:
        """Return the features (F,) of a document: the means of its sections, weighted by words."""
        rows = self.owner == number
        answer: NDArray[np.float64] = np.average(
            self.measured.documents[rows], axis=0, weights=np.maximum(self.counts[rows], 1e-3)
        )
        return answer

    @property
    def decided(self) -> NDArray[np.bool_]:
        """Which documents (D,) the deep tier decides."""
        if self.deep is None:
            return np.zeros(len(self.words), dtype=bool)
        known: NDArray[np.bool_] = ~np.isnan(self.deep[:, 0])
        return known

    def with_deep(
        self,
        tier: DeepTier,
        decided: NDArray[np.bool_],
        shown: NDArray[np.bool_],
        classifier: FastClassifier,
        evidence: bool,
    ) -> TierAnswers:
        """Return these answers with what the deep tier says about the documents that it decides (D,).

        The encoder also reads those that are `shown` (D,), to find the words that were replaced.
        """
        reading = tier.encoder.read(self.documents, np.flatnonzero(decided | shown).tolist(), keep=evidence)
        deep = tier.evidence(reading, self.fast)
        if classifier.correction is not None:  # the fast tier's share of the evidence already contains it
            added = classifier.correction.log_odds(self.measured.documents)
            deep = deep + (1.0 - tier.fast_weights) * pool(added, self.owner, len(self.documents))
        deep = np.where(shown[:, None], np.nan, deep)
        read: NDArray[np.bool_] = np.bincount(reading.window_document, minlength=len(decided)) > 0
        return replace(self, deep=deep, read=read, reading=reading)


def _batches(texts: Sequence[str]) -> list[tuple[int, int]]:
    """Divide texts into runs (start, stop) of limited number and size. A text that is too long is a run of its own."""
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

"""How suspicious the single sentences of a suspicious text are: evidence where no word is odd by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unspun.model.decision.decision import Floats
from unspun.model.signals.features import FeatureExtractor
from unspun.model.text.document import Documents
from unspun.model.tiers.deep import DeepTier, EncoderOutput
from unspun.model.tiers.fast import FastClassifier
from unspun.model.verdict import KINDS, Sentence

FEWEST_WORDS = 4
"""Words of prose that a sentence needs."""
MOST = 1000
"""Most sentences that are listed for one document; the strongest are kept."""
NEIGHBOURS = np.array([0.3, 0.4, 0.3])
"""Weights of the sentence before, the sentence itself and the one after, in the fast tier's evidence: its features are
rates, and a sentence has few words."""
DECIMALS = 3
HIGHEST = 1 - 10**-DECIMALS
"""Highest score: a finite number of human sentences was measured, so no sentence exceeds all that people write."""


class SentenceEvidence(NamedTuple):
    """The sentences of a document with enough words, N in all.

    `first` and `last` (N,) are their first and last token, `words` (N,) their words of prose, and `evidence` (N, 3) the
    evidence of each kind.
    """

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    words: NDArray[np.int64]
    evidence: Floats


@dataclass(frozen=True, eq=False)
class SentenceScale:
    """How strong the evidence of single sentences is in human text, for one tier.

    Attributes:
        words: (K,) sentence lengths in rising order.
        centre, spread: (K, 3) mean and standard deviation of the evidence of each kind at each length.
        levels: (Q,) rising deviations of a sentence's strongest kind.
        shares: (Q,) share of human sentences below each level.
    """

    words: Floats
    centre: Floats
    spread: Floats
    levels: Floats
    shares: Floats

    @classmethod
    def from_manifest(cls, entry: Mapping[str, Any]) -> SentenceScale:
        """Read a scale from a bundle's manifest. Raises ValueError or LookupError if it is invalid."""
        names = ("words", "centre", "spread", "levels", "shares")
        scale = cls(*(np.asarray(entry[name], dtype=np.float64) for name in names))
        shape = len(scale.words), len(KINDS)
        if scale.centre.shape != shape or scale.spread.shape != shape or len(scale.levels) != len(scale.shares):
            raise ValueError("the arrays of a scale of sentences differ in length")
        if not all(np.isfinite(getattr(scale, name)).all() for name in names) or (scale.spread <= 0).any():
            raise ValueError("a scale of sentences has invalid numbers")
        return scale

    def to_manifest(self) -> dict[str, Any]:
        """Return the scale as plain JSON types."""
        names = ("words", "centre", "spread", "levels", "shares")
        return {name: np.round(getattr(self, name), 6).tolist() for name in names}

    def deviations(self, found: SentenceEvidence) -> Floats:
        """Return how many standard deviations (N, 3) the evidence is above that of human sentences of the length."""
        length, knots = np.log(np.maximum(found.words, 1)), np.log(self.words)
        columns = [
            (found.evidence[:, k] - np.interp(length, knots, self.centre[:, k]))
            / np.interp(length, knots, self.spread[:, k])
            for k in range(len(KINDS))
        ]
        return np.stack(columns, axis=1)

    def scores(self, deviations: Floats) -> Floats:
        """Return the share (N,) of human sentences whose strongest kind deviates less."""
        answer: Floats = np.interp(deviations.max(axis=1), self.levels, self.shares)
        return answer


def read_scales(manifest: Mapping[str, Any]) -> dict[str, SentenceScale]:
    """Return the scale of each tier, by name; empty if the bundle has none.

    Raises ValueError or LookupError if the manifest is invalid.
    """
    return {tier: SentenceScale.from_manifest(entry) for tier, entry in manifest.get("sentences", {}).items()}


def measure_sentences(
    extractor: FeatureExtractor,
    classifier: FastClassifier,
    documents: Documents,
    number: int,
    deep: DeepTier | None = None,
    reading: EncoderOutput | None = None,
) -> SentenceEvidence:
    """Return the evidence of each sentence of one document of a batch.

    With `deep` and `reading`, the evidence is the encoder's, combined with the fast tier's as for whole texts.
    """
    sentences, ids, first, last = documents.in_sentences(number)
    measured = extractor.measure(sentences)
    words = np.bincount(sentences.token_document[measured.encoding.judged], minlength=len(ids))
    kept = words >= FEWEST_WORDS
    evidence = _smoothed(classifier.log_odds(measured.documents, measured.style)[kept])
    if deep is not None and reading is not None:
        at = np.minimum(np.searchsorted(reading.sentence, ids[kept]), max(len(reading.sentence) - 1, 0))
        evidence = reading.sentences[at] + deep.fast_weights * evidence
    return SentenceEvidence(first[kept], last[kept], words[kept], evidence)


def _smoothed(evidence: Floats) -> Floats:
    """Return the mean of each row and its neighbours, weighted by NEIGHBOURS."""
    if not len(evidence):
        return evidence
    wide = np.pad(evidence, ((1, 1), (0, 0)), mode="edge")
    before, own, after = NEIGHBOURS
    answer: Floats = before * wide[:-2] + own * wide[1:-1] + after * wide[2:]
    return answer


def listed(documents: Documents, found: SentenceEvidence, scale: SentenceScale) -> tuple[Sentence, ...]:
    """Return the sentences of a document in the order of the text, at most MOST, the strongest."""
    deviations = scale.deviations(found)
    scores = np.round(np.minimum(scale.scores(deviations), HIGHEST), DECIMALS)
    strongest = np.sort(np.argsort(-scores, kind="stable")[:MOST])
    kinds = deviations.argmax(axis=1)
    return tuple(
        Sentence(
            *documents.source_span(int(found.first[row]), int(found.last[row])),
            float(scores[row]),
            KINDS[int(kinds[row])],
        )
        for row in strongest.tolist()
    )

"""Fits the scale of single sentences: how strong their evidence is in human text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from unspun.model.decision.sentences import SentenceEvidence, SentenceScale, measure_sentences
from unspun.model.detector import BATCH_DOCUMENTS, Detector
from unspun.training.corpora.corpus import LabelledText
from unspun.training.corpora.roles import sample

TEXTS = 40
"""Human texts of each source."""
LENGTHS = (4, 8, 12, 18, 26, 40)
"""Sentence lengths, in words, at which mean and deviation are fitted; longer sentences count as the last."""
FEWEST = 20
"""Sentences of a length that are enough to fit it alone."""
LEAST_SPREAD = 1e-3
SHARES = (*np.linspace(0.0, 0.9, 19).tolist(), 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.995, 0.998, 1.0)


def fit_scales(detector: Detector, texts: Sequence[LabelledText]) -> dict[str, SentenceScale]:
    """Return the scale of each tier of a model, fitted to human texts with the role `calibrate`, by tier.

    Every source has the same weight, and every sentence of a source. A tier with too few sentences is left out.
    """
    human = sample([text for text in texts if text.label == "human"], TEXTS)
    found: dict[str, list[tuple[str, SentenceEvidence]]] = {"fast": [], "deep": []}
    for start in range(0, len(human), BATCH_DOCUMENTS):
        batch = human[start : start + BATCH_DOCUMENTS]
        for text, by_tier in zip(batch, evidence_of([text.text for text in batch], detector), strict=True):
            for tier, one in by_tier.items():
                found[tier].append((text.source, one))
    return {tier: _fit(some) for tier, some in found.items() if sum(len(one.words) for _, one in some) >= FEWEST}


def evidence_of(texts: Sequence[str], detector: Detector) -> Iterator[dict[str, SentenceEvidence]]:
    """Yield the evidence of the sentences of each text, by tier."""
    answers = detector.measure(texts, evidence=True)
    extractor, classifier = detector.extractor, detector.bundle.classifier
    for number in range(len(texts)):
        by_tier = {"fast": measure_sentences(extractor, classifier, answers.documents, number)}
        if answers.reading is not None and len(answers.reading.sentences):
            by_tier["deep"] = measure_sentences(
                extractor, classifier, answers.documents, number, detector.bundle.deep, answers.reading
            )
        yield by_tier


def _fit(found: Sequence[tuple[str, SentenceEvidence]]) -> SentenceScale:
    """Return the scale of one tier, given the sentences of each text with its source."""
    words = np.concatenate([one.words for _, one in found])
    evidence = np.concatenate([one.evidence for _, one in found])
    sources = np.repeat([source for source, _ in found], [len(one.words) for _, one in found])
    source = np.unique(sources, return_inverse=True)[1]
    weights = 1.0 / np.bincount(source)[source]
    knots = np.array(LENGTHS, dtype=np.float64)
    nearest = np.abs(np.log(words)[:, None] - np.log(knots)).argmin(axis=1)
    centre, spread = np.zeros((len(knots), evidence.shape[1])), np.ones((len(knots), evidence.shape[1]))
    for knot in range(len(knots)):
        rows = nearest == knot
        if rows.sum() < FEWEST:
            rows = np.ones(len(words), dtype=bool)
        centre[knot] = np.average(evidence[rows], axis=0, weights=weights[rows])
        spread[knot] = (
            np.sqrt(np.average((evidence[rows] - centre[knot]) ** 2, axis=0, weights=weights[rows])) + LEAST_SPREAD
        )
    shares = np.array(SHARES)
    scale = SentenceScale(knots, centre, spread, np.array([0.0]), np.array([0.0]))
    strongest = scale.deviations(SentenceEvidence(words, words, words, evidence)).max(axis=1)
    order = np.argsort(strongest)
    below = np.cumsum(weights[order]) / weights.sum()
    levels = strongest[order][np.minimum(np.searchsorted(below, shares), len(order) - 1)]
    return SentenceScale(knots, centre, spread, levels, shares)

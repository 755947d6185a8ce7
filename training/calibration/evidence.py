"""The evidence that the tiers find in labelled texts, before anything is decided. Holds no text.

Keeping the evidence of every window and section makes it possible to join short texts into long ones, and to try other
ways of pooling, without reading any text again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from unspun.model.detector import Detector
from unspun.model.signals.quick import NAMES as QUICK_NAMES
from unspun.model.signals.quick import weighted
from unspun.model.tiers.deep import pool
from unspun.model.tiers.first import look
from unspun.training.classifier.matrix import maker_name
from unspun.training.corpora.corpus import LabelledText, domain_group
from unspun.training.rows import Rows, Runs

CHUNK = 48


@dataclass(frozen=True, eq=False)
class LabelledEvidence(Rows):
    """The evidence in N labelled texts.

    `windows` holds the deep tier's evidence in each window (M, 3), `sections` the fast tier's in each section (S, 3),
    and `features` (S, F) the document numbers that the fast tier read there. `quick` holds the first tier's log odds in
    each of its sections (Q, 6), `quick_words` (N,) the words that it counts, and `plain` (N,) whether it may settle the
    text; they are empty, 0 and False for a model without quick signals. `words`, `unfamiliar` and `reasons` (N,) are
    the words of prose, the unfamiliarity, and why the text gets no verdict ("" if it gets one). `labels`,
    `sources`, `makers`, `groups` and `domains` (N,) describe the text, and `changed` (N,) is the share of its words
    that were replaced, NaN if unknown.
    """

    windows: Runs
    sections: Runs
    features: Runs
    quick: Runs
    quick_words: NDArray[np.int64]
    plain: NDArray[np.bool_]
    words: NDArray[np.int64]
    unfamiliar: NDArray[np.float64]
    reasons: NDArray[np.str_]
    labels: NDArray[np.str_]
    sources: NDArray[np.str_]
    makers: NDArray[np.str_]
    groups: NDArray[np.str_]
    domains: NDArray[np.str_]
    changed: NDArray[np.float32]
    ids: NDArray[np.str_]

    def fast(self) -> NDArray[np.float64]:
        """Return the fast tier's evidence by text (N, 3)."""
        return pool(self.sections.values, self.sections.owner, len(self))

    def deep(self) -> NDArray[np.float64]:
        """Return the deep tier's evidence by text (N, 3), NaN for texts that it did not read."""
        return pool(self.windows.values, self.windows.owner, len(self))

    def first(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the first tier's evidence by text (N, 3), given the weights (2, 3) of the quick signals."""
        return pool(weighted(self.quick.values.astype(np.float64), weights), self.quick.owner, len(self))

    def joined(self, parts: Sequence[Sequence[int]]) -> LabelledEvidence:
        """Return one text for each part: the texts with these row numbers one after the other, described as the first
        of them is.
        """
        first = np.array([part[0] for part in parts], dtype=np.int64)
        texts = np.array([text for part in parts for text in part], dtype=np.int64)
        owner = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        words = np.bincount(owner, self.words[texts], minlength=len(parts)).astype(np.int64)
        unfamiliar = np.bincount(owner, self.words[texts] * self.unfamiliar[texts], minlength=len(parts))
        columns = {name: getattr(self, name) for name in self.columns()}
        joined: dict[str, Any] = {
            name: values.joined(parts) if isinstance(values, Runs) else values[first]
            for name, values in columns.items()
        }
        joined |= {
            "words": words,
            "unfamiliar": unfamiliar / np.maximum(words, 1),
            "quick_words": np.bincount(owner, self.quick_words[texts], minlength=len(parts)).astype(np.int64),
            "plain": np.bincount(owner, ~self.plain[texts], minlength=len(parts)) == 0,
        }
        return LabelledEvidence(**joined)


def gather_evidence(
    detector: Detector, texts: Sequence[LabelledText], *, depth: str = "deep", jobs: int = 1
) -> LabelledEvidence:
    """Read texts with both tiers, or with the fast tier alone at the depth "fast"."""
    chunks = [texts[start : start + CHUNK] for start in range(0, len(texts), CHUNK)]
    return LabelledEvidence.concatenated(
        Parallel(n_jobs=jobs)(delayed(_gather)(detector, chunk, depth) for chunk in chunks)
    )


def _gather(detector: Detector, texts: Sequence[LabelledText], depth: str) -> LabelledEvidence:
    found = detector.measure([text.text for text in texts], depth=depth)
    size = len(texts)
    windows, owner = np.zeros((0, 3), np.float32), np.zeros(0, np.int64)
    if found.reading is not None:
        windows, owner = found.reading.windows, found.reading.window_document

    quick, owner_of_quick = np.zeros((0, len(QUICK_NAMES)), np.float64), np.zeros(0, np.int64)
    quick_words, plain = np.zeros(size, np.int64), np.zeros(size, np.bool_)
    if detector.bundle.tables.quick is not None:
        seen = look(detector.bundle.tables.quick, [text.text for text in texts], detector.decision.minimum_words)
        quick, owner_of_quick, quick_words, plain = seen.log_odds, seen.owner, seen.words, seen.plain

    def words(values: Sequence[str]) -> NDArray[np.str_]:
        return np.array(values, dtype=np.str_)

    return LabelledEvidence(
        windows=Runs.of(windows.astype(np.float32), owner, size),
        sections=Runs.of(found.by_section.astype(np.float32), found.owner, size),
        features=Runs.of(found.measured.documents, found.owner, size),
        quick=Runs.of(quick.astype(np.float32), owner_of_quick, size),
        quick_words=quick_words,
        plain=plain,
        words=found.words,
        unfamiliar=found.unfamiliar,
        reasons=words([reason or "" for reason in found.why]),
        labels=words([text.label for text in texts]),
        sources=words([text.source for text in texts]),
        makers=words([maker_name(text) for text in texts]),
        groups=words([text.group or "" for text in texts]),
        domains=words([domain_group(text) for text in texts]),
        changed=np.array([text.changed_frac for text in texts], np.float32),  # None becomes NaN
        ids=words([text.id for text in texts]),
    )

"""The accuracy gate: checks the shipped bundle on a small set of held-out texts, which is committed as numbers.

    python -m unspun.training.record.gate ../shared/corpora

rebuilds the set with the current bundle. It holds no text: the document numbers and style counts of each section, the
deep tier's evidence in each window, and the label, source and maker of each text. `tests/accuracy` runs the bundle's
classifier and decision on it and fails when a figure crosses its floor in `floors.toml`.

The texts have the role `test`, so the gate may only guard against regressions: never choose or tune anything by it.
Rebuild the set only when the features themselves change, and lower a floor only for a reason that the commit states.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from unspun.model.bundle import Bundle
from unspun.model.detector import DECIMALS, Detector
from unspun.model.signals.style import BUCKETS
from unspun.model.tiers.deep import pool
from unspun.model.verdict import KINDS
from unspun.training.calibration.cascade import as_first_sees
from unspun.training.calibration.evidence import LabelledEvidence, gather_evidence
from unspun.training.command import labelled_parser
from unspun.training.corpora.corpus import LabelledText, read_labelled
from unspun.training.corpora.roles import default_roles, sample
from unspun.training.record.accuracy import (
    PARAPHRASED,
    SUSPECT,
    AccuracyRecord,
    ProgramVerdicts,
    held_out,
    separation,
    share,
)
from unspun.training.rows import Runs

FILE = Path("tests/data/accuracy/matrices.npz")
LIMIT = 31
"""Texts of each source and maker."""
LONGEST = 900
"""Words above which a text is left out, to keep the file small."""
_CHUNK = 48


@dataclass(frozen=True, eq=False)
class GateTexts(LabelledEvidence):
    """Labelled evidence with the style counts of each section as well, sparse (S, model.signals.style.BUCKETS)."""

    style: Runs

    @classmethod
    def measure(cls, detector: Detector, texts: Sequence[LabelledText]) -> GateTexts:
        """Read texts with both tiers, and forget which texts they are."""
        parts = []
        for start in range(0, len(texts), _CHUNK):
            chunk = texts[start : start + _CHUNK]
            evidence = gather_evidence(detector, chunk)
            style = detector.measure([text.text for text in chunk], depth="fast").measured.style
            columns = {name: getattr(evidence, name) for name in evidence.columns()}
            parts.append(cls(**columns, style=Runs(style, evidence.sections.starts)))
        measured = cls.concatenated(parts)
        blank = np.full(len(measured), "")
        return replace(measured, ids=blank, groups=blank)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays to save, with the style as whole counts and steps between buckets: a third of the size."""
        style = self.style.values
        first = style.indptr[:-1]
        smallest = np.repeat(np.minimum.reduceat(style.data, first), np.diff(style.indptr))
        packed = {
            "style.counts": np.rint((style.data / smallest) ** 2).astype(np.uint16),
            "style.steps": np.diff(style.indices, prepend=0).astype(np.uint16),  # modulo 2 ** 16
            "style.indptr": style.indptr,
        }
        rest = {name: values for name, values in super().arrays().items() if not name.startswith("style.")}
        return {**rest, **packed}

    @classmethod
    def load(cls, file: Path) -> GateTexts:
        """Read a set that `save` wrote."""
        evidence = LabelledEvidence.load(file)
        with np.load(file, allow_pickle=False) as arrays:
            counts, steps, indptr = (arrays[f"style.{name}"] for name in ("counts", "steps", "indptr"))
        totals = np.add.reduceat(counts.astype(np.float64), indptr[:-1])
        data = np.sqrt(counts / np.repeat(totals, np.diff(indptr))).astype(np.float32)
        indices = np.cumsum(steps, dtype=np.uint16).astype(np.int32)
        style = csr_array((data, indices, indptr), shape=(len(indptr) - 1, BUCKETS))
        columns = {name: getattr(evidence, name) for name in evidence.columns()}
        return cls(**columns, style=Runs(style, evidence.sections.starts))


def decide(detector: Detector, texts: GateTexts, depth: str = "auto") -> ProgramVerdicts:
    """Run a bundle's classifier and decision on measured texts, as `Detector.score_many` does on text.

    Texts that the first tier settled get the score that they have with all evidence.
    """
    bundle, decision, size = detector.bundle, detector.decision, len(texts)
    features, owner = texts.features.values, texts.features.owner
    fast = pool(bundle.classifier.log_odds(features, texts.style.values), owner, size)
    counts = np.rint(np.expm1(features[:, detector.feature_names.index("length")]))
    sums = np.bincount(owner, weights=counts * bundle.classifier.unfamiliar(features), minlength=size)
    unfamiliar = sums / np.maximum(texts.words, 1)
    settled: NDArray[np.bool_] = np.zeros(size, dtype=np.bool_)
    if depth == "auto" and bundle.first is not None:
        settled = settled_by(bundle, texts)
    rates = decision.tiers["fast"].log_rates(fast, texts.words, unfamiliar)
    rates[settled] = decision.tiers["fast"].kept_clear(rates[settled])
    scores = decision.tiers["fast"].scores(rates)
    read: NDArray[np.bool_] = np.zeros(size, dtype=np.bool_)
    if bundle.deep is not None and depth != "fast":
        deep = texts.deep() + bundle.deep.fast_weights * fast
        read = np.asarray(~np.isnan(deep).any(axis=1))
        if depth != "deep":
            read &= ~decision.is_final(rates, bundle.doubt) & ~settled
        rates[read] = decision.tiers["deep"].log_rates(deep[read], texts.words[read], unfamiliar[read])
        scores[read] = decision.tiers["deep"].scores(rates[read])
    tiers = np.where(read, "deep", "fast").astype("<U5")
    words = np.array(
        [decision.tiers[tier].word(rate) for tier, rate in zip(tiers, rates.min(axis=1).tolist(), strict=True)]
    )
    strange = unfamiliar > decision.least_familiar
    tiers[settled] = "first"
    strange &= ~settled
    scores = np.where(strange[:, None], np.nan, np.round(scores, DECIMALS))
    return ProgramVerdicts(
        verdict=np.where(strange, "abstained", words),
        reason=np.where(strange, "unfamiliar", ""),
        depth=tiers,
        score=scores.max(axis=1),
        kinds=scores,
        words=texts.words,
    )


def settled_by(bundle: Bundle, texts: LabelledEvidence) -> NDArray[np.bool_]:
    """Return which texts (N,) the first tier of a bundle settles."""
    assert bundle.first is not None
    seen, evidence = as_first_sees(texts), texts.first(bundle.first.weights)
    return bundle.first.settles(
        texts.plain, bundle.decision.tiers["first"].log_rates(evidence, seen.words, seen.unfamiliar)
    )


def figures(texts: LabelledEvidence, programs: Mapping[str, ProgramVerdicts]) -> dict[str, float]:
    """Return the gated figures of each program by name; means over makers count each maker once."""
    size = len(texts)
    whole, nothing = np.full(size, "whole"), np.full(size, "")
    record = AccuracyRecord(texts.labels, texts.sources, texts.makers, whole, np.zeros(size, int), nothing, programs)
    human = record.human()
    answer: dict[str, float] = {}
    for name, one in programs.items():
        for word, counted in (("paraphrased", PARAPHRASED), ("suspect", SUSPECT)):
            hit, total = share(one, human, counted)
            answer[f"{name}.human.{word}"] = hit / total
        for number, kind in enumerate(KINDS):
            makers = record.made_by(kind).values()
            for value, values in (("auroc_of_score", one.score), ("auroc_of_kind", one.kinds[:, number])):
                areas = [separation(values, rows, human)["auroc"] for rows in makers]
                answer[f"{name}.{kind}.{value}"] = float(np.mean(areas))
            for word, counted in (("paraphrased", PARAPHRASED), ("suspect", SUSPECT)):
                found = [share(one, rows, counted) for rows in makers]
                answer[f"{name}.{kind}.{word}"] = float(np.mean([hit / total for hit, total in found]))
    return answer


def main(arguments: Sequence[str] | None = None) -> int:
    """Rebuild the committed set; return the exit status."""
    parser = labelled_parser(__doc__)
    parser.add_argument("--output", type=Path, default=FILE, help=f"file to write (default: {FILE})")
    parser.add_argument("--limit", type=int, default=LIMIT, help=f"texts of each source and maker (default: {LIMIT})")
    options = parser.parse_args(arguments)
    held = held_out(read_labelled(options.labelled), default_roles(), "test")
    chosen = sample([t for t in held if t.label != "llm" and len(t.text.split()) <= LONGEST], options.limit)
    print(f"reading {len(chosen)} texts ...", file=sys.stderr, flush=True)
    detector = Detector.load()
    texts = GateTexts.measure(detector, chosen)
    texts = texts.take(np.isin(texts.reasons, ("", "unfamiliar")))
    texts.save(options.output)
    print(f"{options.output}: {len(texts)} texts, {options.output.stat().st_size / 1e6:.1f} MB", file=sys.stderr)
    texts = GateTexts.load(options.output)
    for name, value in figures(texts, {depth: decide(detector, texts, depth) for depth in ("auto", "fast")}).items():
        print(f"{name:<36}{value:>9.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

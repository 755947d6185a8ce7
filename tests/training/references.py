"""Small sets of reference texts, and a small model that contains one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tests import deep
from tests import tables as tiny
from unspun.model import bundle
from unspun.model.decision.decision import Decision
from unspun.model.verdict import KINDS
from unspun.training.calibration.evidence import LabelledEvidence
from unspun.training.calibration.reference import ReferenceTexts
from unspun.training.corpora.corpus import LabelledText
from unspun.training.retraining.adapt import measure_house
from unspun.training.rows import Runs

COLUMNS = ("spun", "translated", "rewritten", "house", "foreign", "noise", "length")
CENTRE, SLOPE, BETWEEN = -1.0, 2.0, 0.1
PARAPHRASED, SUSPECT = 0.002, 0.02
COUNTS = {"human": 240, "spun": 80, "translated": 80, "rewritten": 80}


def reference(
    counts: dict[str, int] = COUNTS, *, seed: int = 0, foreign: float = 0.0, own: bool = False
) -> ReferenceTexts:
    """Return texts of two domains, with a column for each kind whose values are higher in texts of that kind.

    `foreign` moves the texts away in one column, like a house's texts. In these, only the column "house", which the
    model ignores, is higher in machine text.
    """
    rng = np.random.default_rng(seed)
    labels = np.repeat(list(counts), list(counts.values()))
    count = len(labels)
    features = rng.normal(size=(count, len(COLUMNS)))
    features[:, COLUMNS.index("foreign")] += foreign
    words = rng.integers(60, 400, size=count)
    features[:, -1] = np.log1p(words)
    log_odds = rng.normal(scale=0.5, size=(count, 3)) - 1.0
    for number, kind in enumerate(KINDS):
        features[labels == kind, COLUMNS.index("house") if foreign else number] += 2.0
        log_odds[:, number] += features[:, number]
    machine = labels != "human"
    return ReferenceTexts(
        names=COLUMNS,
        features=features.astype(np.float32),
        log_odds=log_odds,
        deep=np.full((count, len(KINDS)), np.nan),
        labels=labels,
        tools=np.where(machine, np.char.add("tool of ", labels), "human"),
        sources=np.char.add("source ", (np.arange(count) % 2).astype(str)),
        domains=np.where(np.arange(count) % 3 == 0, "news", "review"),
        groups=np.arange(count, dtype=np.int32),
        words=words.astype(np.int32),
        unfamiliar=np.zeros(count),
        changed=np.where(machine, 0.4, np.nan).astype(np.float32),
        house=np.full(count, own),
        keys=rng.integers(1, 2**63, size=count).astype(np.uint64) * np.uint64(own),
    )


def labelled_evidence(count: int, **columns: Any) -> LabelledEvidence:
    """Return the evidence of human texts of one source, which no tier has read; `columns` replaces these columns."""
    none = Runs(np.zeros((0, 3), np.float32), np.zeros(count + 1, np.int64))
    plain: dict[str, Any] = {
        "windows": none,
        "sections": none,
        "features": none,
        "quick": Runs(np.zeros((0, 6), np.float32), np.zeros(count + 1, np.int64)),
        "quick_words": np.zeros(count, np.int64),
        "plain": np.zeros(count, np.bool_),
        "words": np.full(count, 200),
        "unfamiliar": np.zeros(count),
        "reasons": np.full(count, ""),
        "labels": np.full(count, "human"),
        "sources": np.full(count, "news"),
        "makers": np.full(count, "human"),
        "groups": np.full(count, ""),
        "domains": np.full(count, "other"),
        "changed": np.full(count, np.nan, np.float32),
        "ids": np.array([f"text{i}" for i in range(count)]),
    }
    given = {name: values if isinstance(values, Runs) else np.asarray(values) for name, values in columns.items()}
    return LabelledEvidence(**{**plain, **given})


def model() -> Any:
    """Return the parts of a bundle that a Fitter needs: no deep tier, and a decision that is a straight line."""
    tier = tiny.tier(centre=CENTRE, paraphrased=PARAPHRASED, suspect=SUSPECT)
    line = {"deviations": [-1.0, 1.0], "log_odds": [SLOPE, -SLOPE], "between": BETWEEN}
    tier["tails"] = {kind: {**tail, **line} for kind, tail in tier["tails"].items()}
    decision = {**tiny.decision("fast"), "tiers": {"fast": tier}}
    return SimpleNamespace(
        classifier=SimpleNamespace(correction=None), deep=None, decision=Decision.from_manifest(decision)
    )


def scores(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the scores (N,) that `model` gives by log odds (N, 3), computed independently."""
    above = log_odds.max(axis=1) - CENTRE - 1.2816 * BETWEEN
    rate = 3.0 / (1.0 + np.exp(SLOPE * above))  # a third of the budget for each kind
    position = np.log(SUSPECT / rate) / np.log(SUSPECT / PARAPHRASED)
    strong = 1.0 - 0.1 / (1.0 + 0.9 * np.log(9.0) * (position - 1.0))
    return np.where(position > 1.0, strong, 1.0 / (1.0 + np.exp(-np.log(9.0) * position)))


def tiny_base(folder: Path, *, with_deep: bool = False, **manifest: Any) -> bundle.Bundle:
    """Write and load the tiny model with the numbers of 144 texts, half of them human, labelled at random.

    Each kind has too few texts to be one of the parts whose AUROC must not fall.
    """
    rng = np.random.default_rng(8)
    texts = [
        LabelledText(f"t{i}", "human" if i % 2 else KINDS[i % 3], "web", " ".join(sentences), tool="tool")  # type: ignore[arg-type]
        for i, sentences in enumerate(rng.choice(tiny.SENTENCES, size=(144, 9)))
    ]
    saved = deep.save_bundle(folder) if with_deep else tiny.save_bundle(folder)
    with threadpool_limits(limits=1):  # a second thread on a busy machine takes twenty times as long
        known = measured(bundle.load(saved), texts)
    arrays, entry = known.pack()
    seen = np.array([1, 2, 3], dtype=np.uint64)
    complete = {**(deep.manifest() if with_deep else tiny.manifest()), **manifest, "reference": entry}
    tier = deep.tier() if with_deep else None
    bundle.save(folder, complete, tiny.tables(), tiny.tagger(), tiny.classifier(), seen, tier, extra=arrays)
    return bundle.load(folder)


def measured(loaded: bundle.Bundle, texts: Sequence[LabelledText]) -> ReferenceTexts:
    """Return the numbers of texts as reference texts."""
    rows = measure_house(loaded, texts, jobs=1)
    return replace(rows, house=np.zeros(len(rows), bool), keys=np.zeros(len(rows), np.uint64))

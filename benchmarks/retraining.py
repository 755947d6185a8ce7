"""Measure how much retraining on a house's own texts gains there and loses elsewhere.

    python -m benchmarks.retraining [--model BUNDLE] [--texts 30] [--seeds 3] [--json FILE]

Needs only a bundle that contains the numbers of its reference texts. Each source of machine text in one domain serves
as the house in turn. Its tool, its human source and all versions of its originals are removed from the reference, so
that neither the model's answers (the tiers did not learn from the reference) nor the fit know them. A correction is
fitted to a few of the house's texts, the same number of human texts of its domain, and a random half of the remaining
reference. The other texts of the house show the gain; the other half of the reference shows the loss elsewhere.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from threadpoolctl import threadpool_limits

from benchmarks.common import SHORTEST, BenchmarkError, drawn, make_parser, run_main
from unspun.model import bundle
from unspun.model.verdict import KINDS
from unspun.training.calibration.reference import ARRAY, ReferenceTexts
from unspun.training.classifier.classify import BARELY_SPUN
from unspun.training.reporting.metrics import rank_auroc
from unspun.training.retraining.correction import Fitter, parts

LEAST_TESTED = 20
"""Minimum number of texts of each side that measure the gain."""
TESTED = 200
"""Maximum number of human texts of a house that measure the gain; the rest stays in the reference."""
MIXED = ("mixed", "business", "answer", "letter", "other", "conversation", "howto")
"""Domains without human text of their own; human texts of all domains are used instead."""


HOUSE = ("kind", "source", "domain")


@dataclass(frozen=True, slots=True)
class Cell:
    """A house, with the shuffled indices of its machine and human texts in the reference."""

    kind: str
    source: str
    domain: str
    machine: NDArray[np.int64]
    human: NDArray[np.int64]


def cells(reference: ReferenceTexts, least: int, rng: np.random.Generator) -> Iterator[Cell]:
    """Yield the houses that have at least `least` texts of each side."""
    human = (reference.labels == "human") & (reference.words >= SHORTEST)
    for kind in KINDS:
        machine = (reference.labels == kind) & (reference.words >= SHORTEST) & ~(reference.changed < BARELY_SPUN)
        pairs = sorted(set(zip(reference.sources[machine].tolist(), reference.domains[machine].tolist(), strict=True)))
        for source, domain in pairs:
            own = machine & (reference.sources == source) & (reference.domains == domain)
            people = human if domain in MIXED else human & (reference.domains == domain)
            if domain not in MIXED and people.any():  # one source of people: the house's own writers
                names, counts = np.unique(reference.sources[people], return_counts=True)
                people &= reference.sources == names[counts.argmax()]
            if min(own.sum(), people.sum()) >= least:
                places = (rng.permutation(np.flatnonzero(rows)) for rows in (own, people))
                yield Cell(kind, source, domain, *places)


def measure(loaded: bundle.Bundle, reference: ReferenceTexts, cell: Cell, texts: int, rng: np.random.Generator) -> Any:
    """Return the AUROC in the house before and after the correction, by tier, and the losses elsewhere."""
    new = np.concatenate([cell.machine[:texts], cell.human[:texts]])
    tested = np.concatenate([cell.machine[texts:], cell.human[texts : texts + TESTED]])
    known = ~np.isin(reference.tools, np.unique(reference.tools[cell.machine]))
    known &= ~np.isin(reference.groups, reference.groups[np.concatenate([new, tested])])
    if cell.domain not in MIXED:
        known &= reference.sources != reference.sources[cell.human[0]]
    half = rng.random(len(reference)) < 0.5
    fitter = Fitter(loaded, reference.take(known & half))
    fitted = fitter.fit(reference.take(new))
    house, elsewhere = reference.take(tested), reference.take(known & ~half)
    before, after = (_rated(fitter, rows, fitted.correction) for rows in (house, elsewhere))
    answer: dict[str, Any] = {"strength": fitted.strength}
    machine = house.labels == cell.kind
    for tier in before[0]:
        for when, scores in zip(("before", "after"), before, strict=True):
            answer[f"{tier}_{when}"] = rank_auroc(scores[tier][machine], scores[tier][~machine])
    falls = [
        rank_auroc(after[0][tier][part.machine], after[0][tier][part.human])
        - rank_auroc(after[1][tier][part.machine], after[1][tier][part.human])
        for part in parts(elsewhere)
        for tier in after[0]
    ]
    answer["fall_mean"], answer["fall_worst"] = (float(np.mean(falls)), float(np.max(falls))) if falls else (0.0, 0.0)
    return answer


def _rated(fitter: Fitter, rows: ReferenceTexts, correction: Any) -> list[dict[str, NDArray[np.float64]]]:
    added = 0.0 if correction is None else correction.log_odds(rows.features)
    return [fitter.scores(rows), fitter.scores(rows, added)]


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; return the exit status."""
    parser = make_parser("benchmarks.retraining", __doc__, "--json")
    parser.add_argument("--model", default=bundle.SHIPPED, help="bundle to start from (default: the one that ships)")
    parser.add_argument("--texts", type=int, default=30, help="texts of each side to learn from (default: 30)")
    parser.add_argument("--seeds", type=int, default=3, help="random draws of each house's texts (default: 3)")
    return run_main(parser.parse_args(arguments), _measure, _table)


def _measure(options: argparse.Namespace) -> list[dict[str, Any]]:
    loaded = bundle.load(options.model)
    if "reference" not in loaded.manifest:
        raise BenchmarkError(
            f"{options.model}: the model has no reference texts; use one that does, such as the shipped model"
        )
    whole = ReferenceTexts.unpack(bundle.read_extra(loaded, ARRAY), loaded.manifest["reference"])
    reference = whole.take(~whole.house)
    found: dict[tuple[str, str, str], list[dict[str, float]]] = {}
    with threadpool_limits(limits=1):
        for seed in range(options.seeds):
            rng = np.random.default_rng(seed)
            houses = list(cells(reference, options.texts + LEAST_TESTED, rng))
            for cell in track(houses, f"seed {seed}", disable=not sys.stderr.isatty()):
                key = (cell.kind, cell.source, cell.domain)
                found.setdefault(key, []).append(measure(loaded, reference, cell, options.texts, rng))
    rows = [
        dict(zip(HOUSE, house, strict=True))
        | {name: float(np.mean([one[name] for one in several])) for name in several[0]}
        for house, several in found.items()
    ]
    if not rows:
        raise BenchmarkError(f"{options.base}: no source has enough texts; use a smaller --texts")
    return rows


def _table(rows: list[dict[str, Any]]) -> str:
    shown = []
    for kind in (*KINDS, ""):
        chosen = [row for row in rows if kind in ("", row["kind"])]
        shown += [_row(f"{kind}, {row['source']}, {row['domain']}", row) for row in chosen if kind]
        if chosen:
            means = {name: np.mean([row[name] for row in chosen]) for name in chosen[0] if name not in HOUSE}
            shown.append(_row(f"mean of {len(chosen)} {kind}", means))
    return drawn(shown)


def _row(name: str, row: dict[str, Any]) -> dict[str, str]:
    cells = {"house": name}
    for tier in (key.removesuffix("_before") for key in row if key.endswith("_before")):
        before, after = row[f"{tier}_before"], row[f"{tier}_after"]
        cells[f"{tier} AUROC"] = f"{before:.3f} {after:.3f} {after - before:+.3f}"
    return {**cells, "strength": f"{row['strength']:.2f}", "worst fall": f"{row['fall_worst']:.3f}"}


if __name__ == "__main__":
    sys.exit(main())

"""What retraining on a house's own texts gains, and costs elsewhere.

    python -m benchmarks.retraining [--base BUNDLE] [--texts 30] [--seeds 3] [--json FILE]

Needs nothing but a bundle with the numbers of its reference texts. Each source of machine text, in one domain, plays
the house in turn: its tool, its human source and all versions of its originals are taken out of the reference, so that
neither the model's answers (the tiers learned from none of the reference) nor the fit know them; a correction is
fitted to a few of its texts, and as many human ones of its domain, beside a random half of what is left; the other
texts of the house tell the gain, and the other half of the reference what is lost elsewhere.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from threadpoolctl import threadpool_limits

from unspun.model import bundle
from unspun.model.verdict import KINDS
from unspun.training.calibration.reference import ARRAY, ReferenceTexts
from unspun.training.classifier.classify import BARELY_SPUN
from unspun.training.reporting.metrics import rank_auroc
from unspun.training.retraining.correction import Fitter, parts

SHORTEST = 60
LEAST_TESTED = 20
"""Texts of each side that tell the gain, at least."""
TESTED = 200
"""Human texts of a house that tell the gain, at most: the rest stays in the reference."""
MIXED = ("mixed", "business", "answer", "letter", "other", "conversation", "howto")
"""Domains that have no human text of their own: texts of all domains stand for it."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A house: places of its machine and human texts in the reference, each in a random order."""

    kind: str
    source: str
    domain: str
    machine: NDArray[np.int64]
    human: NDArray[np.int64]


def cells(reference: ReferenceTexts, least: int, rng: np.random.Generator) -> Iterator[Cell]:
    """Yield the houses that have at least so many texts of each side."""
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
    """Return what the correction gains in the house, by tier, and loses elsewhere."""
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
    """Run the benchmark; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--base", type=Path, default=bundle.DEFAULT, help="bundle (default: the one that ships)")
    parser.add_argument("--texts", type=int, default=30, help="texts of each side that are learnt from (default: 30)")
    parser.add_argument("--seeds", type=int, default=3, help="drawings of each house's texts (default: 3)")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    options = parser.parse_args(arguments)
    loaded = bundle.load(options.base)
    if "reference" not in loaded.manifest:
        print(f"{options.base}: carries no reference texts", file=sys.stderr)
        return 2
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
        {"kind": kind, "source": source, "domain": domain}
        | {name: float(np.mean([one[name] for one in several])) for name in several[0]}
        for (kind, source, domain), several in found.items()
    ]
    if not rows:
        print(f"{options.base}: no source has texts enough; give fewer (--texts)", file=sys.stderr)
        return 2
    _print(rows)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    return 0


def _print(rows: list[dict[str, Any]]) -> None:
    tiers = [name.removesuffix("_before") for name in rows[0] if name.endswith("_before")]
    print(
        f"{'house':<58}" + "".join(f"{tier + ' AUROC':>24}" for tier in tiers) + f"{'strength':>10}{'worst fall':>12}"
    )
    for kind in (*KINDS, ""):
        chosen = [row for row in rows if kind in ("", row["kind"])]
        for row in chosen if kind else []:
            print(_line(f"{kind}, {row['source']}, {row['domain']}", tiers, row))
        if chosen:
            names = [name for name in chosen[0] if isinstance(chosen[0][name], float)]
            print(
                _line(f"mean of {len(chosen)} {kind}", tiers, {n: np.mean([row[n] for row in chosen]) for n in names})
            )


def _line(name: str, tiers: list[str], row: dict[str, Any]) -> str:
    shown = "".join(
        f"{row[f'{tier}_before']:>9.3f} {row[f'{tier}_after']:.3f} {row[f'{tier}_after'] - row[f'{tier}_before']:+.3f} "
        for tier in tiers
    )
    return f"{name:<58}{shown}{row['strength']:>10.2f}{row['fall_worst']:>12.3f}"


if __name__ == "__main__":
    sys.exit(main())

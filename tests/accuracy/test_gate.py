"""The accuracy gate: fails when the bundle that ships, or the code that runs it, costs accuracy.

Two sets are measured: held-out texts as numbers (`tests/data/accuracy/matrices.npz`, made by
`python -m unspun.training.record.gate ../shared/corpora`), on which the classifier and the decision run; and articles
of our own in `seeds/`, on which everything runs, evidence included. `tests/data/accuracy/floors.toml` has the floors.

The gate only guards against regressions. The held-out texts have the role `test`: never choose or tune anything by
them. For development, measure with `python -m unspun.training.record.accuracy ../shared/corpora --role calibrate`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from unspun.model.comparing.align import substitutions
from unspun.model.detector import Detector
from unspun.model.verdict import Verdict
from unspun.training.corpora.corpus import LabelledText
from unspun.training.record.gate import GateTexts, decide, figures

DATA = Path(__file__).parents[1] / "data" / "accuracy"
SEEDS = Path(__file__).parents[2] / "seeds"
FLOORS: dict[str, dict[str, dict[str, float]]] = tomllib.loads((DATA / "floors.toml").read_text("utf-8"))
DEPTHS = ("auto", "fast")
NOTICES = (3, 5)
"""Numbers of notices from the tutorial that are joined, because a single notice is too short to judge."""


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector.load()


@pytest.fixture(scope="module")
def texts() -> GateTexts:
    return GateTexts.load(DATA / "matrices.npz")


@pytest.fixture(scope="module")
def articles() -> list[tuple[str, str]]:
    """Return articles of our own, each with a version by one of our paraphrasers."""
    pairs = list(_pairs(SEEDS / "examples"))
    notices = list(_pairs(SEEDS / "tutorial"))
    for size in NOTICES:
        for start in range(0, len(notices), size):
            human, spun = zip(*notices[start : start + size], strict=True)
            pairs.append(("\n\n".join(human), "\n\n".join(spun)))
    return pairs


def _pairs(folder: Path) -> Iterator[tuple[str, str]]:
    for spun in sorted((folder / "spun").glob("*.txt")):
        human = folder / "human" / f"{spun.name.partition('.')[0]}.txt"
        yield human.read_text("utf-8"), spun.read_text("utf-8")


def broken(measured: dict[str, float], limits: dict[str, dict[str, float]]) -> str:
    """Return a table of all figures if any of them is beyond its limit, otherwise an empty string."""
    lines, failed = [f"{'figure':<36}{'measured':>10}{'limit':>18}"], False
    for name, limit in limits.items():
        value = measured.get(name, float("nan"))
        kept = limit.get("at_least", -np.inf) <= value <= limit.get("at_most", np.inf)
        shown = ", ".join(f"{bound.replace('_', ' ')} {number:g}" for bound, number in limit.items())
        lines.append(f"{name:<36}{value:>10.4f}{shown:>18}{'' if kept else '  <- BROKEN'}")
        failed |= not kept
    return "\n".join(lines) if failed else ""


def of_articles(detector: Detector, articles: list[tuple[str, str]], depth: str) -> dict[str, float]:
    """Return the gated figures of our own articles: shares of verdicts, and the precision and recall of evidence."""
    human, spun = (
        [detector.score(text, depth=depth, evidence="all") for text in side] for side in zip(*articles, strict=True)
    )
    shown = true = found = replaced = 0
    for (original, text), verdict in zip(articles, spun, strict=True):
        evidence = [(item.start, item.end) for item in verdict.evidence or ()]
        changes = [(pair.start, pair.end) for pair in substitutions(original, text, inflections=True)]
        shown, replaced = shown + len(evidence), replaced + len(changes)
        true += sum(_overlaps(item, changes) for item in evidence)
        found += sum(_overlaps(change, evidence) for change in changes)
    return {
        f"{depth}.human.paraphrased": _share(human, "paraphrased"),
        f"{depth}.human.suspect": _share(human, "paraphrased", "suspect"),
        f"{depth}.spun.paraphrased": _share(spun, "paraphrased"),
        f"{depth}.spun.suspect": _share(spun, "paraphrased", "suspect"),
        f"{depth}.spun.kind": float(np.mean([verdict.kind == "spun" for verdict in spun])),
        f"{depth}.evidence.precision": true / shown,
        f"{depth}.evidence.recall": found / replaced,
        f"{depth}.evidence.per_human_text": float(np.mean([len(verdict.evidence or ()) for verdict in human])),
    }


def _share(verdicts: list[Verdict], *words: str) -> float:
    return float(np.mean([verdict.verdict in words for verdict in verdicts]))


def _overlaps(span: tuple[int, int], others: list[tuple[int, int]]) -> bool:
    return any(start < span[1] and end > span[0] for start, end in others)


def test_held_out_texts_are_judged_as_well_as_before(detector: Detector, texts: GateTexts) -> None:
    measured = figures(texts, {depth: decide(detector, texts, depth) for depth in DEPTHS})
    assert measured.keys() == FLOORS["held_out"].keys()
    assert not broken(measured, FLOORS["held_out"]), "\n" + broken(measured, FLOORS["held_out"])


def test_our_own_articles_are_judged_as_well_as_before(detector: Detector, articles: list[tuple[str, str]]) -> None:
    measured = {}
    for depth in DEPTHS:
        measured |= of_articles(detector, articles, depth)
    assert measured.keys() == FLOORS["own_articles"].keys()
    assert not broken(measured, FLOORS["own_articles"]), "\n" + broken(measured, FLOORS["own_articles"])


@pytest.mark.parametrize("depth", [*DEPTHS, "deep"])
def test_numbers_give_the_verdicts_that_the_text_gets(
    detector: Detector, articles: list[tuple[str, str]], depth: str, tmp_path: Path
) -> None:
    some = [LabelledText(str(i), "human", "own", text) for i, pair in enumerate(articles[4:8]) for text in pair]
    GateTexts.measure(detector, some).save(tmp_path / "some.npz")
    found = decide(detector, GateTexts.load(tmp_path / "some.npz"), depth)
    expected = detector.score_many([text.text for text in some], depth=depth, evidence=False)
    assert found.verdict.tolist() == [verdict.verdict for verdict in expected]
    assert found.depth.tolist() == [verdict.depth for verdict in expected]
    scored = detector.score_many([text.text for text in some], depth=depth, evidence="all")
    assert found.score == pytest.approx([verdict.score for verdict in scored], abs=1e-4)


@pytest.mark.parametrize(
    ("factor", "crossed"),
    [(4.0, "auto.human.suspect"), (0.25, "auto.spun.suspect")],
    ids=["too strict", "too lenient"],
)
def test_other_thresholds_break_the_gate(detector: Detector, texts: GateTexts, factor: float, crossed: str) -> None:
    decision = detector.decision
    for name, tier in decision.tiers.items():
        decision = decision.with_thresholds(name, tier.paraphrased * factor, min(tier.suspect * factor, 0.5))
    other = Detector(replace(detector.bundle, decision=decision))
    table = broken(figures(texts, {depth: decide(other, texts, depth) for depth in DEPTHS}), FLOORS["held_out"])
    assert any(line.startswith(crossed) and "BROKEN" in line for line in table.splitlines())


def test_the_set_contains_only_numbers_and_names_of_sources(texts: GateTexts) -> None:
    arrays = texts.arrays()
    strings = {name for name, values in arrays.items() if values.dtype.kind == "U" and (values != "").any()}
    assert strings <= {"reasons", "labels", "sources", "makers", "domains"}
    assert (DATA / "matrices.npz").stat().st_size < 3_000_000

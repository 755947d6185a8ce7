"""`unspun models diff`: which verdicts change from one model to another, and whether by the score or the threshold."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from model import bundle
from model.detector import Detector
from model.fast import Calibration
from model.verdict import Band, Evidence, ModelInfo, Thresholds, Verdict
from service.difference import Totals, difference
from service.models import ModelFolder
from service.render.difference import DifferenceTable
from tests import deep as tiny_deep
from tests import tables as tiny
from tests.service.fake_detector import FakeDetector
from tests.service.model_variants import line, thresholds
from tests.service.support import Run, cases, why

Unspun = Callable[..., Run]


@pytest.fixture
def articles(tmp_path: Path) -> Path:
    folder = tmp_path / "articles"
    folder.mkdir()
    (folder / "article.txt").write_text(tiny.ARTICLE)
    (folder / "short.txt").write_text("Too short to say.")
    return folder


def moved(target: Path, bias: float) -> Path:
    """Write the tiny model with all scores moved."""
    classifier = tiny.classifier()
    old = classifier.calibration
    calibration = Calibration(old.weights, old.bias + np.array([0.0, bias, bias, bias]))
    manifest = {**tiny.manifest(), "name": "moved"}
    seen = np.array([1], dtype=np.uint64)
    bundle.save(target, manifest, tiny.tables(), tiny.tagger(), replace(classifier, calibration=calibration), seen)
    return target


def test_diff_lists_what_a_threshold_changed(unspun: Unspun, make: Callable[..., Path], articles: Path) -> None:
    before, after = make("a", thresholds=thresholds(0.9, 0.99)), make("b", thresholds=thresholds(0.1, 0.99))
    changed, totals = map(json.loads, unspun("models", "diff", before, after, articles).out.splitlines())
    assert changed["id"].endswith("article.txt")
    assert changed["cause"] == "threshold"
    assert changed["before"]["score"] == changed["after"]["score"]
    assert [changed[when]["verdict"] for when in ("before", "after")] == ["clear", "suspect"]
    assert [changed[when]["thresholds"]["suspect"] for when in ("before", "after")] == [0.9, 0.1]
    assert [changed[when]["model"]["name"] for when in ("before", "after")] == ["a", "b"]
    [change] = totals["totals"]["changes"]
    assert change == {
        "before": {"verdict": "clear", "kind": None},
        "after": {"verdict": "suspect", "kind": changed["after"]["kind"]},
        "documents": 1,
        "causes": {"threshold": 1},
    }
    assert (totals["totals"]["documents"], totals["totals"]["changed"]) == (2, 1)


def test_diff_lists_what_the_score_changed(unspun: Unspun, tiny_bundle: Path, tmp_path: Path, articles: Path) -> None:
    after = moved(tmp_path / "moved", -9.0)
    changed, _ = map(json.loads, unspun("models", "diff", tiny_bundle, after, articles).out.splitlines())
    assert changed["cause"] == "score"
    assert [changed[when]["verdict"] for when in ("before", "after")] == ["paraphrased", "clear"]
    assert changed["before"]["score"] == Detector.load(tiny_bundle).score(tiny.ARTICLE).score
    assert changed["after"]["score"] == Detector.load(after).score(tiny.ARTICLE).score


def test_diff_lists_what_is_judged_by_one_model_only(unspun: Unspun, make: Callable[..., Path], articles: Path) -> None:
    before, after = make("a"), make("b", thresholds=thresholds(0.1, 0.2, minimum_words=1000))
    changed, _ = map(json.loads, unspun("models", "diff", before, after, articles).out.splitlines())
    assert (changed["cause"], changed["after"]["verdict"], changed["after"]["reason"]) == (
        "abstention",
        "abstained",
        "too_short",
    )


def test_diff_of_the_same_model_lists_nothing_and_says_so(
    unspun: Unspun, here: Path, make: Callable[..., Path], articles: Path
) -> None:
    source = make("a")
    ModelFolder(Path("models")).promote(source)
    run = unspun("models", "diff", source, "current", articles)
    [totals] = map(json.loads, run.out.splitlines())
    assert (run.status, totals["totals"]["changed"], totals["totals"]["documents"]) == (0, 0, 2)
    assert "are the same model" in run.errors[0]


def test_diff_tells_what_cannot_be_read_and_goes_on(unspun: Unspun, make: Callable[..., Path], articles: Path) -> None:
    (articles / "binary.txt").write_bytes(bytes(range(256)) * 9)
    run = unspun("models", "diff", make("a"), make("b", thresholds=thresholds(0.9, 0.99)), articles)
    *changed, totals = map(json.loads, run.out.splitlines())
    assert (run.status, len(changed), totals["totals"]["failures"]) == (3, 1, 1)
    assert any("binary.txt" in error for error in run.errors)


def test_diff_reads_standard_input(unspun: Unspun, make: Callable[..., Path]) -> None:
    before, after = make("a"), make("b", thresholds=thresholds(0.9, 0.99))
    records = "".join(json.dumps({"id": id, "text": tiny.ARTICLE}) + "\n" for id in "xy").encode()
    run = unspun("models", "diff", before, after, "-", stdin=records)
    assert [row.get("id") for row in map(json.loads, run.out.splitlines())] == ["x", "y", None]


def test_diff_with_a_depth_that_a_model_lacks_is_told_in_a_line(
    unspun: Unspun, tiny_bundle: Path, tmp_path: Path, articles: Path
) -> None:
    deep = tiny_deep.save_bundle(tmp_path / "deep")
    assert "no deep tier" in line(unspun("models", "diff", "--depth", "deep", deep, tiny_bundle, articles))


def test_diff_with_a_tier_that_only_one_has(unspun: Unspun, tiny_bundle: Path, tmp_path: Path, articles: Path) -> None:
    deep = tiny_deep.save_bundle(tmp_path / "deep")
    changed, _ = map(json.loads, unspun("models", "diff", tiny_bundle, deep, articles).out.splitlines())
    assert [changed[when]["depth"] for when in ("before", "after")] == ["fast", "deep"]


@pytest.mark.parametrize("names", [("missing", "default"), ("current", "default")])
def test_diff_with_a_model_that_is_not_there_is_told_in_a_line(
    names: tuple[str, str], unspun: Unspun, here: Path, articles: Path
) -> None:
    assert "unspun models" in line(unspun("models", "diff", *names, articles))


def test_the_table_of_a_diff_tells_why_and_how_many(unspun: Unspun, make: Callable[..., Path], articles: Path) -> None:
    before, after = make("a", thresholds=thresholds(0.9, 0.99)), make("b", thresholds=thresholds(0.1, 0.99))
    shown = unspun("models", "diff", before, after, articles, "--format", "table").out
    assert re.search(r"clear → suspect \(\w+\), by threshold", shown)
    assert "suspect from 90.00 % → 10.00 %" in shown
    assert "1 of 2 documents are called otherwise" in shown


@pytest.mark.parametrize("case", cases("models_causes.toml"), ids=why)
def test_it_is_told_whether_the_score_or_the_threshold_changed_a_word(case: dict[str, Any]) -> None:
    limits = [
        {"fast": Thresholds(40, (Band(40, *of_model),)), "deep": Thresholds(40, (Band(40, 0.5, 0.9),))}
        for of_model in case["limits"]
    ]
    verdicts = [
        said(limits[i][depth].word(score, 200), score=score, depth=depth)
        for i, (score, depth) in enumerate((case["before"], case["after"]))
    ]
    found = difference(*verdicts, *limits)
    assert found is not None
    assert [found.before.verdict, found.after.verdict] == case["words"]
    assert found.cause == case["cause"]


def said(word: str, **other: Any) -> Verdict:
    """Return a verdict of that word."""
    kind = "spun" if word in ("suspect", "paraphrased") else None
    known = {"id": "a", "score": 0.5, "reason": None, "words": 200, "depth": "fast", "evidence": ()}
    kinds = {"human": 0.5, "spun": 0.5, "translated": 0.0, "rewritten": 0.0}
    model = ModelInfo("m", "1", "0" * 64)
    return Verdict(**{"verdict": word, "kind": kind, "kinds": kinds, "model": model, **known, **other})


LIMITS = {"fast": Thresholds(40, (Band(40, 0.5, 0.9),))}


def evidence(start: int, weight: float, suggestion: str | None = "vision") -> Evidence:
    return Evidence(start, start + 5, "odd word"[:5], suggestion, "substitution", weight)


def test_evidence_that_came_and_went_is_listed_heaviest_first() -> None:
    stays = evidence(0, 3.0)
    before = said("clear", evidence=(stays, evidence(10, 1.0)))
    after = said("suspect", evidence=(replace(stays, weight=2.0), evidence(20, 1.0), evidence(30, 5.0)))
    found = difference(before, after, LIMITS, LIMITS)
    assert found is not None
    assert [piece.start for piece in found.went] == [10]
    assert [piece.start for piece in found.came] == [30, 20]


def test_another_kind_of_the_same_word_is_a_change() -> None:
    found = difference(said("suspect"), said("suspect", kind="translated"), LIMITS, LIMITS)
    assert found is not None
    assert found.cause == "kind"


def test_another_score_of_the_same_word_is_none() -> None:
    assert difference(said("suspect"), said("suspect", score=0.8), LIMITS, LIMITS) is None


def test_the_table_replaces_what_a_terminal_would_obey() -> None:
    hostile = replace(evidence(0, 1.0, "\x1b[31mred"), text="\x1b[2J\u202eodd")
    found = difference(said("clear", id="\x1b]0;x\x07"), said("suspect", evidence=(hostile,)), LIMITS, LIMITS)
    assert found is not None
    shown = DifferenceTable(Console(file=StringIO(), width=80, force_terminal=False)).document(found)
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_totals_count_every_text_once() -> None:
    totals = Totals(FakeDetector().model, FakeDetector().model)
    for before, after in [("clear", "suspect"), ("clear", "suspect"), ("suspect", "clear"), ("clear", "clear")]:
        one, other = said(before), said(after, score=0.6)
        totals.add(one, other, difference(one, other, LIMITS, LIMITS))
    entry = totals.to_dict()
    assert [change["documents"] for change in entry["changes"]] == [2, 1]
    assert entry["verdicts_before"] == {"clear": 3, "suspect": 1}
    assert entry["verdicts_after"] == {"clear": 2, "suspect": 2}

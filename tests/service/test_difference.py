"""`unspun models diff`: the verdicts that differ between two models, and why."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from tests import deep as tiny_deep
from tests import tables as tiny
from tests.cases import why
from tests.service.fake_detector import FakeDetector
from tests.service.model_variants import decision, line
from tests.service.support import Make, Unspun, cases
from unspun.model import bundle
from unspun.model.decision.decision import Decision, TierDecision
from unspun.model.detector import Detector
from unspun.model.verdict import Evidence, ModelInfo, Verdict
from unspun.model.wording import SCALE
from unspun.service.models.difference import LENGTHS, Basis, Totals, difference, evidence_needed, summary
from unspun.service.models.difference_report import DifferenceTable
from unspun.service.models.folder import ModelFolder


@pytest.fixture
def articles(tmp_path: Path) -> Path:
    folder = tmp_path / "articles"
    folder.mkdir()
    (folder / "article.txt").write_text(tiny.ARTICLE)
    (folder / "short.txt").write_text("Too short to say.")
    return folder


def moved(target: Path) -> Path:
    """Write the tiny model with a fast tier that finds more evidence in every text."""
    classifier = tiny.classifier()
    heads = tuple(replace(head, style_bias=80.0) for head in classifier.heads)
    manifest = {**tiny.manifest(), "name": "moved"}
    seen = np.array([1], dtype=np.uint64)
    bundle.save(target, manifest, tiny.tables(), tiny.tagger(), replace(classifier, heads=heads), seen)
    return target


STRICT, LAX = decision(centre=-3.0), decision(centre=3.0)
"""With these decisions, the article is paraphrased, and clear."""


def test_diff_lists_verdicts_changed_by_the_decision(unspun: Unspun, make: Make, articles: Path) -> None:
    before, after = make("a", decision=LAX), make("b", decision=STRICT)
    changed, totals = map(
        json.loads, unspun("models", "diff", "--model", before, "--model", after, articles).out.splitlines()
    )
    assert changed["id"].endswith("article.txt")
    assert changed["cause"] == "decision"
    assert [changed[when]["verdict"] for when in ("before", "after")] == ["clear", "paraphrased"]
    assert changed["before"]["score"] < 0.5 < 0.9 <= changed["after"]["score"]
    assert changed["before"]["false_positive_rate"] > changed["after"]["false_positive_rate"]
    assert [changed[when]["share"] for when in ("before", "after")] == [0.0, 1.0]
    assert [changed[when]["model"]["name"] for when in ("before", "after")] == ["a", "b"]
    [change] = totals["totals"]["changes"]
    assert change == {
        "before": {"verdict": "clear", "kind": None},
        "after": {"verdict": "paraphrased", "kind": changed["after"]["kind"]},
        "documents": 1,
        "causes": {"decision": 1},
    }
    assert (totals["totals"]["documents"], totals["totals"]["changed"]) == (2, 1)


def test_diff_compares_the_decisions(unspun: Unspun, make: Make, articles: Path) -> None:
    before, after = make("a", decision=LAX), make("b", decision=STRICT)
    *_, totals = map(
        json.loads, unspun("models", "diff", "--model", before, "--model", after, articles).out.splitlines()
    )
    expected = {
        name: summary(Decision.from_manifest(of_model)) for name, of_model in (("before", LAX), ("after", STRICT))
    }
    assert totals["totals"]["decisions"] == expected


def test_diff_lists_verdicts_changed_by_the_evidence(
    unspun: Unspun, tiny_bundle: Path, tmp_path: Path, articles: Path
) -> None:
    after = moved(tmp_path / "moved")
    changed, _ = map(
        json.loads, unspun("models", "diff", "--model", tiny_bundle, "--model", after, articles).out.splitlines()
    )
    assert changed["cause"] == "evidence"
    assert [changed[when]["verdict"] for when in ("before", "after")] == ["clear", "paraphrased"]
    assert changed["before"]["score"] == Detector.load(tiny_bundle).score(tiny.ARTICLE).score
    assert changed["after"]["score"] == Detector.load(after).score(tiny.ARTICLE).score


def test_diff_lists_texts_that_only_one_model_judges(unspun: Unspun, make: Make, articles: Path) -> None:
    before, after = make("a"), make("b", decision=decision(minimum_words=1000))
    changed, _ = map(
        json.loads, unspun("models", "diff", "--model", before, "--model", after, articles).out.splitlines()
    )
    assert (changed["cause"], changed["after"]["verdict"], changed["after"]["reason"]) == (
        "abstention",
        "abstained",
        "too_short",
    )
    assert [changed["after"][name] for name in ("score", "false_positive_rate", "share")] == [None] * 3


def test_diff_of_the_same_model_warns_and_lists_nothing(unspun: Unspun, here: Path, make: Make, articles: Path) -> None:
    source = make("a")
    ModelFolder(Path("models")).promote(source)
    run = unspun("models", "diff", "--model", source, "--model", "current", articles)
    [totals] = map(json.loads, run.out.splitlines())
    assert (run.status, totals["totals"]["changed"], totals["totals"]["documents"]) == (0, 0, 2)
    assert "are the same model" in run.errors[0]


def test_diff_reports_unreadable_files_and_continues(unspun: Unspun, make: Make, articles: Path) -> None:
    (articles / "binary.txt").write_bytes(bytes(range(256)) * 9)
    run = unspun("models", "diff", "--model", make("a"), "--model", make("b", decision=STRICT), articles)
    *changed, totals = map(json.loads, run.out.splitlines())
    assert (run.status, len(changed), totals["totals"]["failures"]) == (3, 1, 1)
    assert any("binary.txt" in error for error in run.errors)


def test_diff_reads_standard_input(unspun: Unspun, make: Make) -> None:
    before, after = make("a"), make("b", decision=STRICT)
    records = "".join(json.dumps({"id": id, "text": tiny.ARTICLE}) + "\n" for id in "xy").encode()
    run = unspun("models", "diff", "--model", before, "--model", after, "-", stdin=records)
    assert [row.get("id") for row in map(json.loads, run.out.splitlines())] == ["x", "y", None]


def test_diff_reports_a_missing_tier_on_one_line(
    unspun: Unspun, tiny_bundle: Path, tmp_path: Path, articles: Path
) -> None:
    deep = tiny_deep.save_bundle(tmp_path / "deep")
    assert "no deep tier" in line(
        unspun("models", "diff", "--depth", "deep", "--model", deep, "--model", tiny_bundle, articles)
    )


def test_diff_shows_a_change_of_tier(unspun: Unspun, make: Make, tmp_path: Path) -> None:
    (tmp_path / "spun.txt").write_text(tiny_deep.SPUN_ARTICLE)
    deep = tiny_deep.save_bundle(tmp_path / "deep")
    before = make("a", decision=LAX)
    changed, _ = map(
        json.loads,
        unspun(
            "models", "diff", "--depth", "auto", "--model", before, "--model", deep, tmp_path / "spun.txt"
        ).out.splitlines(),
    )
    assert [changed[when]["depth"] for when in ("before", "after")] == ["fast", "deep"]
    assert changed["cause"] == "tier"


@pytest.mark.parametrize("names", [("missing", "default"), ("current", "default")])
def test_diff_reports_a_missing_model_on_one_line(
    names: tuple[str, str], unspun: Unspun, here: Path, articles: Path
) -> None:
    before, after = names
    assert "unspun models" in line(unspun("models", "diff", "--model", before, "--model", after, articles))


def test_one_model_is_compared_with_the_one_in_use(unspun: Unspun, make: Make, articles: Path, here: Path) -> None:
    ModelFolder(Path("models")).promote(make("a", decision=LAX))
    *_, totals = map(json.loads, unspun("models", "diff", "--model", make("b"), articles).out.splitlines())
    assert [totals["totals"][when]["name"] for when in ("before", "after")] == ["a", "b"]


def test_the_table_of_a_diff_shows_reasons_and_counts(unspun: Unspun, make: Make, articles: Path) -> None:
    before, after = make("a", decision=LAX), make("b", decision=STRICT)
    shown = unspun("models", "diff", "--model", before, "--model", after, articles, "--format", "table").out
    assert re.search(r"clear → paraphrased \(\w+\), by decision", shown)
    assert re.search(r"score \d+\.\d\d % → 9\d\.\d\d %, false-positive rate 1 → 0\.00\d", shown)
    assert "1 of 2 documents got another verdict" in shown
    assert f"A score is {SCALE}." in shown


def test_the_table_of_a_diff_shows_the_evidence_that_each_model_needs(
    unspun: Unspun, make: Make, articles: Path
) -> None:
    before, after = make("a", decision=LAX), make("b", decision=STRICT)
    shown = unspun("models", "diff", "--model", before, "--model", after, articles, "--format", "table").out
    [row] = [line for line in shown.splitlines() if line.split()[:2] == ["fast", "spun"]]
    assert row.split()[2:5] == ["4.23", "→", "-1.77"]
    assert row.endswith("33 %       1")


def test_the_table_of_a_diff_says_if_only_the_evidence_differs(
    unspun: Unspun, tiny_bundle: Path, tmp_path: Path, articles: Path
) -> None:
    shown = unspun(
        "models", "diff", "--model", tiny_bundle, "--model", moved(tmp_path / "moved"), articles, "--format", "table"
    ).out
    assert shown.splitlines()[-1] == "Both models reach the same verdict on the same evidence."


@pytest.mark.parametrize("case", cases("models_causes.toml"), ids=why)
def test_the_cause_is_the_evidence_or_the_decision(case: dict[str, Any]) -> None:
    """Human evidence has the given centre, and is suspect 1.23 above it, paraphrased 1.81."""
    bases = [basis(*case[when]) for when in ("before", "after")]
    verdicts = [said(found.word(found.tier), depth=case[when][2]) for found, when in zip(bases, WHEN, strict=True)]
    found = difference(*verdicts, lambda: (bases[0], bases[1]))
    assert found is not None
    assert [found.before.verdict, found.after.verdict] == case["words"]
    assert found.cause == case["cause"]


WHEN = ("before", "after")


def basis(evidence: float, centre: float, depth: str) -> Basis:
    """Return the basis of a verdict: evidence for one kind, and a tier that is the same for all lengths."""
    tier = TierDecision.from_manifest(tiny.tier(centre=centre))
    return Basis(tier, np.array([[evidence, -9.0, -9.0]]), np.array([200]), np.zeros(1))


def never() -> tuple[Basis, Basis]:
    raise AssertionError("nothing needs to be measured")


@pytest.mark.parametrize("word", ["suspect", "paraphrased"])
@pytest.mark.parametrize("factor", [1.0, 7.0])
def test_the_evidence_needed_is_where_the_verdict_changes(word: str, factor: float) -> None:
    tier = TierDecision.from_manifest({**tiny.tier(), "factors": {"spun": factor}})
    needed = evidence_needed(tier, tier.suspect if word == "suspect" else tier.paraphrased)
    for length, evidence in zip(LENGTHS, needed[:, 0], strict=True):
        at = [
            Basis(tier, np.array([[evidence + step, -9.0, -9.0]]), np.array([length]), np.zeros(1)).word(tier)
            for step in (-1e-6, 1e-6)
        ]
        assert at == {"suspect": ["clear", "suspect"], "paraphrased": ["suspect", "paraphrased"]}[word]


def said(word: str, **other: Any) -> Verdict:
    """Return a verdict with a given word."""
    kind = "spun" if word in ("suspect", "paraphrased") else None
    known = {"id": "a", "score": 0.5, "false_positive_rate": 0.02, "share": 1.0, "reason": None, "words": 200}
    rest = {"kinds": {"spun": 0.5, "translated": 0.0, "rewritten": 0.0}, "depth": "fast", "repairs": (), "evidence": ()}
    model = ModelInfo("m", "1", "0" * 64)
    return Verdict(**{"verdict": word, "kind": kind, "model": model, **known, **rest, **other})


def evidence(start: int, weight: float, suggestion: str | None = "vision") -> Evidence:
    return Evidence(start, start + 5, "odd word"[:5], suggestion, "substitution", weight)


def alike() -> tuple[Basis, Basis]:
    return basis(0.0, 0.0, "fast"), basis(9.0, 0.0, "fast")


def test_gained_and_lost_evidence_is_listed_heaviest_first() -> None:
    stays = evidence(0, 3.0)
    before = said("clear", evidence=(stays, evidence(10, 1.0)))
    after = said("suspect", evidence=(replace(stays, weight=2.0), evidence(20, 1.0), evidence(30, 5.0)))
    found = difference(before, after, alike)
    assert found is not None
    assert [piece.start for piece in found.went] == [10]
    assert [piece.start for piece in found.came] == [30, 20]


def test_another_kind_is_a_difference() -> None:
    found = difference(said("suspect"), said("suspect", kind="translated"), never)
    assert found is not None
    assert found.cause == "kind"


def test_another_score_alone_is_not_a_difference() -> None:
    assert difference(said("suspect"), said("suspect", score=0.8), never) is None


def test_the_table_replaces_control_characters() -> None:
    hostile = replace(evidence(0, 1.0, "\x1b[31mred"), text="\x1b[2J\u202eodd")
    found = difference(said("clear", id="\x1b]0;x\x07"), said("suspect", evidence=(hostile,)), alike)
    assert found is not None
    shown = DifferenceTable(Console(file=StringIO(), width=80, force_terminal=False)).document(found)
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_totals_count_every_text_once() -> None:
    one_decision = Decision.from_manifest(tiny.decision("fast"))
    totals = Totals(FakeDetector().model, FakeDetector().model, (one_decision, one_decision))
    for before, after in [("clear", "suspect"), ("clear", "suspect"), ("suspect", "clear"), ("clear", "clear")]:
        one, other = said(before), said(after, score=0.6)
        totals.add(one, other, difference(one, other, alike))
    entry = totals.to_dict()
    assert [change["documents"] for change in entry["changes"]] == [2, 1]
    assert entry["verdicts_before"] == {"clear": 3, "suspect": 1}
    assert entry["verdicts_after"] == {"clear": 2, "suspect": 2}


def test_an_abstention_is_shown_without_a_score() -> None:
    nothing = {"kinds": None, "score": None, "false_positive_rate": None, "share": None, "reason": "unfamiliar"}
    found = difference(said("suspect"), said("abstained", **nothing), never)
    assert found is not None
    shown = DifferenceTable(Console(file=StringIO(), width=80, force_terminal=False)).document(found)
    assert "suspect (spun) → abstained (unfamiliar)" in shown
    assert "score 50.00 % → -, false-positive rate 0.02 → -" in shown

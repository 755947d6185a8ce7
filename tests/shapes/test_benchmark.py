"""benchmarks/shapes.py, its transformations, and benchmarks/verdict_changes.py."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks import shapes, verdict_changes
from benchmarks.common import EXAMPLES, BenchmarkError
from benchmarks.transformations import TRANSFORMATIONS
from tests.cases import cases

if TYPE_CHECKING:
    from unspun.model.detector import Detector

TEXT = (EXAMPLES / "human" / "01-harbour-swimmers.txt").read_text("utf-8")
SAME_LETTERS = [
    name for name, one in TRANSFORMATIONS.items() if one.counts and one.group in ("case", "quotes", "layout")
]


INNOCENT = [name for name, one in TRANSFORMATIONS.items() if one.group == "innocent"]
EDITED = [name for name in INNOCENT if TRANSFORMATIONS[name].counts_for_people]
RETEXT = {"simplified", "inclusive_language", "usage_corrected"}
HUMAN = [path.read_text("utf-8") for path in sorted((EXAMPLES / "human").glob("*.txt"))]


def letters(text: str) -> Counter[str]:
    return Counter(letter for letter in text.lower() if letter.isalpha())


def test_at_least_forty_shapes_count() -> None:
    assert sum(one.counts for one in TRANSFORMATIONS.values()) >= 40


@pytest.mark.parametrize("name", [name for name in TRANSFORMATIONS if name not in INNOCENT])
def test_a_shape_is_described_and_has_text(name: str) -> None:
    one = TRANSFORMATIONS[name]
    assert one.change.__doc__
    assert len(one.change(TEXT)) > len(TEXT) / 2


def edited(name: str, text: str) -> str:
    """Return a text after an innocent edit; skip the test if the tool is missing."""
    try:
        return TRANSFORMATIONS[name].change(text)
    except BenchmarkError as error:
        pytest.skip(str(error))


@pytest.mark.integration
@pytest.mark.parametrize("name", EDITED)
def test_a_text_by_a_person_stays_clear_after_an_innocent_edit(name: str, shipped: Detector) -> None:
    before, after = (
        shipped.score_many(texts, evidence=False) for texts in (HUMAN, [edited(name, text) for text in HUMAN])
    )
    clear = [verdict for verdict, was in zip(after, before, strict=True) if was.verdict == "clear"]
    assert len(clear) >= 5
    assert {verdict.verdict for verdict in clear} == {"clear"}


def test_at_least_three_of_six_innocent_edits_are_by_tools_that_training_never_used() -> None:
    trained = {"grammar_checked", "american_spelling"}
    assert len(EDITED) >= 6
    assert len({*EDITED} - trained) >= 3


@pytest.mark.integration
@pytest.mark.parametrize("case", cases("innocent.toml"), ids=lambda case: case["name"])
def test_an_innocent_edit_makes_the_changes_of_its_tool(case: dict[str, Any]) -> None:
    assert edited(case["name"], case["text"]) == case["edited"]


@pytest.mark.parametrize("name", SAME_LETTERS)
def test_a_shape_that_counts_loses_no_letters(name: str) -> None:
    assert not letters(TEXT) - letters(TRANSFORMATIONS[name].change(TEXT))


def row(**fields: Any) -> dict[str, Any]:
    return {"shape": "capitals", "found before": 100, "lost": 0, "clear before": 100, "added": 0} | fields


@pytest.mark.parametrize(
    ("fields", "number"),
    [
        ({"lost": 5, "added": 2}, 0),  # at the bounds
        ({"lost": 6, "added": 3}, 2),
        ({"lost": 6, "shape": "article_below"}, 0),  # clean prose was added: it does not count
        ({"lost": 6, "shape": "simplified"}, 0),  # an innocent edit may hide a paraphrase ...
        ({"added": 3, "shape": "simplified"}, 1),  # ... but must not make one of a text by a person
    ],
)
def test_bounds(fields: dict[str, Any], number: int) -> None:
    assert len(list(shapes.broken([row(**fields)]))) == number


def test_the_examples_are_measured_without_the_corpora(tmp_path: Path, shipped: Detector) -> None:
    figures = tmp_path / "figures.json"
    status = shapes.main(
        ["--corpus", str(tmp_path / "none"), "--depth", "fast", "--only", "tabs", "--json", str(figures)]
    )
    measured = json.loads(figures.read_text())
    [shape] = measured["shapes"]
    assert (status, measured["texts"]["human"], shape["lost"], shape["added"]) == (0, 6, 0, 0)


def line(verdict: str, label: str = "human", digest: str = "1") -> dict[str, Any]:
    return {"label": label, "digest": digest, "verdict": verdict, "reason": None, "kind": None} | dict.fromkeys(
        verdict_changes.SHOWN
    )


def test_changed_verdicts_are_listed_with_the_worse_ones_first(capsys: pytest.CaptureFixture[str]) -> None:
    old = {"a": line("suspect"), "b": line("clear"), "c": line("clear"), "d": line("suspect", "spun")}
    new = {"a": line("clear"), "b": line("suspect", digest="2"), "c": line("clear"), "d": line("paraphrased", "spun")}
    assert verdict_changes.compare(old, new) == 1
    summary, *lines = capsys.readouterr().out.splitlines()
    assert summary == "4 texts, 1 parsed differently, 3 verdicts changed, 1 worse"
    assert [one.partition(";")[0] for one in lines[-3:]] == [
        "worse b (human): clear > suspect, parse",
        "a (human): suspect > clear, decision",
        "d (spun): suspect > paraphrased, decision",
    ]

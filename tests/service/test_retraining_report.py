"""The report of a retrained model: a self-contained page with the figures of its manifest."""

from __future__ import annotations

import base64
import tomllib
from pathlib import Path
from typing import Any

import lxml.html
import numpy as np
import pytest

from tests.service.pages import assert_self_contained
from tests.training.references import reference
from unspun.service.render.retraining import figures, render
from unspun.training.reporting import plots
from unspun.training.reporting.tables import tables
from unspun.training.retraining.adapt import CrossValidated, Retrained

MANIFEST = Path(__file__).parents[1] / "data" / "training" / "retraining_manifest.toml"


@pytest.fixture
def manifest() -> dict[str, Any]:
    return tomllib.loads(MANIFEST.read_text("utf-8"))


def retrained(manifest: dict[str, Any], counts: dict[str, int] | None = None) -> Retrained:
    """Return a model with answers to some texts, as `training.adapt.retrain` does."""
    rows = reference({"human": 40, "spun": 31} if counts is None else counts)
    rng = np.random.default_rng(0)
    tiers = manifest["comparison"]["tiers"]
    before, after = ({tier: rng.random(len(rows)) for tier in tiers} for _ in range(2))
    return Retrained(manifest, CrossValidated(rows, before, after))


def page_of(retrained: Retrained) -> Any:
    page, _ = render(retrained)
    return lxml.html.document_fromstring(page)


def test_the_page_is_self_contained(manifest: dict[str, Any]) -> None:
    page, _ = render(retrained(manifest))
    assert_self_contained(page)
    assert not lxml.html.document_fromstring(page).cssselect("script, iframe")


def test_plots_are_in_the_page_with_descriptions(manifest: dict[str, Any]) -> None:
    pytest.importorskip("matplotlib")
    page, missing = render(retrained(manifest))
    assert missing == ""
    images = lxml.html.document_fromstring(page).cssselect("img")
    assert len(images) == 2
    for image in images:
        assert image.get("alt")
        assert base64.b64decode(image.get("src").partition(",")[2]).startswith(b"\x89PNG")


def test_without_matplotlib_the_page_says_what_is_missing(
    manifest: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise plots.PlotError("matplotlib is not installed: pip install 'unspun[train]'")

    monkeypatch.setattr("unspun.service.render.retraining.plot_roc", refuse)
    page, missing = render(retrained(manifest))
    assert missing == "the report has no plots: matplotlib is not installed: pip install 'unspun[train]'"
    assert "The report has no plots" in page
    assert "<img" not in page


def test_texts_of_one_class_have_no_plots(manifest: dict[str, Any]) -> None:
    page, missing = render(retrained(manifest, {"human": 5}))
    assert missing == ""
    assert "<img" not in page


def lead(manifest: dict[str, Any]) -> str:
    [paragraph] = page_of(retrained(manifest, {"human": 1})).cssselect("p.lead")
    return " ".join(paragraph.text_content().split())


def test_the_page_starts_with_the_accuracy(manifest: dict[str, Any]) -> None:
    assert lead(manifest) == "On your texts, the AUROC is 0.940; it was 0.871 with tiny 2.1.0, the model before."


def test_the_page_of_a_worse_model_starts_with_a_warning(manifest: dict[str, Any]) -> None:
    manifest["comparison"]["worse"] = True
    assert lead(manifest).startswith("Worse. On your texts, the AUROC is 0.940")
    assert lead(manifest).endswith("Do not use the new model.")


def test_a_model_that_learned_nothing_is_reported(manifest: dict[str, Any]) -> None:
    manifest["comparison"]["strength"] = 0.0
    assert lead(manifest).startswith("Nothing learned.")
    assert "tiny 2.1.0" in lead(manifest)


def next_steps(manifest: dict[str, Any]) -> str:
    return " ".join(page_of(retrained(manifest, {"human": 1})).cssselect("section")[-1].text_content().split())


def test_a_better_model_is_to_be_promoted(manifest: dict[str, Any]) -> None:
    assert "unspun models promote --model BUNDLE" in next_steps(manifest)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"worse": True}, "Keep the model before, tiny 2.1.0. For a better one, check the labels"),
        ({"worse": True, "swapped": True}, "Check which texts were given to --human"),
        ({"strength": 0.0}, "the new one does not differ"),
    ],
)
def test_a_model_that_should_not_be_used_is_never_to_be_promoted(
    changed: dict[str, Any], said: str, manifest: dict[str, Any]
) -> None:
    manifest["comparison"].update(changed)
    assert said in next_steps(manifest)
    assert "promote" not in render(retrained(manifest))[0]


def test_a_model_that_was_not_measured_is_to_be_measured(manifest: dict[str, Any]) -> None:
    compared = manifest["comparison"]
    compared["tiers"] = {tier: {"kinds": [], "all": None, "called": []} for tier in compared["tiers"]}
    assert "unspun evaluate --model BUNDLE" in next_steps(manifest)


def test_swapped_labels_are_reported(manifest: dict[str, Any]) -> None:
    manifest["comparison"].update(worse=True, swapped=True)
    assert lead(manifest).startswith("The labels seem to be swapped.")
    assert lead(manifest).endswith("Do not use the new model.")


def test_too_few_texts_are_reported(manifest: dict[str, Any]) -> None:
    compared = manifest["comparison"]
    compared["texts"] = {}
    compared["tiers"] = {tier: {"kinds": [], "all": None, "called": []} for tier in compared["tiers"]}
    assert lead(manifest) == "There were too few texts to measure the new model."


def test_names_cannot_break_out_of_the_page(manifest: dict[str, Any]) -> None:
    hostile = '"><script>alert(1)</script><img src=http://example.org/x>'
    manifest["name"] = manifest["version"] = manifest["comparison"]["with"]["name"] = hostile
    manifest["comparison"]["elsewhere"]["where"] = hostile
    manifest["comparison"]["left_out"] = {hostile: 1}
    page = page_of(retrained(manifest, {"human": 1}))
    assert not page.cssselect("script, img")
    assert hostile in page.text_content()


def shown(manifest: dict[str, Any]) -> dict[str, list[tuple[str, ...]]]:
    return {table.titles[0]: list(table.rows) for table in tables(figures(manifest["comparison"]))}


def test_tables_name_the_tier(manifest: dict[str, Any]) -> None:
    assert shown(manifest)["separation of the kinds, on your texts"] == [
        ("fast tier", "spun", "31", "0.802", "0.913"),
        ("deep tier", "spun", "31", "0.871", "0.940"),
    ]
    called = shown(manifest)["verdicts, on your texts"]
    assert called[0] == ("fast tier", "human", "suspect", "400", "30", "20", "5.00 % (3.26-7.59)")


def test_several_kinds_have_a_row_for_all_of_them(manifest: dict[str, Any]) -> None:
    fast = manifest["comparison"]["tiers"]["fast"]
    fast["kinds"].append({"kind": "rewritten", "texts": 12, "auroc_before": 0.7, "auroc_after": 0.8})
    rows = [row for row in shown(manifest)["separation of the kinds, on your texts"] if row[0] == "fast tier"]
    assert rows[-1] == ("fast tier", "all", "43", "0.802", "0.913")


def test_left_out_texts_are_listed(manifest: dict[str, Any]) -> None:
    assert ("duplicates", "2") in shown(manifest)["left out"]


@pytest.mark.parametrize(("unit", "said"), [("source", "trained on other sources only"), ("text", "may be too good")])
def test_notes_say_how_the_texts_were_split(manifest: dict[str, Any], unit: str, said: str) -> None:
    manifest["comparison"]["parted_by"] = unit
    note = figures(manifest["comparison"])["separation of the kinds, on your texts"]["note"]
    assert said in note
    assert "Against 400 human texts." in note


def test_few_texts_cause_a_warning(manifest: dict[str, Any]) -> None:
    def note() -> str:
        return str(figures(manifest["comparison"])["separation of the kinds, on your texts"]["note"])

    assert "fewer than" not in note()
    manifest["comparison"]["texts"]["spun"] = 29
    assert "There are fewer than 30 texts of a kind, so the figures may be off by several hundredths." in note()


@pytest.mark.parametrize("changed", [{"strength": 0.0}, {"worse": True}, {"left_out": {}}])
def test_the_same_model_gives_the_same_page(manifest: dict[str, Any], changed: dict[str, Any]) -> None:
    manifest["comparison"].update(changed)
    assert render(retrained(manifest))[0] == render(retrained(manifest))[0]

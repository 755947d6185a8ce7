"""training/reporting/card.py: the card shows what is in the manifest, and nothing else."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unspun.model.bundle import DEFAULT, MANIFEST
from unspun.training.reporting.card import CARD, main, render_card

MANIFEST_TOML = Path(__file__).parents[1] / "data" / "training" / "manifest.toml"


@pytest.fixture
def manifest() -> dict[str, Any]:
    return tomllib.loads(MANIFEST_TOML.read_text("utf-8"))


@pytest.fixture
def card(manifest: dict[str, Any]) -> str:
    return render_card(manifest)


def row(card: str, first: str) -> list[str]:
    """Return the cells of the table row with this first cell."""
    (line,) = [line for line in card.splitlines() if re.match(rf"\| {re.escape(first)} +\|", line)]
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def section(card: str, heading: str) -> str:
    """Return the text under a second-level heading."""
    return card.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def test_the_shipped_model_has_the_card_of_its_manifest() -> None:
    """The card in the shipped bundle is older than the module's path and the wording of the signals."""

    def without_wording(card: str) -> list[str]:
        signals = section(card, "How it works")
        lines = card.replace("python -m training.card`", "python -m unspun.training.reporting.card`").splitlines()
        return [line.rpartition("|")[0].rpartition("|")[0] if line in signals else line for line in lines if line]

    manifest = json.loads((DEFAULT / MANIFEST).read_text("utf-8"))
    assert without_wording((DEFAULT / CARD).read_text("utf-8")) == without_wording(render_card(manifest))


def test_the_card_starts_with_name_and_version(card: str) -> None:
    assert card.startswith("# Model card: tiny 2.1.0\n")


@pytest.mark.parametrize(
    ("heading", "cells"),
    [
        ("What it tells, and at which score", ["fast", "0.0312", "0.00234", "0.5", "0.3", "0.2"]),
        ("What it tells, and at which score", ["deep", "0.028", "0.0041", "0.6", "0.2", "0.2"]),
        ("The deep tier", ["doubt", "0.021", "0.021", "0.021"]),
        ("The deep tier", ["weight of the fast tier", "0.400", "0.250", "0.000"]),
        ("What each part was fitted on", ["tables", "train", "1", "0"]),
        ("What each part was fitted on", ["classifier", "train", "2", "1"]),
        ("What each part was fitted on", ["decision", "calibrate", "1", "1"]),
        ("How it works", ["horoscope", "1", ""]),  # an unknown signal has no question
        ("What it learned from", ["town_news", "1,200", "human", "CC BY 4.0 \\| town hall"]),
        ("What it learned from", ["spinner", "3", "spun 2, human 1", ""]),
        ("What it learned from", ["WordNet 3.0", "WordNet licence"]),
        ("How good it is", ["pwws", "1,350", "0.921 (0.902-0.934)", "61.2 %"]),
        ("How good it is", ["ellipse_learners", "480", "0.62 % (0.21-1.80)"]),
        ("How to train it again", ["vocabulary", "50,000"]),
        ("How to train it again", ["seed", "20221114"]),
        ("How to train it again", ["libraries", "numpy 2.4.6, scikit-learn 1.9.1"]),
        ("Files", ["`words.txt`", "`aaaaaaaaaaaaaaaa...`"]),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_rows_of_tables(card: str, heading: str, cells: list[str]) -> None:
    assert row(section(card, heading), cells[0]) == cells


@pytest.mark.parametrize(
    ("heading", "sentence"),
    [
        ("What it tells, and at which score", "fewer than 40 words get no verdict"),
        ("What it tells, and at which score", "an unfamiliarity above 3.21"),
        ("What it tells, and at which score", "No `false_positive_rate` below 0.002 is stated"),
        ("What it tells, and at which score", "0.5 is the threshold of `suspect` and 0.9 that of\n`paraphrased`"),
        ("What it tells, and at which score", "The score is not a probability"),
        # Parts that share a list of sources or makers are listed together.
        ("What each part was fitted on", "Sources of the tables and the tagger: town_news."),
        ("What each part was fitted on", "Makers of the decision: dipper."),
        ("How it works", "read 5 numbers"),
        ("What it learned from", "1,203 texts of 2 sources"),
        ("What it learned from", "5f70bf18"),
    ],
)
def test_sentences(card: str, heading: str, sentence: str) -> None:
    assert sentence in section(card, heading)


def test_known_signals_are_counted_and_explained(card: str) -> None:
    shown = section(card, "How it works")
    assert row(shown, "frequency")[1] == "2"
    assert row(shown, "misfit")[2]


def test_a_model_without_a_deep_tier_does_not_mention_one(manifest: dict[str, Any]) -> None:
    del manifest["deep"]
    assert "The deep tier" not in render_card(manifest)


def test_each_accuracy_table_has_a_heading(card: str) -> None:
    shown = section(card, "How good it is")
    assert re.findall(r"^#+ .*", shown, re.M) == ["### Found", "#### Tools", "### False positives by source"]


def test_notes_come_before_their_tables(card: str) -> None:
    shown = section(card, "How good it is")
    assert (
        shown.index("Measured on sources") < shown.index("### Found") < shown.index("Against all") < shown.index("pwws")
    )


def test_every_card_states_the_limits() -> None:
    assert "not proof" in section(render_card({}), "What it does not tell")


def test_the_card_leaves_out_what_the_manifest_leaves_out() -> None:
    headings = re.findall(r"^## (.*)", render_card({}), re.M)
    assert headings == ["What it is for", "How good it is", "What it does not tell", "How to train it again"]
    assert "Not measured" in render_card({})


def test_all_rows_of_a_table_have_as_many_cells(card: str) -> None:
    tables = re.findall(r"(?:^\|.*\|\n)+", card, re.M)
    assert len(tables) >= 8
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1
        assert re.fullmatch(r"\|( -+[:-] \|)+", table.splitlines()[1])


plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text()


@settings(max_examples=40)
@given(st.recursive(plain, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12))
def test_any_accuracy_is_rendered_the_same_every_time(accuracy: Any) -> None:
    assert render_card({"accuracy": accuracy}) == render_card({"accuracy": accuracy})


def test_the_card_is_printed(manifest: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / MANIFEST).write_text(json.dumps(manifest), "utf-8")
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out == render_card(manifest)


@pytest.mark.parametrize(("content", "reason"), [(None, "No such file"), ("{", "not valid JSON")])
def test_a_folder_without_a_readable_manifest_is_reported_in_one_line(
    content: str | None, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (tmp_path / MANIFEST).write_text(content)
    assert main([str(tmp_path)]) == 1
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert reason in printed.err


# --- models for a user's own texts


@pytest.fixture
def house() -> dict[str, Any]:
    return tomllib.loads((MANIFEST_TOML.parent / "retraining_manifest.toml").read_text("utf-8"))


COMPARED, CALIBRATED = "Compared with the model that it was retrained from", "Calibrated on"


def test_the_card_of_a_retrained_model_compares_it_with_its_base(house: dict[str, Any]) -> None:
    shown = section(render_card(house), COMPARED)
    assert "Retrained from tiny 2.1.0 on 1,061 texts of a house (human 1,030, spun 31), seed 7" in shown
    assert "parted by source" in shown
    assert row(shown, "fast") == ["fast", "spun", "31", "0.802", "0.913"]
    assert row(shown, "deep") == ["deep", "spun", "31", "0.871", "0.940"]
    assert "do not use" not in shown
    assert "Nothing was learnt" not in shown
    assert "no part of the texts that tiny 2.1.0 was made with loses more than 0.002 of AUROC" in shown


def test_the_card_says_that_the_model_learnt_nothing(house: dict[str, Any]) -> None:
    house["comparison"]["strength"] = 0.0
    assert "it scores as tiny 2.1.0 does" in section(render_card(house), COMPARED)


def test_the_card_says_that_the_model_is_worse(house: dict[str, Any]) -> None:
    house["comparison"]["worse"] = True
    assert "It tells these texts less well than tiny 2.1.0: do not use it" in section(render_card(house), COMPARED)


def test_the_card_says_that_there_were_too_few_texts_for_a_comparison(house: dict[str, Any]) -> None:
    house["comparison"]["tiers"] = {"fast": {"kinds": [], "all": None, "called": []}}
    assert "too few new texts to tell" in section(render_card(house), COMPARED)


def test_the_card_of_a_calibrated_model_says_how_many_texts_were_used(house: dict[str, Any]) -> None:
    shown = section(render_card(house), CALIBRATED)
    assert "A user's own human text set how strict this model is; before, it was ours 1.0.0" in shown
    [line] = [line for line in shown.splitlines() if "| suspect " in line]
    cells = [cell.strip() for cell in line.split("|")[1:-1]]
    assert cells == ["fast", "suspect", "5.00 %", "900", "61", "37", "4.11 %", "5.38 %", "no"]


@pytest.mark.parametrize(("heading", "key"), [(COMPARED, "retrained_from"), (CALIBRATED, "calibrated_from")])
def test_other_cards_do_not_have_these_sections(house: dict[str, Any], heading: str, key: str) -> None:
    assert heading in render_card(house)
    del house[key]
    assert heading not in render_card(house)

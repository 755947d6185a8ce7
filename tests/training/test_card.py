"""training/reporting/card.py: the card says what the manifest says, and no more."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
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
    """Return the cells of the table row that begins so."""
    (line,) = [line for line in card.splitlines() if re.match(rf"\| {re.escape(first)} +\|", line)]
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def section(card: str, heading: str) -> str:
    """Return what stands under a second-level heading."""
    return card.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def test_the_model_that_ships_has_the_card_of_its_manifest() -> None:
    if not (DEFAULT / MANIFEST).exists():
        pytest.skip(f"no model at {DEFAULT}: train one with `unspun train`")
    manifest = json.loads((DEFAULT / MANIFEST).read_text("utf-8"))
    remedy = "make it again: python -m unspun.training.reporting.card > model/default/CARD.md"
    assert (DEFAULT / CARD).read_text("utf-8") == render_card(manifest), remedy


def test_name_and_version_head_the_card(card: str) -> None:
    assert card.startswith("# Model card: tiny 2.1.0\n")


def test_the_thresholds_and_shares_of_each_tier_are_told(card: str) -> None:
    told = section(card, "What it tells, and at which score")
    assert row(told, "fast") == ["fast", "0.0312", "0.00234", "0.5", "0.3", "0.2"]
    assert row(told, "deep") == ["deep", "0.028", "0.0041", "0.6", "0.2", "0.2"]
    assert "fewer than 40 words get no verdict" in told
    assert "an unfamiliarity above 3.21" in told
    assert "No `false_positive_rate` below 0.002 is stated" in told


def test_the_score_is_said_to_be_no_probability(card: str) -> None:
    told = section(card, "What it tells, and at which score")
    assert "0.5 is the threshold of `suspect` and 0.9 that of\n`paraphrased`" in told
    assert "The score is not a probability" in told


def test_the_deep_tier_has_its_limits_of_doubt_and_the_fast_tiers_weight_beside_it(card: str) -> None:
    told = section(card, "The deep tier")
    assert row(told, "doubt") == ["doubt", "0.021", "0.021", "0.021"]
    assert row(told, "weight of the fast tier") == ["weight of the fast tier", "0.400", "0.250", "0.000"]


def test_a_model_without_a_deep_tier_does_not_speak_of_it(manifest: dict[str, Any]) -> None:
    del manifest["deep"]
    assert "The deep tier" not in render_card(manifest)


def test_each_part_is_told_with_the_texts_that_it_was_fitted_on(card: str) -> None:
    told = section(card, "What each part was fitted on")
    assert row(told, "tables") == ["tables", "train", "1", "0"]
    assert row(told, "classifier") == ["classifier", "train", "2", "1"]
    assert row(told, "decision") == ["decision", "calibrate", "1", "1"]


def test_the_names_of_sources_and_makers_are_told_once(card: str) -> None:
    told = section(card, "What each part was fitted on")
    assert "Sources of the tables and the tagger: town_news." in told
    assert "Makers of the decision: dipper." in told


def test_signals_are_counted_and_explained(card: str) -> None:
    told = section(card, "How it works")
    assert "read 5 numbers" in told
    assert row(told, "frequency")[1] == "2"
    assert row(told, "misfit")[2]


def test_a_signal_that_is_new_is_listed_all_the_same(card: str) -> None:
    assert row(section(card, "How it works"), "horoscope") == ["horoscope", "1", ""]


def test_sources_are_counted_with_their_terms(card: str) -> None:
    told = section(card, "What it learned from")
    assert "1,203 texts of 2 sources" in told
    assert "5f70bf18" in told
    assert row(told, "town_news") == ["town_news", "1,200", "human", "CC BY 4.0 \\| town hall"]
    assert row(told, "spinner") == ["spinner", "3", "spun 2, human 1", ""]


def test_resources_are_listed(card: str) -> None:
    assert row(section(card, "What it learned from"), "WordNet 3.0") == ["WordNet 3.0", "WordNet licence"]


def test_accuracy_has_a_section_a_table(card: str) -> None:
    told = section(card, "How good it is")
    assert re.findall(r"^#+ .*", told, re.M) == [
        "### Found",
        "#### Tools",
        "### False positives by source",
    ]
    assert row(told, "pwws") == ["pwws", "1,350", "0.921 (0.902-0.934)", "61.2 %"]
    assert row(told, "ellipse_learners")[2] == "0.62 % (0.21-1.80)"


def test_notes_stand_above_their_tables(card: str) -> None:
    told = section(card, "How good it is")
    assert told.index("Measured on sources") < told.index("### Found") < told.index("Against all") < told.index("pwws")


def test_training_and_libraries_are_told(card: str) -> None:
    told = section(card, "How to train it again")
    assert row(told, "vocabulary")[1] == "50,000"
    assert row(told, "seed")[1] == "20221114"
    assert row(told, "libraries")[1] == "numpy 2.4.6, scikit-learn 1.9.1"


def test_files_are_listed_with_their_hashes(card: str) -> None:
    assert row(section(card, "Files"), "`words.txt`") == ["`words.txt`", "`aaaaaaaaaaaaaaaa...`"]


def test_limits_are_always_told() -> None:
    assert "not proof" in section(render_card({}), "What it does not tell")


def test_what_is_not_in_the_manifest_is_not_in_the_card() -> None:
    headings = re.findall(r"^## (.*)", render_card({}), re.M)
    assert headings == [
        "What it is for",
        "How good it is",
        "What it does not tell",
        "How to train it again",
    ]
    assert "Not measured" in render_card({})


def test_every_table_is_whole(card: str) -> None:
    tables = re.findall(r"(?:^\|.*\|\n)+", card, re.M)
    assert len(tables) >= 8
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1
        assert re.fullmatch(r"\|( -+[:-] \|)+", table.splitlines()[1])


plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text()


@given(st.recursive(plain, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20))
def test_any_accuracy_can_be_rendered_the_same_twice(accuracy: Any) -> None:
    assert render_card({"accuracy": accuracy}) == render_card({"accuracy": accuracy})


def test_the_card_is_printed(manifest: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / MANIFEST).write_text(json.dumps(manifest), "utf-8")
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out == render_card(manifest)


@pytest.mark.parametrize(("content", "reason"), [(None, "No such file"), ("{", "not JSON")])
def test_a_folder_without_a_manifest_is_a_line(
    content: str | None, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (tmp_path / MANIFEST).write_text(content)
    assert main([str(tmp_path)]) == 1
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert reason in printed.err


# --- models of a house


@pytest.fixture
def house() -> dict[str, Any]:
    return tomllib.loads((MANIFEST_TOML.parent / "retraining_manifest.toml").read_text("utf-8"))


COMPARED, CALIBRATED = "Compared with the model that it was retrained from", "Calibrated on"


def test_a_retrained_models_card_compares_it_with_its_base(house: dict[str, Any]) -> None:
    told = section(render_card(house), COMPARED)
    assert "Retrained from tiny 2.1.0 on 1,061 texts of a house (human 1,030, spun 31), seed 7" in told
    assert "parted by source" in told
    assert row(told, "fast") == ["fast", "spun", "31", "0.802", "0.913"]
    assert row(told, "deep") == ["deep", "spun", "31", "0.871", "0.940"]
    assert "do not use" not in told
    assert "Nothing was learnt" not in told
    assert "no part of the texts that tiny 2.1.0 was made with loses more than 0.002 of AUROC" in told


def test_a_model_that_learnt_nothing_says_so(house: dict[str, Any]) -> None:
    house["comparison"]["strength"] = 0.0
    assert "it scores as tiny 2.1.0 does" in section(render_card(house), COMPARED)


def test_a_worse_models_card_says_so(house: dict[str, Any]) -> None:
    house["comparison"]["worse"] = True
    assert "It tells these texts less well than tiny 2.1.0: do not use it" in section(render_card(house), COMPARED)


def test_a_model_without_new_texts_to_judge_by_says_so(house: dict[str, Any]) -> None:
    house["comparison"]["tiers"] = {"fast": {"kinds": [], "all": None, "called": []}}
    assert "too few new texts to tell" in section(render_card(house), COMPARED)


def test_a_calibrated_models_card_says_on_how_many_texts(house: dict[str, Any]) -> None:
    told = section(render_card(house), CALIBRATED)
    assert "A user's own human text set how strict this model is; before, it was ours 1.0.0" in told
    [line] = [line for line in told.splitlines() if "| suspect " in line]
    cells = [cell.strip() for cell in line.split("|")[1:-1]]
    assert cells == ["fast", "suspect", "5.00 %", "900", "61", "37", "4.11 %", "5.38 %", "no"]


@pytest.mark.parametrize(("heading", "key"), [(COMPARED, "retrained_from"), (CALIBRATED, "calibrated_from")])
def test_other_models_cards_do_not_speak_of_it(house: dict[str, Any], heading: str, key: str) -> None:
    assert heading in render_card(house)
    del house[key]
    assert heading not in render_card(house)

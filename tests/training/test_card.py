"""training/reporting/card.py: the card says what the manifest says, and no more."""

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
from unspun.training.reporting.card import CARD, main, render_card, write_card

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
    """Return the text under a second-level heading."""
    return card.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def test_the_shipped_model_has_the_card_of_its_manifest() -> None:
    manifest = json.loads((DEFAULT / MANIFEST).read_text("utf-8"))
    remedy = "write it again: python -m unspun.training.reporting.card > model/default/CARD.md"
    assert (DEFAULT / CARD).read_text("utf-8") == render_card(manifest), remedy


def test_name_and_version_head_the_card(card: str) -> None:
    assert card.startswith("# Model card: tiny 2.1.0\n")


def test_the_card_lists_the_thresholds_and_shares_of_each_tier(card: str) -> None:
    shown = section(card, "Scores and thresholds")
    assert row(shown, "fast") == ["fast", "0.0312", "0.00234", "0.5", "0.3", "0.2"]
    assert row(shown, "deep") == ["deep", "0.028", "0.0041", "0.6", "0.2", "0.2"]
    assert "fewer than 40 words get no verdict" in shown
    assert "an unfamiliarity above 3.21" in shown
    assert "too small to support a `false_positive_rate` below 0.002" in shown


def test_the_card_says_that_the_score_is_not_a_probability(card: str) -> None:
    shown = section(card, "Scores and thresholds")
    assert "0.5 is the\nthreshold of `suspect` and 0.9 that of `paraphrased`" in shown
    assert "The score is not a probability" in shown


def test_the_deep_tier_lists_its_limits_of_doubt_and_the_weight_of_the_fast_tier(card: str) -> None:
    shown = section(card, "The deep tier")
    assert row(shown, "doubt") == ["doubt", "0.021", "0.021", "0.021"]
    assert row(shown, "weight of the fast tier") == ["weight of the fast tier", "0.400", "0.250", "0.000"]


def test_a_model_without_a_deep_tier_does_not_mention_one(manifest: dict[str, Any]) -> None:
    del manifest["deep"]
    assert "The deep tier" not in render_card(manifest)


def test_the_card_lists_the_texts_that_each_part_was_fitted_on(card: str) -> None:
    shown = section(card, "What each part was fitted on")
    assert row(shown, "tables") == ["tables", "train", "1", "0"]
    assert row(shown, "classifier") == ["classifier", "train", "2", "1"]
    assert row(shown, "decision") == ["decision", "calibrate", "1", "1"]


def test_shared_lists_of_sources_and_makers_appear_once(card: str) -> None:
    shown = section(card, "What each part was fitted on")
    assert "Sources of the tables and the tagger: town_news." in shown
    assert "Makers of the decision: dipper." in shown


def test_the_card_counts_and_explains_the_signals(card: str) -> None:
    shown = section(card, "How it works")
    assert "compute 5 numbers" in shown
    assert row(shown, "frequency")[1] == "2"
    assert row(shown, "misfit")[2]


def test_an_unknown_signal_is_listed_without_a_question(card: str) -> None:
    assert row(section(card, "How it works"), "horoscope") == ["horoscope", "1", ""]


def test_the_card_counts_the_texts_of_each_source_and_states_its_terms(card: str) -> None:
    shown = section(card, "Training data")
    assert "1,203 texts of 2 sources" in shown
    assert "5f70bf18" in shown
    assert row(shown, "town_news") == ["town_news", "1,200", "human", "CC BY 4.0 \\| town hall"]
    assert row(shown, "spinner") == ["spinner", "3", "spun 2, human 1", ""]


def test_the_card_lists_the_published_resources(card: str) -> None:
    assert row(section(card, "Training data"), "WordNet 3.0") == ["WordNet 3.0", "WordNet licence"]


def test_each_accuracy_table_has_a_heading(card: str) -> None:
    shown = section(card, "Accuracy")
    assert re.findall(r"^#+ .*", shown, re.M) == [
        "### Found",
        "#### Tools",
        "### False positives by source",
    ]
    assert row(shown, "pwws") == ["pwws", "1,350", "0.921 (0.902-0.934)", "61.2 %"]
    assert row(shown, "ellipse_learners")[2] == "0.62 % (0.21-1.80)"


def test_notes_come_before_their_tables(card: str) -> None:
    shown = section(card, "Accuracy")
    assert (
        shown.index("Measured on sources") < shown.index("### Found") < shown.index("Against all") < shown.index("pwws")
    )


def test_the_card_lists_the_recipe_and_the_library_versions(card: str) -> None:
    shown = section(card, "Training the model again")
    assert row(shown, "vocabulary")[1] == "50,000"
    assert row(shown, "seed")[1] == "20221114"
    assert row(shown, "libraries")[1] == "numpy 2.4.6, scikit-learn 1.9.1"


def test_the_card_lists_the_files_with_their_hashes(card: str) -> None:
    assert row(section(card, "Files"), "`words.txt`") == ["`words.txt`", "`aaaaaaaaaaaaaaaa...`"]


def test_every_card_states_the_limits() -> None:
    assert "not proof" in section(render_card({}), "Limitations")


def test_the_card_leaves_out_what_the_manifest_leaves_out() -> None:
    headings = re.findall(r"^## (.*)", render_card({}), re.M)
    assert headings == [
        "Intended use",
        "Accuracy",
        "Limitations",
        "Training the model again",
    ]
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
    assert main(["--model", str(tmp_path)]) == 0
    assert capsys.readouterr().out == render_card(manifest)


def test_a_card_that_is_a_link_is_replaced_and_its_target_stays(manifest: dict[str, Any], tmp_path: Path) -> None:
    """`unspun calibrate` writes a card into a bundle that may come from a stranger."""
    folder, other = tmp_path / "bundle", tmp_path / "precious.txt"
    folder.mkdir()
    (folder / MANIFEST).write_text(json.dumps(manifest), "utf-8")
    other.write_text("precious", "utf-8")
    (folder / CARD).symlink_to(other)
    write_card(folder)
    assert other.read_text("utf-8") == "precious"
    assert (folder / CARD).read_text("utf-8") == render_card(manifest)


@pytest.mark.parametrize(("content", "reason"), [(None, "No such file"), ("{", "not valid JSON")])
def test_a_folder_without_a_readable_manifest_is_reported_in_one_line(
    content: str | None, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (tmp_path / MANIFEST).write_text(content)
    assert main(["--model", str(tmp_path)]) == 1
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert reason in printed.err


# --- models of a house


@pytest.fixture
def house() -> dict[str, Any]:
    return tomllib.loads((MANIFEST_TOML.parent / "retraining_manifest.toml").read_text("utf-8"))


COMPARED, CALIBRATED = "Compared with the model that it was retrained from", "Calibrated on"


def test_the_card_of_a_retrained_model_compares_it_with_its_base(house: dict[str, Any]) -> None:
    shown = section(render_card(house), COMPARED)
    assert "Retrained from tiny 2.1.0 on 1,061 of a user's texts (human 1,030, spun 31), seed 7" in shown
    assert "with each source in one fold" in shown
    assert row(shown, "fast") == ["fast", "spun", "31", "0.802", "0.913"]
    assert row(shown, "deep") == ["deep", "spun", "31", "0.871", "0.940"]
    assert "do not use" not in shown
    assert "Nothing was learnt" not in shown
    assert "On the reference texts of tiny 2.1.0, AUROC falls by at most 0.002" in shown


def test_the_card_says_that_the_model_learnt_nothing(house: dict[str, Any]) -> None:
    house["comparison"]["strength"] = 0.0
    assert "the same scores as tiny 2.1.0" in section(render_card(house), COMPARED)


def test_the_card_says_that_the_model_is_worse(house: dict[str, Any]) -> None:
    house["comparison"]["worse"] = True
    assert "This model is less accurate on these texts than tiny 2.1.0: do not use it" in section(
        render_card(house), COMPARED
    )


def test_the_card_says_that_there_were_too_few_texts_to_judge_by(house: dict[str, Any]) -> None:
    house["comparison"]["tiers"] = {"fast": {"kinds": [], "all": None, "called": []}}
    assert "too few new texts to compare" in section(render_card(house), COMPARED)


def test_the_card_of_a_calibrated_model_says_how_many_texts_were_used(house: dict[str, Any]) -> None:
    shown = section(render_card(house), CALIBRATED)
    assert "set on a user's own human texts, starting from ours 1.0.0" in shown
    [line] = [line for line in shown.splitlines() if "| suspect " in line]
    cells = [cell.strip() for cell in line.split("|")[1:-1]]
    assert cells == ["fast", "suspect", "5.00 %", "900", "61", "37", "4.11 %", "5.38 %", "no"]


@pytest.mark.parametrize(("heading", "key"), [(COMPARED, "retrained_from"), (CALIBRATED, "calibrated_from")])
def test_other_cards_do_not_mention_it(house: dict[str, Any], heading: str, key: str) -> None:
    assert heading in render_card(house)
    del house[key]
    assert heading not in render_card(house)

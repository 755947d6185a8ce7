"""training/reporting/tables.py: nested results to tables of text."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import cases, why
from unspun.training.reporting.tables import Table, cell, tables, title

results = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=25,
)


def only(found: Any) -> Table:
    (table,) = tables(found)
    return table


@pytest.mark.parametrize("case", cases("training/cells.toml"), ids=why)
def test_cells(case: dict[str, Any]) -> None:
    assert cell(case["key"], case["value"]) == case["shown"]


@pytest.mark.parametrize(
    ("key", "heading"),
    [("false_positives", "false positives"), ("mean_auroc", "mean AUROC"), ("tpr_05", "TPR at 0.5 %")],
)
def test_headings(key: str, heading: str) -> None:
    assert title(key) == heading


def test_a_list_of_dictionaries_is_a_table() -> None:
    table = only({"tools": [{"tool": "pwws", "texts": 12}, {"tool": "wmt", "texts": 3, "auroc": 0.5}]})
    assert table == Table(
        ("tools",),
        "",
        ("tool", "texts", "AUROC"),
        (("pwws", "12", "-"), ("wmt", "3", "0.500")),
        (False, True, True),
    )


def test_a_note_belongs_to_its_rows() -> None:
    table = only({"note": "Held-out text.", "rows": [{"tool": "pwws"}]})
    assert (table.note, table.rows) == ("Held-out text.", (("pwws",),))


def test_an_empty_list_of_rows_makes_no_table() -> None:
    assert list(tables({"llm": {"note": "By language models.", "rows": []}})) == []


def test_dictionaries_with_common_keys_are_rows() -> None:
    table = only({"word_net": {"version": "3.0"}, "moby": {"version": "2"}})
    assert table.rows == (("word net", "3.0"), ("moby", "2"))


def test_dictionaries_without_common_keys_are_sections() -> None:
    titles = [table.titles for table in tables({"model": {"name": "x"}, "texts": {"human": 3}})]
    assert titles == [("model",), ("texts",)]


def test_plain_figures_come_before_sections_and_have_no_header() -> None:
    first, second = tables({"mean_auroc": 0.9, "tools": [{"tool": "pwws"}], "note": "n"})
    assert (first.note, first.columns, first.rows) == ("n", ("", ""), (("mean AUROC", "0.900"),))
    assert second.titles == ("tools",)


def test_a_figure_and_its_interval_share_a_cell() -> None:
    table = only([{"auroc": 0.9, "auroc_low": 0.85, "auroc_high": 0.93, "texts": 7}])
    assert table.rows == (("0.900 (0.850-0.930)", "7"),)


def test_a_share_and_its_interval_have_one_percent_sign() -> None:
    table = only([{"rate": 0.01, "rate_low": 0.002, "rate_high": 0.05}])
    assert table.rows == (("1.00 % (0.20-5.00)",),)


def test_a_bound_without_its_counterpart_is_a_column_of_its_own() -> None:
    table = only([{"threshold": 0.2, "threshold_high": 0.5}])
    assert table.columns == ("threshold", "threshold high")


@given(results)
def test_all_rows_are_as_long_as_the_header(found: Any) -> None:
    for table in tables(found):
        widths = {len(table.columns), len(table.numbers), *(len(row) for row in table.rows)}
        assert len(widths) == 1

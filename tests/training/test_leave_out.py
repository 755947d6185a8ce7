"""training/leave_out.py: nothing that is tested on has a part in training."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.training.matrices import BASE, TOOLS, Fit, matrix, rows
from training.leave_out import LeaveOutError, LeftOut, leave_one_domain_out, leave_one_tool_out
from training.metrics import wilson_interval


@pytest.fixture(autouse=True, scope="module")
def few_resamples() -> Iterator[None]:
    """Make intervals rough, and the tests quick."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.leave_out.RESAMPLES", 20)
        yield


def named(found: tuple[LeftOut, ...]) -> dict[str, LeftOut]:
    return {row.name: row for row in found}


def test_every_tool_but_our_own_is_left_out_in_turn() -> None:
    found = leave_one_tool_out(matrix(*BASE), fit=Fit())
    assert [(row.name, row.kind) for row in found.tools] == [
        ("pwws", "spun"),
        ("textfooler", "spun"),
        ("deepl", "translated"),
        ("google-translate-fr", "translated"),
        ("wmt", "translated"),
        ("dipper", "rewritten"),
        ("llm-polish", "rewritten"),
        ("quillbot", "rewritten"),
    ]
    assert (found.not_measured, found.human_texts) == ((), 60)


def test_a_tool_has_no_text_in_training_and_our_own_paraphrasers_do() -> None:
    fit = Fit()
    leave_one_tool_out(matrix(*BASE), fit=fit)
    everything = {tool for tools in TOOLS.values() for tool in tools} | {"human"}
    assert [everything - set(seen.tools.tolist()) for seen in fit.seen] == [
        {"pwws"},
        {"textfooler"},
        {"deepl"},
        {"google-translate-fr"},
        {"wmt"},
        {"dipper"},
        {"llm-polish"},
        {"quillbot"},
    ]


def test_what_is_held_out_trains_nothing() -> None:
    fit = Fit()
    leave_one_tool_out(matrix(*BASE, rows("spun", "fgws", held_out=True)), fit=fit)
    assert not any(seen.held_out.any() for seen in fit.seen)


def test_no_other_version_of_a_tested_original_trains() -> None:
    shared = rows("human", sources="bbc", groups=np.arange(12))
    other = rows("spun", "textfooler", groups=np.arange(12))
    fit = Fit()
    leave_one_tool_out(matrix(*BASE, rows("spun", "fgws", groups=np.arange(12)), shared, other), fit=fit)
    without = next(seen for seen in fit.seen if "fgws" not in seen.tools)
    assert not np.isin(without.groups, np.arange(12)).any()


@pytest.mark.parametrize(
    ("columns", "texts"),
    [({"words": 59}, 12), ({"changed": 0.05}, 12), ({"words": 60}, 24), ({"changed": 0.10}, 24)],
)
def test_short_and_barely_changed_texts_are_not_tested_on(columns: dict[str, Any], texts: int) -> None:
    found = leave_one_tool_out(matrix(*BASE, rows("spun", "pwws", **columns)), fit=Fit())
    assert named(found.tools)["pwws"].texts == texts


def test_human_text_that_the_tables_learnt_from_is_not_tested_on() -> None:
    data = matrix(*BASE)
    learnt = np.zeros(len(data), dtype=np.bool_)
    learnt[:20] = True
    assert leave_one_tool_out(data, learnt=learnt, fit=Fit()).human_texts == 40


def test_figures_are_against_held_out_human_text() -> None:
    data = matrix(*BASE, rows("spun", "fgws", count=10, scores=np.repeat([0.2, 0.9], 5)))
    row = named(leave_one_tool_out(data, fit=Fit()).tools)["fgws"]
    below = float((np.linspace(0, 0.5, 60) < 0.2).mean())
    assert row.auroc == pytest.approx((below + 1) / 2)
    assert (row.texts, row.tpr_1, row.tpr_05) == (10, 0.5, 0.5)
    assert row.auroc_low <= row.auroc <= row.auroc_high


def test_same_domain_is_told_apart_domain_by_domain() -> None:
    review = {"domains": "review"}
    data = matrix(
        *BASE,
        rows("human", sources="imdb", held_out=True, count=50, scores=0.9, **review),
        rows("human", sources="yelp", held_out=True, count=49, domains="blog"),
        rows("spun", "fgws", count=30, scores=0.7),  # above all human news
        rows("spun", "fgws", count=10, scores=0.7, **review),  # below all human reviews
        rows("spun", "fgws", count=10, scores=0.7, domains="blog"),  # too few human blogs
    )
    row = named(leave_one_tool_out(data, fit=Fit()).tools)["fgws"]
    assert (row.same_domain_auroc, row.same_domain_texts) == (30 / 40, 40)


def test_a_source_of_several_tools_is_measured_without_any_of_them() -> None:
    fit = Fit()
    both = (rows("spun", "pwws", sources="imdb"), rows("spun", "textfooler", sources="imdb"))
    data = matrix(*BASE, rows("spun", "fgws"), *both)
    found = leave_one_tool_out(data, fit=fit)
    assert named(found.sources)["imdb"].texts == 24
    assert sum({"pwws", "textfooler"}.isdisjoint(seen.tools.tolist()) for seen in fit.seen) == 1


def test_a_source_of_one_tool_is_measured_with_the_tools_own_model() -> None:
    fit = Fit()
    found = leave_one_tool_out(matrix(*BASE), fit=fit)
    assert [row.name for row in found.sources] == ["pwws", "textfooler"]
    assert len(fit.seen) == 8


def test_phrases_known_from_spinners_in_the_wild_do_not_help_to_find_them() -> None:
    fit = Fit()
    leave_one_tool_out(matrix(*BASE, rows("spun", "wild-A")), fit=fit)
    listed = {"wild-A" in seen.tools: seen.features[:, 1].any() for seen in fit.seen}
    assert listed == {True: True, False: False}


def test_a_few_texts_say_nothing_of_a_tool() -> None:
    found = leave_one_tool_out(matrix(*BASE, rows("spun", "fgws", count=9)), fit=Fit())
    assert "fgws" not in named(found.tools)


def test_a_tool_without_which_too_little_is_left_is_named() -> None:
    parts = [part for part in BASE if part["tools"][0] != "quillbot"]
    found = leave_one_tool_out(matrix(*parts), fit=Fit())
    assert found.not_measured == ("dipper", "llm-polish")
    assert "dipper" not in named(found.tools)


def test_a_kind_that_is_not_there_is_an_error() -> None:
    parts = [part for part in BASE if part["labels"][0] != "translated"]
    with pytest.raises(LeaveOutError, match="none that are translated"):
        leave_one_tool_out(matrix(*parts), fit=Fit())


def test_no_human_text_to_test_on_is_an_error() -> None:
    with pytest.raises(LeaveOutError, match="no human text of 60 words"):
        leave_one_tool_out(matrix(*BASE[1:]), fit=Fit())


def test_means_are_over_spun_tools_and_spun_sources() -> None:
    data = matrix(*BASE, rows("spun", "fgws", scores=0.0), rows("translated", "marian", scores=0.0))
    found = leave_one_tool_out(data, fit=Fit())
    spun = [row.auroc for row in found.tools if row.kind == "spun"]
    assert len(spun) == 3
    assert found.to_dict()["mean_auroc_of_spun_tools"] == pytest.approx(np.mean(spun))
    assert found.to_dict()["mean_auroc_of_spun_sources"] == pytest.approx(np.mean(spun))


ESSAYS = (
    rows("human", sources="asap", held_out=True, count=50, domains="essay", scores=0.1),
    rows("human", sources="asap", domains="essay"),
    rows("spun", "pwws", domains="essay"),
)


def test_a_domain_has_no_text_in_training() -> None:
    fit = Fit()
    leave_one_domain_out(matrix(*BASE, *ESSAYS), fit=fit)
    assert "essay" not in fit.seen[0].domains


def test_domains_are_measured_kind_by_kind_against_the_others_and_themselves() -> None:
    found = leave_one_domain_out(matrix(*BASE, *ESSAYS), fit=Fit())
    (row,) = [row for row in found.domains if row.name == "essay"]
    assert (row.kind, row.texts, row.same_domain_texts, row.same_domain_auroc) == ("spun", 12, 12, 1.0)


def test_false_positives_of_a_domain_are_at_the_threshold_of_the_others() -> None:
    odd = rows("human", sources="asap", held_out=True, count=50, domains="essay", scores=np.r_[[0.9] * 3, [0] * 47])
    found = leave_one_domain_out(matrix(*BASE, odd), fit=Fit())
    alarm = next(row for row in found.alarms if row.domain == "essay")
    assert (alarm.texts, alarm.flagged) == (50, 3)  # the others' highest of 60 is 0.5
    assert (alarm.flagged_rate_low, alarm.flagged_rate_high) == wilson_interval(3, 50)


def test_the_only_domain_cannot_be_left_out() -> None:
    assert leave_one_domain_out(matrix(*BASE), fit=Fit()).not_measured == ("news",)


@pytest.mark.parametrize("table", [leave_one_tool_out, leave_one_domain_out])
def test_tables_are_plain_json_and_say_what_is_held_out(table: Any) -> None:
    found = table(matrix(*BASE, *ESSAYS), fit=Fit()).to_dict()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert "trained and calibrated again without each" in found["note"]

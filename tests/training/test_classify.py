"""training/classify.py: what may train, what counts how much, and folds without a shared tool or source."""

from __future__ import annotations

import numpy as np
import pytest

from model.fast import MACHINE_KINDS, calibration_inputs
from tests.training.matrices import BASE, matrix, rows
from training.classify import (
    BARELY_WEIGHT,
    HEAD_SIGNALS,
    disjoint_folds,
    fit_calibration,
    fit_heads,
    head_columns,
    out_of_fold,
    sample_weights,
    usable,
)


@pytest.mark.parametrize(
    "columns",
    [
        {"held_out": True},  # the test part
        {"words": 29},  # too short
    ],
)
def test_some_rows_train_nothing(columns: dict[str, object]) -> None:
    part = matrix(rows("human", sources="s"), rows("spun", "pwws", **columns))
    assert usable(part).tolist() == [True] * 12 + [False] * 12


def test_text_of_language_models_trains_nothing() -> None:
    part = matrix(rows("human", sources="s"), rows("llm", "llm"))
    assert usable(part).tolist() == [True] * 12 + [False] * 12


def test_of_one_tool_in_one_source_so_many_texts_train(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.classify.CELL_LIMIT", 5)
    part = matrix(rows("human", sources="s", groups=np.arange(12)), rows("spun", "pwws", groups=np.arange(12, 24)))
    assert usable(part).reshape(2, 12).sum(axis=1).tolist() == [5, 5]


def test_by_default_every_kind_weighs_the_same() -> None:
    part = matrix(*BASE)
    weights = sample_weights(part)
    human = part.labels == "human"
    assert weights[human].sum() == pytest.approx(len(part) / 4)


def test_the_kinds_weigh_the_same() -> None:
    part = matrix(*BASE)
    weights = sample_weights(part)
    sums = [weights[part.labels == kind].sum() for kind in MACHINE_KINDS]
    assert sums == pytest.approx([sums[0]] * 3)


def test_a_text_that_is_hardly_spun_weighs_little() -> None:
    part = matrix(rows("human"), rows("spun", "pwws", changed=np.array([0.05] + [0.5] * 11)))
    weights = sample_weights(part)[12:]
    assert weights[0] / weights[1] == pytest.approx(BARELY_WEIGHT)


def test_a_head_reads_its_signals() -> None:
    names = ("frequency.mean", "translationese.word_the", "misfit.runs", "length")
    assert head_columns(names, "spun").tolist() == [0, 2, 3]
    assert head_columns(names, "translated").tolist() == [0, 1, 2, 3]


def test_every_kind_has_its_signals() -> None:
    assert set(HEAD_SIGNALS) == set(MACHINE_KINDS)


def test_every_row_is_tested_once() -> None:
    part = matrix(*BASE)
    tested = np.sum(list(disjoint_folds(part, seed=0, folds=3)), axis=0)
    assert tested.tolist() == [1] * len(part)


def test_no_tool_and_no_source_of_human_text_is_in_two_folds() -> None:
    part = matrix(*BASE)
    cell = np.where(part.labels == "human", part.sources, part.tools)
    for test in disjoint_folds(part, seed=1, folds=3):
        assert not set(cell[test]) & set(cell[~test])


def test_folds_are_the_same_for_the_same_seed() -> None:
    part = matrix(*BASE)
    first, second = ([fold.tolist() for fold in disjoint_folds(part, seed=4, folds=3)] for _ in range(2))
    assert first == second


def test_the_calibration_sums_to_one_and_follows_the_heads() -> None:
    part = matrix(*BASE)
    rng = np.random.default_rng(0)
    log_odds = rng.normal(scale=0.3, size=(len(part), 3))
    for column, kind in enumerate(MACHINE_KINDS):
        log_odds[part.labels == kind, column] += 3
    length = np.log1p(part.words)
    calibration = fit_calibration(log_odds, part, length)
    found = calibration.probabilities(log_odds, length)
    assert found.sum(axis=1) == pytest.approx(np.ones(len(part)))
    assert found[part.labels == "human", 0].mean() > 0.7
    assert all(found[part.labels == kind, 1 + i].mean() > 0.5 for i, kind in enumerate(MACHINE_KINDS))


def test_the_calibration_has_a_weight_for_each_input() -> None:
    part = matrix(*BASE)
    log_odds = np.random.default_rng(0).normal(size=(len(part), 3))
    calibration = fit_calibration(log_odds, part, np.log1p(part.words))
    assert calibration.weights.shape == (4, calibration_inputs(log_odds, np.log1p(part.words)).shape[1])


def test_heads_tell_their_kind_from_human_text() -> None:
    part = matrix(*(rows(row["labels"][0], row["tools"][0], 80) for row in BASE))
    for head in fit_heads(part, seed=0)[:1]:
        answer = head.log_odds(part.features, part.style)
        assert answer[part.labels == "spun"].mean() > answer[part.labels == "human"].mean()


@pytest.mark.filterwarnings("ignore:n_quantiles")
def test_a_kind_from_one_tool_only_is_still_answered() -> None:
    # The fold that tests it has no other text of its kind to learn from.
    part = matrix(
        rows("human", sources="a"),
        rows("human", sources="b"),
        rows("spun", "pwws"),
        rows("spun", "textfooler"),
        rows("translated", "deepl"),
        rows("rewritten", "dipper"),
        rows("rewritten", "quillbot"),
    )
    assert np.isfinite(out_of_fold(part, seed=0, folds=2)).all()


@pytest.mark.filterwarnings("ignore:n_quantiles")
def test_human_text_from_one_source_only_is_still_answered() -> None:
    part = matrix(*(row for row in BASE if row["labels"][0] != "human"), rows("human", sources="a", count=30))
    assert np.isfinite(out_of_fold(part, seed=0, folds=2)).all()

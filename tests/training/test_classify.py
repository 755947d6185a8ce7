"""Which texts train the fast tier, their weights, and the heads and unfamiliarity that are fitted to them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from tests import tables as tiny
from tests.training.matrices import BASE, matrix, rows
from unspun.model.tiers.fast import NEVER
from unspun.model.verdict import KINDS
from unspun.training.classifier.classify import (
    BARELY_WEIGHT,
    HEAD_SIGNALS,
    STYLED,
    UNFAMILIAR,
    fit_heads,
    fit_unfamiliarity,
    head_columns,
    sample_weights,
    usable,
)
from unspun.training.classifier.matrix import LabelledMatrix


@pytest.mark.parametrize("other", [rows("spun", "pwws", words=29), rows("llm", "llm")], ids=["short", "llm"])
def test_short_texts_and_texts_by_language_models_are_left_out(other: dict[str, Any]) -> None:
    assert usable(matrix(rows("human", sources="s"), other)).tolist() == [True] * 12 + [False] * 12


def test_the_texts_of_one_tool_in_one_source_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unspun.training.classifier.classify.CELL_LIMIT", 5)
    part = matrix(rows("human", sources="s", groups=np.arange(12)), rows("spun", "pwws", groups=np.arange(12, 24)))
    assert usable(part).reshape(2, 12).sum(axis=1).tolist() == [5, 5]


def test_every_label_has_the_same_total_weight() -> None:
    part = matrix(*BASE)
    weights = sample_weights(part)
    human = part.labels == "human"
    assert weights[human].sum() == pytest.approx(len(part) / 4)


def test_every_kind_has_the_same_total_weight() -> None:
    part = matrix(*BASE)
    weights = sample_weights(part)
    sums = [weights[part.labels == kind].sum() for kind in KINDS]
    assert sums == pytest.approx([sums[0]] * 3)


def test_a_barely_spun_text_has_little_weight() -> None:
    part = matrix(rows("human"), rows("spun", "pwws", changed=np.array([0.05] + [0.5] * 11)))
    weights = sample_weights(part)[12:]
    assert weights[0] / weights[1] == pytest.approx(BARELY_WEIGHT)


def test_a_head_reads_its_signals() -> None:
    names = ("frequency.mean", "translationese.word_the", "misfit.runs", "length")
    assert head_columns(names, "spun").tolist() == [0, 2, 3]
    assert head_columns(names, "translated").tolist() == [0, 1, 2, 3]


def test_every_kind_has_its_signals() -> None:
    assert set(HEAD_SIGNALS) == set(KINDS)


def test_heads_separate_their_kind_from_human_text() -> None:
    part = matrix(*(rows(row["labels"][0], row["tools"][0], 80) for row in BASE))
    for head in fit_heads(part, seed=0)[:1]:
        answer = head.log_odds(part.features, part.style)
        assert answer[part.labels == "spun"].mean() > answer[part.labels == "human"].mean()


def test_a_kind_without_texts_has_a_head_that_never_finds_it() -> None:
    part = matrix(rows("human", count=80), rows("spun", "pwws", 80))
    spun, translated, rewritten = fit_heads(part, seed=0)
    assert spun.estimator is not None
    assert translated.estimator is rewritten.estimator is None
    assert set(translated.log_odds(part.features, part.style).tolist()) == {NEVER}


def test_style_is_read_only_for_some_kinds() -> None:
    part = matrix(*(rows(row["labels"][0], row["tools"][0], 80) for row in BASE))
    heads = dict(zip(KINDS, fit_heads(part, seed=0), strict=True))
    assert {kind for kind, head in heads.items() if head.style_weights is not None} == set(STYLED)


class TestUnfamiliarity:
    """The usual values in human text, with every source counted once."""

    @staticmethod
    def measured(values: np.ndarray, labels: list[str], sources: list[str]) -> LabelledMatrix:
        """Return texts with these numbers (N,) in every relevant column."""
        part = matrix(rows("human", count=len(labels)))
        features = np.repeat(values[:, None], len(UNFAMILIAR), axis=1).astype(np.float32)
        return dataclasses.replace(
            part,
            names=tuple(UNFAMILIAR),
            features=features,
            labels=np.array(labels),
            sources=np.array(sources),
        )

    def test_usual_human_text_is_near_zero(self) -> None:
        values = np.random.default_rng(0).normal(5.0, 2.0, 400)
        part = self.measured(values, ["human"] * 400, ["a", "b"] * 200)
        found = fit_unfamiliarity(part)
        assert found.centre == pytest.approx(np.full(5, 5.0), abs=0.4)
        assert found.spread == pytest.approx(np.full(5, 2.0), abs=0.3)
        assert abs(found.of(part.features).mean()) < 0.1

    def test_a_large_source_counts_as_one(self) -> None:
        values = np.array([0.0] * 90 + [1.0] * 10)
        found = fit_unfamiliarity(self.measured(values, ["human"] * 100, ["large"] * 90 + ["small"] * 10))
        assert found.centre == pytest.approx(np.full(5, 0.5))

    def test_machine_text_does_not_count(self) -> None:
        values = np.array([1.0] * 10 + [99.0] * 10)
        found = fit_unfamiliarity(self.measured(values, ["human"] * 10 + ["spun"] * 10, ["a"] * 20))
        assert found.centre == pytest.approx(np.ones(5))

    def test_constant_numbers_do_not_divide_by_zero(self) -> None:
        found = fit_unfamiliarity(self.measured(np.ones(10), ["human"] * 10, ["a"] * 10))
        assert np.isfinite(found.of(np.ones((1, 5), np.float32))).all()

    def test_each_number_has_its_unfamiliar_direction(self) -> None:
        values = np.random.default_rng(0).normal(size=50)
        found = fit_unfamiliarity(self.measured(values, ["human"] * 50, ["a"] * 50))
        assert found.sign.tolist() == list(UNFAMILIAR.values())

    def test_the_numbers_are_among_those_that_the_engine_measures(self) -> None:
        assert set(UNFAMILIAR) <= set(tiny.extractor().get_feature_names_out().tolist())

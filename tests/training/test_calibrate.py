"""training/calibrate.py: thresholds that keep what is promised, overall and in the worst source."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from model.verdict import Thresholds
from tests.training.matrices import BASE, matrix, rows
from training.calibrate import (
    BANDS,
    LEAST_SOURCE,
    MINIMUM_WORDS,
    PARAPHRASED,
    SUSPECT,
    WORST_PARAPHRASED,
    WORST_SUSPECT,
    choose_thresholds,
    false_positives,
    leave_one_tool_out,
)
from training.matrix import LabelledMatrix

SCORES = st.floats(0, 1 - 1e-6) | st.sampled_from([0.0, 0.5, 0.1234565, 0.999998])


def human(words: NDArray[np.int64] | int, sources: NDArray[np.str_] | str, count: int) -> LabelledMatrix:
    return matrix(rows("human", sources=sources, words=words, count=count))


def called(entry: dict[str, Any], part: LabelledMatrix, scores: NDArray[np.float64], word: str) -> NDArray[np.bool_]:
    """Return which texts get that word, or a harder one, as the engine decides it."""
    thresholds = Thresholds.from_manifest(entry)
    harder = {"suspect": ("suspect", "paraphrased"), "paraphrased": ("paraphrased",)}[word]
    return np.array(
        [
            thresholds.word(round(score, 6), n) in harder
            for score, n in zip(scores.tolist(), part.words.tolist(), strict=True)
        ]
    )


@given(st.lists(SCORES, min_size=1, max_size=400))
def test_the_overall_rate_is_in_bounds(values: list[float]) -> None:
    scores = np.array(values)
    part = human(60, "s", len(values))
    entry = choose_thresholds(part, scores)
    assert called(entry, part, scores, "paraphrased").mean() <= PARAPHRASED
    assert called(entry, part, scores, "suspect").mean() <= SUSPECT


@given(st.integers(0, 2**32 - 1), st.integers(LEAST_SOURCE, 150))
def test_the_rate_of_the_worst_source_is_in_bounds(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    sources = np.array(["easy"] * 1000 + ["hard"] * count)
    scores = np.concatenate([rng.beta(1, 20, 1000), rng.beta(4, 4, count)])
    part = human(60, sources, len(scores))
    entry = choose_thresholds(part, scores)
    hard = sources == "hard"
    assert called(entry, part, scores, "paraphrased")[hard].mean() <= WORST_PARAPHRASED
    assert called(entry, part, scores, "suspect")[hard].mean() <= WORST_SUSPECT


def test_scores_of_one_do_not_break_the_promise() -> None:
    scores = np.ones(200)
    part = human(60, "s", 200)
    assert not called(choose_thresholds(part, scores), part, scores, "paraphrased").any()


def test_a_source_of_few_texts_has_no_say() -> None:
    few = LEAST_SOURCE - 1
    sources = np.array(["many"] * 2000 + ["few"] * few)
    scores = np.concatenate([np.full(2000, 0.1), np.full(few, 0.9)])
    entry = choose_thresholds(human(60, sources, len(scores)), scores)
    assert entry["bands"][0]["suspect"] == pytest.approx(0.100001)


@given(st.lists(SCORES, min_size=2, max_size=100))
def test_suspect_is_never_above_paraphrased(values: list[float]) -> None:
    entry = choose_thresholds(human(60, "s", len(values)), np.array(values))
    assert all(band["suspect"] <= band["paraphrased"] for band in entry["bands"])


def test_each_band_has_its_own_texts() -> None:
    words = np.array([60] * 100 + [100] * 200 + [200] * 300 + [900] * 400)
    entry = choose_thresholds(human(words, "s", 1000), np.linspace(0, 0.9, 1000))
    assert [band["words"] for band in entry["bands"]] == list(BANDS)
    assert [band["human_texts"] for band in entry["bands"]] == [100, 200, 300, 400]


def test_a_band_without_texts_takes_all() -> None:
    entry = choose_thresholds(human(60, "s", 100), np.linspace(0, 0.5, 100))
    assert {band["suspect"] for band in entry["bands"]} == {entry["bands"][0]["suspect"]}


def test_machine_text_sets_no_threshold() -> None:
    part = matrix(rows("human", sources="s", words=60, count=50), rows("spun", "pwws", words=60, count=50))
    scores = np.concatenate([np.full(50, 0.1), np.full(50, 0.95)])
    assert choose_thresholds(part, scores)["bands"][0]["paraphrased"] == pytest.approx(0.100001)


def test_the_shortest_text_that_is_judged_is_in_the_manifest() -> None:
    assert choose_thresholds(human(60, "s", 5), np.zeros(5))["minimum_words"] == MINIMUM_WORDS


def test_false_positives_are_counted_by_source() -> None:
    sources = np.array(["a"] * 10 + ["b"] * 10)
    scores = np.concatenate([np.zeros(10), np.full(5, 0.5), np.full(5, 0.9)])
    entry = {"minimum_words": 50, "bands": [{"words": 50, "suspect": 0.4, "paraphrased": 0.8}]}
    found = false_positives(human(100, sources, 20), scores, entry)
    assert [(row["source"], row["texts"], row["paraphrased"], row["suspect"]) for row in found] == [
        ("all", 20, 0.25, 0.5),
        ("a", 10, 0.0, 0.0),
        ("b", 10, 0.5, 1.0),
    ]


def test_short_texts_are_no_false_positives() -> None:
    entry = {"minimum_words": 50, "bands": [{"words": 50, "suspect": 0.4, "paraphrased": 0.8}]}
    words = np.array([79] * 5 + [80] * 5)
    found = false_positives(human(words, "s", 10), np.ones(10), entry)
    assert found[0]["texts"] == 5


def test_without_human_text_the_table_is_valid_json() -> None:
    entry = {"minimum_words": 50, "bands": [{"words": 50, "suspect": 0.4, "paraphrased": 0.8}]}
    part = matrix(rows("spun", "pwws"))
    json.dumps(false_positives(part, np.zeros(len(part)), entry), allow_nan=False)


def test_every_tool_has_a_row() -> None:
    part = matrix(*BASE)
    found = leave_one_tool_out(part, part.features[:, 0].astype(np.float64))
    assert {row["tool"] for row in found} == set(part.tools[part.labels != "human"].tolist())
    assert all(row["auroc"] > 0.99 for row in found)

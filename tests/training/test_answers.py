"""training/answers.py: what a model answered, kept in a file that holds no text and no pickle."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.answers import DepthAnswers

SIZE = 5


def columns(**changed: Any) -> dict[str, Any]:
    """Return the columns of five texts, some of them changed."""
    rng = np.random.default_rng(7)
    plain: dict[str, Any] = {
        "ids": np.array([f"text-{i}" for i in range(SIZE)]),
        "labels": np.array(["human", "llm", "spun", "translated", "rewritten"]),
        "tools": np.array(["human", "", "pwws", "wmt", "dipper"]),
        "sources": np.array(["bbc_news", "llm_essays", "imdb", "wmt_docs", "détecteur"]),
        "domains": np.array(["news", "essay", "review", "news", "other"]),
        "groups": np.arange(SIZE, dtype=np.int32),
        "words": np.array([60, 80, 100, 120, 140]),
        "changed": np.array([np.nan, np.nan, 0.3, np.nan, 0.5]),
        "held_out": np.array([True, False, True, False, True]),
        "unseen": np.array([True, True, False, True, False]),
        "probabilities": {depth: rng.dirichlet([1, 1, 1, 1], SIZE) for depth in ("deep", "fast", "auto")},
        "settled": np.array([True, False, False, True, False]),
    }
    return {**plain, **changed}


@pytest.fixture
def answers() -> DepthAnswers:
    return DepthAnswers(**columns())


def flat(answers: DepthAnswers) -> dict[str, Any]:
    """Return all arrays by name."""
    values = {field.name: getattr(answers, field.name) for field in dataclasses.fields(answers)}
    depths: dict[str, Any] = values.pop("probabilities")
    return {**values, **depths}


def test_what_is_saved_is_read_again(answers: DepthAnswers, tmp_path: Path) -> None:
    answers.save(tmp_path / "answers.npz")
    read = flat(DepthAnswers.load(tmp_path / "answers.npz"))
    for name, values in flat(answers).items():
        np.testing.assert_array_equal(read[name], values)
        assert read[name].dtype == values.dtype


def test_a_depth_may_be_missing(tmp_path: Path) -> None:
    probabilities = {"fast": np.full((SIZE, 4), 0.25)}
    DepthAnswers(**columns(probabilities=probabilities)).save(tmp_path / "answers.npz")
    assert DepthAnswers.load(tmp_path / "answers.npz").depths == ("fast",)


def test_depths_are_in_the_order_of_the_record(answers: DepthAnswers) -> None:
    assert answers.depths == ("fast", "auto", "deep")


def test_the_score_is_what_is_not_human(answers: DepthAnswers) -> None:
    np.testing.assert_allclose(answers.scores("auto"), answers.probabilities["auto"][:, 1:].sum(axis=1), atol=1e-6)


def test_a_mask_takes_texts(answers: DepthAnswers) -> None:
    taken = answers.take(answers.held_out)
    assert taken.ids.tolist() == ["text-0", "text-2", "text-4"]
    np.testing.assert_array_equal(taken.probabilities["deep"], answers.probabilities["deep"][[0, 2, 4]])


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"words": np.zeros(SIZE - 1, dtype=int)}, r"words \(4,\) must be one for each of the 5 ids"),
        ({"changed": np.zeros((SIZE, 2))}, r"changed \(5, 2\) must be one"),
        ({"probabilities": {"deep": np.zeros((SIZE, 3))}}, r"probabilities of depth deep are \(5, 3\), not \(5, 4\)"),
        ({"probabilities": {"shallow": np.zeros((SIZE, 4))}}, "depth 'shallow' is none of fast, auto, deep"),
        ({"probabilities": {}}, "no depth has answers"),
    ],
)
def test_columns_that_do_not_fit_are_refused(changed: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        DepthAnswers(**columns(**changed))


def test_objects_are_not_pickled(tmp_path: Path) -> None:
    ids = np.array([f"text-{i}" for i in range(SIZE)], dtype=object)
    with pytest.raises(ValueError, match="allow_pickle"):
        DepthAnswers(**columns(ids=ids)).save(tmp_path / "answers.npz")


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 half an archive"])
def test_a_file_of_something_else_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "answers.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"answers\.npz: holds no answers"):
        DepthAnswers.load(tmp_path / "answers.npz")


def test_an_archive_of_something_else_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "answers.npz", ids=np.array(["a"]))
    with pytest.raises(ValueError, match=r"answers\.npz: holds no answers.*labels"):
        DepthAnswers.load(tmp_path / "answers.npz")

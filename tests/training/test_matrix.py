"""training/classifier/matrix.py: labelled texts as numbers, shares by group, and passages of random length."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import tables as tiny
from unspun.training.classifier.matrix import LabelledMatrix, crop, group_share, maker_name, measure
from unspun.training.corpora.corpus import LabelledText

TEXTS = [
    LabelledText("a", "human", "news", tiny.ARTICLE),
    LabelledText("b", "spun", "web", "The old ship was late.", tool="Spinbot", changed_frac=0.2),
    LabelledText("c", "translated", "web", "", tool="deepl"),
]


@pytest.fixture(scope="module")
def matrix() -> LabelledMatrix:
    return measure(TEXTS, tiny.extractor(), groups=np.array([0, 1, 1], np.int32))


def test_every_text_is_a_row(matrix: LabelledMatrix) -> None:
    assert len(matrix) == 3
    assert matrix.features.shape == (3, len(matrix.names))
    assert matrix.style.shape[0] == 3
    assert matrix.labels.tolist() == ["human", "spun", "translated"]
    assert matrix.tools.tolist() == ["human", "spinbot", "deepl"]


def test_words_are_counted(matrix: LabelledMatrix) -> None:
    assert matrix.words.tolist() == [len(tiny.ARTICLE.split()), 5, 0]


def test_an_unknown_share_of_changes_is_nan(matrix: LabelledMatrix) -> None:
    assert np.isnan(matrix.changed).tolist() == [True, False, True]


def test_a_saved_matrix_is_read_back(matrix: LabelledMatrix, tmp_path: Path) -> None:
    matrix.save(tmp_path / "matrix.npz")
    again = LabelledMatrix.load(tmp_path / "matrix.npz")
    assert again.names == matrix.names
    assert again.features.tobytes() == matrix.features.tobytes()
    assert (again.style != matrix.style).nnz == 0
    assert again.changed.tolist()[1] == matrix.changed.tolist()[1]


@pytest.mark.parametrize("rows", [np.array([True, False, True]), np.array([0, 2])])
def test_rows_are_taken_by_mask_or_by_number(matrix: LabelledMatrix, rows: np.ndarray) -> None:
    assert matrix.take(rows).ids.tolist() == ["a", "c"]
    assert matrix.take(rows).style.shape[0] == 2


def test_no_texts_give_an_empty_matrix() -> None:
    empty = measure([], tiny.extractor())
    assert len(empty) == 0
    assert empty.features.shape == (0, len(empty.names))


def numbered(count: int) -> list[LabelledText]:
    return [LabelledText(str(i), "human", "s", f"text number {i}") for i in range(count)]


def test_shares_are_even() -> None:
    share = group_share(numbered(3000), np.arange(3000, dtype=np.int32), salt=1)
    assert (share < 0.25).mean() == pytest.approx(0.25, abs=0.03)


def test_a_group_stays_together() -> None:
    groups = np.repeat(np.arange(100, dtype=np.int32), 3)
    share = group_share(numbered(300), groups, salt=1).reshape(100, 3)
    assert (share == share[:, :1]).all()


def test_a_share_does_not_depend_on_other_texts() -> None:
    texts = numbered(200)
    everything = group_share(texts, np.arange(200, dtype=np.int32), salt=1)
    some = group_share(texts[150:], np.arange(50, dtype=np.int32), salt=1)
    assert everything[150:].tolist() == some.tolist()


@pytest.mark.parametrize(("label", "name"), [("human", "human"), ("llm", "llm"), ("spun", "acme")])
def test_text_without_a_maker_goes_by_its_label(label: str, name: str) -> None:
    assert maker_name(LabelledText("a", label, "web", "x", tool="Acme")) == name  # type: ignore[arg-type]


def test_another_salt_gives_another_share() -> None:
    texts, groups = numbered(500), np.arange(500, dtype=np.int32)
    first, second = (group_share(texts, groups, salt=salt) for salt in (0, 1))
    assert ((first >= 0) & (first < 1)).all()
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.15


@given(st.lists(st.sampled_from(tiny.SENTENCES), min_size=1, max_size=40), st.integers(0, 1000))
def test_a_passage_is_whole_sentences_of_the_text(parts: list[str], seed: int) -> None:
    text = " ".join(parts)
    passage = crop(text, np.random.default_rng(seed))
    assert passage in text
    assert passage.endswith(".")
    assert passage[0].isupper()


@given(st.lists(st.sampled_from(tiny.SENTENCES), min_size=1, max_size=40), st.integers(0, 1000))
def test_a_passage_is_long_enough_or_the_whole_text(parts: list[str], seed: int) -> None:
    text = " ".join(parts)
    passage = crop(text, np.random.default_rng(seed))
    assert passage == text or len(passage.split()) >= 60


@given(st.text(), st.integers(0, 9))
def test_any_text_has_a_passage(text: str, seed: int) -> None:
    assert crop(text, np.random.default_rng(seed)) in text

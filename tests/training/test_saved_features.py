"""training/saved_features.py: measured once, read again, and never another model's or other texts'."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array

from model.style import BUCKETS
from training.corpora import LabelledText, text_keys
from training.matrix import LabelledMatrix, measure
from training.saved_features import FeaturesError, measure_once, rows_learnt_from
from training.train import SHORTEST, Parts, Recipe

TEXTS = [
    LabelledText(f"t{i}", "spun" if i % 2 else "human", "s", f"Text {i} says" + " very" * (SHORTEST + i) + " much.")
    for i in range(40)
]
OWN = LabelledText("t0", "spun", "unspun", "Text that we spun.", tool="unspun:wordnet")


class Extractor:
    """Counts letters and words."""

    def __init__(self, times: float = 1.0, name: str = "letters") -> None:
        self.times, self.name, self.measured = times, name, 0

    def transform(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.measured += len(texts)
        rows = [[len(text) * self.times, np.log1p(len(text.split()))] for text in texts]
        return np.array(rows, dtype=np.float32)

    def transform_with_style(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], csr_array]:
        return self.transform(texts), csr_array((len(texts), BUCKETS), dtype=np.float32)

    def get_feature_names_out(self) -> NDArray[np.str_]:
        return np.array([self.name, "length"])


@pytest.fixture(autouse=True)
def training_without_paraphrasers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put one paraphrase of our own beside the texts; loading the real ones takes half a minute."""

    def make_matrix(
        texts: Sequence[LabelledText], parts: Parts, spun: Any, extractor: Any, recipe: Recipe, progress: bool
    ) -> LabelledMatrix:
        chosen = [texts[i] for i in np.flatnonzero(parts.matrix)]
        groups = np.zeros(len(chosen) + 1, np.int32)
        matrix = measure([*chosen, OWN], extractor, jobs=1, progress=progress, groups=groups)
        return dataclasses.replace(matrix, tools=np.array(["tool"] * len(chosen) + ["unspun:wordnet"]))

    monkeypatch.setattr("training.saved_features.spun_for_matrix", lambda texts, parts, recipe: [])
    monkeypatch.setattr("training.saved_features.make_matrix", make_matrix)


def once(texts: Sequence[LabelledText], extractor: Any, file: Path | None) -> LabelledMatrix:
    return measure_once(texts, extractor, Recipe(), file)


def test_a_second_run_reads_what_the_first_measured(tmp_path: Path) -> None:
    file = tmp_path / "corpus.npz"
    first = once(TEXTS, Extractor(), file)
    again = Extractor()
    second = once(TEXTS, again, file)
    assert np.array_equal(first.features, second.features)
    assert 0 < again.measured < len(TEXTS)
    assert [path.name for path in tmp_path.iterdir()] == ["corpus.npz"]


def test_without_a_file_nothing_is_kept(tmp_path: Path) -> None:
    assert len(once(TEXTS, Extractor(), None)) > 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("texts", "extractor", "message"),
    [
        (TEXTS[2:], Extractor(), "other texts"),
        (TEXTS[::-1], Extractor(), "other texts"),
        (TEXTS, Extractor(name="words"), "another model"),
        (TEXTS, Extractor(times=1.1), "other features than this model's"),
    ],
)
def test_a_file_of_something_else_is_refused(
    texts: list[LabelledText], extractor: Extractor, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "corpus.npz"
    once(TEXTS, Extractor(), file)
    with pytest.raises(FeaturesError, match=message):
        once(texts, extractor, file)


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 broken"])
def test_a_file_that_holds_no_features_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "corpus.npz"
    file.write_bytes(content)
    with pytest.raises(FeaturesError, match="holds no features"):
        once(TEXTS, Extractor(), file)


def test_rows_are_known_again_by_the_texts_they_are_of() -> None:
    matrix = once(TEXTS, Extractor(), None)
    learnt = rows_learnt_from(matrix, TEXTS, np.sort(text_keys([TEXTS[3].text, TEXTS[5].text, OWN.text])))
    assert set(matrix.ids[learnt].tolist()) <= {"t3", "t5"}
    assert learnt.sum() == np.isin(matrix.ids, ["t3", "t5"]).sum() > 0

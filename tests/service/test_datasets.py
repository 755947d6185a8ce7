"""service/datasets.py: verdicts in Hugging Face datasets. tests/test_engines.py maps one in two processes."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.service.fake_detector import FakeDetector
from tests.service.support import CLEAR, SPUN
from unspun.model import bundle
from unspun.model.bundle import BundleError
from unspun.service import rows
from unspun.service.datasets import ScoreRows

datasets = pytest.importorskip("datasets", reason="pip install 'unspun[datasets]'")
if not (bundle.DEFAULT / bundle.MANIFEST).exists():
    pytest.skip(f"no model in {bundle.DEFAULT}", allow_module_level=True)


class Shipped(FakeDetector):
    """The quick detector, which says that it is the model that ships."""

    def __init__(self) -> None:
        super().__init__()
        self.model = bundle.check()[0]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(rows, "_loaded", lambda bundle, process: Shipped())
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    datasets.disable_progress_bars()


def articles(*texts: str | None, **columns: list[Any]) -> Any:
    return datasets.Dataset.from_dict({"text": list(texts), **columns})


def test_each_row_gets_the_verdict_of_its_text() -> None:
    scored = articles(SPUN, CLEAR, id=["a", "b"]).map(ScoreRows(), batched=True)
    assert scored["unspun_verdict"][:] == ["paraphrased", "clear"]
    assert scored["unspun_json"][:] == [
        Shipped().score(text, id=id).to_json() for id, text in (("a", SPUN), ("b", CLEAR))
    ]


@pytest.mark.parametrize("batched", [True, False])
def test_streams_and_single_rows_get_the_same_verdicts(batched: bool) -> None:
    plain = articles(SPUN, CLEAR)
    expected = plain.map(ScoreRows(), batched=True)["unspun_json"][:]
    assert plain.map(ScoreRows(), batched=batched)["unspun_json"][:] == expected
    stream = plain.to_iterable_dataset().map(ScoreRows(), batched=batched)
    assert [row["unspun_json"] for row in stream] == expected


def test_the_columns_of_the_row_stay_as_they_are() -> None:
    [row] = articles(SPUN, score=[4.5], id=[7]).map(ScoreRows(), batched=True)
    assert (row["score"], row["id"], row["unspun_score"]) == (4.5, 7, 0.97)
    assert json.loads(row["unspun_json"])["id"] == "7"


def test_batches_with_other_verdicts_than_the_first_can_be_joined() -> None:
    """`map` takes the type of a column from its first values: had these been null, the others would not fit."""
    texts = ["Short.", None, CLEAR, SPUN]
    scored = articles(*texts).map(ScoreRows(), batched=True, batch_size=1, writer_batch_size=1)
    assert scored["unspun_verdict"][:] == ["abstained", "", "clear", "paraphrased"]
    assert scored["unspun_kind"][:] == ["", "", "", "spun"]
    assert [math.isnan(score) for score in scored["unspun_score"]] == [True, True, False, False]


def test_the_columns_of_the_text_and_the_id_can_be_chosen() -> None:
    [row] = articles(CLEAR, story=[SPUN], url=["u"]).map(ScoreRows(text_field="story", id_field="url"), batched=True)
    assert row["unspun_json"] == Shipped().score(SPUN, id="u").to_json()


def test_rows_without_a_text_are_refused_with_their_columns() -> None:
    with pytest.raises(KeyError, match="the columns are: url; choose one with text_field"):
        ScoreRows()({"url": ["u"]})


def test_answers_of_another_model_or_other_options_are_not_taken_from_the_cache(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    from datasets.fingerprint import Hasher

    model = tmp_path / "model"
    shutil.copytree(tiny_bundle, model)
    before = Hasher.hash(ScoreRows(bundle=str(model)))
    assert Hasher.hash(ScoreRows(bundle=str(model))) == before
    assert Hasher.hash(ScoreRows(bundle=str(model), evidence=False)) != before
    with (model / bundle.MANIFEST).open("a") as manifest:
        manifest.write("\n")
    assert Hasher.hash(ScoreRows(bundle=str(model))) != before


def test_a_worker_with_another_model_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_loaded", lambda bundle, process: FakeDetector())
    with pytest.raises(BundleError, match="does not have the model that the run began with"):
        ScoreRows()({"text": [SPUN]})

"""service/frames.py: verdicts on data frames, as Spark and Ray pass them."""

from __future__ import annotations

import json

import pytest

from tests.service.fake_detector import FakeDetector
from tests.service.support import CLEAR, SPUN
from unspun.service import rows
from unspun.service.frames import COLUMNS, SCHEMA, score_frames

pd = pytest.importorskip("pandas", reason="pip install pandas")


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_loaded", lambda bundle, process: FakeDetector())


def test_each_row_gets_the_verdict_of_its_text() -> None:
    [first, second] = score_frames(
        [pd.DataFrame({"id": ["a", "b"], "text": [SPUN, CLEAR]}), pd.DataFrame({"text": [SPUN]})]
    )
    assert list(first["json"]) == [
        FakeDetector().score(SPUN, id="a").to_json(),
        FakeDetector().score(CLEAR, id="b").to_json(),
    ]
    assert list(second["verdict"]) == ["paraphrased"]


def test_a_row_has_the_fields_of_the_verdict() -> None:
    [answer] = score_frames([pd.DataFrame({"id": ["a"], "text": [SPUN]})])
    [row] = answer.to_dict("records")
    numbers = ("score", "false_positive_rate", "share", "spun", "translated", "rewritten")
    assert [row[name] for name in numbers] == [0.97, 0.0021, 0.93, 0.97, 0.01, 0.01]
    assert row["words"] == 13
    assert row["evidence"] == "imaginative and prescient -> vision; vitality -> energy"
    assert pd.isna(row["probability"])


def test_an_abstained_row_has_no_numbers() -> None:
    [answer] = score_frames([pd.DataFrame({"text": [f"Unfamiliar words. {SPUN}"]})])
    assert list(answer["reason"]) == ["unfamiliar"]
    assert answer[["score", "false_positive_rate", "share", "spun"]].isna().all(axis=None)


def test_with_a_base_rate_there_is_a_probability() -> None:
    [answer] = score_frames([pd.DataFrame({"text": [SPUN]})], base_rate=0.05)
    assert list(answer["probability"]) == [FakeDetector().score(SPUN, base_rate=0.05).probability]


def test_an_invalid_base_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        list(score_frames([pd.DataFrame({"text": [SPUN]})], base_rate=1.0))


def test_the_columns_of_the_text_and_the_id_can_be_chosen() -> None:
    frame = pd.DataFrame([["u", SPUN, CLEAR]], columns=["url", "story", "text"])
    [answer] = score_frames([frame], text_field="story", id_field="url")
    assert list(answer["json"]) == [FakeDetector().score(SPUN, id="u").to_json()]


def test_a_usual_name_of_the_text_is_recognised() -> None:
    [answer] = score_frames([pd.DataFrame({"Content": [SPUN]})])
    assert list(answer["verdict"]) == ["paraphrased"]


def test_a_frame_without_a_text_is_refused_with_its_columns() -> None:
    with pytest.raises(KeyError, match="the columns are: url, title; choose one with text_field"):
        list(score_frames([pd.DataFrame({"url": ["u"], "title": ["t"]})]))


def test_a_row_without_a_text_keeps_its_place() -> None:
    [answer] = score_frames([pd.DataFrame({"id": ["a", "b", "c"], "text": [SPUN, None, CLEAR]})])
    assert list(answer["id"]) == ["a", "b", "c"]
    assert answer["verdict"].isna().tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (["a", None], ["a", None]),
        ([7, 8], ["7", "8"]),
        # pandas reads whole numbers, of which one is missing, as 7.0 and NaN
        ([7, None], ["7", None]),
        ([7.5, 8.0], ["7.5", "8.0"]),
    ],
)
def test_ids_are_as_submitted(ids: list[object], expected: list[str | None]) -> None:
    [answer] = score_frames([pd.DataFrame({"id": ids, "text": [SPUN, CLEAR]})])
    assert [json.loads(line)["id"] for line in answer["json"]] == expected


def test_all_answers_have_the_same_types_whatever_is_in_them() -> None:
    """Engines join the frames of all workers, and take types from those that they see first."""
    frames = [pd.DataFrame({"text": texts}) for texts in ([SPUN], [CLEAR], ["Short."], [None], [])]
    assert len({tuple(answer.dtypes) for answer in score_frames(frames)}) == 1


def test_a_frame_without_rows_has_all_columns() -> None:
    [answer] = score_frames([pd.DataFrame({"text": []})])
    assert list(answer.columns) == list(COLUMNS)


def test_the_schema_names_the_columns() -> None:
    assert [column.split()[0] for column in SCHEMA.split(", ")] == list(COLUMNS)

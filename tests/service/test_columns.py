"""service/render/columns.py: the fields of a Verdict as columns."""

from __future__ import annotations

from dataclasses import field as dataclass_field
from dataclasses import fields, make_dataclass, replace
from typing import Any

import pytest

from tests.service.fake_detector import FakeDetector
from tests.service.support import CLEAR, SPUN
from unspun.model.fields import about
from unspun.model.verdict import Evidence, Repair, SpunPassage, Verdict
from unspun.service.frames import spark_types
from unspun.service.render.columns import columns, from_row, row
from unspun.service.render.csv import Csv

COMPLETE = replace(
    FakeDetector().score(SPUN, id="a", base_rate=0.05),
    allowed=4,
    repairs=(Repair("mojibake", 3),),
    evidence=(Evidence(0, 3, "The", None, "debris", 0.5, ("One", "This")),),
    passages=(SpunPassage(4, 80, 12),),
)
MOOD = dataclass_field(metadata=about("How the text feels.", example="grim"))
Later: Any = make_dataclass("Later", [("mood", str | None, MOOD)], bases=(Verdict,), frozen=True, kw_only=True)
"""The Verdict of a later version, with one more field."""


def later() -> Any:
    values = {one.name: getattr(COMPLETE, one.name) for one in fields(COMPLETE)}
    return Later(**values, mood="grim")


def test_fields_are_in_the_order_of_the_json() -> None:
    assert [field.name for field in fields(Verdict)] == list(COMPLETE.to_dict())


@pytest.mark.parametrize(
    "verdict",
    [
        COMPLETE,
        FakeDetector().score(CLEAR),
        FakeDetector().score(SPUN, evidence=False),
        FakeDetector().score("Three little words"),
    ],
    ids=["complete", "clear", "without evidence", "abstained"],
)
def test_a_row_is_rebuilt_as_the_same_verdict(verdict: Verdict) -> None:
    assert from_row(row(verdict)) == verdict


def test_every_column_of_a_complete_verdict_has_a_value() -> None:
    empty = [name for name, value in row(replace(COMPLETE, reason="unfamiliar")).items() if value is None]
    assert empty == []


def test_each_part_of_the_model_is_a_column() -> None:
    assert [(column.name, column.path) for column in columns() if column.path[0] == "model"] == [
        ("model_name", ("model", "name")),
        ("model_version", ("model", "version")),
        ("model_sha256", ("model", "sha256")),
    ]


def test_a_new_field_is_in_json() -> None:
    answer = later().to_dict()
    assert answer["mood"] == "grim"
    assert Later.from_dict(answer) == later()


def test_a_new_field_is_in_csv() -> None:
    header, line = (text.rstrip("\n").split(",") for text in (Csv(Later).header(), Csv().document(SPUN, later())))
    assert dict(zip(reversed(header), reversed(line), strict=False))["mood"] == "grim"


def test_a_new_field_is_in_parquet() -> None:
    pa = pytest.importorskip("pyarrow", reason="pip install 'unspun[parquet]'")
    from unspun.service.render.parquet import schema

    assert schema(Later).field("mood") == pa.field("mood", pa.string(), nullable=True)


def test_a_new_field_is_in_the_schema_of_data_frames() -> None:
    assert spark_types(Later)["mood"] == "string"


def test_a_new_field_is_in_the_openapi_document() -> None:
    pytest.importorskip("pydantic", reason="pip install 'unspun[service]'")
    from unspun.service.http.config import Settings
    from unspun.service.http.openapi import document

    schema = document(Settings(), Later)["components"]["schemas"]["Later"]
    assert schema["properties"]["mood"]["description"] == "How the text feels."
    assert "mood" in schema["required"]
    assert schema["examples"][0]["mood"] == "grim"

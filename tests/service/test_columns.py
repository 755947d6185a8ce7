"""service/render/columns.py: the fields of a Verdict as columns."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import pytest

from tests.service.fake_detector import FakeDetector
from tests.service.support import CLEAR, SPUN
from unspun.model.verdict import Evidence, ModelInfo, Repair, SpunPassage, Verdict
from unspun.service.render.columns import Column, columns, columns_of, from_row, row

COMPLETE = replace(
    FakeDetector().score(SPUN, id="a", base_rate=0.05),
    repairs=(Repair("mojibake", 3),),
    evidence=(Evidence(0, 3, "The", None, "debris", 0.5, ("One", "This")),),
    passages=(SpunPassage(4, 80, 12),),
)


def test_fields_stand_in_the_order_of_the_json() -> None:
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
def test_a_row_comes_back_as_the_verdict(verdict: Verdict) -> None:
    assert from_row(row(verdict)) == verdict


def test_every_column_of_a_complete_verdict_has_a_value() -> None:
    empty = [name for name, value in row(replace(COMPLETE, reason="unfamiliar")).items() if value is None]
    assert empty == []


def test_a_field_of_a_dataclass_is_a_column_for_each_of_its_parts() -> None:
    assert [(column.name, column.path) for column in columns() if column.path[0] == "model"] == [
        ("model_name", ("model", "name")),
        ("model_version", ("model", "version")),
        ("model_sha256", ("model", "sha256")),
    ]


def test_a_new_field_is_a_column_without_more_ado() -> None:
    @dataclass
    class Later:
        mood: str | None
        model: ModelInfo

    Later.__annotations__ = {"mood": str | None, "model": ModelInfo}
    assert columns_of(Later)[0] == Column("mood", ("mood",), str, many=False, optional=True)

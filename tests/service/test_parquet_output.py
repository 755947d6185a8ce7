"""service/render/parquet.py: verdicts as typed columns, and back."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.service.fake_detector import FakeDetector, verdict_on
from tests.service.support import CLEAR, SPUN, SUSPECT
from unspun.model.verdict import KINDS, Evidence, Repair, SpunPassage, Verdict
from unspun.service.console import CommandError
from unspun.service.render.csv import Csv
from unspun.service.render.parquet import ParquetWriter, read, schema

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
pq = pytest.importorskip("pyarrow.parquet")


def written(*verdicts: Verdict, **options: int) -> io.BytesIO:
    stream = io.BytesIO()
    writer = ParquetWriter(stream, **options)
    for verdict in verdicts:
        writer.write(SPUN, verdict)
    writer.close()
    stream.seek(0)
    return stream


ALL = [
    verdict_on(SPUN),
    verdict_on(SUSPECT, id=None),
    verdict_on(CLEAR),
    verdict_on("Three little words"),
    verdict_on(f"Unfamiliar words. {SPUN}"),
    FakeDetector().score(SPUN, base_rate=0.05),
    verdict_on(SPUN, repairs=(Repair("mojibake", 3), Repair("zero_width", 1))),
    verdict_on(SPUN, evidence=None),
    verdict_on(SPUN, evidence=()),
    verdict_on(SPUN, passages=(SpunPassage(0, 20, 4), SpunPassage(30, 70, 8))),
    verdict_on(SPUN, evidence=(Evidence(0, 3, "The", "A", "misfit", 0.1 + 0.2, ("One", "Thé\n文字")),)),
    verdict_on("In the The town he sat.", id=""),
]
"""Every null, every list empty and not, and every verdict."""


def test_nothing_is_lost_between_a_verdict_and_its_row() -> None:
    assert [verdict.to_json() for verdict in read(written(*ALL))] == [verdict.to_json() for verdict in ALL]


@settings(max_examples=50)
@given(
    id=st.none() | st.text(),
    numbers=st.lists(st.floats(0, 1), min_size=len(KINDS), max_size=len(KINDS)),
    rate=st.none() | st.floats(0, 1),
    evidence=st.none()
    | st.lists(
        st.builds(
            Evidence,
            start=st.integers(0, 2**40),
            end=st.integers(0, 2**40),
            text=st.text(),
            suggestion=st.none() | st.text(),
            signal=st.text(),
            weight=st.floats(allow_nan=False),
            alternatives=st.lists(st.text(), max_size=3).map(tuple),
        ),
        max_size=4,
    ).map(tuple),
)
def test_any_verdict_is_rebuilt(
    id: str | None, numbers: list[float], rate: float | None, evidence: tuple[Evidence, ...] | None
) -> None:
    kinds = dict(zip(KINDS, numbers, strict=True))
    verdict = verdict_on(SPUN, id=id, kinds=kinds, score=max(numbers), false_positive_rate=rate, evidence=evidence)
    assert [found.to_json() for found in read(written(verdict))] == [verdict.to_json()]


def test_columns_have_the_same_names_as_in_csv() -> None:
    assert schema().names == Csv().header().rstrip("\n").split(",")


def test_columns_have_types_that_a_data_frame_can_use() -> None:
    table = pq.read_table(written(*ALL))
    assert table.schema.equals(schema())
    numbers = ("score", "false_positive_rate", "share", *KINDS, "probability")
    assert {str(table.schema.field(name).type) for name in numbers} == {"double"}
    assert str(table.schema.field("words").type) == "int64"
    found = table["evidence"][0].as_py()[0]
    assert (found["text"], found["suggestion"], found["weight"]) == ("imaginative and prescient", "vision", 3.1)


def test_only_optional_columns_may_be_null() -> None:
    assert [field.name for field in schema() if not field.nullable] == [
        *("verdict", "words", "english", "depth", "repairs", "model_name", "model_version", "model_sha256")
    ]


def test_the_numbers_of_an_abstained_document_are_null() -> None:
    [found] = pq.read_table(written(verdict_on("Three little words"))).to_pylist()
    numbers = ("score", "false_positive_rate", "share", *KINDS, "probability")
    assert [found[name] for name in numbers] == [None] * len(numbers)


def test_repairs_are_structures() -> None:
    table = pq.read_table(written(verdict_on(SPUN, repairs=(Repair("zero_width", 2),))))
    assert table["repairs"].to_pylist() == [[{"what": "zero_width", "count": 2}]]


def test_evidence_is_null_if_not_requested_and_empty_if_none_was_found() -> None:
    found = pq.read_table(written(verdict_on(SPUN, evidence=None), verdict_on(SPUN, evidence=())))["evidence"]
    assert found.to_pylist() == [None, []]


def test_a_file_may_have_no_rows() -> None:
    assert pq.read_table(written()).num_rows == 0


def test_rows_are_written_in_groups() -> None:
    groups = pq.ParquetFile(written(*[verdict_on(CLEAR)] * 25, rows=10))
    assert [groups.metadata.row_group(place).num_rows for place in range(groups.num_row_groups)] == [10, 10, 5]


def test_much_evidence_ends_a_row_group_early() -> None:
    assert pq.ParquetFile(written(*[verdict_on(SPUN)] * 6, evidence=4)).num_row_groups == 3


def test_rows_reach_the_stream_before_the_end() -> None:
    stream = io.BytesIO()
    writer = ParquetWriter(stream, rows=10)
    sizes = []
    for place in range(30):
        writer.write(SPUN, verdict_on(SPUN, id=f"{place}.txt"))
        sizes.append(stream.tell())
    writer.close()
    assert sizes[8] < sizes[9] == sizes[18] < sizes[19] == sizes[28] < sizes[29]


def test_lone_surrogates_become_replacement_characters() -> None:
    verdict = verdict_on(
        SPUN, id="a\ud800b", evidence=(Evidence(0, 2, "x\udfff", "\ud83d", "misfit", 1.0, ("\ud800",)),)
    )
    (found,) = read(written(verdict))
    assert found.id == "a\ufffdb"
    assert found.evidence == (Evidence(0, 2, "x\ufffd", "\ufffd", "misfit", 1.0, ("\ufffd",)),)


def test_the_same_verdicts_are_the_same_bytes() -> None:
    assert written(*ALL).getvalue() == written(*ALL).getvalue()


def test_the_stream_stays_open_and_a_file_can_be_read_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.parquet"
    with path.open("wb") as file:
        writer = ParquetWriter(file)
        writer.write(SPUN, verdict_on(SPUN))
        writer.close()
        assert not file.closed
    assert [verdict.id for verdict in read(path)] == ["a.txt"]


def test_without_pyarrow_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(CommandError, match=r"pip install 'unspun\[parquet\]'"):
        ParquetWriter(io.BytesIO())

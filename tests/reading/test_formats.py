"""reading/reader.py: every format in every packing, and what may be wrong with the files of many documents."""

from __future__ import annotations

import io
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow.parquet import write_table

from tests.reading.support import (
    PACKED,
    RECORDS,
    ROWS,
    http_answer,
    json_lines,
    page,
    parquet,
    warc,
    warc_record,
    wet,
)
from tests.reading.support import cases, why
from unspun.reading import records
from unspun.reading.reader import Failure, Format, Reader, Record, format_of, read_stream


def read(*paths: Path) -> list[Record | Failure]:
    return list(Reader([str(path) for path in paths]))


def read_bytes(data: bytes, kind: Format) -> list[Record | Failure]:
    return list(read_stream(io.BytesIO(data), "F", kind))


def told(items: list[Record | Failure]) -> list[str]:
    return [str(item) for item in items if isinstance(item, Failure)]


def texts(items: list[Record | Failure]) -> list[str]:
    return [item.text for item in items if isinstance(item, Record)]


def parquet_of(**columns: Any) -> bytes:
    out = io.BytesIO()
    write_table(pa.table(columns), out)
    return out.getvalue()


# Formats and packings


@pytest.mark.parametrize("packing", PACKED)
@pytest.mark.parametrize("suffix", RECORDS)
def test_records_come_back_as_they_were_written(suffix: str, packing: str, tmp_path: Path) -> None:
    file = tmp_path / f"file{suffix}{packing}"
    file.write_bytes(PACKED[packing](RECORDS[suffix](ROWS)))
    found = read(tmp_path)
    assert told(found) == []
    assert [(item.id, item.text) for item in found if isinstance(item, Record)] == ROWS
    assert all(item.where.startswith(f"{file}:") for item in found if isinstance(item, Record))


@pytest.mark.parametrize("packing", PACKED)
@pytest.mark.parametrize("suffix", [".txt", ".md", ".html", ".htm"])
def test_a_document_of_its_own_comes_back_as_it_was_written(suffix: str, packing: str, tmp_path: Path) -> None:
    file = tmp_path / f"file{suffix}{packing}"
    text = "The café’s first paragraph, and it is not a short one."
    file.write_bytes(PACKED[packing](page(text) if suffix.startswith(".h") else text.encode()))
    assert read(tmp_path) == [Record(str(file), text, str(file))]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("CC-MAIN-20260101000000-00000.warc.gz", "warc"),
        ("CC-MAIN-20260101000000-00000.warc.wet.gz", "warc"),
        # Metadata only.
        ("CC-MAIN-20260101000000-00000.warc.wat.gz", None),
        ("part-00000.snappy.parquet", "parquet"),
        ("a.jsonl.zst", "jsonl"),
        ("a.csv.zstd", "csv"),
        ("a.zst", None),
        ("s3://bucket/a.txt.gz", "txt"),
        # On the web, what comes after the path is no name of a file; in a store, it may be.
        ("https://example.org/a.html?b=c.csv#d", "html"),
        ("s3://bucket/what?.txt", "txt"),
        ("zip://a.csv::s3://bucket/b.zip", "csv"),
    ],
)
def test_a_name_tells_how_a_file_is_read(name: str, expected: Format | None) -> None:
    assert format_of(name) == expected


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Z"]), min_size=1),
            st.text(st.characters(codec="utf-8", exclude_categories=["Cc"])),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_parquet_comes_back_as_written(rows: list[tuple[str, str]]) -> None:
    found = read_bytes(parquet(rows, row_group_size=2), "parquet")
    assert [(item.id, item.text) for item in found if isinstance(item, Record)] == rows


@settings(deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["parquet", "warc"]))
def test_any_bytes_are_documents_or_told_in_words(data: bytes, kind: Format) -> None:
    for item in read_bytes(data, kind):
        assert isinstance(item, Record) or "please report" not in item.message


@settings(deadline=None)  # the first page loads the library
@given(st.data())
def test_a_damaged_archive_is_read_or_told_in_words(data: st.DataObject) -> None:
    whole = bytearray(warc(ROWS) + wet(ROWS) + warc_record("response", "x", http_answer(page("Words."))))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    for item in read_bytes(bytes(whole), "warc"):
        assert isinstance(item, Record) or "please report" not in item.message


@settings(deadline=None)
@given(st.data())
def test_a_damaged_table_is_read_or_told_in_words(data: st.DataObject) -> None:
    whole = bytearray(parquet(ROWS * 20, row_group_size=7))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    for item in read_bytes(bytes(whole), "parquet"):
        assert isinstance(item, Record) or "please report" not in item.message


@settings(max_examples=20, deadline=None)
@given(random=st.randoms(use_true_random=False))
def test_order_and_ids_are_the_same_every_time(random: random.Random, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("order")
    names = [f"{a}{b}{suffix}" for a in ("", "x/", "x-", "x/y/") for b in "ab" for suffix in (".jsonl.gz", ".parquet")]
    random.shuffle(names)  # the order in which a folder lists them
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(PACKED[".gz"](json_lines(ROWS)) if name.endswith(".gz") else parquet(ROWS))
    first = read(folder)
    assert first == read(folder)
    places = [item.where.rpartition(":")[0] for item in first]
    assert places == [f"{folder}/{name}" for name in sorted(names) for _ in ROWS]


# Parquet


def test_the_id_of_a_row_without_one_is_its_number() -> None:
    found = read_bytes(parquet_of(text=["one", "two"], id=[None, 7]), "parquet")
    assert [item.id for item in found if isinstance(item, Record)] == ["F#1", "7"]


def test_columns_are_known_in_any_case() -> None:
    (record,) = read_bytes(parquet_of(ID=["a"], Text=["words"]), "parquet")
    assert record == Record("a", "words", "F:1")


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["“one”", "two"], pa.large_string()),
        pa.array(["“one”", "two"], pa.string_view()),
        pa.array(["“one”", "two"]).dictionary_encode(),
        # Written by old engines, which do not say that these are strings.
        pa.array(["“one”".encode(), b"two"]),
        pa.array(["“one”".encode("cp1252"), b"two"]),
        # Said to be UTF-8, and is not.
        pa.Array.from_buffers(pa.string(), 2, pa.array(["“one”".encode("cp1252"), b"two"]).buffers()),
    ],
    ids=["large", "view", "dictionary", "bytes", "cp1252", "false"],
)
def test_texts_are_read_however_they_are_stored(column: Any) -> None:
    assert texts(read_bytes(parquet_of(text=column), "parquet")) == ["“one”", "two"]


def test_a_null_costs_only_itself() -> None:
    found = read_bytes(parquet_of(text=["one", None, "three"]), "parquet")
    assert told(found) == ['F:2: "text" is null, not a string']
    assert texts(found) == ["one", "three"]


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ({"url": ["a"], "body": ["b"]}, 'F: no column "text" (the columns are: url, body)'),
        ({"text": [1, 2]}, 'F: the column "text" is of type int64, not of strings'),
        ({"text": [["a"]]}, 'F: the column "text" is of type list<element: string>, not of strings'),
        ({"text": pa.array([], pa.string())}, "F: no documents in this file"),
    ],
)
def test_another_schema_is_told_in_a_line(columns: dict[str, Any], complaint: str) -> None:
    assert told(read_bytes(parquet_of(**columns), "parquet")) == [complaint]


def test_a_truncated_parquet_file_is_told_in_a_line() -> None:
    (line,) = told(read_bytes(parquet(ROWS)[:-20], "parquet"))
    assert line.startswith("F: broken Parquet: ")


def test_a_parquet_file_broken_in_the_middle_is_told_after_what_was_whole() -> None:
    random.seed(1)
    rows = [(str(i), random.randbytes(40).hex()) for i in range(1000)]
    data = bytearray(parquet(rows, row_group_size=500))
    data[len(data) // 2 : len(data) // 2 + 20_000] = b"\0" * 20_000
    found = read_bytes(bytes(data), "parquet")
    assert texts(found)[:256] == [text for _, text in rows[:256]]
    (line,) = told(found)
    assert ": broken Parquet: " in line


def test_a_parquet_file_on_standard_input_is_read() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    reader = Reader(["-"], stdin=Pipe(parquet(ROWS)), stdin_format="parquet")
    assert texts(list(reader)) == [text for _, text in ROWS]


def test_a_large_row_group_takes_bounded_memory(tmp_path: Path) -> None:
    file = tmp_path / "large.parquet"
    write_table(pa.table({"text": [f"{i} words " * 1000 for i in range(10_000)]}), file, compression="none")
    before = pa.total_allocated_bytes()
    pool = pa.default_memory_pool()
    highest = 0
    for _ in Reader([str(file)]):
        highest = max(highest, pool.bytes_allocated() - before)
    assert 0 < highest < file.stat().st_size / 3


# WARC and WET


@pytest.mark.parametrize("case", cases("archives.toml"), ids=why)
def test_archives(case: dict[str, Any]) -> None:
    skipped: list[None] = []
    found = list(read_stream(io.BytesIO(archive(case["records"])), "F", "warc", skip=lambda: skipped.append(None)))
    assert [[item.id, item.text] for item in found if isinstance(item, Record)] == case["expected"]
    assert told(found) == case.get("told", [])
    assert len(skipped) == case.get("skipped", 0)


def archive(descriptions: list[dict[str, Any]]) -> bytes:
    """Return the archive that a case describes."""
    out = b""
    for record in descriptions:
        if "garbage" in record:
            out += record["garbage"].encode()
            continue
        body = record["body"].encode(record.get("encoding", "utf-8"))
        block = body
        if record.get("type", "response") == "response":
            options = {name: record[name] for name in ("kind", "status", "more") if name in record}
            block = http_answer(PACKED[record.get("packing", "")](body), **options)
        made = warc_record(record.get("type", "response"), record.get("uri"), block, length=record.get("length"))
        out += made[: len(made) - record.get("cut", 0)]
    return out


def test_passed_over_records_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a.warc").write_bytes(warc(ROWS))
    reader = Reader([str(tmp_path)])
    assert len(list(reader)) == len(ROWS)
    assert reader.skipped == len(ROWS)  # the requests


def test_a_page_too_long_for_a_document_costs_only_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "LONGEST", 1000)
    found = read_bytes(wet([("a", "one"), ("b", "x" * 1001), ("c", "three")]), "warc")
    assert texts(found) == ["one", "three"]
    assert told(found) == ["F:3: longer than 1,000 bytes: not one document"]


def test_a_page_that_unpacks_to_too_much_costs_only_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "LONGEST", 1000)
    bomb = http_answer(PACKED[".gz"](b"x" * 100_000), more="Content-Encoding: gzip\r\n")
    found = read_bytes(warc_record("response", "b", bomb) + wet([("c", "three")]), "warc")
    assert texts(found) == ["three"]
    assert told(found) == ["F:1: longer than 1,000 bytes when unpacked: not one document"]


# Broken packings


@pytest.mark.parametrize(("packing", "name"), [(".gz", "gzip"), (".zst", "zstd")])
@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".warc"])
@pytest.mark.parametrize("cut", [5, 2000])
def test_a_truncated_file_is_told_after_what_was_whole(
    suffix: str, packing: str, name: str, cut: int, tmp_path: Path
) -> None:
    random.seed(1)
    rows = [(str(i), random.randbytes(200).hex()) for i in range(1000)]
    file = tmp_path / f"a{suffix}{packing}"
    file.write_bytes(PACKED[packing](RECORDS[suffix](rows))[:-cut])
    *found, last = read(file)
    assert isinstance(last, Failure)
    assert last.where.startswith(str(file))
    assert last.message.startswith(f"broken {name}: ")
    # A block of zstandard is 128 KB, and given in whole or not at all.
    assert 500 < len(texts(found)) <= 1000
    assert [item.id for item in found if isinstance(item, Record)] == [id for id, _ in rows][: len(texts(found))]


@pytest.mark.parametrize("packing", [".gz", ".zst"])
@pytest.mark.parametrize("suffix", [".txt", ".jsonl", ".parquet", ".warc"])
def test_a_packed_file_that_is_none_is_told(suffix: str, packing: str, tmp_path: Path) -> None:
    (tmp_path / f"a{suffix}{packing}").write_text("words")
    (line,) = told(read(tmp_path))
    assert ": broken " in line


def test_a_truncated_text_is_no_document(tmp_path: Path) -> None:
    (tmp_path / "a.txt.zst").write_bytes(PACKED[".zst"](b"Some words. " * 100_000)[:-5])
    found = read(tmp_path)
    assert texts(found) == []
    assert len(told(found)) == 1


def test_packed_files_in_pieces_are_read_in_full(tmp_path: Path) -> None:
    # As archives of crawls are: a piece for each record.
    for packing in (".gz", ".zst"):
        pieces = (PACKED[packing](warc_record("conversion", id, text.encode())) for id, text in ROWS)
        (tmp_path / f"a.wet{packing}").write_bytes(b"".join(pieces))
    assert texts(read(tmp_path)) == [text for _, text in ROWS] * 2


# Libraries that are not there


@pytest.mark.parametrize(
    ("name", "module", "line"),
    [
        ("b.parquet", "pyarrow", "needs pyarrow, which is not installed: pip install 'unspun[parquet]'"),
        ("b.warc", "fastwarc.warc", "needs fastwarc, which is not installed: pip install 'unspun[warc]'"),
        ("b.txt.zst", "backports.zstd", "needs backports.zstd, which is not installed: pip install 'unspun[zstd]'"),
    ],
)
def test_a_missing_library_is_named_and_the_rest_is_read(
    name: str, module: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in ("a.txt", name, "c.txt"):
        (tmp_path / file).write_bytes(b"words")
    monkeypatch.setitem(sys.modules, module, None)
    found = read(tmp_path)
    assert told(found) == [f"{tmp_path}/{name}: {line}"]
    assert texts(found) == ["words", "words"]


# Two gigabytes

RECORD = {
    "jsonl": ("", '{"text": "%s"}\n'),
    "csv": ("text\n", "%s\n"),
    "warc": ("", f"WARC/1.0\r\nWARC-Type: conversion\r\nContent-Length: {10_000_000}\r\n\r\n%s\r\n\r\n"),
}
"""For each format how a file begins, and each record of it."""

READ_TWO_GIGABYTES = """
import io, re, sys
from unspun.reading.reader import Record, read_stream

head, record = (part.encode() for part in sys.argv[2:])
record = record.replace(b"%s", b"word " * 2_000_000)

class Large(io.RawIOBase):
    rest, left = head, 200

    def readable(self):
        return True

    def readinto(self, buffer):
        if not self.rest and self.left:
            self.rest, self.left = record, self.left - 1
        part, self.rest = self.rest[:len(buffer)], memoryview(self.rest)[len(buffer):]
        buffer[:len(part)] = part
        return len(part)

found = read_stream(io.BufferedReader(Large(), 1 << 20), "F", sys.argv[1])
number = sum(isinstance(item, Record) and len(item.text) >= 10_000_000 - 1 for item in found)
print(number, int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) // 1024)
"""


@pytest.mark.parametrize("kind", RECORD)
def test_two_gigabytes_take_the_memory_of_a_few_records(kind: str) -> None:
    command = [sys.executable, "-c", READ_TWO_GIGABYTES, kind, *RECORD[kind]]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    number, megabytes = map(int, done.stdout.split())
    assert number == 200
    assert megabytes < 300

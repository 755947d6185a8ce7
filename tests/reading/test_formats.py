"""reading/: every format with every compression, and damaged files of many documents."""

from __future__ import annotations

import gzip
import io
import random
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow.parquet import write_table

from tests.cases import cases, why
from tests.reading.support import (
    PACKED,
    RECORDS,
    ROWS,
    Items,
    failures,
    http_answer,
    ids,
    json_lines,
    page,
    parquet,
    read,
    read_bytes,
    rows_of,
    texts,
    warc,
    warc_record,
    wet,
)
from unspun.reading import records
from unspun.reading.fields import USUAL, Fields
from unspun.reading.jsons import Lines
from unspun.reading.reader import Failure, Format, Reader, Record, read_stream


def assert_explained(items: Items) -> None:
    """Check that no failure is reported as a bug."""
    assert not [line for line in failures(items) if "please report" in line]


def parquet_of(**columns: Any) -> bytes:
    out = io.BytesIO()
    write_table(pa.table(columns), out)
    return out.getvalue()


# Formats and compression


@pytest.mark.parametrize("packing", PACKED)
@pytest.mark.parametrize("suffix", RECORDS)
def test_records_are_read_as_written(suffix: str, packing: str, tmp_path: Path) -> None:
    file = tmp_path / f"file{suffix}{packing}"
    file.write_bytes(PACKED[packing](RECORDS[suffix](ROWS)))
    found = read(tmp_path)
    assert failures(found) == []
    assert rows_of(found) == ROWS
    assert all(item.where.startswith(f"{file}:") for item in found if isinstance(item, Record))


@pytest.mark.parametrize("packing", PACKED)
@pytest.mark.parametrize("suffix", [".txt", ".md", ".html", ".htm"])
def test_a_file_of_one_document_is_read_as_written(suffix: str, packing: str, tmp_path: Path) -> None:
    file = tmp_path / f"file{suffix}{packing}"
    text = "The café’s first paragraph, and it is not a short one."
    file.write_bytes(PACKED[packing](page(text) if suffix.startswith(".h") else text.encode()))
    assert read(tmp_path) == [Record(str(file), text, str(file))]


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
def test_parquet_is_read_as_written(rows: list[tuple[str, str]]) -> None:
    found = read_bytes(parquet(rows, row_group_size=2), "parquet")
    assert rows_of(found) == rows


@given(st.binary(max_size=300), st.sampled_from(get_args(Format)))
def test_any_bytes_are_documents_or_explained(data: bytes, kind: Format) -> None:
    assert_explained(read_bytes(data, kind))


@given(st.data())
def test_a_damaged_archive_is_read_or_explained(data: st.DataObject) -> None:
    whole = bytearray(warc(ROWS) + wet(ROWS) + warc_record("response", "x", http_answer(page("Words."))))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    assert_explained(read_bytes(bytes(whole), "warc"))


@given(st.data())
def test_a_damaged_table_is_read_or_explained(data: st.DataObject) -> None:
    whole = bytearray(parquet(ROWS * 20, row_group_size=7))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    assert_explained(read_bytes(bytes(whole), "parquet"))


@settings(max_examples=20)
@given(random=st.randoms(use_true_random=False))
def test_order_and_ids_do_not_depend_on_the_folder_listing(
    random: random.Random, tmp_path_factory: pytest.TempPathFactory
) -> None:
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
    assert ids(read_bytes(parquet_of(text=["one", "two"], id=[None, 7]), "parquet")) == ["F#1", "7"]


def test_column_names_are_matched_in_any_case() -> None:
    assert read_bytes(parquet_of(ID=["a"], Text=["words"]), "parquet") == [Record("a", "words", "F", 1)]


def test_columns_of_the_same_name_are_chosen_by_number() -> None:
    out = io.BytesIO()
    arrays = [pa.array([value]) for value in ("one", "x", "two", "a")]
    write_table(pa.Table.from_arrays(arrays, names=["text", "other", "text", "id"]), out)
    (line,) = failures(read_bytes(out.getvalue(), "parquet"))
    assert line == 'F: 2 columns are called "text" (1 and 3); choose one by its number: --text-field 1'
    for number, text in (("1", "one"), ("3", "two")):
        assert rows_of(list(read_stream(io.BytesIO(out.getvalue()), "F", "parquet", fields=Fields(number)))) == [
            ("a", text)
        ]


def test_requested_columns_are_kept() -> None:
    data = parquet_of(text=["words"], Source=["s"], n=[7], other=[1])
    (record,) = read_stream(io.BytesIO(data), "F", "parquet", fields=Fields(kept=("source", "n", "missing")))
    assert record == Record("F#1", "words", "F", 1, {"source": "s", "n": 7, "missing": None})


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["“one”", "two"], pa.large_string()),
        pa.array(["“one”", "two"], pa.string_view()),
        pa.array(["“one”", "two"]).dictionary_encode(),
        # Old engines do not mark columns as strings.
        pa.array(["“one”".encode(), b"two"]),
        pa.array(["“one”".encode("cp1252"), b"two"]),
        # Marked as UTF-8, but is not.
        pa.Array.from_buffers(pa.string(), 2, pa.array(["“one”".encode("cp1252"), b"two"]).buffers()),
    ],
    ids=["large", "view", "dictionary", "bytes", "cp1252", "mislabelled"],
)
def test_texts_are_read_from_every_column_type(column: Any) -> None:
    assert texts(read_bytes(parquet_of(text=column), "parquet")) == ["“one”", "two"]


def test_a_null_affects_no_other_row() -> None:
    found = read_bytes(parquet_of(text=["one", None, "three"]), "parquet")
    assert failures(found) == ['F:2: "text" is null, not a string']
    assert texts(found) == ["one", "three"]


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (
            {"url": ["a"], "title": ["b"]},
            'F: no column "text", "content", "body", "article" or "full_text"; the columns are: url, title; choose one '
            "with --text-field",
        ),
        ({"text": [1, 2]}, 'F: the column "text" is of type int64, not of strings'),
        ({"text": [["a"]]}, 'F: the column "text" is of type list<element: string>, not of strings'),
        ({"text": pa.array([], pa.string())}, "F: no documents in this file"),
    ],
)
def test_a_table_without_texts_is_reported(columns: dict[str, Any], line: str) -> None:
    assert failures(read_bytes(parquet_of(**columns), "parquet")) == [line]


def test_a_truncated_parquet_file_is_reported() -> None:
    (line,) = failures(read_bytes(parquet(ROWS)[:-20], "parquet"))
    assert line.startswith("F: broken Parquet: ")


def test_a_damaged_column_name_is_reported() -> None:
    schema = pa.schema([("text", pa.string()), ("é", pa.string())])
    out = io.BytesIO()
    write_table(pa.table({"text": ["one"], "é": ["two"]}, schema), out, store_schema=False)
    (line,) = failures(read_bytes(out.getvalue().replace("é".encode(), b"\xe9\x41"), "parquet"))
    assert line.startswith("F: broken Parquet: ")


def test_damage_in_a_parquet_file_is_reported_after_the_intact_rows() -> None:
    random.seed(1)
    rows = [(str(i), random.randbytes(40).hex()) for i in range(1000)]
    data = bytearray(parquet(rows, row_group_size=500))
    data[len(data) // 2 : len(data) // 2 + 20_000] = b"\0" * 20_000
    found = read_bytes(bytes(data), "parquet")
    assert texts(found)[:256] == [text for _, text in rows[:256]]
    (line,) = failures(found)
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


# E-mails


@pytest.mark.parametrize("case", cases("reading/mails.toml"), ids=why)
def test_emails(case: dict[str, Any]) -> None:
    [found] = read_bytes(case["mail"].lstrip("\n").replace("\n", "\r\n").encode(), "eml")
    if "error" in case:
        assert str(found) == f"F: {case['error']}"
    else:
        assert isinstance(found, Record)
        assert found.text.replace("\r\n", "\n") == case["text"]


# WARC and WET


@pytest.mark.parametrize("case", cases("reading/archives.toml"), ids=why)
def test_archives(case: dict[str, Any]) -> None:
    skipped: list[str] = []
    found = list(read_stream(io.BytesIO(archive(case["records"])), "F", "warc", skip=skipped.append))
    assert [list(row) for row in rows_of(found)] == case["expected"]
    assert failures(found) == case.get("failures", [])
    assert len(skipped) == case.get("skipped", 0)


def archive(descriptions: list[dict[str, Any]]) -> bytes:
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


def test_skipped_records_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a.warc").write_bytes(warc(ROWS))
    reader = Reader([str(tmp_path)])
    assert len(list(reader)) == len(ROWS)
    assert len(reader.skipped) == len(ROWS)  # the requests


def test_a_page_above_the_limit_affects_no_other_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "LONGEST", 1000)
    found = read_bytes(wet([("a", "one"), ("b", "x" * 1001), ("c", "three")]), "warc")
    assert texts(found) == ["one", "three"]
    assert failures(found) == ["F:3: longer than 1,000 bytes, the limit for one document"]


def test_a_page_above_the_limit_when_decompressed_affects_no_other_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "LONGEST", 1000)
    bomb = http_answer(PACKED[".gz"](b"x" * 100_000), more="Content-Encoding: gzip\r\n")
    found = read_bytes(warc_record("response", "b", bomb) + wet([("c", "three")]), "warc")
    assert texts(found) == ["three"]
    assert failures(found) == ["F:1: longer than 1,000 bytes, the limit for one document (decompressed)"]


# Damaged compression


@pytest.mark.parametrize(("packing", "name"), [(".gz", "gzip"), (".zst", "zstd")])
@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".warc"])
@pytest.mark.parametrize("cut", [5, 2000])
def test_a_truncated_file_is_reported_after_its_intact_records(
    suffix: str, packing: str, name: str, cut: int, tmp_path: Path
) -> None:
    random.seed(1)
    rows = [(str(i), random.randbytes(200).hex()) for i in range(1000)]
    file = tmp_path / f"a{suffix}{packing}"
    file.write_bytes(PACKED[packing](RECORDS[suffix](rows))[:-cut])
    *found, last = read(file)
    where, _, message = str(last).partition(": ")
    assert where.startswith(str(file))
    assert message.startswith(f"broken {name}: ")
    # A block of zstandard is 128 KB, and decompressed either completely or not at all.
    assert 500 < len(found) <= 1000
    assert rows_of(found) == rows[: len(found)]


@pytest.mark.parametrize("packing", [".gz", ".zst"])
@pytest.mark.parametrize("suffix", [".txt", ".jsonl", ".parquet", ".warc"])
def test_a_file_that_is_not_compressed_although_its_name_says_so_is_reported(
    suffix: str, packing: str, tmp_path: Path
) -> None:
    (tmp_path / f"a{suffix}{packing}").write_text("words")
    (line,) = failures(read(tmp_path))
    assert ": broken " in line


def test_a_truncated_text_is_not_a_document(tmp_path: Path) -> None:
    (tmp_path / "a.txt.zst").write_bytes(PACKED[".zst"](b"Some words. " * 100_000)[:-5])
    found = read(tmp_path)
    assert texts(found) == []
    assert len(failures(found)) == 1


def test_compressed_files_of_several_members_are_read_completely(tmp_path: Path) -> None:
    # Archives of crawls have one member per record.
    for packing in (".gz", ".zst"):
        pieces = (PACKED[packing](warc_record("conversion", id, text.encode())) for id, text in ROWS)
        (tmp_path / f"a.wet{packing}").write_bytes(b"".join(pieces))
    assert texts(read(tmp_path)) == [text for _, text in ROWS] * 2


# Missing libraries


@pytest.mark.parametrize(
    ("name", "module", "line"),
    [
        ("b.parquet", "pyarrow", "needs pyarrow, which is not installed: pip install 'unspun[parquet]'"),
        ("b.warc", "fastwarc.warc", "needs fastwarc, which is not installed: pip install 'unspun[warc]'"),
        ("b.txt.zst", "backports.zstd", "needs backports.zstd, which is not installed: pip install 'unspun[zstd]'"),
    ],
)
def test_a_missing_library_is_reported_with_the_command_that_installs_it(
    name: str, module: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in ("a.txt", name, "c.txt"):
        (tmp_path / file).write_bytes(b"words")
    monkeypatch.setitem(sys.modules, module, None)
    found = read(tmp_path)
    assert failures(found) == [f"{tmp_path}/{name}: {line}"]
    assert texts(found) == ["words", "words"]


# Large files

RECORD = {
    "jsonl": ("", '{"text": "%s"}\n'),
    "json": ("[", '{"text": "%s"},\n'),
    "csv": ("text\n", "%s\n"),
    "warc": ("", f"WARC/1.0\r\nWARC-Type: conversion\r\nContent-Length: {10_000_000}\r\n\r\n%s\r\n\r\n"),
}
"""For each format, the start of a file and each of its records."""

UNCLOSED = ('text\none\n"two\n', "%s\n")
"""A quote that is not closed before a large part of a file."""

READ_LARGE_FILE = """
import io, re, sys
from unspun.reading.reader import Record, read_stream

head, record = (part.encode() for part in sys.argv[2:])
record = record.replace(b"%s", b"word " * 2_000_000)

class Large(io.RawIOBase):
    rest, left = head, 50

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
def test_half_a_gigabyte_takes_the_memory_of_a_few_records(kind: str) -> None:
    command = [sys.executable, "-c", READ_LARGE_FILE, kind, *RECORD[kind]]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    number, megabytes = map(int, done.stdout.split())
    assert number == 50
    assert megabytes < 300


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("csv", "a" * 200_000),  # a first line without an end
        ("jsonl", "{" + ",".join(f'"field {number % 50_000}": 1' for number in range(50_001)) + "}"),
    ],
)
def test_odd_records_are_refused_in_bounded_time(kind: Format, text: str) -> None:
    started = time.process_time()
    assert [type(found) for found in read_stream(io.BytesIO(text.encode()), "odd", kind)] == [Failure]
    assert time.process_time() - started < 5


def test_an_unclosed_quote_before_half_a_gigabyte_takes_bounded_memory() -> None:
    command = [sys.executable, "-c", READ_LARGE_FILE, "csv", *UNCLOSED]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    number, megabytes = map(int, done.stdout.split())
    assert number == 0  # no document of the rest
    assert megabytes < 300


# --- blocks of lines, which other processes read

LINES: dict[str, bytes] = {
    "plain": b'{"id": 1, "text": "One."}\n{"id": 2, "text": "Two."}\n{"id": 3, "text": "Three."}\n',
    "without a last line end": b'{"text": "One."}\n{"text": "Two."}',
    "blank lines and errors": b'\n{"text": "One."}\n\n{"text": 1}\n[]\n{broken\n{"other": 1}\n \n{"text": "Two."}\n',
    "a byte order mark": b'\xef\xbb\xbf{"text": "One."}\n\xef\xbb\xbf{"text": "Two."}\n',
    "line ends of DOS and of old Macs": b'{"text": "One."}\r\n{"text": "Two."}\r{"text": "Three."}\n{broken\r\n',
    "UTF-16": '{"text": "One."}\n{"text": "Two \u00fc."}\n'.encode("utf-16"),
    "bytes of Windows-1252": b'{"text": "One \x93quoted\x94."}\n{"text": "Two."}\n',
    "a line that is too long": b'{"text": "One."}\n{"text": "' + b"x" * 300 + b'"}\n{"text": "Two."}\n{broken\n',
    "the first line too long": b'{"text": "' + b"x" * 300 + b'"}\n{"text": "Two."}\n',
    "nothing": b"",
    "only blank lines": b" \n\n\r\n",
}


@pytest.mark.parametrize("size", [1, 50, 1 << 17])
@pytest.mark.parametrize("data", LINES.values(), ids=LINES)
def test_blocks_of_lines_hold_the_same_documents_as_the_file(
    data: bytes, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unspun.reading.jsons.BLOCK", size)
    monkeypatch.setattr("unspun.reading.records.LONGEST", 200)
    whole = list(read_stream(io.BytesIO(data), "F", "jsonl"))
    assert of_blocks(read_stream(io.BytesIO(data), "F", "jsonl", in_blocks=True)) == whole


def test_the_blocks_before_a_break_are_kept(tmp_path: Path) -> None:
    lines = b"".join(b'{"text": "Line %d of some."}\n' % number for number in range(50_000))
    (tmp_path / "in.jsonl.gz").write_bytes(gzip.compress(lines)[:-5000])
    whole = read(tmp_path / "in.jsonl.gz")
    assert of_blocks(read(tmp_path / "in.jsonl.gz", in_blocks=True)) == whole
    assert isinstance(whole[-1], Failure)


def of_blocks(items: Iterable[Record | Failure]) -> list[Record | Failure]:
    """Return the documents in blocks of lines, and failures in their places."""
    found: list[Record | Failure] = []
    for item in items:
        if isinstance(item, Record):
            assert isinstance(item.text, Lines)
            found += item.text.records(item, USUAL)
        else:
            found.append(item)
    return found

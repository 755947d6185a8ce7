"""reading/reader.py: documents from files, folders and standard input, in whatever state."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.service.support import cases, why
from unspun.reading import records
from unspun.reading.reader import Failure, Format, Reader, Record, format_of, read_stream


def read(*paths: str | Path, **options: Any) -> list[Record | Failure]:
    return list(Reader([str(path) for path in paths], **options))


def read_bytes(data: bytes, kind: Format) -> list[Record | Failure]:
    return list(read_stream(io.BytesIO(data), "F", kind))


def check(case: dict[str, Any], kind: Format) -> None:
    found = read_bytes(case["content"].encode(), kind)
    records = [[item.id, item.text] for item in found if isinstance(item, Record)]
    failures = [item for item in found if isinstance(item, Failure)]
    assert records == case["records"]
    assert [failure.where for failure in failures] == [f"F:{line}" if line else "F" for line, _ in case["failures"]]
    for failure, (_, part) in zip(failures, case["failures"], strict=True):
        assert part.casefold() in failure.message.casefold()


@pytest.mark.parametrize("case", cases("json_lines.toml"), ids=why)
def test_json_lines(case: dict[str, Any]) -> None:
    check(case, "jsonl")


@pytest.mark.parametrize("case", cases("csv_files.toml"), ids=why)
def test_csv(case: dict[str, Any]) -> None:
    check(case, "csv")


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_records_are_read_in_any_encoding(kind: Format) -> None:
    content = {"jsonl": '{"id": "é", "text": "“naïve”"}\n', "csv": 'id,text\né,"“naïve”"\n'}[kind]
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"):
        (record,) = read_bytes(content.encode(encoding), kind)
        assert isinstance(record, Record)
        assert (record.id, record.text) == ("é", "“naïve”")


def test_json_nested_too_deep_is_told() -> None:
    deep = b'{"text": ' + b"[" * 200_000 + b"]" * 200_000 + b'}\n{"text": "two"}'
    failure, record = read_bytes(deep, "jsonl")
    assert isinstance(failure, Failure)
    assert "please report" not in failure.message
    assert isinstance(record, Record)


def test_a_field_of_a_megabyte_is_read() -> None:
    (record,) = read_bytes(b'text\n"' + b"word " * 200_000 + b'"\n', "csv")
    assert isinstance(record, Record)
    assert len(record.text) == 1_000_000


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_a_line_too_long_costs_only_itself(kind: Format, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "LONGEST", 100)
    row = {"jsonl": '{"id": "%s", "text": "%s"}\n', "csv": "%s,%s\n"}[kind]
    content = ("id,text\n" if kind == "csv" else "") + row % ("a", "one") + row % ("b", "x" * 300) + row % ("c", "3")
    first, failure, last = read_bytes(content.encode(), kind)
    assert isinstance(first, Record)
    assert isinstance(failure, Failure)
    assert failure.where == ("F:3" if kind == "csv" else "F:2")
    assert "longer than 100 characters" in failure.message
    assert isinstance(last, Record)
    assert last.where == ("F:4" if kind == "csv" else "F:3")


def test_a_file_too_long_for_a_document_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "LONGEST", 100)
    (failure,) = read_bytes(b"x" * 101, "txt")
    assert isinstance(failure, Failure)
    assert "longer than 100 bytes" in failure.message


@pytest.mark.parametrize("name", ["long.txt", "long.jsonl", "long.csv", "long.jsonl.gz"])
def test_100_megabytes_in_a_line_take_bounded_memory(name: str, tmp_path: Path) -> None:
    text = b"some words " * 9_500_000
    content = {"txt": text, "jsonl": b'{"text": "' + text + b'"}', "csv": b"text\n" + text + b"\n"}[name.split(".")[1]]
    (tmp_path / name).write_bytes(gzip.compress(content, 1) if name.endswith(".gz") else content)
    code = (
        # Not getrusage: what it tells of a child begins with the memory of the parent that it was forked from.
        "import re, sys; from service.readers import Reader; (record,) = Reader(sys.argv[1:]);"
        "print(len(record.text), int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]) // 1024)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / name], capture_output=True, text=True, check=True)
    characters, megabytes = map(int, done.stdout.split())
    assert characters == len(text)
    assert megabytes < 900


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.txt", "txt"),
        ("a.MD", "txt"),
        ("a.html", "html"),
        ("a.htm.gz", "html"),
        ("a.jsonl.GZ", "jsonl"),
        ("a.ndjson", "jsonl"),
        ("a.csv", "csv"),
        ("a.json", None),
        ("a.gz", None),
        ("txt", None),
        (".txt", None),
        ("a.txt/b", None),
    ],
)
def test_a_name_tells_how_a_file_is_read(name: str, expected: Format | None) -> None:
    assert format_of(name) == expected


def test_a_folder_is_searched_in_full_and_sorted_by_path(tmp_path: Path) -> None:
    names = ["a/b.txt", "a-b.txt", "a.txt", "a/c/d.md", "B.txt", "z.csv", "a/.hidden.txt"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("text\nwords")
    ids = [record.id.split("#")[0] for record in read(tmp_path) if isinstance(record, Record)]
    assert ids == sorted(f"{tmp_path}/{name}" for name in names)


def test_the_id_is_the_path_as_given(here: Path) -> None:
    (here / "sub").mkdir()
    (here / "sub" / "a.txt").write_text("words")
    found = read("sub", "sub/", "./sub/a.txt")
    assert [record.id for record in found if isinstance(record, Record)] == [
        "sub/a.txt",
        "sub/a.txt",
        "./sub/a.txt",
    ]


def test_files_of_other_types_are_counted_and_passed_over(tmp_path: Path) -> None:
    for name in ("a.txt", "b.png", "c", "d.json"):
        (tmp_path / name).write_text("words")
    reader = Reader([str(tmp_path)])
    assert len(list(reader)) == 1
    assert reader.skipped == 3


def test_a_file_that_is_named_is_read_whatever_its_suffix(tmp_path: Path) -> None:
    (tmp_path / "LICENSE").write_text("words")
    (record,) = read(tmp_path / "LICENSE")
    assert isinstance(record, Record)
    assert record.text == "words"


def test_a_folder_in_a_loop_of_links_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.txt").write_text("words")
    (tmp_path / "a" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "a" / "self").symlink_to(".", target_is_directory=True)
    assert [item.where for item in read(tmp_path)] == [f"{tmp_path}/a/x.txt"]


def test_links_that_lead_nowhere_are_told(tmp_path: Path) -> None:
    (tmp_path / "gone.txt").symlink_to("nowhere")
    (tmp_path / "self.txt").symlink_to("self.txt")
    (tmp_path / "x.txt").write_text("words")
    gone, itself, record = read(tmp_path)
    assert str(gone).endswith("gone.txt: no such file or directory")
    assert "self.txt: too many levels" in str(itself)
    assert isinstance(record, Record)


def test_a_pipe_in_a_folder_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "x.txt").write_text("words")
    assert len(read(tmp_path)) == 1


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    (failure,) = read(tmp_path)
    assert isinstance(failure, Failure)
    assert failure.where == str(tmp_path)


def test_a_missing_file_is_told_and_the_next_is_read(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("words")
    failure, record = read(tmp_path / "missing.txt", tmp_path / "x.txt")
    assert str(failure) == f"{tmp_path}/missing.txt: no such file or directory"
    assert isinstance(record, Record)


def test_a_file_without_rights_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Said, not done, since the tests may run as root, who may read everything.
    real = Path.open

    def no_rights(self: Path, *arguments: Any, **options: Any) -> Any:
        if self.name == "secret.txt":
            raise PermissionError(13, "Permission denied", str(self))
        return real(self, *arguments, **options)

    for name in ("secret.txt", "x.txt"):
        (tmp_path / name).write_text("words")
    monkeypatch.setattr(Path, "open", no_rights)
    failure, record = read(tmp_path)
    assert str(failure) == f"{tmp_path}/secret.txt: permission denied"
    assert isinstance(record, Record)


def test_a_folder_without_rights_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.scandir

    def no_rights(path: str) -> Any:
        if path.endswith("secret"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", no_rights)
    (tmp_path / "secret").mkdir()
    (tmp_path / "x.txt").write_text("words")
    failure, record = read(tmp_path)
    assert str(failure) == f"{tmp_path}/secret: permission denied"
    assert isinstance(record, Record)


@pytest.mark.parametrize(("count", "cut"), [(50, 5), (50, 2000), (500, 5), (500, 2000)])
def test_a_broken_gzip_is_told_after_what_was_whole(count: int, cut: int, tmp_path: Path) -> None:
    lines = "".join(json.dumps({"text": os.urandom(400).hex()}) + "\n" for _ in range(count))
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(lines.encode())[:-cut])
    *records, failure = read(tmp_path / "a.jsonl.gz")
    assert len(records) >= count - 20
    assert all(isinstance(record, Record) for record in records)
    assert isinstance(failure, Failure)
    assert "a.jsonl.gz:" in failure.where
    assert failure.message.startswith("broken gzip")


def test_a_gz_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.txt.gz").write_text("words")
    (failure,) = read(tmp_path)
    assert isinstance(failure, Failure)
    assert failure.message.startswith("broken gzip")


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.html"])
def test_an_empty_file_is_an_empty_document(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    (record,) = read(tmp_path)
    assert record == Record(f"{tmp_path}/{name}", "", f"{tmp_path}/{name}")


def test_the_file_being_written_is_left_out_of_folders(tmp_path: Path) -> None:
    for name in ("out.jsonl", "x.txt"):
        (tmp_path / name).write_text("words")
    assert [item.where for item in read(tmp_path, exclude=tmp_path / "out.jsonl")] == [f"{tmp_path}/x.txt"]


@pytest.mark.parametrize(
    ("data", "ids"),
    [
        (b"Some words.\nMore words.", ["-"]),
        (b'{"text": "one"}\n{"id": "b", "text": "two"}\n', ["-#1", "b"]),
        (b'\n { "text": "one"}\n', ["-#2"]),
        (b'{"text": "' + b"x" * 100_000 + b'"}\n{"text": "two"}', ["-#1", "-#2"]),
        (b"{Hello|Hi} there, said {he|she}.", ["-"]),
        (b'{"text": "one"}\nand words', ["-"]),
        (b"", ["-"]),
        ('{"text": "one"}\n'.encode("utf-16"), ["-#1"]),
    ],
)
def test_json_lines_are_known_on_standard_input(data: bytes, ids: list[str]) -> None:
    assert [item.id for item in read("-", stdin=io.BytesIO(data)) if isinstance(item, Record)] == ids


def test_standard_input_is_what_it_is_said_to_be() -> None:
    (record,) = read("-", stdin=io.BytesIO(b'{"text": "one"}'), stdin_format="txt")
    assert isinstance(record, Record)
    assert record.text == '{"text": "one"}'


def test_standard_input_that_is_closed_is_told() -> None:
    assert [str(item) for item in read("-", stdin=None)] == ["-: standard input is closed"]


def test_bytes_read_reach_the_total(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"x" * 1000)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(b'{"text": "one"}\n' * 1000))
    reader = Reader([str(tmp_path)])
    list(reader)
    assert reader.bytes_read == reader.total_bytes()


@given(st.binary(max_size=300), st.sampled_from(["txt", "html", "jsonl", "csv"]))
def test_any_bytes_are_documents_or_told_in_words(data: bytes, kind: Format) -> None:
    for item in read_bytes(data, kind):
        assert isinstance(item, Record) or "please report" not in item.message


@given(st.text(alphabet='ab,;"\n\r\t{}:[]\\u0 text', max_size=60), st.sampled_from(["jsonl", "csv"]))
def test_anything_like_records_is_read_or_told_in_words(content: str, kind: Format) -> None:
    header = "id,text\n" if kind == "csv" else ""
    for item in read_bytes((header + content).encode(), kind):
        assert isinstance(item, Record) or "please report" not in item.message


@given(
    st.lists(
        st.tuples(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(codec="utf-8"))),
        min_size=1,
    )
)
def test_json_lines_come_back_as_written(rows: list[tuple[str, str]]) -> None:
    lines = "".join(json.dumps({"id": id, "text": text}) + "\n" for id, text in rows)
    found = read_bytes(lines.encode(), "jsonl")
    assert [(item.id, item.text) for item in found if isinstance(item, Record)] == [
        (id or f"F#{number}", text) for number, (id, text) in enumerate(rows, 1)
    ]

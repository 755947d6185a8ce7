"""reading/reader.py: documents from files, folders and standard input, intact or damaged."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import cases, why
from tests.reading.support import failures, ids, read, read_bytes, rows_of, texts, write
from unspun.reading import records
from unspun.reading.fields import Fields
from unspun.reading.reader import Failure, Format, Reader, Record, format_of, read_stream


@pytest.mark.parametrize(
    ("kind", "case"),
    [
        pytest.param(kind, case, id=f"{kind}: {why(case)}")
        for kind, file in (
            ("jsonl", "reading/json_lines.toml"),
            ("json", "reading/json_files.toml"),
            ("csv", "reading/csv_files.toml"),
            ("tsv", "reading/tsv_files.toml"),
        )
        for case in cases(file)
    ],
)
def test_files_of_records(kind: Format, case: dict[str, Any]) -> None:
    found = read_bytes(case["content"].encode(), kind)
    assert [list(row) for row in rows_of(found)] == case["records"]
    unread = [item for item in found if isinstance(item, Failure)]
    assert [failure.where for failure in unread] == [f"F:{line}" if line else "F" for line, _ in case["failures"]]
    for failure, (_, part) in zip(unread, case["failures"], strict=True):
        assert part.casefold() in failure.message.casefold()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize(
    ("kind", "content"), [("jsonl", '{"id": "é", "text": "“naïve”"}\n'), ("csv", 'id,text\né,"“naïve”"\n')]
)
def test_records_are_read_in_any_encoding(kind: Format, content: str, encoding: str) -> None:
    assert rows_of(read_bytes(content.encode(encoding), kind)) == [("é", "“naïve”")]


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("jsonl", '{"source": "s", "other": 1, "text": "one", "n": 7}\n'),
        ("csv", "Source,other,text,n,empty\ns,1,one,7,\n"),
    ],
)
def test_requested_fields_are_kept(kind: Format, content: str) -> None:
    (record,) = read_stream(io.BytesIO(content.encode()), "F", kind, fields=Fields(kept=("source", "n", "empty")))
    assert isinstance(record, Record)
    assert record.fields == {"source": "s", "n": 7 if kind == "jsonl" else "7", "empty": None}


@pytest.mark.parametrize(
    ("kind", "content", "text_field", "id_field", "expected"),
    [
        # A name, in any case.
        ("csv", "Url,Story,text\nu,one,x\n", "story", "url", ("u", "one")),
        ("json", '[{"Url": "u", "Story": "one", "text": "x"}]', "story", "url", ("u", "one")),
        # A column by its number, if no column has that name.
        ("csv", "id,text,text\na,one,two\n", "3", None, ("a", "two")),
        ("tsv", "1\t2\t3\na\tb\tc\n", "1", "3", ("c", "a")),
        ("csv", "id,3,x\na,one,two\n", "3", None, ("a", "one")),
        # A nested field, or a field whose name has a point.
        ("jsonl", '{"meta": {"id": 7}, "article": {"body": "one"}}', "article.body", "meta.id", ("7", "one")),
        ("csv", "article.id,article.body\na,one\n", "article.body", "article.id", ("a", "one")),
        ("json", '{"hits": {"hits": [{"_id": "a", "_source": {"t": "one"}}]}}', "_source.t", "_id", ("a", "one")),
        # The delimiter is the one with which the column is found.
        ("csv", "nr;the text, in full\n1;one\n", "the text, in full", "nr", ("1", "one")),
    ],
)
def test_the_fields_of_the_text_and_the_id_can_be_chosen(
    kind: Format, content: str, text_field: str, id_field: str | None, expected: tuple[str, str]
) -> None:
    found = list(read_stream(io.BytesIO(content.encode()), "F", kind, fields=Fields(text_field, id_field)))
    assert rows_of(found) == [expected]


@pytest.mark.parametrize(
    ("kind", "content", "line"),
    [
        ("csv", "url,body\na,b\n", 'F:1: no column "story"; the columns are: url, body'),
        ("json", '[{"url": 1, "body": "b"}]', 'F:1: no field "story"; the fields are: url, body'),
        ("json", '[{"story": {"a": "b"}}]', 'F:1: "story" is an object, not a string'),
        (
            "json",
            '[{"story": {"body": "b"}}]',
            'F:1: "story" is an object, not a string; choose the text in it with --text-field story.body',
        ),
    ],
)
def test_a_chosen_field_that_is_missing_is_reported_with_those_present(kind: Format, content: str, line: str) -> None:
    assert failures(list(read_stream(io.BytesIO(content.encode()), "F", kind, fields=Fields("story")))) == [line]


def test_a_table_without_names_of_columns_does_not_lose_its_first_record() -> None:
    content = f"a,{'word ' * 30}\nb,{'word ' * 30}\n"
    for fields in (Fields(), Fields("2")):
        (line,) = failures(list(read_stream(io.BytesIO(content.encode()), "F", "csv", fields=fields)))
        assert line.endswith("the first line seems to be a record: add a line above it that names the columns")


def test_plain_text_has_no_fields() -> None:
    assert list(read_stream(io.BytesIO(b"one"), "F", "txt", fields=Fields(kept=("source",)))) == [
        Record("F", "one", "F")
    ]


def test_json_that_is_nested_too_deeply_is_reported() -> None:
    deep = b'{"text": ' + b"[" * 200_000 + b"]" * 200_000 + b'}\n{"text": "two"}'
    found = read_bytes(deep, "jsonl")
    (line,) = failures(found)
    assert "please report" not in line
    assert texts(found) == ["two"]


def test_a_field_of_a_megabyte_is_read() -> None:
    (text,) = texts(read_bytes(b'text\n"' + b"word " * 200_000 + b'"\n', "csv"))
    assert len(text) == 1_000_000


@pytest.mark.parametrize(("kind", "header"), [("jsonl", ""), ("csv", "id,text\n")])
def test_a_line_above_the_limit_affects_no_other_line(
    kind: Format, header: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "LONGEST", 100)
    row = {"jsonl": '{"id": "%s", "text": "%s"}\n', "csv": "%s,%s\n"}[kind]
    first, failure, last = read_bytes(
        (header + row % ("a", "one") + row % ("b", "x" * 300) + row % ("c", "3")).encode(), kind
    )
    assert isinstance(first, Record)
    assert isinstance(failure, Failure)
    assert failure.where == ("F:3" if header else "F:2")
    assert "longer than 100 characters" in failure.message
    assert isinstance(last, Record)
    assert last.where == ("F:4" if header else "F:3")


def test_a_file_above_the_limit_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "LONGEST", 100)
    (line,) = failures(read_bytes(b"x" * 101, "txt"))
    assert "longer than 100 bytes" in line


@pytest.mark.parametrize("name", ["long.txt", "long.jsonl", "long.csv", "long.jsonl.gz"])
def test_a_document_of_100_megabytes_takes_bounded_memory(name: str, tmp_path: Path) -> None:
    text = b"some words " * 9_500_000
    content = {"txt": text, "jsonl": b'{"text": "' + text + b'"}', "csv": b"text\n" + text + b"\n"}[name.split(".")[1]]
    (tmp_path / name).write_bytes(gzip.compress(content, 1) if name.endswith(".gz") else content)
    code = (
        # Not getrusage, which counts the memory of the parent process for a forked child.
        "import re, sys; from unspun.reading.reader import Reader; (record,) = Reader(sys.argv[1:]);"
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
        ("a.jsonl.zst", "jsonl"),
        ("a.ndjson", "jsonl"),
        ("a.csv", "csv"),
        ("a.csv.zstd", "csv"),
        ("part-00000.snappy.parquet", "parquet"),
        ("CC-MAIN-20260101000000-00000.warc.gz", "warc"),
        ("CC-MAIN-20260101000000-00000.warc.wet.gz", "warc"),
        # Metadata only.
        ("CC-MAIN-20260101000000-00000.warc.wat.gz", None),
        ("a.json", "json"),
        ("a.tsv", "tsv"),
        ("a.markdown", "txt"),
        ("a.srt", "txt"),
        ("a.gz", None),
        ("a.zst", None),
        ("txt", None),
        (".txt", None),
        ("a.txt/b", None),
        ("s3://bucket/a.txt.gz", "txt"),
        # On the web, the query is not part of the file name; in a store, a question mark may be.
        ("https://example.org/a.html?b=c.csv#d", "html"),
        ("s3://bucket/what?.txt", "txt"),
        ("zip://a.csv::s3://bucket/b.zip", "csv"),
    ],
)
def test_the_name_of_a_file_decides_its_format(name: str, expected: Format | None) -> None:
    assert format_of(name) == expected


# Folders and files


def test_a_folder_is_searched_recursively_and_sorted_by_path(tmp_path: Path) -> None:
    names = ["a/b.txt", "a-b.txt", "a.txt", "a/c/d.md", "B.txt", "z.htm", "a/.hidden.txt"]
    write(*(tmp_path / name for name in names))
    assert ids(read(tmp_path)) == sorted(f"{tmp_path}/{name}" for name in names)


def test_the_id_is_the_path_as_given(here: Path) -> None:
    write("sub/a.txt")
    assert ids(read("sub", "sub/", "./sub/a.txt")) == ["sub/a.txt", "sub/a.txt", "./sub/a.txt"]


def test_files_of_other_types_in_folders_are_skipped_with_their_reasons(here: Path) -> None:
    write("a.txt", "b.png", "c", "d.PNG.gz")
    reader = Reader(["."])
    assert len(list(reader)) == 1
    assert reader.skipped.reasons == {"type .png is not read in folders": 2, "no ending shows the type": 1}
    assert list(map(str, reader.skipped.first)) == [
        "./b.png: type .png is not read in folders",
        "./c: no ending shows the type",
        "./d.PNG.gz: type .png is not read in folders",
    ]


def test_the_most_frequent_reasons_are_shown(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unspun.reading.records.MOST_SHOWN", 1)
    monkeypatch.setattr("unspun.reading.records.MOST_REASONS", 2)
    write("a.png", "b.png", "c.a1", "d.b2", "e.c3")
    reader = Reader(["."])
    list(reader)
    assert str(reader.skipped) == "type .png is not read in folders: 2, other reasons: 3"
    assert len(reader.skipped.reasons) == 3


def test_few_skipped_files_are_remembered_by_name(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unspun.reading.records.MOST_LISTED", 2)
    write("a.png", "b.png", "c.png")
    reader = Reader(["."])
    list(reader)
    assert (len(reader.skipped), len(reader.skipped.first)) == (3, 2)


def test_a_file_given_by_name_is_read_regardless_of_its_suffix(here: Path) -> None:
    write("LICENSE")
    assert texts(read("LICENSE")) == ["words"]


def test_ignored_files_are_left_out_of_folders(here: Path) -> None:
    write("a.txt", "b/c.txt", "d.txt")
    assert ids(read(".", "a.txt", ignore=lambda path: path.endswith(("a.txt", "b/c.txt")))) == ["./d.txt", "a.txt"]


def test_the_output_file_is_left_out_of_folders(here: Path) -> None:
    write("out.jsonl", "x.txt")
    assert ids(read(".", exclude=Path("out.jsonl"))) == ["./x.txt"]


def test_a_folder_in_a_loop_of_links_is_read_once(here: Path) -> None:
    write("a/x.txt")
    Path("a/loop").symlink_to(here, target_is_directory=True)
    Path("a/self").symlink_to(".", target_is_directory=True)
    assert ids(read(".")) == ["./a/x.txt"]


def test_broken_links_are_reported(here: Path) -> None:
    Path("gone.txt").symlink_to("nowhere")
    Path("self.txt").symlink_to("self.txt")
    write("x.txt")
    found = read(".")
    gone, itself = failures(found)
    assert gone == "./gone.txt: no such file or directory"
    assert "self.txt: too many levels" in itself
    assert ids(found) == ["./x.txt"]


def test_a_named_pipe_in_a_folder_is_skipped(here: Path) -> None:
    os.mkfifo("pipe.txt")
    write("x.txt")
    assert ids(read(".")) == ["./x.txt"]


def test_an_empty_folder_is_reported(tmp_path: Path) -> None:
    (line,) = failures(read(tmp_path))
    assert line.startswith(f"{tmp_path}: no documents in this folder (looked for .txt .md ")


def test_a_missing_file_is_reported_and_the_next_is_read(here: Path) -> None:
    write("x.txt")
    found = read("missing.txt", "x.txt")
    assert failures(found) == ["missing.txt: no such file or directory"]
    assert ids(found) == ["x.txt"]


def test_an_empty_path_is_not_the_current_folder(here: Path) -> None:
    write("x.txt")
    found = read("")
    assert (failures(found), ids(found)) == (["'': the path is empty; name a file or folder"], [])


# The next two tests replace system calls, because root, who may run them, can read everything.


def test_a_file_without_permission_is_reported(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.open

    def refuse(self: Path, *arguments: Any, **options: Any) -> Any:
        if self.name == "secret.txt":
            raise PermissionError(13, "Permission denied", str(self))
        return real(self, *arguments, **options)

    write("secret.txt", "x.txt")
    monkeypatch.setattr(Path, "open", refuse)
    found = read(".")
    assert failures(found) == ["./secret.txt: permission denied"]
    assert ids(found) == ["./x.txt"]


def test_a_folder_without_permission_is_reported(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.scandir

    def refuse(path: str) -> Any:
        if path.endswith("secret"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    write("secret/a.txt", "x.txt")
    monkeypatch.setattr(os, "scandir", refuse)
    found = read(".")
    assert failures(found) == ["./secret: permission denied"]
    assert ids(found) == ["./x.txt"]


@pytest.mark.parametrize("name", ["a.txt", "a.md"])
def test_an_empty_file_is_an_empty_document(name: str, here: Path) -> None:
    Path(name).touch()
    assert read(".") == [Record(f"./{name}", "", f"./{name}")]


def test_a_page_without_text_is_a_failure(here: Path) -> None:
    Path("a.html").write_text("<html><body><script>draw()</script></body></html>")
    assert read(".") == [Failure("./a.html", "no text in this page")]


def test_hidden_text_of_a_page_is_listed_among_the_repairs(here: Path) -> None:
    Path("a.html").write_text("<html><body><p>A page.</p><p hidden>Nobody sees this.</p></body></html>")
    assert read(".") == [Record("./a.html", "A page.", "./a.html", repairs={"hidden": 3})]


def test_bytes_read_reach_the_total(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"x" * 1000)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(b'{"text": "one"}\n' * 1000))
    reader = Reader([str(tmp_path)])
    list(reader)
    assert reader.bytes_read == reader.total_bytes()


# Standard input


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"Some words.\nMore words.", ["-"]),
        (b'{"text": "one"}\n{"id": "b", "text": "two"}\n', ["-#1", "b"]),
        (b'\n { "text": "one"}\n', ["-#2"]),
        (b'{"text": "' + b"x" * 100_000 + b'"}\n{"text": "two"}', ["-#1", "-#2"]),
        (b"{Hello|Hi} there, said {he|she}.", ["-"]),
        (b'{"text": "one"}\nand words', ["-"]),
        (b'[{"text": "one"}, {"id": "b", "text": "two"}]', ["-#1", "b"]),
        (b'[\n  {\n    "text": "one"\n  }\n]\n', ["-#1"]),
        (b'{\n  "articles": [{"id": "a", "text": "one"}]\n}\n', ["a"]),
        (b'["one", "two"]', ["-#1", "-#2"]),
        (b'["Yes," he said, "and no."]', ["-"]),
        (b"[1] A note, and [two](https://example.org).", ["-"]),
        (b"", ["-"]),
        ('{"text": "one"}\n'.encode("utf-16"), ["-#1"]),
    ],
)
def test_json_on_standard_input_is_recognised(data: bytes, expected: list[str]) -> None:
    assert ids(read("-", stdin=io.BytesIO(data))) == expected


def test_the_format_of_standard_input_can_be_given() -> None:
    assert texts(read("-", stdin=io.BytesIO(b'{"text": "one"}'), stdin_format="txt")) == ['{"text": "one"}']


def test_closed_standard_input_is_reported() -> None:
    assert failures(read("-", stdin=None)) == ["-: standard input is closed"]


# Any input


@given(st.text(alphabet='ab,;"\n\r\t{}:[]\\u0 text', max_size=60), st.sampled_from(["jsonl", "json", "csv", "tsv"]))
def test_anything_like_records_is_read_or_explained(content: str, kind: Format) -> None:
    header = {"csv": "id,text\n", "tsv": "id\ttext\n"}.get(kind, "")
    assert not [line for line in failures(read_bytes((header + content).encode(), kind)) if "please report" in line]


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_categories=["Cc"], include_characters="\t\n"), min_size=1),
        min_size=1,
    ),
    st.sampled_from(",;\t|"),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_csv_is_read_as_written(lines: list[str], delimiter: str, end: str, quoting: Literal[0, 1]) -> None:
    out = io.StringIO(newline="")
    rows = [(f"id {number}", text) for number, text in enumerate(lines)]
    csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows([("id", "text"), *rows])
    assert rows_of(read_bytes(out.getvalue().encode(), "csv")) == rows


@pytest.mark.parametrize("indent", [None, 1])
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1))
def test_json_is_read_as_written(indent: int | None, lines: list[str]) -> None:
    data = json.dumps([{"id": f"id {number}", "text": text} for number, text in enumerate(lines)], indent=indent)
    assert rows_of(read_bytes(data.encode(), "json")) == [(f"id {number}", text) for number, text in enumerate(lines)]


@given(
    st.lists(
        st.tuples(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(codec="utf-8"))),
        min_size=1,
    )
)
def test_json_lines_are_read_as_written(rows: list[tuple[str, str]]) -> None:
    lines = "".join(json.dumps({"id": id, "text": text}) + "\n" for id, text in rows)
    expected = [(id or f"F#{number}", text) for number, (id, text) in enumerate(rows, 1)]
    assert rows_of(read_bytes(lines.encode(), "jsonl")) == expected

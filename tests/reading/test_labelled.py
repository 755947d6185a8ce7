"""training/corpora/labelled.py: labelled texts of every format; what cannot be read is told, and costs nothing else."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.training.passages import passages
from unspun.reading.records import Failure
from unspun.training.corpora.corpus import LabelledText
from unspun.training.corpora.labelled import read

TEXT = passages(1, sentences=8)[0]


def plain(text: str) -> bytes:
    return text.encode()


def page(text: str) -> bytes:
    body = "".join(f"<p>{part}.</p>" for part in text.rstrip(".").split(". "))
    head = "<head><title>A page</title></head>"
    return f"<html>{head}<body><nav><a href='/'>Home</a></nav><article>{body}</article></body></html>".encode()


def json_line(text: str) -> bytes:
    return json.dumps({"text": text}).encode() + b"\n"


def table(text: str) -> bytes:
    quoted = text.replace('"', '""')
    return f'text\n"{quoted}"\n'.encode()


def parquet(text: str) -> bytes:
    arrow, tables, buffer = (pytest.importorskip(name) for name in ("pyarrow", "pyarrow.parquet", "io"))
    sink = buffer.BytesIO()
    tables.write_table(arrow.table({"text": [text]}), sink)
    return bytes(sink.getvalue())


def zstandard(content: bytes) -> bytes:
    try:
        from compression import zstd
    except ImportError:
        zstd = pytest.importorskip("backports.zstd")
    return bytes(zstd.compress(content))


FORMATS: dict[str, Callable[[str], bytes]] = {
    "a.txt": plain,
    "a.md": plain,
    "a.html": page,
    "a.jsonl": json_line,
    "a.csv": table,
    "a.parquet": parquet,
    "a.txt.gz": lambda text: gzip.compress(plain(text)),
    "a.jsonl.gz": lambda text: gzip.compress(json_line(text)),
    "a.csv.gz": lambda text: gzip.compress(table(text)),
    "a.txt.zst": lambda text: zstandard(plain(text)),
    "a.jsonl.zst": lambda text: zstandard(json_line(text)),
}


def texts_of(found: list[LabelledText | Failure]) -> list[LabelledText]:
    return [item for item in found if isinstance(item, LabelledText)]


def failures_of(found: list[LabelledText | Failure]) -> list[str]:
    return [str(item) for item in found if isinstance(item, Failure)]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_read(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(FORMATS[name](TEXT))
    [text] = list(read([tmp_path], "spun"))
    assert isinstance(text, LabelledText)
    assert text.label == "spun"
    assert " ".join(text.text.split()) == TEXT


def write(folder: Path, **records: list[dict[str, Any]]) -> None:
    for name, rows in records.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def test_records_keep_what_they_tell_of_themselves(tmp_path: Path) -> None:
    record = {"id": "7", "label": "rewritten", "text": TEXT, "source": "desk", "site": "a.org", "tool": "dipper"}
    write(tmp_path, records=[{**record, "original": "As it was."}])
    [text] = texts_of(list(read([tmp_path], None)))
    assert (text.id, text.label, text.source, text.site, text.tool) == ("7", "rewritten", "desk", "a.org", "dipper")
    assert text.original == "As it was."


def test_the_option_overrides_the_records_label(tmp_path: Path) -> None:
    write(tmp_path, records=[{"label": "spun", "text": TEXT}])
    assert [text.label for text in texts_of(list(read([tmp_path], "human")))] == ["human"]


def test_texts_of_one_folder_are_of_one_source(tmp_path: Path) -> None:
    for name in ("2014/a.txt", "2014/b.txt", "2015/may/c.txt", "d.txt", "e.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(TEXT)
    sources = {Path(text.id).name: text.source for text in texts_of(list(read([tmp_path], "human")))}
    assert sources["a.txt"] == sources["b.txt"] == "2014"
    assert sources["c.txt"] == "2015/may"
    assert len(set(sources.values())) == 4  # each that lies in no folder of its own is a source of its own


def test_files_are_read_in_order(tmp_path: Path) -> None:
    for name in ("b/2.txt", "a.txt", "b/1.txt", "c.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(TEXT)
    names = [str(Path(text.id).relative_to(tmp_path)) for text in texts_of(list(read([tmp_path], "human")))]
    assert names == ["a.txt", "b/1.txt", "b/2.txt", "c.txt"]


def test_files_of_other_types_are_passed_over(tmp_path: Path) -> None:
    for name in ("a.txt", ".hidden.txt", "picture.png", "README"):
        (tmp_path / name).write_text(TEXT)
    found = list(read([tmp_path], "human"))
    assert [Path(text.id).name for text in texts_of(found)] == ["a.txt"]
    assert failures_of(found) == []


def test_a_file_that_is_named_is_read_whatever_its_type(tmp_path: Path) -> None:
    (tmp_path / "README").write_text(TEXT)
    assert len(texts_of(list(read([tmp_path / "README"], "human")))) == 1


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("b.txt", b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "b.txt: binary (PNG)"),
        ("b.jsonl", b"\xff\xfe\xfa not text \x81", "b.jsonl: not UTF-8"),
        ("b.jsonl.gz", gzip.compress(b'{"text": "a"}\n' * 100, mtime=0)[:40], "b.jsonl.gz: "),
        ("b.csv", b"title,body\n1,2\n", "b.csv:1: no `text` column"),
        ("b.parquet", b"PAR1 but not really", "b.parquet: "),
        ("b.txt.zst", b"not packed at all", "b.txt.zst: "),
    ],
)
def test_a_file_that_cannot_be_read_is_told_and_the_rest_is_read(
    name: str, content: bytes, said: str, tmp_path: Path
) -> None:
    for good in ("a.txt", "c.txt"):
        (tmp_path / good).write_text(TEXT)
    (tmp_path / name).write_bytes(content)
    found = list(read([tmp_path], "human"))
    assert len([text for text in texts_of(found) if Path(text.id).suffix == ".txt" and text.text == TEXT]) == 2
    [told] = failures_of(found)
    assert told.startswith(str(tmp_path / said.rstrip()) if said.endswith(": ") else f"{tmp_path}/{said}")
    assert "\n" not in told


def test_a_broken_line_costs_no_other(tmp_path: Path) -> None:
    good = json.dumps({"text": TEXT})
    digits = '{"text": "a", "n": ' + "9" * 5000 + "}"
    lines = [good, "{", "[1]", '{"id": "x"}', '{"text": "a", "changed_frac": 7}', digits, good]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    found = list(read([tmp_path], "human"))
    assert len(texts_of(found)) == 2
    places = [told.partition(": ")[0] for told in failures_of(found)]
    assert places == [f"{tmp_path / 'a.jsonl'}:{n}" for n in (2, 3, 4, 5, 6)]


def test_a_record_without_a_label_costs_no_other(tmp_path: Path) -> None:
    write(tmp_path, a=[{"text": TEXT}, {"text": TEXT, "label": "human"}, {"text": TEXT, "label": "fake"}])
    found = list(read([tmp_path], None))
    assert len(texts_of(found)) == 1
    assert [told.partition(": ")[2].partition(";")[0] for told in failures_of(found)] == [
        "no label",
        "label 'fake' is not one of human, llm, spun, translated, rewritten",
    ]


def test_a_plain_file_does_not_say_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(TEXT)
    [told] = failures_of(list(read([tmp_path], None)))
    assert told.endswith("does not say what it is: give it by --human, --spun, --translated or --rewritten")


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    [told] = failures_of(list(read([tmp_path], "human")))
    assert told.startswith(f"{tmp_path}: no text in this folder (looked for .txt")

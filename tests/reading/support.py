"""Helpers for the tests of reading: files of every format, and ways to read them."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from unspun.reading.reader import Failure, Format, Reader, Record, read_stream

Row = tuple[str, str]
Items = Sequence[Record | Failure]

ROWS: list[Row] = [
    ("a", "The café’s first paragraph.\nAnd a second, with “quotes”, commas; and a tab\there."),
    ("b/ü", "One line only."),
    ("c", "Żółć — and 中文, too."),
]


def read(*paths: str | Path, **options: Any) -> list[Record | Failure]:
    return list(Reader([str(path) for path in paths], **options))


def read_bytes(data: bytes, kind: Format) -> list[Record | Failure]:
    return list(read_stream(io.BytesIO(data), "F", kind))


def rows_of(items: Items) -> list[Row]:
    return [(item.id, item.text) for item in items if isinstance(item, Record)]


def ids(items: Items) -> list[str]:
    return [id for id, _ in rows_of(items)]


def texts(items: Items) -> list[str]:
    return [text for _, text in rows_of(items)]


def failures(items: Items) -> list[str]:
    return [str(item) for item in items if isinstance(item, Failure)]


def write(*names: str | Path) -> None:
    """Write a few words to each file, and make its folder if needed."""
    for path in map(Path, names):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("words")


def json_lines(rows: Iterable[Row]) -> bytes:
    return "".join(json.dumps({"id": id, "text": text}) + "\n" for id, text in rows).encode()


def csv_file(rows: Iterable[Row]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows([("id", "text"), *rows])
    return out.getvalue().encode()


def tsv_file(rows: Iterable[Row]) -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter="\t").writerows([("id", "text"), *rows])
    return out.getvalue().encode()


def json_file(rows: Iterable[Row]) -> bytes:
    return json.dumps([{"id": id, "text": text} for id, text in rows], indent=1).encode()


def parquet(rows: Iterable[Row], *, row_group_size: int | None = None) -> bytes:
    import pyarrow as pa
    from pyarrow.parquet import write_table

    ids, texts = zip(*rows, strict=True)
    out = io.BytesIO()
    table = pa.table({"other": list(range(len(ids))), "id": ids, "text": texts})
    write_table(table, out, row_group_size=row_group_size)
    return out.getvalue()


def warc_record(kind: str, uri: str | None, block: bytes, *, length: int | None = None) -> bytes:
    fields = ["WARC/1.0", f"WARC-Type: {kind}", "WARC-Date: 2026-11-01T00:00:00Z"]
    fields += [f"WARC-Target-URI: {uri}"] if uri is not None else []
    fields += [f"Content-Length: {len(block) if length is None else length}"]
    return "\r\n".join(fields).encode() + b"\r\n\r\n" + block + b"\r\n\r\n"


def http_answer(
    body: bytes, *, kind: str | None = "text/html; charset=utf-8", status: int = 200, more: str = ""
) -> bytes:
    head = f"HTTP/1.1 {status} Reason\r\n" + (f"Content-Type: {kind}\r\n" if kind else "") + more
    return head.encode() + b"\r\n" + body


def page(text: str) -> bytes:
    return f"<html><body><article><p>{text}</p></article></body></html>".encode()


def warc(rows: Iterable[Row]) -> bytes:
    return b"".join(
        warc_record("request", id, b"GET / HTTP/1.1\r\n\r\n")
        + warc_record("response", id, http_answer(text.encode(), kind="text/plain; charset=utf-8"))
        for id, text in rows
    )


def wet(rows: Iterable[Row]) -> bytes:
    info = warc_record("warcinfo", None, b"software: a crawler\r\n")
    return info + b"".join(warc_record("conversion", id, text.encode()) for id, text in rows)


def zstd(data: bytes) -> bytes:
    from backports import zstd

    return zstd.compress(data)


RECORDS: dict[str, Callable[[Iterable[Row]], bytes]] = {
    ".jsonl": json_lines,
    ".ndjson": json_lines,
    ".json": json_file,
    ".csv": csv_file,
    ".tsv": tsv_file,
    ".parquet": parquet,
    ".warc": warc,
    ".wet": wet,
    ".warc.wet": wet,
}
"""For each suffix of a file of many documents, a function that makes one."""

PACKED: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".gz": gzip.compress, ".zst": zstd, ".GZ": gzip.compress}
"""For each compression suffix, a function that compresses."""


def _single(suffix: str, packing: str, text: str) -> bytes:
    if suffix in RECORDS:
        return PACKED[packing](RECORDS[suffix]([("", text)]))
    return PACKED[packing](page(text) if suffix == ".html" else text.encode())


FORMATS: dict[str, Callable[[str], bytes]] = {
    f"a{suffix}{packing}": partial(_single, suffix, packing)
    for suffix in (".txt", ".md", ".html", ".jsonl", ".json", ".csv", ".tsv", ".parquet")
    for packing in ("", ".gz", ".zst")
}
"""For a file name of each format, a function that makes a file with one text."""

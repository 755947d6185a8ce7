"""Makes files of every format and packing that is read, for the tests of reading."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterable

Row = tuple[str, str]

ROWS: list[Row] = [
    ("a", "The café’s first paragraph.\nAnd a second, with “quotes”, commas; and a tab\there."),
    ("b/ü", "One line only."),
    ("c", "Żółć — and 中文, too."),
]


def json_lines(rows: Iterable[Row]) -> bytes:
    return "".join(json.dumps({"id": id, "text": text}) + "\n" for id, text in rows).encode()


def csv_file(rows: Iterable[Row]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows([("id", "text"), *rows])
    return out.getvalue().encode()


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
    head = f"HTTP/1.1 {status} Whatever\r\n" + (f"Content-Type: {kind}\r\n" if kind else "") + more
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
    ".csv": csv_file,
    ".parquet": parquet,
    ".warc": warc,
    ".wet": wet,
    ".warc.wet": wet,
}
"""For each suffix of a file of many documents, what makes one."""

PACKED: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".gz": gzip.compress, ".zst": zstd, ".GZ": gzip.compress}
"""For each suffix of a packing, what packs."""

"""Reads WARC and WET, the archives of crawls: a document for each page that a server gave in full."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from unspun.reading import records
from unspun.reading.encodings import NotTextError, decode
from unspun.reading.html import declared_encoding, extract_article
from unspun.reading.records import NO_DOCUMENTS, Failure, MissingLibraryError, Place, Record, UnreadableError

PAGES = ("text/html", "application/xhtml+xml")
TEXTS = ("text/plain",)
SLACK = 64
"""Bytes between two records that a writer may have left there without anything being wrong."""
BETWEEN = len(b"\r\n\r\n")


def read_warc(
    stream: io.BufferedIOBase,
    place: Place,
    skip: Callable[[], None],
    article: Callable[[str], str] = extract_article,
) -> Iterator[Record | Failure]:
    """Yield a document or what is wrong for each record that is a page or a text; `place` is kept up to date.

    These are answers (`response`) with status 200 in HTML or plain text, the pages reduced to their articles,
    and `conversion` records. `article` reduces a page; `skip` is called for every other record. Raises
    UnreadableError for what is no WARC, and what reading raises.
    """
    try:
        from fastwarc.warc import ArchiveIterator, WarcRecordType
    except ImportError as error:
        raise MissingLibraryError("fastwarc", "warc") from error

    source = _Stream(stream)
    end = 0
    # In quirks mode a record that cannot be understood is passed over, not the end of it all.
    for record in ArchiveIterator(source, parse_http=False, quirks_mode=True, stream_detect=False):
        yield from _passed_over(record.stream_pos - end, place)
        place.line += 1
        end = record.stream_pos + _header_length(record) + record.content_length + BETWEEN
        found: Record | Failure | None = None
        if "Content-Length" not in record.headers:
            found = place.failure("broken WARC record: no Content-Length")
        elif record.record_type == WarcRecordType.response:
            found = _read(record, partial(_response, article=article), place)
        elif record.record_type == WarcRecordType.conversion:
            found = _read(record, _conversion, place)
        if found is None:
            skip()
        else:
            yield found
    if not source.tell():
        yield Failure(place.name, NO_DOCUMENTS)
    elif not place.line:
        raise UnreadableError("not a WARC file")
    yield from _passed_over(source.tell() - end, place)


def _passed_over(count: int, place: Place) -> Iterator[Failure]:
    if count > SLACK:
        yield place.failure(f"broken WARC: {count:,} bytes after this were no record")


class _Stream:
    """The stream as the library wants it: it asks where it is, but does not seek."""

    def __init__(self, stream: io.BufferedIOBase) -> None:
        self._stream = stream
        self._position = 0

    def read(self, size: int = -1) -> bytes:
        # Not read: it would lose what came before a break.
        part = self._stream.read1(size)
        self._position += len(part)
        return part

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        raise io.UnsupportedOperation("seek")

    def close(self) -> None:
        pass


def _read(record: Any, handler: Callable[[Any, bytes], str | None], place: Place) -> Record | Failure | None:
    longest = records.LONGEST
    if record.content_length > longest:
        return place.failure(f"longer than {longest:,} bytes: not one document")
    block = record.reader.read(record.content_length) if record.content_length else b""
    if len(block) < record.content_length:
        return place.failure(f"broken WARC record: {len(block):,} bytes of {record.content_length:,}")
    try:
        text = handler(record, block)
    except NotTextError as error:
        return place.failure(str(error))
    # Some writers put it in angle brackets.
    uri = (record.headers.get("WARC-Target-URI") or "").strip().removeprefix("<").removesuffix(">")
    return None if text is None else place.record(uri, text)


def _conversion(record: Any, block: bytes) -> str:
    return decode(block)


def _response(record: Any, block: bytes, *, article: Callable[[str], str]) -> str | None:
    if not block.startswith(b"HTTP/"):
        return None
    answer = _http(block)
    if answer.http_headers.status_code != 200:
        return None
    kind = answer.http_content_type or record.headers.get("WARC-Identified-Payload-Type") or ""
    kind = kind.partition(";")[0].strip().lower()
    if kind not in PAGES + TEXTS:
        return None
    data = answer.reader.read(records.LONGEST + 1)
    if len(data) > records.LONGEST:
        raise NotTextError(f"longer than {records.LONGEST:,} bytes when unpacked: not one document")
    charset = (answer.http_charset or "").strip(" \"'") or None
    if kind in PAGES:
        return article(decode(data, charset or declared_encoding(data)))
    return decode(data, charset)


def _http(block: bytes) -> Any:
    """Return a server's answer with its headers read, and its body ready to be."""
    from fastwarc.warc import WarcRecord

    # Many crawlers keep the headers of a packing that they have undone: what does not unpack is taken as it is.
    for undone in ("all", "content", "none"):
        answer = WarcRecord()
        answer.set_bytes_content(block)
        answer.is_http = True
        with suppress(OSError):
            answer.parse_http(auto_decode=undone, quirks_mode=True)
            break
    return answer


def _header_length(record: Any) -> int:
    lines = (len(name) + len(value) + len(b": \r\n") for name, value in record.headers.items_bytes())
    return len(record.headers.status_line_bytes or b"") + len(b"\r\n\r\n") + sum(lines)

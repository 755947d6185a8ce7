"""Reads WARC and WET, the archives of web crawls: one document per page."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from unspun.reading import records
from unspun.reading.encodings import NotTextError, decode
from unspun.reading.html import Article, declared_encoding, extract_article
from unspun.reading.records import Failure, NoTextError, Omission, Place, Record, UnreadableError, optional, too_long

PAGES = ("text/html", "application/xhtml+xml")
TEXTS = ("text/plain",)
NO_DOCUMENT = "neither a page nor a text"
SLACK = 64
"""Bytes that a writer may leave between two records without damage."""
BETWEEN = len(b"\r\n\r\n")


def read_warc(
    stream: io.BufferedIOBase,
    place: Place,
    skip: Callable[[str], None],
    article: Callable[[str], Article] = extract_article,
) -> Iterator[Record | Failure]:
    """Yield the document of each record that is a page or a text, or a failure, and keep `place` current.

    Documents are `response` records with status 200 in HTML or plain text, and `conversion` records. `article` extracts
    the text of an HTML page; `skip` is called with the reason for every other record, and for pages without text.
    Raises UnreadableError if the stream is not WARC, MissingLibraryError, and what reading raises.
    """
    with optional("fastwarc", "warc"):
        from fastwarc.warc import ArchiveIterator, WarcRecordType

    source = _ForwardStream(stream)
    end = 0
    # In quirks mode a malformed record is skipped instead of ending the iteration.
    for record in ArchiveIterator(source, parse_http=False, quirks_mode=True, stream_detect=False):
        yield from _gap(record.stream_pos - end, place)
        place.line += 1
        end = record.stream_pos + _header_length(record) + record.content_length + BETWEEN
        found: Record | Failure | None = None
        if "Content-Length" not in record.headers:
            found = place.failure("broken WARC record: no Content-Length")
        elif record.record_type == WarcRecordType.response:
            found = _document(record, place, lambda record, block: _response(record, block, article))
        elif record.record_type == WarcRecordType.conversion:
            found = _document(record, place, lambda record, block: Article(decode(block), {}))
        if found is None or isinstance(found, Omission):
            skip(NO_DOCUMENT if found is None else found.message)
        else:
            yield found
    if source.tell() and not place.line:
        raise UnreadableError("not a WARC file")
    yield from _gap(source.tell() - end, place)


def _gap(count: int, place: Place) -> Iterator[Failure]:
    if count > SLACK:
        yield place.failure(f"broken WARC: skipped {count:,} bytes after this record")


class _ForwardStream:
    """A stream with the methods that fastwarc calls: it reads and asks for the position, but does not seek."""

    def __init__(self, stream: io.BufferedIOBase) -> None:
        self._stream = stream
        self._position = 0

    def read(self, size: int = -1) -> bytes:
        # `read` would lose the bytes before a break.
        part = self._stream.read1(size)
        self._position += len(part)
        return part

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        raise io.UnsupportedOperation("seek")

    def close(self) -> None:
        pass


def _document(record: Any, place: Place, read: Callable[[Any, bytes], Article | None]) -> Record | Failure | None:
    if record.content_length > records.LONGEST:
        return place.failure(too_long("bytes"))
    block = record.reader.read(record.content_length) if record.content_length else b""
    if len(block) < record.content_length:
        return place.failure(f"broken WARC record: {len(block):,} of {record.content_length:,} bytes")
    try:
        found = read(record, block)
    except NoTextError as error:  # many pages of a crawl consist of scripts
        return Omission(place.name, str(error))
    except (NotTextError, UnreadableError) as error:
        return place.failure(str(error))
    # Some writers put the address in angle brackets.
    address = (record.headers.get("WARC-Target-URI") or "").strip().removeprefix("<").removesuffix(">")
    return None if found is None else place.record(found.text, {"id": address}, found.repairs)


def _response(record: Any, block: bytes, article: Callable[[str], Article]) -> Article | None:
    """Return the text of an HTTP response, None if it is not a document."""
    if not block.startswith(b"HTTP/"):
        return None
    response = _http(block)
    if response.http_headers.status_code != 200:
        return None
    kind = response.http_content_type or record.headers.get("WARC-Identified-Payload-Type") or ""
    kind = kind.partition(";")[0].strip().lower()
    if kind not in PAGES + TEXTS:
        return None
    body = response.reader.read(records.LONGEST + 1)
    if len(body) > records.LONGEST:
        raise NotTextError(too_long("bytes") + " (decompressed)")
    charset = (response.http_charset or "").strip(" \"'") or None
    if kind in PAGES:
        return article(decode(body, charset or declared_encoding(body)))
    return Article(decode(body, charset), {})


def _http(block: bytes) -> Any:
    """Return an HTTP response with its headers parsed and its body ready to read."""
    from fastwarc.warc import WarcRecord

    # Many crawlers store decompressed bodies with the original headers. If the declared encodings cannot be undone,
    # fewer are tried.
    for undone in ("all", "content", "none"):
        response = WarcRecord()
        response.set_bytes_content(block)
        response.is_http = True
        with suppress(OSError):
            response.parse_http(auto_decode=undone, quirks_mode=True)
            break
    return response


def _header_length(record: Any) -> int:
    lines = (len(name) + len(value) + len(b": \r\n") for name, value in record.headers.items_bytes())
    return len(record.headers.status_line_bytes or b"") + len(b"\r\n\r\n") + sum(lines)

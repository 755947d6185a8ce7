"""Forms with files: read in memory and within the service's limits, in every format of the command line."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from typing import Any

from flask import Request
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import HTTPException
from werkzeug.formparser import FormDataParser

from unspun.reading import packing
from unspun.reading.documents.isolation import Limits
from unspun.reading.fields import USUAL, Fields
from unspun.reading.reader import format_of, read_stream
from unspun.reading.records import Failure, Record, StreamError, UnreadableError
from unspun.service.http.config import Settings
from unspun.service.http.problems import RequestError
from unspun.service.http.schemas import read_body, too_large

PAGES = ("text/html", "application/xhtml+xml")


def read_form(
    request: Request, settings: Settings, *, most_parts: int, advice: str
) -> tuple[MultiDict[str, str], MultiDict[str, FileStorage]]:
    """Return the fields and the files of a form. Raises RequestError; `advice` is what to do about a broken form."""
    # Flask would write large uploads to temporary files; submitted text must stay in memory.
    body = read_body(request, settings)
    parser = FormDataParser(lambda *_, **__: io.BytesIO(), max_form_parts=most_parts, silent=False)
    try:
        _, fields, files = parser.parse(io.BytesIO(body), request.mimetype, len(body), request.mimetype_params)
    except (ValueError, HTTPException):
        raise RequestError("invalid-request", f"The form cannot be read. {advice}") from None
    return fields, files


def read_upload(
    file: FileStorage, settings: Settings, deadline: float, fields: Fields = USUAL
) -> Iterator[Record | Failure]:
    """Yield the documents of a file, in the format that its name shows, else plain text.

    All texts together may have as many bytes as a request. Raises RequestError, and TimeoutError after `deadline`.
    """
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    name = file.filename or "file"
    stream: Any = file.stream
    try:
        _, packed = packing.split(name)
        if packed is not None:
            stream = io.BufferedReader(_Limited(packing.unpack(stream, packed), settings.max_bytes))
    except UnreadableError as error:
        yield Failure(name, str(error))
        return
    kind = format_of(name) or ("html" if file.mimetype in PAGES else "txt")
    limits = Limits(max(1, min(settings.document_seconds, int(left))), settings.document_memory)
    size = 0
    for item in read_stream(stream, name, kind, fields=fields, limits=limits):
        size += len(item.text) if isinstance(item, Record) else 0
        if size > settings.max_bytes:
            raise too_large(settings, "The text of a file")
        yield item


class _Limited(io.RawIOBase):
    """Unpacked bytes, up to a limit: a small file may unpack to any size."""

    def __init__(self, stream: io.BufferedIOBase, limit: int) -> None:
        self._stream = stream
        self._limit = self._left = limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = self._stream.read1(len(buffer))
        self._left -= len(part)
        if self._left < 0:
            raise StreamError(f"has more than {self._limit:,} bytes when unpacked, the limit of this service")
        buffer[: len(part)] = part
        return len(part)

"""Forms with files: read in memory and within the service's limits, in every format of the command line."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

from flask import Request
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Event, Field, File, MultipartDecoder, NeedData, State

from unspun.reading import packing
from unspun.reading.documents.isolation import Limits
from unspun.reading.fields import USUAL, Fields
from unspun.reading.reader import format_of, read_stream
from unspun.reading.records import Failure, Record, StreamError, UnreadableError
from unspun.service.http.config import Settings
from unspun.service.http.problems import RequestError
from unspun.service.http.schemas import read_body, too_large

PAGES = ("text/html", "application/xhtml+xml")
URLENCODED = "application/x-www-form-urlencoded"
STEP = 8192
"""Bytes of a form that are decoded at a time."""
HELD = 2 * STEP
"""Most bytes that the decoder may hold back: of a part, only its headers are."""
MOST_HEADERS = 1 << 19
"""Most characters in the headers of all parts together."""
TOO_LONG = "The headers of its parts are too long."


def read_form(
    request: Request, settings: Settings, *, most_parts: int, advice: str
) -> tuple[MultiDict[str, str], MultiDict[str, FileStorage]]:
    """Return the fields and the files of a form. Raises RequestError; `advice` is what to do about a broken form."""
    # Flask would write large uploads to temporary files; submitted text must stay in memory.
    body = read_body(request, settings)
    try:
        if request.mimetype == URLENCODED:
            fields = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=most_parts)
            return MultiDict(fields), MultiDict()
        return _parse(body, request.mimetype_params.get("boundary", ""), most_parts)
    except _TooManyPartsError:
        raise RequestError(
            "too-many-items",
            f"A form may have at most {most_parts:,} parts. Send fewer files at a time.",
            limit=most_parts,
        ) from None
    except ValueError as error:
        reason = str(error) if isinstance(error, _BrokenFormError) else "It has too many fields."
        raise RequestError("invalid-request", f"The form cannot be read. {reason} {advice}") from None


class _TooManyPartsError(Exception):
    pass


class _BrokenFormError(ValueError):
    """What is wrong with a form, worded for the user."""


def _parse(body: bytes, boundary: str, most_parts: int) -> tuple[MultiDict[str, str], MultiDict[str, FileStorage]]:
    """Return the fields and the files of a multipart form. Raises the errors above."""
    fields: MultiDict[str, str] = MultiDict()
    files: MultiDict[str, FileStorage] = MultiDict()
    part: Field | File | None = None
    content = io.BytesIO()
    parts = headers = 0
    if not boundary:
        raise _BrokenFormError("Its Content-Type names no boundary.")
    for event in _events(body, MultipartDecoder(boundary.encode(), HELD)):
        if isinstance(event, Field | File):
            part, content = event, io.BytesIO()
            parts += 1
            headers += sum(len(name) + len(value) for name, value in event.headers)
            if parts > most_parts:
                raise _TooManyPartsError
            if headers > MOST_HEADERS:
                raise _BrokenFormError(TOO_LONG)
        elif isinstance(event, Data):
            content.write(event.data)
            if event.more_data:
                continue
            if isinstance(part, File):
                content.seek(0)
                files.add(part.name, FileStorage(content, part.filename, part.name, headers=part.headers))
            elif part is not None:
                fields.add(part.name, content.getvalue().decode("utf-8", "replace"))
    return fields, files


def _events(body: bytes, decoder: MultipartDecoder) -> Iterator[Event]:
    """Yield the parts of a multipart form and their data. Raises _BrokenFormError.

    werkzeug's own parser of forms takes ten seconds for headers of ten megabytes, and meanwhile nobody is served. So
    its decoder gets small pieces here, of which it may hold few.
    """
    try:
        for start in range(0, len(body) + STEP, STEP):  # the last piece is empty, which means the end
            decoder.receive_data(body[start : start + STEP] or None)
            while not isinstance(event := decoder.next_event(), NeedData | Epilogue):
                yield event
            if decoder.state is State.EPILOGUE:  # ignore whatever comes after the last boundary
                return
    except UnicodeDecodeError:
        raise _BrokenFormError("The name of a field or a file is not UTF-8.") from None
    except (RequestEntityTooLarge, ValueError) as error:
        if decoder.state is State.PREAMBLE:
            reason = "It does not begin with the boundary that its Content-Type names."
        elif isinstance(error, RequestEntityTooLarge):
            reason = TOO_LONG
        elif decoder.complete:
            reason = "It has no end: the last boundary is missing."
        else:
            reason = "A part of it has no name."
        raise _BrokenFormError(reason) from None


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

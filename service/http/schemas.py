"""What a request holds: read from its body within the service's limits, and checked."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from flask import Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from unspun.model.decision.decision import check_base_rate
from unspun.reading.encodings import NotTextError, decode
from unspun.reading.html import declared_encoding, extract_article
from unspun.service.http.config import Settings
from unspun.service.http.problems import FieldError, Problem

PIECE = 1 << 16
MAX_ID = 1024
TRUE, FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")
BASE_RATE = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}
ABOUT_BASE_RATE = (
    "The share of paraphrased texts among those that you send, such as 0.05. With it, the verdict has a `probability`."
)


class _Fields(BaseModel):
    """The JSON object of one text."""

    model_config = ConfigDict(strict=True, extra="ignore", title="Submission")

    text: str = Field(description="The text to judge.")
    id: str | int | None = Field(None, description="What the verdict is to be known by.")
    evidence: bool = Field(True, description="Whether to look for the words that give the machine away.")
    depth: Literal["auto", "fast", "deep"] = Field(
        "auto", description="The tier that decides; auto asks the deep one only where the fast one is in doubt."
    )
    base_rate: Annotated[float, AfterValidator(check_base_rate)] | None = Field(None, description=ABOUT_BASE_RATE)


class _PairFields(BaseModel):
    """The JSON object of two texts."""

    model_config = ConfigDict(strict=True, extra="ignore", title="Pair")

    suspect: str = Field(description="The text that may have been made from the other.")
    source: str = Field(description="The text that it may have been made from.")
    suspect_id: str | int | None = Field(None, description="What the suspect is to be known by.")
    source_id: str | int | None = Field(None, description="What the source is to be known by.")


@dataclass(frozen=True, slots=True)
class Submission:
    """One text, and what is asked about it."""

    text: str
    id: str | None = None
    evidence: bool = True
    depth: str = "auto"
    base_rate: float | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts that are to be compared."""

    suspect: str
    source: str
    suspect_id: str | None = None
    source_id: str | None = None


def submission_schema() -> dict[str, Any]:
    """Return the JSON schema of a submission."""
    schema = _with_ids(_Fields.model_json_schema(), "id")
    schema["properties"]["base_rate"]["anyOf"] = [BASE_RATE, {"type": "null"}]
    return schema


def pair_schema() -> dict[str, Any]:
    """Return the JSON schema of a pair of texts."""
    return _with_ids(_PairFields.model_json_schema(), "suspect_id", "source_id")


def _with_ids(schema: dict[str, Any], *names: str) -> dict[str, Any]:
    for name in names:
        schema["properties"][name] = {
            "anyOf": [{"type": "string", "maxLength": MAX_ID}, {"type": "integer"}, {"type": "null"}],
            "default": None,
            "description": schema["properties"][name]["description"],
        }
    return schema


def read_body(request: Request, settings: Settings) -> bytes:
    """Return a request's body, unpacked if it is gzipped. Raises Problem; no more than the limit is held in memory."""
    _check_length(request, settings)
    unpack = unpacker(request, settings)
    parts: list[bytes] = []
    size = raw = 0
    while piece := request.stream.read(PIECE):
        raw += len(piece)
        part = piece if unpack is None else unpack(piece)
        size += len(part)
        if size > settings.max_bytes:
            raise too_large(settings)
        parts.append(part)
    if request.content_length is not None and raw < request.content_length:
        raise Problem("invalid-request", "The body ended before its Content-Length. Send it again.")
    if unpack is not None:
        unpack.finish()
    if not size:
        raise Problem("invalid-request", "The body is empty. Send a text in it; GET /v1/docs shows how.")
    return b"".join(parts)


def unpacker(request: Request, settings: Settings) -> Unpacker | None:
    """Return what unpacks a request's body, None where it is not packed. Raises Problem for another packing."""
    packing = request.headers.get("Content-Encoding", "identity").strip().lower()
    if packing not in ("identity", "", "gzip", "x-gzip"):
        raise Problem(
            "unsupported-media-type",
            "Only gzip is unpacked. Send the body as it is, or gzipped.",
            headers={"Accept-Encoding": "gzip, identity"},
        )
    return Unpacker(settings.max_bytes) if packing in ("gzip", "x-gzip") else None


def _check_length(request: Request, settings: Settings) -> None:
    if (request.content_length or 0) > settings.max_bytes:
        raise too_large(settings)


class Unpacker:
    """Unpacks gzip piece by piece, never to more than a limit at a time: what would be more raises Problem."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._stream = zlib.decompressobj(wbits=31)

    def __call__(self, piece: bytes) -> bytes:
        """Return the bytes that a piece unpacks to, at most one more than the limit."""
        parts: list[bytes] = []
        size = 0
        try:
            while piece and size <= self._limit:
                if self._stream.eof:  # gzip files may be joined
                    self._stream = zlib.decompressobj(wbits=31)
                part = self._stream.decompress(piece, self._limit + 1 - size)
                size += len(part)
                parts.append(part)
                piece = self._stream.unconsumed_tail or self._stream.unused_data
        except zlib.error:
            raise _broken_gzip() from None
        return b"".join(parts)

    def finish(self) -> None:
        """Raise Problem where the packed bytes end too early."""
        if not self._stream.eof:
            raise _broken_gzip()


def _broken_gzip() -> Problem:
    return Problem("invalid-request", "The body is not whole gzip, though its Content-Encoding says so.")


def too_large(settings: Settings, what: str = "A request") -> Problem:
    """Return the problem of what exceeds the limit of bytes."""
    return Problem(
        "too-large",
        f"{what} may hold {settings.max_bytes:,} bytes, unpacked. Send less at a time.",
        limit=settings.max_bytes,
    )


def parse_json(data: bytes | bytearray) -> Any:
    """Return the value of a JSON text. Raises Problem."""
    try:
        return json.loads(data.decode("utf-8-sig"), parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise Problem("invalid-json", f"Byte {error.start} is not UTF-8, which JSON is written in.") from None
    except json.JSONDecodeError as error:
        # Never more of the error's message than its kind: the value itself is the caller's own.
        raise Problem("invalid-json", f"{error.msg}, at line {error.lineno}, column {error.colno}.") from None
    except RecursionError:
        raise Problem("invalid-json", "Nested too deep. An item is one flat object.") from None
    except ValueError:
        raise Problem("invalid-json", "It holds a number that cannot be read.") from None


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def parse_submission(value: Any, settings: Settings, pointer: str = "#") -> Submission:
    """Check the JSON value of one text; `pointer` is where it stands in the body. Raises Problem."""
    try:
        fields = _Fields.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        raise _invalid(tuple(_field_error(item, pointer) for item in found)) from None
    name = _checked_id(fields.id, _join(pointer, "id"))
    _check_text(fields.text, settings, _join(pointer, "text"))
    return Submission(fields.text, name, fields.evidence, fields.depth, fields.base_rate)


def parse_pair(value: Any, settings: Settings) -> Pair:
    """Check the JSON value of two texts. Raises Problem."""
    try:
        fields = _PairFields.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        raise _invalid(tuple(_field_error(item, "#", 'a "suspect" and a "source"') for item in found)) from None
    names = [_checked_id(fields.suspect_id, "#/suspect_id"), _checked_id(fields.source_id, "#/source_id")]
    _check_text(fields.suspect, settings, "#/suspect")
    _check_text(fields.source, settings, "#/source")
    return Pair(fields.suspect, fields.source, *names)


def _checked_id(value: str | int | None, pointer: str) -> str | None:
    """Return an id as a string, None where there is none. Raises Problem."""
    name = None if value is None or value == "" else str(value)
    if name is not None and len(name) > MAX_ID:
        raise _invalid((FieldError(pointer, f"is longer than {MAX_ID:,} characters"),))
    _refuse_surrogates(name or "", pointer)
    return name


def _check_text(text: str, settings: Settings, pointer: str) -> None:
    """Raise Problem for what no text can be, or is too long."""
    _refuse_surrogates(text, pointer)
    if "\0" in text:
        detail = f"holds a NUL character (U+0000) at {text.index(chr(0))}, which no text has; take it out"
        raise _invalid((FieldError(pointer, detail),))
    check_words(text, settings, pointer)


def parse_batch(value: Any, settings: Settings) -> list[Submission | Problem]:
    """Check the JSON value of a batch; a bad item is its own problem. Raises Problem where it is no batch at all."""
    if not isinstance(value, list):
        raise _invalid((FieldError("#", "is not a list; a batch is a list of objects with a text each"),))
    if len(value) > settings.max_items:
        raise Problem(
            "too-many-items",
            f"A batch may hold {settings.max_items:,} items, this one has {len(value):,}. Send several, "
            "or use /v1/score/stream.",
            limit=settings.max_items,
        )
    items: list[Submission | Problem] = []
    for i, item in enumerate(value):
        try:
            items.append(parse_submission(item, settings, f"#/{i}"))
        except Problem as problem:
            items.append(problem)
    return items


def text_of(data: bytes, *, html: bool, charset: str | None = None, what: str = "The body") -> str:
    """Return the text of a plain text or of a page, in whatever encoding it is. Raises Problem for a binary."""
    try:
        if html:
            return extract_article(decode(data, charset or declared_encoding(data)))
        return decode(data, charset)
    except NotTextError as error:
        raise Problem("invalid-fields", f"{what} is {error}. Send a plain text or a web page.") from None


def read_query(request: Request, settings: Settings) -> dict[str, Any]:
    """Return id, evidence, depth and base rate as far as they stand in the query. Raises Problem."""
    query = request.args
    asked: dict[str, Any] = {name: query[name] for name in ("id", "depth") if name in query}
    if "evidence" in query:
        if query["evidence"].lower() not in TRUE + FALSE:
            raise _invalid((FieldError("?evidence", "is neither true nor false"),))
        asked["evidence"] = query["evidence"].lower() in TRUE
    if "base_rate" in query:
        try:
            asked["base_rate"] = float(query["base_rate"])
        except ValueError:  # which is told as any other value that is none
            asked["base_rate"] = query["base_rate"]
    parse_submission({**asked, "text": ""}, settings, "?")
    return asked


def _join(pointer: str, name: str) -> str:
    """Return the pointer to a field, in the body or, where `pointer` is "?", in the query."""
    if pointer == "?":
        return "#" if name == "text" else f"?{name}"
    return f"{pointer}/{name}" if name else pointer


def _refuse_surrogates(value: str, pointer: str) -> None:
    """Raise Problem for half a character, which JSON can say and no text can hold."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        detail = f"holds an unpaired surrogate at {error.start}; replace it by U+FFFD"
        raise _invalid((FieldError(pointer, detail),)) from None


def check_words(text: str, settings: Settings, pointer: str = "#/text") -> None:
    """Raise Problem for a text of more words than the limit."""
    words = len(text.split()) if len(text) > settings.max_words else 0
    if words > settings.max_words:
        raise Problem(
            "too-many-words",
            f"A text may hold {settings.max_words:,} words, this one has {words:,}. Send its parts.",
            errors=(FieldError(pointer, "is too long"),),
            limit=settings.max_words,
        )


def _invalid(errors: tuple[FieldError, ...]) -> Problem:
    told = "; ".join(f"{error.pointer} {error.detail}" for error in errors[:3])
    return Problem("invalid-fields", f"{told}.", errors=errors)


EXPLAINED = {
    "missing": "is missing",
    "string_type": "is not a string",
    "bool_type": "is neither true nor false",
    "literal_error": "is none of auto, fast, deep",
    "model_type": "is not an object with {}",
    "model_attributes_type": "is not an object with {}",
    "dict_type": "is not an object with {}",
}


def _field_error(error: ErrorDetails, pointer: str, needed: str = 'a "text"') -> FieldError:
    name = str(error["loc"][0]) if error["loc"] else ""
    if name.endswith("id"):
        detail = "is neither a string, a whole number nor null"
    elif name == "base_rate":
        detail = "is not a number between 0 and 1, such as 0.05 for 5 %"
    else:
        detail = EXPLAINED.get(error["type"], "is not what is expected").format(needed)
    return FieldError(_join(pointer, name), detail)

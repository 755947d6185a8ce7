"""Requests: their bodies, read within the service's limits, and the models that check them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, TypeVar

from flask import Request
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema
from pydantic_core import ErrorDetails

from unspun.model.verdict import DepthChoice, EvidenceChoice
from unspun.reading.encodings import NotTextError, decode
from unspun.reading.html import Article, declared_encoding, extract_article
from unspun.reading.records import UnreadableError
from unspun.service.http.config import Settings
from unspun.service.http.problems import FieldError, RequestError
from unspun.service.validation import encodable, storable

PIECE = 1 << 16
MAX_ID = 1024
MAX_URL = 2048
TRUE, FALSE, ALL = ("true", "1", "yes", "on"), ("false", "0", "no", "off"), "all"
WHICH_EVIDENCE = 'must be true, false or "all"'


def _id(value: Any) -> str | None:
    """Return a submitted id as a string, None if there is none."""
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("must be a string, a whole number or null")
    name = encodable(str(value))
    if len(name) > MAX_ID:
        raise ValueError(f"is longer than {MAX_ID:,} characters")
    return name


Id = Annotated[
    str | None,
    BeforeValidator(_id, json_schema_input_type=Annotated[str, Field(max_length=MAX_ID)] | int | None),
]
Text = Annotated[str, AfterValidator(encodable)]
Storable = Annotated[str, AfterValidator(storable), WithJsonSchema({"type": "string", "pattern": r"^[^\x00]*$"})]
"""Any text without a NUL character, which databases cannot store."""


class RequestFields(BaseModel):
    """The JSON object of a request: unknown fields are ignored, and no value is converted.

    `details` has one message per field, for all its errors. The messages for other fields are in DETAILS.
    """

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)
    details: ClassVar[dict[str, str]] = {}


class _OfText(RequestFields):
    text: Text = Field(description="The text to judge.")


class _OfAddress(RequestFields):
    url: Text = Field(
        min_length=1,
        max_length=MAX_URL,
        description="The address of a public web page, which the service fetches and judges.",
    )


class _Options(RequestFields):
    details: ClassVar[dict[str, str]] = {
        "evidence": WHICH_EVIDENCE,
        "base_rate": "must be a number between 0 and 1, such as 0.05 for 5 %",
    }

    id: Id = Field(None, description="An id for the verdict.")
    evidence: EvidenceChoice = Field(
        True,
        description=(
            "Whether to look for the words and passages that point to a machine. With `true`, the verdict on a `clear` "
            "text comes without them; with `all`, every verdict has them."
        ),
    )
    depth: DepthChoice = Field(
        "auto",
        description=(
            "The tier that decides; `auto` begins with the fastest tier and asks the next one only if it is in doubt. "
            "`first` only says which texts are surely `clear`, and abstains from all others."
        ),
    )
    base_rate: float | None = Field(
        None,
        gt=0,
        lt=1,
        description=(
            "The share of paraphrased texts among those that you send, such as 0.05. With it, the verdict has a "
            "`probability`."
        ),
    )


# The last base comes first: pydantic lists the text, or the address, before the options.
class Submission(_Options, _OfText):
    """One text, with the options for scoring it."""


class UrlSubmission(_Options, _OfAddress):
    """One web address, with the options for scoring its text."""


class PairSubmission(RequestFields):
    """Two texts to compare."""

    suspect: Text = Field(description="The text that may have been made from the other.")
    source: Text = Field(description="The text that it may have been made from.")
    suspect_id: Id = Field(None, description="An id for the suspect.")
    source_id: Id = Field(None, description="An id for the source.")


Requested = TypeVar("Requested", bound=RequestFields)


def read_body(request: Request, settings: Settings) -> bytes:
    """Return a request's body, unpacked; never more than the limit is held in memory. Raises RequestError."""
    if (request.content_length or 0) > settings.max_bytes:
        raise too_large(settings)
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
        raise RequestError("invalid-request", "The body is shorter than its Content-Length. Send it again.")
    if unpack is not None:
        unpack.finish()
    if not size:
        raise RequestError("invalid-request", "The body is empty. Send a text in it; GET /v1/docs shows how.")
    return b"".join(parts)


def unpacker(request: Request, settings: Settings) -> Unpacker | None:
    """Return what unpacks a request's body, None if it is not compressed. Raises RequestError if it is not gzip."""
    packing = request.headers.get("Content-Encoding", "identity").strip().lower()
    if packing not in ("identity", "", "gzip", "x-gzip"):
        raise RequestError(
            "unsupported-media-type",
            "The only supported Content-Encoding is gzip. Send the body gzipped or uncompressed.",
            headers={"Accept-Encoding": "gzip, identity"},
        )
    return Unpacker(settings.max_bytes) if packing in ("gzip", "x-gzip") else None


class Unpacker:
    """Unpacks gzip piece by piece, within a limit. Raises RequestError if it is not gzip."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._stream = zlib.decompressobj(wbits=31)

    def __call__(self, piece: bytes) -> bytes:
        """Return the bytes that a piece unpacks to, at most one byte more than the limit."""
        parts: list[bytes] = []
        size = 0
        try:
            while piece and size <= self._limit:
                if self._stream.eof:  # gzip files may be concatenated
                    self._stream = zlib.decompressobj(wbits=31)
                part = self._stream.decompress(piece, self._limit + 1 - size)
                size += len(part)
                parts.append(part)
                piece = self._stream.unconsumed_tail or self._stream.unused_data
        except zlib.error:
            raise _broken_gzip() from None
        return b"".join(parts)

    def finish(self) -> None:
        """Raise RequestError if the compressed data ended too early."""
        if not self._stream.eof:
            raise _broken_gzip()


def _broken_gzip() -> RequestError:
    return RequestError(
        "invalid-request", "The Content-Encoding is gzip, but the body is not a complete gzip stream. Send it again."
    )


def too_large(settings: Settings, what: str = "A request", advice: str = "Send less at a time") -> RequestError:
    """Return the problem for a body that exceeds the limit of bytes."""
    return RequestError(
        "too-large",
        f"{what} may have at most {settings.max_bytes:,} bytes, uncompressed. {advice}.",
        limit=settings.max_bytes,
    )


def parse_json(data: bytes | bytearray) -> Any:
    """Return the value of a JSON text. Raises RequestError."""
    try:
        return json.loads(data.decode("utf-8-sig"), parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise RequestError(
            "invalid-json", f"The body is not UTF-8, from byte {error.start} on. Send JSON as UTF-8."
        ) from None
    except json.JSONDecodeError as error:
        # Only the kind of error: the rest of its message could quote the text.
        raise RequestError("invalid-json", f"{error.msg} at line {error.lineno}, column {error.colno}.") from None
    except RecursionError:
        raise RequestError("invalid-json", "The JSON is nested too deeply. Send one flat object per text.") from None
    except ValueError:
        raise RequestError("invalid-json", "The JSON contains a number that is too long or not finite.") from None


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def parse_submission(value: Any, settings: Settings, pointer: str = "#") -> Submission:
    """Check the JSON value of one text; `pointer` is its place in the body, "?" for the query. Raises RequestError."""
    if is_address(value):
        raise _invalid((FieldError(_join(pointer, "text"), "is missing; only POST /v1/score fetches a `url`"),))
    submission = parse_fields(Submission, value, pointer)
    check_words(submission.text, settings, _join(pointer, "text"))
    return submission


def is_address(value: Any) -> bool:
    """Return whether the JSON value of a submission has an address instead of a text."""
    return isinstance(value, dict) and "url" in value and "text" not in value


def parse_pair(value: Any, settings: Settings) -> PairSubmission:
    """Check the JSON value of two texts. Raises RequestError."""
    pair = parse_fields(PairSubmission, value)
    check_words(pair.suspect, settings, "#/suspect")
    check_words(pair.source, settings, "#/source")
    return pair


def parse_fields(model: type[Requested], value: Any, pointer: str = "#") -> Requested:
    """Check the fields of a JSON value; `pointer` is its place in the body. Raises RequestError."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        # A field that may have several types has an error for each.
        raise _invalid(tuple(dict.fromkeys(_field_error(item, pointer, model) for item in found))) from None


def parse_batch(value: Any, settings: Settings) -> list[Submission | RequestError]:
    """Check the JSON value of a batch; an invalid item becomes its own problem. Raises RequestError."""
    if not isinstance(value, list):
        raise _invalid((FieldError("#", 'must be a list of objects, each with a "text"'),))
    if len(value) > settings.max_items:
        raise RequestError(
            "too-many-items",
            f"A batch may have at most {settings.max_items:,} items; this one has {len(value):,}. "
            "Send several batches, or use /v1/score/stream.",
            limit=settings.max_items,
        )
    items: list[Submission | RequestError] = []
    for i, item in enumerate(value):
        try:
            items.append(parse_submission(item, settings, f"#/{i}"))
        except RequestError as problem:
            items.append(problem)
    return items


def text_of(data: bytes, *, html: bool, charset: str | None = None, what: str = "The body") -> Article:
    """Return the text of a text file or a web page in any encoding.

    Raises RequestError for a binary file, and for a page without text.
    """
    try:
        if html:
            return extract_article(decode(data, charset or declared_encoding(data)))
        return Article(decode(data, charset), {})
    except NotTextError as error:
        raise RequestError("invalid-fields", f"{what} is {error}. Send plain text or a web page.") from None
    except UnreadableError as error:
        raise RequestError("invalid-fields", f"{what} cannot be judged: {error}.") from None


def read_options(query: Mapping[str, str], settings: Settings, pointer: str = "?") -> dict[str, Any]:
    """Return the id, evidence, depth and base rate given in a query or a form. Raises RequestError."""
    asked: dict[str, Any] = {name: query[name] for name in ("id", "depth") if name in query}
    if "evidence" in query:
        word = query["evidence"].lower()
        if word not in (*TRUE, *FALSE, ALL):
            raise _invalid((FieldError(_join(pointer, "evidence"), WHICH_EVIDENCE),))
        asked["evidence"] = ALL if word == ALL else word in TRUE
    if "base_rate" in query:
        try:
            asked["base_rate"] = float(query["base_rate"])
        except ValueError:  # parse_submission refuses it
            asked["base_rate"] = query["base_rate"]
    parse_submission({**asked, "text": ""}, settings, pointer)
    return asked


def _join(pointer: str, name: str) -> str:
    """Return the pointer to a field in the body or, if `pointer` is "?", in the query."""
    if pointer == "?":
        return "#" if name == "text" else f"?{name}"
    return f"{pointer}/{name}" if name else pointer


def check_words(text: str, settings: Settings, pointer: str = "#/text") -> None:
    """Raise RequestError if a text has more words than the limit."""
    words = len(text.split()) if len(text) > settings.max_words else 0
    if words > settings.max_words:
        raise RequestError(
            "too-many-words",
            f"A text may have at most {settings.max_words:,} words; this one has {words:,}. Send it in parts.",
            errors=(FieldError(pointer, "is too long"),),
            limit=settings.max_words,
        )


def _invalid(errors: tuple[FieldError, ...]) -> RequestError:
    listed = "; ".join(f"{error.pointer} {error.detail}" for error in errors[:3])
    return RequestError("invalid-fields", f"{listed}.", errors=errors)


DETAILS = {
    "missing": "is missing",
    "string_type": "must be a string",
    "string_pattern_mismatch": "must not be blank",
    "string_too_short": "must not be empty",
    "string_too_long": "is too long; it may have at most {max_length} characters",
    "bool_type": "must be true or false",
    "literal_error": "must be one of {expected}",
    "value_error": "{error}",
    "model_type": "must be an object with {required}",
    "model_attributes_type": "must be an object with {required}",
}
"""What is wrong with a field, by Pydantic's name for the error."""


def _field_error(error: ErrorDetails, pointer: str, model: type[RequestFields]) -> FieldError:
    name = str(error["loc"][0]) if error["loc"] else ""
    context = error.get("ctx", {})
    if "expected" in context:  # such as "'auto', 'fast' or 'deep'"
        context["expected"] = context["expected"].replace("'", "").replace(" or ", ", ")
    required = " and ".join(f'a "{name}"' for name, field in model.model_fields.items() if field.is_required())
    detail = model.details.get(name) or DETAILS.get(error["type"], "is not valid")
    return FieldError(_join(pointer, name), detail.format(**context, required=required))

"""One label: a person's judgement of a text, and unspun's verdict at the time."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from unspun.model.verdict import Depth, Judgement, Kind, Reason, Verdict, VerdictWord
from unspun.service.render.summary import digest_of, summary
from unspun.service.validation import storable

MAX_SOURCE = 200
MAX_COMMENT = 2_000
MAX_TEXT = 10_000_000
MAX_NAME = 200
MAX_SIGNALS = 64
"""Maximum lengths of a label's strings in characters, and maximum number of signals."""
ID = re.compile(r"[0-9a-f]{32}", re.ASCII)


class LabelError(ValueError):
    """A label is invalid. The message says why in one line, and never quotes the text."""


def _or_none(value: str | None) -> str | None:
    """Strip white space; return None if nothing is left."""
    return (value or "").strip() or None


def _utc(value: datetime) -> datetime:
    """Convert a time to UTC, to the millisecond, as in exports. Raises ValueError."""
    if value.tzinfo is None:
        raise ValueError("has no time zone; use the form 2026-11-23T06:05:00Z")
    value = value.astimezone(UTC)
    return value.replace(microsecond=value.microsecond // 1000 * 1000)


Text = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT), AfterValidator(storable)]
Name = Annotated[str, StringConstraints(max_length=MAX_NAME), AfterValidator(storable)]
Source = Annotated[
    Annotated[str, StringConstraints(max_length=MAX_SOURCE), AfterValidator(storable)] | None, AfterValidator(_or_none)
]
Comment = Annotated[
    Annotated[str, StringConstraints(max_length=MAX_COMMENT), AfterValidator(storable)] | None,
    AfterValidator(_or_none),
]
Id = Annotated[str, StringConstraints(pattern=f"^{ID.pattern}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Time = Annotated[datetime, AfterValidator(_utc)]
Share = Annotated[float, Field(ge=0, le=1)] | None


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)


class ModelName(_Part):
    """The model that gave the verdict."""

    name: Name
    version: Name
    sha256: Name


class StoredVerdict(_Part):
    """A Verdict without the scores of the kinds and without evidence.

    `score`, `false_positive_rate` and `share` are None if the model abstained or its first tier settled the text. The
    last two are also None for verdicts of unspun 1.x, whose score was a probability.
    """

    score: Share
    false_positive_rate: Share = None
    share: Share = None
    verdict: VerdictWord
    kind: Kind | None
    reason: Reason | None
    words: int = Field(ge=0, lt=2**31)
    depth: Depth
    model: ModelName


class SignalSum(_Part):
    """The evidence of one signal: the number of passages, and the sum of their weights in nats."""

    signal: Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(storable)]
    count: int = Field(ge=0, lt=2**31)
    weight: float


Signals = Annotated[tuple[SignalSum, ...], Field(max_length=MAX_SIGNALS)]


class Label(_Part):
    """A person's label of one text.

    `id` is 128 random bits in hexadecimal; anyone who knows it may read and delete the label. `digest` is the SHA-256
    of the text in UTF-8. `text` is present only if the person asked to keep it.
    """

    id: Id
    created: Time
    label: Judgement
    source: Source = None
    comment: Comment = None
    digest: Sha256
    text: Text | None = None
    verdict: StoredVerdict
    signals: Signals = ()

    @model_validator(mode="after")
    def _digest_matches_the_text(self) -> Label:
        if self.text is not None and digest_of(self.text) != self.digest:
            raise ValueError("the digest does not match the text")
        return self

    def to_dict(self, *, with_text: bool = True) -> dict[str, Any]:
        """Return the label as plain JSON types, keys in the documented order."""
        return self.model_dump(mode="json", exclude=None if with_text else {"text"})


RECORD_FIELDS = ("label", "id", "created", "source", "comment", "digest", "keep_text", "verdict", "signals")
"""The fields of a record that `parse_record` reads, besides the text."""


class LabelLine(_Part):
    """A label in a file to import; `complete` fills in missing fields.

    The report of `unspun score` sets `keep_text` to have the text stored at the import.
    """

    label: Judgement
    id: Id | None = None
    created: Time | None = None
    source: Source = None
    comment: Comment = None
    digest: Sha256 | None = None
    text: Text | None = None
    keep_text: bool = False
    verdict: StoredVerdict | None = None
    signals: Signals = ()

    @model_validator(mode="after")
    def _names_a_text(self) -> LabelLine:
        if self.text is None and (self.digest is None or self.verdict is None):
            raise ValueError("needs either the text, or its digest and verdict")
        if self.text is not None and self.digest not in (None, digest_of(self.text)):
            raise ValueError("the digest does not match the text")
        return self

    def complete(self, verdict: Verdict | None, now: datetime, text: str | None = None) -> Label:
        """Return the complete label.

        `verdict` is required if the line has a text but no verdict. `text` is stored if the line has none.
        """
        stored, signals = (self.verdict, self.signals) if verdict is None else judged(verdict)
        assert stored is not None
        kept = text if self.text is None else self.text
        digest = self.digest if kept is None else digest_of(kept)
        assert digest is not None
        return Label(
            id=self.id or new_id(),
            created=self.created or now,
            label=self.label,
            source=self.source,
            comment=self.comment,
            digest=digest,
            text=kept,
            verdict=stored,
            signals=signals,
        )


def make_label(
    text: str,
    word: Judgement,
    verdict: Verdict,
    now: datetime,
    *,
    keep_text: bool = False,
    source: str | None = None,
    comment: str | None = None,
) -> Label:
    """Return a new label for a text and the model's verdict, which has its evidence. Raises LabelError."""
    stored, signals = judged(verdict)
    try:
        return LabelLine(
            label=word,
            source=source,
            comment=comment,
            digest=digest_of(text),
            text=text if keep_text else None,
            verdict=stored,
            signals=signals,
        ).complete(None, now)
    except ValidationError as error:
        raise LabelError(explain(error)) from None


def parse_line(line: str | bytes) -> LabelLine:
    """Parse a line of JSON. Raises LabelError."""
    try:
        return LabelLine.model_validate_json(line)
    except ValidationError as error:
        raise LabelError(explain(error)) from None


def parse_record(fields: Mapping[str, Any], text: str) -> LabelLine:
    """Return the label in a record of any format, which has at least its fields "label" and a text. Raises LabelError.

    Without "digest" it is no export, and its "id" is only the name of a text.
    """
    line = {name: value for name, value in fields.items() if value not in (None, "")}
    if text:
        line["text"] = text
    if "digest" not in line:
        line.pop("id", None)
    for name in ("source", "comment"):
        if isinstance(line.get(name), int | float):
            line[name] = str(line[name])
    if isinstance(line.get("label"), str):
        line["label"] = line["label"].strip().lower()
    return parse_line(json.dumps(line))


def judged(verdict: Verdict) -> tuple[StoredVerdict, tuple[SignalSum, ...]]:
    """Return the part of a verdict that is stored, and the evidence of each signal, by name."""
    kept = summary(verdict)
    return StoredVerdict.model_validate(kept["verdict"]), tuple(map(SignalSum.model_validate, kept["signals"]))


def new_id() -> str:
    """Return a random id that cannot be guessed."""
    return secrets.token_hex(16)


def explain(error: ValidationError) -> str:
    """Describe up to three errors in one line, without quoting any value."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    messages = []
    for item in found[:3]:
        where = ".".join(map(str, item["loc"]))
        message = str(item["msg"]).removeprefix("Value error, ")
        messages.append(f"{where}: {message}" if where else message)
    return "; ".join(messages)

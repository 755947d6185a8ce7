"""One label: what a person says of a text, and what unspun said of it at the time."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from unspun.model.verdict import Depth, Kind, Reason, Verdict, VerdictWord
from unspun.service.feedback.summary import digest_of, summary

Word = Literal["human", "spun", "translated", "rewritten"]
"""What a text may be labelled as: human, or one of model.decision.KINDS."""
WORDS: tuple[Word, ...] = ("human", "spun", "translated", "rewritten")

MAX_SOURCE = 200
MAX_COMMENT = 2_000
MAX_TEXT = 10_000_000
MAX_NAME = 200
MAX_SIGNALS = 64
"""Most characters of a label's strings, and most signals of a verdict."""
ID = re.compile(r"[0-9a-f]{32}", re.ASCII)


class LabelError(ValueError):
    """This is no label; the message says in one line what is wrong with it, and quotes nothing of its text."""


def _storable(value: str) -> str:
    """Return a string that every database and UTF-8 can hold. Raises ValueError."""
    if "\0" in value:
        raise ValueError("holds a NUL character (U+0000), which no text has; take it out")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("holds an unpaired surrogate; replace it by U+FFFD") from None
    return value


def _or_none(value: str | None) -> str | None:
    """Return a note without white space around it, None where nothing is left."""
    return (value or "").strip() or None


def _utc(value: datetime) -> datetime:
    """Return a time in UTC, to the millisecond, as it is exported."""
    if value.tzinfo is None:
        raise ValueError("has no time zone; write it like 2026-11-23T06:05:00Z")
    value = value.astimezone(UTC)
    return value.replace(microsecond=value.microsecond // 1000 * 1000)


Text = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT), AfterValidator(_storable)]
Name = Annotated[str, StringConstraints(max_length=MAX_NAME), AfterValidator(_storable)]
Source = Annotated[
    Annotated[str, StringConstraints(max_length=MAX_SOURCE), AfterValidator(_storable)] | None, AfterValidator(_or_none)
]
Comment = Annotated[
    Annotated[str, StringConstraints(max_length=MAX_COMMENT), AfterValidator(_storable)] | None,
    AfterValidator(_or_none),
]
Id = Annotated[str, StringConstraints(pattern=f"^{ID.pattern}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Time = Annotated[datetime, AfterValidator(_utc)]
Share = Annotated[float, Field(ge=0, le=1)] | None


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)


class ModelName(_Part):
    """Which model gave the verdict."""

    name: Name
    version: Name
    sha256: Name


class Judgement(_Part):
    """What unspun said: a Verdict without the scores of its kinds and without its evidence.

    `score`, `false_positive_rate` and `share` are None where no verdict was given; the last two also where unspun 1.x
    gave it, whose score was a probability.
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
    """How much evidence a signal gave: how many passages, and their weights together, in nats."""

    signal: Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_storable)]
    count: int = Field(ge=0, lt=2**31)
    weight: float


Signals = Annotated[tuple[SignalSum, ...], Field(max_length=MAX_SIGNALS)]


class Label(_Part):
    """A person's label of one text.

    `id` is 128 random bits in hexadecimal: who knows it may read and delete the label. `digest` is the SHA-256 of the
    text's UTF-8. `text` is there only if it was asked to be kept.
    """

    id: Id
    created: Time
    label: Word
    source: Source = None
    comment: Comment = None
    digest: Sha256
    text: Text | None = None
    verdict: Judgement
    signals: Signals = ()

    @model_validator(mode="after")
    def _text_is_the_digests(self) -> Label:
        if self.text is not None and digest_of(self.text) != self.digest:
            raise ValueError("its digest is not that of its text")
        return self

    def to_dict(self, *, with_text: bool = True) -> dict[str, Any]:
        """Return the label as plain JSON types, keys in the documented order."""
        return self.model_dump(mode="json", exclude=None if with_text else {"text"})


class LabelLine(_Part):
    """A label as a file may hold it: of what `complete` can fill in, nothing need be there.

    The report of `unspun score` asks with `keep_text` that the text be kept when the file is imported.
    """

    label: Word
    id: Id | None = None
    created: Time | None = None
    source: Source = None
    comment: Comment = None
    digest: Sha256 | None = None
    text: Text | None = None
    keep_text: bool = False
    verdict: Judgement | None = None
    signals: Signals = ()

    @model_validator(mode="after")
    def _names_a_text(self) -> LabelLine:
        if self.text is None and (self.digest is None or self.verdict is None):
            raise ValueError("it needs either the text, or its digest and the verdict on it")
        if self.text is not None and self.digest not in (None, digest_of(self.text)):
            raise ValueError("its digest is not that of its text")
        return self

    def complete(self, verdict: Verdict | None, now: datetime, text: str | None = None) -> Label:
        """Return the label.

        `verdict` is needed where the line has a text and no verdict. `text` is kept where the line has none.
        """
        judgement, signals = (self.verdict, self.signals) if verdict is None else judged(verdict)
        assert judgement is not None
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
            verdict=judgement,
            signals=signals,
        )


def make_label(
    text: str,
    word: Word,
    verdict: Verdict,
    now: datetime,
    *,
    keep_text: bool = False,
    source: str | None = None,
    comment: str | None = None,
) -> Label:
    """Return a new label of a text on which `verdict`, with its evidence, is the model's. Raises LabelError."""
    judgement, signals = judged(verdict)
    try:
        return Label(
            id=new_id(),
            created=now,
            label=word,
            source=source,
            comment=comment,
            digest=digest_of(text),
            text=text if keep_text else None,
            verdict=judgement,
            signals=signals,
        )
    except ValidationError as error:
        raise LabelError(explain(error)) from None


def parse_line(line: str | bytes) -> LabelLine:
    """Return the label of a line of JSON. Raises LabelError."""
    try:
        return LabelLine.model_validate_json(line)
    except ValidationError as error:
        raise LabelError(explain(error)) from None


def judged(verdict: Verdict) -> tuple[Judgement, tuple[SignalSum, ...]]:
    """Return what is kept of a verdict: the answer, and what each signal gave as evidence, by name."""
    held = summary(verdict)
    return Judgement.model_validate(held["verdict"]), tuple(map(SignalSum.model_validate, held["signals"]))


def new_id() -> str:
    """Return an id that nobody can guess."""
    return secrets.token_hex(16)


def explain(error: ValidationError) -> str:
    """Return in one line what is wrong, without quoting any value."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    told = []
    for item in found[:3]:
        where = ".".join(map(str, item["loc"]))
        message = str(item["msg"]).removeprefix("Value error, ")
        told.append(f"{where}: {message}" if where else message)
    return "; ".join(told)

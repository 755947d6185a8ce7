"""A label as a request holds it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from unspun.service.feedback.labels import Comment, Source, Word
from unspun.service.http.config import Settings
from unspun.service.http.problems import FieldError, RequestError
from unspun.service.http.schemas import Submission, parse_submission

CONSENT = (
    "is not true: nothing is stored without the consent of whoever labels the text. Send it as true if there is consent"
)


class LabelSubmission(BaseModel):
    """The JSON object of one label."""

    model_config = ConfigDict(strict=True, extra="ignore", title="LabelSubmission")

    text: str = Field(pattern=r"\S", description="The text that is labelled.")
    label: Word = Field(description="What it is said to be.")
    consent: Literal[True] = Field(description="Consent to storing the label. Without it nothing is stored.")
    keep_text: bool = Field(False, description="Whether the text itself is stored, too; else only its hash is.")
    source: Source = Field(None, description="Where the text is from, such as a site or a project: a short name.")
    comment: Comment = Field(None, description="Whatever there is to say of it.")


def parse_label(value: Any, settings: Settings) -> tuple[LabelSubmission, Submission]:
    """Return the label of a JSON value, and the submission of its text. Raises RequestError."""
    try:
        label = LabelSubmission.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        errors = [FieldError("/".join(("#", *map(str, item["loc"]))), _explain(item)) for item in found]
        # That consent is missing is what matters, whatever else is.
        errors.sort(key=lambda one: one.pointer != "#/consent")
        told = "; ".join(f"{one.pointer} {one.detail}" for one in errors[:3])
        raise RequestError("invalid-fields", f"{told}.", errors=tuple(errors)) from None
    return label, parse_submission({"text": label.text}, settings)


def _explain(error: Any) -> str:
    field = str(error["loc"][0]) if error["loc"] else ""
    kind, message = error["type"], str(error["msg"])
    if field == "consent":
        return CONSENT
    if kind == "missing":
        return "is missing"
    if field == "text" and kind == "string_pattern_mismatch":
        return "holds no text"
    if field == "label":
        return "is none of human, spun, translated, rewritten"
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    if kind == "string_too_long":
        return message.replace("String should have", "is too long; it may have")
    if kind in ("string_type", "bool_type"):
        return "is not a string" if kind == "string_type" else "is neither true nor false"
    return 'is not an object with a "text" and its "label"'

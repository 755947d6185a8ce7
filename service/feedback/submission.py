"""A label in an HTTP request."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from unspun.model.verdict import JUDGEMENTS, Judgement
from unspun.service.feedback.labels import Comment, Source
from unspun.service.http.config import Settings
from unspun.service.http.problems import FieldError, ProblemError
from unspun.service.http.schemas import Submission, parse_submission

CONSENT = "must be true: nothing is stored without the consent of the person who labels the text"


class LabelSubmission(BaseModel):
    """The JSON object of one label."""

    model_config = ConfigDict(strict=True, extra="ignore", title="LabelSubmission")

    text: str = Field(pattern=r"\S", description="The text.")
    label: Judgement = Field(description="The person's judgement.")
    consent: Literal[True] = Field(description="Consent to storing the label; must be true.")
    keep_text: bool = Field(False, description="Whether to store the text as well as its hash.")
    source: Source = Field(None, description="Short name of the text's origin, such as a site or a project.")
    comment: Comment = Field(None, description="A free comment.")


def parse_label(value: Any, settings: Settings) -> tuple[LabelSubmission, Submission]:
    """Check the JSON value of a label; return it and the submission of its text for scoring. Raises ProblemError."""
    try:
        label = LabelSubmission.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        errors = [FieldError("/".join(("#", *map(str, item["loc"]))), _explain(item)) for item in found]
        # Missing consent comes first.
        errors.sort(key=lambda one: one.pointer != "#/consent")
        detail = "; ".join(f"{one.pointer} {one.detail}" for one in errors[:3])
        raise ProblemError("invalid-fields", f"{detail}.", errors=tuple(errors)) from None
    return label, parse_submission({"text": label.text}, settings)


def _explain(error: Any) -> str:
    field = str(error["loc"][0]) if error["loc"] else ""
    kind, message = error["type"], str(error["msg"])
    if field == "consent":
        return CONSENT
    if kind == "missing":
        return "is missing"
    if field == "text" and kind == "string_pattern_mismatch":
        return "must not be blank"
    if field == "label":
        return f"must be one of {', '.join(JUDGEMENTS)}"
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    if kind == "string_too_long":
        return message.replace("String should have", "is too long; it may have")
    if kind in ("string_type", "bool_type"):
        return "must be a string" if kind == "string_type" else "must be true or false"
    return 'must be an object with a "text" and a "label"'

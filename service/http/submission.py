"""A label in an HTTP request."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from unspun.model.verdict import Judgement
from unspun.service.feedback.labels import Comment, Source
from unspun.service.http.config import Settings
from unspun.service.http.schemas import RequestFields, Storable, Submission, parse_fields, parse_submission


class LabelSubmission(RequestFields):
    """The JSON object of one label. Errors about the consent come first, as its field does."""

    details: ClassVar[dict[str, str]] = {
        "consent": "must be true: nothing is stored without the consent of the person who labels the text"
    }

    consent: Literal[True] = Field(description="Consent to storing the label; must be true.")
    text: Storable = Field(pattern=r"\S", description="The text.")
    label: Judgement = Field(description="The person's judgement.")
    keep_text: bool = Field(False, description="Whether to store the text as well as its hash.")
    source: Source = Field(None, description="Short name of the text's origin, such as a site or a project.")
    comment: Comment = Field(None, description="A free comment.")


def parse_label(value: Any, settings: Settings) -> tuple[LabelSubmission, Submission]:
    """Check the JSON value of a label; return it and the submission of its text for scoring. Raises RequestError."""
    label = parse_fields(LabelSubmission, value)
    return label, parse_submission({"text": label.text, "evidence": "all"}, settings)

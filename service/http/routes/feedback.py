"""`/v1/feedback`: people's labels of texts, stored with their consent, read and deleted by id."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from flask import Blueprint, Response, current_app, request

from unspun.model.verdict import Verdict
from unspun.service.feedback.labels import Label, make_label
from unspun.service.http import metrics
from unspun.service.http.problems import RequestError
from unspun.service.http.protection import gate
from unspun.service.http.routes.score import authenticate, judge, media_type, settings
from unspun.service.http.schemas import Submission, parse_json, read_body
from unspun.service.http.submission import LabelSubmission, parse_label

# SQLAlchemy and Alembic are needed only if labels are stored.
if TYPE_CHECKING:
    from unspun.service.http.keeper import Keeper

blueprint = Blueprint("feedback", __name__, url_prefix="/v1")
blueprint.before_request(authenticate)

OFF = (
    "This service does not store labels. Its operator can turn them on by setting UNSPUN_DATABASE_URL, for example to "
    "sqlite:////var/lib/unspun/feedback.db."
)


def is_kept() -> bool:
    """Return whether this service stores labels."""
    return settings().database_url is not None


def keeper() -> Keeper:
    """Return the keeper of labels of the current application. Raises RequestError if labels are not stored."""
    found: Keeper | None = current_app.extensions["unspun.feedback"]
    if found is None:
        raise RequestError("feedback-off", OFF)
    return found


@blueprint.post("/feedback")
def add() -> Response:
    """Judge a text, and store a person's label with the verdict."""
    keeper()
    media_type("application/json")
    asked, submission = parse_label(parse_json(read_body(request, settings())), settings())
    gate().spend()
    label, new, _ = store(asked, submission)
    return _answer(label, 201 if new else 200)


@blueprint.get("/feedback/<id>")
def get(id: str) -> Response:
    """Return the label with an id."""
    kept = keeper()
    gate().spend()
    return _answer(kept.get(id), 200)


@blueprint.delete("/feedback/<id>")
def delete(id: str) -> Response:
    """Delete the label with an id."""
    kept = keeper()
    gate().spend()
    kept.delete(id)
    return Response(status=204)


def store(asked: LabelSubmission, submission: Submission) -> tuple[Label, bool, Verdict]:
    """Judge a text and store its label; return that, whether it is new, and the verdict. Raises RequestError."""
    verdict = judge(submission)
    label = make_label(
        submission.text,
        asked.label,
        verdict,
        datetime.now(UTC),
        keep_text=asked.keep_text,
        source=asked.source,
        comment=asked.comment,
    )
    stored, new = keeper().add(label)
    if new:
        metrics.LABELS.labels(stored.label).inc()
    return stored, new, verdict


def _answer(label: Label, status: int) -> Response:
    body = json.dumps(label.to_dict(), ensure_ascii=False)
    answer = Response(f"{body}\n", status, mimetype="application/json")
    answer.headers["Cache-Control"] = "no-store"
    if status == 201:
        answer.headers["Location"] = f"/v1/feedback/{label.id}"
    return answer

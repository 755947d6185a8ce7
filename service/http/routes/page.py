"""The page at `/`, the API reference at `/v1/docs`, and their static files: plain HTML, rendered on the server."""

from __future__ import annotations

import base64
import hashlib
import json
import mimetypes
import re
import time
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, abort, g, make_response, render_template, request
from markupsafe import Markup, escape

from unspun.model.wording import DISGUISED, HEADLINES, JUDGEMENT_NAMES, MEANINGS, NO_SOURCE, SCALE
from unspun.reading.reader import SUFFIXES
from unspun.reading.records import Failure, Record
from unspun.service.batch.scoring import supported_by
from unspun.service.http.metrics import PROBLEMS
from unspun.service.http.openapi import document
from unspun.service.http.origins import is_from_own_page
from unspun.service.http.problems import RequestError
from unspun.service.http.protection import gate, key_of
from unspun.service.http.reference import ApiReference
from unspun.service.http.routes.feedback import is_kept, keeper, store
from unspun.service.http.routes.score import engine, judge, settings
from unspun.service.http.routes.upload import unreadable
from unspun.service.http.schemas import parse_submission
from unspun.service.http.submission import parse_label
from unspun.service.http.uploads import read_form, read_upload
from unspun.service.page.result import Result

if TYPE_CHECKING:
    from unspun.model.verdict import Verdict
    from unspun.service.feedback.labels import Label

blueprint = Blueprint("page", __name__)

PAGE = Path(__file__).parents[2] / "page"
STATIC = {file.name: file.read_bytes() for file in sorted((PAGE / "static").iterdir())}
VERSION = hashlib.sha256(b"".join(STATIC.values())).hexdigest()[:12]
"""Part of the URLs of the static files, so that browsers do not use outdated copies."""
EXAMPLE = (PAGE / "example.txt").read_text("utf-8").strip()
FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
TITLES = {
    "invalid-fields": "This text cannot be judged",
    "invalid-request": "The form could not be read",
    "unreadable": "The file could not be read",
    "too-large": "The text is too large",
    "rate-limited": "Too many texts in a short time",
}
"""Titles that the page shows instead of those of the API, which mention requests."""
ACCEPT = ",".join((*SUFFIXES, ".text", ".xhtml", "text/*"))
"""The files that a browser offers to choose."""
NOT_STORED = "The label was not stored"
NOT_DELETED = "The label was not deleted"
MOST_PARTS = 16
DAY = 86_400
CODE = re.compile(r"`([^`]+)`")
NAME = re.compile(r"\[(\w+)\]")


@blueprint.app_template_filter("code")
def code(text: str) -> Markup:
    """Escape a description, and format text in backticks as code."""
    return Markup(CODE.sub(r"<code>\1</code>", str(escape(text))))


@blueprint.app_template_filter("kind")
def kind(text: str) -> Markup:
    """Escape the description of a type, and link object names in brackets to their schemas."""
    return Markup(NAME.sub(r'<a href="#\1">\1</a>', str(code(text))))


@blueprint.app_template_filter("pretty")
def pretty(value: Any) -> str:
    """Return an example as indented JSON."""
    return json.dumps(value, indent=2)


@blueprint.app_context_processor
def known() -> dict[str, bool | str]:
    """Tell every template whether labels are stored, and what scores and kinds do and do not mean."""
    return {"feedback": is_kept(), "scale": SCALE, "no_source": NO_SOURCE}


@blueprint.get("/")
def page() -> Response:
    """Show the form."""
    return _page(text=EXAMPLE if "example" in request.args else "")


@blueprint.post("/")
def answer() -> Response:
    """Judge the form's text or file, and show the verdict or the problem."""
    text = ""
    try:
        form = _Form()
        text = form.text
        gate().authenticate(form.key or key_of(request))
        text = form.content()
        submission = parse_submission({"text": text}, settings())
        gate().spend()
        verdict = judge(submission).with_repairs(form.repairs)
    except RequestError as problem:
        return _refuse(problem, text)
    return _page(text=text, result=_result(text, verdict, form.source))


@blueprint.post("/feedback")
def label() -> Response:
    """Store the reader's label of a text, and show the verdict again with the id of the label."""
    text = ""
    try:
        _check_site()
        keeper()
        form = _Form()
        text = form.packed()
        gate().authenticate(form.key or key_of(request))
        if not form.ticked("consent"):
            raise RequestError("invalid-fields", "Tick the box to agree. Without your consent nothing is stored.")
        value = {
            "text": text,
            "label": form.fields.get("label"),
            "source": form.fields.get("source") or None,
            "consent": True,
            "keep_text": form.ticked("keep_text"),
        }
        asked, submission = parse_label(value, settings())
        gate().spend()
        stored, _, verdict = store(asked, submission)
    except RequestError as problem:
        return _refuse(problem, text, NOT_STORED)
    return _page(text=text, result=_result(text, verdict), stored=stored)


@blueprint.post("/feedback/delete")
def unlabel() -> Response:
    """Delete a label by its id."""
    try:
        _check_site()
        kept = keeper()
        form = _Form()
        gate().authenticate(form.key or key_of(request))
        gate().spend()
        kept.delete(form.fields.get("id", ""))
    except RequestError as problem:
        return _refuse(problem, "", NOT_DELETED)
    return _page(text="", notice="The label was deleted.")


@blueprint.get("/v1/docs")
def reference() -> str:
    """Show the API reference."""
    return render_template(
        "reference.html", reference=ApiReference(document(settings()), request.host_url.rstrip("/")), version=VERSION
    )


@blueprint.get("/static/<name>")
@blueprint.get("/favicon.ico", defaults={"name": "favicon.svg"})
def static(name: str) -> Response:
    """Return a static file."""
    if name not in STATIC:
        abort(404)
    response = Response(STATIC[name], mimetype=mimetypes.guess_type(name)[0])
    response.cache_control.max_age = DAY
    response.cache_control.public = True
    response.add_etag()
    response.make_conditional(request)
    return response


class _Form:
    """The submitted form. Raises RequestError if it cannot be read."""

    def __init__(self) -> None:
        if request.mimetype not in FORMS:
            raise RequestError(
                "unsupported-media-type",
                "This path accepts only the form of the page. Programs should use POST /v1/score.",
            )
        fields, files = read_form(request, settings(), most_parts=MOST_PARTS, advice="Reload the page and try again.")
        # Browsers send line ends as CR LF.
        self.text = fields.get("text", "").replace("\r\n", "\n").replace("\r", "\n")
        self.fields = fields
        self.key = fields.get("key", "").strip()
        self.source: str | None = None
        """The name of the chosen file, if any."""
        self.repairs: Mapping[str, int] = {}
        """What was repaired or left out to read the file."""
        self._file = files.get("file")

    def ticked(self, name: str) -> bool:
        return self.fields.get(name) == "true"

    def packed(self) -> str:
        """Return the judged text exactly; a plain form field would change its line ends."""
        try:
            return base64.b64decode(self.fields.get("packed", ""), validate=True).decode("utf-8")
        except ValueError:
            detail = "The form cannot be read. Judge the text again, then add the label."
            raise RequestError("invalid-request", detail) from None

    def content(self) -> str:
        """Return the text to judge: that of the file, if one was chosen."""
        text = self.text
        if self._file is not None and self._file.filename:
            self.source = self._file.filename
            file, limits = self._file, settings()
            deadline = time.monotonic() + limits.timeout
            found = engine().apart(lambda: list(islice(read_upload(file, limits, deadline), 2)))
            text, self.repairs = _only_document(found)
        if not text.strip():
            raise RequestError("invalid-fields", "There is no text to judge. Paste a text or choose a file.")
        return text


def _only_document(found: list[Record | Failure]) -> tuple[str, Mapping[str, int]]:
    """Return the text of a file of one document, and what was repaired in it. Raises RequestError."""
    if isinstance(found[0], Failure):
        raise unreadable(found[0])
    if len(found) > 1:
        raise RequestError(
            "invalid-fields",
            "This file contains many documents, and the page judges one at a time. Score the file with `unspun score` "
            "or POST /v1/score/upload.",
        )
    return found[0].text, found[0].repairs


def _check_site() -> None:
    """Refuse a form that another site submits for a reader (cross-site request forgery). Raises RequestError.

    There are no sessions to abuse, but the service may be reachable only from the reader's network.
    """
    if not is_from_own_page():
        raise RequestError(
            "cross-site", "Labels are accepted only from this service's own page. Open it and label the text there."
        )


def _result(text: str, verdict: Verdict, source: str | None = None) -> Result:
    return Result(text, verdict, source, supported_by(engine().model))


def _refuse(problem: RequestError, text: str, title: str | None = None) -> Response:
    """Show the page with a problem."""
    PROBLEMS.labels(problem.name).inc()
    if problem.retry_after is not None:
        g.retry_after = problem.retry_after
    return _page(text=text, problem=problem, title=title)


def _page(
    *,
    text: str,
    problem: RequestError | None = None,
    title: str | None = None,
    result: Result | None = None,
    stored: Label | None = None,
    notice: str | None = None,
) -> Response:
    response = make_response(
        render_template(
            "page.html",
            text=text,
            problem=problem,
            title=title or (None if problem is None else TITLES.get(problem.name, problem.title)),
            detail=None if problem is None else _for_people(problem),
            result=result,
            stored=stored,
            notice=notice,
            labels=JUDGEMENT_NAMES,
            disguise=DISGUISED,
            headlines=HEADLINES,
            meanings=MEANINGS,
            needs_key=gate().needs_key,
            accept=ACCEPT,
            settings=settings(),
            version=VERSION,
        )
    )
    if is_kept():
        # With "no-referrer", browsers would send "null" as the Origin of the page's own forms.
        response.headers["Referrer-Policy"] = "same-origin"
    if problem is not None:
        response.status_code = problem.status
        response.headers.update(problem.headers)
    return response


def _for_people(problem: RequestError) -> str:
    """Return a problem's detail without JSON pointers and other terms for programs."""
    if problem.name == "unauthorized":
        return "This service requires an API key. Enter a valid one."
    wrong = [error.detail for error in problem.errors if problem.detail.startswith(error.pointer)]
    return f"The text {'; it '.join(wrong)}." if wrong else problem.detail

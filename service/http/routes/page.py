"""The page at `/`, the comparison at `/compare`, the API reference at `/v1/docs`, and their static files.

They are plain HTML, rendered on the server.
"""

from __future__ import annotations

import hashlib
import json
import mimetypes
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, abort, g, make_response, render_template, request
from markupsafe import Markup, escape

from unspun.model.comparing.comparer import FEWEST_WORDS
from unspun.model.wording import (
    DISGUISED,
    GUESSES,
    HEADLINES,
    JUDGEMENT_NAMES,
    LIMITS,
    MEANINGS,
    NO_SOURCE,
    SCALE,
    percent,
)
from unspun.reading.reader import SUFFIXES
from unspun.reading.records import Record
from unspun.service.batch.scoring import supported_by
from unspun.service.http.metrics import PROBLEMS
from unspun.service.http.openapi import document
from unspun.service.http.origins import is_from_own_page
from unspun.service.http.problems import RequestError
from unspun.service.http.protection import gate, key_of
from unspun.service.http.reference import ApiReference
from unspun.service.http.routes.compare import compare_pair
from unspun.service.http.routes.feedback import is_kept, keeper, store
from unspun.service.http.routes.forms import Form
from unspun.service.http.routes.score import engine, judge, judge_many, settings
from unspun.service.http.routes.upload import Item, check
from unspun.service.http.schemas import Submission, parse_pair, parse_submission
from unspun.service.http.submission import parse_label
from unspun.service.page.comparison import NO_TEXTS, Texts, downloads_of
from unspun.service.page.result import Result
from unspun.service.page.results import Checked, Results
from unspun.service.page.saved import saved
from unspun.service.render.comparison import ComparedPair
from unspun.service.render.comparison_html import FILTERS, MOST_SUBSTITUTIONS, shown
from unspun.service.render.page import TEMPLATES, count

if TYPE_CHECKING:
    from unspun.model.verdict import Verdict

blueprint = Blueprint("page", __name__, template_folder=str(TEMPLATES))
"""Templates that are not in page/templates are those that the page shares with files, in render/templates."""

PAGE = Path(__file__).parents[2] / "page"
STATIC = {file.name: file.read_bytes() for file in sorted((PAGE / "static").iterdir())}
VERSION = hashlib.sha256(b"".join(STATIC.values())).hexdigest()[:12]
"""Part of the URLs of the static files, so that browsers do not use outdated copies."""
EXAMPLE = (PAGE / "example.txt").read_text("utf-8").strip()
EXAMPLES = Texts(EXAMPLE, (PAGE / "example-source.txt").read_text("utf-8").strip())
"""Texts with which the forms can be tried; the second one is the source of the first."""
TITLES = {
    "invalid-fields": "This text cannot be checked",
    "invalid-request": "The form could not be read",
    "unreadable": "The file could not be read",
    "too-large": "The text is too large",
    "too-many-items": "There are too many documents",
    "rate-limited": "Too many texts in a short time",
}
"""Titles that the page shows instead of those of the API, which mention requests."""
ACCEPT = ",".join((*SUFFIXES, ".text", ".xhtml", "text/*"))
"""The files that a browser offers to choose."""
OWN_LABELS = "Labels are accepted only from this service's own page. Open it and label the text there."
WHICH = {"#/url": "The web address", "#/text": "The text", "#/suspect": "The suspect", "#/source": "The source"}
"""The fields of the forms, by their JSON pointers."""
CHOICE = "choose one with text_field", "give the one with the texts such a name"
"""What programs can do about the names of fields, and what people can."""
NOT_STORED = "The label was not stored"
NOT_DELETED = "The label was not deleted"
DAY = 86_400
CODE = re.compile(r"`([^`]+)`")
NAME = re.compile(r"\[(\w+)\]")


@blueprint.app_template_filter("code")
def code(text: str) -> Markup:
    """Escape a description, and format text in backticks as code."""
    html = CODE.sub(r"<code>\1</code>", str(escape(text)))
    return Markup(html)  # nosec B704 # escaped above


@blueprint.app_template_filter("kind")
def kind(text: str) -> Markup:
    """Escape the description of a type, and link object names in brackets to their schemas."""
    html = NAME.sub(r'<a href="#\1">\1</a>', str(code(text)))
    return Markup(html)  # nosec B704 # escaped above


@blueprint.app_template_filter("pretty")
def pretty(value: Any) -> str:
    """Return an example as indented JSON."""
    return json.dumps(value, indent=2)


@blueprint.app_template_filter("megabytes")
def megabytes(size: int) -> str:
    """Return a number of bytes in megabytes."""
    return f"{size / 1_000_000:g} MB"


@blueprint.app_template_filter("verbatim")
def verbatim(text: str) -> str:
    """Return a text as it is: the page shows its control characters, too, unlike a file that is passed on."""
    return text


FILTERS_OF_PAGES: dict[str, Callable[..., Any]] = {**FILTERS, "percent": percent, "count": count}
for _name, _filter in FILTERS_OF_PAGES.items():
    blueprint.add_app_template_filter(_filter, _name)


@blueprint.app_context_processor
def known() -> dict[str, Any]:
    """Tell every template whether labels are stored, and what scores, kinds and repairs do and do not mean."""
    return {
        "feedback": is_kept(),
        "scale": SCALE,
        "no_source": NO_SOURCE,
        "disguise": DISGUISED,
        "guesses": GUESSES,
        "thresholds": LIMITS,
    }


@blueprint.get("/")
def page() -> Response:
    """Show the form."""
    return _page(text=EXAMPLE if "example" in request.args else "")


@blueprint.post("/")
def answer() -> Response:
    """Check the form's text or files, and show the verdict, the table of verdicts or the problem."""
    text = address = ""
    try:
        form = Form()
        text, address = form.text(), form.address
        gate().authenticate(form.key or key_of(request))
        if address:
            _check_site(
                "Web addresses are fetched only for this service's own page. Open it and enter the address there."
            )
            gate().spend()  # before the fetch, so that the rate limit holds for fetches, too
        items = form.documents()
        if len(items) > 1:
            return _page("results.html", text=text, results=_results(items))
        [item] = items or [Item("", None, Record("", "", ""))]
        if isinstance(item.found, RequestError):
            raise item.found
        text = item.found.text
        if not text.strip():
            missing = f"{item.file} contains no text" if item.file else "There is no text to check"
            raise RequestError("invalid-fields", f"{missing}. Paste a text or choose a file.")
        evidence = "all" if form.fields.get("evidence") == "all" else True
        submission = parse_submission({"text": text, "evidence": evidence}, settings())
        if not address:
            gate().spend()
        verdict = judge(submission).with_repairs(item.found.repairs)
        # Long texts with many marks take seconds, in which the service must answer others.
        result = engine().apart(partial(_result, text, verdict, item.file or None, supported_by(engine().model)))
    except RequestError as problem:
        return _refuse(problem, text=text, address=address)
    return _page(text=text, **result)


@blueprint.get("/selection")
def selection() -> Response:
    """Show the form that receives the text selected on another page, from the bookmark that opened it there."""
    response = _page(text="", selection=True)
    # With "same-origin", the browser would keep the two windows apart.
    response.headers["Cross-Origin-Opener-Policy"] = "unsafe-none"
    return response


@blueprint.get("/compare")
def compare() -> Response:
    """Show the form for two texts."""
    return _page("compare.html", texts=EXAMPLES if "example" in request.args else NO_TEXTS)


@blueprint.post("/compare")
def comparison() -> Response:
    """Compare the form's two texts, and show them side by side or the problem."""
    texts = NO_TEXTS
    try:
        form = Form()
        if "packed" in form.fields:  # the page of a verdict asks for the form with its text
            return _page("compare.html", texts=Texts(form.packed(), ""))
        texts = Texts(form.text("suspect"), form.text("source"))
        gate().authenticate(form.key or key_of(request))
        suspect, suspect_id, _ = form.one_text("suspect")
        source, source_id, _ = form.one_text("source")
        texts = Texts(suspect, source)
        for name, text, file in (("suspect", suspect, suspect_id), ("source", source, source_id)):
            if not text.strip():
                missing = f"The file with the {name}, {file}, contains no text" if file else f"The {name} is missing"
                raise RequestError("invalid-fields", f"{missing}. Paste its text or choose a file.")
        asked = parse_pair(
            {"suspect": suspect, "source": source, "suspect_id": suspect_id, "source_id": source_id}, settings()
        )
        gate().spend(2)
        found = ComparedPair(compare_pair(asked), suspect, source)
        result = engine().apart(lambda: {"pair": shown(found), "downloads": downloads_of(found)})
    except RequestError as problem:
        return _refuse(problem, "compare.html", "These texts cannot be compared", texts=texts)
    return _page("compare.html", texts=texts, **result)


@blueprint.post("/feedback")
def label() -> Response:
    """Store the reader's label of a text, and show the verdict again with the id of the label."""
    text = ""
    try:
        _check_site(OWN_LABELS)
        keeper()
        form = Form()
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
        return _refuse(problem, title=NOT_STORED, text=text)
    visible = verdict.without_evidence() if verdict.verdict == "clear" else verdict
    return _page(text=text, **_result(text, visible, None, supported_by(engine().model)), stored=stored)


@blueprint.post("/feedback/delete")
def unlabel() -> Response:
    """Delete a label by its id."""
    try:
        _check_site(OWN_LABELS)
        kept = keeper()
        form = Form()
        gate().authenticate(form.key or key_of(request))
        gate().spend()
        kept.delete(form.fields.get("id", ""))
    except RequestError as problem:
        return _refuse(problem, title=NOT_DELETED, text="")
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


def _check_site(detail: str) -> None:
    """Refuse a form that another site submits for a reader (cross-site request forgery). Raises RequestError.

    There are no sessions to abuse, but the service may be reachable only from the reader's network.
    """
    if not is_from_own_page():
        raise RequestError("cross-site", detail)


def _result(text: str, verdict: Verdict, source: str | None, supported: float) -> dict[str, Any]:
    """Return what the page shows of a verdict: the result, and the same as a file."""
    result = Result(text, verdict, source, supported)
    return {"result": result, "saved": saved(result, datetime.now(UTC))}


def _results(items: list[Item]) -> Results:
    """Check the documents of several files, or of a file of many. Raises RequestError."""
    checked = [check(item, {}) for item in items]
    good = [one for one in checked if isinstance(one, Submission)]
    if good:
        gate().spend(len(good))
    answers = iter(judge_many(good))
    found = [
        _checked(item, next(answers) if isinstance(one, Submission) else one)
        for item, one in zip(items, checked, strict=True)
    ]
    supported = supported_by(engine().model)
    return engine().apart(lambda: Results(found, supported))


def _checked(item: Item, answer: Verdict | RequestError) -> Checked:
    text = item.found.text if isinstance(item.found, Record) else ""
    name = item.file if item.line is None else f"{item.file}:{item.line}"
    if isinstance(answer, RequestError):
        PROBLEMS.labels(answer.name).inc()
        return Checked(name, text, _for_people(answer).removeprefix(f"{name}: "))
    if isinstance(item.found, Record):
        name = item.found.id or name
        answer = answer.with_repairs(item.found.repairs)
    return Checked(name, text, answer)


def _refuse(problem: RequestError, template: str = "page.html", title: str | None = None, **shown: Any) -> Response:
    """Show a page with a problem."""
    PROBLEMS.labels(problem.name).inc()
    if problem.retry_after is not None:
        g.retry_after = problem.retry_after
    usual = TITLES.get(problem.name, problem.title)
    if problem.name != "invalid-fields":
        title = title if title in (NOT_STORED, NOT_DELETED) else usual
    response = _page(template, problem=problem, title=title or usual, detail=_for_people(problem), **shown)
    response.status_code = problem.status
    response.headers.update(problem.headers)
    return response


def _page(template: str = "page.html", **shown: Any) -> Response:
    response = make_response(
        render_template(
            template,
            **shown,
            labels=JUDGEMENT_NAMES,
            headlines=HEADLINES,
            meanings=MEANINGS,
            needs_key=gate().needs_key,
            accept=ACCEPT,
            least=FEWEST_WORDS,
            most_substitutions=MOST_SUBSTITUTIONS,
            settings=settings(),
            version=VERSION,
        )
    )
    if is_kept() or settings().fetch_urls:
        # With "no-referrer", browsers would send "null" as the Origin of the page's own forms.
        response.headers["Referrer-Policy"] = "same-origin"
    return response


def _for_people(problem: RequestError) -> str:
    """Return a problem's detail without JSON pointers and other terms for programs."""
    if problem.name == "unauthorized":
        return "This service requires an API key. Enter a valid one."
    wrong = [error for error in problem.errors if error.pointer in WHICH]
    if not wrong:
        return problem.detail.replace(*CHOICE)
    which = f"{WHICH[wrong[0].pointer]} {'; it '.join(error.detail for error in wrong)}."
    return which if problem.detail.startswith("#") else f"{which} {problem.detail}"

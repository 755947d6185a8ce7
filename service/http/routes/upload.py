"""`/v1/score/upload`: verdicts on the documents in files."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint, Response, request
from werkzeug.datastructures import FileStorage

from unspun.model.verdict import Verdict
from unspun.reading.fields import Fields, for_programs
from unspun.reading.records import Failure, Record
from unspun.service.http.config import Settings
from unspun.service.http.problems import FieldError, RequestError
from unspun.service.http.protection import gate
from unspun.service.http.routes.score import (
    FORM,
    authenticate,
    engine,
    judge_many,
    list_of,
    media_type,
    problem_line,
    settings,
)
from unspun.service.http.schemas import Submission, parse_submission, read_options
from unspun.service.http.uploads import read_form, read_upload

blueprint = Blueprint("upload", __name__, url_prefix="/v1")
blueprint.before_request(authenticate)

OPTIONS = 8
"""Parts of the form that are not files."""


@dataclass(frozen=True)
class Item:
    """A document of a file, or why it cannot be read, or why it cannot be judged."""

    file: str
    line: int | None
    found: Record | RequestError


@blueprint.post("/score/upload")
def upload() -> Response:
    """Judge the documents in files; each gets its verdict or its own problem, which names the file and the line."""
    media_type(FORM)
    advice = "Send multipart/form-data with one or more parts called `file`, and other fields before them."
    fields, parts = read_form(request, settings(), most_parts=settings().max_items + OPTIONS, advice=advice)
    files = [file for file in parts.getlist("file") if file.filename]
    if not files:
        detail = "is missing; send each file as a part with this name and a filename"
        raise RequestError("invalid-fields", f"#/file {detail}.", errors=(FieldError("#/file", detail),))
    asked = read_options(fields, settings(), "#")
    chosen = Fields(fields.get("text_field") or None, fields.get("id_field") or None)
    limits = settings()
    items = engine().apart(lambda: read_files(files, chosen, limits))
    checked = [check(item, asked) for item in items]
    good = [one for one in checked if isinstance(one, Submission)]
    if good:
        gate().spend(len(good))
    answers = iter(judge_many(good))
    return list_of(
        _line(item, next(answers) if isinstance(one, Submission) else one)
        for item, one in zip(items, checked, strict=True)
    )


def read_files(files: Sequence[FileStorage], chosen: Fields, settings: Settings) -> list[Item]:
    """Return the documents and failures of files. Raises RequestError if there are too many."""
    items: list[Item] = []
    deadline = time.monotonic() + settings.timeout
    for file in files:
        name = file.filename or ""
        for item in read_upload(file, settings, deadline, chosen):
            if isinstance(item, Failure):
                items.append(Item(name, _line_of(item, name), unreadable(item)))
            else:
                items.append(Item(name, item.line or None, item))
            if len(items) > settings.max_items:
                raise too_many(settings)
    return items


def too_many(settings: Settings) -> RequestError:
    """Return the problem of files with more documents than the service takes."""
    most = settings.max_items
    detail = f"The files may have at most {most:,} documents together. Send fewer at a time, or use /v1/score/stream."
    return RequestError("too-many-items", detail, limit=most)


def unreadable(failure: Failure) -> RequestError:
    """Return the problem of a file or a record that cannot be read."""
    return RequestError("unreadable", f"{for_programs(failure)}.")


def _line_of(failure: Failure, name: str) -> int | None:
    line = failure.where.removeprefix(f"{name}:")
    return int(line) if line.isdecimal() and failure.where != name else None


def check(item: Item, asked: dict[str, object]) -> Submission | RequestError:
    """Return the submission of a document, or why it cannot be judged."""
    if isinstance(item.found, RequestError):
        return item.found
    try:
        return parse_submission({**asked, "text": item.found.text, "id": item.found.id}, settings())
    except RequestError as problem:
        return problem


def _line(item: Item, answer: Verdict | RequestError) -> str:
    if isinstance(answer, RequestError):
        return problem_line(answer, item.line, item.file)
    return answer.with_repairs(item.found.repairs if isinstance(item.found, Record) else {}).to_json()

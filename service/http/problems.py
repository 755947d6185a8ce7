"""Errors as problem documents (RFC 9457). No other module creates them."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from unspun.model.fields import JsonRecord, about
from unspun.service.http.logs import log_error
from unspun.service.http.metrics import PROBLEMS

MEDIA_TYPE = "application/problem+json"
URN = "urn:unspun:problem:"

TITLES = {
    "invalid-request": (400, "Invalid request"),
    "invalid-json": (400, "The body is not valid JSON"),
    "unauthorized": (401, "A valid API key is required"),
    "address-refused": (403, "This service does not fetch this web address"),
    "cross-site": (403, "The request comes from another site"),
    "not-found": (404, "Not found"),
    "method-not-allowed": (405, "Method not allowed"),
    "request-timeout": (408, "The request took too long to arrive"),
    "too-large": (413, "The body is too large"),
    "too-many-words": (413, "The text is too long"),
    "too-many-items": (413, "The batch has too many items"),
    "unsupported-media-type": (415, "Unsupported content type"),
    "invalid-fields": (422, "A field of the request is invalid"),
    "unreadable": (422, "A file or a record cannot be read"),
    "unreadable-page": (422, "The web page cannot be read"),
    "rate-limited": (429, "Too many requests"),
    "internal-error": (500, "Internal error"),
    "feedback-off": (501, "This service does not store labels"),
    "fetching-off": (501, "This service does not fetch web addresses"),
    "not-fetched": (502, "The web address could not be fetched"),
    "not-stored": (503, "The label database failed"),
    "overloaded": (503, "Too many requests are waiting"),
    "out-of-time": (503, "The request took too long to process"),
    "unavailable": (503, "The service is not ready"),
}
"""The status and title of each problem, by its name."""

for name in TITLES:
    PROBLEMS.labels(name)  # from zero, or an alert would miss the first one


@dataclass(frozen=True, slots=True)
class FieldError(JsonRecord):
    """What is wrong with one field of a request."""

    pointer: str = field(
        metadata=about("JSON pointer to the field, or `?` and the name of a parameter.", example="#/text")
    )
    detail: str = field(metadata=about("What is wrong with it.", example="is too long"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemDocument(JsonRecord):
    """A problem document (RFC 9457)."""

    type: str = field(
        metadata=about("`urn:unspun:problem:` and the name of the problem.", example=f"{URN}too-many-words")
    )
    title: str = field(metadata=about("The kind of problem.", example="The text is too long"))
    status: int = field(metadata=about("The HTTP status.", ge=400, le=599, example=413))
    detail: str = field(
        metadata=about(
            "What happened, and what to do.",
            example="A text may have at most 50,000 words; this one has 61,204. Send it in parts.",
        )
    )
    instance: str | None = field(
        default=None,
        metadata=about(
            "`urn:unspun:request:` and the id of the request.",
            left_out_with="instance",
            example="urn:unspun:request:5f3d9c0b",
        ),
    )
    errors: tuple[FieldError, ...] | None = field(
        default=None, metadata=about("The fields that are wrong.", left_out_with="errors")
    )
    limit: float | None = field(
        default=None, metadata=about("The limit that was exceeded.", left_out_with="limit", example=50_000)
    )
    retry_after: int | None = field(
        default=None, metadata=about("Seconds to wait.", ge=1, left_out_with="retry_after", example=30)
    )
    line: int | None = field(
        default=None,
        metadata=about(
            "The line of a stream, or the line or record of a file, from 1.", ge=1, left_out_with="line", example=1
        ),
    )
    file: str | None = field(
        default=None, metadata=about("The name of the uploaded file.", left_out_with="file", example="essays.csv")
    )


INTERNAL = "The error is in the service, not in your request."


class RequestError(Exception):
    """A request that cannot be answered. `detail` says what happened and what to do; it never quotes the text.

    `status` is given only for an HTTP status that has no name in TITLES.
    """

    def __init__(
        self,
        name: str,
        detail: str,
        *,
        errors: tuple[FieldError, ...] = (),
        limit: float | None = None,
        retry_after: float | None = None,
        headers: dict[str, str] | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(name)
        self.name = name
        self.status, self.title = TITLES[name]
        if status is not None:
            self.status, self.title = status, HTTPStatus(status).phrase
        self.detail = detail
        self.errors = errors
        self.limit = limit
        self.retry_after = None if retry_after is None else max(1, math.ceil(retry_after))
        self.headers = headers or {}

    def to_dict(
        self, request_id: str | None = None, line: int | None = None, file: str | None = None
    ) -> dict[str, Any]:
        """Return the problem document, with the number of the `line` in a stream or in an uploaded `file`."""
        return ProblemDocument(
            type=f"{URN}{self.name}",
            title=self.title,
            status=self.status,
            detail=self.detail,
            instance=None if request_id is None else f"urn:unspun:request:{request_id}",
            errors=self.errors or None,
            limit=self.limit,
            retry_after=self.retry_after,
            line=line,
            file=file,
        ).to_dict()


def respond(problem: RequestError) -> Response:
    """Return a problem as the response to the current request."""
    if request.path != "/readyz":  # a shutdown is no problem, and alerts count these
        PROBLEMS.labels(problem.name).inc()
    body = json.dumps(problem.to_dict(g.get("request_id")), ensure_ascii=False)
    response = Response(f"{body}\n", problem.status, problem.headers, mimetype=MEDIA_TYPE)
    if problem.retry_after is not None:
        g.retry_after = problem.retry_after
    return response


def register(app: Flask) -> None:
    """Make an application answer every error with a problem document."""
    app.register_error_handler(RequestError, respond)
    app.register_error_handler(HTTPException, lambda error: respond(_from_http(error)))
    app.register_error_handler(Exception, lambda error: respond(unexpected(error)))


def unexpected(error: Exception) -> RequestError:
    """Return the problem for an unexpected error, and log where it happened but not its message."""
    log_error(error, request_id=g.get("request_id"))
    return RequestError("internal-error", f"{INTERNAL} Please report it with the request id.")


def _from_http(error: HTTPException) -> RequestError:
    status = error.code or 500
    if status == 404:
        return RequestError("not-found", "There is no such path. GET /v1/docs lists all paths.")
    if status == 405:
        allowed = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
        return RequestError(
            "method-not-allowed", f"This path supports {allowed or 'other methods'}.", headers={"Allow": allowed}
        )
    names = {400: "invalid-request", 408: "request-timeout", 413: "too-large", 415: "unsupported-media-type"}
    if status in names:
        return RequestError(names[status], TITLES[names[status]][1] + ".")
    if status < 500:
        return RequestError("invalid-request", f"{HTTPStatus(status).phrase}.", status=status)
    return RequestError("internal-error", INTERNAL)

"""What goes wrong over HTTP, as problem documents (RFC 9457): the only place that makes them."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, g
from flask_limiter import RateLimitExceeded
from werkzeug.exceptions import HTTPException

from unspun.service.http.logs import told
from unspun.service.http.metrics import PROBLEMS

MEDIA_TYPE = "application/problem+json"

TITLES = {
    "invalid-request": (400, "The request cannot be read"),
    "invalid-json": (400, "The body is not JSON"),
    "unauthorized": (401, "An API key is needed"),
    "cross-site": (403, "The request comes from another site"),
    "not-found": (404, "There is nothing here"),
    "method-not-allowed": (405, "This address does not answer that method"),
    "request-timeout": (408, "The request took too long to arrive"),
    "too-large": (413, "The body is too large"),
    "too-many-words": (413, "The text is too long"),
    "too-many-items": (413, "The batch has too many items"),
    "unsupported-media-type": (415, "This kind of body is not read"),
    "invalid-fields": (422, "The request is not what is expected"),
    "rate-limited": (429, "Too many requests"),
    "internal-error": (500, "Something went wrong inside"),
    "feedback-off": (501, "Labels are not kept here"),
    "not-stored": (503, "The database of labels failed"),
    "overloaded": (503, "Too many requests are waiting"),
    "out-of-time": (503, "The answer took too long"),
    "unavailable": (503, "The service is not ready"),
}
"""Names of the problems, with the status and the title of each."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field; `pointer` is a JSON pointer into the request's body, in a URI fragment."""

    pointer: str
    detail: str


class Problem(Exception):  # noqa: N818 - the standard's own name
    """A request that gets no verdict. `detail` says what happened and what to do; it never quotes the text."""

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
        if status is not None:  # one of HTTP's own that has no name here
            self.status, self.title = status, HTTPStatus(status).phrase
        self.detail = detail
        self.errors = errors
        self.limit = limit
        self.retry_after = None if retry_after is None else max(1, math.ceil(retry_after))
        self.headers = headers or {}

    def to_dict(self, request_id: str | None = None) -> dict[str, Any]:
        """Return the problem document."""
        answer: dict[str, Any] = {
            "type": f"urn:unspun:problem:{self.name}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        if request_id is not None:
            answer["instance"] = f"urn:unspun:request:{request_id}"
        if self.errors:
            answer["errors"] = [{"pointer": error.pointer, "detail": error.detail} for error in self.errors]
        if self.limit is not None:
            answer["limit"] = self.limit
        if self.retry_after is not None:
            answer["retry_after"] = self.retry_after
        return answer


def respond(problem: Problem) -> Response:
    """Return a problem as the answer to the request at hand."""
    PROBLEMS.labels(problem.name).inc()
    body = json.dumps(problem.to_dict(g.get("request_id")), ensure_ascii=False)
    response = Response(f"{body}\n", problem.status, problem.headers, mimetype=MEDIA_TYPE)
    if problem.retry_after is not None:
        g.retry_after = problem.retry_after
    return response


def register(app: Flask) -> None:
    """Answer every failure of an application with a problem document."""
    app.register_error_handler(Problem, respond)
    app.register_error_handler(HTTPException, lambda error: respond(_from_http(error)))
    app.register_error_handler(Exception, _unexpected)


def _unexpected(error: Exception) -> Response:
    return respond(unexpected(error))


def unexpected(error: Exception) -> Problem:
    """Return the problem for an error that nobody expected, and log where it happened, without what it says."""
    told(error, request_id=g.get("request_id"))
    return Problem(
        "internal-error", "The fault is in the service, not in the request. Report it with the request id, please."
    )


def _from_http(error: HTTPException) -> Problem:
    if isinstance(error, RateLimitExceeded):
        return rate_limited(str(error.limit.limit))
    status = error.code or 500
    if status == 404:
        return Problem("not-found", "No such address. GET /v1/docs lists all that there is.")
    if status == 405:
        allowed = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
        return Problem(
            "method-not-allowed", f"This address answers {allowed or 'other methods'}.", headers={"Allow": allowed}
        )
    names = {400: "invalid-request", 408: "request-timeout", 413: "too-large", 415: "unsupported-media-type"}
    if status in names:
        return Problem(names[status], TITLES[names[status]][1] + ".")
    if status < 500:
        return Problem("invalid-request", f"{HTTPStatus(status).phrase}.", status=status)
    return Problem("internal-error", "The fault is in the service, not in the request.")


def rate_limited(limit: str) -> Problem:
    """Return the problem of a caller who has used up a rate limit, such as "120 per 1 minute"."""
    from unspun.service.http.protection import gate

    seconds = math.ceil(gate().seconds_until_free())
    detail = f"The limit is {limit}, in texts. Go on in {seconds} seconds."
    return Problem("rate-limited", detail, retry_after=seconds)

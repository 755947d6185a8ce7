"""The Flask application, and what every request goes through."""

from __future__ import annotations

import re
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flask import Flask, Response, g, request
from werkzeug.middleware.proxy_fix import ProxyFix

from unspun.model.verdict import Verdict
from unspun.service.http import metrics
from unspun.service.http import problems as problem_documents
from unspun.service.http.config import Settings
from unspun.service.http.engine import Engine, Runner, run_here
from unspun.service.http.fetching import Fetcher
from unspun.service.http.logs import event, milliseconds
from unspun.service.http.origins import Origins
from unspun.service.http.protection import Gate
from unspun.service.http.routes import compare, feedback, operations, page, score, upload

if TYPE_CHECKING:
    from unspun.service.http.keeper import Keeper

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # Nothing from other hosts and nothing inline; data: is for the download of the verdict.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
}


@dataclass
class Work:
    """What the model did for a request, for the log."""

    seconds: float = 0.0
    words: int = 0
    problems: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)

    def add(self, answers: Sequence[Verdict | problem_documents.RequestError], seconds: float) -> None:
        """Note answers, and the seconds that they took."""
        self.seconds += seconds
        for answer in answers:
            if isinstance(answer, Verdict):
                self.words += answer.words
                self.verdicts[answer.verdict] += 1
            else:
                self.problems += 1


def create_app(
    settings: Settings, engine: Engine, run_labels: Runner = run_here, fetcher: Fetcher | None = None
) -> Flask:
    """Return the application that answers with an engine's model.

    `run_labels` is where the label database is used, and `fetcher` fetches web addresses if the settings allow that.
    """
    app = Flask("unspun.service", template_folder="page/templates", static_folder=None)
    app.extensions["unspun.settings"] = settings
    app.extensions["unspun.engine"] = engine
    app.extensions["unspun.feedback"] = _keeper(settings, run_labels)
    app.extensions["unspun.fetcher"] = (fetcher or Fetcher(settings)) if settings.fetch_urls else None
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.url_map.strict_slashes = False
    app.before_request(_begin)
    app.after_request(_finish)
    # Flask runs _finish after the functions that are registered later, so it sees the headers that they add.
    Origins(app, settings)
    app.extensions["unspun.gate"] = Gate(app, settings)
    problem_documents.register(app)
    for routes in (score, upload, compare, feedback, operations, page):
        app.register_blueprint(routes.blueprint)
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    return app


def _keeper(settings: Settings, run: Runner) -> Keeper | None:
    """Return the keeper of labels, None if labels are not stored. Its libraries are needed only if they are."""
    if settings.database_url is None:
        return None
    from unspun.service.http.keeper import Keeper

    return Keeper(settings.database_url.get_secret_value(), run)


def _begin() -> None:
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if REQUEST_ID.fullmatch(given) else str(uuid.uuid4())
    g.started = time.perf_counter()
    g.work = Work()


def _finish(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if "request_id" in g:
        response.headers["X-Request-ID"] = g.request_id
    if "retry_after" in g:
        response.headers["Retry-After"] = str(g.retry_after)
    if request.path.startswith("/v1/score") or request.method == "POST":
        response.headers.setdefault("Cache-Control", "no-store")
    response.call_on_close(_reporter(response))
    return response


def _reporter(response: Response) -> Callable[[], None]:
    """Return a function that logs and counts the current request when its response, perhaps a stream, ends."""
    route = "none" if request.url_rule is None else request.url_rule.rule
    method = request.method if request.method in METHODS else "other"
    started, work = g.get("started", time.perf_counter()), g.get("work", Work())
    fields = {
        "request_id": g.get("request_id"),
        "method": method,
        "route": route,
        "status": response.status_code,
        "bytes_in": request.content_length,
        "key": g.get("key_name"),
        "address": request.remote_addr,
    }

    def report() -> None:
        event(
            "request",
            **fields,
            bytes_out=response.content_length,
            milliseconds=milliseconds(started),
            model_milliseconds=round(work.seconds * 1000, 2),
            words=work.words,
            verdicts=dict(work.verdicts),
            problems=work.problems,
        )
        metrics.REQUESTS.labels(route, method, response.status_code).inc()
        metrics.REQUEST_SECONDS.labels(route).observe(time.perf_counter() - started)

    return report

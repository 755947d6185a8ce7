"""`/v1/score`, `/v1/score/batch` and `/v1/score/stream`: verdicts on submitted texts."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, current_app, g, request, stream_with_context

from unspun.model.verdict import Verdict
from unspun.reading.fields import USUAL, FieldError, Fields, for_programs
from unspun.reading.html import Article
from unspun.service.http.config import Settings
from unspun.service.http.engine import Engine
from unspun.service.http.fetching import Fetcher, read_page
from unspun.service.http.metrics import PROBLEMS
from unspun.service.http.problems import RequestError, unexpected
from unspun.service.http.protection import gate, key_of
from unspun.service.http.schemas import (
    MAX_ID,
    PIECE,
    Submission,
    Unpacker,
    UrlSubmission,
    is_address,
    parse_batch,
    parse_fields,
    parse_json,
    parse_submission,
    read_body,
    read_options,
    text_of,
    too_large,
    unpacker,
)

blueprint = Blueprint("score", __name__, url_prefix="/v1")

NDJSON = "application/x-ndjson"
JSON_TYPES = ("application/json",)
FORM = "multipart/form-data"
TEXT_TYPES = ("text/plain", "text/markdown")
LINE_TYPES = (NDJSON, "application/ndjson", "application/jsonl", "application/x-jsonlines", "application/json-lines")


def engine() -> Engine:
    """Return the engine of the current application."""
    engine: Engine = current_app.extensions["unspun.engine"]
    return engine


def settings() -> Settings:
    """Return the settings of the current application."""
    settings: Settings = current_app.extensions["unspun.settings"]
    return settings


def judge(submission: Submission) -> Verdict:
    """Judge one text for the current request. Raises RequestError."""
    [answer] = judge_many([submission])
    if isinstance(answer, RequestError):
        raise answer
    return answer


def judge_many(submissions: Sequence[Submission]) -> list[Verdict | RequestError]:
    """Judge texts for the current request, and note the time and the verdicts for the log."""
    started = time.perf_counter()
    answers = engine().score_many(submissions)
    g.work.add(answers, time.perf_counter() - started)
    return answers


@blueprint.before_request
def authenticate() -> None:
    """Check the API key, if one is required."""
    gate().authenticate(key_of(request))


@blueprint.post("/score")
def score() -> Response:
    """Judge one text."""
    kind = media_type(*JSON_TYPES, *TEXT_TYPES, "text/html")
    query = read_options(request.args, settings())
    body = read_body(request, settings())
    repairs: Mapping[str, int] = {}
    spent = False
    if kind in JSON_TYPES:
        value = parse_json(body)
        asked = {**query, **value} if isinstance(value, dict) else value
        if is_address(asked):
            wanted = parse_fields(UrlSubmission, asked)
            gate().spend()  # before the fetch, so that the rate limit holds for fetches, too
            spent = True
            text, repairs = article_at(wanted.url)
            asked = {**asked, "text": text, "id": wanted.id or wanted.url[:MAX_ID]}
    else:
        charset = request.mimetype_params.get("charset")
        text, repairs = engine().apart(lambda: text_of(body, html=kind == "text/html", charset=charset))
        asked = {**query, "text": text}
    submission = parse_submission(asked, settings())
    if not spent:
        gate().spend()
    verdict = judge(submission).with_repairs(repairs)
    return Response(f"{verdict.to_json()}\n", mimetype="application/json")


def article_at(url: str) -> Article:
    """Fetch a web page for the current request, and return its text. Raises RequestError."""
    fetcher: Fetcher | None = current_app.extensions["unspun.fetcher"]
    if fetcher is None:
        raise RequestError(
            "fetching-off",
            "This service does not fetch web addresses. Send the text, or ask the operator to set UNSPUN_FETCH_URLS.",
        )
    page, limits = fetcher.fetch(url), settings()
    return engine().apart(lambda: read_page(page, limits))


@blueprint.post("/score/batch")
def batch() -> Response:
    """Judge a list of texts; each item gets its verdict or its own problem."""
    media_type(*JSON_TYPES)
    items = parse_batch(parse_json(read_body(request, settings())), settings())
    good = [item for item in items if isinstance(item, Submission)]
    if good:
        gate().spend(len(good))
    answers = iter(judge_many(good))
    full = [item if isinstance(item, RequestError) else next(answers) for item in items]
    return list_of(answer.to_json() if isinstance(answer, Verdict) else problem_line(answer) for answer in full)


def list_of(lines: Iterable[str]) -> Response:
    """Return a list of verdicts and problems as the response."""
    return Response("[" + ",\n".join(lines) + "]\n", mimetype="application/json")


@blueprint.post("/score/stream")
def stream() -> Response:
    """Judge texts as they arrive, one JSON object per line; each is answered with a line before the next is read."""
    media_type(*LINE_TYPES, *JSON_TYPES)
    unpack = unpacker(request, settings())
    lines = _lines(request.environ["wsgi.input"], settings().max_bytes, unpack)
    chosen = Fields(request.args.get("text_field") or None, request.args.get("id_field") or None)
    return Response(stream_with_context(_answers(lines, chosen)), mimetype=NDJSON)


def _answers(lines: Iterator[bytes | RequestError], chosen: Fields) -> Iterator[str]:
    number = 0
    while True:
        number += 1
        try:
            line = next(lines)
        except StopIteration:
            return
        except RequestError as problem:  # the rest cannot be read
            yield problem_line(problem, number) + "\n"
            return
        if isinstance(line, RequestError) or not line.isspace():
            yield _answer(line, number, chosen) + "\n"


def _answer(line: bytes | RequestError, number: int, chosen: Fields) -> str:
    try:
        if isinstance(line, RequestError):
            raise line
        authenticate()  # the key may be revoked during a stream
        value = parse_json(line)
        if chosen != USUAL and isinstance(value, dict):
            value = _choose(value, chosen)
        submission = parse_submission(value, settings())
        gate().spend()
        verdict = judge(submission)
    except RequestError as problem:
        return problem_line(problem, number)
    except Exception as error:
        return problem_line(unexpected(error), number)
    return verdict.to_json()


def _choose(value: dict[str, Any], chosen: Fields) -> dict[str, Any]:
    """Return an object with the text and the id of the chosen fields. Raises RequestError."""
    try:
        found = chosen.values(value)
    except FieldError as error:
        raise RequestError("invalid-fields", f"{for_programs(error)}.") from None
    return {**value, "text": found["text"], "id": found.get("id")}


def _lines(source: Any, limit: int, unpack: Unpacker | None) -> Iterator[bytes | RequestError]:
    """Yield the lines of a stream as soon as they are complete, without holding more than one line and one piece.

    A line longer than `limit` bytes is skipped and yields a problem. Raises RequestError if the rest cannot be read.
    """
    held = bytearray()
    skipping = False
    # Our gunicorn worker gives each line the time that it otherwise gives a whole request.
    restart = getattr(getattr(source, "raw", None), "restart", lambda: None)
    while piece := _piece(source, limit, unpack):
        start = 0
        while (end := piece.find(b"\n", start)) >= 0:
            held += piece[start : end + 1]
            start = end + 1
            if not skipping:
                yield bytes(held) if len(held) <= limit else too_large(settings(), "A line")
                restart()
            skipping = False
            held.clear()
        held += piece[start:]
        if skipping:
            held.clear()
        elif len(held) > limit:
            yield too_large(settings(), "A line")
            held.clear()
            skipping = True
    if held and not skipping:
        yield bytes(held)


def _piece(source: Any, limit: int, unpack: Unpacker | None) -> bytes:
    """Return the next piece of a stream, unpacked; empty at its end. Raises RequestError."""
    read: Callable[[int], bytes] = getattr(source, "read1", source.read)
    while piece := read(PIECE):
        if unpack is None:
            return piece
        unpacked = unpack(piece)
        if len(unpacked) > limit:
            raise too_large(settings(), "A piece of a stream")
        if unpacked:
            return unpacked
    if unpack is not None:
        unpack.finish()
    return b""


def problem_line(problem: RequestError, line: int | None = None, file: str | None = None) -> str:
    """Return a problem as JSON, with its place."""
    PROBLEMS.labels(problem.name).inc()
    return json.dumps(problem.to_dict(g.get("request_id"), line, file), ensure_ascii=False)


def media_type(*supported: str) -> str:
    """Return the media type of the current request's body. Raises RequestError if it is not supported."""
    kind = request.mimetype
    if kind.endswith("+json") and JSON_TYPES[0] in supported:
        return JSON_TYPES[0]
    if kind not in supported:
        what = "This path does not support that Content-Type" if kind else "The request has no Content-Type"
        raise RequestError(
            "unsupported-media-type",
            f"{what}. Send {' or '.join(supported)}.{' For files, use /v1/score/upload.' if kind == FORM else ''}",
            headers={"Accept": ", ".join(supported)},
        )
    return kind

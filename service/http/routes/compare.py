"""`/v1/compare`: a suspect and its suspected source in, what became of one in the other out."""

from __future__ import annotations

import time
from collections.abc import Callable

from flask import Blueprint, Response, current_app, g, request

from unspun.model.comparing.comparison import Comparison
from unspun.model.comparing.sources import Compares
from unspun.service.http import metrics
from unspun.service.http.engine import Model
from unspun.service.http.problems import Problem
from unspun.service.http.protection import gate, key_of
from unspun.service.http.routes.score import engine, settings
from unspun.service.http.schemas import Pair, parse_json, parse_pair, read_body

blueprint = Blueprint("compare", __name__, url_prefix="/v1")

COMPARERS = "unspun.comparers"
JSON = "application/json"


class Comparers:
    """What compares with the model in use: made when it is first asked for, and anew when the model was swapped.

    `make` makes it of a model. Threads may share it: at worst two make the same.
    """

    def __init__(self, make: Callable[[Model], Compares]) -> None:
        self._make = make
        self._held: tuple[str, Compares] | None = None

    def of(self, model: Model) -> Compares:
        """Return what compares with a model."""
        sha256 = model.model.sha256
        held = self._held
        if held is None or held[0] != sha256:
            held = self._held = sha256, self._make(model)
        return held[1]


def comparer_of(model: Model) -> Compares:
    """Return what compares with the words of a model, which is loaded already."""
    from unspun.model.comparing.comparer import Comparer

    return Comparer.of(model.bundle)


@blueprint.before_request
def authenticate() -> None:
    """Let in who has a key, or anybody where none is needed."""
    gate().authenticate(key_of(request))


@blueprint.post("/compare")
def compare() -> Response:
    """Compare two texts."""
    kind = request.mimetype
    if kind != JSON and not kind.endswith("+json"):
        said = "The body has no Content-Type" if not kind else "This address does not read that Content-Type"
        raise Problem("unsupported-media-type", f"{said}; send {JSON}.", headers={"Accept": JSON})
    pair = parse_pair(parse_json(read_body(request, settings())), settings())
    gate().spend(2)
    comparison = _ask(pair)
    return Response(f"{comparison.to_json()}\n", mimetype=JSON)


def _ask(pair: Pair) -> Comparison:
    """Compare beside the requests, and note for the log and the figures what came of it. Raises Problem."""
    comparers: Comparers = current_app.extensions.setdefault(COMPARERS, Comparers(comparer_of))
    model = engine().model
    started = time.perf_counter()

    def work() -> Comparison:
        texts = pair.suspect, pair.source
        return comparers.of(model).compare(*texts, suspect_id=pair.suspect_id, source_id=pair.source_id)

    try:
        with metrics.WAITING.track_inprogress():
            comparison = engine().apart(work)
    finally:
        g.work.seconds += time.perf_counter() - started
    said = comparison.kind or comparison.reason or "unrelated"
    g.work.words += comparison.suspect.words + comparison.source.words
    g.work.verdicts[said] += 1
    metrics.COMPARISONS.labels(said).inc()
    return comparison

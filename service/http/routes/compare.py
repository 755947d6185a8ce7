"""`/v1/compare`: compares a suspect with its suspected source."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from flask import Blueprint, Response, current_app, g, request

from unspun.model.comparing.comparison import Comparison
from unspun.service.http import metrics
from unspun.service.http.engine import Model
from unspun.service.http.protection import gate
from unspun.service.http.routes.score import authenticate, engine, media_type, settings
from unspun.service.http.schemas import PairSubmission, parse_json, parse_pair, read_body

if TYPE_CHECKING:  # the search for sources imports scikit-learn: a second and 100 MB for each service
    from unspun.model.comparing.sources import Compares

blueprint = Blueprint("compare", __name__, url_prefix="/v1")
blueprint.before_request(authenticate)

COMPARERS = "unspun.comparers"
JSON = "application/json"


class Comparers:
    """Keeps a comparer for the model in use. The first request makes it, and it goes with its model.

    `make` makes a comparer for a model. Threads may share this object; at worst two of them make the same comparer.
    """

    def __init__(self, make: Callable[[Model], Compares]) -> None:
        self._make = make
        self._held: WeakKeyDictionary[Model, tuple[str, Compares]] = WeakKeyDictionary()

    def of(self, model: Model) -> Compares:
        """Return the comparer for a model."""
        sha256 = model.model.sha256
        held = self._held.get(model)
        if held is None or held[0] != sha256:
            held = self._held[model] = sha256, self._make(model)
        return held[1]


def comparer_of(model: Model) -> Compares:
    """Make a comparer with the word lists of a loaded model."""
    from unspun.model.comparing.comparer import Comparer

    return Comparer(model.bundle)


@blueprint.post("/compare")
def compare() -> Response:
    """Compare two texts."""
    media_type(JSON)
    pair = parse_pair(parse_json(read_body(request, settings())), settings())
    gate().spend(2)
    comparison = compare_pair(pair)
    return Response(f"{comparison.to_json()}\n", mimetype=JSON)


def compare_pair(pair: PairSubmission) -> Comparison:
    """Compare two texts in the threads of the model, and note the outcome in the log and the metrics.

    Raises RequestError.
    """
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
    outcome = comparison.kind or comparison.reason or "unrelated"
    g.work.words += comparison.suspect.words + comparison.source.words
    g.work.verdicts[outcome] += 1
    metrics.COMPARISONS.labels(outcome).inc()
    return comparison

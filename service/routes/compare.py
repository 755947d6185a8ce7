"""`/v1/compare`: a suspect and its suspected source in, what became of one in the other out."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from flask import Blueprint, Response, current_app, g, request

from model.bundle import BundleError
from model.comparison import Comparison
from model.sources import Compares
from service import metrics
from service.logs import told
from service.problems import Problem
from service.protection import gate, key_of
from service.routes.score import engine, settings
from service.schemas import Pair, parse_json, parse_pair, read_body

blueprint = Blueprint("compare", __name__, url_prefix="/v1")

COMPARERS = "unspun.comparers"
JSON = "application/json"


class Comparers:
    """What compares with the model in use: loaded when it is first asked for, and anew when the model was swapped.

    `load` loads it from a bundle, None for the one that ships. Threads may share it: at worst two load the same.
    """

    def __init__(self, load: Callable[[Path | None], Compares]) -> None:
        self._load = load
        self._held: tuple[str, Compares] | None = None

    def of(self, sha256: str, bundle: Path | None) -> Compares:
        """Return what compares with the model of this hash. Raises BundleError where there has never been one.

        A bundle that cannot be used leaves the one in use where it is.
        """
        held = self._held
        if held is not None and held[0] == sha256:
            return held[1]
        try:
            comparer = self._load(bundle)
        except (BundleError, OSError) as error:
            if held is None:
                raise
            told(error)
            comparer = held[1]
        self._held = (sha256, comparer)
        return comparer


def load_comparer(bundle: Path | None) -> Compares:
    """Load what compares. Raises BundleError."""
    from model.compare import Comparer

    return Comparer.load(bundle)


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
    comparers: Comparers = current_app.extensions.setdefault(COMPARERS, Comparers(load_comparer))
    model, bundle = engine().model.model, settings().model
    started = time.perf_counter()

    def work() -> Comparison:
        comparer = comparers.of(model.sha256, bundle)
        return comparer.compare(pair.suspect, pair.source, suspect_id=pair.suspect_id, source_id=pair.source_id)

    try:
        with metrics.WAITING.track_inprogress():
            comparison = engine().apart(work)
    except BundleError as error:
        told(error)
        raise Problem(
            "unavailable", "The model in use cannot compare; the log tells why. Other requests are answered."
        ) from None
    finally:
        g.work.seconds += time.perf_counter() - started
    said = comparison.kind or comparison.reason or "unrelated"
    g.work.words += comparison.suspect_words + comparison.source_words
    g.work.verdicts[said] += 1
    metrics.COMPARISONS.labels(said).inc()
    return comparison

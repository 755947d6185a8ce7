"""Metrics for Prometheus, added up over all workers.

If there are several workers, `PROMETHEUS_MULTIPROC_DIR` must name an existing folder before this module is imported;
`unspun serve` takes care of that.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from unspun.model.verdict import ModelInfo, Verdict

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

OWN = CollectorRegistry()
REQUESTS = Counter("unspun_requests", "Requests answered.", ["route", "method", "status"], registry=OWN)
REQUEST_SECONDS = Histogram(
    "unspun_request_seconds", "Time to answer a request.", ["route"], buckets=SECONDS, registry=OWN
)
VERDICTS = Counter("unspun_verdicts", "Verdicts given.", ["verdict", "kind", "depth"], registry=OWN)
COMPARISONS = Counter("unspun_comparisons", "Comparisons given, by how the text was made.", ["kind"], registry=OWN)
WORDS = Counter("unspun_words", "Words of prose in scored texts.", registry=OWN)
PROBLEMS = Counter("unspun_problems", "Problem documents given.", ["problem"], registry=OWN)
SCORING_SECONDS = Histogram(
    "unspun_scoring_seconds", "Time of the model on one text.", ["depth"], buckets=SECONDS, registry=OWN
)
WAITING = Gauge(
    "unspun_waiting", "Requests that wait for the model or are with it.", multiprocess_mode="livesum", registry=OWN
)
MODEL_INFO = Gauge(
    "unspun_model_info",
    "Workers that answer with this model.",
    ["name", "version", "sha256"],
    multiprocess_mode="livesum",
    registry=OWN,
)
LABELS = Counter("unspun_labels", "Labels of people that were stored.", ["label"], registry=OWN)
MODEL_SWAPS = Counter("unspun_model_swaps", "Changes of the model while running.", ["outcome"], registry=OWN)


def render() -> bytes:
    """Return all metrics in the Prometheus text format."""
    if FOLDER not in os.environ:
        return generate_latest(OWN)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def count(verdicts: Iterable[Verdict]) -> None:
    """Count verdicts."""
    for verdict in verdicts:
        VERDICTS.labels(verdict.verdict, verdict.kind or "none", verdict.depth).inc()
        WORDS.inc(verdict.words)


def model_in_use(new: ModelInfo, old: ModelInfo | None = None) -> None:
    """Record that this process now uses one model, and no longer the other."""
    if old is not None:
        MODEL_INFO.labels(old.name, old.version, old.sha256).set(0)
    MODEL_INFO.labels(new.name, new.version, new.sha256).set(1)

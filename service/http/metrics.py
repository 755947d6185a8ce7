"""Metrics for Prometheus, added up over all workers.

If there are several workers, `PROMETHEUS_MULTIPROC_DIR` must name an existing folder before this module is imported;
`unspun serve` takes care of that.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector

from unspun.model.verdict import ModelInfo, Verdict

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

RESERVED = {"counter": 1 << 18, "histogram": 1 << 18, "gauge_livesum": 1 << 16, "gauge_livemax": 1 << 16}
"""Kinds of files with figures, and bytes that are enough for each."""
place = 0
"""Where this process keeps its figures: the first process at 0, each worker at the lowest number that is free."""


def reserve(place: int) -> None:
    """Allocate the space for the figures of a process before it opens them. Raises OSError.

    Figures are written through memory maps, and where those need space on a full disk, the system kills the process.
    """
    for kind, size in RESERVED.items():
        file = os.open(Path(os.environ[FOLDER]) / f"{kind}_{place}.db", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file, 0, size)
        finally:
            os.close(file)


if FOLDER in os.environ:
    reserve(place)
    # A worker continues the files of the one that it replaces. With a set of files for each process id, every worker
    # that ever died would take space in the temporary folder and make each scrape slower.
    values.ValueClass = values.MultiProcessValue(process_identifier=lambda: place)  # type: ignore[no-untyped-call]

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
MODEL_CHANGED = Gauge(
    "unspun_model_changed_timestamp_seconds",
    "When a worker last began to use another model, or started.",
    multiprocess_mode="livemax",
    registry=OWN,
)
SIGNATURE_EXPIRES = Gauge(
    "unspun_model_signature_expires_timestamp_seconds",
    "When the key that signed the model in use expires; 0 if it does not, or no signature was needed.",
    multiprocess_mode="livemax",
    registry=OWN,
)
ALLOWED_CHANGES = Counter(
    "unspun_allowed_terms_changes", "Changes of the list of allowed terms while running.", ["outcome"], registry=OWN
)
WORKERS_LOST = Counter(
    "unspun_workers_lost", "Workers that ended while the service was running, and were replaced.", registry=OWN
)
CONNECTIONS = Gauge(
    "unspun_connections", "Open connections, including idle ones.", multiprocess_mode="livesum", registry=OWN
)
COUNTING_ALONE = Gauge(
    "unspun_workers_without_redis",
    "Workers that count for the rate limit on their own, because Redis does not answer.",
    multiprocess_mode="livesum",
    registry=OWN,
)

# From zero, or an alert would miss the first one.
MODEL_SWAPS.labels("swapped")
MODEL_SWAPS.labels("refused")
ALLOWED_CHANGES.labels("changed")
ALLOWED_CHANGES.labels("refused")


def render() -> bytes:
    """Return all metrics in the Prometheus text format."""
    if FOLDER not in os.environ:
        return generate_latest(OWN)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def forget(place: int) -> None:
    """Set the gauges of a worker that has ended to 0; its counters stay.

    Its files stay, too: on a full disk, another program could take the space of a deleted file at once.
    """
    for kind in RESERVED:
        path = Path(os.environ[FOLDER]) / f"{kind}_{place}.db"
        if kind.startswith("gauge") and path.exists():
            gauges: Any = MmapedDict(path)  # type: ignore[no-untyped-call]
            for key, _, _ in list(gauges.read_all_values()):
                gauges.write_value(key, 0.0, 0.0)
            gauges.close()


def count(verdicts: Iterable[Verdict]) -> None:
    """Count verdicts."""
    for verdict in verdicts:
        VERDICTS.labels(verdict.verdict, verdict.kind or "none", verdict.depth).inc()
        WORDS.inc(verdict.words)


def model_in_use(new: ModelInfo, old: ModelInfo | None = None, *, expires: datetime | None = None) -> None:
    """Record that this worker now uses one model, whose key expires at some time, and no longer the other."""
    if old is not None:
        MODEL_INFO.labels(old.name, old.version, old.sha256).set(0)
    MODEL_INFO.labels(new.name, new.version, new.sha256).set(1)
    MODEL_CHANGED.set(time.time())
    SIGNATURE_EXPIRES.set(0 if expires is None else expires.timestamp())

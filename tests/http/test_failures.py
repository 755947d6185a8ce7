"""Each failure that docs/operations.md lists looks, in the log and in /metrics, as the page says."""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy", reason="labels: pip install 'unspun[feedback]'")

from tests.docs.test_operations import FAILURES, quoted
from tests.http.running import Answer, Service
from tests.service.support import free_port, wait_until
from unspun.service.http.keys import KeyStore

Break = Callable[["Broken"], Answer | None]


class Broken:
    """A service whose surroundings fail one after the other: Redis and the database are away from the start."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.model = shutil.copytree(model, folder / "model")
        self.allowed = folder / "allowed.txt"
        self.allowed.write_text("harbour\n")
        self.keys = folder / "keys.json"
        self.key = KeyStore(self.keys).add("cms")
        self.service = Service(
            WORKERS=1,
            MODEL=self.model,
            ALLOW_FILE=self.allowed,
            KEYS_FILE=self.keys,
            RATE_LIMIT="3 per hour",
            REDIS_URL=f"redis://127.0.0.1:{free_port()}/0",
            DATABASE_URL=f"postgresql://nobody@127.0.0.1:{free_port()}/none",
        )

    def score(self, key: str | None = None) -> Answer:
        return self.service.post("/v1/score", {"text": "short"}, X_API_Key=key or self.key)

    def label(self) -> Answer:
        body = {"text": "short", "label": "human", "consent": True}
        return self.service.post("/v1/feedback", body, X_API_Key=self.key)

    def guess_key(self) -> Answer:
        return self.score("no key")

    def spoil_list(self) -> None:
        self.allowed.write_text("the\n")

    def spoil_model(self) -> None:
        (self.model / "manifest.json").write_text("{}")

    def lose_worker(self) -> None:
        [worker] = self.service.workers()
        os.kill(worker, signal.SIGKILL)
        self.service.wait_for("worker lost")
        wait_until(lambda: self.service.get("/readyz").status == 200)

    def lose_keys(self) -> Answer:
        self.keys.unlink()
        return self.score()

    def figure(self, selector: str) -> float:
        """Return the sum of the series that have all labels of a selector."""
        name, _, labels = selector.rstrip("}").partition("{")
        lines = re.findall(rf"^{name}(?:{{(.*)}})? (.*)$", self.service.get("/metrics").body.decode(), re.MULTILINE)
        return sum(float(value) for found, value in lines if not labels or labels in found.split(","))


FAULTS: dict[str, tuple[Break, str | None, str]] = {
    "Redis does not answer": (Broken.score, None, "unspun_workers_without_redis"),
    "The database of labels fails": (Broken.label, "not-stored", 'unspun_problems_total{problem="not-stored"}'),
    "Callers are refused": (Broken.guess_key, "unauthorized", 'unspun_problems_total{problem="unauthorized"}'),
    "The list of allowed terms is refused": (
        Broken.spoil_list,
        None,
        'unspun_allowed_terms_changes_total{outcome="refused"}',
    ),
    "A model is refused": (Broken.spoil_model, None, 'unspun_model_swaps_total{outcome="refused"}'),
    "A worker is lost": (Broken.lose_worker, None, "unspun_workers_lost_total"),
    "The API keys cannot be read": (Broken.lose_keys, "unavailable", 'unspun_problems_total{problem="unavailable"}'),
}
"""Failures by their name in the page, in the order in which they are made: how, the problem document that the client
gets, if any, and the series that shows it.
"""


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path) -> Iterator[Broken]:
    it = Broken(tmp_path_factory.mktemp("broken"), tiny_bundle)
    with it.service:
        yield it


@pytest.mark.parametrize("name", FAULTS)
def test_a_failure_looks_as_the_page_says(name: str, broken: Broken) -> None:
    make, problem, series = FAULTS[name]
    [(_, seen, log, metric, _)] = [row for row in FAILURES if f"[{name}]" in row[0]]
    assert series.partition("{")[0] in quoted(metric)
    before = broken.figure(series)
    answer = make(broken)
    if problem is not None:
        assert answer is not None
        assert answer.json["type"] == f"urn:unspun:problem:{problem}"
        assert str(answer.status) in seen
        assert problem in quoted(seen)
    wait_until(lambda: broken.figure(series) > before)
    wait_until(lambda: quoted(log) <= {line["event"] for line in broken.service.log})


def test_every_failure_of_the_page_is_made_here_or_elsewhere() -> None:
    others = {re.findall(r"\[(.*?)\]", row[0])[0] for row in FAILURES} - FAULTS.keys()
    assert others == {
        "The service is down",  # tests/http/test_lifecycle.py: what stops a start
        "Requests fail",  # the others, often
        "An unexpected error",  # tests/service/test_api.py, with a model that fails
        "Too many requests wait",  # tests/http/test_bad_clients.py
        "Too many connections",  # 1,000 of them
        "A signing key expires",  # tests/http/test_lifecycle.py
        "The disk or the temporary folder is full",  # tests/http/test_lifecycle.py
        "The share of a verdict changes",  # tests/data/deployment/alerts.yml
        "A run over an archive stops",  # no service
    }

"""`python -m benchmarks.load` for a few seconds against a real service."""

from __future__ import annotations

import dataclasses
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from benchmarks import load
from benchmarks.common import BenchmarkError
from benchmarks.load import Article
from tests.http.running import Service
from unspun.model.detector import Detector

if find_spec("locust") is None:  # importing it would patch this process
    pytest.skip("load tests: pip install locust", allow_module_level=True)

TEXT = "Short."


@pytest.fixture(scope="module")
def article(shipped: Detector) -> Article:
    return Article.of(TEXT, "fast", shipped.score(TEXT, depth="fast"))


def totals(report: Path) -> dict[str, int]:
    """Return how many requests and failures Locust's report counts under each name."""
    found: list[dict[str, Any]] = json.loads(report.read_text("utf-8"))
    return {one["name"]: (one["num_requests"], one["num_failures"]) for one in found}


def test_all_answers_of_a_service_are_those_of_the_engine(tmp_path: Path) -> None:
    options = ["--seconds", "2", "--users", "4", "--articles", "20", "--depth", "fast", "--workers", "1", "--"]
    assert load.main([*options, "--json-file", str(tmp_path / "report")]) == 0
    [(name, (requests, failures))] = totals(tmp_path / "report.json").items()
    assert (name, requests > 4, failures) == ("fast tier", True, 0)


def test_a_verdict_that_differs_by_a_byte_is_a_failure(service: Service, article: Article, tmp_path: Path) -> None:
    wrong = dataclasses.replace(article, answer=article.answer.replace("}", " }", 1))
    status = load.run_locust(service.url, [wrong], users=1, seconds=1, more=["--json-file", str(tmp_path / "report")])
    [(requests, failures)] = totals(tmp_path / "report.json").values()
    assert (status, requests) == (1, failures)


@pytest.mark.parametrize(
    ("status", "id", "change", "problem"),
    [
        (200, "a", b"", None),
        (500, "a", b"", "status 500"),
        (200, "b", b"", "the answer to another request"),
        (200, "a", b" ", "not the bytes of the engine's verdict"),
    ],
)
def test_an_answer_is_checked(status: int, id: str, change: bytes, problem: str | None, article: Article) -> None:
    body = f'{{"id": "a", {article.answer}\n'.encode()
    assert article.problem("a", status, {"X-Request-ID": id}, body + change) == problem


def test_an_address_without_a_service_is_reported(article: Article) -> None:
    with pytest.raises(BenchmarkError, match="no unspun service answers there"):
        load.run_locust("http://127.0.0.1:1", [article], users=1, seconds=1)

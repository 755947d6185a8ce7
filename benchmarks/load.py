"""Load-test the service with Locust, and compare every answer with the engine's own verdict.

    python -m benchmarks.load                                 # 50 users for a minute, two workers, on loopback
    python -m benchmarks.load --users 1 --seconds 30          # latency of an idle service
    python -m benchmarks.load --corpus PATH -- --html load.html
    python -m benchmarks.load --url http://127.0.0.1:8000     # a service that is already running

Each user sends its next article as soon as it has an answer. One article in twenty is spun. Every answer must be, byte
for byte, the verdict that the Python API gives for that article, with the id of that request. Locust prints requests
per second and percentiles, separately for the articles that the fast and the deep tier decide. Options after `--` go to
Locust, for example `--html FILE` or `--csv PREFIX` for a report.

The exit status is 1 if any request failed or any answer was wrong. A 503 that says when to try again is counted
separately and is not a failure; the user waits as long as it says. Users and workers share the machine, so latency
under load mostly shows how long requests queue.

Bad clients, memory after large bodies and killed workers are tests: tests/http/test_bad_clients.py and
tests/http/test_lifecycle.py.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from benchmarks.common import (
    CRAWL,
    ROOT,
    BenchmarkError,
    example_articles,
    from_corpus,
    load_detector,
    make_parser,
    progress,
)
from tests.http.running import Service
from unspun.model import bundle
from unspun.model.verdict import Verdict

WORDS = 1_000
"""Words of an article that is made of the examples."""
ARTICLES_FILE = "UNSPUN_LOAD_ARTICLES"
"""Environment variable with the path of the articles, for Locust's process."""
NO_ID = '{"id": null, '


@dataclass(frozen=True, slots=True)
class Article:
    """A request and its expected answer, both as JSON without the id, and the tier that decides."""

    request: str
    answer: str
    tier: str

    @classmethod
    def of(cls, text: str, depth: str, verdict: Verdict) -> Article:
        """Return the article for a text and its verdict, which has no id."""
        answer = verdict.to_json()
        assert answer.startswith(NO_ID)
        return cls(f'"depth": "{depth}", "text": {json.dumps(text)}}}', answer.removeprefix(NO_ID), verdict.depth)

    def body(self, id: str) -> str:
        """Return the body of a request with this id."""
        return f'{{"id": "{id}", {self.request}'

    def problem(self, id: str, status: int, headers: Mapping[str, str], body: bytes) -> str | None:
        """Return what is wrong with an answer to the request with this id; None if it is right."""
        if status != 200:
            return f"status {status}"
        if headers.get("X-Request-ID") != id:
            return "the answer to another request"
        if body != f'{{"id": "{id}", {self.answer}\n'.encode():
            return "not the bytes of the engine's verdict"
        return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the load test; return the exit status."""
    options = _options(arguments)
    try:
        articles = _articles(options)
        if options.url is not None:
            return run_locust(options.url, articles, options.users, options.seconds, options.locust)
        with Service(WORKERS=options.workers) as service:
            status = run_locust(service.url, articles, options.users, options.seconds, options.locust)
            for line in service.errors:
                print(f"broken: a log line of the service that is not JSON: {line[:200]}", file=sys.stderr)
            return status or int(bool(service.errors))
    except (BenchmarkError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def run_locust(url: str, articles: Sequence[Article], users: int, seconds: float, more: Sequence[str] = ()) -> int:
    """Run Locust in a process of its own, because it replaces parts of the standard library; return its exit status.

    Raises BenchmarkError if the service does not use the shipped model.
    """
    _check_model(url)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "articles.json"
        path.write_text(json.dumps([asdict(article) for article in articles]), "utf-8")
        command = [sys.executable, "-m", "locust", "--locustfile", str(ROOT / "benchmarks" / "locustfile.py")]
        command += ["--headless", "--only-summary", "--host", url, "--users", str(users), "--spawn-rate", str(users)]
        command += ["--run-time", f"{seconds:g}s", "--stop-timeout", "60", *more]
        environment = {
            **os.environ,
            ARTICLES_FILE: str(path),
            "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}",
        }
        return subprocess.run(command, env=environment, check=False).returncode


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    made = make_parser("benchmarks.load", __doc__, "--corpus", "--depth", "--workers")
    made.add_argument("--seconds", type=float, default=60.0, metavar="S", help="duration (default: %(default)s)")
    made.add_argument("--users", type=int, default=50, metavar="N", help="users at a time (default: %(default)s)")
    made.add_argument("--articles", type=int, default=60, metavar="N", help="different articles (default: %(default)s)")
    made.add_argument("--url", help="test a running service that has the model that ships, instead of starting one")
    made.add_argument("locust", nargs="*", metavar="-- OPTION", help="options for Locust")
    options = made.parse_args(arguments)
    if min(options.users, options.workers, options.seconds) <= 0 or options.articles < CRAWL:
        made.error(f"--users, --workers and --seconds must be positive, --articles at least {CRAWL}")
    return options


def _articles(options: argparse.Namespace) -> list[Article]:
    if options.corpus is None:
        texts = [text for text, _ in islice(example_articles(CRAWL, WORDS), options.articles)]
    else:
        texts = [text for text, _ in from_corpus(options.corpus, options.articles, CRAWL)]
    if not texts:
        raise BenchmarkError(f"{options.corpus[0]}: no texts that are long enough")
    detector = load_detector(None)
    with progress() as bar:
        return [
            Article.of(text, options.depth, detector.score(text, depth=options.depth))
            for text in bar.track(texts, description="expected verdicts")
        ]


def _check_model(url: str) -> None:
    expected, _ = bundle.check()
    try:
        with urllib.request.urlopen(f"{url}/v1/model", timeout=10) as answer:
            found = json.load(answer)["model"]["sha256"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise BenchmarkError(f"{url}: no unspun service answers there: {error}") from error
    if found != expected.sha256:
        raise BenchmarkError(f"{url}: that service does not use the shipped model, so its verdicts cannot be compared")


if __name__ == "__main__":
    sys.exit(main())

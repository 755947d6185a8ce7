"""benchmarks/capacity.py; what it measures depends on the machine."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy", reason="labels: pip install 'unspun[feedback]'")

from benchmarks import capacity
from benchmarks.common import BenchmarkError, from_examples

ROOT = Path(__file__).parents[1]


class Answers(BaseHTTPRequestHandler):
    """Answers 503 to `refuse`, and 200 to anything else."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(503 if body == b"refuse" else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_all_clients_ask_until_the_time_is_over(url: str) -> None:
    assert len(capacity._ask(url, [b"one", b"two"], clients=2, seconds=2.0)) >= 2


def test_a_request_that_fails_ends_the_measurement(url: str) -> None:
    with pytest.raises(BenchmarkError, match="status 503"):
        capacity._ask(url, [b"one", b"refuse"], clients=1, seconds=60.0)


def test_a_label_takes_more_space_with_its_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "LABELS", 100)
    without, kept = (capacity._labels(keep, tmp_path)["KB per label"] for keep in (False, True))
    assert 0.1 < without < kept


@pytest.mark.integration
def test_an_archive_is_scored_with_the_command_line(tmp_path: Path) -> None:
    row = capacity._archive([text for text, _ in from_examples(400)], "fast", False, tmp_path)
    assert row["documents per second"] > 10
    assert row["memory (MB)"] > 50
    assert row["output (GB per million)"] > 0


def test_the_time_to_start_is_not_counted() -> None:
    assert capacity.seconds_each(start=2.5, whole=6.5, documents=400) == 0.01


def test_a_difference_that_may_be_chance_is_refused() -> None:
    with pytest.raises(BenchmarkError, match=r"398 documents .* too little to measure; try more --documents"):
        capacity.seconds_each(start=2.5, whole=2.4, documents=398)


def test_the_tables_replace_those_in_the_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"Before.\n\n{capacity.BEGIN}\nold\n{capacity.END}\n\nAfter.\n")
    capacity._show({"labels": [{"text kept": "no", "KB per label": 0.5}]}, page)
    table = "**labels**\n\n| text kept | KB per label |\n| --- | --- |\n| no | 0.5 |"
    assert page.read_text() == f"Before.\n\n{capacity.BEGIN}\n{table}\n{capacity.END}\n\nAfter.\n"


def test_a_page_without_a_place_for_the_tables_is_refused(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("No tables here.\n")
    with pytest.raises(BenchmarkError, match="no lines"):
        capacity._show({}, tmp_path / "page.md")


@pytest.mark.skipif(sys.platform != "linux", reason="figures of a process need /proc")
def test_the_memory_and_the_cpu_time_of_a_process_are_read() -> None:
    assert capacity.pss(os.getpid()) > 5
    assert 0 < capacity.cpu_seconds(os.getpid()) <= time.process_time() + 0.1


@pytest.mark.parametrize("option", ["--documents=3", "--deep-documents=2", "--seconds=0"])
def test_too_small_a_measurement_is_refused(option: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.capacity", option], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (run.returncode, "must be at least" in run.stderr) == (2, True)

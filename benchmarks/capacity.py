"""How many documents a day, and how many requests per second, does one core manage at each depth?

    python -m benchmarks.capacity                                  # ten minutes
    python -m benchmarks.capacity --documents 400 --seconds 3      # a quick look: two minutes

"archive" is `unspun score FILE --output FOLDER/` with one worker. The speed is in CPU time, so that other programs
matter little, and without the time to start, which is measured with two documents. Memory is the process's peak.

"service" is `unspun serve` with one worker, asked over loopback. "p50" and "p99" are the times for an answer when one
client asks at a time, and "requests per second" is what the worker answers to four clients that never pause. Memory is
that of the worker and of the first process at the end (PSS: what several processes share is divided among them).

The documents are articles of a crawl, one in two hundred paraphrased (benchmarks/throughput.py). Without the corpora,
or with `--examples`, they are shuffled sentences of `seeds/examples`, which look faster than real ones.

"labels" is the space of a label in SQLite, with its text and without.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from platform import machine, python_version
from typing import Any

import urllib3

from benchmarks.common import (
    CORPORA,
    BenchmarkError,
    drawn,
    from_crawl,
    from_examples,
    make_parser,
    progress,
    run_main,
    run_measured,
)
from tests.feedback.making import label_of
from tests.http.running import Service

EVERY = 200
"""One document in this many is paraphrased."""
DAY = 86_400
DEPTHS = ("auto", "fast", "deep")
CLIENTS = 4
LABELS = 2_000
JSON = {"Content-Type": "application/json"}
START = 2
"""Documents of the run that measures the start."""


def main() -> int:
    """Run the benchmark; return the exit status."""
    return run_main(_options(), _measure, drawn)


def _options() -> argparse.Namespace:
    parser = make_parser("benchmarks.capacity", __doc__, "--json")
    parser.add_argument("--documents", type=int, default=4000, metavar="N", help="documents to score (default: 4,000)")
    parser.add_argument(
        "--deep-documents", type=int, default=200, metavar="N", help="documents at depth deep (default: 200)"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=20.0,
        metavar="S",
        help="length of each measurement of the service (default: 20)",
    )
    parser.add_argument("--examples", action="store_true", help="documents made of seeds/examples, not of the corpora")
    options = parser.parse_args()
    if options.documents < EVERY or options.deep_documents <= START or options.seconds <= 0:
        parser.error(f"--documents must be at least {EVERY}, --deep-documents at least 3, and --seconds positive")
    return options


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    use_examples = options.examples or not CORPORA.is_dir()
    chosen = [text for text, _ in (from_examples if use_examples else from_crawl)(options.documents, EVERY)]
    texts = {depth: chosen[: options.deep_documents] if depth == "deep" else chosen for depth in DEPTHS}
    with progress() as bar, tempfile.TemporaryDirectory() as folder:
        task = bar.add_task("", total=3 * len(DEPTHS) + 1)
        archive, service = [], []
        for depth in DEPTHS:
            for evidence in (False, True):
                bar.update(task, description=f"archive, {depth}")
                archive.append(_archive(texts[depth], depth, evidence, Path(folder)))
                bar.advance(task)
        for depth in DEPTHS:
            bar.update(task, description=f"service, {depth}")
            service.append(_service(texts[depth], depth, options.seconds))
            bar.advance(task)
        labels = [_labels(keep, Path(folder)) for keep in (False, True)]
    return {
        "machine": [
            {
                "processor": processor(),
                "python": python_version(),
                "documents": len(chosen),
                "words per document": round(statistics.mean(len(text.split()) for text in chosen)),
                "texts": "examples" if use_examples else "crawl",
            }
        ],
        "archive": archive,
        "service": service,
        "labels": labels,
    }


def _archive(texts: Sequence[str], depth: str, evidence: bool, folder: Path) -> dict[str, Any]:
    """Score texts with the command line, and return a row of the table."""
    name = f"{depth}-{evidence}"
    measured = {}
    for count in (START, len(texts)):
        file, output = folder / f"{name}-{count}.jsonl", folder / f"{name}-{count}"
        lines = (json.dumps({"id": str(i), "text": text}) for i, text in enumerate(texts[:count]))
        file.write_text("\n".join(lines), "utf-8")
        command = [sys.executable, "-m", "unspun", "score", str(file), "--output", f"{output}/", "--quiet"]
        command += ["--workers", "1", "--depth", depth, *(() if evidence else ("--no-evidence",))]
        measured[count] = run_measured(command)
    size = sum(part.stat().st_size for part in output.glob("part-*"))
    each = (measured[len(texts)]["cpu"] - measured[START]["cpu"]) / (len(texts) - START)
    return {
        "depth": depth,
        "evidence": "yes" if evidence else "no",
        "documents a day and core": f"{round(DAY / each, -4):,.0f}",
        "documents per second": round(1 / each, 1),
        "start (s)": round(measured[START]["cpu"], 1),
        "memory (MB)": round(measured[len(texts)]["memory"]),
        "output (GB per million)": round(size / len(texts) / 1000, 2),
    }


def _service(texts: Sequence[str], depth: str, seconds: float) -> dict[str, Any]:
    """Ask a service with one worker, and return a row of the table."""
    bodies = [json.dumps({"text": text, "depth": depth}).encode() for text in texts]
    with Service(WORKERS=1) as service:
        _ask(service.url, bodies, 1, min(seconds, 2.0))  # warm up
        alone, _ = _ask(service.url, bodies, 1, seconds)
        busy, took = _ask(service.url, bodies, CLIENTS, seconds)
        [worker] = service.workers()
        memory = {"worker": pss(worker), "first process": pss(service.process.pid)}
    cuts = statistics.quantiles(alone, n=100) if len(alone) > 1 else alone * 99
    return {
        "depth": depth,
        "requests per second": round(len(busy) / took, 1),
        "p50 (ms)": round(cuts[49] * 1000),
        "p99 (ms)": round(cuts[98] * 1000),
        "worker (MB)": round(memory["worker"]),
        "first process (MB)": round(memory["first process"]),
    }


def _ask(url: str, bodies: Sequence[bytes], clients: int, seconds: float) -> tuple[list[float], float]:
    """Send requests from several clients without a pause; return the seconds of each, and of all of them.

    Raises BenchmarkError if a request fails.
    """
    times: list[float] = []
    wrong: list[str] = []
    started = time.perf_counter()
    ends = started + seconds

    def run(number: int) -> None:
        with urllib3.PoolManager(retries=False, timeout=120) as pool:
            for body in islice(cycle(bodies), number, None):
                before = time.perf_counter()
                if before >= ends or wrong:
                    return
                answer = pool.request(
                    "POST", f"{url}/v1/score", body=body, headers={"Content-Type": "application/json"}
                )
                times.append(time.perf_counter() - before)
                if answer.status != 200:
                    wrong.append(f"status {answer.status}: {answer.data[:200]!r}")

    threads = [threading.Thread(target=run, args=(number * len(bodies) // clients,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise BenchmarkError(f"{url}: {wrong[0]}")
    if not times:
        raise BenchmarkError(f"{url}: no answer within {seconds:g} seconds; try a larger --seconds")
    return times, time.perf_counter() - started


def _labels(keep_text: bool, folder: Path) -> dict[str, Any]:
    """Store labels in SQLite, and return a row of the table."""
    from unspun.service.feedback.store import Store

    file = folder / f"labels-{keep_text}.db"
    store = Store(f"sqlite:///{file}")
    texts = (text for text, _ in from_examples(LABELS))
    store.add_many(label_of(text, after=i, keep_text=keep_text) for i, text in enumerate(texts))
    store.database.close()
    return {"text kept": "yes" if keep_text else "no", "KB per label": round(file.stat().st_size / LABELS / 1000, 2)}


def pss(process: int) -> float:
    """Return the megabytes of a process; what it shares with others is divided among them."""
    found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{process}/smaps_rollup").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) / 2**10


def processor() -> str:
    """Return the name of this machine's processor."""
    file = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*: (.*)$", file.read_text(), re.MULTILINE) if file.exists() else None
    return machine() if found is None else found[1]


if __name__ == "__main__":
    sys.exit(main())

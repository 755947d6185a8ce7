"""How many documents a day, and how many requests per second, does one core manage at each depth?

    python -m benchmarks.capacity                                  # ten minutes
    python -m benchmarks.capacity --documents 400 --seconds 3      # a quick look: two minutes
    python -m benchmarks.capacity --page docs/operations.md        # and write the tables into the page

"archive" is `unspun score FILE --output FOLDER/` with one worker. The speed is in CPU time, so that other programs
matter little, and without the time to start, which is measured with two documents. Memory is the process's peak.

"service" is `unspun serve` with one worker, asked over loopback by four clients that never pause. "requests per second
and core" is in CPU time of the worker. "p50" and "p99" are the times for an answer, by the clock, when one client asks
at a time, so measure them on an idle machine. Memory is that of the worker and of the first process at the end (PSS:
what several processes share is divided among them).

The documents are articles of a crawl, one in two hundred paraphrased (benchmarks/throughput.py). Without the corpora,
or with `--examples`, they are shuffled sentences of `seeds/examples`, which look faster than real ones.

"labels" is the space of a label in SQLite, with its text and without.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from platform import python_version
from typing import Any

import urllib3

from benchmarks.common import (
    CORPORA,
    BenchmarkError,
    cpu_seconds,
    drawn,
    from_crawl,
    from_examples,
    make_parser,
    megabytes_in,
    processor,
    progress,
    run_main,
    run_measured,
)
from tests.feedback.making import label_of
from tests.http.running import Service
from unspun.service.machine import cores

EVERY = 200
"""One document in this many is paraphrased."""
DAY = 86_400
DEPTHS = ("auto", "fast", "deep")
CLIENTS = 4
LABELS = 2_000
BEGIN, END = "<!-- capacity -->", "<!-- end of capacity -->"
"""Where the tables are in a page."""
JSON = {"Content-Type": "application/json"}
START = 2
"""Documents of the run that measures the start."""
CLEAR = 0.5
"""Seconds of CPU time. On a busy machine, two starts can differ by 0.1 s."""


def main() -> int:
    """Run the benchmark; return the exit status."""
    options = _options()
    return run_main(options, _measure, lambda results: _show(results, options.page))


def _show(results: dict[str, Any], page: Path | None) -> str:
    """Return the tables for the terminal, after writing them into a page."""
    if page is not None:
        before, begin, rest = page.read_text("utf-8").partition(BEGIN)
        _, end, after = rest.partition(END)
        if not end:
            raise BenchmarkError(f"{page}: no lines {BEGIN} and {END} for the tables")
        tables = "\n\n".join(f"**{name}**\n\n{_markdown(rows)}" for name, rows in results.items())
        page.write_text(f"{before}{begin}\n{tables}\n{end}{after}", "utf-8")
    return drawn(results)


def _markdown(rows: Sequence[dict[str, Any]]) -> str:
    lines = [list(rows[0]), ["---"] * len(rows[0]), *([str(cell) for cell in row.values()] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


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
    parser.add_argument("--page", type=Path, metavar="FILE", help="also write the tables into this Markdown page")
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
                "cores": cores(),
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
    each = seconds_each(measured[START]["cpu"], measured[len(texts)]["cpu"], len(texts) - START)
    return {
        "depth": depth,
        "evidence": "yes" if evidence else "no",
        "documents a day and core": f"{round(DAY / each, -4):,.0f}",
        "documents per second": round(1 / each, 1),
        "start (s)": round(measured[START]["cpu"], 1),
        "memory (MB)": round(measured[len(texts)]["memory"]),
        "output (GB per million)": round(size / len(texts) / 1000, 2),
    }


def seconds_each(start: float, whole: float, documents: int) -> float:
    """Return the CPU seconds for each document, from a run that only starts and a whole run.

    Raises BenchmarkError if the difference is not clearly longer than what two starts differ by.
    """
    if whole - start < CLEAR:
        raise BenchmarkError(
            f"{documents:,} documents took {whole - start:.1f} s of CPU time more than a start: too little to measure; "
            "try more --documents or --deep-documents"
        )
    return (whole - start) / documents


def _service(texts: Sequence[str], depth: str, seconds: float) -> dict[str, Any]:
    """Ask a service with one worker, and return a row of the table."""
    bodies = [json.dumps({"text": text, "depth": depth}).encode() for text in texts]
    with Service(WORKERS=1) as service:
        _ask(service.url, bodies, 1, min(seconds, 2.0))  # warm up
        alone = _ask(service.url, bodies, 1, seconds)
        [worker] = service.workers()
        before = cpu_seconds(worker)
        busy = _ask(service.url, bodies, CLIENTS, seconds)
        took = cpu_seconds(worker) - before
        memory = {"worker": pss(worker), "first process": pss(service.process.pid)}
    cuts = statistics.quantiles(alone, n=100) if len(alone) > 1 else alone * 99
    return {
        "depth": depth,
        "requests per second and core": round(len(busy) / took, 1),
        "p50 (ms)": round(cuts[49] * 1000),
        "p99 (ms)": round(cuts[98] * 1000),
        "worker (MB)": round(memory["worker"]),
        "first process (MB)": round(memory["first process"]),
    }


def _ask(url: str, bodies: Sequence[bytes], clients: int, seconds: float) -> list[float]:
    """Send requests from several clients without a pause; return the seconds of each.

    Raises BenchmarkError if a request fails.
    """
    times: list[float] = []
    wrong: list[str] = []
    ends = time.perf_counter() + seconds

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
    return times


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
    found = megabytes_in(Path(f"/proc/{process}/smaps_rollup").read_text(), "Pss")
    assert found is not None
    return found


if __name__ == "__main__":
    sys.exit(main())

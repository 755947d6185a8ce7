"""How much faster are two workers than one, on one machine and on a Dask cluster?

    python -m benchmarks.workers                                # JSON lines and WARC, a few minutes
    python -m benchmarks.workers --depth fast --articles 20000  # more articles: the start matters less
    python -m benchmarks.workers --no-cluster                   # without Dask

Each row is `unspun score FILE --output FILE` on the same articles, by the clock and without the time to start, which is
measured on a file of one article. "two processes" is the best that this machine can do: two commands at the same time,
each with one worker and half of the articles. Where two cores are in fact two threads of one core, even these are far
from twice as fast as one, so compare with them. Other programs that run meanwhile make all figures worse.

The articles are those of a crawl (benchmarks/throughput.py), one in two hundred paraphrased. In WARC each is a web page
with menus and styles, whose article must be found first.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from html import escape
from pathlib import Path
from typing import Any

from benchmarks.common import (
    CORPORA,
    BenchmarkError,
    drawn,
    environment,
    from_crawl,
    from_examples,
    last_line,
    make_parser,
    progress,
    run_main,
)
from tests.service.support import free_port

EVERY = 200
"""One article in this many is paraphrased."""
FORMATS = ("jsonl", "warc")
MENU = "".join(f'<li class="menu-item"><a href="/section/{number}">Section {number}</a></li>' for number in range(30))
STYLES = " ".join(f".part-{number} {{ margin: {number}px; padding: {number}px }}" for number in range(40))
PATIENCE = 30.0
"""Seconds in which a Dask cluster must start."""


def main() -> int:
    """Run the benchmark; return the exit status."""
    return run_main(_options(), _measure, _table)


def _options() -> argparse.Namespace:
    parser = make_parser("benchmarks.workers", __doc__, "--depth", "--model", "--json")
    parser.add_argument("--articles", type=int, default=4000, metavar="N", help="articles to read (default: 4,000)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="runs of each row (default: 3)")
    parser.add_argument("--examples", action="store_true", help="articles made of seeds/examples, not of the corpora")
    parser.add_argument("--formats", choices=FORMATS, nargs="+", default=FORMATS, help="formats of the articles")
    parser.add_argument("--evidence", action="store_true", help="score with evidence")
    parser.add_argument("--no-cluster", action="store_true", help="leave the Dask cluster out")
    options = parser.parse_args()
    if options.articles < EVERY or options.rounds < 1:
        parser.error(f"--articles must be at least {EVERY}, and --rounds at least 1")
    return options


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    use_examples = options.examples or not CORPORA.is_dir()
    chosen = (from_examples if use_examples else from_crawl)(options.articles, EVERY)
    texts = [text for text, _ in chosen]
    arguments = ["--depth", options.depth, *(() if options.evidence else ("--no-evidence",))]
    arguments += [] if options.model is None else ["--model", str(options.model)]
    rows = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bar = stack.enter_context(progress())
        ways: dict[str, Callable[[list[Path]], float]] = {
            "one worker": lambda files: _seconds([_command(files, arguments, "--workers", "1")]),
            "two processes": lambda files: _seconds([_command([one], arguments, "--workers", "1") for one in files]),
            "two workers": lambda files: _seconds([_command(files, arguments, "--workers", "2")]),
        }
        if not options.no_cluster:
            address = stack.enter_context(_cluster())
            ways["Dask, two workers"] = lambda files: _seconds([_command(files, arguments, "--scheduler", address)])
        task = bar.add_task("", total=len(options.formats) * len(ways) * options.rounds)
        for form in options.formats:
            half = len(texts) // 2
            halves = [
                write_articles(part, form, folder / f"{number}.{form}")
                for number, part in enumerate((texts[:half], texts[half:]))
            ]
            small = [write_articles(texts[:1], form, folder / f"{name}.{form}") for name in ("first", "second")]
            times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
            for _ in range(options.rounds):
                for name, run in ways.items():  # in turn, so that other programs slow all of them down alike
                    bar.update(task, description=f"{form}, {name}")
                    times[name].append((run(small), run(halves)))
                    bar.advance(task)
            for name, of in times.items():
                start, whole = (min(one) for one in zip(*of, strict=True))
                rows.append({"form": form, "way": name, "start": start, "seconds": max(whole - start, 0.01)})
    words = sum(len(text.split()) for text in texts)
    return {"articles": len(texts), "words": words, "depth": options.depth, "rounds": options.rounds, "rows": rows}


def write_articles(texts: Sequence[str], form: str, file: Path) -> Path:
    """Write texts as JSON lines, or as pages in a WARC file, and return its path."""
    if form == "jsonl":
        with file.open("w", encoding="utf-8") as lines:
            lines.writelines(
                json.dumps({"id": f"{file.stem}-{i}", "text": text}) + "\n" for i, text in enumerate(texts)
            )
        return file
    packed = file.with_name(f"{file.name}.gz")
    with packed.open("wb") as archive:
        for number, text in enumerate(texts):
            archive.write(gzip.compress(_warc_record(f"https://example.org/{file.stem}/{number}", page(text))))
    return packed


def page(text: str) -> str:
    """Return a web page with an article, as a crawler gets it: with styles, a script, menus and a footer."""
    paragraphs = "\n".join(f"<p>{escape(part)}</p>" for part in text.splitlines() if part.strip())
    return (
        f'<!DOCTYPE html><html><head><meta charset="utf-8"><title>An article</title><style>{STYLES}</style>'
        f"<script>var data = {list(range(200))};</script></head><body><header><nav><ul>{MENU}</ul></nav></header>"
        f"<main><article><h1>An article</h1>{paragraphs}</article></main>"
        f"<footer><p>Copyright</p><ul>{MENU}</ul></footer></body></html>"
    )


def _warc_record(address: str, html: str) -> bytes:
    body = html.encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
    block = head.encode() + body
    return (
        (
            f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Date: 2024-01-01T00:00:00Z\r\nWARC-Target-URI: {address}\r\n"
            f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(block)}\r\n\r\n"
        ).encode()
        + block
        + b"\r\n\r\n"
    )


def _command(files: Sequence[Path], arguments: Sequence[str], *more: str) -> list[str]:
    out = files[0].with_name(f"{files[0].name}.out")
    command = [sys.executable, "-m", "unspun.service.cli", "score", *map(str, files), "--format", "jsonl", "--quiet"]
    return [*command, "--output", str(out), "--force", *arguments, *more]


def _seconds(commands: Sequence[Sequence[str]]) -> float:
    """Run commands at the same time, and return the seconds until all have ended. Raises BenchmarkError."""
    started = time.perf_counter()
    running = [
        subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for command in commands
    ]
    for process in running:
        _, errors = process.communicate()
        if process.returncode:
            raise BenchmarkError(last_line(errors) or f"unspun score: exit status {process.returncode}")
    return time.perf_counter() - started


@contextmanager
def _cluster() -> Iterator[str]:
    """Run a Dask scheduler with two workers of one thread each, and yield its address."""
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    dask = [sys.executable, "-m", "dask"]
    commands = [
        [*dask, "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"],
        *[[*dask, "worker", address, "--nthreads", "1", "--no-dashboard"]] * 2,
    ]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": environment()}
    running = [subprocess.Popen(command, **quiet) for command in commands]
    try:
        _wait_for_workers(address)
        yield address
    finally:
        for process in reversed(running):
            process.terminate()
        for process in running:
            process.wait()


def _wait_for_workers(address: str) -> None:
    from distributed import Client

    try:
        with Client(address, timeout=PATIENCE, set_as_default=False) as client:  # type: ignore[no-untyped-call]
            client.wait_for_workers(2, timeout=PATIENCE)
    except (OSError, TimeoutError) as error:
        raise BenchmarkError(f"the Dask cluster did not start: {error}") from error


def _table(results: dict[str, Any]) -> str:
    seconds = {(row["form"], row["way"]): row["seconds"] for row in results["rows"]}
    rows = [
        {
            "format": row["form"],
            "by": row["way"],
            "start, s": f"{row['start']:.1f}",
            "seconds": f"{row['seconds']:.1f}",
            "words/s": f"{results['words'] / row['seconds']:,.0f}",
            "x one worker": f"{seconds[row['form'], 'one worker'] / row['seconds']:.2f}",
            "x two processes": f"{seconds[row['form'], 'two processes'] / row['seconds']:.2f}",
        }
        for row in results["rows"]
    ]
    note = (
        f"{results['articles']:,} articles, {results['words']:,} words, depth {results['depth']}, {os.cpu_count()} "
        f"cores; by the clock, the best of {results['rounds']} rounds, without the start."
    )
    return drawn({"note": note, "rows": rows})


if __name__ == "__main__":
    sys.exit(main())

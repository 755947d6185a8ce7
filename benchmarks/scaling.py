"""Does a word cost the same in one megabyte and in a thousand, in a short article and in a long one? And the memory?

    python -m benchmarks.scaling                                # 1, 10 and 100 MB, articles of 100 to 1,000,000 words
    python -m benchmarks.scaling --full --json scaling.json     # and 1,000 MB
    python -m benchmarks.scaling --megabytes 1 10               # a quick look, about two minutes

Collections are read by `unspun score FILE.jsonl --format jsonl --workers 1`; what it takes to start, measured on
a collection of one article, is taken off. Single articles are judged by a Detector in a process of their own for each
length, alone and by sixty-four. All with one thread, and in CPU time, so that other programs do little harm.

The articles are sentences of `seeds/examples`, shuffled, one article in twenty of them paraphrased. Of one text no
more than model.document.MAX_CHARACTERS are read, and only the words among those are counted. A figure is called
constant that is within 20 % of the median over all sizes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from benchmarks.throughput import (
    ARTICLE_WORDS,
    MIXES,
    ONE_THREAD,
    BenchmarkError,
    example_articles,
    megabytes,
    peak_megabytes,
    progress,
    report,
    run_child,
)

MEGABYTE = 1_000_000
MEGABYTES, LARGEST = (1, 10, 100), 1_000
"""Sizes of collections; the largest only if it is asked for."""
LENGTHS = (100, 1_000, 10_000, 100_000, 1_000_000)
"""Words of single articles."""
TOGETHER, LONGEST_TOGETHER = 64, 10_000
"""Articles given at a time, where they are of no more than so many words."""
LEAST_SECONDS = 1.0
"""CPU time over which articles of one length are measured."""
DIFFERENT_WORDS = 64_000
"""Words of different articles of one length that are read in turn; of long ones a single one."""
MARGIN = 0.2
EVERY = MIXES["crawl"]

Row = dict[str, Any]


def main() -> int:
    """Run the benchmark, or measure one length of article; return the exit status."""
    return report(_options(), _child, _measure, _tables)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks.scaling", description=__doc__.split("\n\n")[0])
    parser.add_argument("--megabytes", type=float, nargs="+", metavar="MB", help="collections (default: 1 10 100)")
    parser.add_argument("--full", action="store_true", help=f"also a collection of {LARGEST:,} MB")
    parser.add_argument("--words", type=int, nargs="+", metavar="N", default=LENGTHS, help="lengths of single articles")
    parser.add_argument("--only", choices=("collections", "articles"))
    parser.add_argument("--depth", choices=("auto", "fast", "deep"), default="fast", help="default: fast")
    parser.add_argument("--no-evidence", action="store_true")
    parser.add_argument("--model", metavar="BUNDLE", help="folder of the model (default: the one that ships)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there, too")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.megabytes = [*(options.megabytes or MEGABYTES), *([LARGEST] if options.full else [])]
    if min(options.megabytes) <= 0 or min(options.words) < 1:
        parser.error("--megabytes is more than 0 and --words at least 1")
    return options


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    """Measure all collections and all lengths of articles."""
    asked = ["--depth", options.depth, *(["--no-evidence"] if options.no_evidence else [])]
    asked += [] if options.model is None else ["--model", options.model]
    sizes = [] if options.only == "articles" else options.megabytes
    lengths = [] if options.only == "collections" else options.words
    results: dict[str, Any] = {"depth": options.depth, "evidence": not options.no_evidence}
    with tempfile.TemporaryDirectory() as folder, progress() as bar:
        task = bar.add_task("", total=len(sizes) + len(lengths))
        if sizes:
            results["start"] = _score(Path(folder), 1, asked)
            results["collections"] = []
        for size in sizes:
            bar.update(task, description=f"{size:,g} MB of articles")
            results["collections"].append({"megabytes": size, **_score(Path(folder), int(size * MEGABYTE), asked)})
            bar.advance(task)
        for length in lengths:
            bar.update(task, description=f"articles of {length:,} words")
            command = [sys.executable, "-m", "benchmarks.scaling", "--child", str(length), *asked]
            results.setdefault("articles", []).append({"length": length, **run_child(command)})
            bar.advance(task)
    return summarise(results)


def _score(folder: Path, size: int, asked: Sequence[str]) -> Row:
    """Let the command line score a collection of so many bytes and few more; return what that took."""
    file = folder / "collection.jsonl"
    with file.open("w", encoding="utf-8") as stream:
        documents, words = write_collection(stream.write, (text for text, _ in example_articles(EVERY)), size)
    command = [sys.executable, "-m", "unspun.service.cli", "score", str(file), "--format", "jsonl", "--quiet"]
    command += ["--workers", "1", *asked]
    started = time.perf_counter()
    with (folder / "errors.txt").open("w+b") as errors:
        process = subprocess.Popen(command, env={**os.environ, **ONE_THREAD}, stdout=subprocess.DEVNULL, stderr=errors)
        # Of this one process, not of all that ever ran. This command's own memory is counted among its, as it is
        # between fork and exec, so this command keeps small.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        said = errors.read().decode(errors="replace").strip().splitlines()
    if process.returncode:
        raise BenchmarkError(said[-1] if said else f"unspun score: exit status {process.returncode}")
    return {
        "documents": documents,
        "words": words,
        "cpu": usage.ru_utime + usage.ru_stime,
        "wall": time.perf_counter() - started,
        "memory": megabytes(usage.ru_maxrss),
    }


def write_collection(write: Callable[[str], Any], texts: Iterable[str], size: int) -> tuple[int, int]:
    """Write texts as JSON lines until they are of so many bytes; return how many texts and words that were."""
    documents = words = written = 0
    for text in texts:
        line = json.dumps({"id": f"article-{documents}", "text": text}) + "\n"
        write(line)
        documents += 1
        words += len(text.split())
        written += len(line)  # json.dumps writes ASCII
        if written >= size:
            break
    return documents, words


def _child(options: argparse.Namespace) -> Row:
    """Measure articles of one length, alone and, where they are short, many at a time."""
    from unspun.model.bundle import BundleError
    from unspun.model.detector import Detector
    from unspun.model.text.document import MAX_CHARACTERS

    try:
        detector = Detector.load(options.model)
    except BundleError as error:
        raise BenchmarkError(str(error)) from error
    evidence = not options.no_evidence

    def score(texts: Sequence[str]) -> int:
        for verdict in detector.score_many(texts, depth=options.depth, evidence=evidence):
            verdict.to_json()
        return sum(len(text[:MAX_CHARACTERS].split()) for text in texts)

    length = options.child
    score([text for text, _ in islice(example_articles(2, ARTICLE_WORDS), 2)])
    together = TOGETHER if length <= LONGEST_TOGETHER else 1
    different = max(together, DIFFERENT_WORDS // length)
    texts = [text for text, _ in islice(example_articles(EVERY, length), different)]
    alone = seconds_per_word(score, ([text] for text in cycle(texts)))
    row: Row = {"alone": alone, "memory": peak_megabytes(), "read": len(texts[0][:MAX_CHARACTERS].split())}
    if together > 1:
        row["together"] = seconds_per_word(score, (texts[i : i + together] for i in cycle(_starts(texts, together))))
    return row


def _starts(texts: Sequence[str], size: int) -> range:
    return range(0, len(texts) - size + 1, size)


def seconds_per_word(
    score: Callable[[Sequence[str]], int],
    batches: Iterator[Sequence[str]] | Iterable[Sequence[str]],
    clock: Callable[[], float] = time.process_time,
) -> float:
    """Score batches until LEAST_SECONDS are over, and return the seconds of a word; `score` says how many it read."""
    seconds, words = 0.0, 0
    for batch in batches:
        started = clock()
        words += score(batch)
        seconds += clock() - started
        if seconds >= LEAST_SECONDS:
            break
    return seconds / max(words, 1)


def summarise(results: dict[str, Any]) -> dict[str, Any]:
    """Add to what was measured the time of a word, and how each figure compares with the median over all sizes."""
    for row in results.get("collections", ()):
        row["per_word"] = max(row["cpu"] - results["start"]["cpu"], 0.0) / row["words"]
    for rows, names in (("collections", ("per_word", "memory")), ("articles", ("alone", "together", "memory"))):
        for name in names:
            values = {i: row[name] for i, row in enumerate(results.get(rows, ())) if name in row}
            for i, value in values.items():
                results[rows][i][f"{name}_ratio"] = value / (statistics.median(values.values()) or 1.0)
    return results


def is_constant(ratio: float) -> bool:
    """Return whether a figure is as near to the median as is asked for."""
    return abs(ratio - 1.0) <= MARGIN


def _tables(results: dict[str, Any]) -> str:
    from unspun.model.text.document import MAX_CHARACTERS
    from unspun.service.render.evaluation import draw, plain_console
    from unspun.training.reporting.tables import tables

    asked = f"--depth {results['depth']}, {'with' if results['evidence'] else 'without'} evidence, one thread, CPU time"
    constant = f"constant: within {MARGIN:.0%} of the median over all rows"
    shown: dict[str, Any] = {}
    if "collections" in results:
        start = results["start"]
        shown["collections"] = {
            "note": f"unspun score, {asked}; starting it, {start['cpu']:.1f} s and {start['memory']:.0f} MB, is taken "
            f"off the time. {constant}.",
            "rows": [
                {
                    "MB": f"{row['megabytes']:,g}",
                    "articles": row["documents"],
                    "words": row["words"],
                    "CPU s": f"{row['cpu']:.1f}",
                    "by the clock, s": f"{row['wall']:.1f}",
                    **_compared(row, "per_word", "us a word", 1e6, 1),
                    **_compared(row, "memory", "peak MB", 1, 0),
                }
                for row in results["collections"]
            ],
        }
    if "articles" in results:
        shown["single articles"] = {
            "note": f"A Detector, {asked}. Words read: of the first {MAX_CHARACTERS:,} characters. {constant}.",
            "rows": [
                {
                    "words": row["length"],
                    "read": row["read"],
                    **_compared(row, "alone", "us a word", 1e6, 1),
                    **_compared(row, "together", f"by {TOGETHER}", 1e6, 1),
                    **_compared(row, "memory", "peak MB", 1, 0),
                }
                for row in results["articles"]
            ],
        }
    return draw(tables(shown), plain_console()).rstrip("\n")


def _compared(row: Row, name: str, title: str, scale: float, digits: int) -> Row:
    """Return the cells of one figure: itself, its ratio to the median, and whether it is constant."""
    if name not in row:
        return {title: None, f"{title}: ratio": None, f"{title}: constant": None}
    ratio = row[f"{name}_ratio"]
    return {
        title: f"{row[name] * scale:,.{digits}f}",
        f"{title}: ratio": f"{ratio:.2f}",
        f"{title}: constant": is_constant(ratio),
    }


if __name__ == "__main__":
    sys.exit(main())

"""Does a word cost the same in small and large collections, and in short and long articles? And memory?

    python -m benchmarks.scaling                                # 1, 10 and 100 MB, articles of 50 to 1,000,000 words
    python -m benchmarks.scaling --full --json scaling.json     # also 1,000 MB
    python -m benchmarks.scaling --megabytes 1 10               # a quick look, about two minutes

Collections are scored by `unspun score FILE.jsonl --format jsonl --workers 1`. The time to start it, measured on a
collection of one article, is subtracted. Single articles are scored by a Detector in a process of its own for each
length, one at a time and 64 at a time. Everything runs with one thread and is measured in CPU time, so that other
programs hardly matter.

The articles are shuffled sentences of `seeds/examples`; one article in twenty is paraphrased. The engine reads at most
model.text.document.MAX_CHARACTERS of a text, and only the words within them are counted. A figure is called constant if
it is within 20 % of the median over all sizes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from benchmarks.common import (
    CRAWL,
    drawn,
    example_articles,
    load_detector,
    make_parser,
    peak_megabytes,
    progress,
    run_child,
    run_main,
    run_measured,
)

MEGABYTE = 1_000_000
MEGABYTES, LARGEST = (1, 10, 100), 1_000
"""Sizes of collections; the largest only with --full."""
LENGTHS = (50, 100, 1_000, 10_000, 100_000, 1_000_000)
"""Lengths of single articles, in words."""
TOGETHER, LONGEST_TOGETHER = 64, 10_000
"""Articles given at a time, and the length up to which they are."""
LEAST_SECONDS = 1.0
"""CPU time for which articles of one length are measured."""
DIFFERENT_WORDS = 64_000
"""Words of all the different articles of one length, which are read in turn; long lengths have a single article."""
MARGIN = 0.2

Row = dict[str, Any]


def main() -> int:
    """Run the benchmark, or measure one length of article; return the exit status."""
    options = _options()
    if options.child is not None:
        return run_main(options, _child, json.dumps)
    return run_main(options, _measure, _tables)


def _options() -> argparse.Namespace:
    parser = make_parser("benchmarks.scaling", __doc__, "--depth", "--model", "--json")
    parser.set_defaults(depth="fast")
    parser.add_argument(
        "--megabytes", type=float, nargs="+", metavar="MB", help="sizes of the collections (default: 1 10 100)"
    )
    parser.add_argument("--full", action="store_true", help=f"add a collection of {LARGEST:,} MB")
    parser.add_argument(
        "--words", type=int, nargs="+", metavar="N", default=LENGTHS, help="lengths of the single articles"
    )
    parser.add_argument("--only", choices=("collections", "articles"), help="measure only these")
    parser.add_argument("--no-evidence", action="store_true", help="score without evidence")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.megabytes = [*(options.megabytes or MEGABYTES), *([LARGEST] if options.full else [])]
    if min(options.megabytes) <= 0 or min(options.words) < 1:
        parser.error("--megabytes must be positive, and --words at least 1")
    return options


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    arguments = ["--depth", options.depth, *(["--no-evidence"] if options.no_evidence else [])]
    arguments += [] if options.model is None else ["--model", str(options.model)]
    sizes = [] if options.only == "articles" else options.megabytes
    lengths = [] if options.only == "collections" else options.words
    results: dict[str, Any] = {"depth": options.depth, "evidence": not options.no_evidence}
    with tempfile.TemporaryDirectory() as folder, progress() as bar:
        task = bar.add_task("", total=len(sizes) + len(lengths))
        if sizes:
            results["start"] = _score(Path(folder), 1, arguments)
            results["collections"] = []
        for size in sizes:
            bar.update(task, description=f"{size:,g} MB of articles")
            results["collections"].append({"megabytes": size, **_score(Path(folder), int(size * MEGABYTE), arguments)})
            bar.advance(task)
        for length in lengths:
            bar.update(task, description=f"articles of {length:,} words")
            command = [sys.executable, "-m", "benchmarks.scaling", "--child", str(length), *arguments]
            results.setdefault("articles", []).append({"length": length, **run_child(command)})
            bar.advance(task)
    return summarise(results)


def _score(folder: Path, size: int, arguments: Sequence[str]) -> Row:
    """Score a collection of about `size` bytes on the command line; return time and memory."""
    file = folder / "collection.jsonl"
    with file.open("w", encoding="utf-8") as stream:
        documents, words = write_collection(stream.write, (text for text, _ in example_articles(CRAWL)), size)
    command = [sys.executable, "-m", "unspun.service.cli", "score", str(file), "--format", "jsonl", "--quiet"]
    command += ["--workers", "1", *arguments]
    return {"documents": documents, "words": words, **run_measured(command)}


def write_collection(write: Callable[[str], Any], texts: Iterable[str], size: int) -> tuple[int, int]:
    """Write texts as JSON lines until they have `size` bytes; return the number of texts and of words."""
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
    """Measure articles of one length, one at a time and, if they are short, many at a time."""
    from unspun.model.text.document import MAX_CHARACTERS

    detector = load_detector(options.model)
    evidence = not options.no_evidence

    def score(texts: Sequence[str]) -> int:
        for verdict in detector.score_many(texts, depth=options.depth, evidence=evidence):
            verdict.to_json()
        return sum(len(text[:MAX_CHARACTERS].split()) for text in texts)

    length = options.child
    score([text for text, _ in islice(example_articles(), 2)])
    together = TOGETHER if length <= LONGEST_TOGETHER else 1
    different = max(together, DIFFERENT_WORDS // length)
    texts = [text for text, _ in islice(example_articles(CRAWL, length), different)]
    alone = seconds_per_word(score, ([text] for text in cycle(texts)))
    row: Row = {"alone": alone, "memory": peak_megabytes(), "read": len(texts[0][:MAX_CHARACTERS].split())}
    if together > 1:
        row["together"] = seconds_per_word(
            score, (texts[i : i + together] for i in cycle(range(0, len(texts) - together + 1, together)))
        )
    return row


def seconds_per_word(
    score: Callable[[Sequence[str]], int],
    batches: Iterator[Sequence[str]] | Iterable[Sequence[str]],
    clock: Callable[[], float] = time.process_time,
) -> float:
    """Score batches for LEAST_SECONDS and return the seconds per word; `score` returns the number of words it read."""
    seconds, words = 0.0, 0
    for batch in batches:
        started = clock()
        words += score(batch)
        seconds += clock() - started
        if seconds >= LEAST_SECONDS:
            break
    return seconds / max(words, 1)


def summarise(results: dict[str, Any]) -> dict[str, Any]:
    """Add the time per word, and the ratio of each figure to its median over all sizes."""
    for row in results.get("collections", ()):
        row["per_word"] = max(row["cpu"] - results["start"]["cpu"], 0.0) / row["words"]
    for rows, names in (("collections", ("per_word", "memory")), ("articles", ("alone", "together", "memory"))):
        for name in names:
            values = {i: row[name] for i, row in enumerate(results.get(rows, ())) if name in row}
            for i, value in values.items():
                results[rows][i][f"{name}_ratio"] = value / (statistics.median(values.values()) or 1.0)
    return results


def is_constant(ratio: float) -> bool:
    """Return whether a figure is close enough to the median."""
    return abs(ratio - 1.0) <= MARGIN


def _tables(results: dict[str, Any]) -> str:
    from unspun.model.text.document import MAX_CHARACTERS

    setup = f"--depth {results['depth']}, {'with' if results['evidence'] else 'without'} evidence, one thread, CPU time"
    constant = f"constant: within {MARGIN:.0%} of the median over all rows"
    shown: dict[str, Any] = {}
    if "collections" in results:
        start = results["start"]
        shown["collections"] = {
            "note": f"unspun score, {setup}; its start, {start['cpu']:.1f} s and {start['memory']:.0f} MB, is "
            f"subtracted from the time. {constant}.",
            "rows": [
                {
                    "MB": f"{row['megabytes']:,g}",
                    "articles": row["documents"],
                    "words": row["words"],
                    "CPU s": f"{row['cpu']:.1f}",
                    "wall s": f"{row['wall']:.1f}",
                    **_compared(row, "per_word", "us per word", 1e6, 1),
                    **_compared(row, "memory", "peak MB", 1, 0),
                }
                for row in results["collections"]
            ],
        }
    if "articles" in results:
        shown["single articles"] = {
            "note": f"A Detector, {setup}. read: words among the first {MAX_CHARACTERS:,} characters. {constant}.",
            "rows": [
                {
                    "words": row["length"],
                    "read": row["read"],
                    **_compared(row, "alone", "us per word", 1e6, 1),
                    **_compared(row, "together", f"{TOGETHER} at a time", 1e6, 1),
                    **_compared(row, "memory", "peak MB", 1, 0),
                }
                for row in results["articles"]
            ],
        }
    return drawn(shown)


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

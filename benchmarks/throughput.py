"""Measure unspun's speed on one core and its memory, beside the tools that a user might pick instead.

    python -m benchmarks.throughput                                    # half an hour
    python -m benchmarks.throughput --articles 1000 --rounds 1         # a quick look: a few minutes
    python -m benchmarks.throughput --profile                          # where the fast tier's time goes

Every tool does the whole job: it reads the same file of JSON lines, scores, and writes a line for each text to another
file. For unspun this is `unspun score FILE --output FILE`. The other tools are: splitting into tokens with a regular
expression, as a lower bound; a linear model over hashed words; TF-IDF of words and word pairs with a logistic
regression; a linear model over hashed character n-grams; and encoders of RoBERTa-base's size in PyTorch and in
onnxruntime (benchmarks/encoders.py). The classifiers are trained here on the same articles. The encoders and the deep
tier read only the first articles, which is enough to time them.

Every tool runs in turn, in processes of its own with one thread. The figures use the CPU time of all threads, so that
neither a second core nor other programs change them. They are medians over all passes of all rounds, and are without
the time to start: imports, loading and two short texts. "with start" is the speed of one whole process that reads the
articles once; for unspun, of the real command.

The articles are those of a crawl, once with one in two hundred paraphrased and once with one in twenty. They are drawn
from ../shared/corpora: texts that no model has learnt from, every source in turn. Without the corpora, or with
`--examples`, they are shuffled sentences of `seeds/examples`. These have so few different words that lookup tables stay
in the processor's caches, and every tool looks faster than on a real collection. Use `--corpus` to measure on your own
labelled texts.

`--baseline FOLDER` also times another checkout of unspun on the same articles, for example one that
`git worktree add FOLDER TAG` made.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from platform import platform, python_version
from typing import Any

from benchmarks.common import (
    CORPORA,
    SHORTEST,
    Article,
    BenchmarkError,
    UnavailableError,
    drawn,
    from_corpus,
    from_crawl,
    from_examples,
    load_detector,
    make_parser,
    peak_megabytes,
    progress,
    run_child,
    run_main,
    run_measured,
)
from benchmarks.contenders import CONTENDERS, PREPARED, prepare, read_texts, unspun_score

MIXES = (200, 20)
"""In each mix of articles, one in this many is paraphrased."""
OPENING = 200
"""Words of the two texts that each tool reads first, untimed: one human, one paraphrased."""
BASELINE = "@baseline"
"""Suffix of the name of a tool that runs in the other checkout."""

Run = dict[str, Any]
"""What one process measured."""


def main() -> int:
    """Run the benchmark, or one tool in a child process; return the exit status."""
    options = _options()
    if options.child is not None:
        return run_main(options, _child, json.dumps)
    if options.profile:
        return run_main(options, _profile, drawn)
    return run_main(options, _measure, _tables)


def _options() -> argparse.Namespace:
    parser = make_parser("benchmarks.throughput", __doc__, "--corpus", "--model", "--json")

    def number(name: str, default: int, help: str) -> None:
        parser.add_argument(name, type=int, default=default, metavar="N", help=f"{help} (default: {default:,})")

    parser.add_argument("--examples", action="store_true", help="articles made of seeds/examples, not of the corpora")
    number("--articles", 5000, "articles to read")
    number("--deep-articles", 100, "articles that the deep tier reads")
    number("--encoder-articles", 8, "articles that the encoders read")
    number("--rounds", 3, "processes per tool")
    number("--passes", 1, "times that each process reads its articles")
    parser.add_argument(
        "--mix",
        type=int,
        nargs="+",
        default=MIXES,
        metavar="N",
        help="one article in N is paraphrased; several mixes are measured one after the other (default: 200 20)",
    )
    parser.add_argument("--only", choices=CONTENDERS, nargs="+", metavar="NAME", help=", ".join(CONTENDERS))
    parser.add_argument("--baseline", type=Path, metavar="FOLDER", help="another checkout of unspun to time as well")
    parser.add_argument("--profile", action="store_true", help="only show where the fast tier's time goes, by stage")
    parser.add_argument(
        "--child", choices=[*CONTENDERS, *(f"prepare_{name}" for name in PREPARED)], help=argparse.SUPPRESS
    )
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if min(options.rounds, options.passes, options.deep_articles, options.encoder_articles, *options.mix) < 1:
        parser.error("--rounds, --passes, --deep-articles, --encoder-articles and --mix must be at least 1")
    if options.articles < max(options.mix):
        parser.error(f"--articles must be at least {max(options.mix)}, so that one of them is paraphrased")
    return options


def _articles(options: argparse.Namespace, every: int) -> list[Article]:
    """Draw the articles of a mix. Raises BenchmarkError if there are too few."""
    count, corpus = options.articles, options.corpus
    if corpus is None and (options.examples or not CORPORA.is_dir()):
        return from_examples(count, every)
    chosen = from_crawl(count, every) if corpus is None else from_corpus(corpus, count, every)
    if len(chosen) < every:
        name = CORPORA if corpus is None else corpus[0]
        raise BenchmarkError(f"{name}: fewer than {every} texts of {SHORTEST} words or more")
    return chosen


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "rounds": options.rounds,
        "passes": options.passes,
        "machine": {"platform": platform(), "python": python_version(), "cores": os.cpu_count()},
        "mixes": [_measure_mix(options, every) for every in options.mix],
    }


def _measure_mix(options: argparse.Namespace, every: int) -> dict[str, Any]:
    chosen = _articles(options, every)
    names = options.only or list(CONTENDERS)
    if options.baseline is not None:
        names = [*names, *(f"{name}{BASELINE}" for name in names if CONTENDERS[name].arguments)]
    preparing = [name for name in names if name in PREPARED]
    runs: dict[str, list[Run]] = {name: [] for name in names}
    skipped: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder, progress() as bar:
        work = Path(folder)
        _write(chosen, work, options)
        task = bar.add_task("", total=len(preparing) + len(names) * options.rounds)
        for name in preparing:
            bar.update(task, description=f"preparing {CONTENDERS[name].title}")
            _run(f"prepare_{name}", work, options)
            bar.advance(task)
        for number in range(options.rounds):
            for name in names:
                bar.update(task, description=_title(name))
                run = {} if name in skipped else _run(name, work, options)
                if "skipped" in run:
                    skipped[name] = run["skipped"]
                elif run:
                    if number == 0 and CONTENDERS[name.removesuffix(BASELINE)].arguments:
                        run["process"] = _run_command(name, work, options)["cpu"]
                    runs[name].append(run)
                bar.advance(task)
    return {
        "articles": len(chosen),
        "words": sum(len(text.split()) for text, _ in chosen),
        "paraphrased": sum(spun for _, spun in chosen),
        "every": every,
        "contenders": summarise({name: of for name, of in runs.items() if of}),
        "skipped": skipped,
    }


def _write(chosen: Sequence[Article], work: Path, options: argparse.Namespace) -> None:
    """Write the articles that each tool reads as JSON lines: all of them, the first ones, and two short ones."""
    records = [{"id": f"article-{number}", "text": text} for number, (text, _) in enumerate(chosen)]
    first = (next((text for text, spun in chosen if spun is wanted), "") for wanted in (False, True))
    openings = [{"id": "opening", "text": " ".join(text.split(" ")[:OPENING])} for text in first]
    files = {
        "all": records,
        "deep": records[: options.deep_articles],
        "encoder": records[: options.encoder_articles],
        "openings": openings,
    }
    for name, of in files.items():
        with (work / f"{name}.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in of)
    (work / "labels.json").write_text(json.dumps([spun for _, spun in chosen]), "utf-8")


def _run(name: str, work: Path, options: argparse.Namespace) -> Run:
    """Run one tool in a process of its own, and return what it measured."""
    child, baseline = name.removesuffix(BASELINE), name.endswith(BASELINE)
    command = [sys.executable, "-m", "benchmarks.throughput", "--child", child, "--work", str(work)]
    command += ["--passes", str(options.passes)]
    command += [] if options.model is None or baseline else ["--model", str(options.model)]
    return run_child(command, options.baseline if baseline else None)


def _run_command(name: str, work: Path, options: argparse.Namespace) -> dict[str, float]:
    """Run `unspun score` itself, and return its time and memory."""
    contender, baseline = CONTENDERS[name.removesuffix(BASELINE)], name.endswith(BASELINE)
    file, model = work / f"{contender.reads}.jsonl", None if baseline else options.model
    command = [sys.executable, "-m", "unspun.service.cli"]
    command += unspun_score(file, work / "command.jsonl", model, contender.arguments)
    return run_measured(command, options.baseline if baseline else None)


def _child(options: argparse.Namespace) -> Run:
    """Load one tool, have it read the articles several times, and return time and memory."""
    work = options.work
    if options.child.startswith("prepare_"):
        prepare(options.child.removeprefix("prepare_"), work)
        return {}
    contender = CONTENDERS[options.child]
    try:
        score = contender.load(work, options.model)
    except UnavailableError as error:
        return {"skipped": str(error)}
    file, out = work / f"{contender.reads}.jsonl", work / "answers.jsonl"
    score(work / "openings.jsonl", out)
    start = time.process_time()
    sizes = [len(text.split()) for _, text in read_texts(file)]
    passes = []
    for _ in range(options.passes):
        cpu, wall = time.process_time(), time.perf_counter()
        score(file, out)
        taken = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
        with out.open("rb") as lines:
            if (found := sum(1 for _ in lines)) != len(sizes):
                raise BenchmarkError(f"{contender.title}: {found} answers for {len(sizes)} articles")
        passes.append({"articles": len(sizes), "words": sum(sizes), **taken})
    return {"start": start, "process": start + passes[0]["cpu"], "passes": passes, "memory": peak_megabytes()}


def _profile(options: argparse.Namespace) -> dict[str, Any]:
    """Return the time that each stage of the fast tier takes."""
    from benchmarks.profile import stages

    texts = [text for text, _ in _articles(options, options.mix[0])]
    words = sum(len(text.split()) for text in texts)
    found = stages(texts, load_detector(options.model))
    total = sum(seconds for _, seconds in found)
    return {
        "note": f"{len(texts):,} articles, {words:,} words, depth fast, no evidence, in CPU time.",
        "rows": [
            {
                "stage": stage,
                "us per word": f"{seconds / words * 1e6:.3f}",
                "us per article": f"{seconds / len(texts) * 1e6:,.0f}",
                "share": f"{seconds / total:.1%}",
            }
            for stage, seconds in [*found, ("all", total)]
        ],
    }


def summarise(runs: dict[str, list[Run]]) -> dict[str, dict[str, Any]]:
    """Return the figures of each tool: medians over all passes of all its runs, and ratios of words per second.

    A ratio is None if the tool to compare with did not run. Peak memory is the maximum over the runs.
    """
    figures: dict[str, dict[str, Any]] = {}
    for name, of in runs.items():
        passes = [one for run in of for one in run["passes"]]
        speeds = [one["words"] / max(one["cpu"], 1e-9) for one in passes]
        words = passes[0]["words"]
        figures[name] = {
            "title": _title(name),
            "articles": passes[0]["articles"],
            "words": words,
            "articles_per_second": statistics.median(one["articles"] / max(one["cpu"], 1e-9) for one in passes),
            "words_per_second": statistics.median(speeds),
            "slowest": min(speeds),
            "fastest": max(speeds),
            "words_per_second_by_the_clock": statistics.median(one["words"] / max(one["wall"], 1e-9) for one in passes),
            "words_per_second_with_start": words / max(of[0]["process"], 1e-9),
            "start_seconds": statistics.median(run["start"] for run in of),
            "peak_megabytes": max(run["memory"] for run in of),
        }
    for other in ("tfidf", "characters", "encoder"):
        base = figures[other]["words_per_second"] if other in figures else None
        for own in figures.values():
            own[f"times_{other}"] = None if base is None else own["words_per_second"] / base
    return figures


def _tables(results: dict[str, Any]) -> str:
    return "\n\n".join(_table(mix, results) for mix in results["mixes"])


def _table(mix: dict[str, Any], results: dict[str, Any]) -> str:
    rows = [
        {
            "on one core": own["title"],
            "articles": own["articles"],
            "articles/s": _figures(own["articles_per_second"]),
            "words/s": round(own["words_per_second"]),
            "slowest-fastest": f"{own['slowest']:,.0f}-{own['fastest']:,.0f}",
            "x TF-IDF": _figures(own["times_tfidf"]),
            "x char.": _figures(own["times_characters"]),
            "x encoder": _figures(own["times_encoder"]),
            "start, s": f"{own['start_seconds']:.2f}",
            "with start": round(own["words_per_second_with_start"]),
            "peak MB": round(own["peak_megabytes"]),
        }
        for own in mix["contenders"].values()
    ]
    note = (
        f"{mix['articles']:,} articles, {mix['words']:,} words; {mix['paraphrased']:,} paraphrased, one in "
        f"{mix['every']}. Reading JSON lines, scoring and writing JSON lines; medians over {results['rounds']} "
        f"processes with {results['passes']} passes each. Speeds are per second of CPU time. start: imports, loading "
        "and two short texts. with start: words/s of a whole process that reads the articles once."
    )
    skipped = (f"{_title(name)}: {why}" for name, why in mix["skipped"].items())
    return "\n".join([drawn({"note": note, "rows": rows}), *skipped])


def _title(name: str) -> str:
    return CONTENDERS[name.removesuffix(BASELINE)].title + (", baseline" if name.endswith(BASELINE) else "")


def _figures(value: float | None) -> str:
    """Return a number with three significant figures, or without decimals from 100 on."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main())

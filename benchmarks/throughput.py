"""Measure unspun's speed on one core and its memory, beside the tools that a user might pick instead.

    python -m benchmarks.throughput                                    # a quick look: two to three minutes
    python -m benchmarks.throughput --articles 5000 --json speed.json  # half an hour or more

The other tools are: splitting into tokens with a regular expression, as a lower bound; TF-IDF of words and word pairs
with a logistic regression; a linear model over hashed character n-grams; and an encoder of RoBERTa-base's size in
PyTorch. The encoder's weights are random, because its speed does not depend on them. It reads whole texts in windows of
512 word pieces; the pieces are hashes, which cost next to nothing. The two classifiers are trained here on the same
articles. The encoder and the deep tier read only the first few articles, which is enough to time them.

Every tool runs in turn, in processes of its own with one thread. The figures use the CPU time of all threads, so that
neither a second core nor other programs change them. They are medians over all passes of all rounds.

One article in twenty is paraphrased, as in a crawl, or every other one with `--mix half`. Without --corpus the articles
are shuffled sentences of `seeds/examples`. These have so few different words that lookup tables stay in the processor's
caches, and every tool looks faster than on a real collection; use --corpus to measure on your own texts.

`--baseline FOLDER` also times another checkout of unspun on the same articles, for example one that
`git worktree add FOLDER TAG` made.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import statistics
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from platform import platform, python_version
from typing import Any

from benchmarks.common import (
    CRAWL,
    SEED,
    SHORTEST,
    Article,
    BenchmarkError,
    drawn,
    from_corpus,
    from_examples,
    load_detector,
    make_parser,
    peak_megabytes,
    progress,
    run_child,
    run_main,
)

BATCH = 64
"""Texts given to a tool at a time."""
MIXES = {"crawl": CRAWL, "half": 2}
"""For each mix, one article in this many is paraphrased."""
OPENING = 200
"""Words of the two texts that each tool reads first, untimed: one human, one paraphrased."""
WINDOW, PIECES = 512, 50_265
"""Pieces that the encoder reads at a time, including two markers, and the size of its vocabulary."""

Score = Callable[[Sequence[str]], Any]
Run = dict[str, Any]
"""What one process measured."""


class UnavailableError(Exception):
    """A tool cannot run here; the message says why, in one line."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A tool to time. `load` gets the folder with the trained classifiers, and the folder of unspun's model.

    `reads` says how many articles it reads: "all", or the number given for the "deep" tier or the "encoder".
    """

    title: str
    load: Callable[[Path, Path | None], Score]
    reads: str = "all"


def main() -> int:
    """Run the benchmark, or one tool in a child process; return the exit status."""
    options = _options()
    if options.child is not None:
        return run_main(options, _child, json.dumps)
    return run_main(options, _measure, _table)


def _options() -> argparse.Namespace:
    parser = make_parser("benchmarks.throughput", __doc__, "--corpus", "--model", "--json")

    def number(name: str, default: int, help: str) -> None:
        parser.add_argument(name, type=int, default=default, metavar="N", help=f"{help} (default: {default})")

    number("--articles", 200, "articles to read")
    number("--deep-articles", 24, "articles that the deep tier reads")
    number("--encoder-articles", 4, "articles that the encoder reads")
    number("--rounds", 3, "processes per tool")
    number("--passes", 1, "times that each process reads its articles")
    parser.add_argument(
        "--mix", choices=MIXES, default="crawl", help="paraphrased articles: 1 in 20 (crawl, the default) or half"
    )
    parser.add_argument("--only", choices=CONTENDERS, nargs="+", metavar="NAME", help=", ".join(CONTENDERS))
    parser.add_argument("--baseline", type=Path, metavar="FOLDER", help="another checkout of unspun to time as well")
    parser.add_argument(
        "--child", choices=[*CONTENDERS, *(f"train_{name}" for name in TRAINED)], help=argparse.SUPPRESS
    )
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if min(options.rounds, options.passes, options.deep_articles, options.encoder_articles) < 1:
        parser.error("--rounds, --passes, --deep-articles and --encoder-articles must be at least 1")
    if options.articles < MIXES[options.mix]:
        parser.error(f"--articles must be at least {MIXES[options.mix]}, so that one of them is paraphrased")
    return options


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    every = MIXES[options.mix]
    count = options.articles
    chosen = from_corpus(options.corpus, count, every) if options.corpus else from_examples(count, every)
    if len(chosen) < every:
        raise BenchmarkError(f"{options.corpus[0]}: fewer than {every} texts of {SHORTEST} words or more")
    names = options.only or list(CONTENDERS)
    if options.baseline is not None:
        names = [*names, *(f"{name}{BASELINE}" for name in names if name.split("_")[0] in ("auto", "fast", "deep"))]
    training = [name for name in names if name in TRAINED]
    runs: dict[str, list[Run]] = {name: [] for name in names}
    skipped: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder, progress() as bar:
        work = Path(folder)
        _write(chosen, work)
        task = bar.add_task("", total=len(training) + len(names) * options.rounds)
        trained = {}
        for name in training:
            bar.update(task, description=f"training {CONTENDERS[name].title}")
            trained[name] = _run(f"train_{name}", work, options)
            bar.advance(task)
        for _ in range(options.rounds):
            for name in names:
                bar.update(task, description=_title(name))
                run = {} if name in skipped else _run(name, work, options)
                if "skipped" in run:
                    skipped[name] = run["skipped"]
                elif run:
                    runs[name].append(run)
                bar.advance(task)
    return {
        "articles": len(chosen),
        "words": sum(len(text.split()) for text, _ in chosen),
        "every": every,
        "corpus": None if options.corpus is None else [str(path) for path in options.corpus],
        "rounds": options.rounds,
        "passes": options.passes,
        "machine": {"platform": platform(), "python": python_version(), "cores": os.cpu_count()},
        "trained": trained,
        "contenders": summarise({name: of for name, of in runs.items() if of}),
        "skipped": skipped,
    }


def _write(chosen: Sequence[Article], work: Path) -> None:
    """Write the articles for the tools, one per line, so that no tool has to hold them all in memory."""
    lines = (json.dumps(article) + "\n" for article in chosen)
    with (work / "articles.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(lines)
    first = (next((text for text, spun in chosen if spun is wanted), "") for wanted in (False, True))
    openings = [" ".join(text.split(" ")[:OPENING]) for text in first]
    (work / "openings.json").write_text(json.dumps(openings), "utf-8")


def _run(name: str, work: Path, options: argparse.Namespace) -> Run:
    """Run one tool in a process of its own, and return what it measured."""
    child, baseline = name.removesuffix(BASELINE), name.endswith(BASELINE)
    command = [sys.executable, "-m", "benchmarks.throughput", "--child", child, "--work", str(work)]
    command += ["--passes", str(options.passes)]
    command += ["--deep-articles", str(options.deep_articles), "--encoder-articles", str(options.encoder_articles)]
    command += [] if options.model is None or baseline else ["--model", str(options.model)]
    return run_child(command, options.baseline if baseline else None)


def _child(options: argparse.Namespace) -> Run:
    """Load one tool, have it read the articles several times, and return time and memory."""
    work = options.work
    if options.child.startswith("train_"):
        return _train(options.child.removeprefix("train_"), work)
    contender = CONTENDERS[options.child]
    openings = json.loads((work / "openings.json").read_text("utf-8"))
    started = time.perf_counter()
    try:
        score = contender.load(work, options.model)
    except UnavailableError as error:
        return {"skipped": str(error)}
    score(openings)
    start = time.perf_counter() - started
    limit = {"all": None, "deep": options.deep_articles, "encoder": options.encoder_articles}[contender.reads]
    passes = [_pass(score, islice(_read(work), limit)) for _ in range(options.passes)]
    return {"start": start, "passes": passes, "memory": peak_megabytes()}


def _pass(score: Score, articles: Iterable[Article]) -> Run:
    """Score all articles once; return their number and the time of scoring, without the time of reading the file."""
    texts = (text for text, _ in articles)
    taken = {"articles": 0, "words": 0, "cpu": 0.0, "wall": 0.0}
    while batch := list(islice(texts, BATCH)):
        cpu, wall = time.process_time(), time.perf_counter()
        score(batch)
        taken["cpu"] += time.process_time() - cpu
        taken["wall"] += time.perf_counter() - wall
        taken["articles"] += len(batch)
        taken["words"] += sum(len(text.split()) for text in batch)
    return taken


def _read(work: Path) -> Iterator[Article]:
    with (work / "articles.jsonl").open(encoding="utf-8") as file:
        for line in file:
            text, spun = json.loads(line)
            yield text, spun


def _unspun(depth: str, evidence: bool) -> Callable[[Path, Path | None], Score]:
    def load(work: Path, model: Path | None) -> Score:
        detector = load_detector(model)
        try:
            detector.score_many([], depth=depth)
        except ValueError as error:
            raise UnavailableError(str(error)) from error
        return lambda texts: [
            verdict.to_json() for verdict in detector.score_many(texts, depth=depth, evidence=evidence)
        ]

    return load


def _tokens(work: Path, model: Path | None) -> Score:
    find = re.compile(r"\w+|[^\w\s]").findall
    return lambda texts: [find(text) for text in texts]


def _trained(name: str) -> Callable[[Path, Path | None], Score]:
    def load(work: Path, model: Path | None) -> Score:
        import joblib

        pipeline = joblib.load(work / f"{name}.joblib")
        return lambda texts: pipeline.predict_proba(texts).tolist()

    return load


def _train(name: str, work: Path) -> Run:
    import joblib
    from sklearn.pipeline import make_pipeline

    texts, spun = zip(*_read(work), strict=True)
    started = time.perf_counter()
    pipeline = make_pipeline(*TRAINED[name]())
    pipeline.fit(texts, spun)
    joblib.dump(pipeline, work / f"{name}.joblib")
    return {"seconds": time.perf_counter() - started}


def _tfidf_steps() -> tuple[Any, Any]:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    return TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(max_iter=1000)


def _characters_steps() -> tuple[Any, Any]:
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.linear_model import SGDClassifier

    # "char_wb" is the faster of the two analysers: within words.
    return HashingVectorizer(analyzer="char_wb", ngram_range=(3, 5)), SGDClassifier(loss="log_loss", random_state=SEED)


def _encoder(work: Path, model: Path | None) -> Score:
    """Build an encoder of RoBERTa-base's size: 124 million weights."""
    if importlib.util.find_spec("torch") is None:
        raise UnavailableError("PyTorch is not installed: pip install torch")
    import torch
    from torch import nn

    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    width = 768
    embeddings, positions = nn.Embedding(PIECES, width), nn.Embedding(WINDOW, width)
    layer = nn.TransformerEncoderLayer(width, nhead=12, dim_feedforward=3072, activation="gelu", batch_first=True)
    layers = nn.TransformerEncoder(layer, num_layers=12).eval()
    head = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 2))

    def score(texts: Sequence[str]) -> list[list[float]]:
        answers = []
        with torch.inference_mode():
            for text in texts:
                read = [
                    head(layers(embeddings(ids) + positions.weight[: ids.shape[1]])[:, 0]).softmax(dim=1)
                    for ids in (torch.tensor([window]) for window in windows(pieces(text)))
                ]
                answers.append(torch.cat(read).mean(dim=0).tolist())
        return answers

    return score


def pieces(text: str) -> list[int]:
    """Return a number below PIECES for each part of a word; there are 1.3 parts per word, as in a real vocabulary."""
    return [zlib.crc32(part.encode()) % PIECES for part in re.findall(r"\w{1,6}|[^\w\s]", text)]


def windows(ids: Sequence[int]) -> list[list[int]]:
    """Return the pieces in windows of up to WINDOW, with a marker at each end."""
    size = WINDOW - 2
    return [[0, *ids[start : start + size], 2] for start in range(0, max(len(ids), 1), size)]


TRAINED = {"tfidf": _tfidf_steps, "characters": _characters_steps}
"""Tools that are trained here, and the steps of their scikit-learn pipelines."""
CONTENDERS = {
    "fast": Contender("unspun, fast tier", _unspun("fast", True)),
    "fast_verdict": Contender("unspun, fast tier, no evidence", _unspun("fast", False)),
    "auto": Contender("unspun, auto", _unspun("auto", True)),
    "auto_verdict": Contender("unspun, auto, no evidence", _unspun("auto", False)),
    "deep": Contender("unspun, deep tier", _unspun("deep", True), reads="deep"),
    "deep_verdict": Contender("unspun, deep tier, no evidence", _unspun("deep", False), reads="deep"),
    "tokens": Contender("tokens by a regular expression", _tokens),
    "tfidf": Contender("TF-IDF (1-2 grams) + logistic regression", _trained("tfidf")),
    "characters": Contender("hashed character 3-5-grams + linear model", _trained("characters")),
    "encoder": Contender("encoder of RoBERTa-base's size", _encoder, reads="encoder"),
}


BASELINE = "@baseline"
"""Suffix of the name of a tool that runs in the other checkout."""


def _title(name: str) -> str:
    return CONTENDERS[name.removesuffix(BASELINE)].title + (", baseline" if name.endswith(BASELINE) else "")


def summarise(runs: dict[str, list[Run]]) -> dict[str, dict[str, Any]]:
    """Return the figures of each tool: medians over all passes of all its runs, and ratios of words per second.

    A ratio is None if the tool to compare with did not run. Peak memory is the maximum over the runs.
    """
    figures: dict[str, dict[str, Any]] = {}
    for name, of in runs.items():
        passes = [one for run in of for one in run["passes"]]
        speeds = [one["words"] / max(one["cpu"], 1e-9) for one in passes]
        figures[name] = {
            "title": _title(name),
            "articles": passes[0]["articles"],
            "words": passes[0]["words"],
            "articles_per_second": statistics.median(one["articles"] / max(one["cpu"], 1e-9) for one in passes),
            "words_per_second": statistics.median(speeds),
            "slowest": min(speeds),
            "fastest": max(speeds),
            "words_per_second_by_the_clock": statistics.median(one["words"] / max(one["wall"], 1e-9) for one in passes),
            "start_seconds": statistics.median(run["start"] for run in of),
            "peak_megabytes": max(run["memory"] for run in of),
        }
    for other in ("tfidf", "characters", "encoder"):
        base = figures[other]["words_per_second"] if other in figures else None
        for own in figures.values():
            own[f"times_{other}"] = None if base is None else own["words_per_second"] / base
    return figures


def _table(results: dict[str, Any]) -> str:
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
            "peak MB": round(own["peak_megabytes"]),
        }
        for own in results["contenders"].values()
    ]
    note = (
        f"{results['articles']:,} articles, {results['words']:,} words; one in {results['every']} paraphrased. Medians "
        f"over {results['rounds']} processes with {results['passes']} passes each. Speeds are per second of CPU time. "
        "start: imports, loading and two short texts."
    )
    return "\n".join(
        [drawn({"note": note, "rows": rows}), *(f"{_title(name)}: {why}" for name, why in results["skipped"].items())]
    )


def _figures(value: float | None) -> str:
    """Return a number with three significant figures, or without decimals from 100 on."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main())

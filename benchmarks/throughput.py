"""How fast is unspun on one core, and how much memory does it take, beside what a user would pick instead?

    python -m benchmarks.throughput                                    # a quick look: two to three minutes
    python -m benchmarks.throughput --articles 5000 --json speed.json  # half an hour and more

The others: splitting into tokens by a regular expression, as a floor; TF-IDF over words and pairs of words with a
logistic regression; a linear model over hashed n-grams of characters; and an encoder of RoBERTa-base's size in PyTorch,
its weights random, as how fast it answers does not depend on them. The two classifiers are trained here on the same
articles. The encoder reads a text whole, in windows of 512 pieces of words; its words' pieces are hashes and cost next
to nothing. It and the deep tier read only the first few of the articles, which is enough to time them.

Every contender runs in processes of its own, in turn, with one thread; what counts is CPU time, of all threads, so that
neither a second core nor another program helps or harms. Figures are medians over all passes of all rounds.

One article in twenty is paraphrased, as in a crawl; with `--mix half` every other one. Without --corpus the articles
are sentences of `seeds/examples`, shuffled: so few different words that tables stay in the processor's caches, and all
come out faster than on a real collection. Give labelled files or folders to measure on them.

`--baseline FOLDER` times another checkout of unspun on the same articles, such as `git worktree add FOLDER TAG` makes.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import random
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Progress

EXAMPLES = Path(__file__).parents[1] / "seeds" / "examples"
SEED = 20221114
ARTICLE_WORDS = 800
SHORTEST = 60
BATCH = 64
"""Texts given to a contender at a time."""
MIXES = {"crawl": 20, "half": 2}
"""One article in so many is paraphrased."""
OPENING = 200
"""Words of the first two texts that a contender is given: a human one, and a paraphrased one."""
WINDOW, PIECES = 512, 50_265
"""Pieces that the encoder reads at a time, two of them marks, and its vocabulary."""
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)

Article = tuple[str, bool]
"""A text, and whether it is paraphrased."""
Score = Callable[[Sequence[str]], Any]
Run = dict[str, Any]
"""What one process measured."""


class BenchmarkError(Exception):
    """The benchmark cannot run; the message says why, in one line."""


class UnavailableError(Exception):
    """One contender cannot run here; the message says why, in one line."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One that is timed. `load` gets the folder with what was trained, and the model of unspun's to use.

    `reads` says which articles: "all", or as many as asked for of the "deep" tier or of the "encoder".
    """

    title: str
    load: Callable[[Path, str | None], Score]
    reads: str = "all"


def main() -> int:
    """Run the benchmark, or one contender of it; return the exit status."""
    return report(_options(), _child, _measure, _table)


def report(
    options: argparse.Namespace,
    child: Callable[[argparse.Namespace], Any],
    measure: Callable[[argparse.Namespace], Any],
    table: Callable[[Any], str],
) -> int:
    """Print the table of what is measured, or as a child process its own part as JSON; return the exit status."""
    try:
        if options.child is not None:
            print(json.dumps(child(options)))
            return 0
        results = measure(options)
        if options.json is not None:
            options.json.write_text(json.dumps(results, indent=2) + "\n", "utf-8")
        print(table(results))
    except (BenchmarkError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks.throughput", description=__doc__.split("\n\n")[0])
    parser.add_argument("--articles", type=int, default=200, metavar="N", help="how many (default: 200)")
    parser.add_argument("--deep-articles", type=int, default=24, metavar="N", help="the deep tier's (default: 24)")
    parser.add_argument("--encoder-articles", type=int, default=4, metavar="N", help="the encoder's (default: 4)")
    parser.add_argument("--mix", choices=list(MIXES), default="crawl", help="one in twenty spun (default), or half")
    parser.add_argument("--corpus", type=Path, nargs="+", metavar="PATH", help="labelled files or folders to draw from")
    parser.add_argument("--model", metavar="BUNDLE", help="folder of the model (default: the one that ships)")
    parser.add_argument("--only", choices=list(CONTENDERS), nargs="+", metavar="NAME", help=", ".join(CONTENDERS))
    parser.add_argument("--baseline", type=Path, metavar="FOLDER", help="another checkout of unspun to time as well")
    parser.add_argument("--rounds", type=int, default=3, help="processes of each contender (default: 3)")
    parser.add_argument("--passes", type=int, default=1, help="times each reads its articles (default: 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there, too")
    parser.add_argument(
        "--child", choices=[*CONTENDERS, *(f"train_{name}" for name in TRAINED)], help=argparse.SUPPRESS
    )
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if min(options.rounds, options.passes, options.deep_articles, options.encoder_articles) < 1:
        parser.error("--rounds, --passes, --deep-articles and --encoder-articles are at least 1")
    if options.articles < MIXES[options.mix]:
        parser.error(f"--articles is at least {MIXES[options.mix]}, so that one of them is paraphrased")
    return options


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run all contenders, and return what they measured."""
    every = MIXES[options.mix]
    if options.corpus is None:
        articles = from_examples(options.articles, every)
    else:
        articles = from_corpus(options.corpus, options.articles, every)
    if len(articles) < every:
        raise BenchmarkError(f"{options.corpus[0]}: fewer than {every} texts of {SHORTEST} words and more")
    names = options.only or list(CONTENDERS)
    if options.baseline is not None:
        names = [*names, *(f"{name}{BASELINE}" for name in names if name.split("_")[0] in ("auto", "fast", "deep"))]
    training = [name for name in names if name in TRAINED]
    runs: dict[str, list[Run]] = {name: [] for name in names}
    skipped: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder, progress() as bar:
        work = Path(folder)
        _write(articles, work)
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
        "articles": len(articles),
        "words": sum(len(text.split()) for text, _ in articles),
        "every": every,
        "corpus": None if options.corpus is None else [str(path) for path in options.corpus],
        "rounds": options.rounds,
        "passes": options.passes,
        "machine": {"platform": platform.platform(), "python": platform.python_version(), "cores": os.cpu_count()},
        "trained": trained,
        "contenders": summarise({name: of for name, of in runs.items() if of}),
        "skipped": skipped,
    }


def progress() -> Progress:
    """Return a progress bar on standard error, which shows only on a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _write(articles: Sequence[Article], work: Path) -> None:
    """Write the articles where the contenders find them, a line each, so that none needs to hold them all."""
    lines = (json.dumps(article) + "\n" for article in articles)
    with (work / "articles.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(lines)
    first = (next((text for text, spun in articles if spun is wanted), "") for wanted in (False, True))
    openings = [" ".join(text.split(" ")[:OPENING]) for text in first]
    (work / "openings.json").write_text(json.dumps(openings), "utf-8")


def from_examples(count: int, every: int = 2) -> list[Article]:
    """Return articles of shuffled example sentences; the last of every so many is spun."""
    return list(islice(example_articles(every), count))


def example_articles(every: int = 2, words: int = ARTICLE_WORDS) -> Iterator[Article]:
    """Yield articles of so many words and few more without end, the same ones every time."""
    generator = random.Random(SEED)
    sentences = {
        spun: [
            sentence
            for path in sorted((EXAMPLES / ("spun" if spun else "human")).glob("*.txt"))
            for sentence in re.split(r"(?<=[.!?])\s+", path.read_text("utf-8"))
        ]
        for spun in (False, True)
    }
    number = 0
    while True:
        spun = number % every == every - 1
        yield _shuffled(sentences[spun], words, generator), spun
        number += 1


def _shuffled(sentences: Sequence[str], least: int, generator: random.Random) -> str:
    chosen: list[str] = []
    words = 0
    while words < least:
        chosen.append(generator.choice(sentences))
        words += len(chosen[-1].split())
    paragraphs = [" ".join(chosen[i : i + 5]) for i in range(0, len(chosen), 5)]
    return "\n\n".join(paragraphs)


def from_corpus(corpus: Path | Sequence[Path], count: int, every: int = 2) -> list[Article]:
    """Return texts of 60 words and more drawn from labelled files and folders, and whether they are machine-made.

    One in `every` is, as far as there are so many. Where all are of one label, one in `every` is called the other: how
    fast a classifier answers does not depend on what it learnt.
    """
    from unspun.training.corpora.corpus import read_labelled

    generator = random.Random(SEED)
    texts: dict[bool, list[str]] = {False: [], True: []}
    for text in read_labelled([corpus] if isinstance(corpus, Path) else corpus, None):
        if len(text.text.split()) >= SHORTEST:
            texts[text.label != "human"].append(text.text)
    for side in texts.values():
        generator.shuffle(side)
    if not (texts[False] and texts[True]):
        both = (texts[False] or texts[True])[:count]
        return [(text, i % every == every - 1) for i, text in enumerate(both)]
    machine = min(count // every, len(texts[True]))
    drawn = [(text, True) for text in texts[True][:machine]]
    drawn += [(text, False) for text in texts[False][: count - machine]]
    generator.shuffle(drawn)
    return drawn


def _run(name: str, work: Path, options: argparse.Namespace) -> Run:
    """Run one contender in a process of its own, and return what it measured."""
    child, baseline = name.removesuffix(BASELINE), name.endswith(BASELINE)
    command = [sys.executable, "-m", "benchmarks.throughput", "--child", child, "--work", str(work)]
    command += ["--passes", str(options.passes)]
    command += ["--deep-articles", str(options.deep_articles), "--encoder-articles", str(options.encoder_articles)]
    command += [] if options.model is None or baseline else ["--model", options.model]
    return run_child(command, options.baseline if baseline else None)


def run_child(command: Sequence[str], folder: Path | None = None) -> Run:
    """Run a command with one thread, in a folder, and return the JSON that it prints."""
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **ONE_THREAD}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise BenchmarkError(said[-1] if said else f"{' '.join(command)}: exit status {done.returncode}")
    return dict(json.loads(done.stdout))


def _child(options: argparse.Namespace) -> Run:
    """Be one contender: load, read the articles several times, and say what it took."""
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
    """Score all articles once, and say how many there were and what scoring took, without reading them."""
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


def peak_megabytes() -> float:
    """Return the most memory that this process has held."""
    status = Path("/proc/self/status")  # where there is one: ru_maxrss counts the parent's memory at the fork, too
    found = re.search(r"^VmHWM:\s*(\d+) kB", status.read_text("utf-8"), re.MULTILINE) if status.exists() else None
    return int(found[1]) / 2**10 if found else megabytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def megabytes(maxrss: int) -> float:
    """Return `ru_maxrss`, which is in bytes on macOS and in kilobytes elsewhere, in megabytes."""
    return maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def _unspun(depth: str, evidence: bool) -> Callable[[Path, str | None], Score]:
    def load(work: Path, model: str | None) -> Score:
        from unspun.model.bundle import BundleError
        from unspun.model.detector import Detector

        try:
            detector = Detector.load(model)
        except BundleError as error:
            raise BenchmarkError(str(error)) from error
        try:
            detector.score_many([], depth=depth)
        except ValueError as error:
            raise UnavailableError(str(error)) from error
        return lambda texts: [
            verdict.to_json() for verdict in detector.score_many(texts, depth=depth, evidence=evidence)
        ]

    return load


def _tokens(work: Path, model: str | None) -> Score:
    find = re.compile(r"\w+|[^\w\s]").findall
    return lambda texts: [find(text) for text in texts]


def _trained(name: str) -> Callable[[Path, str | None], Score]:
    def load(work: Path, model: str | None) -> Score:
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


def _encoder(work: Path, model: str | None) -> Score:
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
    """Return numbers below PIECES for parts of words, as many as a vocabulary of word pieces would make: 1.3 a word."""
    return [zlib.crc32(part.encode()) % PIECES for part in re.findall(r"\w{1,6}|[^\w\s]", text)]


def windows(ids: Sequence[int]) -> list[list[int]]:
    """Return all pieces in windows of WINDOW, with a mark at each end. The last one is as short as it is."""
    size = WINDOW - 2
    return [[0, *ids[start : start + size], 2] for start in range(0, max(len(ids), 1), size)]


TRAINED = {"tfidf": _tfidf_steps, "characters": _characters_steps}
"""Contenders that are trained here, and the steps of their scikit-learn pipelines."""
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
"""Ends the name of a contender that is run in the other checkout."""


def _title(name: str) -> str:
    return CONTENDERS[name.removesuffix(BASELINE)].title + (", baseline" if name.endswith(BASELINE) else "")


def summarise(runs: dict[str, list[Run]]) -> dict[str, dict[str, Any]]:
    """Return the figures of each contender: medians over all passes of all its runs, and ratios of words a second.

    A ratio is None where the contender that it is taken to did not run. Peak memory is the most of any run.
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
    from unspun.service.render.evaluation import draw, plain_console
    from unspun.training.reporting.tables import tables

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
        f"over {results['rounds']} processes, {results['passes']} passes of each. words/s: of CPU time, all threads. "
        "start: imports, loading and the first two texts, short ones."
    )
    drawn = draw(tables({"note": note, "rows": rows}), plain_console()).rstrip("\n")
    return "\n".join([drawn, *(f"{_title(name)}: {why}" for name, why in results["skipped"].items())])


def _figures(value: float | None) -> str:
    """Return a number with three figures, or more where it is larger."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main())

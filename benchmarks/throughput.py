"""How fast is unspun on one core, and how much memory does it take, beside TF-IDF with logistic regression?

    python -m benchmarks.throughput [--articles N] [--corpus PATH] [--model BUNDLE]

The alternative is what a user would pick: scikit-learn's TfidfVectorizer over words and pairs of words, and a
logistic regression, trained here on the same articles. Every contender runs in processes of its own, in turn,
with one thread; what counts is CPU time, of all threads, so that neither a second core nor another program
helps or harms. Figures are medians over all passes of all rounds.

Without --corpus the articles are sentences of `seeds/examples`, shuffled: so few different words that tables
stay in the processor's caches, and all come out faster than on a real collection. Give one to measure on it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).parents[1] / "seeds" / "examples"
SEED = 20221114
ARTICLE_WORDS = 800
SHORTEST = 60
BATCH = 64
"""Texts given to a contender at a time."""

BASELINE = "TF-IDF (1-2 grams) + logistic regression"
UNSPUN = {
    "auto": ("unspun", "auto", True),
    "auto_verdict": ("unspun, no evidence", "auto", False),
    "fast": ("unspun, fast tier", "fast", True),
    "fast_verdict": ("unspun, fast tier, no evidence", "fast", False),
}
"""Contenders of our own: their title, the depth, and whether evidence is found."""
CONTENDERS = {**{name: title for name, (title, _, _) in UNSPUN.items()}, "baseline": BASELINE}
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)

Score = Callable[[Sequence[str]], Any]


class BenchmarkError(Exception):
    """The benchmark cannot run; the message says why, in one line."""


def main() -> int:
    """Run the benchmark, or one contender of it; return the exit status."""
    options = _options()
    try:
        if options.child is not None:
            print(json.dumps(_child(options.child, options.work, options.model, options.passes)))
        else:
            print(_report(options))
    except (BenchmarkError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks.throughput", description=__doc__.split("\n\n")[0])
    parser.add_argument("--articles", type=int, default=400, metavar="N", help="how many (default: 400)")
    parser.add_argument("--corpus", type=Path, metavar="PATH", help="labelled file or folder to take them from")
    parser.add_argument("--model", metavar="BUNDLE", help="folder of the model (default: the one that ships)")
    parser.add_argument("--rounds", type=int, default=3, help="processes of each contender (default: 3)")
    parser.add_argument("--passes", type=int, default=3, help="times each reads the articles (default: 3)")
    parser.add_argument("--child", choices=[*CONTENDERS, "train"], help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.articles < 2 or min(options.rounds, options.passes) < 1:
        parser.error("--articles is at least 2, --rounds and --passes are at least 1")
    return options


def _report(options: argparse.Namespace) -> str:
    """Run all contenders, and return the table."""
    articles = (
        from_examples(options.articles) if options.corpus is None else from_corpus(options.corpus, options.articles)
    )
    if len(articles) < 2:
        raise BenchmarkError(f"{options.corpus}: fewer than two texts of {SHORTEST} words and more")
    words = sum(len(text.split()) for text, _ in articles)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "articles.json").write_text(json.dumps(articles), "utf-8")
        trained = _run("train", work, options)
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in CONTENDERS}
        for _ in range(options.rounds):
            for name in CONTENDERS:
                runs[name].append(_run(name, work, options))
    return _table(runs, words, len(articles), trained)


def from_examples(count: int) -> list[tuple[str, bool]]:
    """Return articles of shuffled example sentences, and whether they are spun: every other one is."""
    generator = random.Random(SEED)
    sentences = {
        spun: [
            sentence
            for path in sorted((EXAMPLES / ("spun" if spun else "human")).glob("*.txt"))
            for sentence in re.split(r"(?<=[.!?])\s+", path.read_text("utf-8"))
        ]
        for spun in (False, True)
    }
    return [(_shuffled(sentences[spun], generator), spun) for spun in (i % 2 == 1 for i in range(count))]


def _shuffled(sentences: Sequence[str], generator: random.Random) -> str:
    chosen: list[str] = []
    words = 0
    while words < ARTICLE_WORDS:
        chosen.append(generator.choice(sentences))
        words += len(chosen[-1].split())
    paragraphs = [" ".join(chosen[i : i + 5]) for i in range(0, len(chosen), 5)]
    return "\n\n".join(paragraphs)


def from_corpus(path: Path, count: int) -> list[tuple[str, bool]]:
    """Return texts of 60 words and more drawn from labelled files, and whether they are machine-made.

    As many of both as there are. Where all are of one label, every other one is called the other: how fast a
    classifier answers does not depend on what it learnt.
    """
    from training.corpora import read_labelled

    generator = random.Random(SEED)
    texts: dict[bool, list[str]] = {False: [], True: []}
    for text in read_labelled([path], None):
        if len(text.text.split()) >= SHORTEST:
            texts[text.label != "human"].append(text.text)
    for side in texts.values():
        generator.shuffle(side)
    if not (texts[False] and texts[True]):
        both = (texts[False] or texts[True])[:count]
        return [(text, i % 2 == 1) for i, text in enumerate(both)]
    half = min(count // 2, len(texts[True]))
    drawn = [(text, True) for text in texts[True][:half]]
    drawn += [(text, False) for text in texts[False][: count - half]]
    generator.shuffle(drawn)
    return drawn


def _run(child: str, work: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Run one contender in a process of its own, and return what it measured."""
    command = [sys.executable, "-m", "benchmarks.throughput", "--child", child, "--work", str(work)]
    command += ["--passes", str(options.passes)]
    command += [] if options.model is None else ["--model", options.model]
    done = subprocess.run(command, env={**os.environ, **ONE_THREAD}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"{child} failed")
    return dict(json.loads(done.stdout))


def _child(name: str, work: Path, model: str | None, passes: int) -> dict[str, Any]:
    """Be one contender: load, read the articles several times, and say what it took."""
    articles = [(text, spun) for text, spun in json.loads((work / "articles.json").read_text("utf-8"))]
    if name == "train":
        return _train(articles, work)
    texts = [text for text, _ in articles]
    started = time.perf_counter()
    score = _load_baseline(work) if name == "baseline" else _load_unspun(model, *UNSPUN[name][1:])
    loaded = time.perf_counter() - started
    score(texts[:8])  # what is made at the first call is not the articles' cost
    timed = [_timed(score, texts) for _ in range(passes)]
    return {
        "start": loaded,
        "cpu": [cpu for cpu, _ in timed],
        "wall": [wall for _, wall in timed],
        "memory": _peak_megabytes(),
    }


def _timed(score: Score, texts: Sequence[str]) -> tuple[float, float]:
    """Return the CPU and the wall seconds of scoring all texts."""
    cpu, wall = time.process_time(), time.perf_counter()
    for batch in _batches(texts):
        score(batch)
    return time.process_time() - cpu, time.perf_counter() - wall


def _batches(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(texts), BATCH):
        yield texts[start : start + BATCH]


def _load_unspun(model: str | None, depth: str, evidence: bool) -> Score:
    from model.bundle import BundleError
    from model.detector import Detector

    try:
        detector = Detector.load(model)
    except BundleError as error:
        raise BenchmarkError(str(error)) from error
    return lambda texts: [verdict.to_json() for verdict in detector.score_many(texts, depth=depth, evidence=evidence)]


def _train(articles: Sequence[tuple[str, bool]], work: Path) -> dict[str, Any]:
    import joblib
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    started = time.perf_counter()
    pipeline = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(max_iter=1000))
    pipeline.fit([text for text, _ in articles], [spun for _, spun in articles])
    joblib.dump(pipeline, work / "baseline.joblib")
    return {"seconds": time.perf_counter() - started, "terms": len(pipeline[0].vocabulary_)}


def _load_baseline(work: Path) -> Score:
    import joblib

    pipeline = joblib.load(work / "baseline.joblib")
    return lambda texts: pipeline.predict_proba(texts).tolist()


def _peak_megabytes() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak) / (2**20 if sys.platform == "darwin" else 2**10)


def _table(runs: dict[str, list[dict[str, Any]]], words: int, articles: int, trained: dict[str, Any]) -> str:
    from service.render.evaluation import draw, plain_console
    from training.tables import tables

    speeds = {name: [words / cpu for run in of for cpu in run["cpu"]] for name, of in runs.items()}
    baseline = statistics.median(speeds["baseline"])
    rows = [
        {
            "on one core": CONTENDERS[name],
            "words/s": round(statistics.median(speeds[name])),
            "slowest-fastest": f"{min(speeds[name]):,.0f}-{max(speeds[name]):,.0f}",
            "ratio": f"{statistics.median(speeds[name]) / baseline:.2f}",
            "by the clock": round(words / statistics.median(wall for run in of for wall in run["wall"])),
            "start, s": f"{statistics.median(run['start'] for run in of):.2f}",
            "peak MB": round(max(run["memory"] for run in of)),
        }
        for name, of in runs.items()
    ]
    passes = len(speeds["baseline"])
    note = (
        f"{articles:,} articles, {words:,} words, {passes} passes each. words/s: of CPU time, all threads. "
        "start: imports and loading. "
        f"{BASELINE}: {trained['terms']:,} terms, trained in {trained['seconds']:.1f} s."
    )
    return draw(tables({"note": note, "rows": rows}), plain_console()).rstrip("\n")


if __name__ == "__main__":
    sys.exit(main())

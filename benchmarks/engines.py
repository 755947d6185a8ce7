"""Do Spark, Ray, Hugging Face datasets and datatrove give the same verdicts as `unspun score`?

    python -m benchmarks.engines                          # all engines, 500 texts
    python -m benchmarks.engines --engines spark ray      # some of them

Every engine scores the same texts with two workers of its own: articles of 40 to 500 words, made of seeds/examples, and
a few that cannot be judged. The command compares the whole verdicts, byte for byte, and exits with status 1 if one
differs. `make engines-extra` installs Spark and Ray; Spark also needs Java.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from itertools import chain, cycle, islice
from pathlib import Path
from typing import Any

from benchmarks.common import ONE_THREAD, BenchmarkError, drawn, example_articles, last_line, make_parser, run_main

LENGTHS = (40, 120, 250, 500)
"""Words of the articles. The first are too short to be judged."""
ODD = (
    "\u200b\n",
    "Short.",
    "Die Fähre verließ den Hafen bei Tagesanbruch, und die Kinder winkten ihr vom Ufer aus nach. " * 8,
    "THE FERRY LEFT THE HARBOUR AT DAWN, AND THE CHILDREN WAVED TO IT FROM THE SHORE UNTIL IT WAS GONE. " * 6,
    "The fer\u200bry left the har\u200bbour at dawn, and the chil\u200bdren waved to it from the shore. " * 6,
    "- milk\n- bread\n- butter\n- eggs\n" * 20,
    "A café in Zürich 🙂 served “crêpes” — fifty of them — to the crew of the old ferry that morning. " * 6,
)
WORKERS = 2
Verdicts = dict[str, str]
"""The JSON of each verdict by the id of its text."""


def texts(count: int) -> list[tuple[str, str]]:
    """Return ids and texts, always the same ones: every other article is spun."""
    series = [example_articles(words=words) for words in LENGTHS]
    articles: Iterator[str] = (next(one)[0] for one in cycle(series))
    return [(f"text-{number:04}", text) for number, text in enumerate(islice(chain(ODD, articles), count))]


def from_command(rows: Sequence[tuple[str, str]], folder: Path) -> Verdicts:
    """Return the verdicts of `unspun score`."""
    file = folder / "texts.jsonl"
    file.write_text("".join(json.dumps({"id": id, "text": text}) + "\n" for id, text in rows), "utf-8")
    command = [sys.executable, "-m", "unspun", "score", str(file), "--format", "jsonl", "--quiet"]
    done = subprocess.run(command, env={**os.environ, **ONE_THREAD}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"unspun score: {last_line(done.stderr)}")
    return {json.loads(line)["id"]: line for line in done.stdout.splitlines()}


def from_spark(rows: Sequence[tuple[str, str]], folder: Path) -> Verdicts:
    """Return the verdicts of `mapInPandas` in a local Spark."""
    from pyspark.sql import SparkSession

    from unspun.service.frames import SCHEMA, score_frames

    os.environ["PYSPARK_PYTHON"] = sys.executable
    spark = (
        SparkSession.builder.master(f"local[{WORKERS}]")
        .config("spark.ui.enabled", False)
        # Its start is most of the work here, and is quicker without the optimising compiler.
        .config("spark.driver.extraJavaOptions", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        .config("spark.ui.showConsoleProgress", False)
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.warehouse.dir", str(folder / "spark"))
        .getOrCreate()
    )
    try:
        articles = spark.createDataFrame(list(rows), "id string, text string").repartition(2 * WORKERS)
        return {row["id"]: row["json"] for row in articles.mapInPandas(score_frames, SCHEMA).collect()}
    finally:
        spark.stop()


def from_ray(rows: Sequence[tuple[str, str]], folder: Path) -> Verdicts:
    """Return the verdicts of `map_batches` in a local Ray."""
    import ray

    from unspun.service.frames import score_frame

    ray.init(num_cpus=WORKERS, include_dashboard=False, logging_level="error", log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    try:
        articles = ray.data.from_items([{"id": id, "text": text} for id, text in rows])
        verdicts = articles.map_batches(score_frame, batch_format="pandas", batch_size=64)
        return {row["id"]: row["json"] for row in verdicts.take_all()}
    finally:
        ray.shutdown()


def from_datasets(rows: Sequence[tuple[str, str]], folder: Path) -> Verdicts:
    """Return the verdicts of `Dataset.map` in two processes."""
    from datasets import Dataset, disable_progress_bars

    from unspun.service.datasets import ScoreRows

    disable_progress_bars()
    articles = Dataset.from_list([{"id": id, "text": text} for id, text in rows])
    verdicts = articles.map(ScoreRows(), batched=True, batch_size=64, num_proc=WORKERS)
    return dict(zip(verdicts["id"], verdicts["unspun_json"], strict=True))


def from_datatrove(rows: Sequence[tuple[str, str]], folder: Path) -> Verdicts:
    """Return the verdicts of a pipeline with UnspunFilter in two processes, from the kept and the dropped documents.

    Raises BenchmarkError if a document is on the wrong side.
    """
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.readers import ParquetReader
    from datatrove.pipeline.writers import ParquetWriter
    from pyarrow import Table, parquet

    from unspun.service.datatrove import UnspunFilter

    (folder / "texts").mkdir()
    for task in range(WORKERS):
        shard = [{"id": id, "text": text} for id, text in rows[task::WORKERS]]
        parquet.write_table(Table.from_pylist(shard), folder / "texts" / f"{task}.parquet")
    dropped = ParquetWriter(str(folder / "dropped"))
    pipeline = [
        ParquetReader(str(folder / "texts")),
        UnspunFilter(exclusion_writer=dropped, evidence=True, keep_json=True, batch_size=64),
        ParquetWriter(str(folder / "kept")),
    ]
    LocalPipelineExecutor(pipeline, tasks=WORKERS, logging_dir=str(folder / "logs")).run()
    found: Verdicts = {}
    for side in ("kept", "dropped"):
        for row in parquet.read_table(folder / side).to_pylist():
            if (row["metadata"]["unspun_verdict"] == "paraphrased") != (side == "dropped"):
                raise BenchmarkError(f"datatrove: {row['id']} was {side}, but is {row['metadata']['unspun_verdict']}")
            found[row["id"]] = row["metadata"]["unspun_json"]
    return found


ENGINES: dict[str, tuple[str, Callable[[Sequence[tuple[str, str]], Path], Verdicts]]] = {
    "spark": ("pyspark", from_spark),
    "ray": ("ray", from_ray),
    "datasets": ("datasets", from_datasets),
    "datatrove": ("datatrove", from_datatrove),
}
"""The package of each engine, and what scores with it."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = make_parser("benchmarks.engines", __doc__, "--json")
    made.add_argument("--texts", type=int, default=500, metavar="N", help="number of texts (default: %(default)s)")
    made.add_argument(
        "--engines", nargs="+", choices=ENGINES, default=list(ENGINES), metavar="NAME", help="engines (default: all)"
    )
    return made


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Return for each engine how many verdicts are the same as those of `unspun score`, and which are not."""
    rows = texts(options.texts)
    engines: list[dict[str, Any]] = []
    broken: list[str] = []
    with tempfile.TemporaryDirectory() as temporary:
        expected = from_command(rows, Path(temporary))
        for name in options.engines:
            package, score = ENGINES[name]
            try:
                release = version(package)
            except PackageNotFoundError:
                raise BenchmarkError(f"{name} is not installed: pip install '.[{name}]'") from None
            folder = Path(temporary) / name
            folder.mkdir()
            started = time.monotonic()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the engines' own, about each other's versions
                found = score(rows, folder)
            seconds = time.monotonic() - started
            differing = [id for id, _ in rows if found.get(id) != expected[id]]
            broken += [f"{name}: another verdict on {id}" for id in differing]
            same = len(rows) - len(differing)
            engines.append(
                {"engine": name, "version": release, "texts": len(found), "same verdicts": same, "seconds": seconds}
            )
    counts: dict[str, int] = {}
    for line in expected.values():
        word = json.loads(line)["verdict"]
        counts[word] = counts.get(word, 0) + 1
    return {"verdicts": counts, "engines": engines, "broken": broken}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and return the exit status."""
    return run_main(
        parser().parse_args(arguments),
        measure,
        lambda results: drawn({name: value for name, value in results.items() if name != "broken"}),
    )


if __name__ == "__main__":
    sys.exit(main())

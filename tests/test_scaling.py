"""benchmarks/scaling.py: the measurements and their comparison; the figures depend on the machine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import pytest

from benchmarks.scaling import is_constant, seconds_per_word, summarise, write_collection

ROOT = Path(__file__).parents[1]


def test_a_collection_ends_with_the_text_that_reaches_its_size() -> None:
    lines: list[str] = []
    documents, words = write_collection(lines.append, (f"text number {i}" for i in count()), 1000)
    sizes = [len(line.encode()) for line in lines]
    assert sum(sizes[:-1]) < 1000 <= sum(sizes)
    assert (documents, words) == (len(lines), 3 * len(lines))


def test_the_articles_of_a_collection_have_unique_ids() -> None:
    lines: list[str] = []
    write_collection(lines.append, ("same",) * 3, 1000)
    assert [json.loads(line) for line in lines] == [{"id": f"article-{i}", "text": "same"} for i in range(3)]


def test_the_time_per_word_is_measured_for_a_second() -> None:
    def score(texts: Sequence[str]) -> int:
        return 10 * len(texts)

    ticks = count()  # each reading of the clock is a quarter of a second later
    assert seconds_per_word(score, iter([["a", "b"]] * 100), lambda: next(ticks) / 4) == 0.25 / 20
    assert next(ticks) == 8  # four of the hundred batches


def test_the_start_is_subtracted_from_the_time_of_a_collection() -> None:
    row = {"cpu": 5.0, "words": 1000, "memory": 100.0}
    results = summarise({"start": {"cpu": 1.0}, "collections": [row]})
    assert results["collections"][0]["per_word"] == 0.004


def test_figures_are_divided_by_their_median_over_all_sizes() -> None:
    rows = [{"alone": alone, "memory": 100.0} for alone in (8.0, 1.0, 2.0)]
    assert [row["alone_ratio"] for row in summarise({"articles": rows})["articles"]] == [4.0, 0.5, 1.0]


def test_articles_measured_only_one_at_a_time_have_no_other_ratio() -> None:
    rows = [{"alone": 1.0, "together": 2.0, "memory": 1.0}, {"alone": 1.0, "memory": 1.0}]
    first, second = summarise({"articles": rows})["articles"]
    assert first["together_ratio"] == 1.0
    assert "together_ratio" not in second


@pytest.mark.parametrize(("ratio", "constant"), [(0.79, False), (0.81, True), (1.0, True), (1.19, True), (1.21, False)])
def test_a_ratio_within_a_fifth_of_one_is_constant(ratio: float, constant: bool) -> None:
    assert is_constant(ratio) is constant


def test_single_articles_are_reported_in_a_table_and_a_file(tmp_path: Path) -> None:
    report = tmp_path / "scaling.json"
    command = [sys.executable, "-m", "benchmarks.scaling", "--only", "articles", "--words", "100", "--no-evidence"]
    done = subprocess.run([*command, "--json", report], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    (row,) = json.loads(report.read_text())["articles"]
    assert row["length"] == 100
    assert row["read"] >= 100
    assert {"alone", "together", "memory"} <= row.keys()
    assert "--depth fast, without evidence" in done.stdout


def test_collections_are_scored_by_the_command_line(tmp_path: Path) -> None:
    report = tmp_path / "scaling.json"
    command = [sys.executable, "-m", "benchmarks.scaling", "--only", "collections", "--megabytes", "0.1"]
    done = subprocess.run([*command, "--json", report], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    results = json.loads(report.read_text())
    assert [row["megabytes"] for row in results["collections"]] == [0.1]
    assert results["start"]["documents"] == 1
    assert results["collections"][0]["documents"] > 20


def test_a_model_that_cannot_be_loaded_is_reported_on_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.scaling", "--megabytes", "1", "--model", tmp_path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert str(tmp_path) in done.stderr

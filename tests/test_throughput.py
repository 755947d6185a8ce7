"""benchmarks/throughput.py and the texts in benchmarks/common.py; the speeds depend on the machine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from benchmarks import common
from benchmarks.common import ARTICLE_WORDS, example_articles, from_corpus, from_crawl, from_examples
from benchmarks.encoders import PIECES, WINDOW, pieces, windows
from benchmarks.throughput import summarise

ROOT = Path(__file__).parents[1]
CRAWLED = (
    ("brown_nonfiction", "human", None, 20),
    ("imdb_reviews", "human", None, 3),
    ("bbc_news", "human", None, 20),
    ("imdb_reviews", "spun", "PWWS", 5),
)
"""Sources of a crawl: label, tool and number of texts."""


def write(path: Path, labels: list[str], words: int = 60) -> None:
    records = ({"text": f"{label}{i} " * words, "label": label} for i, label in enumerate(labels))
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def benchmark(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.throughput", "--examples", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def run(*cpu: float, words: int = 100, start: float = 1.0, memory: float = 50.0) -> dict[str, Any]:
    passes = [{"articles": 2, "words": words, "cpu": seconds, "wall": 2 * seconds} for seconds in cpu]
    return {"start": start, "process": start + cpu[0], "passes": passes, "memory": memory}


def test_example_articles_are_the_same_every_time() -> None:
    assert from_examples(4) == from_examples(4)


@pytest.mark.parametrize(("every", "spun"), [(2, [1, 3, 5]), (5, [4])])
def test_every_nth_example_article_is_spun_and_all_are_long(every: int, spun: list[int]) -> None:
    articles = from_examples(6, every)
    assert [i for i, (_, is_spun) in enumerate(articles) if is_spun] == spun
    assert all(len(text.split()) >= ARTICLE_WORDS for text, _ in articles)


def test_example_articles_have_the_requested_length_and_differ() -> None:
    texts = [text for text, _ in islice(example_articles(words=1000), 10)]
    assert all(1000 <= len(text.split()) < 1100 for text in texts)
    assert len(set(texts)) == 10


def test_a_corpus_gives_the_same_number_of_both_labels(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", ["human"] * 30 + ["spun"] * 10)
    articles = from_corpus(tmp_path, 12)
    assert sorted(spun for _, spun in articles) == [False] * 6 + [True] * 6
    assert all(text.startswith("spun") == spun for text, spun in articles)


def test_a_crawl_is_drawn_from_several_corpora(tmp_path: Path) -> None:
    write(tmp_path / "human.jsonl", ["human"] * 50)
    write(tmp_path / "spun.jsonl", ["spun"] * 50)
    articles = from_corpus([tmp_path / "human.jsonl", tmp_path / "spun.jsonl"], 40, every=20)
    assert sorted(spun for _, spun in articles) == [False] * 38 + [True] * 2


def test_a_corpus_with_one_label_is_given_both(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", ["human"] * 30)
    assert [spun for _, spun in from_corpus(tmp_path, 4)] == [False, True, False, True]


def test_a_crawl_is_drawn_from_every_source_in_turn_and_never_from_texts_that_models_learn_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [
        {"text": f"{source} {i} " * 60, "label": label, "source": source, "tool": tool}
        # Roles are in training/corpora/roles.toml: two sources to calibrate with, a tool to test on, one to train on.
        for source, label, tool, number in CRAWLED
        for i in range(number)
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    monkeypatch.setattr(common, "CORPORA", tmp_path)
    articles = from_crawl(8, every=4)
    assert Counter((text.split()[0], spun) for text, spun in articles) == {
        ("brown_nonfiction", False): 3,
        ("imdb_reviews", False): 3,
        ("imdb_reviews", True): 2,
    }


def test_short_texts_are_skipped(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", ["human", "spun"], words=59)
    assert from_corpus(tmp_path, 4) == []


def test_speeds_are_medians_over_the_passes_of_all_processes() -> None:
    own = summarise({"tokens": [run(1.0, 4.0), run(2.0)]})["tokens"]
    assert (own["slowest"], own["words_per_second"], own["fastest"]) == (25.0, 50.0, 100.0)
    assert own["articles_per_second"] == 1.0
    assert own["words_per_second_by_the_clock"] == 25.0


def test_start_is_the_median_of_the_processes_and_memory_their_peak() -> None:
    runs = [run(1.0, start=start, memory=memory) for start, memory in ((1.0, 50.0), (9.0, 80.0), (2.0, 60.0))]
    own = summarise({"tokens": runs})["tokens"]
    assert (own["start_seconds"], own["peak_megabytes"]) == (2.0, 80.0)


def test_the_speed_with_start_is_that_of_a_whole_process() -> None:
    assert summarise({"tokens": [run(1.0, start=3.0)]})["tokens"]["words_per_second_with_start"] == 25.0


def test_ratios_compare_words_per_second_even_if_the_tools_read_different_texts() -> None:
    own = summarise({"fast": [run(1.0, words=900)], "encoder": [run(1.0, words=3)]})
    assert own["fast"]["times_encoder"] == 300.0
    assert own["encoder"]["times_encoder"] == 1.0


def test_there_is_no_ratio_to_a_tool_that_did_not_run() -> None:
    assert summarise({"fast": [run(1.0)]})["fast"]["times_tfidf"] is None


def test_the_encoder_reads_a_whole_text_in_windows_that_are_full_except_the_last() -> None:
    ids = list(range(3, 1203))
    cut = windows(ids)
    assert [len(window) for window in cut] == [WINDOW, WINDOW, 1200 - 2 * (WINDOW - 2) + 2]
    assert [piece for window in cut for piece in window[1:-1]] == ids


def test_a_text_without_pieces_makes_one_empty_window() -> None:
    assert windows(pieces(" ")) == [[0, 2]]


def test_a_text_has_about_as_many_pieces_as_with_a_real_vocabulary() -> None:
    ((text, _),) = islice(example_articles(), 1)
    found = pieces(text)
    assert 1.2 < len(found) / len(text.split()) < 1.4
    assert 0 <= min(found) <= max(found) < PIECES


def test_tools_run_in_turn_and_are_reported_in_a_table_and_a_file(tmp_path: Path) -> None:
    report = tmp_path / "speed.json"
    done = benchmark("--articles", 2, "--mix", 2, "--rounds", 2, "--only", "tokens", "tfidf", "--json", report)
    assert (done.returncode, done.stderr) == (0, "")
    [mix] = json.loads(report.read_text())["mixes"]
    assert list(mix["contenders"]) == ["tokens", "tfidf"]
    words = sum(len(text.split()) for text, _ in from_examples(2))
    assert {own["words"] for own in mix["contenders"].values()} == {mix["words"]} == {words}
    assert "tokens by a regular expression" in done.stdout
    assert "TF-IDF" in done.stdout


def test_every_mix_has_a_table_of_its_own() -> None:
    done = benchmark("--articles", 4, "--mix", 4, 2, "--rounds", 1, "--only", "tokens")
    assert [line.split("; ")[1] for line in done.stdout.splitlines() if "articles, " in line] == [
        "1 paraphrased, one in 4. Reading JSON lines, scoring and writing JSON",
        "2 paraphrased, one in 2. Reading JSON lines, scoring and writing JSON",
    ]


def test_another_checkout_is_timed_on_the_same_articles(tmp_path: Path) -> None:
    file = tmp_path / "speed.json"
    options = ("--articles", 2, "--mix", 2, "--only", "fast", "tokens", "--rounds", 1, "--json", file)
    done = benchmark(*options, "--baseline", ROOT)
    assert "unspun, fast tier, baseline" in done.stdout, done.stderr
    figures = json.loads(file.read_text("utf-8"))["mixes"][0]["contenders"]
    assert list(figures) == ["fast", "tokens", "fast@baseline"]
    assert figures["fast"]["words"] == figures["fast@baseline"]["words"]


def test_peak_memory_does_not_include_the_parent_process() -> None:
    held = bytearray(200 * 2**20)
    held[::4096] = b"1" * len(held[::4096])  # untouched pages would not count
    command = [sys.executable, "-c", "from benchmarks.common import peak_megabytes; print(peak_megabytes())"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert 0 < float(done.stdout) < 150


def test_the_deep_tier_reads_only_the_first_articles(tmp_path: Path) -> None:
    report = tmp_path / "speed.json"
    options = ("--articles", 2, "--mix", 2, "--rounds", 1, "--only", "deep_verdict", "--deep-articles", 1)
    done = benchmark(*options, "--json", report)
    assert done.returncode == 0, done.stderr
    [mix] = json.loads(report.read_text())["mixes"]
    assert (mix["articles"], mix["contenders"]["deep_verdict"]["articles"]) == (2, 1)


def test_a_model_that_cannot_be_loaded_is_reported_on_one_line(tmp_path: Path) -> None:
    done = benchmark("--only", "fast", "--articles", 2, "--mix", 2, "--model", tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert str(tmp_path) in done.stderr


@pytest.mark.parametrize(
    ("option", "value"), [("--articles", "199"), ("--rounds", "0"), ("--encoder-articles", "0"), ("--mix", "0")]
)
def test_too_few_articles_or_processes_are_a_usage_error(option: str, value: str) -> None:
    assert benchmark(option, value).returncode == 2


def test_a_corpus_that_is_too_small_is_reported_on_one_line(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", ["human"] * 5)
    done = benchmark("--corpus", tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert str(tmp_path) in done.stderr

"""benchmarks/throughput.py: what is timed. How fast it is depends on the machine, and is not tested."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.throughput import ARTICLE_WORDS, from_corpus, from_examples


def write(path: Path, labels: list[str], words: int = 60) -> None:
    records = ({"text": f"{label}{i} " * words, "label": label} for i, label in enumerate(labels))
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def test_example_articles_are_the_same_every_time() -> None:
    assert from_examples(4) == from_examples(4)


def test_every_other_example_article_is_spun_and_all_are_long() -> None:
    articles = from_examples(4)
    assert [spun for _, spun in articles] == [False, True, False, True]
    assert all(len(text.split()) >= ARTICLE_WORDS for text, _ in articles)


def test_a_corpus_gives_as_much_of_both(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", ["human"] * 30 + ["spun"] * 10)
    articles = from_corpus(tmp_path, 12)
    assert sorted(spun for _, spun in articles) == [False] * 6 + [True] * 6
    assert all(text.startswith("spun") == spun for text, spun in articles)


def test_a_corpus_of_one_label_is_called_both(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", ["human"] * 30)
    assert [spun for _, spun in from_corpus(tmp_path, 4)] == [False, True, False, True]


def test_short_texts_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", ["human", "spun"], words=59)
    assert from_corpus(tmp_path, 4) == []

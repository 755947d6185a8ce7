"""training/language/phrases.py: lexicons become a table, weighed by how often people write each phrase."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests import tables as tiny
from unspun.model.signals.known_phrases import MAX_WORDS, PhraseTable
from unspun.training.language.phrases import CONTEXT_WEIGHT, MAX_WEIGHT, RARE, build_phrases, read_lexicons


def build(*pairs: tuple[str, str], human: tuple[str, ...] = tiny.SENTENCES) -> PhraseTable:
    return build_phrases(pairs, human, tiny.tables().vocabulary)


def row(phrases: PhraseTable, original: str) -> int:
    return phrases.originals.index(original)


def test_lexicons_are_read_in_order_of_file(tmp_path: Path) -> None:
    (tmp_path / "b.tsv").write_text("bosom peril\tbreast cancer\tmore\n", "utf-8")
    (tmp_path / "a.tsv").write_text("# a comment\nprofound learning\tdeep learning\n\nno tab\n", "utf-8")
    (tmp_path / "c.txt").write_text("x\ty\n", "utf-8")
    assert read_lexicons(tmp_path) == [("profound learning", "deep learning"), ("bosom peril", "breast cancer")]


@pytest.mark.parametrize(
    ("line", "pairs"),
    [
        ("haze figuring\tcloud computing (CC)", [("haze figuring", "cloud computing")]),  # an abbreviation
        ("colossal information\tbig data ?", [("colossal information", "big data")]),  # a doubt
        ("same\tsame", []),  # nothing replaced
        ("empty\t", []),  # no original
        ("only brackets\t(CC)", []),  # none left
    ],
)
def test_what_a_lexicon_adds_is_dropped(tmp_path: Path, line: str, pairs: list[tuple[str, str]]) -> None:
    (tmp_path / "a.tsv").write_text(line + "\n", "utf-8")
    assert read_lexicons(tmp_path) == pairs


def test_a_phrase_that_nobody_writes_has_weight() -> None:
    many = tiny.SENTENCES * 2000
    phrases = build(("counterfeit consciousness", "artificial intelligence"), human=many)
    assert CONTEXT_WEIGHT < phrases.weights[0] <= MAX_WEIGHT
    assert not phrases.in_context[0]


def test_a_phrase_that_people_write_counts_in_context_only() -> None:
    phrases = build(("the council", "the board"))
    assert phrases.in_context[0]
    assert phrases.weights[0] == pytest.approx(CONTEXT_WEIGHT)


def test_a_phrase_is_common_from_some_occurrences_on() -> None:
    human = ("The ferry was odd lemon.",) * RARE
    assert not build(("odd lemon", "lemon"), human=human).in_context[0]
    assert build(("odd lemon", "lemon"), human=(*human, human[0])).in_context[0]


def test_a_single_word_counts_in_context_only() -> None:
    assert build(("zither", "guitar")).in_context[0]


def test_of_several_originals_the_first_is_kept() -> None:
    assert build(("bosom peril", "breast cancer"), ("Bosom Peril", "chest danger")).originals == ("breast cancer",)


def test_a_phrase_that_differs_from_its_original_in_case_only_is_none() -> None:
    assert build(("the Internet", "the internet")).originals == ()


def test_a_phrase_that_is_too_long_is_left_out() -> None:
    assert build(("word " * (MAX_WORDS + 1), "x"), ("word " * MAX_WORDS, "y")).originals == ("y",)


def test_rows_are_in_order_of_length_and_key() -> None:
    phrases = build(("b c d", "x"), ("a b", "y"), ("e f", "z"), ("zither", "guitar"))
    assert phrases.lengths.tolist() == [1, 2, 2, 3]
    assert phrases.keys[1] < phrases.keys[2]


def test_the_ends_are_words_of_the_vocabulary() -> None:
    phrases = build(("old xylophone ship", "ferry"))
    ids = tiny.tables().vocabulary.ids_of_words
    assert phrases.ends.tolist() == [[ids["old"], ids["ship"], ids["ferry"], ids["ferry"]]]


def test_no_phrases_are_an_empty_table() -> None:
    phrases = build()
    assert phrases.ends.shape == (0, 4)
    assert phrases.keys.dtype == np.uint64

"""The table of known phrases: reading lexicons, and weighting phrases by how rarely people write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests import tables as tiny
from unspun.model.signals.known_phrases import MAX_WORDS, PhraseTable
from unspun.training.language import phrases as phrases_module
from unspun.training.language.phrases import CONTEXT_WEIGHT, MAX_WEIGHT, RARE, build_phrases, read_lexicons


def build(*pairs: tuple[str, str], human: tuple[str, ...] = tiny.SENTENCES) -> PhraseTable:
    return build_phrases(pairs, human, tiny.tables().vocabulary)


def row(phrases: PhraseTable, original: str) -> int:
    return phrases.originals.index(original)


def test_lexicons_are_read_in_order_of_file_name(tmp_path: Path) -> None:
    (tmp_path / "b.tsv").write_text("bosom peril\tbreast cancer\tmore\n", "utf-8")
    (tmp_path / "a.tsv").write_text("# a comment\nprofound learning\tdeep learning\n\nno tab\n", "utf-8")
    (tmp_path / "c.txt").write_text("x\ty\n", "utf-8")
    assert read_lexicons(tmp_path) == [("profound learning", "deep learning"), ("bosom peril", "breast cancer")]


@pytest.mark.parametrize(
    ("line", "pairs"),
    [
        ("haze figuring\tcloud computing (CC)", [("haze figuring", "cloud computing")]),  # an abbreviation
        ("colossal information\tbig data ?", [("colossal information", "big data")]),  # an uncertain original
        ("same\tsame", []),  # nothing replaced
        ("empty\t", []),  # no original
        ("only brackets\t(CC)", []),  # nothing is left
    ],
)
def test_notes_and_useless_rows_of_a_lexicon_are_ignored(
    tmp_path: Path, line: str, pairs: list[tuple[str, str]]
) -> None:
    (tmp_path / "a.tsv").write_text(line + "\n", "utf-8")
    assert read_lexicons(tmp_path) == pairs


def test_a_phrase_that_nobody_writes_is_strong_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phrases_module, "SPUN_RATE", 4e-3)  # as with much more human text
    phrases = build(("counterfeit consciousness", "artificial intelligence"), human=tiny.SENTENCES * 2)
    assert CONTEXT_WEIGHT < phrases.weights[0] <= MAX_WEIGHT
    assert not phrases.in_context[0]


def test_a_phrase_that_people_also_write_counts_in_context_only() -> None:
    phrases = build(("the council", "the board"))
    assert phrases.in_context[0]
    assert phrases.weights[0] == pytest.approx(CONTEXT_WEIGHT)


def test_a_phrase_is_common_after_several_occurrences() -> None:
    human = ("The ferry was odd lemon.",) * RARE
    assert not build(("odd lemon", "lemon"), human=human).in_context[0]
    assert build(("odd lemon", "lemon"), human=(*human, human[0])).in_context[0]


def test_a_single_word_counts_in_context_only() -> None:
    assert build(("zither", "guitar")).in_context[0]


def test_the_first_of_several_originals_is_kept() -> None:
    assert build(("bosom peril", "breast cancer"), ("Bosom Peril", "chest danger")).originals == ("breast cancer",)


def test_a_phrase_that_differs_from_its_original_only_in_case_is_ignored() -> None:
    assert build(("the Internet", "the internet")).originals == ()


def test_a_phrase_that_is_too_long_is_ignored() -> None:
    assert build(("word " * (MAX_WORDS + 1), "x"), ("word " * MAX_WORDS, "y")).originals == ("y",)


def test_rows_are_sorted_by_length_and_key() -> None:
    phrases = build(("b c d", "x"), ("a b", "y"), ("e f", "z"), ("zither", "guitar"))
    assert phrases.lengths.tolist() == [1, 2, 2, 3]
    assert phrases.keys[1] < phrases.keys[2]


def test_the_ends_are_words_of_the_vocabulary() -> None:
    phrases = build(("old xylophone ship", "ferry"))
    ids = tiny.tables().vocabulary.ids_of_words
    assert phrases.ends.tolist() == [[ids["old"], ids["ship"], ids["ferry"], ids["ferry"]]]


def test_without_phrases_the_table_is_empty() -> None:
    phrases = build()
    assert phrases.ends.shape == (0, 4)
    assert phrases.keys.dtype == np.uint64

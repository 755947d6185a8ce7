"""model/comparing/align.py: which words of a paraphrase replace which words of its original."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import cases, why
from unspun.model.comparing.align import AlignedPair, align, substitutions

# Short words from a small set, so that random texts have words in common; then anything Unicode has.
words = st.sampled_from(["the", "cat", "sat", "on", "a", "mat,", "isn't", "U.S.", "1,000.5", "—", "it’s"])
sentences = st.lists(words).map(" ".join)
texts = st.one_of(sentences, st.text())


@pytest.mark.parametrize("case", cases("model/alignments.toml"), ids=why)
def test_substitutions(case: dict[str, Any]) -> None:
    found = substitutions(case["original"], case["paraphrase"])
    assert [f"{pair.text.lower()} <- {pair.original_text.lower()}" for pair in found] == case["substitutions"]


@given(texts, texts)
def test_spans_match_their_text(original: str, paraphrase: str) -> None:
    for pair in align(original, paraphrase):
        assert original[pair.original_start : pair.original_end] == pair.original_text
        assert paraphrase[pair.start : pair.end] == pair.text


@given(texts, texts)
def test_pairs_are_in_order_in_both_texts(original: str, paraphrase: str) -> None:
    pairs = align(original, paraphrase)
    for before, after in pairwise(pairs):
        assert before.original_end <= after.original_start
        assert before.end <= after.start


@given(texts, texts)
def test_every_letter_is_in_a_pair(original: str, paraphrase: str) -> None:
    pairs = align(original, paraphrase)
    assert _uncovered_letters(original, [(pair.original_start, pair.original_end) for pair in pairs]) == ""
    assert _uncovered_letters(paraphrase, [(pair.start, pair.end) for pair in pairs]) == ""


@given(texts)
def test_a_text_equals_itself(text: str) -> None:
    assert {pair.change for pair in align(text, text)} <= {"equal"}


@given(texts, texts)
def test_alignment_is_deterministic(original: str, paraphrase: str) -> None:
    assert align(original, paraphrase) == align(original, paraphrase)


def test_inflections_are_included_on_request() -> None:
    found = substitutions("He walks home.", "He walked home.", inflections=True)
    assert found == [AlignedPair(3, 8, "walks", 3, 9, "walked", "inflected")]


def test_phrases_longer_than_the_limit_are_left_out() -> None:
    assert substitutions("Her vision won.", "Her imaginative and prescient won.", max_words=2) == []


def test_a_passage_without_a_word_in_common_is_rewritten() -> None:
    original = " ".join(f"left{letter}" for letter in "abcdefghijklmnopqrstuvwxyzäöüßéèêáàâ")
    paraphrase = original.replace("left", "right")
    assert [pair.change for pair in align(original, paraphrase)] == ["rewritten"]


def _uncovered_letters(text: str, spans: list[tuple[int, int]]) -> str:
    covered = bytearray(len(text))
    for start, end in spans:
        covered[start:end] = b"\x01" * (end - start)
    return "".join(letter for at, letter in enumerate(text) if letter.isalpha() and not covered[at])

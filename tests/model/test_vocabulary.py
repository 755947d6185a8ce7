"""model/language/vocabulary.py: every token of a batch gets the id of its word."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import cases
from unspun.model.language.vocabulary import BOUNDARY, NUMBER, SENTENCE_ENDS, SLOT_BITS, SPECIALS, UNKNOWN, Vocabulary
from unspun.model.text.document import Documents

WORDS = ("the", "cat", "don't", "naïve", ",", "ß")
VOCABULARY = Vocabulary((*SPECIALS, *WORDS), np.zeros(len(SPECIALS) + len(WORDS), np.float32))


def names(text: str, vocabulary: Vocabulary = VOCABULARY) -> list[str]:
    return [vocabulary.words[i] for i in vocabulary.ids(Documents.parse([text]))]


@pytest.mark.parametrize("case", cases("model/vocabulary.toml"), ids=lambda case: case["text"])
def test_tokens_are_looked_up(case: dict[str, Any]) -> None:
    assert names(case["text"]) == case["words"]


@pytest.mark.parametrize("mark", SENTENCE_ENDS)
def test_the_end_of_a_sentence_is_a_boundary(mark: str) -> None:
    assert VOCABULARY.ids(Documents.parse([f"the cat{mark}"])).tolist()[-1] == BOUNDARY


def test_the_special_words_come_first() -> None:
    assert (UNKNOWN, BOUNDARY, NUMBER) == (0, 1, 2)
    assert VOCABULARY.words[:3] == SPECIALS


def test_an_empty_batch_has_no_ids() -> None:
    assert VOCABULARY.ids(Documents.parse([])).shape == (0,)


def test_all_words_are_unknown_to_an_empty_vocabulary() -> None:
    empty = Vocabulary(SPECIALS, np.zeros(3, np.float32))
    assert names("the cat 7 !", empty) == ["<unknown>", "<unknown>", "<number>", "<boundary>"]


@given(st.lists(st.text(alphabet="abcdefg", min_size=1, max_size=4), max_size=300, unique=True))
def test_ids_equal_those_of_a_dictionary(words: list[str]) -> None:
    vocabulary = Vocabulary((*SPECIALS, *words), np.zeros(len(words) + 3, np.float32))
    documents = Documents.parse([" ".join([*words, "zz"])])
    expected = [vocabulary.ids_of_words.get(word, UNKNOWN) for word in documents.words()]
    assert vocabulary.ids(documents).tolist() == expected


def test_words_whose_hashes_have_the_same_top_bits_are_told_apart() -> None:
    words = ["".join(letters) for letters in product("abcdefghijklmnop", repeat=3)]
    vocabulary = Vocabulary((*SPECIALS, *words), np.zeros(len(words) + 3, np.float32))
    documents = Documents.parse([" ".join(words)])
    tops = np.unique(documents.token_hash >> np.uint64(64 - SLOT_BITS))
    assert len(tops) < len(words)
    assert vocabulary.ids(documents).tolist() == list(range(3, len(words) + 3))


@given(st.lists(st.text(), max_size=4))
def test_every_token_of_any_text_has_an_id(texts: list[str]) -> None:
    documents = Documents.parse(texts)
    ids = VOCABULARY.ids(documents)
    assert ids.shape == documents.token_hash.shape
    assert ((ids >= 0) & (ids < len(VOCABULARY))).all()

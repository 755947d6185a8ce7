"""model/text/wordlists.py: one look-up tells which lists have a word."""

import pytest

from unspun.model.text.tokens import hash_tokens
from unspun.model.text.wordlists import WordTable, foreign_bits, listed_words, load_word_lists


@pytest.mark.parametrize(
    ("word", "lists"),
    [("the", ["en"]), ("und", ["de"]), ("cookies", ["notice_subjects", "notice"]), ("vision", [])],
)
def test_the_lists_of_a_word(word: str, lists: list[str]) -> None:
    [bits] = listed_words().lookup(hash_tokens([word]))
    assert [name for name in listed_words().names if bits & listed_words().bit(name)] == lists


def test_words_of_every_list_are_found() -> None:
    table = listed_words()
    for name, hashes in load_word_lists("function_words.txt", ("en",)).items():
        assert (table.lookup(hashes) & table.bit(name) > 0).all()


def test_english_is_not_foreign() -> None:
    assert not listed_words().bit("en") & foreign_bits()


def test_two_words_with_the_same_low_bits_are_both_found() -> None:
    words = hash_tokens(["a", "b", "c"])
    words[1] = words[0] ^ 1 << 40
    table = WordTable({"first": words[:1], "second": words[1:2]})
    assert table.lookup(words).tolist() == [1, 2, 0]

"""The case that people usually give a word is counted in the middle of sentences."""

from __future__ import annotations

from unspun.training.corpora.corpus import LabelledText
from unspun.training.language.common_words import choose, count


def chosen(*sentences: str, sources: int = 3) -> dict[str, list[str]]:
    """Return the lists that are made from some sentences in a number of sources."""
    text = " ".join(sentences)
    return choose(*count(LabelledText(f"id{number}", "human", f"source {number}", text) for number in range(sources)))


def test_a_word_is_listed_under_its_usual_case() -> None:
    lists = chosen("People say that London was cold.", "Nobody at NATO went to London by train.")
    assert {"was", "train"} <= set(lists["lower"])
    assert lists["capital"] == ["london"]
    assert lists["capitals"] == ["nato"]


def test_the_first_word_of_a_sentence_says_nothing() -> None:
    assert all("nobody" not in words for words in chosen("Nobody at the harbour was cold.").values())


def test_a_word_with_two_usual_cases_is_listed_as_such() -> None:
    lists = chosen("We saw that the House was a house of stone.")
    assert lists["either"] == ["house"]


def test_the_names_of_few_sources_are_not_learnt() -> None:
    assert not any(chosen("People say that London was cold.", sources=2).values())


def test_a_text_in_capitals_says_nothing() -> None:
    shouted = "nobody at the harbour knew why the steps were shut, and the people who came to swim went home. " * 3
    assert not any(chosen(shouted.upper()).values())

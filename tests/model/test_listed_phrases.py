"""The list of `unspun phrases`, and how its phrases are found in texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cases import cases, why
from unspun.model.text.listed_phrases import (
    ListedPhrase,
    PhraseList,
    PhraseListError,
    read_phrases,
    shipped_phrases,
    split_words,
)

EXAMPLES = Path(__file__).parents[2] / "seeds"


@pytest.fixture(scope="module")
def shipped_list() -> PhraseList:
    return PhraseList(shipped_phrases())


@pytest.mark.parametrize("case", cases("model/listed_phrases.toml"), ids=why)
def test_phrases_are_found(case: dict[str, Any], shipped_list: PhraseList) -> None:
    (found,) = shipped_list.find([case["text"]])
    assert [f"{one.text} -> {one.entry.expected}" for one in found] == case["found"]
    assert all(case["text"][one.start : one.end] == one.text for one in found)


def test_texts_that_people_wrote_have_none(shipped_list: PhraseList) -> None:
    texts = [path.read_text("utf-8") for path in EXAMPLES.glob("*/human/*.txt")]
    assert texts
    assert all(not found for found in shipped_list.find(texts))


def test_the_sentence_around_a_phrase_is_given(shipped_list: PhraseList) -> None:
    ((found,),) = shipped_list.find(["One. It had (bosom\nperil), they said. Two."])
    assert (found.before, found.after) == ("It had (", "), they said.")


def test_a_long_sentence_is_shortened_between_words(shipped_list: PhraseList) -> None:
    ((found,),) = shipped_list.find([f"{'early ' * 40}bosom peril{' late' * 40}."])
    assert (found.before, found.after) == (f"…{'early ' * 16}", f"{' late' * 19}…")


def test_every_phrase_of_the_list_has_several_words_and_is_written_as_texts_are_read() -> None:
    entries = shipped_phrases()
    assert len({entry.phrase for entry in entries}) == len(entries) > 10_000
    assert all(2 <= len(entry.phrase.split()) <= 12 for entry in entries)
    few = entries[::50]
    assert [" ".join(words) for words in split_words([entry.phrase for entry in few])] == [e.phrase for e in few]


def test_a_list_of_your_own_replaces_the_term_of_a_listed_phrase() -> None:
    mine = read_phrases("# ours\n\nBosom peril\tour term\nlate-stage bosom peril\n")
    assert mine == [
        ListedPhrase("bosom peril", "our term", "own"),
        ListedPhrase("late stage bosom peril", None, "own"),
    ]
    found = PhraseList([*shipped_phrases(), *mine]).find(["A bosom peril, and a late stage bosom peril."])
    assert [(one.entry.phrase, one.entry.expected) for one in found[0]] == [
        ("bosom peril", "our term"),
        ("late stage bosom peril", None),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bosom peril\nperil\tcancer", "line 2: 'peril' has 1 word; a phrase has from 2 to 12 words"),
        ("\tcancer", "line 1: '' has 0 words"),
        ("a " * 13, "has 13 words"),
        ("a b\n" * 100_001, "has 100,001 phrases; the limit is 100,000"),
    ],
    ids=["one word", "no phrase", "too long", "too many"],
)
def test_a_list_that_cannot_be_used_names_the_line(text: str, message: str) -> None:
    with pytest.raises(PhraseListError, match=message):
        read_phrases(text)

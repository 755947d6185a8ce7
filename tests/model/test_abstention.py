from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import cases
from unspun.model.decision.abstention import reasons
from unspun.model.text.document import Documents

CASES = cases("model/languages.toml")
MINIMUM_WORDS = 40


def text_of(case: dict[str, Any]) -> str:
    text: str = case["text"] * case.get("times", 1)
    return text


@pytest.mark.parametrize("case", CASES, ids=lambda case: ascii(case["text"][:50]))
def test_reason(case: dict[str, Any]) -> None:
    assert reasons(Documents.parse([text_of(case)]), MINIMUM_WORDS) == [case.get("reason")]


def test_a_batch_gives_the_same_reasons_as_single_texts() -> None:
    answers = reasons(Documents.parse([text_of(case) for case in CASES]), MINIMUM_WORDS)
    assert answers == [case.get("reason") for case in CASES]


def test_an_empty_batch_has_no_reasons() -> None:
    assert reasons(Documents.parse([]), MINIMUM_WORDS) == []


def test_the_minimum_counts_words_of_prose() -> None:
    documents = Documents.parse(["It was cold, and we went home by 10."])
    assert reasons(documents, 8) == [None]
    assert reasons(documents, 9) == ["too_short"]


@given(st.lists(st.text(st.characters(), max_size=200), max_size=4))
def test_every_text_gets_a_known_reason_or_none(texts: list[str]) -> None:
    answers = reasons(Documents.parse(texts), MINIMUM_WORDS)
    assert len(answers) == len(texts)
    assert set(answers) <= {None, "too_short", "not_english", "verse", "not_prose"}


@pytest.mark.shared
def test_real_english_is_hardly_ever_abstained_from(corpora: dict[str, dict[str, list[str]]]) -> None:
    files = corpora["human"] | corpora["paraphrased"]
    texts = [text for first in files.values() for text in first if len(text.split()) >= 60]
    refused = [reason for reason in reasons(Documents.parse(texts), MINIMUM_WORDS) if reason]
    assert len(refused) < 0.001 * len(texts)

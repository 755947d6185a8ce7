"""Texts in capitals, in Title Case or in lower case are read as if people had written them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import cases
from unspun.model.text.document import Documents


@pytest.mark.parametrize("case", cases("model/casing.toml"), ids=lambda case: case["text"][:40])
def test_an_unusual_case_is_restored(case: dict[str, str]) -> None:
    documents = Documents.parse([case["text"]])
    assert documents.text(0) == case["restored"]
    changed = sum(a != b for a, b in zip(case["text"].split(), case["restored"].split(), strict=True))
    assert documents.repairs[0] == {"case": changed}


@pytest.mark.parametrize("case", cases("model/casing.toml", "untouched"), ids=lambda case: case["text"][:40])
def test_an_ordinary_case_is_left_alone(case: dict[str, Any]) -> None:
    documents = Documents.parse([case["text"]])
    assert documents.text(0) == case["text"]
    assert "case" not in documents.repairs[0]


@given(st.text(st.characters(), max_size=300), st.sampled_from(["upper", "lower", "title", "swapcase"]))
def test_offsets_stay_inside_a_text_whose_case_is_restored(text: str, change: str) -> None:
    words = getattr("The quick brown fox of London met the lazy dog. " * 5, change)()
    before, after = Documents.parse([words + text]), Documents.parse([text + words])
    for documents, submitted in ((before, words + text), (after, text + words)):
        for token in range(documents.token_start.size):
            start, end = documents.source_span(token, token)
            assert 0 <= start < end <= len(submitted)


def test_the_case_of_a_text_does_not_depend_on_the_batch() -> None:
    texts = [case["text"] for case in cases("model/casing.toml")]
    together = Documents.parse(texts)
    assert [together.text(i) for i in range(len(texts))] == [Documents.parse([text]).text(0) for text in texts]

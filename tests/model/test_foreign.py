"""Only the English part of a text is judged."""

import pytest

from tests.cases import cases
from unspun.model.text.document import Documents, TokenClass


@pytest.mark.parametrize("case", cases("model/foreign.toml"), ids=lambda case: case["text"].split("\n")[1][:40])
def test_sentences_in_other_languages_are_left_out(case: dict[str, str]) -> None:
    lines = case["text"].strip("\n").split("\n")
    text = "\n".join(line.removeprefix("> ") for line in lines)
    documents = Documents.parse([text])
    start = 0
    for line in lines:
        end = start + len(line.removeprefix("> "))
        inside = (documents.token_start >= start) & (documents.token_start < end)
        assert set(documents.token_foreign[inside].tolist()) == {line.startswith("> ")}, line
        start = end + 1


def test_the_share_of_english_is_that_of_the_words_outside_foreign_sentences() -> None:
    documents = Documents.parse(
        ["The council has shut the steps. " * 3 + "Le conseil a fermé les marches de la ville. " * 2, "Plain English."]
    )
    words = documents.token_class == TokenClass.WORD
    assert documents.english.tolist() == [1 - (words & documents.token_foreign).sum() / 36, 1.0]


def test_a_text_does_not_depend_on_foreign_texts_in_its_batch() -> None:
    english = "He said that la dolce vita was over, and der Sturm was to blame."
    together = Documents.parse([english, "Le conseil a fermé les marches de la ville et les gens sont partis. " * 5])
    assert together.english.tolist() == [1.0, 0.0]

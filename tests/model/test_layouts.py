from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import cases
from unspun.model.text.document import Documents, TokenClass
from unspun.model.text.edits import Editor
from unspun.model.text.layouts.undo import undo_layouts
from unspun.model.text.repair import repair


@pytest.mark.parametrize("case", cases("model/layouts.toml"), ids=lambda case: case["name"])
def test_a_layout_is_undone_and_counted(case: dict[str, Any]) -> None:
    repaired = repair(case["text"])
    assert (repaired.text, repaired.counts) == (case["repaired"], case["counts"])


@pytest.mark.parametrize("case", cases("model/layouts.toml", "untouched"), ids=lambda case: case["name"])
def test_a_text_that_only_looks_like_a_layout_is_left_alone(case: dict[str, str]) -> None:
    editor = Editor(case["text"])
    undo_layouts(editor)
    assert (editor.text, editor.counts) == (case["text"], {})


ROWS = st.lists(
    st.sampled_from(
        [
            "the steps of the harbour were closed in",
            "March, when a survey had found that the",
            "brackets were broken. Nobody was",
            "happy about it, and there was a well-",
            "Anna: I think that it was in the paper.",
            "Tom: It was in the paper that you read.",
            "",
            "and so the",
            "HARBOUR STUDIES 12",
            "1",
            "00:00:01,000 --> 00:00:02,000",
            "the left column of      the right column of",
            "\fthe second page, in",
        ]
    ),
    min_size=3,
    max_size=40,
)
FRAMES = st.sampled_from(
    [
        "{row}",
        "{number:4d}  {row}",
        "{row}   {number}",
        "> {row}",
        "| {row} |",
        "[12:03] <anna> {row}",
        "{row}\n",
        "- {row}",
    ]
)


@given(ROWS, FRAMES)
def test_each_word_is_where_its_offsets_say(rows: list[str], frame: str) -> None:
    text = "\n".join(frame.format(row=row, number=number) for number, row in enumerate(rows, 1))
    documents = Documents.parse([text])
    for token in np.flatnonzero(documents.token_class == TokenClass.WORD).tolist():
        start, end = documents.source_span(token, token)
        # A word that was hyphenated at the end of a row is longer in the submitted text.
        assert text[start:end].replace("-\n", "").lower() == documents.token_text(token).lower()


@given(ROWS, FRAMES)
def test_words_are_neither_invented_nor_repeated(rows: list[str], frame: str) -> None:
    text = "\n".join(frame.format(row=row, number=number) for number, row in enumerate(rows, 1))
    editor = Editor(text)
    undo_layouts(editor)
    if editor.offsets is not None:
        letters = [i for i, character in enumerate(editor.text) if character.isalnum()]
        starts = editor.offsets.start[letters]
        assert np.unique(starts).size == starts.size


@given(st.text(st.sampled_from("ab .\n\f-|>1:\t"), max_size=200))
def test_any_text_is_read(text: str) -> None:
    editor = Editor(text)
    undo_layouts(editor)
    assert "\f" not in editor.text

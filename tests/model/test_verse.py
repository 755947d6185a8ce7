from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import cases
from unspun.model.decision.abstention import reasons
from unspun.model.text.document import Documents
from unspun.model.text.verse import is_verse


@pytest.mark.parametrize("case", cases("model/verse.toml", "verse"), ids=lambda case: case["name"])
def test_verse_gets_no_verdict(case: dict[str, Any]) -> None:
    assert reasons(Documents.parse([case["text"]]), 30) == ["verse"]


@pytest.mark.parametrize("case", cases("model/verse.toml", "prose"), ids=lambda case: case["name"])
def test_prose_in_short_rows_is_not_verse(case: dict[str, Any]) -> None:
    assert reasons(Documents.parse([case["text"]]), 30) != ["verse"]


def test_a_short_poem_is_too_short() -> None:
    poem = cases("model/verse.toml", "verse")[0]["text"]
    assert reasons(Documents.parse([poem]), 100) == ["too_short"]


@given(st.text(max_size=300), st.dictionaries(st.sampled_from(["cue", "speaker", "layout"]), st.integers(1, 9)))
def test_any_text_is_judged(text: str, repairs: dict[str, int]) -> None:
    assert is_verse(text, repairs) in (True, False)

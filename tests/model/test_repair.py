from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import cases
from unspun.model.text.repair import repair

ANY_TEXT = st.text(st.characters(), max_size=200)
DAMAGED = st.lists(
    st.sampled_from(
        [
            *("word", " ", "\n", "â€™", "Ã©", "&amp;", "&#39;", "&", ";", "\u200b", "\u00ad", "е", "ﬁ", "e\u0301"),
            *("\u0301", "\r\n", "\r", "\x00", "\x85", "\ufffd", "s", "Â ", "â€", "Ａ", "𝐁", "\ud83d", "\U0001f600"),
            *(
                "\u00a0",
                "α",
                "*",
                "[",
                "](",
                ")",
                "_",
                '"',
                "<b>",
                "#",
                " | ",
                "> ",
                "-\n",
                "1 ",
                "\u3164",
                "v1s",
                "a b c d ",
            ),
        ]
    ),
    max_size=40,
).map("".join)


@pytest.mark.parametrize("case", cases("model/repairs.toml"), ids=lambda case: ascii(case["text"]))
def test_damage_is_repaired_and_counted_by_kind(case: dict[str, Any]) -> None:
    repaired = repair(case["text"])
    assert (repaired.text, repaired.counts) == (case["repaired"], case["counts"])


@pytest.mark.parametrize("case", cases("model/repairs.toml", "untouched"), ids=lambda case: ascii(case["text"]))
def test_legitimate_text_is_left_alone(case: dict[str, str]) -> None:
    repaired = repair(case["text"])
    assert (repaired.text, repaired.counts, repaired.offsets) == (case["text"], {}, None)


@pytest.mark.parametrize("case", cases("model/disguises.toml"), ids=lambda case: ascii(case["text"]))
def test_disguises_are_removed_and_counted_by_kind(case: dict[str, Any]) -> None:
    repaired = repair(case["text"])
    assert (repaired.text, repaired.counts) == (case["plain"], case["counts"])


@pytest.mark.parametrize("case", cases("model/disguises.toml", "untouched"), ids=lambda case: ascii(case["text"]))
def test_what_people_write_on_purpose_is_not_a_disguise(case: dict[str, str]) -> None:
    assert repair(case["text"]).text == case["text"]


@pytest.mark.parametrize(
    ("text", "sources"),
    [
        ("â€œÃ©", ["â€œ", "Ã©"]),  # decoded characters
        ("a &amp; b", ["a", " ", "&amp;", " ", "b"]),  # all characters of an entity
        ("a\u200bb", ["a", "b"]),  # a removed character belongs to neither neighbour
        ("ﬁn", ["ﬁ", "ﬁ", "n"]),  # the letters of a ligature share its offset
        ("&acirc;&euro;&trade;s", ["&acirc;&euro;&trade;", "s"]),  # repaired twice
    ],
    ids=ascii,
)
def test_repaired_characters_map_to_the_submitted_text(text: str, sources: list[str]) -> None:
    offsets = repair(text).offsets
    assert offsets is not None
    assert [text[a:b] for a, b in zip(offsets.start.tolist(), offsets.end.tolist(), strict=True)] == sources


@given(ANY_TEXT | DAMAGED)
def test_the_map_is_inside_the_text_and_in_order(text: str) -> None:
    repaired = repair(text)
    if repaired.offsets is None:
        assert len(repaired.text) == len(text)
        return
    start, end = repaired.offsets.start, repaired.offsets.end
    assert start.size == end.size == len(repaired.text)
    assert np.all(start < end)
    assert np.all(np.diff(start) >= 0)
    assert np.all(np.diff(end) >= 0)
    assert np.all(start >= 0)
    assert np.all(end <= len(text))


@given(DAMAGED)
def test_unchanged_characters_map_to_themselves(text: str) -> None:
    repaired = repair(text)
    if repaired.offsets is not None:
        for character, start in zip(repaired.text, repaired.offsets.start.tolist(), strict=True):
            if character in "word":
                assert text[start] in (character, "&", "о")


@given(ANY_TEXT | DAMAGED)
def test_repaired_text_has_no_control_characters(text: str) -> None:
    repaired = repair(text).text
    assert not any(character < " " and character not in "\t\n" for character in repaired)

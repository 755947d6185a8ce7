"""service/render/highlight.py: texts cut into plain passages and evidence."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import why
from tests.service.support import cases
from unspun.model.verdict import Evidence
from unspun.service.render.highlight import REACH, Excerpt, excerpts, level, segments, select


def evidence(start: int, end: int, weight: float = 1.0) -> Evidence:
    return Evidence(start, end, "", None, "test", weight)


def parse(marked: str) -> tuple[str, list[Evidence]]:
    """Return a text with [brackets] without them, and evidence where they were."""
    found: list[Evidence] = []
    for shift, bracket in enumerate(re.finditer(r"\[([^]]*)\]", marked)):
        start = bracket.start() - 2 * shift
        found.append(evidence(start, start + len(bracket[1]), 1.0 + bracket[1].count("!")))
    return re.sub(r"[\[\]]", "", marked), found


def show(excerpt: Excerpt) -> str:
    inner = "".join(f"[{part.text}]" if part.evidence else part.text for part in excerpt.segments)
    return "…" * excerpt.cut_start + inner + "…" * excerpt.cut_end


@pytest.mark.parametrize("case", cases("excerpts.toml"), ids=why)
def test_excerpts_are_the_heaviest_sentences(case: dict[str, Any]) -> None:
    text, found = parse(case["text"])
    assert [show(excerpt) for excerpt in excerpts(text, found, case["count"])] == case["excerpts"]


def test_a_sentence_without_an_end_is_cut_between_words() -> None:
    text = "word " * 500 + "vitality " + "word " * 500
    (excerpt,) = excerpts(text, [evidence(2500, 2508)], 1)
    assert excerpt.cut_start
    assert excerpt.cut_end
    shown = text[excerpt.start : excerpt.end]
    assert set(shown.split()) == {"word", "vitality"}
    assert len(shown) <= 2 * REACH + 8


def test_dense_evidence_without_sentences_is_split() -> None:
    text = "word " * 2000
    found = excerpts(text, [evidence(at, at + 4) for at in range(0, len(text), 50)], 100)
    assert all(excerpt.end - excerpt.start < 3 * REACH for excerpt in found)


def test_the_heavier_of_two_overlapping_pieces_is_kept() -> None:
    light, heavy = evidence(0, 10, 1.0), evidence(5, 8, 2.0)
    assert select([light, heavy], 20) == [heavy]


def test_at_the_same_weight_the_longer_piece_is_kept() -> None:
    long, short = evidence(0, 10), evidence(5, 8)
    assert select([short, long], 20) == [long]


def test_pieces_that_touch_are_both_kept() -> None:
    left, right = evidence(0, 5), evidence(5, 8)
    assert select([right, left], 20) == [left, right]


def test_evidence_outside_the_text_is_left_out() -> None:
    assert select([evidence(-1, 2), evidence(3, 3), evidence(5, 4), evidence(8, 21)], 20) == []


def test_weight_sets_the_emphasis() -> None:
    assert [level(weight) for weight in (-1.0, 0.0, 3.4, 3.5, 4.4, 4.5, 9.0)] == [1, 1, 1, 2, 2, 3, 3]


spans = st.lists(st.tuples(st.integers(-2, 60), st.integers(-2, 60), st.floats(0, 5)), max_size=12)


@given(st.text(alphabet="ab. \nA!“é😀", max_size=60), spans)
def test_joined_segments_are_the_text(text: str, found: list[tuple[int, int, float]]) -> None:
    cut = segments(text, [evidence(*span) for span in found])
    assert "".join(segment.text for segment in cut) == text
    assert all(segment.text for segment in cut)


@given(st.text(alphabet="ab. \nA!“é😀", max_size=60), spans, st.integers(0, 4))
def test_excerpts_are_passages_of_the_text(text: str, found: list[tuple[int, int, float]], count: int) -> None:
    chosen = excerpts(text, [evidence(*span) for span in found], count)
    assert len(chosen) <= count
    end = 0
    for excerpt in chosen:
        assert end <= excerpt.start < excerpt.end <= len(text)
        end = excerpt.end
        assert "".join(part.text for part in excerpt.segments) == text[excerpt.start : excerpt.end]
        assert any(part.evidence for part in excerpt.segments)


@given(spans)
def test_the_selection_does_not_depend_on_the_order(found: list[tuple[int, int, float]]) -> None:
    marked = [evidence(*span) for span in found]
    assert select(marked, 60) == select(marked[::-1], 60)

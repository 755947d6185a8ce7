"""model/decision/passages.py: the paraphrased parts of a longer text, found from the evidence in its windows."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests import tables as tiny
from unspun.model.decision.decision import Tail
from unspun.model.decision.passages import WHOLE, SuspiciousPart, suspicious_parts

TAIL = Tail.from_manifest(tiny.tier()["tails"]["spun"])
"""Human evidence is about 0, and 3 is suspicious."""
SIZE = 100
HUMAN, SPUN = 0.0, 5.0


def parts(
    evidence: list[float], *, words: NDArray[np.int64] | None = None, first: int = 0
) -> tuple[tuple[SuspiciousPart, ...], float]:
    """Return the suspicious parts of windows of SIZE tokens, all of which are words by default."""
    starts = first + SIZE * np.arange(len(evidence))
    tokens = np.column_stack([starts, starts + SIZE - 1])
    if words is None:
        words = first + np.arange(SIZE * len(evidence))
    return suspicious_parts(np.array(evidence), tokens, words, TAIL)


@pytest.mark.parametrize(
    ("evidence", "found", "share"),
    [
        ([HUMAN, HUMAN, SPUN, HUMAN, HUMAN], [(200, 299)], 0.2),
        ([HUMAN, SPUN, SPUN, HUMAN], [(100, 299)], 0.5),  # adjacent windows are one passage
        ([HUMAN, SPUN, HUMAN, SPUN, HUMAN, HUMAN], [(100, 399)], 0.5),  # so is a single window between two of them
        ([SPUN, HUMAN, HUMAN, HUMAN, SPUN], [(0, 99), (400, 499)], 0.4),
        *(([SPUN] * windows, [], 1.0) for windows in (1, 2, 5, 20)),  # the whole text has no parts
        ([SPUN] * 9 + [HUMAN], [], 0.9),  # nearly all of a text counts as the whole
        ([HUMAN] * 5, [], 1.0),  # no window is suspicious by itself
    ],
)
def test_suspicious_windows_are_joined_to_passages(
    evidence: list[float], found: list[tuple[int, int]], share: float
) -> None:
    assert parts(evidence) == (tuple(SuspiciousPart(first, last, last + 1 - first) for first, last in found), share)


def test_only_words_of_prose_count() -> None:
    half = np.concatenate([np.arange(100), np.arange(100, 400, 2)])
    assert parts([SPUN, HUMAN, HUMAN, HUMAN], words=half) == ((SuspiciousPart(0, 99, 100),), 0.4)


def test_a_text_without_words_has_share_1() -> None:
    assert parts([SPUN, HUMAN], words=np.zeros(0, np.int64)) == ((), 1.0)


def test_tokens_are_numbered_in_the_batch() -> None:
    assert parts([HUMAN, HUMAN, SPUN], first=5000)[0] == (SuspiciousPart(5200, 5299, 100),)


@given(st.lists(st.floats(-10, 15), min_size=1, max_size=30))
def test_parts_are_separate_and_add_up_to_the_share(evidence: list[float]) -> None:
    found, share = parts(evidence)
    assert 0.0 < share <= 1.0
    for part in found:
        assert part.last - part.first + 1 == part.words  # every token is a word
    assert all(first.last + 1 < second.first for first, second in itertools.pairwise(found))
    if found:
        assert share == round(sum(part.words for part in found) / (SIZE * len(evidence)), 3)
        assert share < WHOLE


@given(st.lists(st.floats(-10, 15), min_size=3, max_size=30), st.data())
def test_stronger_evidence_never_lowers_the_share(evidence: list[float], data: st.DataObject) -> None:
    before = parts([*evidence, HUMAN, SPUN])
    place = data.draw(st.integers(0, len(evidence) - 1))
    evidence[place] += 5
    assert parts([*evidence, HUMAN, SPUN])[1] >= before[1]

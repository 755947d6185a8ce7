"""model/evidence.py: what gives a machine away, and exactly where it stands in the text as submitted."""

from __future__ import annotations

import itertools
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model import evidence as module
from model.detector import Detector
from model.document import Documents
from model.evidence import find_evidence
from model.verdict import Evidence
from tests import tables as tiny

DATA = Path(__file__).parents[1] / "data" / "model"
CASES = tomllib.loads((DATA / "evidence.toml").read_text("utf-8"))["case"]
SIGNALS = {"known_phrase", "substitution", "misfit", "debris"}
WORDS = ("misfit", "substitution")
PIECES = (
    *tiny.SENTENCES[:6],
    "counterfeit consciousness",
    "the the",
    "{old|new}",
    "{dollars}",
    "a apple",
    "ship",
    "Vitality.",
    "&amp; &lt;",
    "\ud800",
    "\u200b",
    "\u202eהעיר\u202c",
    "е\u0301",
    "😀",
    "Ã©",
    "&#x41;n boat",
    "ﬁre",
    "\r\n\n",
    "\x00",
    "…",
)


def find(*texts: str, prior: float = -2.0, spun: float = 1.0) -> list[list[Evidence]]:
    measured = tiny.extractor().measure(Documents.parse(texts))
    return find_evidence(tiny.signals(), measured, prior, np.full(len(texts), spun))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["text"])
def test_evidence_is_found_where_it_stands(case: dict[str, Any]) -> None:
    passage, suggestion, signal = case["evidence"]
    found = [(e.text, e.suggestion or "", e.signal) for e in find(case["text"])[0]]
    assert (passage, suggestion, signal) in found


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=6), max_size=3))
def test_offsets_are_those_of_the_text_as_submitted(parts: list[list[str]]) -> None:
    texts = [" ".join(part) for part in parts]
    for text, rows in zip(texts, find(*texts), strict=True):
        assert all(text[row.start : row.end] == row.text != "" for row in rows)


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=9))
def test_evidence_is_in_order_without_overlaps(parts: list[str]) -> None:
    (rows,) = find(" ".join(parts))
    assert all(first.end <= second.start for first, second in itertools.pairwise(rows))


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=9))
def test_evidence_has_a_known_signal_and_a_positive_weight(parts: list[str]) -> None:
    (rows,) = find(" ".join(parts))
    assert all(row.signal in SIGNALS and row.weight > 0 for row in rows)


def test_an_empty_text_has_none() -> None:
    assert find("") == [[]]


def test_no_texts_have_none() -> None:
    assert find() == []


def test_only_the_heaviest_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    (everything,) = find(tiny.ARTICLE)
    monkeypatch.setattr(module, "MOST", 3)
    (some,) = find(tiny.ARTICLE)
    assert len(everything) > 3
    assert sorted(row.weight for row in some) == sorted(row.weight for row in everything)[-3:]


def test_weights_are_log_likelihood_ratios() -> None:
    # A prior twice as low (in log odds) makes every misfit that much heavier.
    by_place = [
        {row.start: row.weight for row in find(tiny.ARTICLE, prior=prior)[0] if row.signal in WORDS}
        for prior in (-2.0, -4.0)
    ]
    shared = by_place[0].keys() & by_place[1].keys()
    assert shared
    assert all(by_place[1][place] - by_place[0][place] == pytest.approx(2.0, abs=0.011) for place in shared)


def test_a_text_that_is_surely_not_spun_shows_fewer_words() -> None:
    spun, human = (find(tiny.ARTICLE, spun=share)[0] for share in (1.0, 0.0))
    assert 0 < len(human) < len(spun)
    assert set(human) < set(spun)


def test_a_word_with_a_suggestion_is_a_substitution() -> None:
    (rows,) = find("The old ship was late. He instructed the council.", prior=-9)
    assert ("ship", "substitution") in {(row.text, row.signal) for row in rows}
    assert all((row.suggestion is None) == (row.signal == "misfit") for row in rows if row.signal in WORDS)


def test_a_suggestion_is_never_the_word_itself(detector: Detector) -> None:
    rows = detector.score(" ".join(tiny.SENTENCES)).evidence or ()
    assert all(row.suggestion is None or row.suggestion != row.text.lower() for row in rows)

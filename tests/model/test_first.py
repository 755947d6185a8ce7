"""model/tiers/first.py, with model/signals/phrasing.py: evidence from n-grams, and which texts may be settled."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import deep as tiny_deep
from tests import first as tiny
from tests import tables
from unspun.model.signals.phrasing import BUCKETS, NgramWeights, buckets
from unspun.model.signals.quick import QuickSignals
from unspun.model.text.quick import QuickWords
from unspun.model.tiers.first import MOST_CHARACTERS, SECTION, FirstLook, look

TIER = tiny.tier()
PARTS = (tables.ARTICLE, tiny_deep.SPUN_SENTENCE, "moreover", "delves", "\n\n", "<b>", "😀", "\ud800", "\0")


def weights_of(phrase: str, kind: int = 0) -> NgramWeights:
    """Return weights of which only that of the whole phrase is not 0."""
    weights = np.zeros((3, BUCKETS), dtype=np.int8)
    size = len(phrase.split())
    weights[kind, buckets(QuickWords.of([phrase]))[size - 1]] = 1
    return NgramWeights(weights, np.ones(3), np.zeros(3), np.zeros(3))


def seen(texts: list[str]) -> FirstLook:
    return look(QuickSignals(tiny.ngrams()), texts, 40)


def evidence(phrase: str, texts: list[str]) -> list[float]:
    """Return the evidence of the first kind in texts of one section, times the square root of their words."""
    words = QuickWords.of(texts)
    found = weights_of(phrase).log_odds(words, words.ptr)[:, 0] * np.sqrt(np.maximum(np.diff(words.ptr), 1))
    return [round(value, 9) for value in found.tolist()]


@pytest.mark.parametrize("phrase", ["old", "old ferry", "the old ferry"])
def test_ngrams_of_up_to_three_words_are_counted(phrase: str) -> None:
    assert evidence(phrase, ["He saw the old ferry and the old ferry.", "He saw a boat."]) == [2.0, 0.0]


@pytest.mark.parametrize(
    ("phrase", "texts"),
    [
        ("old ferry", ["He saw the old", "ferry at last"]),
        ("the old ferry", ["He saw the", "old ferry at last"]),
        ("the old ferry", ["He saw the old", "ferry at last"]),
        ("the old ferry", ["the", "old", "ferry"]),
        ("old ferry", ["old", "", "ferry"]),
    ],
)
def test_no_ngram_spans_two_texts(phrase: str, texts: list[str]) -> None:
    assert evidence(phrase, texts) == [0.0] * len(texts)


def test_no_ngram_spans_two_sections() -> None:
    words = QuickWords.of(["the old ferry"])
    found = weights_of("old ferry").log_odds(words, np.array([0, 2, 3]))
    assert not found.any()


@settings(max_examples=40)
@given(st.lists(st.lists(st.sampled_from(PARTS) | st.text(max_size=9), max_size=5).map(" ".join), max_size=5))
def test_a_text_looks_the_same_alone_and_in_a_batch(texts: list[str]) -> None:
    together = seen(texts)
    evidence = TIER.evidence(together)
    for number, text in enumerate(texts):
        alone = seen([text])
        assert evidence[number].tolist() == TIER.evidence(alone)[0].tolist()  # every bit
        assert (together.words[number], together.plain[number]) == (alone.words[0], alone.plain[0])


def test_a_long_text_is_judged_by_all_of_its_sections() -> None:
    clean = f"{tables.ARTICLE} " * (10 * SECTION // 200)
    found = seen([clean, f"{clean}{tiny_deep.SPUN_ARTICLE}", f"{tiny_deep.SPUN_ARTICLE} {clean}"])
    assert found.plain.all()
    evidence = TIER.evidence(found)[:, 0]
    assert evidence[0] == tiny.CLEAN_LOG_ODDS
    assert (evidence[1:] > tiny.CLEAN_LOG_ODDS).all()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no words"),
        ("The ferry was late.", "too short"),
        (tables.ARTICLE.upper(), "capitals, which the fast tier restores"),
        (tables.ARTICLE.lower(), "no capitals"),
        (tables.ARTICLE.replace(" ", "\n"), "a list or verse"),
        (tables.ARTICLE.replace(" ", " <b>"), "markup"),
        (tables.ARTICLE.replace("e", "\u0435"), "letters of another alphabet that look alike"),
        (tables.ARTICLE.replace(" ", "\u200b "), "invisible characters"),
        (tables.ARTICLE.replace(" ", " 7 "), "a table"),
        (" ".join(" ".join(tables.ARTICLE)), "spaces between the letters"),
        ("Le bateau a quitté le port avant la tempête et les gens avaient froid. " * 9, "not English"),
        (f"{tables.ARTICLE} " * (MOST_CHARACTERS // len(tables.ARTICLE) + 1), "too long"),
    ],
    ids=lambda value: value if len(value) < 60 else "",
)
def test_text_that_is_not_plain_is_left_to_the_fast_tier(text: str, why: str) -> None:
    assert seen([tables.ARTICLE, text]).plain.tolist() == [True, False]

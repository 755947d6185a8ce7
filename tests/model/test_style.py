"""model/signals/style.py: n-grams of word classes, which do not depend on the topic of a text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tables import ARTICLE, encode
from tests.tables import signals as tiny_signals
from unspun.model.signals.features import Signals
from unspun.model.signals.style import BUCKETS, SUFFIXES, ending_classes


@pytest.mark.parametrize(
    ("word", "ending"),
    [
        ("quickly", "ly"),
        ("building", "ing"),  # long enough
        ("king", None),  # an ending needs a stem of three letters
        ("nations", "s"),  # the last ending counts
        ("relation", "tion"),  # the longest of several
        ("payments", "s"),
        ("isn't", None),  # two letters of stem
        ("couldn't", "n't"),
        ("mayor's", "'s"),  # the longest of "s" and "'s"
        ("the", None),
        ("<boundary>", None),
    ],
)
def test_the_longest_ending_counts(word: str, ending: str | None) -> None:
    place = ending_classes((word,))[0]
    assert (SUFFIXES[place - 1] if place else None) == ending


def test_a_document_is_a_unit_vector(signals: Signals) -> None:
    style = signals.style.read(encode(ARTICLE, "The ferry."))
    assert style.multiply(style).sum(axis=1) == pytest.approx([1, 1], abs=1e-5)


@pytest.mark.parametrize(
    ("first", "second", "alike"),
    [
        ("the mayor was in the harbour", "the ferry was in the harbour", True),  # no listed ending: one class
        ("the mayor was in the harbour", "the mayor was at the harbour", False),  # function words
        ("the mayor", "the Mayor", False),  # a capital inside a sentence
    ],
)
def test_words_are_distinguished_by_class_only(signals: Signals, first: str, second: str, alike: bool) -> None:
    style = signals.style.read(encode(first, second))
    assert ((style[[0]] != style[[1]]).nnz == 0) == alike


def test_ngrams_do_not_span_documents(signals: Signals) -> None:
    apart = signals.style.read(encode("the mayor", "was late"))
    assert np.diff(apart.indptr).tolist() == [3, 3]


@pytest.mark.parametrize("texts", [(), ("",), ("", "the ferry", "")])
def test_an_empty_text_is_an_empty_row(signals: Signals, texts: tuple[str, ...]) -> None:
    style = signals.style.read(encode(*texts))
    assert style.shape == (len(texts), BUCKETS)
    assert [bool(count) for count in np.diff(style.indptr)] == [bool(text) for text in texts]


@given(st.lists(st.text(alphabet=st.sampled_from("aeg ,.A'1\n"), max_size=40), min_size=1, max_size=5))
def test_a_row_does_not_depend_on_the_batch(texts: list[str]) -> None:
    signals = tiny_signals()
    batch = signals.style.read(encode(*texts))
    for i, text in enumerate(texts):
        alone = signals.style.read(encode(text))
        assert np.array_equal(alone.toarray(), batch[[i]].toarray())

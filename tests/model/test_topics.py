"""model/language/topics.py: word vectors in bytes, and the mean vector of the words around a word."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tables import SENTENCES, encode
from tests.tables import signals as tiny_signals
from unspun.model.language.topics import BLOCK, UNIT, WIDE, PackedVectors, Topics, cosine
from unspun.model.signals.features import Signals


def test_packing_loses_less_than_a_step() -> None:
    vectors = np.random.default_rng(0).normal(size=(500, 6)) * np.arange(1, 7)
    standard = np.clip(vectors / vectors.std(axis=0), -4, 4)
    unpacked = PackedVectors.pack(vectors).unpacked()
    assert np.abs(unpacked - standard).max() <= 0.5 * 4 / 127 + 1e-5


def test_a_word_without_a_vector_stays_zero(signals: Signals) -> None:
    assert not signals.topics.vectors[:3].any()


def test_the_context_is_the_mean_of_the_words_around(signals: Signals) -> None:
    encoding = encode("the old ferry was late")
    mean, count = signals.topics.contexts(encoding, np.array([2]))
    others = signals.topics.vectors[encoding.ids[[0, 1, 3, 4]]]
    assert mean[0] == pytest.approx(others.mean(axis=0), abs=1e-6)
    assert count.tolist() == [5]


def test_the_context_ends_with_the_document(signals: Signals) -> None:
    alone = signals.topics.contexts(encode("ferry was late"), np.array([0]))
    between = signals.topics.contexts(encode("the old", "ferry was late", "again"), np.array([2]))
    assert np.array_equal(alone[0], between[0])


def test_the_context_has_a_fixed_width(signals: Signals) -> None:
    text = "ferry " + "and " * (WIDE - 1) + "boat " + "and " * WIDE + "harbour"
    _, count = signals.topics.contexts(encode(text), np.array([WIDE]))
    assert count.tolist() == [2 * WIDE + 1]


def test_contexts_continue_across_blocks(signals: Signals) -> None:
    encoding = encode(" ".join(SENTENCES * (2 * BLOCK // len(" ".join(SENTENCES).split()) + 1)))
    places = np.arange(BLOCK - WIDE - 1, BLOCK + WIDE + 1)
    mean, _ = signals.topics.contexts(encoding, places)
    vectors = signals.topics.values[encoding.ids].astype(np.int64)
    sums = np.stack([vectors[place - WIDE : place + WIDE + 1].sum(axis=0) - vectors[place] for place in places])
    assert mean == pytest.approx(sums.astype(np.float32) * UNIT / (2 * WIDE), abs=1e-6)


def test_a_single_word_has_a_context_of_zeros(signals: Signals) -> None:
    mean, _ = signals.topics.contexts(encode("ferry"), np.array([0]))
    assert not mean.any()


def test_similarity_is_the_cosine(signals: Signals) -> None:
    topics: Topics = signals.topics
    encoding = encode("the old ferry was late")
    places = np.array([1, 2])
    context, _ = topics.contexts(encoding, places)
    [found] = topics.similarity(encoding, places, encoding.ids[places][None])
    expected = [
        float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
        for a, b in zip(context, topics.vectors[encoding.ids[places]], strict=True)
    ]
    assert found == pytest.approx(expected, abs=1e-5)


def test_the_cosine_of_zeros_is_zero() -> None:
    assert cosine(np.zeros((1, 3), np.float32), np.ones((1, 3), np.float32)).tolist() == [0]


@given(st.lists(st.sampled_from(["ferry", "old", "the", "xylophone", ".", "7"]), max_size=60), st.integers(0, 40))
def test_contexts_do_not_depend_on_the_batch(words: list[str], before: int) -> None:
    signals = tiny_signals()
    text = " ".join(words)
    alone = encode(text)
    batch = encode("boat " * before, text)
    places = np.arange(len(alone.ids))
    first, _ = signals.topics.contexts(alone, places)
    second, _ = signals.topics.contexts(batch, places + before)
    assert np.array_equal(first, second)

"""model/signals/tagger.py: the network's output for a word depends only on its document."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tables import ARTICLE, SENTENCES, encode
from tests.tables import signals as tiny_signals
from tests.tables import tagger as tiny_tagger
from unspun.model.language.vocabulary import BOUNDARY
from unspun.model.signals.features import Signals
from unspun.model.signals.integers import ZERO
from unspun.model.signals.tagger import BLOCK, WINDOW, Tagger, TaggerInputs, scale_numbers


def log_odds(tagger: Tagger, *texts: str) -> list[float]:
    signals = tiny_signals()
    encoding = encode(*texts)
    numbers, _ = signals.read_tokens(encoding)
    return tagger.log_odds(encoding, numbers, np.arange(len(encoding.ids))).tolist()


@pytest.fixture
def tagger() -> Tagger:
    return tiny_tagger()


def test_the_number_of_inputs_matches_the_weights(signals: Signals, tagger: Tagger) -> None:
    encoding = encode(ARTICLE)
    numbers, _ = signals.read_tokens(encoding)
    block = tagger.inputs.block(tagger.inputs.prepare(encoding, numbers), np.arange(5))
    assert block.shape == (5, tagger.inputs.size(numbers.shape[1])) == (5, len(tagger.weights[0]))
    assert block.dtype == np.float32


def test_the_window_has_the_surrounding_words(signals: Signals) -> None:
    encoding = encode("the old ferry was late")
    prepared = TaggerInputs(signals.topics).prepare(encoding, np.zeros((5, 1), np.float32))
    around = [BOUNDARY] * 2 + encoding.ids.tolist() + [BOUNDARY] * 2
    packed = signals.topics.values[around].astype(np.int16) + ZERO
    assert prepared.seats[2].tolist() == packed.reshape(-1).tolist()


def test_the_output_equals_a_calculation_by_hand(signals: Signals, tagger: Tagger) -> None:
    encoding = encode("the old ferry was late")
    numbers, _ = signals.read_tokens(encoding)
    places = np.arange(5)
    values = tagger.inputs.block(tagger.inputs.prepare(encoding, tagger.scaled(numbers)), places).astype(np.float64)
    hidden = np.maximum(values @ tagger.weights[0] + tagger.biases[0], 0)
    expected = (hidden @ tagger.weights[1] + tagger.biases[1])[:, 0]
    assert tagger.log_odds(encoding, numbers, places) == pytest.approx(expected, abs=1e-3)


def test_inputs_are_the_vectors_around_a_word_and_the_numbers_of_three_words(signals: Signals, tagger: Tagger) -> None:
    encoding = encode("the old ferry was late")
    numbers = tagger.scaled(signals.read_tokens(encoding)[0])
    block = tagger.inputs.block(tagger.inputs.prepare(encoding, numbers), np.arange(5))
    width = tagger.inputs.width
    middle = block[:, WINDOW * width : (WINDOW + 1) * width]
    assert middle == pytest.approx(signals.topics.vectors[encoding.ids], abs=1e-6)
    own, before, after = np.split(block[:, -3 * numbers.shape[1] :], 3, axis=1)
    assert own == pytest.approx(numbers, abs=1e-3)
    assert before[1:] == pytest.approx(numbers[:-1], abs=1e-3)
    assert after[:-1] == pytest.approx(numbers[1:], abs=1e-3)
    assert (before[0] == 0).all()
    assert (after[-1] == 0).all()


def test_outliers_are_clipped_at_four_spreads() -> None:
    scaled = scale_numbers(np.array([[-100.0], [1.0], [100.0]], np.float32), np.float32(0), np.float32(2))
    assert scaled.ravel().tolist() == [-4, 0.5, 4]


def test_selected_places_give_the_same_output_as_all(signals: Signals, tagger: Tagger) -> None:
    encoding = encode(ARTICLE)
    numbers, _ = signals.read_tokens(encoding)
    everything = tagger.log_odds(encoding, numbers, np.arange(len(encoding.ids)))
    places = np.array([3, 17, 40])
    assert tagger.log_odds(encoding, numbers, places).tolist() == everything[places].tolist()


def test_more_tokens_than_a_block_give_the_same_output(tagger: Tagger) -> None:
    once = log_odds(tagger, ARTICLE)
    times = BLOCK // len(once) + 2
    assert log_odds(tagger, *[ARTICLE] * times) == once * times


def test_no_places_give_no_output(signals: Signals, tagger: Tagger) -> None:
    encoding = encode("")
    numbers, _ = signals.read_tokens(encoding)
    assert tagger.log_odds(encoding, numbers, np.zeros(0, np.int64)).shape == (0,)


@given(st.lists(st.lists(st.sampled_from([*SENTENCES, "ferry", "7 !"]), max_size=3), min_size=1, max_size=5))
def test_the_output_does_not_depend_on_the_batch(documents: list[list[str]]) -> None:
    # Also for texts without a final full stop, because neighbours in the batch must not become context.
    tagger = tiny_tagger()
    texts = [" ".join(parts).removesuffix(".") for parts in documents]
    alone = [answer for text in texts for answer in log_odds(tagger, text)]
    assert log_odds(tagger, *texts) == alone

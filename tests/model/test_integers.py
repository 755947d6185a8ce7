"""model/signals/integers.py: a layer in integers is close to one in floats and does not depend on the batch."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unspun.model.signals.integers import GRAPH, MOST_INPUTS, ZERO, IntegerLayer
from unspun.training.encoder.integer_layer import graph

SEEDS = st.integers(0, 2**32 - 1)
INPUTS = 40


def layer(seed: int) -> tuple[IntegerLayer, np.ndarray, np.ndarray, np.ndarray]:
    """Return a layer, and the weights, biases and steps that it was made from."""
    rng = np.random.default_rng(seed)
    weights = rng.standard_normal((INPUTS, 8)).astype(np.float32)
    biases = rng.standard_normal(8).astype(np.float32)
    steps = rng.choice([0.03, 0.0001], INPUTS).astype(np.float32)
    return IntegerLayer.of(weights, biases, steps), weights, biases, steps


def rows(seed: int, count: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, INPUTS)).astype(np.uint8)


@given(SEEDS)
def test_the_result_is_close_to_that_in_floats(seed: int) -> None:
    made, weights, biases, steps = layer(seed)
    inputs = rows(seed)
    expected = (inputs.astype(np.float64) - ZERO) * steps @ weights + biases
    assert made.apply(inputs) == pytest.approx(expected, abs=0.02)


@given(SEEDS)
def test_sums_are_exact(seed: int) -> None:
    made, *_ = layer(seed)
    inputs = rows(seed)
    whole = (inputs.astype(np.int64) - ZERO) @ (128 * made.coarse.astype(np.int64) + made.fine)
    assert made.apply(inputs).tolist() == (whole.astype(np.float32) * made.scale + made.biases).tolist()


@given(SEEDS, st.integers(1, 300))
def test_a_row_does_not_depend_on_the_batch(seed: int, count: int) -> None:
    made, *_ = layer(seed)
    inputs = rows(seed, count)
    alone = np.concatenate([made.apply(inputs[i : i + 1]) for i in (0, count - 1)])
    assert made.apply(inputs)[[0, -1]].tolist() == alone.tolist()


def test_weights_are_small_enough_for_every_processor() -> None:
    """Older processors add two 8-bit products in 16 bits and clip the sum."""
    made, *_ = layer(0)
    largest = max(np.abs(plane.astype(int)).max() for plane in (made.coarse, made.fine))
    assert largest * 255 * 2 <= np.iinfo(np.int16).max


def test_the_largest_inputs_do_not_overflow() -> None:
    weights = np.full((MOST_INPUTS, 1), 3.0, np.float32)
    made = IntegerLayer.of(weights, np.zeros(1, np.float32), np.ones(MOST_INPUTS, np.float32))
    [[answer]] = made.apply(np.zeros((1, MOST_INPUTS), np.uint8)).tolist()
    assert answer == pytest.approx(-3.0 * ZERO * MOST_INPUTS, rel=1e-3)


def test_too_many_inputs_are_refused() -> None:
    many = MOST_INPUTS + 1
    with pytest.raises(ValueError, match=f"a layer with {many} inputs"):
        IntegerLayer.of(np.ones((many, 1), np.float32), np.zeros(1, np.float32), np.ones(many, np.float32))


def test_units_without_weights_return_their_bias() -> None:
    made = IntegerLayer.of(np.zeros((INPUTS, 2), np.float32), np.array([1, 2], np.float32), np.ones(INPUTS, np.float32))
    assert made.apply(rows(0, 1)).tolist() == [[1, 2]]


@pytest.mark.skipif(find_spec("onnx") is None, reason="the extra `deep` is not installed")
def test_the_shipped_graph_is_what_the_command_writes() -> None:
    assert GRAPH.read_bytes() == graph()

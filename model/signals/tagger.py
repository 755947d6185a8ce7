"""The misfit tagger: how likely is it, for each word, that a machine put it there?

What it looks for: words that do not fit their context. A multi-layer perceptron reads the word vectors of the window
around a word, the mean vector of its wider context, and the token values of other signals.

Why that betrays a machine: it was trained on text in which the replaced words are known, because our own paraphrasers
replaced them, so it combines the traces that replacement leaves.

What it misses: replacements that fit as well as the original, and whole sentences written by a machine.

The first layer, which is nearly all of the work, is computed in integers (integers.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from unspun.model.language.encoding import Encoding
from unspun.model.language.topics import UNIT, WIDE, Topics, cosine
from unspun.model.language.vocabulary import BOUNDARY
from unspun.model.signals.base import Floats
from unspun.model.signals.integers import ZERO, IntegerLayer

WINDOW = 4
"""Words on each side whose vectors are inputs."""
SEATS = 2 * WINDOW + 1
"""Words in a window."""
BLOCK = 2048
"""Tokens in a block: enough to share the cost of numpy's calls, few enough for the processor's cache."""
TILE = 128
"""Rows of each matrix product. It is always the same number, because BLAS rounds differently for other shapes, and the
result for a word must not depend on the batch."""
STEP = np.float32(4 / 127)
"""Unit of the integer form of a scaled value; values are within four."""
REST = np.float32(1 / 256)
"""Unit, in STEPs, of the second integer of a value: another 8 bits for the rounding error of the first."""


class TaggerInputs:
    """Builds the tagger's inputs for selected tokens of a batch.

    Most inputs are integers around ZERO: the packed vectors of the window's words, and the token values of signals, as
    two integers each. The inputs about the wider context are floats and separate.
    """

    def __init__(self, topics: Topics) -> None:
        self.topics = topics
        self.vectors = topics.vectors
        self.width = int(self.vectors.shape[1])
        self._from_zero = (topics.values.astype(np.int16) + ZERO).astype(np.uint8)

    def size(self, numbers: int) -> int:
        """Return the number of inputs of a token, given the number of token values of the signals."""
        return SEATS * self.width + self.topic_size + numbers * 3

    @property
    def topic_size(self) -> int:
        """Number of inputs about the wider context. They come after those of the window."""
        return 2 * self.width + 2

    def layout(self, numbers: int) -> tuple[NDArray[np.int64], Floats]:
        """Return for each integer the input that it is part of (S,), and its unit (S,)."""
        vectors = SEATS * self.width
        which, steps = [np.arange(vectors)], [np.full(vectors, UNIT)]
        own = vectors + self.topic_size
        for first in (
            own + numbers,
            own,
            own + 2 * numbers,
        ):  # of the word before, of the word itself, of the word after
            which += [np.arange(first, first + numbers)] * 2
            steps += [np.full(numbers, STEP), np.full(numbers, STEP * REST)]
        return np.concatenate(which), np.concatenate(steps)

    def prepare(self, encoding: Encoding, numbers: Floats) -> PreparedInputs:
        """Compute what all blocks of a batch share. `numbers` (T, n) are the signals' scaled token values."""
        document = encoding.documents.token_document
        here = np.arange(len(document))
        documents, pair = len(encoding.documents.texts), 2 * numbers.shape[1]
        ids = np.full(len(here) + WINDOW * (documents + 1), BOUNDARY, dtype=np.int32)
        ids[here + WINDOW * (document + 1)] = encoding.ids
        integers = np.full((len(here) + documents + 1, pair), ZERO, dtype=np.uint8)
        rows = here + document + 1
        for start in range(0, len(here), BLOCK):
            part = slice(start, start + BLOCK)
            integers[rows[part]] = _in_steps(numbers[part])
        seats = _runs_of_rows(self._from_zero.take(ids, axis=0), SEATS)
        return PreparedInputs(encoding, seats, _runs_of_rows(integers, 3))

    def block(self, prepared: PreparedInputs, places: NDArray[np.int64]) -> Floats:
        """Return the inputs (P, size) of the tokens at `places` (P,), in floating point."""
        numbers = prepared.around.shape[1] // 6
        which, steps = self.layout(numbers)
        integers = np.empty((len(places), len(which)), dtype=np.uint8)
        self.enter(prepared, places, integers)
        parts = (integers.astype(np.float32) - np.float32(ZERO)) * steps
        first = SEATS * self.width
        inputs = np.empty((len(places), self.size(numbers)), dtype=np.float32)
        inputs[:, first : first + self.topic_size] = self.topic(prepared, places)
        rests = steps < STEP * REST * 2
        inputs[:, which[~rests]] = parts[:, ~rests]
        inputs[:, which[rests]] += parts[:, rests]
        return inputs

    def enter(self, prepared: PreparedInputs, places: NDArray[np.int64], integers: NDArray[np.uint8]) -> None:
        """Fill an array (P, S) with the integers of the tokens at `places` (P,)."""
        at = SEATS * self.width
        document = prepared.encoding.documents.token_document[places]
        integers[:, :at] = prepared.seats[places + WINDOW * document]
        integers[:, at:] = prepared.around[places + document]

    def topic(self, prepared: PreparedInputs, places: NDArray[np.int64]) -> Floats:
        """Return the inputs about the wider context of the tokens at `places` (P,), shape (P, topic_size)."""
        width, encoding = self.width, prepared.encoding
        own = self.vectors.take(encoding.ids[places], axis=0)
        context, count = self.topics.contexts(encoding, places)
        topic = np.empty((len(places), self.topic_size), dtype=np.float32)
        np.multiply(context, np.float32(2.0), out=topic[:, :width])
        np.multiply(own, topic[:, :width], out=topic[:, width : 2 * width])
        topic[:, 2 * width] = cosine(own, context)
        np.divide(count, np.float32(2 * WIDE + 1), out=topic[:, 2 * width + 1])
        return topic


def _runs_of_rows(rows: NDArray[np.uint8], length: int) -> NDArray[np.uint8]:
    """Return each run of `length` rows of an array (N, w) as one row (N - length + 1, length * w), without a copy."""
    count, width = rows.shape
    return np.ndarray((count - length + 1, length * width), np.uint8, buffer=rows, strides=(width, 1))


def _in_steps(numbers: Floats) -> NDArray[np.uint8]:
    """Return scaled values (T, n) as integers around ZERO (T, 2 n): rounded to STEPs, and the rounding errors."""
    size = numbers.shape[1]
    integers = np.empty((len(numbers), 2 * size), dtype=np.uint8)
    values = numbers / STEP
    values += np.float32(ZERO + 0.5)
    integers[:, :size] = values
    values -= integers[:, :size]
    values /= REST
    integers[:, size:] = values
    return integers


@dataclass(frozen=True, eq=False)
class PreparedInputs:
    """What all blocks of a batch share: views of sliding windows over all documents.

    Attributes:
        encoding: the batch.
        seats: (S, SEATS * E) the packed vectors of the words in a window, as integers, with WINDOW boundaries around
            each document.
        around: (R, 6 n) integers of the token values of the word before, the word itself and the word after, with a
            row of zeros around each document.
    """

    encoding: Encoding
    seats: NDArray[np.uint8]
    around: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Tagger:
    """The trained network: weights and biases of its layers (float32), and the scaling of the token values."""

    name: ClassVar = "misfit"
    question: ClassVar = "which words does a small neural network believe to be replaced?"
    evidence: ClassVar = {"misfit": "does not fit its context"}

    inputs: TaggerInputs
    weights: tuple[Floats, ...]
    biases: tuple[Floats, ...]
    centre: Floats
    spread: Floats

    def scaled(self, numbers: Floats) -> Floats:
        """Scale token values (T, n) as in training."""
        return scale_numbers(numbers, self.centre, self.spread)

    def log_odds(self, encoding: Encoding, numbers: Floats, places: NDArray[np.int64]) -> Floats:
        """Return the log odds (P,) that a machine put the tokens at `places` (P,) there.

        `numbers` (T, n) are the signals' token values, unscaled.
        """
        answer = np.empty(len(places), dtype=np.float32)
        if not len(places):
            return answer
        prepared = self.inputs.prepare(encoding, self.scaled(numbers))
        first, of_topic = self._first
        # All blocks share these arrays. Rows that a block does not fill are multiplied too, and their results ignored.
        most = min(len(places), BLOCK)
        filled = -(-most // TILE) * TILE
        integers = np.empty((most, len(first.coarse)), dtype=np.uint8)
        topic = np.zeros((filled, len(of_topic)), dtype=np.float32)
        sums = np.empty((filled, of_topic.shape[1]), dtype=np.float32)
        for start in range(0, len(places), BLOCK):
            part = places[start : start + BLOCK]
            size = len(part)
            self.inputs.enter(prepared, part, integers[:size])
            topic[:size] = self.inputs.topic(prepared, part)
            rows = -(-size // TILE) * TILE
            values = _tiled(topic[:rows], of_topic, sums)
            values[:size] += first.apply(integers[:size])
            for weight, bias in zip(self.weights[1:], self.biases[1:], strict=True):
                np.maximum(values, np.float32(0), out=values)
                values = _tiled(values, weight)
                values += bias
            answer[start : start + BLOCK] = values[:size, 0]
        return answer

    @cached_property
    def _first(self) -> tuple[IntegerLayer, Floats]:
        """The first layer, divided into the part for integers and the part for the wider context."""
        which, steps = self.inputs.layout(len(self.centre))
        at = SEATS * self.inputs.width
        layer = IntegerLayer.of(self.weights[0][which], self.biases[0], steps)
        return layer, np.ascontiguousarray(self.weights[0][at : at + self.inputs.topic_size])


def _tiled(values: Floats, weights: Floats, out: Floats | None = None) -> Floats:
    """Return the product of `values`, whose rows fill whole tiles, and `weights`; in `out` (N, H), if given."""
    tiles = values.reshape(-1, TILE, values.shape[1])
    room = None if out is None else out[: len(values)].reshape(-1, TILE, weights.shape[1])
    product: Floats = np.matmul(tiles, weights, out=room)
    return product.reshape(-1, weights.shape[1])


def scale_numbers(numbers: Floats, centre: Floats, spread: Floats) -> Floats:
    """Centre and scale token values, and clip them at four spreads."""
    scaled: Floats = (numbers - centre).astype(np.float32, copy=False)
    scaled /= spread
    np.maximum(scaled, np.float32(-4), out=scaled)
    return np.minimum(scaled, np.float32(4), out=scaled)

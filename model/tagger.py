"""The misfit tagger: for each word, how likely a machine put it there.

A multi-layer perceptron over the word vectors of the window around a word, the mean vector of its wider context, and
the per-token numbers of the other signals. It is trained on text whose replaced words are known, because our own
paraphrasers replaced them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.encoding import Encoding
from model.signals.base import Floats
from model.topics import WIDE, Topics, cosine
from model.vocabulary import BOUNDARY

WINDOW = 4
"""Words to each side whose vectors are read."""
SEATS = 2 * WINDOW + 1
"""Places in a window."""
BLOCK = 1024
"""Tokens a block: its arrays stay in the processor's cache."""


TILE = 128
"""Rows multiplied at a time, always so many: BLAS rounds otherwise for another shape, and an answer must not depend on
the company that a word is in."""


class TaggerInputs:
    """Builds the tagger's inputs for chosen tokens of a batch."""

    def __init__(self, topics: Topics) -> None:
        self.topics = topics
        self.vectors = topics.vectors
        self.width = self.vectors.shape[1]

    def size(self, numbers: int) -> int:
        """Return how many inputs a token has, given how many per-token numbers the signals have."""
        return int((SEATS + 2) * self.width + 2 + numbers * 3)

    def prepare(self, encoding: Encoding, numbers: Floats) -> PreparedInputs:
        """Compute what all blocks of a batch share. `numbers` (T, n) are the signals' scaled per-token numbers."""
        documents = encoding.documents
        padded = np.full(len(encoding.ids) + WINDOW * (len(documents.texts) + 1), BOUNDARY, dtype=np.int32)
        padded[np.arange(len(encoding.ids)) + WINDOW * (documents.token_document + 1)] = encoding.ids
        return PreparedInputs(encoding, padded, numbers)

    def block(self, prepared: PreparedInputs, places: NDArray[np.int64]) -> Floats:
        """Return the inputs (P, size) of the tokens at `places` (P,)."""
        inputs = np.empty((len(places), self.size(prepared.numbers.shape[1])), dtype=np.float32)
        self.enter(prepared, places, inputs)
        return inputs

    def enter(self, prepared: PreparedInputs, places: NDArray[np.int64], inputs: Floats) -> None:
        """Enter the inputs of the tokens at `places` (P,) into an array (P, size)."""
        width = self.width
        encoding, numbers = prepared.encoding, prepared.numbers
        for seat, ids in enumerate(prepared.windows(places).T):
            inputs[:, seat * width : (seat + 1) * width] = self.vectors.take(ids, axis=0)
        own = self.vectors.take(encoding.ids[places], axis=0)
        context, count = self.topics.contexts(encoding, places)
        inputs = inputs[:, SEATS * width :]
        np.multiply(context, np.float32(2.0), out=inputs[:, :width])
        np.multiply(own, inputs[:, :width], out=inputs[:, width : 2 * width])
        at = 2 * width
        inputs[:, at] = cosine(own, context)
        inputs[:, at + 1] = count / np.float32(2 * WIDE + 1)
        at += 2
        document = encoding.documents.token_document
        last = len(numbers) - 1
        for step in (0, -1, 1):
            there = np.clip(places + step, 0, last)
            found = inputs[:, at : at + numbers.shape[1]]
            found[:] = numbers.take(there, axis=0)
            if step:
                found[(document[there] != document[places]) | (there == places)] = 0
            at += numbers.shape[1]


@dataclass(frozen=True, eq=False)
class PreparedInputs:
    """What all blocks of a batch share: `padded` are the ids of all documents with WINDOW boundaries around each."""

    encoding: Encoding
    padded: NDArray[np.int32]
    numbers: Floats

    def windows(self, places: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the ids (P, SEATS) of the words around the tokens at `places` (P,), BOUNDARY outside the document."""
        first = places + WINDOW * self.encoding.documents.token_document[places]
        return self.padded.take(first[:, None] + np.arange(SEATS))


@dataclass(frozen=True, eq=False)
class Tagger:
    """The trained network: its layers' weights and biases (float32), and the scaling of the per-token numbers."""

    inputs: TaggerInputs
    weights: tuple[Floats, ...]
    biases: tuple[Floats, ...]
    centre: Floats
    spread: Floats

    def scaled(self, numbers: Floats) -> Floats:
        """Scale per-token numbers (T, n) as in training."""
        return scale_numbers(numbers, self.centre, self.spread)

    def log_odds(self, encoding: Encoding, numbers: Floats, places: NDArray[np.int64]) -> Floats:
        """Return the log odds (P,) that a machine put the tokens at `places` there.

        `numbers` (T, n) are the signals' per-token numbers, unscaled.
        """
        prepared = self.inputs.prepare(encoding, self.scaled(numbers))
        answer = np.empty(len(places), dtype=np.float32)
        # One array for the inputs of all blocks: what a block does not fill is multiplied, too, and left out.
        inputs = np.zeros((-(-min(len(places), BLOCK) // TILE) * TILE, len(self.weights[0])), dtype=np.float32)
        for start in range(0, len(places), BLOCK):
            part = places[start : start + BLOCK]
            self.inputs.enter(prepared, part, inputs[: len(part)])
            values = inputs[: -(-len(part) // TILE) * TILE]
            for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
                if layer:
                    np.maximum(values, np.float32(0), out=values)
                values = _tiled(values, weight)
                values += bias
            answer[start : start + BLOCK] = values[: len(part), 0]
        return answer


def _tiled(values: Floats, weights: Floats) -> Floats:
    """Return the product of `values`, as many as fill whole tiles, and `weights`."""
    product: Floats = values.reshape(-1, TILE, values.shape[1]) @ weights
    return product.reshape(-1, weights.shape[1])


def scale_numbers(numbers: Floats, centre: Floats, spread: Floats) -> Floats:
    """Centre and scale per-token numbers, and keep outliers within four spreads."""
    scaled: Floats = (numbers - centre).astype(np.float32, copy=False)
    scaled /= spread
    return np.clip(scaled, np.float32(-4), np.float32(4), out=scaled)

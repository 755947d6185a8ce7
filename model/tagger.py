"""The misfit tagger: for each word, how likely a machine put it there.

A multi-layer perceptron over the word vectors of the window around a word, the mean vector of its wider context, and
the per-token numbers of the other signals. It is trained on text whose replaced words are known, because our own
paraphrasers replaced them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.encoding import Encoding, shift
from model.signals.base import Floats
from model.topics import WIDE, Contexts, Topics, cosine
from model.vocabulary import BOUNDARY

WINDOW = 4
"""Words to each side whose vectors are read."""
BLOCK = 1024
"""Tokens a block: the inputs of one block stay in the processor's cache."""


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
        return int((2 * WINDOW + 3) * self.width + 2 + numbers * 3)

    def prepare(self, encoding: Encoding, numbers: Floats) -> PreparedInputs:
        """Compute what all blocks of a batch share. `numbers` (T, n) are the signals' scaled per-token numbers."""
        document = encoding.documents.token_document
        windows = np.stack(
            [
                encoding.neighbours[k] if k in encoding.neighbours else shift(encoding.ids, document, k, BOUNDARY)
                for k in range(-WINDOW, WINDOW + 1)
            ],
            axis=1,
        )
        return PreparedInputs(windows, self.topics.contexts(encoding), numbers, document)

    def block(self, prepared: PreparedInputs, places: NDArray[np.int64]) -> Floats:
        """Return the inputs (P, size) of the tokens at `places` (P,)."""
        width = self.width
        inputs = np.empty((len(places), self.size(prepared.numbers.shape[1])), dtype=np.float32)
        windows = (2 * WINDOW + 1) * width
        ids = prepared.windows[places]
        inputs[:, :windows] = self.vectors.take(ids, axis=0).reshape(len(places), windows)
        own = inputs[:, WINDOW * width : (WINDOW + 1) * width]
        context, count = prepared.contexts.around(places)
        similarity = cosine(np.ascontiguousarray(own), context)
        np.multiply(context, np.float32(2.0), out=inputs[:, windows : windows + width])
        np.multiply(own, inputs[:, windows : windows + width], out=inputs[:, windows + width : windows + 2 * width])
        at = windows + 2 * width
        inputs[:, at] = similarity
        inputs[:, at + 1] = count / np.float32(2 * WIDE + 1)
        at += 2
        last = len(prepared.numbers) - 1
        for step in (0, -1, 1):
            there = np.clip(places + step, 0, last)
            found = inputs[:, at : at + prepared.numbers.shape[1]]
            found[:] = prepared.numbers.take(there, axis=0)
            if step:
                same = (prepared.document[there] == prepared.document[places]) & (there != places)
                found *= same[:, None]
            at += prepared.numbers.shape[1]
        return inputs


@dataclass(frozen=True, eq=False)
class PreparedInputs:
    """What all blocks of a batch share: window ids (T, 2 * WINDOW + 1), mean vectors of the wider contexts."""

    windows: NDArray[np.int32]
    contexts: Contexts
    numbers: Floats
    document: NDArray[np.int32]


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
        for begin in range(0, len(places), BLOCK):
            chosen = places[begin : begin + BLOCK]
            rows = np.resize(chosen, -(-len(chosen) // TILE) * TILE)
            values = self.inputs.block(prepared, rows).reshape(-1, TILE, len(self.weights[0]))
            for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
                values = np.maximum(values @ weight + bias, np.float32(0))
            answer[begin : begin + BLOCK] = (values @ self.weights[-1] + self.biases[-1]).ravel()[: len(chosen)]
        return answer


def scale_numbers(numbers: Floats, centre: Floats, spread: Floats) -> Floats:
    """Centre and scale per-token numbers, and keep outliers within four spreads."""
    scaled: Floats = np.clip((numbers - centre) / spread, np.float32(-4), np.float32(4)).astype(np.float32)
    return scaled

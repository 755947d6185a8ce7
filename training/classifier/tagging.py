"""Trains the misfit tagger on words that our own paraphrasers replaced, among words that people wrote."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from sklearn.neural_network import MLPClassifier

from unspun.model.signals.features import Signals
from unspun.model.signals.tagger import Tagger, TaggerInputs, scale_numbers
from unspun.model.text.document import Documents
from unspun.training.machines.base import Substitution
from unspun.training.machines.spinning import token_labels

HIDDEN = (160, 32)
SAMPLE = 0.5
"""Share of a document's words that one epoch uses."""
CHUNK_DOCUMENTS = 96
AVERAGED = 0.4
"""The last share of the steps over which the weights are averaged (Polyak and Juditsky 1992)."""


class TaggerTrainer:
    """Fits the tagger by stochastic gradient descent over a stream of documents in random order."""

    def __init__(self, signals: Signals, *, seed: int, progress: bool = False) -> None:
        self.signals = signals
        self.progress = progress
        self.inputs = TaggerInputs(signals.topics)
        self.rng = np.random.default_rng(seed)
        self.network = MLPClassifier(
            hidden_layer_sizes=HIDDEN,
            batch_size=512,
            learning_rate_init=1e-3,
            alpha=1e-5,
            random_state=seed,
        )

    def fit(self, texts: Sequence[str], changes: Sequence[Sequence[Substitution]], epochs: int) -> Tagger:
        """Fit on texts and their substitutions (none for human text)."""
        centre, spread = self._scales(texts)
        chunks = -(-len(texts) // CHUNK_DOCUMENTS) * epochs
        sums: list[NDArray[np.float64]] = []
        averaged = 0
        stream = self._stream(texts, changes, centre, spread, epochs)
        steps = track(
            stream, total=chunks, description="tagger", console=Console(stderr=True), disable=not self.progress
        )
        for step, (inputs, labels) in enumerate(steps):
            self.network.partial_fit(inputs, labels, classes=[False, True])
            if step < int(chunks * (1 - AVERAGED)):
                continue
            layers = [*self.network.coefs_, *self.network.intercepts_]
            sums = (
                [total + layer for total, layer in zip(sums, layers, strict=True)]
                if sums
                else [layer.astype(np.float64) for layer in layers]
            )
            averaged += 1
        means = [(total / averaged).astype(np.float32) for total in sums]
        count = len(self.network.coefs_)
        return Tagger(self.inputs, tuple(means[:count]), tuple(means[count:]), centre, spread)

    def _scales(self, texts: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        some = self.rng.choice(len(texts), size=min(400, len(texts)), replace=False)
        encoding = self.signals.encode(Documents.parse([texts[i] for i in some]))
        numbers = self.signals.read_tokens(encoding)[0][encoding.judged]
        return numbers.mean(axis=0), np.maximum(numbers.std(axis=0), 1e-3)

    def _stream(
        self,
        texts: Sequence[str],
        changes: Sequence[Sequence[Substitution]],
        centre: NDArray[np.float32],
        spread: NDArray[np.float32],
        epochs: int,
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.bool_]]]:
        """Yield inputs and labels for a sample of words, one chunk of documents at a time."""
        for _ in range(epochs):
            order = self.rng.permutation(len(texts))
            for start in range(0, len(order), CHUNK_DOCUMENTS):
                chosen = order[start : start + CHUNK_DOCUMENTS]
                documents = Documents.parse([texts[i] for i in chosen])
                labels = token_labels(documents, [changes[i] for i in chosen])
                encoding = self.signals.encode(documents)
                numbers = scale_numbers(self.signals.read_tokens(encoding)[0], centre, spread)
                places = np.flatnonzero(encoding.judged & (self.rng.random(len(encoding.ids)) < SAMPLE))
                if len(places):
                    yield self.inputs.block(self.inputs.prepare(encoding, numbers), places), labels[places]

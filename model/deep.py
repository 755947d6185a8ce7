"""The deep tier: a small pretrained encoder that says for each word how likely a machine put it there.

All-MiniLM-L6-v2 (Wang et al. 2020; Reimers and Gurevych 2019), fine-tuned on words that our own paraphrasers replaced
and on texts from machine translation and neural rewriters (`training.fine_tune`), its layers as an ONNX graph with
8-bit weights. It reads a text in overlapping windows, one at a time: with 8-bit arithmetic an answer depends on what
else is in the batch, and a text's score must not depend on its company.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.characters import to_text
from model.document import Documents, TokenClass
from model.fast import MACHINE_KINDS, Calibration
from model.onnx_session import session
from model.passages import NOTABLE_CONTRAST, contrast, strongest_stretch
from model.signals.base import Floats
from model.wordpieces import WordPieces, windows

WINDOW, OVERLAP = 126, 30
"""Word pieces read at a time, besides the two that mark a window's ends, and how many of them the next one reads
again: a word at a window's end lacks half its context."""
TILE = 64
"""Words that are compared with the vocabulary at a time."""
LEAST_KEPT = -3.0
"""Log odds of a replaced word from which what stood there before is kept: memory, for very long texts."""
SAID_OF_NOTHING = np.float32(-12.0)
"""Log odds of words that are not read."""


@dataclass(frozen=True, eq=False)
class Weights:
    """What the encoder is made of: `graph`, an ONNX model of the layers; the word pieces' embeddings in 8 bits,
    (V, 384), with a scale for each, (V,); `bias` (V,) of each piece as what stood there before.
    """

    graph: bytes
    embeddings: NDArray[np.int8]
    scale: Floats
    bias: Floats
    pieces: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class DeepReading:
    """What the encoder says of some documents of a batch.

    `log_odds` (T, 3) holds for each token of the batch the log odds of each machine kind, SAID_OF_NOTHING where it was
    not read. `before` (T, 384) says what stood there before a word that is likely replaced, as a place among the
    embeddings; `before_row` (T,) is the row of `before` of a token, or -1.
    """

    log_odds: Floats
    before: Floats
    before_row: NDArray[np.int32]


class DeepEncoder:
    """Runs the encoder. The session is made when it is first needed, once a process."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights

    @cached_property
    def _wordpieces(self) -> WordPieces:
        return WordPieces(self.weights.pieces)

    @cached_property
    def _session(self) -> Any:
        return session(self.weights.graph)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the session behind: another process makes its own."""
        return {"weights": self.weights}

    def embed(self, ids: NDArray[np.integer]) -> Floats:
        """Return the embeddings (..., 384) of word pieces."""
        values: Floats = self.weights.embeddings[ids] * self.weights.scale[ids][..., None]
        return values

    def read(self, documents: Documents, which: Sequence[int], *, keep: bool = False) -> DeepReading:
        """Read the prose of some documents of a batch.

        With `keep`, what stood there before is kept for words that may have been replaced.
        """
        size = len(documents.token_start)
        log_odds = np.full((size, len(MACHINE_KINDS)), SAID_OF_NOTHING, dtype=np.float32)
        before_row = np.full(size, -1, dtype=np.int32)
        kept: list[Floats] = []
        rows = 0
        for number in which:
            ids, token = self._pieces(documents, number)
            if not len(ids):
                continue
            found, replaced, guesses = self._run(ids, token, keep)
            first = np.flatnonzero(np.diff(token, prepend=-1))
            words = token[first]
            # A word is a spinner's if any of its pieces is; a text's style is in all of them.
            spun = np.maximum.reduceat(found[:, 0], first)
            log_odds[words, 0] = np.maximum(spun, SAID_OF_NOTHING + 1)  # a sure "no" is an answer, too
            counts = np.diff(first, append=len(token))[:, None]
            log_odds[words, 1:] = np.add.reduceat(found[:, 1:], first) / counts
            before_row[replaced] = rows + np.arange(len(replaced))
            kept.append(guesses)
            rows += len(replaced)
        width = self.weights.embeddings.shape[1]
        return DeepReading(log_odds, np.concatenate([np.zeros((0, width), np.float32), *kept]), before_row)

    def _pieces(self, documents: Documents, number: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Return the word pieces (P,) of a document's prose, and the token of the batch that each is of (P,)."""
        first, last = int(documents.token_ptr[number]), int(documents.token_ptr[number + 1])
        origin = int(documents.document_start[number])
        text = to_text(documents.characters[origin : int(documents.document_start[number + 1]) - 1])
        cut = self._wordpieces.cut([text])
        if first == last or not len(cut.ids):
            return np.zeros(0, np.int32), np.zeros(0, np.int64)
        token = first + np.searchsorted(documents.token_start[first:last] - origin, cut.starts, side="right") - 1
        inside = (token >= first) & (cut.starts + origin < documents.token_end[np.maximum(token, first)])
        inside &= documents.token_prose[np.maximum(token, first)]
        return cut.ids[inside], token[inside]

    def _run(
        self, ids: NDArray[np.int32], token: NDArray[np.int64], keep: bool
    ) -> tuple[Floats, NDArray[np.int64], Floats]:
        """Return log odds (P, 3), each from the window with most context.

        With `keep` also the tokens (R,) that may have been replaced, and what stood there before (R, 384).
        """
        starts = windows(len(ids), WINDOW, OVERLAP)
        stops = np.minimum(starts + WINDOW, len(ids))
        edges = np.concatenate([[0], (starts[1:] + stops[:-1]) // 2, [len(ids)]])
        odds: list[Floats] = []
        replaced, guesses = [np.zeros(0, np.int64)], [np.zeros((0, self.weights.embeddings.shape[1]), np.float32)]
        outputs = ["log_odds", "before"] if keep else ["log_odds"]
        marks = self._wordpieces.start, self._wordpieces.end
        for start, stop, low, high in zip(starts, stops, edges[:-1], edges[1:], strict=True):
            row = np.concatenate([marks[:1], ids[start:stop], marks[1:]])
            answer = self._session.run(outputs, {"embedded": self.embed(row)[None]})
            part = slice(int(low - start) + 1, int(high - start) + 1)
            odds.append(answer[0][0, part])
            if keep:
                first = np.flatnonzero(np.diff(token[low:high], prepend=-1))
                first = first[np.maximum.reduceat(odds[-1][:, 0], first) >= LEAST_KEPT]
                replaced.append(token[low:high][first])
                guesses.append(answer[1][0, part][first])
        return np.concatenate(odds), np.concatenate(replaced), np.concatenate(guesses)

    def originals(self, reading: DeepReading, tokens: NDArray[np.integer], count: int) -> list[list[tuple[str, float]]]:
        """Return for each token the `count` words that most likely stood there before, with their log probabilities.

        Whole words only. A token of which nothing is known has an empty list.
        """
        rows = reading.before_row[tokens]
        answer: list[list[tuple[str, float]]] = [[] for _ in rows]
        known = np.flatnonzero(rows >= 0)
        words = self._words
        count = min(count, len(words) - 1)
        for start in range(0, len(known), TILE):
            chosen = known[start : start + TILE]
            # Always as many rows: BLAS rounds otherwise for another shape.
            scores = reading.before[rows[np.resize(chosen, TILE)]] @ self.word_matrix.T + self.weights.bias[words]
            scores = scores[: len(chosen)]
            scores -= np.logaddexp.reduce(scores, axis=1, keepdims=True)
            best = np.argpartition(-scores, count, axis=1)[:, :count]
            for place, columns, row in zip(chosen.tolist(), best, scores, strict=True):
                ordered = columns[np.lexsort((columns, -row[columns]))]
                answer[place] = [(self.weights.pieces[words[i]], float(row[i])) for i in ordered.tolist()]
        return answer

    @cached_property
    def _words(self) -> NDArray[np.int64]:
        """The pieces that are words of letters."""
        pieces = self.weights.pieces
        return np.array([i for i, piece in enumerate(pieces) if piece.isalpha() and piece.isascii()], dtype=np.int64)

    @cached_property
    def word_matrix(self) -> Floats:
        """The embeddings of whole words (W, 384)."""
        return self.embed(self._words)


SPUN_QUANTILE = 0.95
"""Quantile of a text's words that says most of its being spun: a spinner leaves most words alone."""
NAMES = ("spun.quantile", "translated.strongest_stretch", "rewritten.strongest_stretch", "spun.contrast")
"""The numbers that a document's answers are summed up by: one a kind, and how far a passage stands out."""


@dataclass(frozen=True, slots=True)
class Blend:
    """A logistic regression over the two taggers' log odds that a word was replaced: they err on different words.

    `prior_log_odds` is that of a replaced word in the text that it was fitted on.
    """

    deep: float
    fast: float
    bias: float
    prior_log_odds: float

    def log_odds(self, reading: DeepReading, misfit: Floats) -> Floats:
        """Return the encoder's answers (T, 3), of which the first is blended with the tagger's, `misfit` (T,)."""
        answer = reading.log_odds.copy()
        read = answer[:, 0] > SAID_OF_NOTHING
        blended = self.deep * answer[read, 0] + self.fast * np.maximum(misfit[read], LEAST_MISFIT) + self.bias
        answer[read, 0] = np.maximum(blended, SAID_OF_NOTHING / 2)
        return answer


LEAST_MISFIT = np.float32(-8.0)
"""What the tagger is taken to say of a word that it does not judge, at least."""


@dataclass(frozen=True, eq=False)
class Scale:
    """Mean and standard deviation, (3,) each, of the kinds' numbers over human text that the encoder had not seen."""

    centre: NDArray[np.float64]
    spread: NDArray[np.float64]

    @classmethod
    def of(cls, summed_up: Floats) -> Scale:
        """Measure human texts' numbers (N, len(NAMES))."""
        kinds = np.asarray(summed_up, dtype=np.float64)[:, : len(MACHINE_KINDS)]
        return cls(kinds.mean(axis=0), np.maximum(kinds.std(axis=0), 1e-6))

    def log_odds(self, summed_up: Floats, fast: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return log odds (N, 3), uncalibrated: the fast tier's (N, 3), raised by what is unlike human text.

        A plain sum: weights that were learnt, by trees or by regression, did worse on tools that they had not seen.
        """
        numbers = np.asarray(summed_up, dtype=np.float64)
        answer: NDArray[np.float64] = fast + (numbers[:, : len(MACHINE_KINDS)] - self.centre) / self.spread
        answer[:, 0] += np.maximum(numbers[:, -1] - NOTABLE_CONTRAST, 0.0)
        return answer


@dataclass(frozen=True, eq=False)
class DeepTier:
    """The encoder, how its words' answers are blended with the tagger's, what is common in human text, and the
    calibration of the sum with the fast tier's log odds.
    """

    encoder: DeepEncoder
    blend: Blend
    scale: Scale
    calibration: Calibration

    def probabilities(
        self, summed_up: Floats, fast: NDArray[np.floating], length: NDArray[np.floating]
    ) -> NDArray[np.float64]:
        """Return calibrated probabilities (D, 4) of model.verdict.KINDS from documents' numbers (D, len(NAMES)), the
        fast tier's log odds (D, 3) and log(1 + words) (D,).
        """
        return self.calibration.probabilities(self.scale.log_odds(summed_up, fast), length)


def judged_words(documents: Documents, number: int) -> NDArray[np.int64]:
    """Return the tokens of a document that count: words of prose."""
    first, last = int(documents.token_ptr[number]), int(documents.token_ptr[number + 1])
    words = (documents.token_class[first:last] == TokenClass.WORD) & documents.token_prose[first:last]
    return first + np.flatnonzero(words)


def document_numbers(documents: Documents, log_odds: Floats, which: Sequence[int]) -> Floats:
    """Sum the words' blended answers (T, 3) up by document: (len(which), len(NAMES))."""
    answer = np.zeros((len(which), len(NAMES)), dtype=np.float32)
    for row, number in enumerate(which):
        odds = log_odds[judged_words(documents, number)]
        odds = odds[odds[:, 0] > SAID_OF_NOTHING]
        answer[row] = numbers(odds)
    return answer


def numbers(log_odds: Floats) -> list[float]:
    """Sum up the answers (W, 3) to a document's words: as many numbers as NAMES, zeros where there is no word."""
    if not len(log_odds):
        return [0.0] * len(NAMES)
    odds = np.asarray(log_odds, dtype=np.float64)
    return [
        float(np.quantile(odds[:, 0], SPUN_QUANTILE)),
        strongest_stretch(odds[:, 1]),
        strongest_stretch(odds[:, 2]),
        contrast(1.0 / (1.0 + np.exp(-odds[:, 0]))),
    ]

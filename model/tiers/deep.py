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

from unspun.model.onnx_session import session
from unspun.model.signals.base import Floats
from unspun.model.text.characters import to_text
from unspun.model.text.document import Documents, TokenClass
from unspun.model.tiers.wordpieces import WordPieces, windows
from unspun.model.verdict import KINDS

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
class EncoderWeights:
    """What the encoder is made of: `graph`, an ONNX model of the layers; the word pieces' embeddings in 8 bits,
    (V, 384), with a scale for each, (V,); `bias` (V,) of each piece as what stood there before.
    """

    graph: bytes
    embeddings: NDArray[np.int8]
    scale: Floats
    bias: Floats
    pieces: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class EncoderOutput:
    """What the encoder says about some documents of a batch.

    `replaced` (T,) holds for each token of the batch the log odds that a spinner put it there, SAID_OF_NOTHING where it
    was not read. `windows` (M, 3) holds for each window the log odds of each kind, `window_document` (M,) the document,
    `window_tokens` (M, 2) the first and last token that are nearest to this window. `before` (R, 384) says what was
    there before a word that is likely replaced, as a place among the embeddings; `before_row` (T,) is the row of
    `before` of a token, or -1.
    """

    replaced: Floats
    windows: Floats
    window_document: NDArray[np.int64]
    window_tokens: NDArray[np.int64]
    before: Floats
    before_row: NDArray[np.int32]


class DeepEncoder:
    """Runs the encoder. The session is made when it is first needed, once a process."""

    def __init__(self, weights: EncoderWeights) -> None:
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

    def read(self, documents: Documents, which: Sequence[int], *, keep: bool = False) -> EncoderOutput:
        """Read the prose of some documents of a batch.

        With `keep`, what was there before is kept for words that may have been replaced.
        """
        size = len(documents.token_start)
        replaced = np.full(size, SAID_OF_NOTHING, dtype=np.float32)
        before_row = np.full(size, -1, dtype=np.int32)
        windows: list[Floats] = [np.zeros((0, len(KINDS)), np.float32)]
        owners: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
        tokens: list[NDArray[np.int64]] = [np.zeros((0, 2), np.int64)]
        kept: list[Floats] = [np.zeros((0, self.weights.embeddings.shape[1]), np.float32)]
        rows = 0
        for number in which:
            ids, token = prose_pieces(self._wordpieces, documents, number)
            if not len(ids):
                continue
            pieces, found, edges, likely, guesses = self._run(ids, token, keep)
            first = np.flatnonzero(np.diff(token, prepend=-1))
            # A word is a spinner's if any of its pieces is. A sure "no" is an answer, too.
            replaced[token[first]] = np.maximum(np.maximum.reduceat(pieces, first), SAID_OF_NOTHING + 1)
            windows.append(found)
            owners.append(np.full(len(found), number, dtype=np.int64))
            tokens.append(np.column_stack([token[edges[:-1]], token[edges[1:] - 1]]))
            before_row[likely] = rows + np.arange(len(likely))
            kept.append(guesses)
            rows += len(likely)
        return EncoderOutput(
            replaced,
            np.concatenate(windows),
            np.concatenate(owners),
            np.concatenate(tokens),
            np.concatenate(kept),
            before_row,
        )

    def _run(
        self, ids: NDArray[np.int32], token: NDArray[np.int64], keep: bool
    ) -> tuple[Floats, Floats, NDArray[np.int64], NDArray[np.int64], Floats]:
        """Return log odds of pieces (P,), each from the window with most context; log odds of windows (M, 3); and
        the edges (M + 1,) between the pieces that are nearest to each window.

        With `keep` also the tokens (R,) that may have been replaced, and what was there before (R, 384).
        """
        starts = windows(len(ids), WINDOW, OVERLAP)
        stops = np.minimum(starts + WINDOW, len(ids))
        edges = np.concatenate([[0], (starts[1:] + stops[:-1]) // 2, [len(ids)]])
        pieces: list[Floats] = []
        found: list[Floats] = []
        likely, guesses = [np.zeros(0, np.int64)], [np.zeros((0, self.weights.embeddings.shape[1]), np.float32)]
        outputs = ["replaced", "window", "before"] if keep else ["replaced", "window"]
        marks = self._wordpieces.start, self._wordpieces.end
        for start, stop, low, high in zip(starts, stops, edges[:-1], edges[1:], strict=True):
            row = np.concatenate([marks[:1], ids[start:stop], marks[1:]])
            answer = self._session.run(outputs, {"embedded": self.embed(row)[None]})
            part = slice(int(low - start) + 1, int(high - start) + 1)
            pieces.append(answer[0][0, part])
            found.append(answer[1])
            if keep:
                first = np.flatnonzero(np.diff(token[low:high], prepend=-1))
                first = first[np.maximum.reduceat(pieces[-1], first) >= LEAST_KEPT]
                likely.append(token[low:high][first])
                guesses.append(answer[2][0, part][first])
        return np.concatenate(pieces), np.concatenate(found), edges, np.concatenate(likely), np.concatenate(guesses)

    def originals(
        self, reading: EncoderOutput, tokens: NDArray[np.integer], count: int
    ) -> list[list[tuple[str, float]]]:
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


def prose_pieces(
    wordpieces: WordPieces, documents: Documents, number: int
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the word pieces (P,) of a document's prose, and the token of the batch that each belongs to (P,)."""
    first, last = int(documents.token_ptr[number]), int(documents.token_ptr[number + 1])
    origin = int(documents.document_start[number])
    text = to_text(documents.characters[origin : int(documents.document_start[number + 1]) - 1])
    cut = wordpieces.cut([text])
    if first == last or not len(cut.ids):
        return np.zeros(0, np.int32), np.zeros(0, np.int64)
    token = first + np.searchsorted(documents.token_start[first:last] - origin, cut.starts, side="right") - 1
    inside = (token >= first) & (cut.starts + origin < documents.token_end[np.maximum(token, first)])
    inside &= documents.token_prose[np.maximum(token, first)]
    ids, token = cut.ids[inside], token[inside]
    kept = wordpieces.told_apart(ids)
    return wordpieces.typography[ids[kept]], token[kept]


@dataclass(frozen=True, slots=True)
class Blend:
    """A logistic regression over the two taggers' log odds that a word was replaced: they err on different words.

    `prior_log_odds` is that of a replaced word in the text that it was fitted on.
    """

    deep: float
    fast: float
    bias: float
    prior_log_odds: float

    def log_odds(self, reading: EncoderOutput, misfit: Floats) -> Floats:
        """Return the encoder's answers (T,) blended with the tagger's, `misfit` (T,)."""
        answer = reading.replaced.copy()
        read = answer > SAID_OF_NOTHING
        blended = self.deep * answer[read] + self.fast * np.maximum(misfit[read], LEAST_MISFIT) + self.bias
        answer[read] = np.maximum(blended, SAID_OF_NOTHING / 2)
        return answer


LEAST_MISFIT = np.float32(-8.0)
"""What the tagger is taken to say of a word that it does not judge, at least."""


@dataclass(frozen=True, eq=False)
class DeepTier:
    """The encoder, how its words' answers are blended with the tagger's, and how much the fast tier's evidence of each
    kind, `fast_weights` (3,), counts beside the encoder's: they err on different texts.
    """

    encoder: DeepEncoder
    blend: Blend
    fast_weights: NDArray[np.float64]

    def evidence(self, reading: EncoderOutput, fast: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the evidence of each kind (D, 3) from the encoder's, pooled over each document's windows, and the fast
        tier's (D, 3); NaN for documents that the encoder did not read.
        """
        answer: NDArray[np.float64] = (
            pool(reading.windows, reading.window_document, len(fast)) + self.fast_weights * fast
        )
        return answer


def pool(windows: NDArray[np.floating], owner: NDArray[np.int64], documents: int) -> NDArray[np.float64]:
    """Pool the log odds of windows (M, 3) by document (D, 3): the log of the mean of exp(SHARPNESS * log odds).

    Between the mean, which misses a passage, and the maximum, which grows with a text's length.
    """
    answer = np.full((documents, len(KINDS)), np.nan)
    if not len(windows):
        return answer
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    counts = np.diff(first, append=len(owner))[:, None]
    sums = np.logaddexp.reduceat(SHARPNESS * windows.astype(np.float64), first, axis=0)
    answer[owner[first]] = (sums - np.log(counts)) / SHARPNESS
    return answer


SHARPNESS = np.array([1.0, 0.25, 0.25])
"""How much the strongest windows of a document count, by kind: 0 is the mean, infinity the maximum. Spinners leave
traces in a few words, so a spun passage shows in one window; the traces of the others are faint and everywhere.
"""


def judged_words(documents: Documents, number: int) -> NDArray[np.int64]:
    """Return the tokens of a document that count: words of prose."""
    first, last = int(documents.token_ptr[number]), int(documents.token_ptr[number + 1])
    words = (documents.token_class[first:last] == TokenClass.WORD) & documents.token_prose[first:last]
    return first + np.flatnonzero(words)

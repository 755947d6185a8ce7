"""The deep tier: a small pretrained encoder that estimates for each word how likely a machine put it there.

The encoder is all-MiniLM-L6-v2 (Wang et al. 2020; Reimers and Gurevych 2019), fine-tuned (`training.encoder`) on words
that our own paraphrasers replaced and on texts from machine translation and neural rewriters. Its layers are an ONNX
graph with 8-bit weights. It reads a text in overlapping windows, a few at a time, but never windows of two texts at a
time: with 8-bit arithmetic the output for a window depends on the rest of the batch, and a text's score must not depend
on other texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from unspun.model.onnx_session import CPU, Device, run, session
from unspun.model.signals.base import Floats
from unspun.model.text.arrays import followed_by, starts_of_runs, steps
from unspun.model.text.characters import to_text
from unspun.model.text.document import Documents, TokenClass
from unspun.model.tiers.wordpieces import WordPieces, windows
from unspun.model.verdict import KINDS

WINDOW, OVERLAP = 126, 12
"""Word pieces in a window, without the two markers at its ends, and how many of them the next window repeats at least,
because words at the end of a window lack half of their context. Shorter windows would cost accuracy."""
BATCH = {"cpu": 4, "cuda": 64}
"""Windows of a text that are read at a time. More would not fit into a processor's cache."""
ENCODER_INPUTS, ENCODER_OUTPUTS = ("embedded",), ("replaced", "window", "before")
SENTENCE_OUTPUTS = ("state", "attention")
"""Inputs and outputs of the graph. Without a `WindowHead`, it need not have the outputs for single sentences."""
GUESS = "guess"
"""The graph's input that asks for guesses of the originals. A graph without it always makes them."""
TILE = 64
"""Words that are compared with the vocabulary at a time."""
LEAST_KEPT = -3.0
"""Log odds of replacement from which the guess of the original is kept. This bounds memory for very long texts."""
NOT_READ = np.float32(-12.0)
"""Log odds of words that the encoder did not read."""
LEAST_MISFIT = np.float32(-8.0)
"""Lower limit of the tagger's log odds in the blend, also used for words that the tagger does not judge."""
SHARPNESS = np.array([1.0, 0.25, 0.25])
"""How much the strongest windows of a document count, by kind: 0 gives the mean, infinity the maximum. A spun passage
shows in one window, because spinners leave strong traces in a few words; the traces of the other kinds are faint and
everywhere."""


@dataclass(frozen=True, eq=False)
class WindowHead:
    """The layers that turn the pooled pieces of a window into log odds, to apply them to single sentences.

    Attributes:
        judge, judge_bias: (384, 3 * J) and (3 * J,) the first layer, J units for each kind.
        judged, judged_bias: (3, J) and (3,) the second layer.
    """

    judge: Floats
    judge_bias: Floats
    judged: Floats
    judged_bias: Floats

    def log_odds(self, state: Floats, attention: Floats, parts: NDArray[np.int64]) -> Floats:
        """Return the log odds (N, 3) of N parts of a window as if each were the whole window.

        Args:
            state: (L, 384) the last layer, for the pieces of the window.
            attention: (L, 3) how much each piece counts for each kind, before the softmax.
            parts: (N,) the first piece of each part in rising order, which is 0 for the first one; a part ends where
                the next one begins.
        """
        sizes = np.diff(parts, append=len(state))
        peaks = np.repeat(np.maximum.reduceat(attention, parts), sizes, axis=0)
        weights = np.exp(attention - peaks)
        weights /= np.repeat(np.add.reduceat(weights, parts), sizes, axis=0)
        pooled = np.stack([np.add.reduceat(weights[:, k, None] * state, parts) for k in range(len(KINDS))], axis=1)
        wide = pooled @ self.judge + self.judge_bias
        wide *= 0.5 * (1.0 + erf(wide / np.float32(np.sqrt(2.0))))
        kinds = np.arange(len(KINDS))
        own = wide.reshape(len(parts), len(KINDS), len(KINDS), -1)[:, kinds, kinds]
        answer: Floats = (own * self.judged).sum(axis=-1) + self.judged_bias
        return answer


@dataclass(frozen=True, eq=False)
class EncoderWeights:
    """The encoder's parameters.

    Attributes:
        graph: the layers, as an ONNX model.
        embeddings: (V, 384) the embeddings of the word pieces, in 8 bits.
        scale: (V,) the scale of each embedding.
        bias: (V,) bias of each piece as a guess of the original.
        pieces: the V word pieces.
        head: the last layers, if the graph also returns `state` and `attention`, what they are applied to.
    """

    graph: bytes
    embeddings: NDArray[np.int8]
    scale: Floats
    bias: Floats
    pieces: tuple[str, ...]
    head: WindowHead | None = None


@dataclass(frozen=True, eq=False)
class EncoderOutput:
    """What the encoder returned for some documents of a batch with T tokens: M windows, R words likely replaced.

    Attributes:
        replaced: (T,) log odds that a spinner put the token there; NOT_READ for tokens that were not read.
        windows: (M, 3) log odds of each kind in each window.
        window_document: (M,) the document of each window.
        window_tokens: (M, 2) the first and the last token that are nearer to this window's centre than to others'.
        before: (R, 384) for each likely replaced word, a vector near the embedding of the original.
        before_row: (T,) each token's row in `before`, or -1.
        sentences: (N, 3) log odds of each kind in each sentence that was read, if the encoder has a head for them.
        sentence: (N,) the sentences, by their numbers in the batch, in rising order.
    """

    replaced: Floats
    windows: Floats
    window_document: NDArray[np.int64]
    window_tokens: NDArray[np.int64]
    before: Floats
    before_row: NDArray[np.int32]
    sentences: Floats
    sentence: NDArray[np.int32]


class DeepEncoder:
    """Runs the encoder on a device. Each process creates the session when it first needs it."""

    def __init__(self, weights: EncoderWeights, device: Device = CPU) -> None:
        self.weights = weights
        self.device: Device = device

    @cached_property
    def _wordpieces(self) -> WordPieces:
        return WordPieces(self.weights.pieces)

    @cached_property
    def _session(self) -> Any:
        return session(self.weights.graph, self.device)

    def __getstate__(self) -> dict[str, Any]:
        """Pickle only the weights and the device, because a session cannot be pickled."""
        return {"weights": self.weights, "device": self.device}

    def embed(self, ids: NDArray[np.integer]) -> Floats:
        """Return the embeddings (..., 384) of word pieces."""
        values: Floats = self.weights.embeddings[ids] * self.weights.scale[ids][..., None]
        return values

    def read(self, documents: Documents, which: Sequence[int], *, keep: bool = False) -> EncoderOutput:
        """Read the prose of some documents of a batch.

        With `keep`, also return guesses of the originals (`before`) of words that may have been replaced, and the log
        odds of sentences.
        """
        size = len(documents.token_start)
        replaced = np.full(size, NOT_READ, dtype=np.float32)
        before_row = np.full(size, -1, dtype=np.int32)
        windows: list[Floats] = [np.zeros((0, len(KINDS)), np.float32)]
        owners: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
        tokens: list[NDArray[np.int64]] = [np.zeros((0, 2), np.int64)]
        kept: list[Floats] = [np.zeros((0, self.weights.embeddings.shape[1]), np.float32)]
        sentences: list[Floats] = [np.zeros((0, len(KINDS)), np.float32)]
        sentence: list[NDArray[np.int32]] = [np.zeros(0, np.int32)]
        rows = 0
        for number in which:
            ids, token = prose_pieces(self._wordpieces, documents, number)
            if not len(ids):
                continue
            numbers = None
            if keep and self.weights.head is not None:
                named, numbers = np.unique(documents.token_sentence[token], return_inverse=True)
                sentence.append(named)
            pieces, found, edges, likely, guesses, parts = self._run(ids, token, numbers, keep)
            sentences.append(parts)
            first = np.flatnonzero(np.diff(token, prepend=-1))
            # A word is replaced if any of its pieces is. Words that were read stay above NOT_READ.
            replaced[token[first]] = np.maximum(np.maximum.reduceat(pieces, first), NOT_READ + 1)
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
            np.concatenate(sentences),
            np.concatenate(sentence),
        )

    def _run(
        self, ids: NDArray[np.int32], token: NDArray[np.int64], sentence: NDArray[np.int64] | None, keep: bool
    ) -> tuple[Floats, Floats, NDArray[np.int64], NDArray[np.int64], Floats, Floats]:
        """Run the encoder over one document's P pieces, in M windows.

        Returns the log odds of the pieces (P,), each from the window in which it has most context; the log odds of the
        windows (M, 3); and the edges (M + 1,) between the pieces that are taken from each window. With `keep`, also the
        tokens (R,) that may have been replaced and the guesses of their originals (R, 384); otherwise R is 0. With the
        `sentence` of each piece (P,), numbered from 0, also the log odds of the N sentences (N, 3); otherwise N is 0.
        """
        starts = windows(len(ids), WINDOW, OVERLAP)
        stops = np.minimum(starts + WINDOW, len(ids))
        edges = np.concatenate([[0], (starts[1:] + stops[:-1]) // 2, [len(ids)]])
        pieces: list[Floats] = []
        found: list[Floats] = []
        likely, guesses = [np.zeros(0, np.int64)], [np.zeros((0, self.weights.embeddings.shape[1]), np.float32)]
        outputs = list(ENCODER_OUTPUTS if keep else ENCODER_OUTPUTS[:2])
        head = self.weights.head
        sums = np.zeros((0, len(KINDS)), dtype=np.float32)
        if sentence is not None:
            outputs += SENTENCE_OUTPUTS
            sums = np.zeros((int(sentence[-1]) + 1, len(KINDS)), dtype=np.float32)
        answers = self._answers(ids, starts, outputs, guess=keep)
        for answer, start, low, high in zip(answers, starts, edges[:-1], edges[1:], strict=True):
            part = slice(int(low - start) + 1, int(high - start) + 1)
            pieces.append(answer[0][part])
            found.append(answer[1])
            if keep:
                first = np.flatnonzero(np.diff(token[low:high], prepend=-1))
                first = first[np.maximum.reduceat(pieces[-1], first) >= LEAST_KEPT]
                likely.append(token[low:high][first])
                guesses.append(answer[2][part][first])
            if head is not None and sentence is not None:
                inside = sentence[low:high]
                parts = np.flatnonzero(np.diff(inside, prepend=-1))
                sizes = np.diff(parts, append=len(inside))[:, None]
                sums[inside[parts]] += sizes * head.log_odds(answer[3][part], answer[4][part], parts)
        if sentence is not None:  # a sentence in two windows gets the mean, weighted by its pieces in each
            sums /= np.bincount(sentence)[:, None]
        kept = np.concatenate(likely), np.concatenate(guesses), sums
        return np.concatenate(pieces), np.stack(found), edges, *kept

    def _answers(
        self, ids: NDArray[np.int32], starts: NDArray[np.int64], outputs: Sequence[str], *, guess: bool
    ) -> Iterator[list[Floats]]:
        """Yield the outputs of each window of a document: without those for its markers, they are in its pieces' order.

        Args:
            ids: (P,) the pieces of the document.
            starts: (M,) the first piece of each window.
            outputs: the outputs of the graph to return.
            guess: whether `before` is one of them.
        """
        inputs = self._session.get_inputs()[0].shape
        optional = {one.name for one in self._session.get_overridable_initializers()}
        batch = BATCH[self.device] if isinstance(inputs[0], str) else 1  # such a graph takes one window
        places = np.arange(min(WINDOW, len(ids)))
        for first in range(0, len(starts), batch):
            inside = ids[starts[first : first + batch, None] + places]
            rows = np.pad(inside, ((0, 0), (1, 1)))
            rows[:, 0], rows[:, -1] = self._wordpieces.start, self._wordpieces.end
            fed = {ENCODER_INPUTS[0]: self.embed(rows)} | ({GUESS: np.array(guess)} if GUESS in optional else {})
            yield from map(list, zip(*run(self._session, outputs, fed), strict=True))

    def originals(
        self, reading: EncoderOutput, tokens: NDArray[np.integer], count: int
    ) -> list[list[tuple[str, float]]]:
        """Return for each token its `count` likeliest originals with their log probabilities.

        Originals are whole words. The list is empty for tokens without a row in `before`.
        """
        rows = reading.before_row[tokens]
        answer: list[list[tuple[str, float]]] = [[] for _ in rows]
        known = np.flatnonzero(rows >= 0)
        words = self._words
        count = min(count, len(words) - 1)
        for start in range(0, len(known), TILE):
            chosen = known[start : start + TILE]
            # Always TILE rows, because BLAS rounds differently for other shapes.
            scores = reading.before[rows[np.resize(chosen, TILE)]] @ self.word_matrix.T + self.weights.bias[words]
            scores = scores[: len(chosen)]
            scores -= scores.max(axis=1, keepdims=True)
            scores -= np.log(np.exp(scores).sum(axis=1, keepdims=True))  # logaddexp.reduce takes ten times as long
            best = np.argpartition(-scores, count, axis=1)[:, :count]
            for place, columns, row in zip(chosen.tolist(), best, scores, strict=True):
                ordered = columns[np.lexsort((columns, -row[columns]))]
                answer[place] = [(self.weights.pieces[words[i]], float(row[i])) for i in ordered.tolist()]
        return answer

    @cached_property
    def _words(self) -> NDArray[np.int64]:
        """The pieces that are whole words of ASCII letters."""
        pieces = self.weights.pieces
        return np.array([i for i, piece in enumerate(pieces) if piece.isalpha() and piece.isascii()], dtype=np.int64)

    @cached_property
    def word_matrix(self) -> Floats:
        """The embeddings of whole words (W, 384)."""
        return self.embed(self._words)


def prose_pieces(
    wordpieces: WordPieces, documents: Documents, number: int
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the word pieces (P,) of a document's prose, and the batch's token (P,) that each belongs to.

    Each run of allowed terms is one piece, STAND_IN, at its first token.
    """
    first, last = int(documents.token_ptr[number]), int(documents.token_ptr[number + 1])
    origin = int(documents.document_start[number])
    text = to_text(documents.characters[origin : int(documents.document_start[number + 1]) - 1])
    cut = wordpieces.cut([text])
    if first == last or not len(cut.ids):
        return np.zeros(0, np.int32), np.zeros(0, np.int64)
    token = first + np.searchsorted(documents.token_start[first:last] - origin, cut.starts, side="right") - 1
    inside = (token >= first) & (cut.starts + origin < documents.token_end[np.maximum(token, first)])
    inside &= (documents.token_prose | documents.token_allowed)[np.maximum(token, first)]
    ids, token = cut.ids[inside], token[inside]
    allowed = documents.token_allowed[token]
    if allowed.any():
        follows = np.append(False, allowed[1:] & allowed[:-1])
        ids = np.where(allowed, wordpieces.stand_in, ids)[~follows]
        token = token[~follows]
    kept = wordpieces.without_repeats(ids)
    return wordpieces.typography[ids[kept]], token[kept]


@dataclass(frozen=True, slots=True)
class Blend:
    """A logistic regression that combines the encoder's and the tagger's log odds that a word was replaced.

    They make different mistakes, so both together are better than either. `prior_log_odds` are the log odds of a
    replaced word in the text that the blend was fitted on.
    """

    deep: float
    fast: float
    bias: float
    prior_log_odds: float

    def log_odds(self, reading: EncoderOutput, misfit: Floats) -> Floats:
        """Return the encoder's log odds (T,) blended with the tagger's, `misfit` (T,)."""
        answer = reading.replaced.copy()
        read = answer > NOT_READ
        blended = self.deep * answer[read] + self.fast * np.maximum(misfit[read], LEAST_MISFIT) + self.bias
        answer[read] = np.maximum(blended, NOT_READ / 2)
        return answer


@dataclass(frozen=True, eq=False)
class DeepTier:
    """The encoder, and how its answers are combined with the fast tier's, which makes different mistakes.

    Attributes:
        encoder: the encoder.
        blend: combines the log odds of words with those of the fast tier's tagger.
        fast_weights: (3,) weight of the fast tier's evidence of each kind; the encoder's has weight 1.
    """

    encoder: DeepEncoder
    blend: Blend
    fast_weights: NDArray[np.float64]

    def on(self, device: Device) -> DeepTier:
        """Return this tier with its encoder on another device."""
        return replace(self, encoder=DeepEncoder(self.encoder.weights, device))

    def evidence(self, reading: EncoderOutput, fast: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the evidence of each kind (D, 3), NaN for documents that the encoder did not read.

        Args:
            reading: the encoder's output, whose windows are pooled by document.
            fast: (D, 3) the fast tier's evidence.
        """
        answer: NDArray[np.float64] = (
            pool(reading.windows, reading.window_document, len(fast)) + self.fast_weights * fast
        )
        return answer


def pool(windows: NDArray[np.floating], owner: NDArray[np.int64], documents: int) -> NDArray[np.float64]:
    """Pool the log odds of windows (M, 3) by document (D, 3): log(mean(exp(SHARPNESS * log odds))) / SHARPNESS.

    The result is between the mean, which misses a single passage, and the maximum, which grows with a text's length.
    Documents without windows get NaN.

    Args:
        windows: (M, 3) log odds of each kind.
        owner: (M,) each window's document, in rising order.
        documents: D.
    """
    answer = np.full((documents, len(KINDS)), np.nan)
    if not len(windows):
        return answer
    first = starts_of_runs(owner).nonzero()[0]
    counts = steps(followed_by(first, len(owner)))[:, None]
    sums = np.logaddexp.reduceat(SHARPNESS * windows.astype(np.float64), first, axis=0)
    answer[owner[first]] = (sums - np.log(counts)) / SHARPNESS
    return answer


def judged_words(documents: Documents, number: int) -> NDArray[np.int64]:
    """Return the tokens of a document that are judged: words of prose."""
    first, last = int(documents.token_ptr[number]), int(documents.token_ptr[number + 1])
    words = (documents.token_class[first:last] == TokenClass.WORD) & documents.token_prose[first:last]
    return first + np.flatnonzero(words)

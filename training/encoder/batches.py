"""Training batches for the encoder: windows of lessons, each machine window beside its human original.

Two machines work here, on word pieces instead of text. `mix` makes windows that are partly human and partly machine
text. `FluentSubstitution` replaces words by others that the encoder itself finds likely.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from unspun.model.tiers.deep import WINDOW
from unspun.model.verdict import KINDS
from unspun.training.encoder.lessons import IGNORED, NO_PIECE, Lessons
from unspun.training.encoder.network import Encoder
from unspun.training.machines.synonyms import FUNCTION_WORDS

SHORT_WINDOWS = 0.25
"""Share of the windows that are cut short, because short texts are scored too."""
SHORTEST = 24
SPUN_SHARE, SPUN_PIECES = 0.05, 3
"""Minimum share and number of replaced pieces in a spun window; a window with fewer has no label."""
OTHER_KINDS = 0.1
"""Weight of distinguishing the kinds from each other; distinguishing a kind from human text has weight 1."""
MIXED = (0.15, 0.3, 0.7)
"""Share of the machine windows that are mixed with human text, and the range of the part that the machine keeps."""
MASKED = 0.15
FLUENT_RATE = (0.06, 0.25)
"""Range of the share of the words that fluent substitution replaces."""
FLUENT_CHOICES = 20
"""Likeliest words among which fluent substitution draws."""
SHOWN = 0.3
"""Share of the replaced words that the encoder can see while it looks for a substitute."""
SIMILARITY = 8.0
"""Weight of the similarity of a fluent substitute and the word it replaces: nats for a cosine of one."""
FULL_STOP, MASK_PIECE = 1012, 103

STREAMS: dict[str, int] = {
    "people": 8,
    "masked": 4,
    "fluent": 6,
    "own": 7,
    "spinner": 4,
    "translated pairs": 8,
    "translated": 3,
    "rewritten pairs": 5,
    "rewritten": 1,
    "mined": 4,
}
"""Texts of each stream in a batch.

Texts of `fluent` (fluent substitution), `own` (our own spinners), `spinner` and the pairs bring their human originals
along. `mined` are hard human texts with machine versions (`training.encoder.mining`).
"""


@dataclass(frozen=True, eq=False)
class LessonStream:
    """Texts (N,), of which `count` are drawn for every batch. `bounds` (N,) are cumulative probabilities."""

    name: str
    texts: NDArray[np.int64]
    bounds: NDArray[np.float64]
    count: int


@dataclass(eq=False)
class Batch:
    """A batch of B windows, L pieces each, padded with 0.

    `ids` (B, L) are the pieces, `replaced` (B, L) their labels (1, 0 or IGNORED), `before` (B, L) the pieces that were
    replaced or NO_PIECE. `kinds` and `weights` (B, 3) are the labels of the windows and their weights. `pairs` (P, 3)
    are rows of a machine window, its human original and the kind; `fluent` (F,) are the rows that are to be replaced by
    fluent substitution.
    """

    ids: NDArray[np.int64]
    replaced: NDArray[np.int8]
    before: NDArray[np.int64]
    kinds: NDArray[np.float32]
    weights: NDArray[np.float32]
    pairs: NDArray[np.int64]
    fluent: NDArray[np.int64]


class LessonWindow(NamedTuple):
    """Pieces [start, stop) of all lessons, which belong to one text."""

    text: int
    start: int
    stop: int


@dataclass(eq=False)
class _Plan:
    """The windows of a batch, and the rows with a special role."""

    windows: list[LessonWindow] = field(default_factory=list)
    masked: list[int] = field(default_factory=list)
    fluent: list[int] = field(default_factory=list)
    pairs: list[tuple[int, int, int]] = field(default_factory=list)

    def pair(self, window: LessonWindow, kind: int) -> None:
        """Add the human original of the last window."""
        self.windows.append(window)
        self.pairs.append((len(self.windows) - 2, len(self.windows) - 1, kind))


def streams_of(lessons: Lessons) -> list[LessonStream]:
    """Divide lessons into streams.

    A maker counts by the square root of its number of texts, and a source by even less, so that none dominates.
    """
    paired = lessons.partner >= 0
    own = np.char.startswith(lessons.maker, "own:")
    mined = np.char.startswith(lessons.maker, "mined:")
    human, spun, translated, rewritten = (lessons.kind == kind for kind in range(1 + len(KINDS)))
    chosen = {
        "people": human,
        "masked": human,
        "fluent": human,
        "own": own,
        "spinner": spun & ~own & ~mined,
        "translated pairs": translated & paired & ~mined,
        "translated": translated & ~paired,
        "rewritten pairs": rewritten & paired,
        "rewritten": rewritten & ~paired,
        "mined": mined,
    }
    answer = []
    for name, mask in chosen.items():
        texts = np.flatnonzero(mask)
        if not len(texts):
            continue
        makers = np.where(human[texts], "people", lessons.maker[texts])
        _, maker, of_maker = np.unique(makers, return_inverse=True, return_counts=True)
        both = np.char.add(np.char.add(makers, "\t"), lessons.source[texts])
        _, source, of_source = np.unique(both, return_inverse=True, return_counts=True)
        chance = of_source[source] ** -0.7
        total = np.bincount(maker, weights=chance)
        chance *= np.sqrt(of_maker[maker]) / total[maker]
        answer.append(LessonStream(name, texts, np.cumsum(chance / chance.sum()), STREAMS[name]))
    return answer


def batches(lessons: Lessons, rng: np.random.Generator, ends: tuple[int, int]) -> Iterator[Batch]:
    """Yield batches without end. All randomness comes from `rng`; `ends` are the pieces around every window."""
    streams = streams_of(lessons)
    while True:
        plan = _Plan()
        for stream in streams:
            places = np.searchsorted(stream.bounds, rng.random(stream.count)).clip(max=len(stream.texts) - 1)
            for text in stream.texts[places].tolist():
                size = int(rng.integers(SHORTEST, WINDOW)) if rng.random() < SHORT_WINDOWS else WINDOW
                at = float(rng.random())
                plan.windows.append(_window(lessons, text, at, size))
                row = len(plan.windows) - 1
                if stream.name == "masked":
                    plan.masked.append(row)
                elif stream.name == "fluent":
                    plan.fluent.append(row)
                    plan.pair(plan.windows[row], 0)
                elif lessons.partner[text] >= 0:
                    plan.pair(_window(lessons, int(lessons.partner[text]), at, size), int(lessons.kind[text]) - 1)
        batch = _batch(lessons, plan, ends, rng)
        mix(batch, rng)
        yield batch


def _window(lessons: Lessons, text: int, at: float, size: int) -> LessonWindow:
    """Return the window of up to `size` pieces at the relative position `at` (0 to 1) in a text."""
    first, last = int(lessons.ptr[text]), int(lessons.ptr[text + 1])
    start = first + round(at * max(0, last - first - size))
    return LessonWindow(text, start, min(last, start + size))


def _batch(lessons: Lessons, plan: _Plan, ends: tuple[int, int], rng: np.random.Generator) -> Batch:
    shape = len(plan.windows), WINDOW + 2
    ids = np.zeros(shape, dtype=np.int64)
    replaced = np.full(shape, IGNORED, dtype=np.int8)
    before = np.full(shape, NO_PIECE, dtype=np.int64)
    kinds = np.zeros((len(plan.windows), len(KINDS)), dtype=np.float32)
    weights = np.zeros_like(kinds)
    for i, (text, start, stop) in enumerate(plan.windows):
        size = stop - start
        ids[i, 0], ids[i, size + 1] = ends
        ids[i, 1 : size + 1] = lessons.ids[start:stop]
        replaced[i, 1 : size + 1] = lessons.replaced[start:stop]
        before[i, 1 : size + 1] = lessons.before[start:stop]
        kind = int(lessons.kind[text]) - 1
        if kind < 0:
            weights[i] = 1.0
        elif kind > 0 or _is_spun(lessons.replaced[start:stop], size):
            weights[i] = OTHER_KINDS
            weights[i, kind] = 1.0
        if kind >= 0:
            kinds[i, kind] = 1.0
    for i in plan.masked:
        length = int((ids[i] != 0).sum())
        hidden = 1 + np.flatnonzero(rng.random(length - 2) < MASKED)
        before[i, hidden] = ids[i, hidden]
        ids[i, hidden] = MASK_PIECE
        weights[i] = 0.0
        replaced[i] = IGNORED
    pairs = np.array(plan.pairs, dtype=np.int64).reshape(-1, 3)
    return Batch(ids, replaced, before, kinds, weights, pairs, np.array(plan.fluent, dtype=np.int64))


def _is_spun(labels: NDArray[np.int8], size: int) -> bool:
    """Return whether a window of a spun text counts as spun: if its labels are unknown, or enough was replaced."""
    return bool((labels == IGNORED).all() or _is_enough((labels == 1).sum(), np.int64(size)))


def _is_enough(
    replaced: NDArray[np.int64] | np.int64, size: NDArray[np.int64] | np.int64
) -> NDArray[np.bool_] | np.bool_:
    """Return whether windows of `size` pieces count as spun if `replaced` of them were replaced; any shape."""
    return (replaced >= SPUN_PIECES) & (replaced >= SPUN_SHARE * size)


def mix(batch: Batch, rng: np.random.Generator) -> None:
    """Replace the beginning or end of some machine windows by their human originals, cut between sentences."""
    share, low, high = MIXED
    width = batch.ids.shape[1]
    for machine, human, kind in batch.pairs.tolist():
        part, first, chosen = rng.uniform(low, high), rng.random() < 0.5, rng.random() < share
        if not chosen or machine in batch.fluent:
            continue
        head, tail = (machine, human) if first else (human, machine)
        cut = _sentence_end(batch.ids[head], part if first else 1.0 - part)
        rest = _sentence_end(batch.ids[tail], part if first else 1.0 - part)
        if not cut or not rest:
            continue
        size = int((batch.ids[tail] != 0).sum())
        end = batch.ids[tail, size - 1]
        length = min(size - rest, width - cut)
        for values, nothing in ((batch.ids, 0), (batch.replaced, IGNORED), (batch.before, NO_PIECE)):
            row = np.full(width, nothing, dtype=values.dtype)
            row[:cut], row[cut : cut + length] = values[head, :cut], values[tail, rest : rest + length]
            values[machine] = row
        last = cut + length - 1
        batch.ids[machine, last], batch.replaced[machine, last], batch.before[machine, last] = end, IGNORED, NO_PIECE
        if kind == 0 and not _is_spun(batch.replaced[machine], last):
            batch.weights[machine] = 0.0


def _sentence_end(ids: NDArray[np.int64], part: float) -> int:
    """Return the position after the full stop nearest to a relative position in a window; 0 if there is none inside."""
    size = int((ids != 0).sum())
    places = np.flatnonzero(ids[: size - 2] == FULL_STOP) + 1
    return int(places[np.abs(places - part * size).argmin()]) if len(places) else 0


class FluentSubstitution:
    """Replaces words by others that fit, as BERT-Attack does (Li et al. 2020): the encoder itself proposes them.

    Some words of a window are hidden, and each is replaced by a word that is likely in its place and similar to it.
    """

    def __init__(self, pieces: Sequence[str]) -> None:
        """Take the vocabulary of word pieces."""
        self.words = torch.tensor(
            [p.isalpha() and p.isascii() and len(p) > 2 and p not in FUNCTION_WORDS for p in pieces]
        )
        self.continues = torch.tensor([piece.startswith("##") for piece in pieces])

    @torch.no_grad()  # type: ignore[untyped-decorator, unused-ignore]
    def replace(self, encoder: Encoder, batch: Batch, rng: np.random.Generator) -> None:
        """Replace words in the rows `fluent` of a batch, and label them."""
        rows = batch.fluent
        if not len(rows):
            return
        ids = torch.from_numpy(batch.ids[rows])
        free = self.words[ids]
        free[:, :-1] &= ~self.continues[ids[:, 1:]]
        chance = torch.from_numpy(rng.uniform(*FLUENT_RATE, size=(len(rows), 1)))
        # About half of all words are content words that may be replaced.
        chosen = free & (torch.from_numpy(rng.random(ids.shape)) < 2 * chance)
        row, column = chosen.nonzero().unbind(1)
        if not len(row):
            return
        hidden = ids.clone()
        shown = torch.from_numpy(rng.random(len(row)) < SHOWN)
        hidden[row[~shown], column[~shown]] = MASK_PIECE
        state = encoder.hidden(encoder.embeddings(hidden), hidden != 0)
        table = encoder.embeddings.weight
        scores = (encoder.before(state[row, column]) @ table.T + encoder.before_bias).float()
        originals = ids[row, column]
        unit = nn.functional.normalize(table.float(), dim=-1)
        scores = scores.log_softmax(-1) + SIMILARITY * (unit[originals] @ unit.T)
        scores[:, ~self.words] = -1e9
        scores[torch.arange(len(row)), originals] = -1e9
        best = scores.topk(FLUENT_CHOICES, dim=-1)
        draw = torch.from_numpy(rng.gumbel(size=tuple(best.values.shape))).float()
        pick = (best.values + draw).argmax(-1, keepdim=True)
        at = rows[row.numpy()], column.numpy()
        batch.ids[at] = best.indices.gather(1, pick)[:, 0].numpy()
        batch.replaced[at] = 1
        batch.before[at] = originals.numpy()
        changed = np.bincount(row.numpy(), minlength=len(rows))
        enough = _is_enough(changed, (batch.ids[rows] != 0).sum(1))
        batch.kinds[rows, 0] = 1.0
        batch.weights[rows] = np.where(enough, OTHER_KINDS, 0.0)[:, None]
        batch.weights[rows, 0] = enough

"""Fine-tunes the deep tier's encoder on labelled word pieces."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.fast import MACHINE_KINDS
from training.encoder import Encoder, pretrained
from training.encoder_text import NO_PIECE, UNSAID, Lessons

WINDOW = 126
"""Word pieces that are read at a time, besides the two that mark its ends."""
LEARNING_RATE, HEADS_RATE = 6e-4, 2e-3
WARM_UP = 0.06
BEFORE_WEIGHT = 0.5
"""Weight of guessing what stood there before, beside finding what a machine put there."""
GUESSES = 384
"""Guesses a step: each is compared with all word pieces."""
SHORTEST = 12
"""Word pieces below which the end of a text is no window of its own."""


@dataclass(frozen=True, slots=True)
class Course:
    """How much is learnt: `steps` of `batch` windows, a share of which comes from each stream of lessons."""

    steps: int
    batch: int = 64
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Stream:
    """Texts drawn with given weights (N,), a window each, for `share` of every batch."""

    texts: NDArray[np.int64]
    weights: NDArray[np.float64]
    share: float


def fine_tune(
    lessons: Lessons,
    streams: Sequence[Stream],
    course: Course,
    *,
    ends: tuple[int, int],
    report: Callable[[int, dict[str, float]], None] = lambda step, losses: None,
) -> Encoder:
    """Return an encoder that has learnt from the streams. `ends` are the pieces that open and close a window.

    Computed in bfloat16: four times as fast on a processor with AMX. The same lessons and seed give the
    same weights on the same machine.
    """
    # Steps are taken by weights of full precision, and computed with a copy of half the precision.
    encoder = pretrained(len(MACHINE_KINDS), course.seed)
    working = copy.deepcopy(encoder).bfloat16().train()
    weights, copies = list(encoder.parameters()), list(working.parameters())
    new = [name.startswith(("kinds", "before")) for name, _ in encoder.named_parameters()]
    groups = [
        {"params": [w for w, is_new in zip(weights, new, strict=True) if not is_new], "lr": LEARNING_RATE},
        {"params": [w for w, is_new in zip(weights, new, strict=True) if is_new], "lr": HEADS_RATE},
    ]
    optimiser = torch.optim.AdamW(groups, weight_decay=0.01, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step, course.steps))
    averages: dict[str, float] = {}
    for step, (ids, labels, before) in enumerate(_batches(lessons, streams, course, ends)):
        losses = _losses(working, ids, labels, before)
        loss = losses["kinds"] + BEFORE_WEIGHT * losses["before"]
        loss.backward()
        for weight, half in zip(weights, copies, strict=True):
            weight.grad = None if half.grad is None else half.grad.float()
            half.grad = None
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        with torch.no_grad():
            torch._foreach_copy_(copies, weights)
        schedule.step()
        for name, value in losses.items():
            averages[name] = 0.97 * averages.get(name, value.item()) + 0.03 * value.item()
        report(step, averages)
    encoder.eval()
    return encoder


def _rate(step: int, steps: int) -> float:
    warm = max(1, int(WARM_UP * steps))
    return min((step + 1) / warm, 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps))))


def _losses(encoder: Encoder, ids: Tensor, labels: Tensor, before: Tensor) -> dict[str, Tensor]:
    state = encoder.hidden(encoder.embeddings(ids), ids != 0)
    said = labels != UNSAID
    answers = encoder.kinds(state).float()
    each = nn.functional.binary_cross_entropy_with_logits(answers, labels.clamp(min=0).float(), reduction="none")
    per_kind = (each * said).sum((0, 1)) / said.sum((0, 1)).clamp(min=1)
    losses = {"kinds": per_kind.sum(), **{name: per_kind[i].detach() for i, name in enumerate(MACHINE_KINDS)}}
    places = (before != NO_PIECE).nonzero()
    if len(places):
        # Always as many: the processor's routines are made anew, and kept, for every new shape.
        spread = torch.linspace(0, len(places) - 1, GUESSES).long()
        row, column = places[spread].unbind(1)
        guesses = encoder.before(state[row, column]) @ encoder.embeddings.weight.T + encoder.before_bias
        losses["before"] = nn.functional.cross_entropy(guesses.float(), before[row, column])
    else:
        losses["before"] = torch.zeros(())
    return losses


def _batches(
    lessons: Lessons, streams: Sequence[Stream], course: Course, ends: tuple[int, int]
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    rng = np.random.default_rng(course.seed)
    drawn = [_draw(stream, lessons.ptr, rng) for stream in streams]
    counts = [round(stream.share * course.batch) for stream in streams]
    for _ in range(course.steps):
        rows = [next(source) for source, count in zip(drawn, counts, strict=True) for _ in range(count)]
        ids = np.zeros((len(rows), WINDOW + 2), dtype=np.int64)
        labels = np.full((len(rows), WINDOW + 2, lessons.labels.shape[1]), UNSAID, dtype=np.int8)
        before = np.full((len(rows), WINDOW + 2), NO_PIECE, dtype=np.int64)
        for i, (start, stop) in enumerate(rows):
            size = stop - start
            ids[i, 0], ids[i, size + 1] = ends
            ids[i, 1 : size + 1] = lessons.ids[start:stop]
            labels[i, 1 : size + 1] = lessons.labels[start:stop]
            before[i, 1 : size + 1] = lessons.before[start:stop]
        yield torch.from_numpy(ids), torch.from_numpy(labels), torch.from_numpy(before)


def _draw(stream: Stream, ptr: NDArray[np.int64], rng: np.random.Generator) -> Iterator[tuple[int, int]]:
    """Yield windows (start, stop among the lessons' pieces) of texts drawn by weight times their windows."""
    length = np.diff(ptr)[stream.texts]
    chances = stream.weights * np.maximum(1.0, length / WINDOW) * (length >= SHORTEST)
    bounds = np.cumsum(chances / chances.sum())
    while True:
        for text in np.searchsorted(bounds, rng.random(1024)).clip(max=len(bounds) - 1).tolist():
            first, size = int(ptr[stream.texts[text]]), int(length[text])
            shift = int(rng.integers(0, max(1, size - WINDOW + 1)))
            yield first + shift, first + min(size, shift + WINDOW)

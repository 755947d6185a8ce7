"""Distil the encoder of a model into one with fewer attention heads and neurons, which is faster in proportion.

The smaller encoder starts from the most important heads and neurons of the larger one, and learns to return the same
layers, and from them the same log odds of pieces and windows (Michel et al. 2019; Sun et al. 2019). Only texts with the
role `train` are read. A run takes about an hour. Rerun the command to continue from the last checkpoint.

Example:
    python -m unspun.training.encoder.distil ../shared/corpora --from model/default --output work/distilled --minutes 60
"""

from __future__ import annotations

import copy
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from unspun.model import bundle
from unspun.model.atomic import atomic_write
from unspun.model.text.document import Documents
from unspun.model.tiers.deep import WINDOW, prose_pieces
from unspun.model.tiers.wordpieces import WordPieces
from unspun.training.command import labelled_parser
from unspun.training.corpora.corpus import LabelledText
from unspun.training.corpora.roles import default_roles, read_training_texts, sample, source_of
from unspun.training.encoder.batches import SHORT_WINDOWS, SHORTEST
from unspun.training.encoder.fine_tune import read_checkpoint, shipped, trained
from unspun.training.encoder.network import HEAD_WIDTH, Encoder, Layer, pretrained_folder

HEADS_LEFT, NEURONS_LEFT = 8, 1024
LIMITS = {"human": 90, "machine": 130}
"""Most texts per source of human text, and per source and maker of machine text."""
LONGEST = 4000
"""Characters of a text that are read."""
HIGHEST = 6.0
"""The most that a neuron of the smaller encoder should fire."""
BATCH = 32
RATE, LEAST_RATE, WARM_UP = 3e-4, 0.02, 50
"""The learning rate, the part of it that is left at the end, and the steps in which it rises."""
AVERAGE = 0.99
WEIGHTS = {"layers": (0.5, 0.0), "state": (1.0, 0.5), "replaced": (0.2, 0.5), "window": (0.5, 1.5)}
"""Weights of the parts of the loss at the beginning and at the end: layers are easier to learn, and answers are what
counts."""
CLEAR = 8.0
"""Log odds beyond which differences do not count."""


def passages(texts: Sequence[LabelledText]) -> tuple[list[NDArray[np.int32]], NDArray[np.float64]]:
    """Return the word pieces of a sample of texts, and the cumulative probabilities to draw them.

    Human text is drawn half of the time, and each source or maker counts by the square root of its texts.
    """
    wordpieces = WordPieces.read(pretrained_folder() / "vocab.txt")
    found, groups = [], []
    human = [text for text in texts if text.label == "human"]
    machine = [text for text in texts if text.label in ("spun", "translated", "rewritten")]
    for name, some in (("human", human), ("machine", machine)):
        for text in sample(some, LIMITS[name]):
            ids, _ = prose_pieces(wordpieces, Documents.parse([text.text[:LONGEST]]), 0)
            if len(ids) >= SHORTEST:
                found.append(ids)
                groups.append((name, source_of(text) if name == "human" else str(default_roles().maker(text))))
    names, group, sizes = np.unique(["\t".join(one) for one in groups], return_inverse=True, return_counts=True)
    chance = sizes[group] ** -0.5
    is_human = np.char.startswith(names, "human\t")[group]
    for side in (is_human, ~is_human):
        chance[side] /= chance[side].sum()
    return found, np.cumsum(chance / chance.sum())


def windows_of(
    texts: Sequence[NDArray[np.int32]], bounds: NDArray[np.float64], ends: tuple[int, int], rng: np.random.Generator
) -> Iterator[Tensor]:
    """Yield batches of windows (BATCH, L) of one length each, without end."""
    while True:
        size = int(rng.integers(SHORTEST, WINDOW)) if rng.random() < SHORT_WINDOWS else WINDOW
        rows: list[NDArray[np.int64]] = []
        while len(rows) < BATCH:
            ids = texts[min(int(np.searchsorted(bounds, rng.random())), len(texts) - 1)]
            if len(ids) >= size:
                start = int(rng.integers(len(ids) - size + 1))
                rows.append(np.concatenate([ends[:1], ids[start : start + size], ends[1:]]))
        yield torch.from_numpy(np.stack(rows).astype(np.int64))


@torch.no_grad()  # type: ignore[untyped-decorator, unused-ignore]
def smaller(encoder: Encoder, heads: int, neurons: int, ids: Tensor) -> Encoder:
    """Return an encoder with the most important heads and neurons of each layer.

    They are important if what they add to the state differs from place to place. What the others add is nearly
    constant, so its mean becomes part of the bias. `ids` (B, L) are the windows on which this is measured.
    """
    answer = Encoder(len(encoder.layers), heads, neurons)
    answer.load_state_dict({name: value for name, value in encoder.state_dict().items() if "layers" not in name}, False)
    state = encoder.start(encoder.embeddings(ids) + encoder.positions.weight[: ids.shape[1]])
    for old, new in zip(encoder.layers, answer.layers, strict=True):
        assert isinstance(old, Layer)
        assert isinstance(new, Layer)
        mixed = old.mixed(state)
        by_head, columns = mixed.unflatten(-1, (-1, HEAD_WIDTH)), old.outwards.weight.unflatten(1, (-1, HEAD_WIDTH))
        added = torch.stack([by_head[..., i, :] @ columns[:, i].T for i in range(columns.shape[1])])
        kept = added.var(dim=(1, 2)).sum(-1).topk(heads).indices.sort().values
        of_heads = (kept[:, None] * HEAD_WIDTH + torch.arange(HEAD_WIDTH)).flatten()
        rows = torch.cat([of_heads + part * mixed.shape[-1] for part in range(3)])
        _keep(old.inwards, new.inwards, rows)
        _keep_inputs(old.outwards, new.outwards, of_heads, mixed)
        attended = old.attended(state + old.outwards(mixed))
        hidden = nn.functional.gelu(old.wide(attended))
        spread = hidden.var(dim=(0, 1)) * old.narrow.weight.square().sum(0)
        kept = spread.topk(neurons).indices.sort().values
        _keep(old.wide, new.wide, kept)
        _keep_inputs(old.narrow, new.narrow, kept, hidden)
        for name in ("attended", "finished"):
            getattr(new, name).load_state_dict(getattr(old, name).state_dict())
        state = old.finished(attended + old.narrow(hidden))
    return answer


@torch.no_grad()  # type: ignore[untyped-decorator, unused-ignore]
def tamed(encoder: Encoder, ids: Tensor) -> Encoder:
    """Return an encoder without the neurons that fire many times as strongly as others, in 8 bits a source of noise.

    Some neurons fire only at the marker before a window, always at about the same strength, up to 30. A matrix product
    in 8 bits has one scale for all its inputs, so the others lose most of their precision. Here these neurons fire at
    HIGHEST, and count for more. `ids` (B, L) are windows on which this is measured.
    """
    answer = copy.deepcopy(encoder)
    state = encoder.start(encoder.embeddings(ids) + encoder.positions.weight[: ids.shape[1]])
    for old, new in zip(encoder.layers, answer.layers, strict=True):
        assert isinstance(old, Layer)
        assert isinstance(new, Layer)
        attended = old.attended(state + old.outwards(old.mixed(state)))
        inputs = old.wide(attended)
        marker, others = inputs[:, 0].mean(0), inputs[:, 1:].amax((0, 1))
        loud = (marker > 1.3 * HIGHEST) & (others < HIGHEST)
        # Everywhere else they stay below zero, where they hardly fire.
        zero = torch.minimum(torch.lerp(others, marker, 0.3), marker - HIGHEST).clamp(min=0.0)
        slope = torch.where(loud, HIGHEST / (marker - zero), 1.0)
        new.wide.weight.mul_(slope[:, None])
        new.wide.bias.copy_(torch.where(loud, (old.wide.bias - zero) * slope, old.wide.bias))
        new.narrow.weight.mul_(torch.where(loud, marker / HIGHEST, 1.0))
        state = old.finished(attended + old.narrow(nn.functional.gelu(inputs)))
    return answer


def _keep(old: nn.Linear, new: nn.Linear, rows: Tensor) -> None:
    """Keep some outputs of a linear layer."""
    new.weight.copy_(old.weight[rows])
    new.bias.copy_(old.bias[rows])


def _keep_inputs(old: nn.Linear, new: nn.Linear, columns: Tensor, inputs: Tensor) -> None:
    """Keep some inputs of a linear layer, and the mean of what the others add."""
    new.weight.copy_(old.weight[:, columns])
    lost = inputs.mean((0, 1))
    lost[columns] = 0.0
    new.bias.copy_(old.bias + old.weight @ lost)


def losses(pupil: Encoder, teacher: Encoder, ids: Tensor) -> dict[str, Tensor]:
    """Return how far the pupil's answers are from the teacher's, by name."""
    present = torch.ones_like(ids)
    with torch.no_grad():
        *layers, state = teacher.states(teacher.embeddings(ids), present)
        pieces, kinds = teacher.replaced(state)[..., 0].float(), teacher.window(state, present).float()
    *own_layers, own = pupil.states(pupil.embeddings(ids), present)

    def distance(mine: Tensor, theirs: Tensor) -> Tensor:
        return nn.functional.mse_loss(mine.float(), theirs.float()) / theirs.float().var()

    def apart(mine: Tensor, theirs: Tensor) -> Tensor:
        return nn.functional.smooth_l1_loss(mine.float().clamp(-CLEAR, CLEAR), theirs.clamp(-CLEAR, CLEAR))

    return {
        "layers": torch.stack([*map(distance, own_layers, layers)]).mean() if layers else torch.zeros(()),
        "state": distance(own, state),
        "replaced": apart(pupil.replaced(own)[..., 0], pieces),
        "window": apart(pupil.window(own, present), kinds),
    }


def distil(
    teacher: Encoder,
    pupil: Encoder,
    batches: Iterator[Tensor],
    checkpoint: Path,
    *,
    minutes: float,
    rate: float = 1.0,
    first: int = 1,
) -> None:
    """Train the pupil for `minutes`, or until there are no more batches. Writes a checkpoint every ten minutes.

    The learning rate is multiplied by `rate`; `first` is the number of the first step.
    """
    average = copy.deepcopy(pupil)
    working, teacher = copy.deepcopy(pupil).bfloat16().train(), copy.deepcopy(teacher).bfloat16().eval()
    working.embeddings.requires_grad_(False)
    weights, copies = list(pupil.parameters()), list(working.parameters())
    optimiser = torch.optim.AdamW(weights, lr=RATE, weight_decay=0.01, betas=(0.9, 0.98), fused=True)
    began = saved = time.monotonic()
    recent = dict[str, float]()
    for step, ids in enumerate(batches, start=first):
        part = (time.monotonic() - began) / (60 * minutes)
        if part >= 1.0:
            break
        optimiser.param_groups[0]["lr"] = rate * RATE * min((step - first + 1) / WARM_UP, max(1.0 - part, LEAST_RATE))
        found = losses(working, teacher, ids)
        parts = [value * np.interp(part, (0.0, 1.0), WEIGHTS[name]) for name, value in found.items()]
        torch.stack(parts).sum().backward()
        for weight, half in zip(weights, copies, strict=True):
            weight.grad = None if half.grad is None else half.grad.float()
            half.grad = None
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        with torch.no_grad():
            torch._foreach_copy_(copies, weights)
            keep = min(AVERAGE, (step - first + 1) / (step - first + 10))
            torch._foreach_lerp_(list(average.parameters()), weights, 1.0 - keep)
        for name, value in found.items():
            recent[name] = 0.98 * recent.get(name, value.item()) + 0.02 * value.item()
        if step % 20 == 0:
            line = " ".join(f"{name} {value:.4f}" for name, value in recent.items())
            print(f"step {step} ({time.monotonic() - began:.0f} s): {line}", flush=True)
        if time.monotonic() - saved > 600:
            save(average, step, checkpoint)
            saved = time.monotonic()
    save(average, step, checkpoint)


def save(encoder: Encoder, step: int, file: Path) -> None:
    """Write a checkpoint that `fine_tune.trained` reads."""
    with atomic_write(file) as handle:
        torch.save({"layers": len(encoder.layers), "average": encoder.state_dict(), "step": step}, handle)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    parser = labelled_parser(__doc__)
    parser.add_argument(
        "--from",
        type=Path,
        dest="start",
        required=True,
        metavar="CHECKPOINT",
        help="the encoder: a checkpoint or a model",
    )
    parser.add_argument("--output", type=Path, required=True, help="folder of the checkpoint")
    parser.add_argument("--minutes", type=float, default=60.0, help="how long to train (default: 60)")
    parser.add_argument("--heads", type=int, default=HEADS_LEFT, help=f"heads that are left (default: {HEADS_LEFT})")
    parser.add_argument(
        "--neurons", type=int, default=NEURONS_LEFT, help=f"neurons that are left (default: {NEURONS_LEFT})"
    )
    parser.add_argument("--rate", type=float, default=1.0, help="factor on the learning rate (default: 1)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the batches (default: 0)")
    options = parser.parse_args(arguments)
    try:
        teacher = trained(options.start) if options.start.is_file() else shipped(options.start)
        checkpoint = options.output / "checkpoint.pt"
        pupil = trained(checkpoint) if checkpoint.exists() else None
        step = int(read_checkpoint(checkpoint).get("step", 0)) if pupil else 0
    except (ValueError, bundle.BundleError) as error:
        print(f"unspun.training.encoder.distil: {error}", file=sys.stderr)
        return 2
    texts, bounds = passages(read_training_texts(options.labelled))
    marks = WordPieces.read(pretrained_folder() / "vocab.txt")
    batches = windows_of(texts, bounds, (marks.start, marks.end), np.random.default_rng(options.seed))
    options.output.mkdir(parents=True, exist_ok=True)
    if pupil is None:
        pupil = tamed(smaller(teacher, options.heads, options.neurons, next(batches)), next(batches))
    distil(teacher, pupil, batches, checkpoint, minutes=options.minutes, rate=options.rate, first=step + 1)
    return 0


if __name__ == "__main__":
    sys.exit(main())

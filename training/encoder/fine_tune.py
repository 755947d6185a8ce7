"""Fine-tune the encoder on lessons.

A run takes hours. Rerun the command to resume from the last checkpoint; shards added in the meantime are used as well.
Training computes in bfloat16, with master weights in full precision.

Example:
    python -m unspun.training.encoder.fine_tune work/lessons --output work/encoder --minutes 300
"""

from __future__ import annotations

import copy
import json
import pickle  # nosec B403 # only for the name of an error: the checkpoint is read with weights_only
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from unspun.model import bundle
from unspun.model.atomic import atomic_write
from unspun.model.tiers.wordpieces import WordPieces
from unspun.model.verdict import KINDS
from unspun.training.command import stage_parser
from unspun.training.encoder.batches import OTHER_KINDS, Batch, FluentSubstitution, batches
from unspun.training.encoder.export import restored
from unspun.training.encoder.lessons import IGNORED, NO_PIECE, Lessons
from unspun.training.encoder.network import Encoder, pretrained, pretrained_folder

RATE, HEADS_RATE = 3e-4, 1e-3
WARM_UP = 200
AVERAGE = 0.9985
"""Decay of the running average of the weights. The average ships, so the learning rate need not fall."""
REPLACED_WEIGHT, PAIR_WEIGHT, BEFORE_WEIGHT = 3.0, 0.5, 0.3
"""Weights in the loss of replaced pieces, of pairs, and of guessing which piece was replaced."""
GUESSES = 384
"""Replaced pieces that are guessed in each step: each guess is compared with all word pieces."""
FLUENT_FROM = 600
"""First step with fluent substitution: before it, a pretrained encoder's guesses are not good enough."""


def losses(encoder: Encoder, batch: Batch) -> dict[str, Tensor]:
    """Return the parts of the loss by name: replaced pieces, each kind, pairs, and the pieces before."""
    ids = torch.from_numpy(batch.ids)
    present = ids != 0
    state = encoder.hidden(encoder.embeddings(ids), present)
    cross_entropy = nn.functional.binary_cross_entropy_with_logits
    labels = torch.from_numpy(batch.replaced)
    known = labels != IGNORED
    pieces = encoder.replaced(state)[..., 0].float()
    each = cross_entropy(pieces, labels.clamp(min=0).float(), reduction="none")
    parts = {"replaced": (each * known).sum() / known.sum().clamp(min=1) * REPLACED_WEIGHT}
    window = encoder.window(state, present).float()
    weights = torch.from_numpy(batch.weights)
    each = cross_entropy(window, torch.from_numpy(batch.kinds), reduction="none") * weights
    for i, kind in enumerate(KINDS):
        parts[kind] = each[:, i].sum() / weights[:, i].sum().clamp(min=1)
    pairs = torch.from_numpy(batch.pairs)
    machine, human, kind = pairs.unbind(1)
    counted = weights[machine, kind] > OTHER_KINDS
    apart = nn.functional.softplus(window[human, kind] - window[machine, kind])
    parts["pairs"] = PAIR_WEIGHT * (apart * counted).sum() / counted.sum().clamp(min=1)
    before = torch.from_numpy(batch.before)
    places = (before != NO_PIECE).nonzero()
    if len(places):
        # Always the same number, because PyTorch compiles and caches its routines for every new shape.
        spread = torch.linspace(0, len(places) - 1, GUESSES).long()
        row, column = places[spread].unbind(1)
        guesses = encoder.before(state[row, column]) @ encoder.embeddings.weight.T + encoder.before_bias
        parts["before"] = BEFORE_WEIGHT * nn.functional.cross_entropy(guesses.float(), before[row, column])
    return parts


class Training:
    """A training run: master weights, a working copy in bfloat16, the optimiser and the running average."""

    def __init__(self, encoder: Encoder, seed: int, fluent_from: int = FLUENT_FROM) -> None:
        self.encoder = encoder
        self.average = copy.deepcopy(encoder)
        self.working = copy.deepcopy(encoder).bfloat16().train()
        self.weights, self.copies = list(encoder.parameters()), list(self.working.parameters())
        layers = ("embeddings", "positions", "start", "layers")
        pretrained_weights = [weight for name, weight in encoder.named_parameters() if name.startswith(layers)]
        heads = [weight for name, weight in encoder.named_parameters() if not name.startswith(layers)]
        groups = [{"params": pretrained_weights, "lr": RATE}, {"params": heads, "lr": HEADS_RATE}]
        self.rates = [RATE, HEADS_RATE]
        self.optimiser = torch.optim.AdamW(groups, weight_decay=0.01, betas=(0.9, 0.98), fused=True)
        self.rng = np.random.default_rng(seed)
        self.step = 0
        self.pieces = 0
        self.seconds = 0.0
        self.fluent_from = fluent_from

    def learn(self, batch: Batch, fluent: FluentSubstitution | None) -> dict[str, float]:
        """Take one step, and return the parts of the loss."""
        began = time.monotonic()
        if fluent is not None and self.step >= self.fluent_from:
            fluent.replace(self.working, batch, self.rng)
        parts = losses(self.working, batch)
        torch.stack(list(parts.values())).sum().backward()
        for weight, half in zip(self.weights, self.copies, strict=True):
            weight.grad = None if half.grad is None else half.grad.float()
            half.grad = None
        nn.utils.clip_grad_norm_(self.weights, 1.0)
        warm = min(1.0, (self.step + 1) / WARM_UP)
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = rate * warm
        self.optimiser.step()
        keep = min(AVERAGE, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_copy_(self.copies, self.weights)
            torch._foreach_lerp_(list(self.average.parameters()), self.weights, 1.0 - keep)
        self.step += 1
        self.pieces += int((batch.ids != 0).sum())
        self.seconds += time.monotonic() - began
        return {name: value.item() for name, value in parts.items()}

    def save(self, file: Path) -> None:
        """Write a checkpoint. If this is interrupted, the previous checkpoint is kept."""
        state = {
            "layers": len(self.encoder.layers),
            "encoder": self.encoder.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "rng": json.dumps(self.rng.bit_generator.state),
            "step": self.step,
            "pieces": self.pieces,
            "seconds": self.seconds,
        }
        with atomic_write(file) as handle:
            torch.save(state, handle)

    def load(self, file: Path) -> None:
        """Resume from a checkpoint. Raises ValueError if it has another architecture."""
        state = read_checkpoint(file)
        if state["layers"] != len(self.encoder.layers):
            raise ValueError(f"{file}: checkpoint has {state['layers']} layers instead of {len(self.encoder.layers)}")
        try:
            self.encoder.load_state_dict(state["encoder"])
            self.average.load_state_dict(state["average"])
        except RuntimeError as error:
            raise ValueError(f"{file}: checkpoint has another architecture; use a new --output folder") from error
        self.optimiser.load_state_dict(state["optimiser"])
        self.rng.bit_generator.state = json.loads(state["rng"])
        self.step, self.pieces, self.seconds = state["step"], state["pieces"], state["seconds"]
        with torch.no_grad():
            torch._foreach_copy_(self.copies, self.weights)


def read_checkpoint(file: Path) -> dict[str, Any]:
    """Read a checkpoint. Raises ValueError if the file is not one."""
    try:
        state = torch.load(file, weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ValueError(f"{file}: not a readable checkpoint ({reason}); delete it to start over") from error
    if not isinstance(state, Mapping) or "average" not in state:
        raise ValueError(f"{file}: not a checkpoint of unspun.training.encoder.fine_tune")
    return dict(state)


def trained(file: Path) -> Encoder:
    """Return the encoder of a checkpoint, with the running average of its weights."""
    state = read_checkpoint(file)
    encoder = Encoder.of(state["average"])
    encoder.eval()
    return encoder


def run(
    training: Training,
    lessons: Path,
    checkpoint: Path,
    *,
    minutes: float,
    every: float = 10.0,
    threads: Path | None = None,
) -> None:
    """Train for `minutes`, and write a checkpoint every `every` minutes.

    The shards in the folder `lessons` are read again after every checkpoint. The file `threads` contains the number of
    threads to use; it is read again every ten steps.
    """
    pieces = WordPieces.read(pretrained_folder() / "vocab.txt")
    fluent = FluentSubstitution(pieces.pieces)
    ended = time.monotonic() + 60 * minutes
    averages: dict[str, float] = {}
    while time.monotonic() < ended:
        shards = Lessons.load(sorted(lessons.glob("*.npz")))
        stream = batches(shards, training.rng, (pieces.start, pieces.end))
        saved = time.monotonic()
        while time.monotonic() < min(ended, saved + 60 * every):
            if threads is not None and training.step % 10 == 0 and threads.exists():
                torch.set_num_threads(max(1, int(threads.read_text() or 1)))
            for name, value in training.learn(next(stream), fluent).items():
                averages[name] = 0.98 * averages.get(name, value) + 0.02 * value
            if training.step % 50 == 0:
                parts = " ".join(f"{name} {value:.3f}" for name, value in averages.items())
                rate = training.pieces / training.seconds
                print(f"step {training.step} pieces {training.pieces / 1e6:.2f} M ({rate:.0f}/s): {parts}", flush=True)
        training.save(checkpoint)
        kept = checkpoint.with_name(f"average-{training.step:06d}.pt")
        torch.save({"layers": len(training.encoder.layers), "average": training.average.state_dict()}, kept)


def _new_run(folder: Path | None, seed: int) -> Training:
    """Return a run at step 0 that starts from the pretrained weights, or from the encoder of a bundle."""
    if folder is None:
        return Training(pretrained(seed), seed)
    return Training(shipped(folder), seed, fluent_from=0)


def shipped(folder: Path) -> Encoder:
    """Return the encoder of a bundle. Raises ValueError or BundleError."""
    loaded = bundle.load(folder)
    if loaded.deep is None:
        raise ValueError(f"{folder}: this model has no encoder to start from; give --from a model with a deep tier")
    return restored(loaded.deep.encoder.weights)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    parser = stage_parser(__doc__)
    parser.add_argument("lessons", type=Path, help="folder of shards, written by unspun.training.encoder.lessons")
    parser.add_argument("--output", type=Path, required=True, help="folder of checkpoints")
    parser.add_argument("--minutes", type=float, default=60.0, help="how long to train (default: 60)")
    parser.add_argument(
        "--threads-file", type=Path, help="file with the number of threads to use, which you may change during the run"
    )
    parser.add_argument(
        "--from",
        type=Path,
        dest="start",
        metavar="BUNDLE",
        help="start from the encoder of this model, unless there is a checkpoint (default: the pretrained encoder)",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the batches and new weights (default: 0)")
    parser.add_argument("--rate", type=float, default=1.0, help="factor on the learning rates (default: 1)")
    options = parser.parse_args(arguments)
    checkpoint = options.output / "checkpoint.pt"
    options.output.mkdir(parents=True, exist_ok=True)
    try:
        training = _new_run(options.start, options.seed)
        training.rates = [rate * options.rate for rate in training.rates]
        if checkpoint.exists():
            training.load(checkpoint)
        if not any(options.lessons.glob("*.npz")):
            raise ValueError(f"{options.lessons}: no shards (.npz); run unspun.training.encoder.lessons first")
    except (ValueError, bundle.BundleError) as error:
        print(f"unspun.training.encoder.fine_tune: {error}", file=sys.stderr)
        return 2
    run(training, options.lessons, checkpoint, minutes=options.minutes, threads=options.threads_file)
    return 0


if __name__ == "__main__":
    sys.exit(main())

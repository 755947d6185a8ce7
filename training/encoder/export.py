"""Pack a trained encoder into the files that ship, with 8-bit weights, and unpack them to resume training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from unspun.model.tiers.deep import DeepEncoder, DeepTier, EncoderWeights, WindowHead
from unspun.training.encoder.graph import encoder_of, layers_graph
from unspun.training.encoder.network import Encoder, pretrained_folder


def quantised(encoder: Encoder) -> EncoderWeights:
    """Return the encoder's weights in 8 bits, with one scale for each matrix column and each word piece."""
    values = encoder.embeddings.weight.detach().numpy()
    scale = (np.abs(values).max(axis=1) / 127).astype(np.float32)
    embeddings: NDArray[np.int8] = np.rint(values / np.maximum(scale, 1e-12)[:, None]).astype(np.int8)
    pieces = tuple((pretrained_folder() / "vocab.txt").read_text("utf-8").rstrip("\n").split("\n"))
    bias = encoder.before_bias.detach().numpy().astype(np.float32)
    state = {name: value.detach().numpy() for name, value in encoder.state_dict().items()}
    head = WindowHead(state["judge.weight"].T, *(state[name] for name in ("judge.bias", "judged", "judged_bias")))
    return EncoderWeights(layers_graph(encoder), embeddings, scale, bias, pieces, head)


def restored(weights: EncoderWeights) -> Encoder:
    """Return the encoder that `quantised` packed, with 8-bit precision, to continue training from a shipped model."""
    encoder = encoder_of(weights.graph)
    encoder.embeddings.weight.data = torch.from_numpy(weights.embeddings * weights.scale[:, None])
    encoder.before_bias.data = torch.from_numpy(weights.bias.copy())
    return encoder


def repacked(tier: DeepTier, encoder: Encoder | None = None) -> DeepTier:
    """Return a deep tier with its encoder packed anew, or with another one."""
    return replace(tier, encoder=DeepEncoder(quantised(encoder or restored(tier.encoder.weights))))

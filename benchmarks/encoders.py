"""Encoders of RoBERTa-base's size, in PyTorch and in onnxruntime, whose speed the throughput is compared with.

Their weights are random, because the speed does not depend on them. They read whole texts in windows of 512 word
pieces; the pieces are hashes, which cost next to nothing.
"""

from __future__ import annotations

import importlib.util
import re
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import SEED, UnavailableError

WINDOW, PIECES = 512, 50_265
"""Pieces that an encoder reads at a time, including two markers, and the size of its vocabulary."""
LAYERS, WIDTH, HEADS, INNER = 12, 768, 12, 3072
"""The sizes of RoBERTa-base, which has 124 million weights with the embeddings."""

Scores = Callable[[Sequence[str]], list[float]]
"""Returns a score for each text."""


def in_pytorch() -> Scores:
    """Build the encoder in PyTorch. Raises UnavailableError."""
    if importlib.util.find_spec("torch") is None:
        raise UnavailableError("PyTorch is not installed: pip install torch")
    import torch
    from torch import nn

    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    embeddings, positions = nn.Embedding(PIECES, WIDTH), nn.Embedding(WINDOW, WIDTH)
    layer = nn.TransformerEncoderLayer(WIDTH, nhead=HEADS, dim_feedforward=INNER, activation="gelu", batch_first=True)
    layers = nn.TransformerEncoder(layer, num_layers=LAYERS).eval()
    head = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Tanh(), nn.Linear(WIDTH, 1), nn.Sigmoid())

    def read(window: Sequence[int]) -> float:
        ids = torch.tensor([window])
        return float(head(layers(embeddings(ids) + positions.weight[: ids.shape[1]])[:, 0]))

    def score(texts: Sequence[str]) -> list[float]:
        with torch.inference_mode():
            return [float(np.mean([read(window) for window in windows(pieces(text))])) for text in texts]

    return score


def in_onnxruntime(graph: Path) -> Scores:
    """Load the encoder that `write_graph` wrote in onnxruntime. Raises UnavailableError."""
    if not graph.exists():
        raise UnavailableError("onnx is not installed: pip install onnx")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    generator = np.random.default_rng(SEED)
    embeddings, positions = (generator.standard_normal((size, WIDTH), np.float32) for size in (PIECES, WINDOW))

    def read(window: Sequence[int]) -> float:
        embedded = embeddings[np.array(window)] + positions[: len(window)]
        return float(session.run(["score"], {"embedded": embedded[None]})[0][0, 0])

    def score(texts: Sequence[str]) -> list[float]:
        return [float(np.mean([read(window) for window in windows(pieces(text))])) for text in texts]

    return score


def write_graph(file: Path) -> None:
    """Write the encoder without its embeddings, made of the fused operations that onnxruntime's optimiser uses.

    Writes nothing if onnx is not installed.
    """
    if importlib.util.find_spec("onnx") is None:
        return
    from onnx import TensorProto, helper, numpy_helper

    generator = np.random.default_rng(SEED)
    weights: list[Any] = []
    nodes: list[Any] = []

    def weight(name: str, *shape: int, value: float | None = None) -> str:
        values: NDArray[Any] = generator.normal(0, 0.02, shape) if value is None else np.full(shape, value)
        weights.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    def node(kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], output, **attributes))
        return output

    def linear(hidden: str, name: str, inner: int, outer: int) -> str:
        return node("MatMul", [hidden, weight(f"{name}.w", inner, outer)], name)

    def normalised(hidden: str, skipped: str, name: str) -> str:
        scale, shift = weight(f"{name}.scale", WIDTH, value=1.0), weight(f"{name}.shift", WIDTH, value=0.0)
        bias = weight(f"{name}.bias", WIDTH, value=0.0)
        inputs = [hidden, skipped, scale, shift, bias]
        return node("SkipLayerNormalization", inputs, name, domain="com.microsoft", epsilon=1e-5)

    hidden = "embedded"
    for layer in (f"layer{number}" for number in range(LAYERS)):
        inputs = [hidden, weight(f"{layer}.qkv", WIDTH, 3 * WIDTH), weight(f"{layer}.qkv.bias", 3 * WIDTH, value=0.0)]
        seen = node("Attention", inputs, f"{layer}.attention", domain="com.microsoft", num_heads=HEADS)
        hidden = normalised(linear(seen, f"{layer}.out", WIDTH, WIDTH), hidden, f"{layer}.norm1")
        wide = [linear(hidden, f"{layer}.wide", WIDTH, INNER), weight(f"{layer}.wide.bias", INNER, value=0.0)]
        active = node("BiasGelu", wide, f"{layer}.gelu", domain="com.microsoft")
        hidden = normalised(linear(active, f"{layer}.narrow", INNER, WIDTH), hidden, f"{layer}.norm2")
    weights.append(numpy_helper.from_array(np.array(0), "first"))
    first = node("Gather", [hidden, "first"], "opening", axis=1)
    dense = node("Tanh", [linear(first, "dense", WIDTH, WIDTH)], "pooled")
    node("Sigmoid", [linear(dense, "logit", WIDTH, 1)], "score")
    graph = helper.make_graph(
        nodes,
        "encoder",
        [helper.make_tensor_value_info("embedded", TensorProto.FLOAT, [1, "pieces", WIDTH])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, [1, 1])],
        weights,
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    file.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())


def pieces(text: str) -> list[int]:
    """Return a number below PIECES for each part of a word; there are 1.3 parts per word, as in a real vocabulary."""
    return [zlib.crc32(part.encode()) % PIECES for part in re.findall(r"\w{1,6}|[^\w\s]", text)]


def windows(ids: Sequence[int]) -> list[list[int]]:
    """Return the pieces in windows of up to WINDOW, with a marker at each end."""
    size = WINDOW - 2
    return [[0, *ids[start : start + size], 2] for start in range(0, max(len(ids), 1), size)]

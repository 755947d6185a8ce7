"""Pack a trained encoder into the files that ship, with 8-bit weights, and unpack them to resume training."""

from __future__ import annotations

import copy
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from unspun.model.tiers.deep import WINDOW, EncoderWeights, WindowHead
from unspun.training.encoder.network import Encoder, pretrained_folder

OPSET = 17


class _Layers(nn.Module):
    """The encoder as it runs: one window of embeddings without padding."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = copy.deepcopy(encoder).eval()
        # No window is longer than this.
        self.encoder.positions = nn.Embedding.from_pretrained(encoder.positions.weight.detach()[: WINDOW + 2])

    def forward(self, embedded: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        present = torch.ones_like(embedded[:, :, 0])
        answer: tuple[Tensor, Tensor, Tensor] = self.encoder(embedded, present)
        return answer


def quantised(encoder: Encoder) -> EncoderWeights:
    """Return the encoder's weights in 8 bits, with one scale for each matrix column and each word piece."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    values = encoder.embeddings.weight.detach().numpy()
    scale = (np.abs(values).max(axis=1) / 127).astype(np.float32)
    embeddings: NDArray[np.int8] = np.rint(values / np.maximum(scale, 1e-12)[:, None]).astype(np.int8)
    with tempfile.TemporaryDirectory() as folder:
        whole, small = Path(folder, "whole.onnx"), Path(folder, "small.onnx")
        _trace(encoder, whole)
        quantize_dynamic(whole, small, per_channel=True, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul"])
        graph = with_states(small.read_bytes())
    pieces = tuple((pretrained_folder() / "vocab.txt").read_text("utf-8").rstrip("\n").split("\n"))
    bias = encoder.before_bias.detach().numpy().astype(np.float32)
    return EncoderWeights(graph, embeddings, scale, bias, pieces, window_head(graph))


def with_states(graph: bytes) -> bytes:
    """Return a quantised graph that also returns `state` (1, L, 384) and `attention` (1, L, 3), for single sentences.

    They are what the pooling multiplies: the last layer, and the weights of its pieces before the softmax. The other
    outputs stay the same to the bit.
    """
    import onnx

    model = onnx.load_from_string(graph)
    makers = {name: node for node in model.graph.node for name in node.output}
    softmax = next(node for node in model.graph.node if node.name == "/encoder/Softmax")
    pooling = next(node for node in model.graph.node if node.name == "/encoder/MatMul")
    for name, old in (("state", pooling.input[1]), ("attention", softmax.input[0])):
        outputs = makers[old].output
        outputs[list(outputs).index(old)] = name
        for node in model.graph.node:
            for i, source in enumerate(node.input):
                if source == old:
                    node.input[i] = name
        model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, "pieces", None]))
    changed: bytes = model.SerializeToString()
    return changed


def window_head(graph: bytes) -> WindowHead:
    """Return the last layers of a quantised graph."""
    import onnx
    from onnx import numpy_helper

    nodes = onnx.load_from_string(graph).graph
    arrays = {one.name: numpy_helper.to_array(one) for one in nodes.initializer}
    stem = next(node for node in nodes.node if node.name == "/encoder/judge/MatMul_quant").input[1]
    stem = stem.removesuffix("_quantized")
    judge = (arrays[f"{stem}_quantized"].astype(np.float32) - arrays[f"{stem}_zero_point"]) * arrays[f"{stem}_scale"]
    last = (arrays[f"encoder.{name}"] for name in ("judge.bias", "judged", "judged_bias"))
    return WindowHead(judge.astype(np.float32), *last)


def restored(weights: EncoderWeights) -> Encoder:
    """Return the encoder that `quantised` packed, with 8-bit precision, to continue training from a shipped model."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load_from_string(weights.graph).graph
    arrays = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    encoder = Encoder()
    state = encoder.state_dict()
    state["embeddings.weight"] = torch.from_numpy(weights.embeddings * weights.scale[:, None])
    state["before_bias"] = torch.from_numpy(weights.bias.copy())
    # The exporter renames and transposes the matrices. The bias added to a matrix's product identifies it.
    users = {name: node for node in graph.node for name in node.input}
    for node in graph.node:
        if node.op_type != "MatMulInteger" or node.input[1] not in arrays:
            continue
        stem = node.input[1].removesuffix("_quantized")
        values = (arrays[node.input[1]].astype(np.float32) - arrays[f"{stem}_zero_point"]) * arrays[f"{stem}_scale"]
        while node.op_type != "Add":
            node = users[node.output[0]]
        bias = next(name for name in node.input if name in arrays).removeprefix("encoder.")
        state[f"{bias.removesuffix('.bias')}.weight"] = torch.from_numpy(values.T.copy())
    for name, values in arrays.items():
        own_name = name.removeprefix("encoder.")
        if own_name == "positions.weight":
            state[own_name][: len(values)] = torch.from_numpy(values.copy())
        elif own_name in state:
            state[own_name] = torch.from_numpy(values.copy())
    encoder.load_state_dict(state)
    return encoder


def _trace(encoder: Encoder, file: Path) -> None:
    """Write the layers as an ONNX graph. PyTorch's newer exporter would need another package."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            _Layers(encoder),
            (torch.zeros(1, 16, encoder.embeddings.embedding_dim),),
            str(file),
            input_names=["embedded"],
            output_names=["replaced", "window", "before"],
            dynamic_axes={name: {1: "pieces"} for name in ("embedded", "replaced", "before")},
            opset_version=OPSET,
            dynamo=False,
        )

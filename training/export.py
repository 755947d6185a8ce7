"""A trained encoder to the files that ship: an ONNX graph with 8-bit weights, and the embeddings in 8 bits."""

from __future__ import annotations

import copy
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.deep import WINDOW, Weights
from training.encoder import Encoder, pretrained_folder

OPSET = 17


class _Layers(nn.Module):
    """The encoder as it runs: one window of embeddings, nothing padded."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = copy.deepcopy(encoder).eval()
        # No window is longer than this.
        self.encoder.positions = nn.Embedding.from_pretrained(encoder.positions.weight.detach()[: WINDOW + 2])

    def forward(self, embedded: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        present = torch.ones_like(embedded[:, :, 0])
        answer: tuple[Tensor, Tensor, Tensor] = self.encoder(embedded, present)
        return answer


def quantised(encoder: Encoder) -> Weights:
    """Return the encoder's weights in 8 bits: matrices by output column, embeddings by word piece."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    values = encoder.embeddings.weight.detach().numpy()
    scale = (np.abs(values).max(axis=1) / 127).astype(np.float32)
    embeddings: NDArray[np.int8] = np.rint(values / np.maximum(scale, 1e-12)[:, None]).astype(np.int8)
    with tempfile.TemporaryDirectory() as folder:
        whole, small = Path(folder, "whole.onnx"), Path(folder, "small.onnx")
        _trace(encoder, whole)
        quantize_dynamic(whole, small, per_channel=True, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul"])
        graph = small.read_bytes()
    pieces = tuple((pretrained_folder() / "vocab.txt").read_text("utf-8").rstrip("\n").split("\n"))
    bias = encoder.before_bias.detach().numpy().astype(np.float32)
    return Weights(graph, embeddings, scale, bias, pieces)


def _trace(encoder: Encoder, file: Path) -> None:
    """Write the layers as an ONNX graph, by PyTorch's older exporter: the newer one needs one more package."""
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

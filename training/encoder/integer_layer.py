"""Write the ONNX graph of the tagger's integer layer. This needs the extra `deep`.

Example:
    python -m unspun.training.encoder.integer_layer
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from unspun.model.signals.integers import GRAPH, PLANE, ZERO
from unspun.training.command import stage_parser


def graph() -> bytes:
    """Return the ONNX model: inputs (N, S) uint8 by two planes of weights (S, H), scaled, plus biases (H,).

    Its weights, scale and biases are empty. `IntegerLayer` replaces them.
    """
    from onnx import TensorProto, ValueInfoProto, helper, numpy_helper

    def tensor(name: str, kind: int, *shape: str) -> ValueInfoProto:
        return helper.make_tensor_value_info(name, kind, list(shape))

    nodes = [
        helper.make_node("MatMulInteger", ["inputs", "coarse", "zero"], ["coarse_sums"]),
        helper.make_node("MatMulInteger", ["inputs", "fine", "zero"], ["fine_sums"]),
        helper.make_node("Mul", ["coarse_sums", "plane"], ["large"]),
        helper.make_node("Add", ["large", "fine_sums"], ["whole"]),
        helper.make_node("Cast", ["whole"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["real", "scale"], ["scaled"]),
        helper.make_node("Add", ["scaled", "biases"], ["sums"]),
    ]
    made = helper.make_graph(
        nodes,
        "integer_layer",
        [tensor("inputs", TensorProto.UINT8, "N", "S")],
        [tensor("sums", TensorProto.FLOAT, "N", "H")],
        [
            numpy_helper.from_array(np.array(ZERO, np.uint8), "zero"),
            numpy_helper.from_array(np.array(PLANE, np.int32), "plane"),
            numpy_helper.from_array(np.zeros((0, 0), np.int8), "coarse"),
            numpy_helper.from_array(np.zeros((0, 0), np.int8), "fine"),
            numpy_helper.from_array(np.zeros(0, np.float32), "scale"),
            numpy_helper.from_array(np.zeros(0, np.float32), "biases"),
        ],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    model.producer_name = "unspun"
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    parser = stage_parser(__doc__)
    parser.add_argument("--output", type=Path, default=GRAPH, help="file to write (default: the one that ships)")
    options = parser.parse_args(arguments)
    options.output.write_bytes(graph())
    return 0


if __name__ == "__main__":
    sys.exit(main())

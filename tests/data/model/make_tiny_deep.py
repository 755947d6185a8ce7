"""Makes tiny_deep.onnx, the layers of the tiny deep tier of tests/deep.py: `python tests/data/model/make_tiny_deep.py`.

Needs `onnx` (pip install -e '.[deep]'); the tests need only the file. A word piece has 8 numbers. The first three mark
the words of machines, by kind; the others identify the original:

    replaced = embedded @ MARK + USUALLY
    window   = mean(embedded) @ SHARES + USUAL   for each kind, from the share of its words in the window
    before   = embedded @ ORIGINAL               the original ranks first, and the replaced word itself a distant second

A replaced word is therefore always recognised, whatever its context.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FILE = Path(__file__).with_name("tiny_deep.onnx")
WIDTH = 8
USUALLY = np.array([-5.0], dtype=np.float32)
MARK = np.eye(WIDTH, 1, dtype=np.float32) * 10
USUAL = np.full(3, -4.0, dtype=np.float32)
SHARES = np.eye(WIDTH, 3, dtype=np.float32) * 60
ORIGINAL = np.diag([-9.0, 0.0, 0.0, 10.0, 10.0, 10.0, 10.0, 10.0]).astype(np.float32)


def make() -> onnx.ModelProto:
    """Return the graph, with the names that unspun.model.tiers.deep expects."""
    constants = {
        "mark": MARK,
        "usually": USUALLY,
        "shares": SHARES,
        "usual": USUAL,
        "original": ORIGINAL,
        "last": np.array([2], dtype=np.int64),
    }
    nodes = [
        helper.make_node("MatMul", ["embedded", "mark"], ["marked"]),
        helper.make_node("Add", ["marked", "usually"], ["own"]),
        helper.make_node("Squeeze", ["own", "last"], ["replaced"]),
        helper.make_node("ReduceMean", ["embedded"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["mean", "shares"], ["counted"]),
        helper.make_node("Add", ["counted", "usual"], ["window"]),
        helper.make_node("MatMul", ["embedded", "original"], ["before"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny_deep",
        [helper.make_tensor_value_info("embedded", TensorProto.FLOAT, [1, "pieces", WIDTH])],
        [
            helper.make_tensor_value_info("replaced", TensorProto.FLOAT, [1, "pieces"]),
            helper.make_tensor_value_info("window", TensorProto.FLOAT, [1, 3]),
            helper.make_tensor_value_info("before", TensorProto.FLOAT, [1, "pieces", WIDTH]),
        ],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)], producer_name="unspun")
    onnx.checker.check_model(model, full_check=True)
    return model


if __name__ == "__main__":
    FILE.write_bytes(make().SerializeToString(deterministic=True))

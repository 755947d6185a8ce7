"""Makes tiny_deep.onnx, the layers of the tiny deep tier of tests/deep.py: `python tests/data/model/make_tiny_deep.py`.

Needs `onnx` (pip install -e '.[deep]'); the tests only need the file. Of the 8 numbers of a word piece the first three
mark what machines write, by kind, and the others say which word it stands for:

    log_odds = embedded @ MARKS + USUALLY + mean(embedded) @ COMPANY    one answer a kind of machine
    before   = embedded @ ORIGINAL          the same word without the spinner's mark, and the word itself a poor second

So a replaced word is told by itself alone, exactly; `rewritten` also depends on what else is in the window.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FILE = Path(__file__).with_name("tiny_deep.onnx")
WIDTH = 8
USUALLY = np.array([-5.0, -3.0, -3.0], dtype=np.float32)
MARKS = np.eye(WIDTH, 3, dtype=np.float32) * 10
COMPANY = np.zeros((WIDTH, 3), dtype=np.float32)
COMPANY[2, 2] = 4.0
ORIGINAL = np.diag([-9.0, 0.0, 0.0, 10.0, 10.0, 10.0, 10.0, 10.0]).astype(np.float32)


def make() -> onnx.ModelProto:
    """Return the graph, with the names that model.deep asks for."""
    constants = {"marks": MARKS, "usually": USUALLY, "company": COMPANY, "original": ORIGINAL}
    nodes = [
        helper.make_node("MatMul", ["embedded", "marks"], ["marked"]),
        helper.make_node("Add", ["marked", "usually"], ["own"]),
        helper.make_node("ReduceMean", ["embedded"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("MatMul", ["mean", "company"], ["around"]),
        helper.make_node("Add", ["own", "around"], ["log_odds"]),
        helper.make_node("MatMul", ["embedded", "original"], ["before"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny_deep",
        [helper.make_tensor_value_info("embedded", TensorProto.FLOAT, [1, "pieces", WIDTH])],
        [
            helper.make_tensor_value_info("log_odds", TensorProto.FLOAT, [1, "pieces", 3]),
            helper.make_tensor_value_info("before", TensorProto.FLOAT, [1, "pieces", WIDTH]),
        ],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)], producer_name="unspun")
    onnx.checker.check_model(model, full_check=True)
    return model


if __name__ == "__main__":
    FILE.write_bytes(make().SerializeToString(deterministic=True))

"""The encoder as the ONNX graph that ships: the layers in as few and as fast operations as onnxruntime has.

Matrices have 8-bit weights, with one scale for each column. Their inputs are rounded to 8 bits when the graph runs. The
small last layers stay in full precision.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper
from onnx import load_from_string as load

from unspun.model.tiers.deep import GUESS, WINDOW
from unspun.model.verdict import KINDS
from unspun.training.encoder.network import HEAD_WIDTH, WIDTH, Encoder

OPSET = 18
OURS = "com.microsoft"
"""The domain of onnxruntime's own operations."""
EPSILON = 1e-12
SCALE = ".scale"
Floats = NDArray[np.float32]


def layers_graph(encoder: Encoder) -> bytes:
    """Return the ONNX model of an encoder.

    Its input is `embedded` (M, L, 384), M windows of L pieces. Its outputs are `replaced` (M, L), `window` (M, 3), and
    what is pooled to judge windows and can be pooled to judge sentences: `state` (M, L, 384) and `attention` (M, L, 3).
    `before` (M, L, 384) is empty unless the input `guess` is true.
    """
    graph = _Graph({name: value.detach().numpy() for name, value in encoder.state_dict().items()})
    graph.add("Shape", ["embedded"], "length", start=1, end=2)
    graph.put("zero", np.zeros(1, np.int64))
    graph.put("positions.weight", graph.weights["positions.weight"][: WINDOW + 2])
    graph.add("Slice", ["positions.weight", "zero", "length"], "position")
    graph.add("Add", ["embedded", "position"], "placed")
    state = graph.norm("placed", "start", "layers.0")
    for i, layer in enumerate(encoder.layers):
        state = graph.layer(state, f"layers.{i}", "state" if layer is encoder.layers[-1] else f"layers.{i + 1}")
    graph.linear("state", "replaced", "replaced.column")
    graph.put("last", np.array([-1], np.int64))
    graph.add("Squeeze", ["replaced.column", "last"], "replaced")
    graph.window()
    graph.add("If", [GUESS], "before", then_branch=graph.before(), else_branch=_nothing())
    graph.put(GUESS, np.array(False))
    outputs: dict[str, tuple[str | int, ...]] = {
        "replaced": ("pieces",),
        "window": (len(KINDS),),
        "before": ("pieces", WIDTH),
        "state": ("pieces", WIDTH),
        "attention": ("pieces", len(KINDS)),
    }
    made = helper.make_graph(
        graph.nodes,
        "encoder",
        [
            helper.make_tensor_value_info("embedded", TensorProto.FLOAT, ["windows", "pieces", WIDTH]),
            # It is also a constant, which makes it optional.
            helper.make_tensor_value_info(GUESS, TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["windows", *rest]) for name, rest in outputs.items()],
        graph.constants(),
    )
    model = helper.make_model(
        made, opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(OURS, 1)], ir_version=9
    )
    model.producer_name = "unspun"
    content: bytes = model.SerializeToString(deterministic=True)
    return content


class _Graph:
    """The operations and constants of a graph that is being made from an encoder's `weights`."""

    def __init__(self, weights: dict[str, Floats]) -> None:
        self.weights = weights
        self.nodes: list[NodeProto] = []
        self.arrays: dict[str, NDArray[Any]] = {}

    def constants(self) -> list[TensorProto]:
        return [numpy_helper.from_array(np.array(value, order="C"), name) for name, value in self.arrays.items()]

    def put(self, name: str, value: NDArray[Any]) -> str:
        """Add a constant; return its name."""
        self.arrays[name] = value
        return name

    def add(self, kind: str, inputs: list[str], output: str, domain: str = "", **attributes: Any) -> str:
        """Add an operation; return the name of its output."""
        self.nodes.append(helper.make_node(kind, inputs, [output], domain=domain, **attributes))
        return output

    def norm(self, value: str, name: str, output: str) -> str:
        # onnxruntime's SkipLayerNormalization, which would also add, takes ten times as long.
        constants = [self.put(f"{name}.{part}", self.weights[f"{name}.{part}"]) for part in ("weight", "bias")]
        return self.add("LayerNormalization", [value, *constants], output, axis=-1, epsilon=EPSILON)

    def linear(self, value: str, name: str, output: str) -> str:
        """Multiply by a matrix in full precision, and add the bias."""
        matrix = self.put(f"{name}.weight", self.weights[f"{name}.weight"].T)
        bias = self.put(f"{name}.bias", self.weights[f"{name}.bias"])
        return self.add("Add", [self.add("MatMul", [value, matrix], f"{output}.product"), bias], output)

    def small(self, value: str, name: str, output: str) -> str:
        """Multiply by a matrix in 8 bits, and add the bias."""
        matrix, scale = in_8_bits(self.weights[f"{name}.weight"].T)
        inputs = [value, self.put(f"{name}.weight", matrix), self.put(f"{name}.weight{SCALE}", scale), ""]
        inputs.append(self.put(f"{name}.bias", self.weights[f"{name}.bias"]))
        return self.add("DynamicQuantizeMatMul", inputs, output, OURS)

    def layer(self, state: str, name: str, output: str) -> str:
        parts = [f"{name}.{part}" for part in ("query", "key", "value")]
        inwards = self.small(state, f"{name}.inwards", f"{name}.inwards")
        self.nodes.append(helper.make_node("Split", [inwards], parts, axis=-1, num_outputs=3))
        heads = len(self.weights[f"{name}.inwards.weight"]) // (3 * HEAD_WIDTH)
        mixed = self.add("MultiHeadAttention", parts, f"{name}.mixed", OURS, num_heads=heads)
        more = self.small(mixed, f"{name}.outwards", f"{name}.outwards")
        attended = self.norm(self.add("Add", [state, more], f"{name}.sum"), f"{name}.attended", f"{name}.attended")
        wide = self.add("Gelu", [self.small(attended, f"{name}.wide", f"{name}.wide")], f"{name}.gelu", OURS)
        more = self.small(wide, f"{name}.narrow", f"{name}.narrow")
        return self.norm(self.add("Add", [attended, more], f"{name}.sums"), f"{name}.finished", output)

    def window(self) -> None:
        """Add the head that judges windows: each kind's own pooling and own hidden layer."""
        self.linear("state", "attend", "attention")
        self.add("Transpose", ["attention"], "attention.by_kind", perm=[0, 2, 1])
        self.add("Softmax", ["attention.by_kind"], "attention.weights", axis=-1)
        self.add("MatMul", ["attention.weights", "state"], "pooled")
        kinds = len(KINDS)
        self.put("judge.weight", self.weights["judge.weight"].reshape(kinds, -1, WIDTH).transpose(0, 2, 1))
        self.put("judge.bias", self.weights["judge.bias"].reshape(kinds, 1, -1))
        self.put("judged", self.weights["judged"][:, :, None])
        self.put("judged_bias", self.weights["judged_bias"])
        self.put("inner", np.array([2], np.int64))
        self.put("both", np.array([2, 3], np.int64))
        self.add("Unsqueeze", ["pooled", "inner"], "pooled.rows")
        self.add("MatMul", ["pooled.rows", "judge.weight"], "judge.product")
        self.add("Add", ["judge.product", "judge.bias"], "judge.sum")
        self.add("Gelu", ["judge.sum"], "judge.gelu", OURS)
        self.add("MatMul", ["judge.gelu", "judged"], "judged.product")
        self.add("Squeeze", ["judged.product", "both"], "judged.row")
        self.add("Add", ["judged.row", "judged_bias"], "window")

    def before(self) -> Any:
        """Return the graph of the head that guesses which piece was there before."""
        head = _Graph(self.weights)
        hidden = head.add("Gelu", [head.small("state", "before.0", "before.first")], "before.gelu", OURS)
        head.small(hidden, "before.2", "before.vectors")
        output = helper.make_tensor_value_info("before.vectors", TensorProto.FLOAT, ["windows", "pieces", WIDTH])
        return helper.make_graph(head.nodes, "before", [], [output], head.constants())


def _nothing() -> Any:
    empty = numpy_helper.from_array(np.zeros((0, 0, WIDTH), np.float32))
    node = helper.make_node("Constant", [], ["before.nothing"], value=empty)
    output = helper.make_tensor_value_info("before.nothing", TensorProto.FLOAT, [0, 0, WIDTH])
    return helper.make_graph([node], "nothing", [], [output])


def in_8_bits(matrix: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Return a matrix (N, M) in 8 bits and the scale (M,) of each column."""
    scale = (np.maximum(np.abs(matrix).max(axis=0), 1e-12) / 127).astype(np.float32)
    return np.rint(matrix / scale).astype(np.int8), scale


def encoder_of(content: bytes) -> Encoder:
    """Return the encoder of an ONNX model, with 8-bit precision and without embeddings, which the model lacks."""
    graph = load(content).graph
    branches = [value.g for node in graph.node for value in node.attribute if value.name.endswith("branch")]
    constants = [one for part in (graph, *branches) for one in part.initializer]
    arrays = {one.name: numpy_helper.to_array(one) for one in constants}
    state = _by_name(arrays)
    encoder = Encoder(
        sum(name.endswith(".inwards.weight") for name in state),
        len(state["layers.0.inwards.weight"]) // (3 * HEAD_WIDTH),
        len(state["layers.0.wide.weight"]),
    )
    for name, old in encoder.state_dict().items():
        if name == "positions.weight":
            old[: len(state[name])] = torch.tensor(state[name])
        elif name in state:
            old.copy_(torch.tensor(state[name]).reshape(old.shape))
    return encoder


def _by_name(arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return an encoder's parameters from the constants of a graph that `layers_graph` made."""
    answer = {}
    for name, value in arrays.items():
        values = value * arrays[f"{name}{SCALE}"] if f"{name}{SCALE}" in arrays else value
        if name == "judge.weight":
            values = values.transpose(0, 2, 1)
        elif values.ndim == 2 and name != "positions.weight":
            values = values.T
        answer[name] = values
    return answer

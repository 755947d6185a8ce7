"""Checks an ONNX model before onnxruntime loads it: only operations that the tiers use, and no references to files.

onnxruntime could also run loops that never end, load weights from any file, and call functions from other libraries.
This reads only those parts of the model's Protocol Buffers (onnx.proto in github.com/onnx/onnx) that matter for that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

OPERATIONS = {
    "": frozenset(
        (
            *("Add", "BitwiseAnd", "Concat", "Constant", "If", "LayerNormalization", "MatMul", "MatMulInteger", "Pad"),
            *(
                "QuantizeLinear",
                "ReduceMean",
                "Shape",
                "Slice",
                "Softmax",
                "Split",
                "Squeeze",
                "Transpose",
                "Unsqueeze",
            ),
        )
    ),
    "com.microsoft": frozenset(("DynamicQuantizeMatMul", "Gelu", "MatMulIntegerToFloat", "MultiHeadAttention")),
}
"""Allowed operations by domain: those of the graphs that training writes (training/encoder). None repeats anything."""
DOMAINS = {"ai.onnx": ""}
"""Other names of domains."""
MOST_DEPTH = 4
"""Branches of `If` inside each other."""

# Numbers of fields in onnx.proto.
MODEL_GRAPH, MODEL_TRAINING, MODEL_FUNCTIONS = 7, 20, 25
GRAPH_NODE, GRAPH_INITIALIZER, GRAPH_INPUT, GRAPH_OUTPUT, GRAPH_SPARSE = 1, 5, 11, 12, 15
NODE_OPERATION, NODE_ATTRIBUTE, NODE_DOMAIN = 4, 5, 7
ATTRIBUTE_TENSOR, ATTRIBUTE_GRAPH, ATTRIBUTE_TENSORS, ATTRIBUTE_GRAPHS = 5, 6, 10, 11
ATTRIBUTE_SPARSE = (22, 23)
TENSOR_EXTERNAL, TENSOR_LOCATION = 13, 14
VALUE_NAME = 1

VARINT, EIGHT_BYTES, BYTES, FOUR_BYTES = 0, 1, 2, 5
"""Types of fields."""


class GraphError(ValueError):
    """A model may not be loaded. The message says why."""


def check_graph(model: bytes, inputs: Collection[str], outputs: Collection[str]) -> None:
    """Check a model, which must have these inputs and outputs. Raises GraphError."""
    graphs = []
    for field, value in _fields(memoryview(model)):
        if field == MODEL_GRAPH:
            graphs.append(_message(value))
        elif field in (MODEL_FUNCTIONS, MODEL_TRAINING):
            raise GraphError("it defines functions of its own")
    if len(graphs) != 1:
        raise GraphError(f"it has {len(graphs)} graphs instead of one")
    _check(graphs[0], 0)
    for number, wanted, what in ((GRAPH_INPUT, inputs, "input"), (GRAPH_OUTPUT, outputs, "output")):
        names = [_text(_message(value), VALUE_NAME) for field, value in _fields(graphs[0]) if field == number]
        if missing := sorted({*wanted}.difference(names)):
            raise GraphError(f"it has no {what} {missing[0]!r}")


def _check(graph: memoryview, depth: int) -> None:
    if depth > MOST_DEPTH:
        raise GraphError("its branches are nested too deeply")
    for field, value in _fields(graph):
        if field == GRAPH_NODE:
            _check_node(_message(value), depth)
        elif field == GRAPH_INITIALIZER:
            _check_tensor(_message(value))
        elif field == GRAPH_SPARSE:
            raise GraphError("it has sparse tensors")


def _check_node(node: memoryview, depth: int) -> None:
    operation, domain = _text(node, NODE_OPERATION), _text(node, NODE_DOMAIN)
    if operation not in OPERATIONS.get(DOMAINS.get(domain, domain), ()):
        raise GraphError(f"it has the operation {domain + '.' if domain else ''}{operation}, which is not allowed")
    for field, value in _fields(node):
        if field != NODE_ATTRIBUTE:
            continue
        for part, content in _fields(_message(value)):
            if part in (ATTRIBUTE_GRAPH, ATTRIBUTE_GRAPHS):
                _check(_message(content), depth + 1)
            elif part in (ATTRIBUTE_TENSOR, ATTRIBUTE_TENSORS):
                _check_tensor(_message(content))
            elif part in ATTRIBUTE_SPARSE:
                raise GraphError("it has sparse tensors")


def _check_tensor(tensor: memoryview) -> None:
    for field, value in _fields(tensor):
        if field == TENSOR_EXTERNAL or (field == TENSOR_LOCATION and value != 0):
            raise GraphError("its weights are in another file")


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield the number and the value of each field of a message: an integer or bytes. Raises GraphError."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == VARINT:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        if kind == BYTES:
            size, at = _varint(message, at)
        elif kind in (EIGHT_BYTES, FOUR_BYTES):
            size = 8 if kind == EIGHT_BYTES else 4
        else:
            raise GraphError("it is not an ONNX model")
        if size > len(message) - at:
            raise GraphError("it is cut off, or not an ONNX model")
        yield key >> 3, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """Return the integer at a place, and the place after it."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            break
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise GraphError("it is cut off, or not an ONNX model")


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise GraphError("it is not an ONNX model")
    return value


def _text(message: memoryview, number: int) -> str:
    """Return a field that is a string, "" if it is missing. The last one counts, as in Protocol Buffers."""
    found = ""
    for field, value in _fields(message):
        if field == number:
            found = bytes(_message(value)).decode("utf-8", "replace")
    return found

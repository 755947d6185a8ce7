"""Creates onnxruntime sessions: single-threaded, silent and without telemetry, on the processor or on a GPU."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from numpy.typing import NDArray

from unspun.model.onnx_graph import GraphError

Device = Literal["cpu", "cuda"]
DEVICES: tuple[Device, ...] = ("cpu", "cuda")
CPU: Device = "cpu"
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
INSTALL = "pip uninstall --yes onnxruntime && pip install onnxruntime-gpu onnx"


class DeviceError(ValueError):
    """The device cannot be used. The message says what to do."""


def check_device(name: str) -> Device:
    """Return the device of this name. Raises DeviceError if there is none, or if it cannot be used here."""
    for device in DEVICES:
        if name == device:
            if PROVIDERS[device] not in _onnxruntime().get_available_providers():
                raise DeviceError(f"device 'cuda' needs the package onnxruntime-gpu; install it with: {INSTALL}")
            return device
    raise DeviceError(f"unknown device {name!r}; use one of {', '.join(DEVICES)}")


def session(graph: bytes, device: Device = CPU, *, weights: Mapping[str, NDArray[Any]] | None = None) -> Any:
    """Return a session that runs an ONNX model on one thread, or on a GPU.

    `weights` take the place of the model's own initializers of these names, whatever their shapes. onnxruntime arranges
    constant weights for the processor once, and not with each call.

    Raises DeviceError if onnxruntime cannot use the GPU, and GraphError if it cannot use the model.
    """
    onnxruntime = _onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    # A session does not copy these values, so they must live as long as it.
    values = {name: onnxruntime.OrtValue.ortvalue_from_numpy(value) for name, value in (weights or {}).items()}
    for name, value in values.items():
        options.add_initializer(name, value)
    if device == CPU:
        with _explained():
            made = onnxruntime.InferenceSession(graph, options, providers=[PROVIDERS[CPU]])
        made.unspun_weights = values
        return made
    check_device(device)
    with _explained():
        made = onnxruntime.InferenceSession(in_floats(graph), options, providers=[PROVIDERS[device], PROVIDERS[CPU]])
    # Without a GPU, onnxruntime takes the processor instead, and says so only in its log.
    if PROVIDERS[device] not in made.get_providers():
        raise DeviceError(
            "onnxruntime cannot use a GPU here: check the driver with nvidia-smi, and the versions of CUDA and cuDNN "
            "at https://onnxruntime.ai/docs/install; or use the device 'cpu'"
        )
    return made


def run(session: Any, outputs: Sequence[str] | None, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
    """Return the outputs of a model, all of them for None. Raises GraphError if it cannot be run."""
    with _explained():
        found: list[NDArray[Any]] = session.run(outputs, dict(inputs))
    return found


@contextmanager
def _explained() -> Iterator[None]:
    """Turn the errors of onnxruntime, which have no class in common, into GraphError."""
    try:
        yield
    except (DeviceError, MemoryError):
        raise
    except Exception as error:
        said = " ".join(str(error).split())[:200]
        raise GraphError(f"the model's network cannot be run ({said}); restore the model, or train it again") from error


def in_floats(graph: bytes) -> bytes:
    """Return a model that multiplies in floats instead of 8 bits, because GPUs have no such operation for 8 bits.

    The weights stay the same. Raises DeviceError if the package onnx is missing.
    """
    try:
        import onnx
        from onnx import helper
    except ModuleNotFoundError as error:
        raise DeviceError(f"device 'cuda' needs the package onnx; install it with: {INSTALL}") from error

    def rewrite(part: onnx.GraphProto) -> None:
        nodes = list(part.node)
        del part.node[:]
        for node in nodes:
            for attribute in node.attribute:
                if attribute.HasField("g"):
                    rewrite(attribute.g)
            if node.op_type != "DynamicQuantizeMatMul":
                part.node.append(node)
                continue
            values, matrix, scale, _, bias = node.input
            [output] = node.output
            part.node.extend(
                [
                    helper.make_node("DequantizeLinear", [matrix, scale], [f"{output}.floats"], axis=1),
                    helper.make_node("MatMul", [values, f"{output}.floats"], [f"{output}.products"]),
                    helper.make_node("Add", [f"{output}.products", bias], [output]),
                ]
            )

    model = onnx.load_from_string(graph)
    rewrite(model.graph)
    changed: bytes = model.SerializeToString()
    return changed


def _onnxruntime() -> Any:
    # onnxruntime 1.29 and later report usage to Microsoft unless this is set before the import.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    # Imported here because it is slow, and commands that never run a network should start quickly.
    import onnxruntime

    return onnxruntime

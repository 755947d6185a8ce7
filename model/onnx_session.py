"""Creates onnxruntime sessions: single-threaded, silent and without telemetry."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray


def session(graph: bytes, weights: Mapping[str, NDArray[Any]] | None = None) -> Any:
    """Return a session that runs an ONNX model on one thread.

    `weights` take the place of the model's own initializers of these names, whatever their shapes. onnxruntime arranges
    constant weights for the processor once, and not with each call.
    """
    # onnxruntime 1.29 and later report usage to Microsoft unless this is set before the import.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    # Imported here because it is slow, and commands that never run a network should start quickly.
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    # A session does not copy these values, so they must live as long as it.
    values = {name: onnxruntime.OrtValue.ortvalue_from_numpy(value) for name, value in (weights or {}).items()}
    for name, value in values.items():
        options.add_initializer(name, value)
    made = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    made.unspun_weights = values
    return made

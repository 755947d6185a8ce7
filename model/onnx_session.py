"""Creates onnxruntime sessions: single-threaded, silent and without telemetry."""

from __future__ import annotations

import os
from typing import Any


def session(graph: bytes) -> Any:
    """Return a session that runs an ONNX model on one thread."""
    # onnxruntime 1.29 and later report usage to Microsoft unless this is set before the import.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    # Imported here because it is slow, and commands that never run a network should start quickly.
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

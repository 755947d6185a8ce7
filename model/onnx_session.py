"""Sessions of onnxruntime: one thread, nothing said, nobody told."""

from __future__ import annotations

import os
from typing import Any


def session(graph: bytes) -> Any:
    """Return a session that runs an ONNX model on one thread of this processor."""
    # From 1.29 on onnxruntime tells its maker who runs it, unless it is told not to before it is imported.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    # Imported here: what needs no network should not wait for it.
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

"""model/onnx_session.py: the deep tier runs on the processor, or on a GPU if onnxruntime can use one."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from tests import deep as tiny
from unspun.model import onnx_session
from unspun.model.onnx_session import DeviceError, check_device, session

GPU, PROCESSOR = "CUDAExecutionProvider", "CPUExecutionProvider"
GRAPH = tiny.GRAPH.read_bytes()


class Onnxruntime(SimpleNamespace):
    """Stands in for onnxruntime, and remembers the providers that a session was created with."""

    def __init__(self, installed: list[str], usable: list[str]) -> None:
        super().__init__(
            SessionOptions=SimpleNamespace,
            ExecutionMode=SimpleNamespace(ORT_SEQUENTIAL=0),
            get_available_providers=lambda: installed,
            InferenceSession=self.create,
        )
        self.usable = usable
        self.asked: list[list[str]] = []

    def create(self, _graph: bytes, _options: Any, *, providers: list[str]) -> Any:
        self.asked.append(providers)
        return SimpleNamespace(get_providers=lambda: [name for name in providers if name in self.usable])


@pytest.fixture
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Onnxruntime:
    """Return the onnxruntime of a machine with these providers `installed`, of which some are `usable`."""
    made = Onnxruntime(*request.param)
    monkeypatch.setitem(sys.modules, "onnxruntime", made)
    return made


with_gpu = pytest.mark.parametrize("machine", [([GPU, PROCESSOR], [GPU, PROCESSOR])], indirect=True)
without_package = pytest.mark.parametrize("machine", [([PROCESSOR], [PROCESSOR])], indirect=True)
without_gpu = pytest.mark.parametrize("machine", [([GPU, PROCESSOR], [PROCESSOR])], indirect=True)


@with_gpu
def test_the_processor_is_the_default(machine: Onnxruntime) -> None:
    session(GRAPH)
    assert machine.asked == [[PROCESSOR]]


@with_gpu
def test_a_gpu_is_used_if_asked_for(machine: Onnxruntime) -> None:
    pytest.importorskip("onnx")
    session(GRAPH, "cuda")
    assert machine.asked == [[GPU, PROCESSOR]]


@without_package
def test_without_onnxruntime_gpu_the_error_has_the_command_that_installs_it(machine: Onnxruntime) -> None:
    with pytest.raises(DeviceError, match="pip install onnxruntime-gpu onnx"):
        check_device("cuda")
    assert machine.asked == []


@without_gpu
def test_without_a_gpu_onnxruntime_does_not_silently_use_the_processor(machine: Onnxruntime) -> None:
    pytest.importorskip("onnx")
    with pytest.raises(DeviceError, match="cannot use a GPU here: check the driver"):
        session(GRAPH, "cuda")


@with_gpu
def test_without_onnx_the_error_has_the_command_that_installs_it(
    machine: Onnxruntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(DeviceError, match="needs the package onnx; install it with: pip"):
        session(GRAPH, "cuda")


def test_an_unknown_device() -> None:
    with pytest.raises(DeviceError, match="unknown device 'tpu'; use one of cpu, cuda"):
        check_device("tpu")


def test_a_model_in_floats_has_no_8_bit_products() -> None:
    onnx = pytest.importorskip("onnx")
    from unspun.model import bundle

    deep = bundle.load().deep
    assert deep is not None
    graph = onnx.load_from_string(onnx_session.in_floats(deep.encoder.weights.graph)).graph
    assert "DynamicQuantizeMatMul" not in {node.op_type for node in graph.node}

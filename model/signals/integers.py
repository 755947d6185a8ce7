"""A layer of a neural network in integer arithmetic: exact, and several times as fast as in floating point.

onnxruntime multiplies 8-bit integers with the processor's own instructions. The graph is in integer_layer.onnx, without
the weights. Sums of integers do not depend on their order, so the output for a row is the same on every machine and in
every batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unspun.model.onnx_session import session
from unspun.model.signals.base import Floats

GRAPH = Path(__file__).with_name("integer_layer.onnx")
ZERO = 128
"""The input that represents 0."""
PLANE = 128
"""A weight is `coarse` * PLANE + `fine`. Both are within 64, so that sums of two products never overflow 16 bits, which
some processors add in."""
LARGEST = 63 * PLANE + 63
ROWS = 512
"""Rows that are multiplied at a time, so that their sums stay in the processor's cache."""
MOST_INPUTS = 2**31 // (128 * (LARGEST + 1))
"""Inputs for which the sums cannot overflow 32 bits."""


@dataclass(frozen=True, eq=False)
class IntegerLayer:
    """Weights (S, H) as integers of about 13 bits in two planes, a scale (H,) for each unit, and biases (H,)."""

    coarse: NDArray[np.int8]
    fine: NDArray[np.int8]
    scale: Floats
    biases: Floats

    @classmethod
    def of(cls, weights: Floats, biases: Floats, steps: Floats) -> IntegerLayer:
        """Quantise weights (S, H) for inputs in units of `steps` (S,).

        Raises ValueError if there are more inputs than can be added in 32 bits.
        """
        if len(weights) > MOST_INPUTS:
            raise ValueError(
                f"a layer with {len(weights)} inputs is too large for integer arithmetic (at most {MOST_INPUTS})"
            )
        worth = weights.astype(np.float64) * steps[:, None]
        scale = np.maximum(np.abs(worth).max(axis=0), 1e-30) / LARGEST
        whole = np.rint(worth / scale).astype(np.int32)
        coarse = (whole + PLANE // 2) // PLANE
        fine = whole - PLANE * coarse
        return cls(coarse.astype(np.int8), fine.astype(np.int8), scale.astype(np.float32), biases)

    def apply(self, inputs: NDArray[np.uint8]) -> Floats:
        """Return the weighted sums (N, H) of inputs (N, S), in which ZERO represents 0."""
        answer = np.empty((len(inputs), len(self.scale)), dtype=np.float32)
        for start in range(0, len(inputs), ROWS):
            [answer[start : start + ROWS]] = self._session.run(None, {"inputs": inputs[start : start + ROWS]})
        return answer

    @cached_property
    def _session(self) -> Any:
        names = ("coarse", "fine", "scale", "biases")
        return session(GRAPH.read_bytes(), weights={name: np.ascontiguousarray(getattr(self, name)) for name in names})

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the session, which cannot be pickled."""
        return {name: value for name, value in self.__dict__.items() if name != "_session"}

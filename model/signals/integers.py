"""A layer of a neural network in integer arithmetic: exact, and several times as fast as in floating point.

onnxruntime multiplies 8-bit integers with the processor's own instructions. The graph is in integer_layer.onnx; the
weights are small enough to be passed with each call. Sums of integers do not depend on their order, so the output for a
row is the same on every machine and in every batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
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
        [answer] = _session().run(
            None,
            {"inputs": inputs, "coarse": self.coarse, "fine": self.fine, "scale": self.scale, "biases": self.biases},
        )
        sums: Floats = answer
        return sums


@cache
def _session() -> Any:
    return session(GRAPH.read_bytes())

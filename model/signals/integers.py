"""A layer of a network in integers: several times as fast as in floats, and exact.

onnxruntime multiplies 8-bit integers by the processor's own instructions for it. The graph is in integer_layer.onnx;
the weights are given with each call, as they are small. Sums of integers do not depend on their order, so that the
answer to a row is the same on every machine and in any company.
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
"""The input that stands for nothing."""
PLANE = 128
"""Weights are `coarse` times this, plus `fine`. Both stay within 64, so that no processor's sums of two products
overflow 16 bits."""
LARGEST = 63 * PLANE + 63
MOST_INPUTS = 2**31 // (128 * (LARGEST + 1))
"""With more the sums could overflow 32 bits."""


@dataclass(frozen=True, eq=False)
class IntegerLayer:
    """Weights (S, H) as integers of some 13 bits in two planes, times a scale (H,) for each unit; and biases (H,)."""

    coarse: NDArray[np.int8]
    fine: NDArray[np.int8]
    scale: Floats
    biases: Floats

    @classmethod
    def of(cls, weights: Floats, biases: Floats, steps: Floats) -> IntegerLayer:
        """Quantise weights (S, H) for inputs whose unit is worth `steps` (S,).

        Raises ValueError for more inputs than can be summed up in 32 bits.
        """
        if len(weights) > MOST_INPUTS:
            raise ValueError(f"a layer of {len(weights)} inputs; at most {MOST_INPUTS} can be computed in integers")
        worth = weights.astype(np.float64) * steps[:, None]
        scale = np.maximum(np.abs(worth).max(axis=0), 1e-30) / LARGEST
        whole = np.rint(worth / scale).astype(np.int32)
        coarse = (whole + PLANE // 2) // PLANE
        fine = whole - PLANE * coarse
        return cls(coarse.astype(np.int8), fine.astype(np.int8), scale.astype(np.float32), biases)

    def apply(self, inputs: NDArray[np.uint8]) -> Floats:
        """Return the sums (N, H) of inputs (N, S), of which ZERO is nothing."""
        [answer] = _session().run(
            None,
            {"inputs": inputs, "coarse": self.coarse, "fine": self.fine, "scale": self.scale, "biases": self.biases},
        )
        sums: Floats = answer
        return sums


@cache
def _session() -> Any:
    return session(GRAPH.read_bytes())

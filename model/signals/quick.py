"""The signals that need only a text's words, not its vocabulary ids or n-grams: phrasing and context.

The first tier has no others. In the fast tier they are the last document features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unspun.model.signals.context import ContextNetwork
from unspun.model.signals.phrasing import NgramWeights
from unspun.model.text.quick import QuickWords
from unspun.model.verdict import KINDS

SIGNALS = ("phrasing", "context")
NAMES = tuple(f"{signal}.{kind}" for signal in SIGNALS for kind in KINDS)
"""What each signal says about each kind."""


@dataclass(frozen=True, eq=False)
class QuickSignals:
    """The weights of both signals. Without a network, the log odds of context are 0."""

    phrasing: NgramWeights
    context: ContextNetwork | None = None

    def log_odds(self, words: QuickWords, ptr: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the log odds (S, 6) in sections that begin and end at `ptr` (S + 1,), in the order of NAMES."""
        phrasing = self.phrasing.log_odds(words, ptr)
        context = np.zeros_like(phrasing) if self.context is None else self.context.log_odds(words, ptr)
        return np.concatenate([phrasing, context], axis=1)


def weighted(log_odds: NDArray[np.floating], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum over signals (S, 3) of log odds (S, 6), multiplied by the `weights` (2, 3)."""
    answer: NDArray[np.float64] = (log_odds.reshape(-1, *weights.shape) * weights).sum(axis=1)
    return answer

"""Finds the parts of a longer text that were paraphrased, from the evidence of its windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unspun.model.decision.decision import Tail

WINDOW_RATE = 0.05
"""False-positive rate of a single window below which it is suspicious."""
MOST = 100
"""Most parts that are listed for one document; the longest are kept."""
WHOLE = 0.8
"""Share of suspicious words from which the whole text counts as paraphrased, so that no parts are listed."""


@dataclass(frozen=True, slots=True)
class SuspiciousPart:
    """Tokens `first` to `last` (included) of a batch, and the number of words of prose among them."""

    first: int
    last: int
    words: int


def suspicious_parts(
    evidence: NDArray[np.floating], tokens: NDArray[np.int64], words: NDArray[np.int64], tail: Tail
) -> tuple[tuple[SuspiciousPart, ...], float]:
    """Return the suspicious parts of a suspicious document and their share of its words.

    Args:
        evidence: (M,) evidence of one kind in each window of the document, in order.
        tokens: (M, 2) first and last token of each window; windows do not overlap.
        words: (W,) tokens of the document that are words of prose.
        tail: how often human text shows evidence of this kind.

    Returns:
        At most MOST parts, in order, and the share (0 to 1) of words in suspicious windows. If nearly all windows are
        suspicious, there are no parts. If no window is, the evidence is spread over the whole text: there are no parts,
        and the share is 1.
    """
    bounds = np.searchsorted(words, np.column_stack([tokens[:, 0], tokens[:, 1] + 1]))
    counts = bounds[:, 1] - bounds[:, 0]
    familiar = np.zeros(len(evidence))
    suspicious = tail.log_rate(np.asarray(evidence, dtype=np.float64), counts, familiar) < np.log(WINDOW_RATE)
    if len(suspicious) > 2:  # a single window between two suspicious ones belongs to them
        suspicious[1:-1] |= suspicious[:-2] & suspicious[2:]
    total = int(counts.sum())
    if not suspicious.any() or not total:
        return (), 1.0
    share = float(counts[suspicious].sum()) / total
    if share >= WHOLE:
        return (), round(share, 3)
    parts = sorted(_runs(suspicious, tokens, counts), key=lambda part: (-part.words, part.first))[:MOST]
    return tuple(sorted(parts, key=lambda part: part.first)), round(share, 3)


def _runs(
    suspicious: NDArray[np.bool_], tokens: NDArray[np.int64], counts: NDArray[np.int64]
) -> Sequence[SuspiciousPart]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], suspicious, [False]])))
    return [
        SuspiciousPart(int(tokens[start, 0]), int(tokens[stop - 1, 1]), int(counts[start:stop].sum()))
        for start, stop in zip(edges[::2], edges[1::2], strict=True)
    ]

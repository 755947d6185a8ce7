"""The passage of a longer text in which replaced words stand close together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ROLLING = 100
"""Words over which the strongest stretch of a text is sought."""
ABOVE = 0.05
"""How far a stretch's share of replaced words is above that of most of the text before it grows a passage."""
NOTABLE_CONTRAST = 3.0
"""Standard errors from which a passage that stands out counts."""
CLEAN = 0.05
"""Share of replaced words, as the taggers see it at a prior of one in twenty, above which a text is spun throughout."""
_LEAST_VARIANCE = 1e-4


@dataclass(frozen=True, slots=True)
class Passage:
    """Words [start, stop) of a text, and by how many replaced words they stand out from the rest."""

    start: int
    stop: int
    weight: float


def find_passage(probability: NDArray[np.floating]) -> Passage:
    """Return the heaviest passage, given for each word (W,) the probability that it was replaced.

    The run of words with the largest sum of probabilities above what is common in this text (Kadane's maximal segment):
    what a writer does throughout, a spinner in one place only. The shortest such run, and the first.
    """
    if not len(probability):
        return Passage(0, 0, 0.0)
    values = np.asarray(probability, dtype=np.float64)
    background = float(np.median(_stretches(values))) + ABOVE
    sums = np.concatenate([[0.0], np.cumsum(values - background)])
    lowest = np.minimum.accumulate(sums)
    gains = sums - lowest
    stop = int(gains.argmax())
    if gains[stop] <= 0:
        return Passage(0, 0, 0.0)
    start = int(np.flatnonzero(sums[: stop + 1] == lowest[stop])[-1])
    return Passage(start, stop, float(gains[stop]))


def stands_out(probability: NDArray[np.floating]) -> bool:
    """Return whether a passage stands out from a text that is otherwise as people write."""
    if len(probability) <= ROLLING or np.median(_stretches(probability)) > CLEAN:
        return False
    return contrast(probability) >= NOTABLE_CONTRAST


def strongest_stretch(values: NDArray[np.floating]) -> float:
    """Return the largest mean of `values` (W,) over ROLLING of them in a row; over all where there are fewer."""
    return float(_stretches(values).max()) if len(values) else 0.0


def contrast(probability: NDArray[np.floating]) -> float:
    """Return by how many standard errors the strongest stretch of replaced words (W,) stands out from the rest.

    0 for a text that is no longer than a stretch.
    """
    if len(probability) <= ROLLING:
        return 0.0
    stretches = _stretches(probability)
    common = float(np.median(stretches))
    spread = np.sqrt(max(common * (1.0 - common), 0.0) / ROLLING + _LEAST_VARIANCE)
    return float((stretches.max() - common) / spread)


def _stretches(values: NDArray[np.floating]) -> NDArray[np.float64]:
    size = min(ROLLING, len(values))
    sums = np.cumsum(np.concatenate([[0.0], np.asarray(values, dtype=np.float64)]))
    answer: NDArray[np.float64] = (sums[size:] - sums[:-size]) / size
    return answer

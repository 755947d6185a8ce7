"""Texts to train on, made of our own sentences: no two have a run of eight words in common."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

EXAMPLES = Path(__file__).parents[2] / "seeds" / "examples" / "human"


def passages(count: int, *, sentences: int = 5, seed: int = 5) -> list[str]:
    """Return texts of this many of our own sentences each; five sentences have fifty words or more."""
    rng = np.random.default_rng(seed)
    # The pieces are shuffled so that no text is taken for a version of another.
    answer = []
    for _ in range(count):
        chosen = " ".join(rng.choice(_sentences(), size=sentences)).split()
        pieces = [chosen[i : i + 5] for i in range(0, len(chosen), 5)]
        rng.shuffle(pieces)
        answer.append(" ".join(word for piece in pieces for word in piece))
    return answer


@cache
def _sentences() -> tuple[str, ...]:
    return tuple(
        sentence.strip() + "."
        for file in sorted(EXAMPLES.glob("*.txt"))
        for paragraph in file.read_text("utf-8").split("\n\n")[1:]
        for sentence in paragraph.replace("\n", " ").split(". ")
    )

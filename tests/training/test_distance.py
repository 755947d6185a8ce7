"""training/distance.py: how far our own paraphrasers are from real ones."""

from __future__ import annotations

import numpy as np

from tests.training.matrices import matrix, rows
from training.distance import paraphraser_distance


def spun(tool: str, scores: np.ndarray) -> dict[str, object]:
    return rows("spun", tool, count=len(scores), scores=scores)


def distance(own: np.ndarray, real: np.ndarray) -> dict[str, float]:
    found = paraphraser_distance(matrix(spun("unspun:wordnet", own), spun("pwws", real)), seed=0)
    return {row["paraphraser"]: row["auroc"] for row in found}


def test_text_alike_is_hard_to_tell_apart() -> None:
    rng = np.random.default_rng(0)
    assert abs(distance(rng.random(400), rng.random(400))["all"] - 0.5) < 0.1


def test_text_unlike_is_told_apart() -> None:
    rng = np.random.default_rng(0)
    assert distance(rng.random(400), 2 + rng.random(400))["unspun:wordnet"] > 0.99


def test_too_few_texts_have_no_row() -> None:
    assert distance(np.zeros(10), np.zeros(400)) == {}

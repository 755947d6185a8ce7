"""The judge of a comparison: was the suspect made from the source, and how?

Two logistic regressions over the numbers of measures.py, and for the second over a few of the engine's document
features. `training.comparing` fits them; their weights are in comparison.json.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy.special import expit

from unspun.model.comparing.comparison import RELATIONS, Relation
from unspun.model.comparing.measures import NAMES
from unspun.model.comparing.texts import Floats

WEIGHTS = Path(__file__).with_name("comparison.json")
FURTHEST = 4.0
"""Standard deviations at which a scaled number is clipped."""
_STYLE_NUMBERS = """
misfit.probability_mean misfit.log_odds_mean misfit.log_odds_deviation
misfit.content_above_0 misfit.function_above_0
frequency.mean frequency.deviation frequency.function_words frequency.unknown
collocations.fit_mean collocations.fit_deviation collocations.association_mean
"""
STYLE_NUMBERS = tuple(_STYLE_NUMBERS.split())
"""The document features (model.signals.features) that show how a text was made from another."""
STYLE = tuple(f"{prefix}{name}" for prefix in ("", "more_") for name in STYLE_NUMBERS)
"""Names of those features of the suspect, and of their differences from the source's."""
_DECISIVE = """
content_larger own_larger replaced_larger function_larger bag types bigrams trigrams order contrast nearest distinct
matched_larger matched_smaller kept scrambled longest
"""
DECISIVE = tuple(_DECISIVE.split())
"""The members of NAMES from which the first regression decides. With the others it would learn the paraphrasing tools
of its training data."""


@dataclass(frozen=True, eq=False)
class ComparisonJudge:
    """Two logistic regressions over scaled numbers.

    Attributes:
        centre, spread: (N,) mean and standard deviation of the numbers NAMES and STYLE.
        derived, derived_bias: weights (len(DECISIVE),) and bias of "one was made from the other".
        kinds, kinds_bias: weights (len(RELATIONS), N) and biases (len(RELATIONS),) of how it was made.
    """

    centre: Floats
    spread: Floats
    derived: Floats
    derived_bias: float
    kinds: Floats
    kinds_bias: Floats

    @classmethod
    def read(cls, file: Path) -> ComparisonJudge:
        """Read the weights that `training.comparing` wrote."""
        values = json.loads(file.read_text("utf-8"))
        arrays = {name: np.array(values[name]) for name in ("centre", "spread", "derived", "kinds", "kinds_bias")}
        return cls(**arrays, derived_bias=float(values["derived_bias"]))

    def probability(self, numbers: Floats) -> float:
        """Return the probability that one text was made from the other, from the numbers NAMES."""
        chosen = self._scaled(numbers)[[NAMES.index(name) for name in DECISIVE]]
        return float(expit(np.clip(chosen @ self.derived + self.derived_bias, -30.0, 30.0)))

    def kinds_of(self, numbers: Floats) -> dict[Relation, float]:
        """Return the probability of each relation of a derived text, from the numbers NAMES and STYLE."""
        logits = self.kinds @ self._scaled(numbers) + self.kinds_bias
        shares = np.exp(logits - logits.max())
        return _millionths((shares / shares.sum()).tolist())

    def _scaled(self, numbers: Floats) -> Floats:
        return scale(numbers, self.centre[: len(numbers)], self.spread[: len(numbers)])


@cache
def shipped_judge() -> ComparisonJudge:
    """Return the judge that ships with the package."""
    return ComparisonJudge.read(WEIGHTS)


def _millionths(shares: Sequence[float]) -> dict[Relation, float]:
    """Return each relation's share, rounded to millionths so that they add up to exactly 1 (largest remainder)."""
    scaled = [share * 1_000_000 for share in shares]
    whole = [int(value) for value in scaled]
    order = sorted(range(len(scaled)), key=lambda i: (whole[i] - scaled[i], i))
    for i in order[: 1_000_000 - sum(whole)]:
        whole[i] += 1
    return {name: value / 1_000_000 for name, value in zip(RELATIONS, whole, strict=True)}


def scale(numbers: Floats, centre: Floats, spread: Floats) -> Floats:
    """Return numbers as standard deviations from the centre, clipped at FURTHEST."""
    return np.clip((numbers - centre) / spread, -FURTHEST, FURTHEST)

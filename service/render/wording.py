"""How the numbers of a verdict are told to people: the same words in the table, on the page and in the report."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from unspun.model.decision.decision import SCORE_PARAPHRASED, SCORE_SUSPECT
from unspun.model.verdict import Verdict

LINES = f"{SCORE_SUSPECT:.0%} is the line of suspect, {SCORE_PARAPHRASED:.0%} that of paraphrased".replace("%", " %")
SCALE = f"a scale, not a probability: {LINES}"
"""What a score is, to be said once where scores are shown."""
NO_SOURCE = (
    "Text that a language model wrote from nothing often gets “rewritten”; “rewritten” does not prove that a source "
    "exists."
)
"""What the kind `rewritten` does not say, to be told where the kinds are explained."""
COMMON = 0.2
"""A rate from which it is told in tenths."""
NEARLY_ALL = 0.95
RAREST = 1e-6
"""The least that is told of any rate."""
FIGURES = 2


def supported_by(scorer: Any) -> float:
    """Return the smallest false-positive rate that a model's calibration supports; 0 where it does not say."""
    return float(getattr(getattr(scorer, "decision", None), "supported", 0.0))


def human_texts(rate: float, supported: float = 0.0) -> str:
    """Return a false-positive rate as how many human texts: "about 1 in 480", or "fewer than 1 in 500" at the least
    that is `supported`.
    """
    least = max(float(f"{supported:.3g}"), RAREST)  # as verdicts round it
    if rate <= least:
        return f"fewer than 1 in {_figures(1.0 / least, math.floor):,}"
    if rate >= NEARLY_ALL:
        return "nearly all"
    if rate >= COMMON:
        return f"about {rate * 10:.0f} in 10"
    return f"about 1 in {_figures(1.0 / rate, round):,}"


def looks_like_this(verdict: Verdict, supported: float = 0.0) -> str | None:
    """Return the false-positive rate as a sentence without its full stop; None where no verdict is given."""
    if verdict.false_positive_rate is None:
        return None
    told = human_texts(verdict.false_positive_rate, supported)
    verb = "looks" if told.startswith("about 1 ") else "look"
    return f"{told} human texts of this length {verb} like this"


def share_of_words(verdict: Verdict) -> str | None:
    """Return the share of a text that is suspicious: "93 % of the words"; None where nothing is."""
    return f"{percent(verdict.share)} of the words" if verdict.share else None


def percent(part: float) -> str:
    """Return a part in whole percent, never as all or nothing where it is neither."""
    whole = round(100 * part)
    if whole >= 100 and part < 1.0:
        return "> 99 %"
    if whole <= 0 and part > 0.0:
        return "< 1 %"
    return f"{whole} %"


def _figures(number: float, to_whole: Callable[[float], int]) -> int:
    """Return a number with so many figures."""
    unit = 10 ** max(0, int(math.log10(number)) + 1 - FIGURES)
    return int(to_whole(number / unit) * unit)

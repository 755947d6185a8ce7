"""What the signals saw in a suspicious text as a whole, in sentences that a person understands.

The classifier combines hundreds of measures; a few of them can be put into words. Of those, the ones are shown that
distinguish the text best from human text: their values are rare in human text, and usual in text of the verdict's kind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unspun.model.decision.decision import Floats
from unspun.model.verdict import KINDS, Observation

MOST = 4
"""Most observations about one text."""
RAREST_SHARE = 0.8
"""Share of human texts beyond which a value is unusual enough to be shown."""
FEWEST = 2
"""Occurrences of a word, an ending or a mark that make it frequent."""
LEAST_WEIGHT = 0.3
"""Weight in nats from which an observation is shown."""


class Comparative(NamedTuple):
    """How a high and a low value of a measure are put into words, before "than in 97 % of human texts".

    Of the measures with the same `topic`, only the strongest is shown.
    """

    more: str
    less: str
    topic: str


def _rate(what: str, topic: str = "", verb: str = "are") -> Comparative:
    return Comparative(f"{what} {verb} more frequent", f"{what} {verb} rarer", topic or what)


WORDS = (
    *("a", "the", "of", "that", "which", "this", "these", "such", "and", "but", "or", "also", "however", "therefore"),
    *("although", "because", "since", "while", "so", "then", "there", "it", "very", "just", "even", "still", "only"),
    *("more", "most"),
)
"""Function words that are put into words: articles and connectives. Rates of pronouns and verbs follow the topic."""

MEASURES: dict[str, Comparative] = {
    "frequency.mean": Comparative("The words are commoner", "The words are more unusual", "words"),
    "frequency.function_words": _rate("Function words, such as “the” and “of”,"),
    "collocations.fit_mean": Comparative(
        "The words are easier to predict from those before them",
        "The words are harder to predict from those before them",
        "fit",
    ),
    "collocations.association_mean": Comparative(
        "Neighbouring words go together better", "Neighbouring words go together less well", "fit"
    ),
    "collocations.content_unknown_pairs": _rate("Pairs of words that people hardly ever write", "fit"),
    "substitutions.gain_above_3": _rate("Words in whose place another word would fit far better", "odd"),
    "misfit.above_2": _rate("Words that seem to have been swapped", "odd"),
    "translationese.sentence_length": Comparative(
        "The sentences are longer", "The sentences are shorter", "sentence length"
    ),
    "translationese.sentence_length_deviation": Comparative(
        "The sentences differ more in length", "The sentences are more even in length", "evenness"
    ),
    "translationese.repeated_content": Comparative(
        "The same words are repeated more", "The same words are repeated less", "repetition"
    ),
    "translationese.word_length": Comparative("The words are longer", "The words are shorter", "word length"),
    "translationese.long_words": _rate("Words of nine or more letters", "word length"),
    "translationese.capitals": _rate("Names and other capitalised words"),
    **{f"translationese.word_{word}": _rate(f"The word “{word}”", verb="is") for word in WORDS},
    "translationese.mark_,": _rate("Commas"),
    "translationese.mark_;": _rate("Semicolons"),
    "translationese.mark_:": _rate("Colons"),
    "translationese.mark_-": _rate("Hyphens and short dashes", "dashes"),
    "translationese.mark_—": _rate("Dashes", "dashes"),
    "translationese.mark_(": _rate("Parentheses"),
    'translationese.mark_"': _rate("Quotation marks"),
    "translationese.mark_!": _rate("Exclamation marks"),
    "translationese.mark_?": _rate("Question marks"),
    "translationese.ending_ly": _rate("Words that end in “-ly”"),
    "translationese.ending_ing": _rate("Words that end in “-ing”"),
    "translationese.ending_ed": _rate("Words that end in “-ed”"),
    "translationese.ending_tion": _rate("Words that end in “-tion”"),
    "translationese.ending_ment": _rate("Words that end in “-ment”"),
    "translationese.ending_ity": _rate("Words that end in “-ity”"),
    "translationese.ending_ive": _rate("Words that end in “-ive”"),
    "translationese.ending_n't": _rate("Contractions such as “don’t”"),
    "translationese.ending_'s": _rate("Words that end in “’s”"),
}
"""The document features that can be put into words."""


SQUARE_ROOTS = tuple(f"translationese.{part}_" for part in ("word", "mark", "ending"))
"""Measures that are the square root of a rate."""


@dataclass(frozen=True, eq=False)
class Usual:
    """Which values of M measures are usual in human text and in text of each kind.

    Attributes:
        names: the measures, as document features.
        columns: (M,) their columns among the document features.
        levels: (M, Q) values of each measure in human text at the `shares`.
        shares: (Q,) shares of human texts, rising.
        centre, spread: (1 + 3, M) mean and standard deviation in human text and in text of each kind.
        length: the column of the log of a text's words.
    """

    names: tuple[str, ...]
    columns: NDArray[np.int64]
    levels: Floats
    shares: Floats
    centre: Floats
    spread: Floats
    length: int

    @classmethod
    def from_manifest(cls, entry: Mapping[str, Any], features: Sequence[str]) -> Usual:
        """Read the entry `observations` of a bundle's manifest. Raises ValueError or LookupError if it is invalid."""
        measures: Mapping[str, Any] = entry["measures"]
        names = tuple(name for name in measures if name in MEASURES)
        arrays = {
            key: np.array([measures[name][key] for name in names], dtype=np.float64)
            for key in ("levels", "centre", "spread")
        }
        shares = np.asarray(entry["shares"], dtype=np.float64)
        kinds = (len(names), 1 + len(KINDS))
        if arrays["levels"].shape != (len(names), len(shares)) or arrays["centre"].shape != kinds:
            raise ValueError("the arrays of the observations differ in length")
        if arrays["spread"].shape != kinds or not (arrays["spread"] > 0).all():
            raise ValueError("the spreads of the observations must be positive")
        columns = np.array([features.index(name) for name in names], dtype=np.int64)
        return cls(
            names, columns, arrays["levels"], shares, arrays["centre"].T, arrays["spread"].T, features.index("length")
        )

    def to_manifest(self) -> dict[str, Any]:
        """Return the entry as plain JSON types."""
        return {
            "shares": self.shares.tolist(),
            "measures": {
                name: {
                    "levels": np.round(self.levels[m], 5).tolist(),
                    "centre": np.round(self.centre[:, m], 5).tolist(),
                    "spread": np.round(self.spread[:, m], 5).tolist(),
                }
                for m, name in enumerate(self.names)
            },
        }

    def observe(self, features: Floats, kind: int, used: NDArray[np.integer]) -> tuple[Observation, ...]:
        """Return at most MOST observations about a text, the strongest first.

        Args:
            features: (F,) the text's features.
            kind: the position of the verdict's kind in KINDS.
            used: the features that the classifier of this kind uses.
        """
        values = features[self.columns]
        human, machine = (
            -0.5 * ((values - self.centre[row]) / self.spread[row]) ** 2 - np.log(self.spread[row])
            for row in (0, 1 + kind)
        )
        weights = machine - human
        weights[~np.isin(self.columns, used)] = -np.inf
        upwards = self.centre[1 + kind] > self.centre[0]
        found: list[Observation] = []
        topics: set[str] = set()
        for m in np.argsort(-weights, kind="stable").tolist():
            if weights[m] < LEAST_WEIGHT or len(found) == MOST:
                break
            words = MEASURES[self.names[m]]
            # The shares of human texts with lower and with higher values; many have the same value, such as none.
            below = float(np.interp(values[m], *_steps(self.levels[m], self.shares, "left")))
            above = 1.0 - float(np.interp(values[m], *_steps(self.levels[m], self.shares, "right")))
            share = below if upwards[m] else above
            if share < RAREST_SHARE or words.topic in topics:
                continue
            if (
                upwards[m]
                and self.names[m].startswith(SQUARE_ROOTS)
                and values[m] ** 2 * np.expm1(features[self.length]) < FEWEST
            ):
                continue
            topics.add(words.topic)
            signal, _, measure = self.names[m].partition(".")
            said = words.more if upwards[m] else words.less
            text = f"{said} than in {min(100 * share, 99):.0f} % of human texts."
            found.append(Observation(signal, measure, round(below, 3), text))
        return tuple(found)


def _steps(levels: Floats, shares: Floats, side: str) -> tuple[Floats, Floats]:
    """Return the levels without repetitions, each with its smallest (left) or largest (right) share."""
    rows = np.flatnonzero(np.diff(levels, prepend=-np.inf) > 0)
    if side == "right":
        rows = np.append(rows[1:] - 1, len(levels) - 1)
    return levels[rows], shares[rows]


def read_usual(manifest: Mapping[str, Any]) -> Usual | None:
    """Return what is usual by a bundle's manifest; None if it has no observations.

    Raises ValueError or LookupError if the manifest is invalid.
    """
    entry = manifest.get("observations")
    return None if entry is None else Usual.from_manifest(entry, manifest["features"])

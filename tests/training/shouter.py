"""A machine that needs no thesaurus."""

from __future__ import annotations

import numpy as np

from unspun.training.machines.base import Machine, Paraphrase, Substitution


class Shouter(Machine):
    """Writes a share of the words, drawn at random, in capitals."""

    kind = "spun"

    def __init__(self, name: str, rate: float = 0.25) -> None:
        self.name = name
        self.rate = rate

    def paraphrase(self, text: str, rng: np.random.Generator) -> Paraphrase:
        words = text.split(" ")
        drawn = rng.random(len(words)) < self.rate
        starts = np.cumsum([0, *(len(word) + 1 for word in words)])
        substitutions = tuple(
            Substitution(int(start), int(start) + len(word), word)
            for word, start, chosen in zip(words, starts, drawn, strict=False)
            if chosen
        )
        shouted = [word.upper() if chosen else word for word, chosen in zip(words, drawn, strict=True)]
        return Paraphrase(" ".join(shouted), substitutions)

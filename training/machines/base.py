"""The interface of all machines: a text and a random generator in, a paraphrase out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Substitution:
    """A replaced passage: characters [start, end) of the paraphrase replaced `original`."""

    start: int
    end: int
    original: str


@dataclass(frozen=True, slots=True)
class Paraphrase:
    """A paraphrased text.

    `substitutions` are in order and do not overlap. A machine that does not report them leaves them empty.
    """

    text: str
    substitutions: tuple[Substitution, ...] = ()


class Machine(ABC):
    """Something that rewrites text.

    `name` identifies it in labelled data. `kind` is the label of what it makes from human text: one of `KINDS`, or
    "human" for a light edit. The same text and generator state give the same paraphrase.
    """

    name: str
    kind: str
    batch = 1
    """Texts to pass to `paraphrase_many` at a time."""

    @abstractmethod
    def paraphrase(self, text: str, rng: np.random.Generator) -> Paraphrase:
        """Paraphrase a text; all randomness comes from `rng`."""

    def paraphrase_many(self, texts: Sequence[str], rng: np.random.Generator) -> list[Paraphrase]:
        """Paraphrase several texts, in order. Machines that are faster in batches override this."""
        return [self.paraphrase(text, rng) for text in texts]

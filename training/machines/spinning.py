"""Training text with known truth: human documents put through our own paraphrasers, word by word labelled."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from unspun.model.text.document import Documents
from unspun.training.machines.spinners import Paraphraser, Substitution, paraphrasers

PARAPHRASERS = ("wordnet", "moby", "neighbours", "idioms", "relations", "mixed")
"""Our own paraphrasers, in the order in which they take turns."""
CHUNK = 200
"""Texts a job: large enough to pay for the paraphrasers' tables, small enough for an even load."""


@dataclass(frozen=True, slots=True)
class SpunText:
    """A text from our own paraphrasers, and where it was changed."""

    text: str
    paraphraser: str
    substitutions: tuple[Substitution, ...]


@cache
def _paraphrasers(lexicons: Path | None) -> dict[str, Paraphraser]:
    return paraphrasers(lexicons)


def spin(
    texts: Sequence[str], names: Sequence[str], *, seed: int, lexicons: Path | None, jobs: int = 2
) -> list[SpunText]:
    """Put each text through one of the named paraphrasers, in turn; the same seed gives the same texts.

    What becomes of a text depends on itself, its place and the seed alone, not on the number of `jobs`.
    """
    starts = range(0, len(texts), CHUNK)
    work = (delayed(_spin_chunk)(texts[start : start + CHUNK], tuple(names), start, seed, lexicons) for start in starts)
    return [spun for chunk in Parallel(n_jobs=jobs)(work) for spun in chunk]


def _spin_chunk(
    texts: Sequence[str], names: tuple[str, ...], start: int, seed: int, lexicons: Path | None
) -> list[SpunText]:
    tools = _paraphrasers(lexicons)
    answer = []
    for place, text in enumerate(texts, start):
        digest = hashlib.sha256(f"{seed}:{place}:".encode() + text.encode("utf-8", "replace")).digest()
        rng = np.random.default_rng(int.from_bytes(digest[:8], "little"))
        name = names[place % len(names)]
        paraphrase = tools[name].paraphrase(text, rng)
        answer.append(SpunText(paraphrase.text, name, paraphrase.substitutions))
    return answer


def token_labels(documents: Documents, substitutions: Sequence[Sequence[Substitution]]) -> NDArray[np.bool_]:
    """Return which tokens (T,) of a parsed batch stand in a replaced passage.

    `substitutions` holds one sequence a document, in order of place. The texts must need no repair: they are checked.
    """
    if any(documents.repairs):
        raise ValueError("token labels need texts that are already repaired (model.repair.repair)")
    labels = np.zeros(len(documents.token_hash), dtype=bool)
    for number, changes in enumerate(substitutions):
        first, last = documents.token_ptr[number], documents.token_ptr[number + 1]
        if not changes or first == last:
            continue
        origin = documents.document_start[number]
        starts = np.array([change.start for change in changes]) + origin
        ends = np.array([change.end for change in changes]) + origin
        at = np.searchsorted(starts, documents.token_start[first:last], side="right") - 1
        labels[first:last] = (at >= 0) & (documents.token_start[first:last] < ends[np.maximum(at, 0)])
    return labels

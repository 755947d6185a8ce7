"""Training text with known truth: human texts put through our own spinners, with the replaced words labelled."""

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
from unspun.training.machines.base import Machine, Substitution
from unspun.training.machines.spinners import SPINNERS, build_spinners

PARAPHRASERS = tuple(SPINNERS)
"""Names of our own spinners, in the order in which they take turns."""
CHUNK = 200
"""Texts per job: enough to be worth building the spinners, few enough to balance the load."""


@dataclass(frozen=True, slots=True)
class SpunText:
    """A text from one of our own spinners, and its substitutions."""

    text: str
    paraphraser: str
    substitutions: tuple[Substitution, ...]


@cache
def _paraphrasers(lexicons: Path | None) -> dict[str, Machine]:
    return {**build_spinners(lexicons)}


def spin(
    texts: Sequence[str],
    names: Sequence[str] = PARAPHRASERS,
    *,
    seed: int,
    lexicons: Path | None,
    jobs: int = 2,
    first: int = 0,
) -> list[SpunText]:
    """Put each text through one of the named spinners in turn, beginning with number `first`.

    A text's paraphrase depends on the text, its position and the seed, not on the number of jobs.
    """
    first %= len(names)
    turns = (*names[first:], *names[:first])
    starts = range(0, len(texts), CHUNK)
    work = (delayed(_spin_chunk)(texts[start : start + CHUNK], turns, start, seed, lexicons) for start in starts)
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
    """Return which tokens (T,) of a parsed batch are in a replaced passage.

    `substitutions` has one ordered sequence per document. Raises ValueError if a text needed a repair that moves
    characters, because offsets would then be wrong.
    """
    if any(set(repairs) - {"case"} for repairs in documents.repairs):
        raise ValueError("token labels need repaired texts: apply unspun.model.text.repair.repair first")
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

"""Labelled texts as document numbers, on which the classifier is fitted and measured. Holds no text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from scipy.sparse import csr_array, vstack

from unspun.model.signals.features import BATCH_DOCUMENTS, FeatureExtractor
from unspun.model.signals.style import BUCKETS
from unspun.training.corpora.corpus import LabelledText, assign_groups, domain_group, group_keys
from unspun.training.corpora.roles import default_roles
from unspun.training.rows import MadeTexts

_CHUNK = 8 * BATCH_DOCUMENTS


@dataclass(frozen=True, eq=False)
class LabelledMatrix(MadeTexts):
    """N labelled texts as document numbers.

    `features` (N, F) float32 has the columns `names`; `style` (N, model.signals.style.BUCKETS) is sparse; `ids` (N,).
    """

    names: tuple[str, ...]
    features: NDArray[np.float32]
    ids: NDArray[np.str_]
    style: csr_array


def measure(
    texts: Sequence[LabelledText],
    extractor: FeatureExtractor,
    *,
    jobs: int = 1,
    progress: bool = False,
    groups: NDArray[np.int32] | None = None,
) -> LabelledMatrix:
    """Measure labelled texts; `groups` (N,) says which belong together (default: `assign_groups`)."""
    belongs = assign_groups(texts) if groups is None else groups
    starts = range(0, len(texts), _CHUNK)
    work = (delayed(extractor.transform_with_style)([text.text for text in texts[s : s + _CHUNK]]) for s in starts)
    names = tuple(extractor.get_feature_names_out().tolist())
    results: Iterator[tuple[NDArray[np.float32], csr_array]] = Parallel(
        n_jobs=jobs, return_as="generator", max_nbytes="1M"
    )(work)
    parts = list(
        track(results, total=len(starts), description="measuring", console=Console(stderr=True), disable=not progress)
    )
    features = np.concatenate([np.zeros((0, len(names)), np.float32), *(numbers for numbers, _ in parts)])
    style = vstack([csr_array((0, BUCKETS), dtype=np.float32), *(sparse for _, sparse in parts)], format="csr")
    return LabelledMatrix(
        features=features,
        names=names,
        ids=np.array([text.id for text in texts], dtype=np.str_),
        labels=np.array([text.label for text in texts], dtype=np.str_),
        sources=np.array([text.source for text in texts], dtype=np.str_),
        tools=np.array([maker_name(text) for text in texts], dtype=np.str_),
        domains=np.array([domain_group(text) for text in texts], dtype=np.str_),
        groups=belongs,
        words=np.rint(np.expm1(features[:, names.index("length")])).astype(np.int32),
        changed=np.array([text.changed_frac for text in texts], dtype=np.float32),  # None becomes NaN
        style=csr_array(style),
    )


def maker_name(text: LabelledText) -> str:
    """Return the maker of a text, or its label if no machine made it."""
    return default_roles().maker(text) or text.label


def group_share(texts: Sequence[LabelledText], groups: NDArray[np.int32], *, salt: int) -> NDArray[np.float64]:
    """Return a pseudo-random number in [0, 1) for each text (N,), the same within a group; `salt` varies it."""
    mixed = group_keys(texts, groups) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(salt * 0xD1B54A32D192ED03 % 2**64)
    mixed ^= mixed >> np.uint64(31)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(29)
    return mixed.astype(np.float64) / 2.0**64


_SENTENCE_END = re.compile(r"(?<=[.!?])[\"”’)]*\s+")


def crop(text: str, rng: np.random.Generator, *, shortest: int = 60, longest: int | None = None) -> str:
    """Return a run of whole sentences of random length, `shortest` to `longest` words, or the text if it is short."""
    ends = [match.end() for match in _SENTENCE_END.finditer(text)] + [len(text)]
    starts = [0, *ends[:-1]]
    words = np.array([len(text[a:b].split()) for a, b in zip(starts, ends, strict=True)])
    total = int(words.sum())
    if total <= shortest * 1.3:
        return text
    goal = int(np.exp(rng.uniform(np.log(shortest), np.log(min(total, longest or total)))))
    first = int(rng.integers(len(words)))
    while first and words[first:].sum() < goal:
        first -= 1
    last = first
    while last + 1 < len(words) and words[first : last + 1].sum() < goal:
        last += 1
    return text[starts[first] : ends[last]].strip()

"""What the tiers say about labelled texts, before it is decided upon. Holds no text.

The evidence of every window and section is kept, so that long texts can be made by joining, and other ways of pooling
tried, without reading anything again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from unspun.model.detector import Detector
from unspun.model.tiers.deep import pool
from unspun.training.corpora.corpus import LabelledText, domain_group
from unspun.training.corpora.roles import default_roles

CHUNK = 48


@dataclass(frozen=True, eq=False)
class Answers:
    """N labelled texts.

    `windows` (M, 3) is the deep tier's evidence in each window, those of text n are window_ptr[n]:window_ptr[n + 1];
    `sections` (S, 3) the fast tier's in each section, by `section_ptr`, and `features` (S, F) what it read. `words`,
    `unfamiliar` and `reasons` (N,): words of prose, unfamiliarity, and why no verdict is given, or "". `labels`,
    `sources`, `makers`, `groups` and `domains` (N,) say what a text is, and `changed` (N,) is the share of its words
    that were replaced, NaN where it is not known.
    """

    windows: NDArray[np.float32]
    window_ptr: NDArray[np.int64]
    sections: NDArray[np.float32]
    section_ptr: NDArray[np.int64]
    features: NDArray[np.float32]
    words: NDArray[np.int64]
    unfamiliar: NDArray[np.float64]
    reasons: NDArray[np.str_]
    labels: NDArray[np.str_]
    sources: NDArray[np.str_]
    makers: NDArray[np.str_]
    groups: NDArray[np.str_]
    domains: NDArray[np.str_]
    changed: NDArray[np.float32]
    ids: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.words)

    def fast(self) -> NDArray[np.float64]:
        """Return the fast tier's evidence by text (N, 3)."""
        return pool(self.sections, _owner(self.section_ptr), len(self))

    def deep(self) -> NDArray[np.float64]:
        """Return the deep tier's evidence by text (N, 3)."""
        return pool(self.windows, _owner(self.window_ptr), len(self))

    def take(self, rows: NDArray[np.bool_] | NDArray[np.integer]) -> Answers:
        """Return the rows that a mask or places select."""
        places = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        return self.joined([[place] for place in places.tolist()])

    def joined(self, parts: Sequence[Sequence[int]]) -> Answers:
        """Return one text for each run of places: those texts one after the other, described as the first is."""
        first = np.array([run[0] for run in parts], dtype=np.int64)
        flat = np.array([place for run in parts for place in run], dtype=np.int64)
        owner = np.repeat(np.arange(len(parts)), [len(run) for run in parts])
        windows, window_ptr = _gathered(self.windows, self.window_ptr, flat, owner, len(parts))
        sections, section_ptr = _gathered(self.sections, self.section_ptr, flat, owner, len(parts))
        features, _ = _gathered(self.features, self.section_ptr, flat, owner, len(parts))
        words = np.bincount(owner, weights=self.words[flat], minlength=len(parts))
        unfamiliar = np.bincount(owner, weights=self.words[flat] * self.unfamiliar[flat], minlength=len(parts))
        described = {
            name: getattr(self, name)[first]
            for name in ("reasons", "labels", "sources", "makers", "groups", "domains", "changed", "ids")
        }
        return Answers(
            windows,
            window_ptr,
            sections,
            section_ptr,
            features,
            words.astype(np.int64),
            unfamiliar / np.maximum(words, 1),
            **described,
        )

    def save(self, file: Path) -> None:
        """Write the answers as .npz."""
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(file, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, file: Path) -> Answers:
        """Read answers that `save` wrote."""
        with np.load(file, allow_pickle=False) as arrays:
            return cls(**{name: arrays[name] for name in arrays.files})


def _owner(ptr: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.repeat(np.arange(len(ptr) - 1), np.diff(ptr))


def _gathered(
    values: NDArray[np.float32],
    ptr: NDArray[np.int64],
    flat: NDArray[np.int64],
    owner: NDArray[np.int64],
    size: int,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the rows of the given texts in that order, and where those of each owner begin."""
    counts = np.diff(ptr)[flat]
    rows = np.concatenate([np.zeros(0, np.int64), *(np.arange(ptr[i], ptr[i + 1]) for i in flat.tolist())])
    total = np.bincount(owner, weights=counts, minlength=size).astype(np.int64)
    return values[rows], np.concatenate([[0], np.cumsum(total)])


def answer(detector: Detector, texts: Sequence[LabelledText], *, depth: str = "deep", jobs: int = 1) -> Answers:
    """Let both tiers read texts."""
    chunks = [texts[start : start + CHUNK] for start in range(0, len(texts), CHUNK)]
    found = Parallel(n_jobs=jobs)(delayed(_answer)(detector, chunk, depth) for chunk in chunks)
    return join(found)


def join(parts: Iterable[Answers]) -> Answers:
    """Return all rows of several answers."""
    some = list(parts)
    joined = {}
    for field in fields(Answers):
        values = [getattr(part, field.name) for part in some]
        if field.name.endswith("_ptr"):
            shift = np.cumsum([0, *(int(ptr[-1]) for ptr in values)])
            values = [ptr[0 if i == 0 else 1 :] + shift[i] for i, ptr in enumerate(values)]
        joined[field.name] = np.concatenate(values)
    return Answers(**joined)


def _answer(detector: Detector, texts: Sequence[LabelledText], depth: str) -> Answers:
    roles = default_roles()
    found = detector.measure([text.text for text in texts], depth=depth)
    size = len(texts)
    windows, owner = np.zeros((0, 3), np.float32), np.zeros(0, np.int64)
    if found.reading is not None:
        windows, owner = found.reading.windows, found.reading.window_document
    return Answers(
        windows=windows.astype(np.float32),
        window_ptr=np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=size))]),
        sections=found.by_section.astype(np.float32),
        section_ptr=np.concatenate([[0], np.cumsum(np.bincount(found.owner, minlength=size))]),
        features=found.measured.documents,
        words=found.words,
        unfamiliar=found.unfamiliar,
        reasons=np.array([reason or "" for reason in found.why], dtype=np.str_),
        labels=np.array([text.label for text in texts], dtype=np.str_),
        sources=np.array([text.source for text in texts], dtype=np.str_),
        makers=np.array([roles.maker(text) or text.label for text in texts], dtype=np.str_),
        groups=np.array([text.group or "" for text in texts], dtype=np.str_),
        domains=np.array([domain_group(text) for text in texts], dtype=np.str_),
        changed=np.array([np.nan if text.changed_frac is None else text.changed_frac for text in texts], np.float32),
        ids=np.array([text.id for text in texts], dtype=np.str_),
    )

"""The numbers of the texts that a model was calibrated on: what a house's own texts are fitted beside. Holds no text.

A bundle carries them, so that `unspun train` can start from it without the corpora. A document number is kept as one of
LEVELS: more precision is nothing that a classifier of 64 bins, or a scaled sum, would see.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unspun.training.calibration.answers import Answers
from unspun.training.classifier.classify import LABELS

LEVELS = 64
ARRAY = "reference"
"""What the names of the arrays in a bundle begin with."""
LIMIT = 60
"""Texts of each source and maker that a bundle carries the numbers of."""
_NAMED = ("labels", "tools", "sources", "domains")
_NUMBERED = ("groups", "words")


@dataclass(frozen=True, eq=False)
class Reference:
    """N labelled texts as numbers; the tiers that answered had learned nothing from them.

    `features` (N, F) float32 with columns `names`, of long texts the mean over the sections; `log_odds` (N, 3), the
    fast tier's evidence before any house's correction; `deep` (N, 3), the encoder's, without what of the fast tier's
    counts beside it, NaN where it was not asked. `labels`, `tools` (their makers), `sources`, `domains`, `groups`,
    `words`, `unfamiliar` and `changed`, shape (N,), say what each text is. `house` marks a house's own texts, which the
    correction was fitted on, and `keys` (N,) are their training.corpora.text_keys, 0 for the others.
    """

    names: tuple[str, ...]
    features: NDArray[np.float32]
    log_odds: NDArray[np.float64]
    deep: NDArray[np.float64]
    labels: NDArray[np.str_]
    tools: NDArray[np.str_]
    sources: NDArray[np.str_]
    domains: NDArray[np.str_]
    groups: NDArray[np.int32]
    words: NDArray[np.int32]
    unfamiliar: NDArray[np.float64]
    changed: NDArray[np.float32]
    house: NDArray[np.bool_]
    keys: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.integer]) -> Reference:
        """Return the rows that a mask or places select."""
        return Reference(names=self.names, **{name: getattr(self, name)[rows] for name in self._columns()})

    def joined(self, other: Reference) -> Reference:
        """Return these rows and then the other's, whose groups are numbered anew so that none is shared."""
        if other.names != self.names:
            raise ValueError("the two have other columns")
        moved = dataclasses.replace(other, groups=other.groups + np.int32(self.groups.max(initial=-1) + 1))
        columns = {name: np.concatenate([getattr(self, name), getattr(moved, name)]) for name in self._columns()}
        return Reference(names=self.names, **columns)

    def _columns(self) -> tuple[str, ...]:
        return tuple(field.name for field in dataclasses.fields(self) if field.name != "names")

    @classmethod
    def of_answers(
        cls, answers: Answers, names: tuple[str, ...], *, keys: NDArray[np.uint64] | None = None
    ) -> Reference:
        """Return what both tiers said about texts, whose document numbers have these names; with `keys` (N,), as a
        house's own.
        """
        sections = np.diff(answers.section_ptr)
        sums = np.add.reduceat(answers.features.astype(np.float64), answers.section_ptr[:-1], axis=0)
        count = len(answers)
        return cls(
            names=names,
            features=(sums / sections[:, None]).astype(np.float32),
            log_odds=answers.fast(),
            deep=answers.deep(),
            labels=answers.labels,
            tools=answers.makers,
            sources=answers.sources,
            domains=answers.domains,
            groups=_numbered(answers),
            words=answers.words.astype(np.int32),
            unfamiliar=answers.unfamiliar,
            changed=answers.changed,
            house=np.full(count, keys is not None),
            keys=np.zeros(count, np.uint64) if keys is None else keys,
        )

    def pack(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return the arrays that a bundle keeps, by name, and its manifest's entry."""
        levels, bins = _quantise(self.features)
        codes: list[NDArray[np.integer]] = []
        tables: dict[str, list[str]] = {}
        for name in _NAMED:
            found, places = np.unique(getattr(self, name), return_inverse=True)
            tables[name] = found.tolist()
            codes.append(places)
        arrays: dict[str, NDArray[Any]] = {
            "levels": levels,
            "bins": bins,
            "log_odds": self.log_odds.astype(np.float32),
            "deep": self.deep.astype(np.float32),
            "codes": np.stack([*codes, *(getattr(self, name) for name in _NUMBERED)]).astype(np.int32),
            "unfamiliar": self.unfamiliar.astype(np.float32),
            "changed": self.changed.astype(np.float16),
            "house": self.house,
            "keys": self.keys,
        }
        entry = {"texts": len(self), "features": list(self.names), **tables}
        return {f"{ARRAY}_{name}": values for name, values in arrays.items()}, entry

    @classmethod
    def unpack(cls, arrays: Mapping[str, NDArray[Any]], entry: Mapping[str, Any]) -> Reference:
        """Return what `pack` made arrays and a manifest's entry of. Raises KeyError, IndexError, ValueError where they
        do not fit.
        """
        found = {name.removeprefix(f"{ARRAY}_"): values for name, values in arrays.items()}
        codes = np.asarray(found["codes"])
        columns = np.arange(len(found["levels"]))[:, None]
        named: dict[str, Any] = {name: np.array(entry[name], dtype=np.str_)[codes[i]] for i, name in enumerate(_NAMED)}
        numbered: dict[str, Any] = {name: codes[len(_NAMED) + i] for i, name in enumerate(_NUMBERED)}
        return cls(
            names=tuple(entry["features"]),
            features=np.ascontiguousarray(found["levels"][columns, found["bins"]].T),
            log_odds=found["log_odds"].astype(np.float64),
            deep=found["deep"].astype(np.float64),
            unfamiliar=found["unfamiliar"].astype(np.float64),
            changed=found["changed"].astype(np.float32),
            house=np.asarray(found["house"]),
            keys=np.asarray(found["keys"]),
            **named,
            **numbered,
        )


def carried(answers: Answers, limit: int = LIMIT) -> NDArray[np.int64]:
    """Return the places of the texts that a bundle carries the numbers of: whole texts that get a verdict, at most
    `limit` of each source and maker, from the first to the last.
    """
    whole = (answers.reasons == "") & ~np.char.endswith(answers.ids, "#short") & np.isin(answers.labels, LABELS)
    if len(answers.windows):
        whole &= np.isfinite(answers.deep()).all(axis=1)
    cells = np.char.add(np.char.add(answers.sources, "|"), answers.makers)
    places: list[int] = []
    for cell in np.unique(cells[whole]):
        own = np.flatnonzero(whole & (cells == cell))
        count = min(limit, len(own))
        places += own[np.arange(count) * len(own) // count].tolist()
    return np.array(sorted(places), dtype=np.int64)


def _numbered(answers: Answers) -> NDArray[np.int32]:
    """Return the number of each text's group (N,); texts that state none have one each."""
    alone = np.char.add("|", np.arange(len(answers)).astype(str))
    names = np.where(answers.groups == "", alone, answers.groups)
    return np.unique(names, return_inverse=True)[1].astype(np.int32)


def _quantise(features: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return the levels (F, LEVELS) of each column, its quantiles, and for each number (F, N) the nearest level."""
    shares = (np.arange(LEVELS) + 0.5) / LEVELS
    levels = np.quantile(features, shares, axis=0, method="inverted_cdf").astype(np.float32)
    bins = np.empty(features.shape[::-1], dtype=np.uint8)
    for column, values in enumerate(features.T):
        middles = (levels[1:, column].astype(np.float64) + levels[:-1, column]) / 2
        bins[column] = np.searchsorted(middles, values, side="right")
    return np.ascontiguousarray(levels.T), bins

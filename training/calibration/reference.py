"""The reference texts of a model, as numbers: the texts that it was calibrated on. Holds no text.

Every bundle contains them, so that `unspun train` can retrain it without the corpora. A document number is stored as
one of LEVELS: a classifier with 64 bins, or a scaled sum, would not notice more precision.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unspun.training.calibration.evidence import LabelledEvidence
from unspun.training.classifier.classify import LABELS
from unspun.training.rows import MadeTexts, spread_evenly

LEVELS = 64
ARRAY = "reference"
"""The prefix of the arrays' names in a bundle."""
LIMIT = 60
"""Texts of each source and maker that a bundle keeps."""
_NAMED = ("labels", "tools", "sources", "domains")
_NUMBERED = ("groups", "words")
_LONGEST_NAME = 1000


@dataclass(frozen=True, eq=False)
class ReferenceTexts(MadeTexts):
    """N labelled texts as numbers; the tiers were not trained on them.

    `features` (N, F) float32 has the columns `names`, for long texts the mean over their sections. `log_odds` (N, 3) is
    the fast tier's evidence before any correction. `deep` (N, 3) is the encoder's evidence without the share of the
    fast tier's, NaN if it did not read the text. `unfamiliar` is (N,). `house` (N,) marks a house's own texts, which
    the correction was fitted on; `keys` (N,) are their `training.corpora.corpus.text_keys`, 0 for the others.
    """

    names: tuple[str, ...]
    features: NDArray[np.float32]
    log_odds: NDArray[np.float64]
    deep: NDArray[np.float64]
    unfamiliar: NDArray[np.float64]
    house: NDArray[np.bool_]
    keys: NDArray[np.uint64]

    def followed_by(self, other: ReferenceTexts) -> ReferenceTexts:
        """Return these rows and then the other's, with its groups renumbered so that the two share none."""
        moved = dataclasses.replace(other, groups=other.groups + np.int32(self.groups.max(initial=-1) + 1))
        return ReferenceTexts.concatenated([self, moved])

    @classmethod
    def of(
        cls, evidence: LabelledEvidence, names: tuple[str, ...], *, keys: NDArray[np.uint64] | None = None
    ) -> ReferenceTexts:
        """Build the rows from the evidence of both tiers; `names` are those of the document numbers.

        With `keys` (N,) the texts count as a house's own.
        """
        starts = evidence.features.starts
        sums = np.add.reduceat(evidence.features.values.astype(np.float64), starts[:-1], axis=0)
        count = len(evidence)
        return cls(
            names=names,
            features=(sums / np.diff(starts)[:, None]).astype(np.float32),
            log_odds=evidence.fast(),
            deep=evidence.deep(),
            labels=evidence.labels,
            tools=evidence.makers,
            sources=evidence.sources,
            domains=evidence.domains,
            groups=_numbered(evidence),
            words=evidence.words.astype(np.int32),
            unfamiliar=evidence.unfamiliar,
            changed=evidence.changed,
            house=np.full(count, keys is not None),
            keys=np.zeros(count, np.uint64) if keys is None else keys,
        )

    def pack(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return the arrays to store in a bundle, by name, and the entry for its manifest."""
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
    def unpack(cls, arrays: Mapping[str, NDArray[Any]], entry: Mapping[str, Any]) -> ReferenceTexts:
        """Rebuild the rows from what `pack` returned. Raises KeyError, IndexError or ValueError if the parts do not
        match.
        """
        found = {name.removeprefix(f"{ARRAY}_"): values for name, values in arrays.items()}
        codes = np.asarray(found["codes"])
        # numpy gives every name as much memory as the longest.
        if any(len(str(one)) > _LONGEST_NAME for name in _NAMED for one in entry[name]):
            raise ValueError(f"a name of more than {_LONGEST_NAME:,} characters")
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


def kept_texts(evidence: LabelledEvidence, limit: int = LIMIT) -> NDArray[np.int64]:
    """Return the row numbers of the texts that a bundle keeps: whole texts that get a verdict, at most `limit` of each
    source and maker, spread evenly from first to last.
    """
    whole = (evidence.reasons == "") & ~np.char.endswith(evidence.ids, "#short") & np.isin(evidence.labels, LABELS)
    if len(evidence.windows.values):
        whole &= np.isfinite(evidence.deep()).all(axis=1)
    cells = np.char.add(np.char.add(evidence.sources, "|"), evidence.makers)
    places: list[int] = []
    for cell in np.unique(cells[whole]):
        places += spread_evenly(np.flatnonzero(whole & (cells == cell)), limit).tolist()
    return np.array(sorted(places), dtype=np.int64)


def _numbered(evidence: LabelledEvidence) -> NDArray[np.int32]:
    """Return the number of each text's group (N,); texts without a group get one each."""
    alone = np.char.add("|", np.arange(len(evidence)).astype(str))
    names = np.where(evidence.groups == "", alone, evidence.groups)
    return np.unique(names, return_inverse=True)[1].astype(np.int32)


def _quantise(features: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return the levels of each column (F, LEVELS), which are its quantiles, and the nearest level of each number
    (F, N).
    """
    shares = (np.arange(LEVELS) + 0.5) / LEVELS
    levels = np.quantile(features, shares, axis=0, method="inverted_cdf").astype(np.float32)
    bins = np.empty(features.shape[::-1], dtype=np.uint8)
    for column, values in enumerate(features.T):
        middles = (levels[1:, column].astype(np.float64) + levels[:-1, column]) / 2
        bins[column] = np.searchsorted(middles, values, side="right")
    return np.ascontiguousarray(levels.T), bins

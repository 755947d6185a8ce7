"""What each depth of a model answers to labelled texts: the figures behind the public record. Holds no text."""

from __future__ import annotations

import dataclasses
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.verdict import KINDS

DEPTHS = ("fast", "auto", "deep")
"""The depths, in the order in which the record shows them."""

_PROBABILITIES = "probabilities"


@dataclass(frozen=True, eq=False)
class DepthAnswers:
    """N labelled texts and what the model says of each, arrays of shape (N,).

    `labels` are those of `training.corpora.LABELS`; `tools` are families, "" or "human" for human text; `words` counts
    judged words; `changed` is the share of words replaced, NaN where it is not known. `held_out` marks texts that no
    part of the model has learnt from. `unseen` marks texts that were scored by models trained without their tool, or
    source of human text; all others are scored by the model that ships.

    `probabilities` holds for each depth, some of DEPTHS, those of `model.verdict.KINDS`, shape (N, 4). `settled` says
    where `auto` left it at the fast tier's answer.
    """

    ids: NDArray[np.str_]
    labels: NDArray[np.str_]
    tools: NDArray[np.str_]
    sources: NDArray[np.str_]
    domains: NDArray[np.str_]
    groups: NDArray[np.int32]
    words: NDArray[np.integer]
    changed: NDArray[np.floating]
    held_out: NDArray[np.bool_]
    unseen: NDArray[np.bool_]
    probabilities: Mapping[str, NDArray[np.floating]]
    settled: NDArray[np.bool_]

    def __post_init__(self) -> None:
        size = len(self.ids)
        for name, values in self._columns().items():
            if values.shape != (size,):
                raise ValueError(f"{name} {values.shape} must be one for each of the {size} ids")
        if not self.probabilities:
            raise ValueError("no depth has answers")
        for depth, values in self.probabilities.items():
            if depth not in DEPTHS:
                raise ValueError(f"depth {depth!r} is none of {', '.join(DEPTHS)}")
            if values.shape != (size, len(KINDS)):
                raise ValueError(f"probabilities of depth {depth} are {values.shape}, not ({size}, {len(KINDS)})")

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def depths(self) -> tuple[str, ...]:
        """Return the depths that there are answers of, in the order of DEPTHS."""
        return tuple(depth for depth in DEPTHS if depth in self.probabilities)

    def scores(self, depth: str) -> NDArray[np.float64]:
        """Return the scores (N,), 1 - P(human). Raises KeyError where there are no answers of that depth."""
        # Six places are what a verdict is made of.
        return np.round(1.0 - np.asarray(self.probabilities[depth][:, 0], dtype=np.float64), 6)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.integer]) -> DepthAnswers:
        """Return the texts that a mask or places select."""
        probabilities = {depth: values[rows] for depth, values in self.probabilities.items()}
        return DepthAnswers(
            probabilities=probabilities, **{name: values[rows] for name, values in self._columns().items()}
        )

    def save(self, path: Path) -> None:
        """Write the answers as .npz."""
        depths = {f"{_PROBABILITIES}_{depth}": values for depth, values in self.probabilities.items()}
        np.savez_compressed(path, allow_pickle=False, **self._columns(), **depths)

    @classmethod
    def load(cls, path: Path) -> DepthAnswers:
        """Read answers that `save` wrote. Raises OSError, and ValueError where the file holds something else."""
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):
                raise ValueError(f"{path}: holds no answers (not an .npz file)")
            file.seek(0)
            try:
                with np.load(file, allow_pickle=False) as arrays:
                    values: dict[str, Any] = {name: arrays[name] for name in arrays.files}
                named = {depth: f"{_PROBABILITIES}_{depth}" for depth in DEPTHS}
                found = {depth: values.pop(name) for depth, name in named.items() if name in values}
                return cls(probabilities=found, **values)
            # A column too many or too few is a TypeError.
            except (ValueError, TypeError, zipfile.BadZipFile) as error:
                raise ValueError(f"{path}: holds no answers ({error})") from error

    def _columns(self) -> dict[str, Any]:
        """Return the arrays of one number or name a text."""
        names = (field.name for field in dataclasses.fields(self) if field.name != _PROBABILITIES)
        return {name: getattr(self, name) for name in names}

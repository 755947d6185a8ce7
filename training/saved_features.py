"""Document numbers of labelled texts, measured once and kept in a file from which later runs read them."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.features import FeatureExtractor
from training.corpora import LabelledText, text_keys
from training.matrix import LabelledMatrix, measure

OWN_PARAPHRASERS = "unspun:"
"""What the names of our own paraphrasers begin with; their texts are made for training and are in no file."""

_SAMPLE = 16
_ADVICE = "delete it, or name another file"


class FeaturesError(ValueError):
    """A file does not hold the features of these texts; the message says why and what to do, in one line."""


def measure_once(
    texts: Sequence[LabelledText],
    extractor: FeatureExtractor,
    file: Path | None = None,
    *,
    jobs: int = 1,
    progress: bool = False,
) -> LabelledMatrix:
    """Return the texts as document numbers, from `file` where it exists; where it does not, it is written.

    A file may hold rows of our own paraphrasers besides. Raises FeaturesError where it was made of other
    texts or by another model: a sample is measured again and compared. Raises OSError where it cannot be
    written.
    """
    if file is None:
        return measure(texts, extractor, jobs=jobs, progress=progress)
    if file.exists():
        return _checked(_load(file), texts, extractor, file)
    matrix = measure(texts, extractor, jobs=jobs, progress=progress)
    part = file.with_name(f"{file.stem}.part.npz")  # a run that ends early leaves no half a file of this name
    matrix.save(part)
    part.replace(file)
    return matrix


def _load(file: Path) -> LabelledMatrix:
    try:
        return LabelledMatrix.load(file)
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise FeaturesError(f"{file}: holds no features ({error}); {_ADVICE}") from error


def _checked(
    matrix: LabelledMatrix, texts: Sequence[LabelledText], extractor: FeatureExtractor, file: Path
) -> LabelledMatrix:
    """Return the matrix if it is of these texts and of this model."""
    places = np.flatnonzero(~np.char.startswith(matrix.tools, OWN_PARAPHRASERS))
    said = [(text.source, text.id, text.label) for text in texts]
    held = (column[places].tolist() for column in (matrix.sources, matrix.ids, matrix.labels))
    if list(zip(*held, strict=True)) != said:
        raise FeaturesError(f"{file}: holds the features of other texts; {_ADVICE}")
    if matrix.names != tuple(extractor.get_feature_names_out().tolist()):
        raise FeaturesError(f"{file}: holds the features of another model; {_ADVICE}")
    chosen = np.unique(np.linspace(0, len(texts), _SAMPLE, endpoint=False, dtype=np.int64)[: len(texts)])
    again = extractor.transform([texts[i].text for i in chosen.tolist()])
    if not np.allclose(again, matrix.features[places[chosen]], rtol=1e-3, atol=1e-4):
        raise FeaturesError(f"{file}: holds other features than this model's; {_ADVICE}")
    return matrix


def rows_learnt_from(
    matrix: LabelledMatrix, texts: Sequence[LabelledText], seen: NDArray[np.uint64]
) -> NDArray[np.bool_]:
    """Return which rows (N,) of a matrix of these texts a model learnt from, by its sorted text keys."""
    rows = np.zeros(len(matrix), dtype=np.bool_)
    rows[~np.char.startswith(matrix.tools, OWN_PARAPHRASERS)] = np.isin(
        text_keys([text.text for text in texts]), seen
    )
    return rows

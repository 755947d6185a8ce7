"""The classifier's matrix, measured once and kept in a file from which later runs read it."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.features import FeatureExtractor
from training.corpora import LabelledText, text_keys
from training.matrix import LabelledMatrix
from training.train import SHORTEST, Recipe, make_matrix, split, spun_for_matrix

OWN_PARAPHRASERS = "unspun:"
"""What the names of our own paraphrasers begin with; their texts are made for training and are in no file."""

_SAMPLE = 16
_ADVICE = "delete it, or name another file"


class FeaturesError(ValueError):
    """A file does not hold the features of these texts; the message says why and what to do, in one line."""


def measure_once(
    texts: Sequence[LabelledText],
    extractor: FeatureExtractor,
    recipe: Recipe,
    file: Path | None = None,
    *,
    progress: bool = False,
) -> LabelledMatrix:
    """Return the matrix that training would fit the classifier on, from `file` where that exists.

    As in training, human texts that the tables and the tagger learn from have no part in it, and texts of our
    own paraphrasers do. Where the file does not exist it is written. Raises FeaturesError where it was made
    of other texts or by another model, of which a sample is measured again and compared, and OSError where it
    cannot be written.
    """
    parts = split(texts)
    if file is not None and file.exists():
        chosen = [texts[i] for i in np.flatnonzero(parts.matrix).tolist()]
        chosen = [text for text in chosen if len(text.text.split()) >= SHORTEST]
        return _checked(_load(file), chosen, extractor, file)
    spun = spun_for_matrix(texts, parts, recipe)
    matrix = make_matrix(texts, parts, spun, extractor, recipe, progress)
    if file is not None:
        part = file.with_name(f"{file.stem}.part.npz")  # a run that ends early leaves no half a file
        matrix.save(part)
        part.replace(file)
    return matrix


def rows_learnt_from(
    matrix: LabelledMatrix, texts: Sequence[LabelledText], seen: NDArray[np.uint64]
) -> NDArray[np.bool_]:
    """Return which rows (N,) are of texts that a model learnt from, by the sorted keys of those texts.

    Rows are known by source and id, since the matrix may hold a passage of a text only.
    """
    known = np.isin(text_keys([text.text for text in texts]), seen)
    names = {(text.source, text.id) for text, learnt in zip(texts, known.tolist(), strict=True) if learnt}
    rows = zip(matrix.sources.tolist(), matrix.ids.tolist(), strict=True)
    return np.array([row in names for row in rows], dtype=np.bool_)


def _load(file: Path) -> LabelledMatrix:
    if not zipfile.is_zipfile(file):
        raise FeaturesError(f"{file}: holds no features (not an .npz file); {_ADVICE}")
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
    whole = np.array([i for i, text in enumerate(texts) if text.label != "human"], dtype=np.int64)
    sample = whole[:: max(1, len(whole) // _SAMPLE)]  # human texts may have been cut to a passage
    again = extractor.transform([texts[i].text for i in sample.tolist()])
    if not np.allclose(again, matrix.features[places[sample]], rtol=1e-3, atol=1e-4):
        raise FeaturesError(f"{file}: holds other features than this model's; {_ADVICE}")
    return matrix

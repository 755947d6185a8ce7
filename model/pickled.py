"""Reads the classifier of bundles before version 2.2.0: a pickle that joblib wrote, with objects of scikit-learn."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any

from joblib.numpy_pickle import NumpyUnpickler

from unspun.model.tiers.fast import FastClassifier

MOVED = {"model.fast": "unspun.model.tiers.fast", "model.house": "unspun.model.tiers.house"}
"""Modules that bundles of version 2.0.0 name in their pickle, and where their classes are now."""


class _Unpickler(NumpyUnpickler):  # type: ignore[misc]
    """Finds classes that have moved to another module since the bundle was written."""

    def find_class(self, module: str, name: str) -> Any:
        return super().find_class(MOVED.get(module, module), name)


def load_classifier(file: Path) -> FastClassifier:
    """Load a classifier that `joblib.dump` wrote. The caller has checked the file's hash."""
    data = io.BytesIO(zlib.decompress(file.read_bytes()))
    classifier = _Unpickler(str(file), data, ensure_native_byte_order=True).load()
    if not isinstance(classifier, FastClassifier):
        raise TypeError(f"{file.name} holds a {type(classifier).__name__} instead of a FastClassifier")
    return classifier

"""The fast tier's classifier as named arrays: a bundle stores them, and loading them runs no code of the bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unspun.model.tiers.fast import FastClassifier, Head, Unfamiliarity
from unspun.model.tiers.house import Correction
from unspun.model.tiers.trees import Trees
from unspun.model.verdict import KINDS

Arrays = Mapping[str, NDArray[Any]]


def arrays_of(classifier: FastClassifier) -> dict[str, NDArray[Any]]:
    """Return a classifier as arrays. Raises ValueError if a head's estimator is not made of trees."""
    parts: dict[str, Any] = {"unfamiliarity": classifier.unfamiliarity, "correction": classifier.correction}
    found: dict[str, NDArray[Any]] = {}
    for kind, head in zip(KINDS, classifier.heads, strict=True):
        trees = None if head.estimator is None else Trees.of(head.estimator)
        if trees is None and head.estimator is not None:
            raise ValueError(f"the classifier of {kind} is a {type(head.estimator).__name__}, which cannot be saved")
        parts[f"{kind}.trees"] = trees
        found |= {f"{kind}.columns": np.asarray(head.columns), f"{kind}.style_bias": np.asarray(head.style_bias)}
        if head.style_weights is not None:
            found[f"{kind}.style_weights"] = head.style_weights
    for name, part in parts.items():
        if part is not None:
            found |= {f"{name}.{one.name}": np.asarray(getattr(part, one.name)) for one in fields(part)}
    if classifier.quick is not None:
        found["quick"] = classifier.quick
    return dict(sorted(found.items()))


def classifier_of(arrays: Arrays) -> FastClassifier:
    """Return the classifier that `arrays_of` has taken apart. Raises KeyError if an array is missing."""
    heads = tuple(
        Head(
            arrays[f"{kind}.columns"],
            _part(Trees, f"{kind}.trees", arrays),
            arrays.get(f"{kind}.style_weights"),
            float(arrays[f"{kind}.style_bias"]),
        )
        for kind in KINDS
    )
    unfamiliarity = _part(Unfamiliarity, "unfamiliarity", arrays)
    if unfamiliarity is None:
        raise KeyError("unfamiliarity")
    return FastClassifier(heads, unfamiliarity, _part(Correction, "correction", arrays), arrays.get("quick"))


def _part(kind: Any, name: str, arrays: Arrays) -> Any:
    """Return a part made of the arrays with this name, None if there are none. A number is an array without axes."""
    if not any(key.startswith(f"{name}.") for key in arrays):
        return None
    values = {one.name: arrays[f"{name}.{one.name}"] for one in fields(kind)}
    return kind(**{key: value if value.ndim else value.item() for key, value in values.items()})

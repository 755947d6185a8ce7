"""Fits the heads of the fast tier on a labelled matrix."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from unspun.model.tiers.fast import Head, Unfamiliarity
from unspun.model.verdict import KINDS
from unspun.training.classifier.matrix import LabelledMatrix
from unspun.training.corpora.corpus import LabelledText
from unspun.training.rows import MadeTexts

BARELY_SPUN = 0.10
"""Share of changed words below which a text is barely spun; such texts have BARELY_WEIGHT of the usual weight."""
BARELY_WEIGHT = 0.1
SHORTEST = 30
"""Words of prose below which a text is left out."""
LABELS = ("human", *KINDS)
_WHOLE_TEXT = ("frequency", "collocations", "substitutions", "debris", "misfit", "translationese", "length")
HEAD_SIGNALS = {
    # Misfit carries over to unseen spinners; style would only learn the domains that the tools were run on.
    "spun": ("frequency", "collocations", "substitutions", "known_phrase", "debris", "misfit", "length"),
    "translated": _WHOLE_TEXT,
    "rewritten": _WHOLE_TEXT,
}

STYLED = ("translated", "rewritten")
"""Kinds whose heads read style as well."""

CELL_LIMIT = 3000
"""Texts of one tool in one source that train a head; more would teach nothing about other tools and sources."""


def is_barely_spun(text: LabelledText) -> bool:
    """Return whether hardly any words of a text are known to have been changed."""
    return text.changed_frac is not None and text.changed_frac < BARELY_SPUN


def usable(matrix: LabelledMatrix) -> NDArray[np.bool_]:
    """Return which rows may train a classifier: long enough, human or of one of the kinds.

    At most CELL_LIMIT texts of one tool in one source are taken, chosen by group, so that their order does not matter.
    """
    rows = (matrix.words >= SHORTEST) & np.isin(matrix.labels, LABELS)
    return capped(matrix, rows, CELL_LIMIT)


def capped(matrix: LabelledMatrix, rows: NDArray[np.bool_], limit: int) -> NDArray[np.bool_]:
    """Return the rows (N,) with at most `limit` texts of one tool in one source, chosen by group."""
    kept = rows.copy()
    cells = _cells(matrix)
    for cell in np.unique(cells[rows]):
        own = np.flatnonzero(rows & (cells == cell))
        order = np.argsort(matrix.groups[own] * np.int64(2654435761) % (1 << 32), kind="stable")
        kept[own[order[limit:]]] = False
    return kept


def _cells(matrix: MadeTexts) -> NDArray[np.str_]:
    return np.char.add(np.char.add(matrix.tools, "|"), matrix.sources)


def sample_weights(matrix: MadeTexts) -> NDArray[np.float64]:
    """Return weights (N,) under which each tool, and each source of human text, counts by the square root of its size.

    The weights of every label have the same sum.
    """
    return balanced(matrix.labels, _cells(matrix), matrix.changed)


def balanced(labels: NDArray[np.str_], cells: NDArray[np.str_], changed: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return weights (N,) under which each of the `cells` (N,) counts by the square root of its size, and every label
    the same. Texts of which hardly any words were `changed` (N,) count less.
    """
    _, inverse, counts = np.unique(cells, return_inverse=True, return_counts=True)
    weights = 1.0 / np.sqrt(counts[inverse])
    weights *= np.where(changed < BARELY_SPUN, BARELY_WEIGHT, 1.0)
    present = [label for label in LABELS if (labels == label).any()]
    for label in present:
        rows = labels == label
        weights[rows] *= len(labels) / len(present) / weights[rows].sum()
    return weights


def head_columns(names: tuple[str, ...], kind: str) -> NDArray[np.int64]:
    """Return the columns that a kind's head reads."""
    signals = HEAD_SIGNALS[kind]
    return np.array([i for i, name in enumerate(names) if name.split(".")[0] in signals], dtype=np.int64)


def make_boosted(seed: int) -> HistGradientBoostingClassifier:
    """Return an unfitted head.

    64 bins and small trees: as good on unseen tools as 255 bins and twice the trees, in a tenth of the time.
    """
    return HistGradientBoostingClassifier(
        learning_rate=0.1,
        max_iter=120,
        max_leaf_nodes=10,
        max_bins=64,
        min_samples_leaf=60,
        l2_regularization=5.0,
        max_features=0.3,
        early_stopping=False,
        random_state=seed,
    )


def fit_heads(matrix: LabelledMatrix, *, seed: int) -> tuple[Head, ...]:
    """Fit one head for each kind, against human text."""
    heads = []
    for kind in KINDS:
        part = matrix.take(np.isin(matrix.labels, ("human", kind)))
        columns = head_columns(matrix.names, kind)
        labels = part.labels == kind
        if not labels.any():
            heads.append(Head(columns, None))
            continue
        weights = sample_weights(part)
        boosted = make_boosted(seed)
        boosted.fit(part.features[:, columns], labels, sample_weight=weights)
        if kind in STYLED:
            style = LogisticRegression(C=3.0, max_iter=300).fit(part.style, labels, sample_weight=weights)
            heads.append(Head(columns, boosted, style.coef_[0].astype(np.float32), float(style.intercept_[0])))
        else:
            heads.append(Head(columns, boosted))
    return tuple(heads)


UNFAMILIAR = {
    "frequency.unknown": 1,
    "frequency.above_12": 1,
    "collocations.fit_mean": -1,
    "collocations.unknown_pairs": 1,
    "collocations.content_unknown_pairs": 1,
}
"""Document numbers that say how well the tables know a text, and the sign of the unfamiliar direction."""


def fit_unfamiliarity(matrix: LabelledMatrix) -> Unfamiliarity:
    """Measure what is usual in human text, with every source counted once."""
    columns = np.array([matrix.names.index(name) for name in UNFAMILIAR])
    human = matrix.take(matrix.labels == "human")
    values = human.features[:, columns].astype(np.float64)
    _, inverse, counts = np.unique(human.sources, return_inverse=True, return_counts=True)
    weights = 1.0 / counts[inverse]
    centre = np.average(values, axis=0, weights=weights)
    spread = np.sqrt(np.average((values - centre) ** 2, axis=0, weights=weights))
    sign = np.array(list(UNFAMILIAR.values()), dtype=np.float64)
    return Unfamiliarity(
        columns, centre.astype(np.float32), np.maximum(spread, 1e-6).astype(np.float32), sign.astype(np.float32)
    )

"""Fits the fast tier's classifier on a labelled matrix, and calibrates it on answers to unseen tools and sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from model.fast import MACHINE_KINDS, NEVER, Calibration, FastClassifier, Head, calibration_inputs
from model.verdict import KINDS, PRIOR
from training.matrix import LabelledMatrix

BARELY_SPUN = 0.10
"""Share of changed words below which a text is hardly spun; such texts count BARELY_WEIGHT as much."""
BARELY_WEIGHT = 0.1
SHORTEST = 30
"""Judged words below which a text teaches nothing."""
FOLDS = 8
SHARES = dict(zip(KINDS, PRIOR, strict=True))
"""Of what texts a score is the probability: the prior. With equal kinds the weaker heads drown the stronger one (mean
AUROC over unseen spinners 0.898 instead of 0.920, 0.725 instead of 0.702 for translation)."""
_WHOLE_TEXT = ("frequency", "collocations", "substitutions", "debris", "misfit", "translationese", "length")
HEAD_SIGNALS = {
    # What carries over to an unseen spinner is misfit; style would only learn the domains that tools were run on.
    "spun": ("frequency", "collocations", "substitutions", "known_phrase", "debris", "misfit", "length"),
    "translated": _WHOLE_TEXT,
    "rewritten": _WHOLE_TEXT,
}

STYLED = ("translated", "rewritten")
"""Kinds whose heads read style too. For `spun` it would learn the domains that tools were run on."""


CELL_LIMIT = 3000
"""Texts of one tool in one source that train a head: more of the same teach nothing about others."""


def usable(matrix: LabelledMatrix) -> NDArray[np.bool_]:
    """Return which rows may train a classifier: outside the test part, long enough, of one of the kinds.

    Of a tool in a source at most CELL_LIMIT texts are taken, chosen by group, so that it does not matter in which
    order they are read.
    """
    rows = ~matrix.held_out & (matrix.words >= SHORTEST) & np.isin(matrix.labels, KINDS)
    return capped(matrix, rows, CELL_LIMIT)


def capped(matrix: LabelledMatrix, rows: NDArray[np.bool_], limit: int) -> NDArray[np.bool_]:
    """Return the rows (N,) with at most `limit` of a tool in a source, chosen by group."""
    kept = rows.copy()
    cells = _cells(matrix)
    for cell in np.unique(cells[rows]):
        own = np.flatnonzero(rows & (cells == cell))
        order = np.argsort(matrix.groups[own] * np.int64(2654435761) % (1 << 32), kind="stable")
        kept[own[order[limit:]]] = False
    return kept


class Labelled(Protocol):
    """Rows of which it is known what they are: a LabelledMatrix, or a training.reference.Reference."""

    @property
    def labels(self) -> NDArray[np.str_]:
        """What each text is (N,)."""
        ...

    @property
    def tools(self) -> NDArray[np.str_]:
        """What made it (N,)."""
        ...

    @property
    def sources(self) -> NDArray[np.str_]:
        """Where it is from (N,)."""
        ...

    @property
    def changed(self) -> NDArray[np.float32]:
        """Share of words replaced (N,), NaN where it is not known."""
        ...

    def __len__(self) -> int: ...


def _cells(matrix: Labelled) -> NDArray[np.str_]:
    """Return tool and source of each row as one name."""
    return np.char.add(np.char.add(matrix.tools, "|"), matrix.sources)


def sample_weights(matrix: Labelled, shares: Mapping[str, float] | None = None) -> NDArray[np.float64]:
    """Return weights (N,) under which tools of one kind, and sources of human text, count by the root of their size.

    The weights of each label sum to its share among the labels that there are; by default to the same.
    """
    _, inverse, counts = np.unique(_cells(matrix), return_inverse=True, return_counts=True)
    weights = 1.0 / np.sqrt(counts[inverse])
    weights *= np.where(matrix.changed < BARELY_SPUN, BARELY_WEIGHT, 1.0)
    present = [label for label in KINDS if (matrix.labels == label).any()]
    for label in present:
        rows = matrix.labels == label
        share = shares[label] / sum(shares[other] for other in present) if shares else 1.0 / len(present)
        weights[rows] *= len(matrix) * share / weights[rows].sum()
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


def fit_heads(matrix: LabelledMatrix, *, seed: int, kinds: tuple[str, ...] = MACHINE_KINDS) -> tuple[Head, ...]:
    """Fit one head a kind, each against human text."""
    heads = []
    for kind in kinds:
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


def out_of_fold(matrix: LabelledMatrix, *, seed: int, folds: int = FOLDS) -> NDArray[np.float64]:
    """Return log odds (N, 3) of each text by heads that saw neither its tool nor, for human text, its source."""
    answer = np.zeros((len(matrix), len(MACHINE_KINDS)))
    for test in disjoint_folds(matrix, seed=seed, folds=folds):
        train = ~test & ~np.isin(matrix.groups, np.unique(matrix.groups[test & (matrix.labels != "human")]))
        heads = fit_heads(matrix.take(train), seed=seed)
        answer[test] = np.stack([head.log_odds(matrix.features[test], matrix.style[test]) for head in heads], axis=1)
    return answer


def disjoint_folds(matrix: LabelledMatrix, *, seed: int, folds: int) -> Iterator[NDArray[np.bool_]]:
    """Yield test masks that part the rows by tool, and human text by source, evenly by number of texts."""
    cell = np.where(matrix.labels == "human", matrix.sources, matrix.tools)
    assigned = np.zeros(len(matrix), dtype=np.int64)
    rng = np.random.default_rng(seed)
    for label in np.unique(matrix.labels):
        rows = matrix.labels == label
        names, counts = np.unique(cell[rows], return_counts=True)
        if len(names) == 1:  # only one tool, or source: parted by group, for want of better
            assigned[rows] = np.unique(matrix.groups[rows], return_inverse=True)[1] % folds
            continue
        filled = rng.random(folds)  # breaks ties, so that the kinds' largest tools do not share a fold
        for name in names[np.argsort(-counts, kind="stable")]:
            fold = int(np.argmin(filled))
            filled[fold] += counts[names == name][0]
            assigned[rows & (cell == name)] = fold
    for fold in np.unique(assigned):
        yield assigned == fold


def fit_calibration(log_odds: NDArray[np.float64], matrix: LabelledMatrix, length: NDArray[np.floating]) -> Calibration:
    """Fit the multinomial logistic regression that turns the heads' log odds (N, 3) into probabilities."""
    inputs = calibration_inputs(log_odds, length)
    target = np.array([KINDS.index(label) for label in matrix.labels])
    regression = LogisticRegression(C=1.0, max_iter=2000)
    regression.fit(inputs, target, sample_weight=sample_weights(matrix, SHARES))
    weights = np.zeros((len(KINDS), inputs.shape[1]))
    bias = np.full(len(KINDS), NEVER)
    classes = regression.classes_
    if len(classes) == 2:  # scikit-learn keeps the second class's row only
        classes, bias[classes[0]] = classes[1:], 0.0
    weights[classes], bias[classes] = regression.coef_, regression.intercept_
    return Calibration(weights, bias)


def fit_classifier(matrix: LabelledMatrix, *, seed: int, calibration: Calibration | None = None) -> FastClassifier:
    """Fit heads and calibration on the usable rows of a matrix.

    With a `calibration` of an earlier fit the heads alone are fitted, which is several times as fast.
    """
    part = matrix.take(usable(matrix))
    length_column = matrix.names.index("length")
    if calibration is None:
        calibration = fit_calibration(out_of_fold(part, seed=seed), part, part.features[:, length_column])
    return FastClassifier(fit_heads(part, seed=seed), calibration, length_column)

"""How far the text of our own paraphrasers is from that of real spinners: how well a classifier tells them apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold, cross_val_predict

from training import metrics
from training.classify import BARELY_SPUN, head_columns, make_boosted
from training.matrix import LabelledMatrix

OWN = "unspun:"
FEWEST = 30
_FOLDS = 3


def paraphraser_distance(matrix: LabelledMatrix, *, seed: int) -> list[dict[str, Any]]:
    """Return for each of our own paraphrasers, and for all, the AUROC with which trees tell its texts from those of
    real spinners, by the numbers that the spun head reads: 0.5 would be a perfect likeness.

    Cross-validated by group. Texts of all domains stand on one side and mostly reviews on the other, so that part of
    the distance is the domain's.
    """
    spun = (matrix.labels == "spun") & ~(matrix.changed < BARELY_SPUN)
    own = spun & np.char.startswith(matrix.tools, OWN)
    real = spun & ~own
    rows = []
    for name in ("all", *np.unique(matrix.tools[own]).tolist()):
        chosen = own if name == "all" else own & (matrix.tools == name)
        if min(chosen.sum(), real.sum()) >= FEWEST:
            value = _separation(matrix, chosen, real, seed)
            rows.append({"paraphraser": name, "texts": int(chosen.sum()), "auroc": round(value, 4)})
    return rows


def _separation(matrix: LabelledMatrix, own: NDArray[np.bool_], real: NDArray[np.bool_], seed: int) -> float:
    rows = np.flatnonzero(own | real)
    columns = head_columns(matrix.names, "spun")
    truth = own[rows]
    answers = cross_val_predict(
        make_boosted(seed),
        matrix.features[rows][:, columns],
        truth,
        groups=matrix.groups[rows],
        cv=GroupKFold(_FOLDS),
        method="decision_function",
    )
    return metrics.auroc(truth, answers)

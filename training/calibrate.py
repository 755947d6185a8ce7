"""Fits the classifier, sets the thresholds and takes the model's measure, on answers to tools and sources never seen.

Thresholds come from human text scored by heads that saw nothing of its source, in bands of length. In each band
they keep
both the overall rate and the worst source's below what is promised.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.fast import MACHINE_KINDS, FastClassifier
from training import metrics
from training.classify import (
    BARELY_SPUN,
    fit_calibration,
    fit_heads,
    head_columns,
    make_boosted,
    out_of_fold,
    sample_weights,
    usable,
)
from training.matrix import LabelledMatrix

MINIMUM_WORDS = 50
"""The shortest text that is judged; below it the rate of false positives was not measured."""
BANDS = (50, 80, 150, 300)
"""Lengths in words at which the bands of thresholds begin."""
PARAPHRASED, SUSPECT = 0.005, 0.05
"""Promised shares of human text above the thresholds. The upper Wilson end of what was measured on unseen
human text stays below them: the fewer texts a band has, the further its threshold is on the safe side."""
WORST_PARAPHRASED, WORST_SUSPECT = 0.012, 0.12
"""Measured shares of the worst source, whose texts are too few for such an interval."""
LEAST_SOURCE = 50
"""Texts of a source in a band from which its own rate is looked at."""
STEP = 1e-6
"""The precision of a score."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted classifier with the manifest's entries for thresholds and accuracy, and the log odds (N, 3) of the rows
    that `training.classify.usable` takes, by heads that had not seen them.
    """

    classifier: FastClassifier
    thresholds: dict[str, Any]
    accuracy: dict[str, Any]
    log_odds: NDArray[np.float64]


def fit(matrix: LabelledMatrix, *, seed: int) -> Fitted:
    """Fit, calibrate and measure on a labelled matrix."""
    part = matrix.take(usable(matrix))
    length = matrix.names.index("length")
    log_odds = out_of_fold(part, seed=seed)
    calibration = fit_calibration(log_odds, part, part.features[:, length])
    unseen = 1.0 - calibration.probabilities(log_odds, part.features[:, length])[:, 0]
    thresholds = choose_thresholds(part, unseen)
    classifier = FastClassifier(fit_heads(part, seed=seed), calibration, length)
    test = matrix.take(matrix.held_out & (matrix.words >= MINIMUM_WORDS))
    scores = 1.0 - classifier.probabilities(test.features, test.style)[:, 0]
    unseen_tools = leave_one_tool_out(part, unseen)
    accuracy = {
        "unseen tools, mean": means(unseen_tools),
        "unseen tools": unseen_tools,
        "held-out texts of known tools": _kinds(test, scores),
        "signals": measure_signals(matrix, seed=seed),
        "false positives, held-out texts": false_positives(test, scores, thresholds),
        "false positives, unseen sources": false_positives(part, unseen, thresholds),
    }
    return Fitted(classifier, thresholds, accuracy, log_odds)


def choose_thresholds(matrix: LabelledMatrix, scores: NDArray[np.float64]) -> dict[str, Any]:
    """Return the manifest's `thresholds` from the scores (N,) of unseen text."""
    human = matrix.labels == "human"
    bands = []
    for low, high in zip(BANDS, (*BANDS[1:], np.inf), strict=True):
        rows = human & (matrix.words >= low) & (matrix.words < high)
        if not rows.any():
            rows = human
        chosen, sources = scores[rows], matrix.sources[rows]
        bands.append(
            {
                "words": low,
                "suspect": _threshold(chosen, sources, SUSPECT, WORST_SUSPECT),
                "paraphrased": _threshold(chosen, sources, PARAPHRASED, WORST_PARAPHRASED),
                "human_texts": int(rows.sum()),
            }
        )
    return {"minimum_words": MINIMUM_WORDS, "bands": bands}


def _threshold(scores: NDArray[np.float64], sources: NDArray[np.str_], overall: float, worst: float) -> float:
    """Return the least score that keeps the share at or above it in bounds, overall and in every large source."""
    limits = [_above(scores, _allowed(len(scores), overall))]
    for source in np.unique(sources):
        own = scores[sources == source]
        if len(own) >= LEAST_SOURCE:
            limits.append(_above(own, int(worst * len(own))))
    return round(max(limits), 6)


def _allowed(texts: int, share: float) -> int:
    """Return the most texts of so many whose share has an upper Wilson end within `share`; 0 where none has."""
    found = int(share * texts)
    while found > 0 and metrics.wilson_interval(found, texts).high > share:
        found -= 1
    return found


def _above(scores: NDArray[np.float64], allowed: int) -> float:
    """Return a score just above that of the first text beyond the allowed number."""
    return float(np.sort(scores)[::-1][min(allowed, len(scores) - 1)]) + STEP


def _kinds(matrix: LabelledMatrix, scores: NDArray[np.float64]) -> list[dict[str, Any]]:
    """Return AUROC and true-positive rates of each kind against human text."""
    human = scores[matrix.labels == "human"]
    rows = []
    for kind in MACHINE_KINDS:
        own = scores[(matrix.labels == kind) & ~(matrix.changed < BARELY_SPUN)]
        if len(own) and len(human):
            rows.append({"kind": kind, **_against(own, human)})
    return rows


def leave_one_tool_out(matrix: LabelledMatrix, scores: NDArray[np.float64]) -> list[dict[str, Any]]:
    """Return a row for every tool and source of 60 words and more, scored by heads that never saw the tool."""
    human = scores[(matrix.labels == "human") & (matrix.words >= 60)]
    rows = []
    for tool in np.unique(matrix.tools[matrix.labels != "human"]):
        for source in np.unique(matrix.sources[matrix.tools == tool]):
            chosen = (matrix.tools == tool) & (matrix.sources == source) & (matrix.words >= 60)
            chosen &= ~(matrix.changed < BARELY_SPUN)
            if chosen.sum() >= 10 and len(human):
                kind = str(matrix.labels[chosen][0])
                rows.append(
                    {
                        "tool": str(tool),
                        "source": str(source),
                        "kind": kind,
                        **_against(scores[chosen], human),
                    }
                )
    return sorted(rows, key=lambda row: (MACHINE_KINDS.index(row["kind"]), row["tool"], row["source"]))


def measure_signals(matrix: LabelledMatrix, *, seed: int) -> list[dict[str, Any]]:
    """Return what each signal is worth: AUROC of a head on it alone, and what the head of all loses without it.

    `spun`: trained on our own paraphrasers alone, tested on every real tool, the mean over sources; `translated`:
    trained and tested on different texts of the same tools. Against held-out human text of 60 words and more.
    """
    texts = usable(matrix)
    own = texts & np.char.startswith(matrix.tools, "unspun:")
    tested = (matrix.words >= 60) & ~(matrix.changed < BARELY_SPUN)
    real = tested & (matrix.labels == "spun") & ~np.char.startswith(matrix.tools, "unspun:")
    cases = {
        "spun": (own | (texts & (matrix.labels == "human")), real),
        "translated": (texts & np.isin(matrix.labels, ("human", "translated")), tested & matrix.held_out),
    }
    rows = []
    for kind, (train, test) in cases.items():
        every = head_columns(matrix.names, kind)
        test = test & (matrix.labels == kind)
        sources, counts = np.unique(matrix.sources[test], return_counts=True)
        test &= np.isin(matrix.sources, sources[counts >= 10])
        human = matrix.held_out & (matrix.labels == "human") & (matrix.words >= 60)
        if not (test.any() and human.any() and (matrix.labels[train] == kind).any()):
            continue
        whole = _one_head(matrix, train, test, human, every, kind, seed)
        rows.append({"signal": "all", "kind": kind, "auroc_alone": whole})
        owners = np.array([matrix.names[column].split(".")[0] for column in every])
        for signal in dict.fromkeys(owners.tolist()):
            alone = _one_head(matrix, train, test, human, every[owners == signal], kind, seed)
            rest = _one_head(matrix, train, test, human, every[owners != signal], kind, seed)
            rows.append({"signal": signal, "kind": kind, "auroc_alone": alone, "lost_without": round(whole - rest, 4)})
    return rows


def _one_head(
    matrix: LabelledMatrix,
    train: NDArray[np.bool_],
    test: NDArray[np.bool_],
    human: NDArray[np.bool_],
    columns: NDArray[np.int64],
    kind: str,
    seed: int,
) -> float:
    """Return the mean AUROC over the tested sources of a boosted head on some columns."""
    part = matrix.take(train)
    head = make_boosted(seed).fit(part.features[:, columns], part.labels == kind, sample_weight=sample_weights(part))
    low = head.decision_function(matrix.features[human][:, columns])
    values = [
        _against(head.decision_function(matrix.features[own][:, columns]), low)["auroc"]
        for own in (test & (matrix.sources == source) for source in np.unique(matrix.sources[test]))
    ]
    return round(float(np.mean(values)), 4)


def means(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the mean over the sources of each kind, those of our own paraphrasers left out."""
    answer = []
    for kind in MACHINE_KINDS:
        own = [row for row in rows if row["kind"] == kind and not row["tool"].startswith("unspun:")]
        if own:
            means = {name: round(float(np.mean([row[name] for row in own])), 4) for name in FIGURES}
            answer.append({"kind": kind, "sources": len(own), **means})
    return answer


FIGURES = ("auroc", "tpr_at_1_percent", "tpr_at_0.5_percent")


def _against(machine: NDArray[np.float64], human: NDArray[np.float64]) -> dict[str, Any]:
    labels = np.concatenate([np.ones(len(machine), bool), np.zeros(len(human), bool)])
    scores = np.concatenate([machine, human])
    return {
        "texts": len(machine),
        "auroc": round(metrics.auroc(labels, scores), 4),
        "tpr_at_1_percent": round(metrics.tpr_at_fpr(labels, scores, 0.01), 4),
        "tpr_at_0.5_percent": round(metrics.tpr_at_fpr(labels, scores, 0.005), 4),
    }


def false_positives(
    matrix: LabelledMatrix, scores: NDArray[np.float64], thresholds: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return for all human text of 80 words and more, and each source, how many are called suspect and paraphrased."""
    human = matrix.take((matrix.labels == "human") & (matrix.words >= 80))
    chosen = scores[(matrix.labels == "human") & (matrix.words >= 80)]
    starts = np.array([band["words"] for band in thresholds["bands"]])
    band = np.maximum(np.searchsorted(starts, human.words, side="right") - 1, 0)
    called = {
        word: np.round(chosen, 6) >= np.array([entry[word] for entry in thresholds["bands"]])[band]
        for word in ("suspect", "paraphrased")
    }
    rows = []
    for name in ("all", *np.unique(human.sources)) if len(human) else ():
        own = np.ones(len(human), bool) if name == "all" else human.sources == name
        low, high = metrics.wilson_interval(int(called["paraphrased"][own].sum()), int(own.sum()))
        rows.append(
            {
                "source": str(name),
                "texts": int(own.sum()),
                "paraphrased": round(float(called["paraphrased"][own].mean()), 4),
                "paraphrased_low": round(low, 4),
                "paraphrased_high": round(high, 4),
                "suspect": round(float(called["suspect"][own].mean()), 4),
            }
        )
    return rows

"""ROC curves and scores as PNG files.

Matplotlib is imported only when a plot is made, and its global state is never used: every figure has its own canvas, so
that plots can be made in any thread and without a display.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import roc_curve

from unspun.model.decision.decision import SCORE_PARAPHRASED, SCORE_SUSPECT
from unspun.training.reporting.metrics import auroc

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's palette for colour-blind readers.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_GREY = "#6b7280"


class PlotError(RuntimeError):
    """A plot cannot be made; the message says how to fix it."""


def plot_roc(curves: Mapping[str, tuple[ArrayLike, ArrayLike]], path: Path, *, title: str = "ROC") -> None:
    """Write the ROC curves of `{name: (truth, score)}` to a PNG, with a second panel for few false positives.

    Detectors are used below 10 % false positives, which the full curve hardly shows; the right panel shows that part on
    a logarithmic axis. Truth and score are as in `training.reporting.metrics`, each with both classes.
    """
    figure = _figure((9.6, 4.8))
    whole, few = figure.subplots(1, 2)
    for (name, (truth, score)), colour in zip(curves.items(), cycle(_COLOURS), strict=False):
        false_rate, true_rate, _ = roc_curve(np.asarray(truth), np.asarray(score), drop_intermediate=True)
        label = f"{name}  {auroc(truth, score):.3f}"
        whole.plot(false_rate, true_rate, color=colour, linewidth=1.8, label=label)
        few.step(np.maximum(false_rate, 1e-4), true_rate, where="post", color=colour, linewidth=1.8)
    whole.plot([0, 1], [0, 1], color=_GREY, linewidth=0.8, linestyle="--")
    _frame(whole, title, "False-positive rate", "True-positive rate", square=True)
    _frame(few, "Few false positives", "False-positive rate (logarithmic)", "True-positive rate")
    few.set_xscale("log")
    few.set_xlim(1e-3, 1e-1)
    few.set_xticks([0.001, 0.005, 0.01, 0.05, 0.1], ["0.1 %", "0.5 %", "1 %", "5 %", "10 %"])
    few.minorticks_off()
    for rate in (0.005, 0.01):
        few.axvline(rate, color=_GREY, linewidth=0.8, linestyle=":")
    whole.legend(loc="lower right", title="AUROC", frameon=False, fontsize=9)
    _save(figure, path)


def plot_scores(truth: ArrayLike, score: ArrayLike, path: Path, *, title: str = "Scores") -> None:
    """Write a histogram of the scores of human and machine texts to a PNG, with the thresholds."""
    values, positive = np.asarray(score, dtype=float), np.asarray(truth).astype(bool)
    figure = _figure((9.6, 3.6))
    axes = figure.subplots()
    # Side by side rather than stacked: on a logarithmic axis the upper part of a stack looks too small.
    axes.hist(
        [values[~positive].clip(0.0), values[positive].clip(0.0)],  # texts settled without a score are below 0
        bins=20,
        range=(0.0, 1.0),
        color=["#9ca3af", _COLOURS[1]],
        label=["human", "paraphrased"],
    )
    axes.set_yscale("symlog")
    for word, least in (("suspect", SCORE_SUSPECT), ("paraphrased", SCORE_PARAPHRASED)):
        axes.axvline(least, color=_GREY, linewidth=0.8, linestyle=":")
        axes.annotate(word, (least, 1.0), xycoords=("data", "axes fraction"), ha="center", va="bottom", fontsize=8)
    _frame(axes, title, "Score", "Texts", limits=False)
    axes.legend(loc="upper center", frameon=False, fontsize=8, ncols=2)
    _save(figure, path)


def _figure(size: tuple[float, float]) -> Figure:
    """Return an empty figure of a size in inches, with a canvas that needs no display."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise PlotError("plots need matplotlib: pip install 'unspun[evaluate]'") from error
    figure = Figure(figsize=size, dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _frame(axes: Any, title: str, x: str, y: str, *, square: bool = False, limits: bool = True) -> None:
    """Label and tidy one panel of a figure."""
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    if limits:
        axes.set_xlim(-0.01, 1.01)
        axes.set_ylim(-0.01, 1.01)
    if square:
        axes.set_aspect("equal")
    axes.grid(color="#e5e7eb", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _save(figure: Figure, path: Path) -> None:
    # Leave out the software's name and version, so that the same data give the same bytes.
    figure.savefig(path, format="png", metadata={"Software": None})

"""How a retrained model compares with the model that it started from, as tables and as a page."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Template

from unspun.service.render.page import page_template
from unspun.training.reporting.plots import PlotError, plot_roc, plot_scores
from unspun.training.reporting.tables import tables
from unspun.training.retraining.adapt import FEW, Retrained

TIERS = {"fast": "fast tier", "deep": "deep tier"}
_SPLITS = {
    "source": "split by source: each text is judged by models that were trained on other sources only",
    "text": "split by text, since there are too few sources of each kind: texts of a source are in both parts, so the "
    "figures may be too good",
}


def figures(comparison: Mapping[str, Any]) -> dict[str, Any]:
    """Return a manifest's `comparison` as nested results for training.reporting.tables."""
    kinds, called = [], []
    for tier, measured in comparison["tiers"].items():
        kinds += [{"tier": TIERS[tier], **row} for row in measured["kinds"]]
        if measured["all"] is not None and len(measured["kinds"]) > 1:
            machine = sum(row["texts"] for row in measured["kinds"])
            kinds.append({"tier": TIERS[tier], "kind": "all", "texts": machine, **measured["all"]})
        for row in measured["called"]:
            shares = {"share": row["after"] / row["of"]} if row["of"] else {}
            called.append({"tier": TIERS[tier], **row, **shares})
    used = comparison["with"]
    elsewhere = comparison["elsewhere"]
    human = comparison["texts"].get("human", 0)
    note = (
        f"Before: {used['name']} {used['version']}. Cross-validated, {_SPLITS[comparison['parted_by']]}. "
        f"Against {human:,} human texts."
    )
    if comparison.get("unfamiliar"):
        note += f" {comparison['unfamiliar']:,} more texts are too unfamiliar for a verdict."
    if min(comparison["texts"].values(), default=0) < FEW:
        note += f" There are fewer than {FEW} texts of a kind, so the figures may be off by several hundredths."
    return {
        "separation of the kinds, on your texts": {"note": note, "rows": kinds},
        "verdicts, on your texts": {
            "note": "At the thresholds of the model before: scores of 0.5 and 0.9.",
            "rows": called,
        },
        "elsewhere": {
            "note": "How the correction changes the results on the texts that the model before was trained on.",
            "strength of the correction": comparison["strength"],
            "largest fall of AUROC": elsewhere["largest_fall_of_auroc"],
            "where": elsewhere["where"],
            "allowed": elsewhere["allowed"],
            "additional false positives": elsewhere["more_human_texts_called"],
        },
        "left out": comparison["left_out"],
    }


def render(done: Retrained) -> tuple[str, str]:
    """Return the report as a self-contained HTML page, and what is missing from it, or an empty string."""
    comparison = done.manifest["comparison"]
    plots, missing = _plots(done)
    tier = "deep" if "deep" in comparison["tiers"] else "fast"
    page = _template().render(
        manifest=done.manifest,
        comparison=comparison,
        overall=comparison["tiers"][tier]["all"],
        tables=list(tables(figures(comparison))),
        plots=plots,
        missing=missing,
    )
    return page, missing


def _plots(done: Retrained) -> tuple[list[dict[str, str]], str]:
    """Return the plots as data URLs with descriptions, and the reason if they cannot be drawn."""
    answers = done.answers
    truth = answers.rows.labels != "human"
    if not (truth.any() and (~truth).any()):
        return [], ""
    tier = "deep" if "deep" in answers.after else "fast"
    before, after = answers.before[tier], answers.after[tier]
    plots = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "plot.png"
        try:
            plot_roc({"before": (truth, before), "after": (truth, after)}, file, title=f"ROC, {TIERS[tier]}")
            plots.append(
                _plot(file, "ROC curves before and after; the right plot enlarges the range of few false positives")
            )
            plot_scores(truth, after, file, title=f"Scores after, {TIERS[tier]}")
            plots.append(_plot(file, "Number of human and machine-paraphrased texts by score, with the thresholds"))
        except PlotError as error:
            return [], f"the report has no plots: {error}"
    return plots, ""


def _plot(file: Path, what: str) -> dict[str, str]:
    return {"url": "data:image/png;base64," + base64.b64encode(file.read_bytes()).decode("ascii"), "what": what}


@cache
def _template() -> Template:
    return page_template("retraining")

"""`unspun evaluate`: a model's accuracy on labelled text."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from unspun.model.verdict import LABELS, Label
from unspun.service.commands.common import (
    INCOMPLETE,
    FailureCount,
    Reading,
    allow_option,
    bad_output,
    depth_option,
    format_option,
    in_words,
    is_terminal,
    load_detector,
    model_option,
    quiet_option,
    reading_options,
    report_own_labels,
    require_depth,
    wants_json,
    warn_of_other_terms,
    write,
    write_figures,
)
from unspun.service.commands.former import refuse_model_among
from unspun.service.console import CommandError, complain

# Everything else is imported where it is needed, so that help and usage errors are quick.
if TYPE_CHECKING:
    from unspun.model.text.allowed import Allowed
    from unspun.training.record.evaluate import Evaluation


@click.command(short_help="Measure a model's accuracy on labelled text.")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option("--label", type=click.Choice(LABELS), help="Label of texts without one. Labels in the files stay.")
@format_option()
@click.option(
    "--output",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Also save evaluation.json to DIR and, if matplotlib is installed, roc.png and scores.png.",
)
@model_option
@depth_option
@allow_option
@click.option("--include-training", is_flag=True, help="Do not leave out texts that the model was trained on.")
@reading_options
@quiet_option("Show no progress, only the figures and errors.")
@click.pass_context
def evaluate(
    context: click.Context,
    /,
    paths: tuple[str, ...],
    label: Label | None,
    form: str | None,
    output: Path | None,
    bundle: Path | None,
    depth: str,
    allowed: Allowed | None,
    include_training: bool,
    reading: Reading,
    quiet: bool,
) -> None:
    """Measure how well a model distinguishes machine-paraphrased text from human text.

    PATH is labelled text in any format that `unspun score` reads, or - for standard input. Records of JSON, CSV, TSV
    and Parquet have "text", "label" (human, llm, spun, translated or rewritten) and, if known, "id", "source", "tool",
    "domain" and "changed_frac". --label is the label of all texts that do not state one, such as those of HTML and PDF
    files. Human text alone gives false-positive rates, and machine text alone the share that is found. Texts that the
    model was trained on are left out and counted.

    \b
    Exit status:
      0    all texts were measured
      1    no model, no texts, or the output could not be written
      2    wrong usage
      3    some texts could not be read; the rest were measured
      130  interrupted

    \b
    Examples:
      unspun evaluate labelled.jsonl
      unspun evaluate articles/ --label human
      unspun evaluate --model house-model corpora/ --output figures --format jsonl
    """
    refuse_model_among(context, paths)
    _prepare(output)
    from unspun.service.batch.scoring import allowing

    detector = allowing((context.obj or load_detector)(bundle), allowed)
    warn_of_other_terms(detector, allowed)
    from unspun.reading.records import Omissions
    from unspun.training.corpora.corpus import read_labelled
    from unspun.training.record.evaluate import evaluate as measure

    failures, skipped = FailureCount(), Omissions()
    texts = list(read_labelled(paths, label, report=failures, skipped=skipped, **reading.options()))
    failures.report_rest()
    if skipped:
        complain(in_words(skipped))
    if not texts:
        raise CommandError(f"no labelled texts in {', '.join(paths)}")
    if label is not None:
        report_own_labels(texts, label)
    require_depth(detector, depth)
    bar = not quiet and is_terminal(sys.stderr)
    evaluation = measure(detector, texts, depth=depth, include_training=include_training, progress=bar)
    _warn(evaluation)
    if output is not None:
        _save(evaluation, output)
    if wants_json(form):
        write(json.dumps(evaluation.to_dict(), ensure_ascii=False) + "\n")
    else:
        shown = evaluation.to_dict()
        if not (evaluation.answers.counted & evaluation.answers.paraphrased).any():
            del shown["machine_against_human"]  # a table without figures
        write_figures({name: table for name, table in shown.items() if not _is_list_of_files(name, table)})
    if failures.count:
        context.exit(INCOMPLETE)


def _prepare(output: Path | None) -> None:
    """Check that results can be saved, before the work rather than after it."""
    if output is None:
        return
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        bad_output(output, f"{error.strerror}.", error)


def _is_list_of_files(name: str, table: Any) -> bool:
    """Return whether a table by source has a row for each text: plain files are their own sources."""
    return (
        ("by_source" in name or name == "counts")
        and len(table["rows"]) > 1
        and all(row["texts"] == 1 for row in table["rows"])
    )


def _save(evaluation: Evaluation, output: Path) -> None:
    from unspun.training.reporting.plots import PlotError

    try:
        evaluation.write(output)
    except PlotError as error:
        complain(f"{output}: evaluation.json was saved without plots: {error}")


def _warn(evaluation: Evaluation) -> None:
    """Explain why figures are missing or are based on fewer texts than were given."""
    answers = evaluation.answers
    if evaluation.learnt_from:
        complain(
            f"left out {evaluation.learnt_from:,} of {evaluation.texts:,} texts that the model was trained on "
            "(--include-training keeps them)"
        )
    unfamiliar = int(answers.unfamiliar.sum())
    if unfamiliar:
        complain(
            f"{unfamiliar:,} of {evaluation.texts:,} texts are too unfamiliar for a verdict and have no score; they "
            "count as errors of the model in the columns called `unfamiliar`"
        )
    if not answers.human.any():
        complain("no human text got a verdict, so false-positive rates and AUROC cannot be measured")
    elif not answers.machine.any():
        complain("no machine-paraphrased text got a verdict, so recall and AUROC cannot be measured")

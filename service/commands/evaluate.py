"""`unspun evaluate`: a model's accuracy on labelled text."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from unspun.model.verdict import LABELS
from unspun.service.commands.common import (
    Reading,
    allow_option,
    bad_output,
    depth_option,
    in_words,
    is_terminal,
    load_detector,
    quiet_option,
    reading_options,
    reported,
    write,
    write_figures,
)
from unspun.service.console import CommandError, complain

# Everything else is imported where it is needed, so that help and usage errors are quick.
if TYPE_CHECKING:
    from unspun.model.detector import Detector
    from unspun.model.text.allowed import Allowed
    from unspun.training.record.evaluate import Evaluation


@click.command(short_help="Measure a model's accuracy on labelled text.")
@click.argument("bundle")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option("--label", type=click.Choice(LABELS), help="Label of all texts, for files that do not name their labels.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="Output format.",
)
@click.option(
    "--output",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Also save evaluation.json, roc.png and scores.png to DIR.",
)
@depth_option
@allow_option
@click.option("--include-training", is_flag=True, help="Do not leave out texts that the model was trained on.")
@reading_options
@quiet_option("Show no progress, only the figures and errors.")
@click.pass_obj
def evaluate(
    load: Callable[[Path | None], Detector] | None,
    bundle: str,
    paths: tuple[str, ...],
    label: str | None,
    form: str,
    output: Path | None,
    depth: str,
    allowed: Allowed | None,
    include_training: bool,
    reading: Reading,
    quiet: bool,
) -> None:
    """Measure how well a model distinguishes machine-paraphrased text from human text.

    BUNDLE is the folder of a model, or the word "default" for the model that ships with unspun. PATH is labelled text
    in any format that `unspun score` reads, or - for standard input. Records of JSON lines, CSV and Parquet have
    "text", "label" (human, llm, spun, translated or rewritten) and, if known, "id", "source", "tool", "domain" and
    "changed_frac"; other formats need --label. Texts that the model was trained on are left out and counted.

    \b
    Exit status:
      0    measured
      1    the model or the texts could not be read, or the output could not be written
      2    wrong usage
      130  interrupted

    \b
    Examples:
      unspun evaluate default labelled.jsonl
      unspun evaluate my-model corpora/ --output figures --format json > figures.json
      unspun evaluate default articles/ --label human
    """
    _prepare(output)
    from unspun.service.batch.scoring import allowing
    from unspun.service.models.folder import SHIPPED

    detector = allowing((load or load_detector)(None if bundle == SHIPPED else Path(bundle)), allowed)
    from unspun.reading.records import Omissions
    from unspun.training.corpora.corpus import CorpusError, read_labelled
    from unspun.training.record.evaluate import evaluate as measure

    skipped = Omissions()
    with reported(CorpusError):
        texts = list(read_labelled(paths, label, skipped=skipped, **reading.options()))
    if skipped:
        complain(in_words(skipped))
    if not texts:
        raise CommandError(f"no texts in {', '.join(paths)}")
    if depth == "deep" and detector.bundle.deep is None:
        raise click.UsageError("this model has no deep tier; use --depth auto or fast")
    bar = not quiet and is_terminal(sys.stderr)
    evaluation = measure(detector, texts, depth=depth, include_training=include_training, progress=bar)
    _warn(evaluation)
    if output is not None:
        evaluation.write(output)
    if form == "json":
        write(json.dumps(evaluation.to_dict(), indent=1, ensure_ascii=False) + "\n")
    else:
        write_figures(evaluation.to_dict())


def _prepare(output: Path | None) -> None:
    """Check that results can be saved, before the work rather than after it."""
    if output is None:
        return
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        bad_output(output, f"{error.strerror}.", error)
    if importlib.util.find_spec("matplotlib") is None:
        raise CommandError("--output draws plots, which need matplotlib: pip install 'unspun[evaluate]'")


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

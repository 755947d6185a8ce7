"""`unspun evaluate`: what a model is worth on labelled text."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from unspun.model.verdict import LABELS
from unspun.service.console import CommandError, complain

# All else is imported by those who need it: help and usage errors should not wait for it.
if TYPE_CHECKING:
    from unspun.model.detector import Detector
    from unspun.training.corpora.corpus import LabelledText
    from unspun.training.record.evaluate import Evaluation

SHIPPED = "default"
"""The name of the model that ships, in place of a folder."""

Loader = Callable[[Path | None], "Detector"]


@click.command(short_help="Measure a model on labelled text.")
@click.argument("bundle")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option("--label", type=click.Choice(LABELS), help="What all the texts are, where the files do not say it.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="How the figures are written.",
)
@click.option(
    "--output",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Save evaluation.json, roc.png and scores.png in DIR as well.",
)
@click.option(
    "--depth",
    type=click.Choice(["auto", "fast", "deep"]),
    default="auto",
    show_default=True,
    help="Tier that scores the texts.",
)
@click.option("--include-training", is_flag=True, help="Measure on texts that the model learnt from, too.")
@click.option("--quiet", "-q", is_flag=True, help="No progress; errors are still told.")
@click.pass_obj
def evaluate(
    load: Loader | None,
    bundle: str,
    paths: tuple[str, ...],
    label: str | None,
    form: str,
    output: Path | None,
    depth: str,
    include_training: bool,
    quiet: bool,
) -> None:
    """Measure how well a model tells machine-paraphrased text from human text.

    BUNDLE is the folder of a model, or the word "default" for the one that ships. PATH is labelled text
    in any format that `unspun score` reads. Records of JSON lines, CSV and Parquet have "text", "label" (human, llm,
    spun, translated or rewritten) and, where known, "id", "source", "tool", "domain" and "changed_frac"; other formats
    need --label. Texts that the model was trained on are left out and counted.

    \b
    Exit status:
      0    measured
      1    the model or the texts could not be read, or the output not written
      2    wrong usage
      130  interrupted

    \b
    Examples:
      unspun evaluate default labelled.jsonl
      unspun evaluate my-model corpora/ --output figures --format json > figures.json
      unspun evaluate default articles/ --label human
    """
    _check_usage(output)
    detector = (load or load_detector)(None if bundle == SHIPPED else Path(bundle))
    texts = _read(paths, label)
    if depth == "deep" and detector.bundle.deep is None:
        raise click.UsageError("this model has no deep tier; use --depth auto or fast")

    from unspun.training.record.evaluate import evaluate as measure

    bar = not quiet and sys.stderr.isatty()
    evaluation = measure(detector, texts, depth=depth, include_training=include_training, progress=bar)
    _tell_what_is_missing(evaluation)
    if output is not None:
        evaluation.write(output)
    _show(form, evaluation.to_dict())


def load_detector(bundle: Path | None) -> Detector:
    """Load a model, None for the one that ships. Raises model.bundle.BundleError."""
    from unspun.model.detector import Detector

    return Detector.load(bundle)


def _check_usage(output: Path | None) -> None:
    """Refuse before the work what would fail after it."""
    if output is None:
        return
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.BadParameter(f"{output}: {error.strerror}.", param_hint="--output") from error
    if importlib.util.find_spec("matplotlib") is None:
        raise CommandError("--output draws plots, which need matplotlib: pip install 'unspun[evaluate]'")


def _read(paths: tuple[str, ...], label: str | None) -> list[LabelledText]:
    from unspun.training.corpora.corpus import CorpusError, read_labelled

    try:
        texts = list(read_labelled(paths, label))
    except CorpusError as error:
        raise CommandError(str(error)) from error
    if not texts:
        raise CommandError(f"no text in {', '.join(paths)}")
    return texts


def _show(form: str, results: dict[str, Any]) -> None:
    """Show the results on standard output."""
    from unspun.service.batch.output import StandardOutput

    if form == "json":
        with StandardOutput() as sink:
            sink.write(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
        return
    from rich.console import Console

    from unspun.service.render.evaluation import draw, plain_console
    from unspun.training.reporting.tables import tables

    console = Console() if sys.stdout is not None and sys.stdout.isatty() else plain_console()
    with StandardOutput((sys.stdout.encoding if sys.stdout else None) or "utf-8") as sink:
        sink.write(draw(tables(results), console))


def _tell_what_is_missing(evaluation: Evaluation) -> None:
    """Say why there are fewer figures than a reader may expect."""
    answers = evaluation.answers
    if evaluation.learnt_from:
        complain(
            f"{evaluation.learnt_from:,} of {evaluation.texts:,} texts are left out, since the model learnt "
            "from them (--include-training measures them too)"
        )
    unfamiliar = int(answers.unfamiliar.sum())
    if unfamiliar:
        complain(
            f"too unfamiliar for a verdict, and without a score: {unfamiliar:,} of {evaluation.texts:,} texts; "
            "they count against the model where a column says `unfamiliar`"
        )
    if not answers.human.any():
        complain("no human text got a verdict: there are no false-positive rates, and nothing to tell apart")
    elif not answers.machine.any():
        complain("no machine-paraphrased text got a verdict: there is nothing to tell apart")

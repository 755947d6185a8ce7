"""`unspun train`: a model from labelled text, starting from the model in use or from scratch."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from unspun.model.verdict import JUDGEMENTS, Judgement
from unspun.service.commands.common import (
    INCOMPLETE,
    STDIO,
    FailureCount,
    Reading,
    allow_option,
    check_model_output,
    database_option,
    in_words,
    is_terminal,
    model_option_for,
    needs,
    quiet_option,
    reading_options,
    report_own_labels,
    reported,
    write_figures,
)
from unspun.service.commands.former import former_option
from unspun.service.console import CommandError, complain

if TYPE_CHECKING:
    from unspun.model.bundle import Bundle
    from unspun.training.corpora.corpus import LabelledText
    from unspun.training.retraining.adapt import Retrained


def _texts(name: str, text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(
        f"--{name}",
        metavar="PATH",
        multiple=True,
        type=click.Path(exists=True, allow_dash=True, path_type=Path),
        help=text,
    )


@click.command(short_help="Train a model on labelled text.")
@_texts(
    "human",
    "File or folder of text written by people, or - for standard input. "
    "This and the next four options can be repeated.",
)
@_texts("spun", "Text in which a machine replaced words and phrases.")
@_texts("translated", "Machine translation, including translation into another language and back.")
@_texts("rewritten", "Text paraphrased by a neural model or a language model.")
@_texts("labelled", "Records that name their own label (JSON, CSV, TSV, Parquet).")
@click.option("--with-feedback", is_flag=True, help="Also train on people's labels whose texts were kept.")
@database_option
@click.option(
    "--output",
    metavar="BUNDLE",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write the model to.",
)
@model_option_for("Folder of the model to start from and to compare with.")
@former_option("--base", "--model")
@click.option("--from-scratch", is_flag=True, help="Build a new model from a large corpus, not from another model.")
@click.option(
    "--lexicons",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of phrase lists: .tsv files of a phrase and its original.",
)
@click.option(
    "--work",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="With --from-scratch, keep the result of each stage in DIR; rerun the command to resume.",
)
@click.option("--name", default="custom", show_default=True, help="Name of the model, shown in each verdict.")
@click.option("--version", default="1.0.0", show_default=True, help="Version of the model.")
@click.option("--seed", type=int, metavar="N", default=0, show_default=True, help="The same seed gives the same model.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    default=2,
    show_default=True,
    help="Number of processes.",
)
@former_option("--jobs", "--workers")
@click.option(
    "--words",
    type=click.IntRange(min=1000),
    metavar="N",
    default=50_000,
    show_default=True,
    help="With --from-scratch, size of the vocabulary.",
)
@allow_option
@reading_options
@quiet_option("Show no progress and no table of figures.")
@click.pass_context
def train(context: click.Context, /, **options: Any) -> None:
    """Train a model on labelled text and write it to the folder --output.

    Training starts from the model in use (--model, else $UNSPUN_MODEL, else the model that ships with unspun) and adds
    a correction fitted to your texts. It takes a minute or two, and 30 texts of a kind are enough to start with.
    Cross-validation measures the new model against the old one. The folder then contains the model, its card (CARD.md)
    and a report (report.html, report.json). If you give only human text, unspun's own paraphrasers make the rest from
    it. All formats that `unspun score` reads are read. A record that states its label keeps it.

    With --from-scratch, the whole model is built from your texts. This takes thousands of texts from many sources and
    tools: a fifth of them is held out to set the thresholds, and another fifth to measure accuracy. The model has no
    deep tier. Training takes half an hour for 14 million words on two cores. Paraphrasing and --from-scratch need the
    extra `train` (pip install 'unspun[train]') and Debian's packages wordnet-base and mythes-en-us.

    \b
    Exit status:
      0    trained; a warning is shown if the model is worse than the one in use
      1    the model could not be trained
      2    wrong usage
      3    trained, but some files could not be read
      130  interrupted

    \b
    Examples:
      unspun train --human articles/ --spun found/ --output house-model
      unspun train --human articles/ --output house-model
      unspun train --from-scratch --labelled corpus/ --output new-model
    """
    by_label = {name: cast("tuple[Path, ...]", options[name]) for name in JUDGEMENTS}
    if not any((*by_label.values(), options["labelled"], options["with_feedback"])):
        raise click.UsageError(
            "no labelled text; add --human, --spun, --translated, --rewritten, --labelled or --with-feedback"
        )
    if [path for paths in (*by_label.values(), options["labelled"]) for path in paths].count(Path(STDIO)) > 1:
        raise click.UsageError("only one of the options can read standard input (-)")
    check_model_output(options["output"])
    output: Path = options["output"] if options["output"].name else options["output"].absolute()
    started = time.monotonic()

    def report(line: str) -> None:
        if not options["quiet"]:
            complain(f"{time.monotonic() - started:6.0f} s  {line}")

    from unspun.model import bundle

    base = None  # loaded first, since reading may take long
    if not options["from_scratch"]:
        base = bundle.load(options["bundle"], trusted=bundle.trusted())
    texts, failures = _read(by_label, options["labelled"], options["reading"], quiet=options["quiet"])
    if options["with_feedback"]:
        texts += _feedback(options["database"])
    report(f"read {len(texts):,} texts")
    with needs("training", "train"):
        if base is None:
            _from_scratch(texts, output, options, report)
        else:
            _retrain(base, texts, output, options, report)
    if failures:
        context.exit(INCOMPLETE)


def _read(
    by_label: Mapping[Judgement, tuple[Path, ...]], labelled: tuple[Path, ...], reading: Reading, *, quiet: bool
) -> tuple[list[LabelledText], int]:
    """Return the texts, and how many files or records could not be read; report what was skipped."""
    from unspun.reading.records import Omissions
    from unspun.training.corpora.corpus import read_labelled

    failures, skipped = FailureCount(), Omissions()
    given = ((None, labelled), *by_label.items())
    texts: list[LabelledText] = []
    for label, paths in given:
        before = failures.count
        found = list(read_labelled(paths, label, report=failures, skipped=skipped, **reading.options()))
        if label is not None:
            report_own_labels(found, label)
        if failures.count == before:  # otherwise an error has named the file
            with_text = {text.path for text in found}
            for path in paths:
                if str(path) not in with_text:
                    complain(f"{path}: contains no text")
        texts += found
    failures.report_rest()
    if skipped and not quiet:
        complain(in_words(skipped))
    return texts, failures.count


def _feedback(database: str) -> list[LabelledText]:
    """Return the texts that people labelled and asked to keep; report those that cannot be used."""
    with needs("reading labels", "feedback"):
        from unspun.service.feedback.database import StoreError
        from unspun.service.feedback.store import labelled_texts
    from unspun.training.corpora.corpus import LabelledText, clean

    try:
        with reported(StoreError):
            found = labelled_texts(database)
    except ValueError as error:
        raise click.BadParameter(f"{error}.", param_hint="--database") from error
    if found.contradicting:
        ids = ", ".join(one.labels[0].id for one in found.contradicting[:3])
        complain(f"left out {len(found.contradicting):,} texts whose labels contradict each other ({ids} ...)")
    if found.without_text:
        complain(
            f"left out {found.without_text:,} labels whose texts are not in the database (--keep-text stores the text "
            "with a label)"
        )
    return [
        LabelledText(
            one.id,
            one.label,
            one.source or "feedback",
            clean(one.text or "", one.source or "feedback"),
            path="--with-feedback",
        )
        for one in found.labels
    ]


def _from_scratch(
    texts: list[LabelledText], output: Path, options: dict[str, Any], report: Callable[[str], None]
) -> None:
    from unspun.training.classifier.fast_tier import Recipe, TrainingError
    from unspun.training.retraining.scratch import train_from_scratch

    recipe = Recipe(
        name=options["name"],
        version=options["version"],
        seed=options["seed"],
        lexicons=options["lexicons"],
        jobs=options["workers"],
        vocabulary=options["words"],
        allowed=options["allowed"],
    )
    progress = not options["quiet"] and is_terminal(sys.stderr)
    try:
        with reported(TrainingError):
            manifest = train_from_scratch(texts, output, recipe, work=options["work"], report=report, progress=progress)
    except (RuntimeError, FileNotFoundError) as error:  # a thesaurus or table is missing; the message names its package
        raise CommandError(f"training cannot start: {error}") from error
    if not options["quiet"]:
        write_figures(manifest["accuracy"])


def _retrain(
    base: Bundle, texts: list[LabelledText], output: Path, options: dict[str, Any], report: Callable[[str], None]
) -> None:
    from unspun.service.render.retraining import figures
    from unspun.training.classifier.fast_tier import TrainingError
    from unspun.training.retraining.adapt import House, retrain

    house = House(
        options["name"],
        options["version"],
        options["seed"],
        options["workers"],
        options["lexicons"],
        options["allowed"],
    )
    try:
        with reported(TrainingError, then="; nothing was written, and the model in use was not changed"):
            done = retrain(base, texts, output, house, report=report, warn=complain)
    except (RuntimeError, FileNotFoundError) as error:
        raise CommandError(
            f"unspun's paraphrasers cannot start: {error}; or add --spun with texts of your own"
        ) from error
    _write_reports(output, done, report)
    comparison = done.manifest["comparison"]
    if not options["quiet"]:
        write_figures(figures(comparison))
    if (line := _warning(done, comparison, output)) is not None:
        complain(line)


def _warning(done: Retrained, comparison: Mapping[str, Any], output: Path) -> str | None:
    """Return why a new model should not be used, or is not known to be better; None if there is no such reason."""
    base = f"{comparison['with']['name']} {comparison['with']['version']}"
    do_not_use = f"do not use {output} (`unspun models promote` refuses it without --force)"
    if done.swapped:
        return (
            "the texts given as human look more machine-made than the others; did you swap --human and another option? "
            f"The model was written, but {do_not_use}"
        )
    if done.worse:
        return f"the new model is worse on these texts than {base}; it was written, but {do_not_use}"
    if not comparison["texts"]:
        return f"{base} was trained on all of these texts, so they cannot show whether {output} is better"
    if comparison["strength"] == 0:
        return f"nothing was learned: no correction helps without doing harm elsewhere; {output} scores like {base}"
    return None


def _write_reports(output: Path, done: Retrained, report: Callable[[str], None]) -> None:
    from unspun.service.render.retraining import render

    (output / "report.json").write_text(json.dumps(done.manifest["comparison"], indent=1) + "\n", "utf-8")
    page, missing = render(done)
    (output / "report.html").write_text(page, "utf-8")
    if missing:
        report(missing)
    report(f"report: {output / 'report.html'}")

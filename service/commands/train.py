"""`unspun train`: labelled text to a model, from the one that ships or from scratch."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from unspun.model.verdict import JUDGEMENTS, Judgement
from unspun.service.commands.feedback import DEFAULT_DATABASE
from unspun.service.console import CommandError, complain
from unspun.service.models.output import check_output

if TYPE_CHECKING:
    from unspun.training.corpora.corpus import LabelledText
    from unspun.training.retraining.adapt import Retrained

MOST_FAILURES = 5
"""Files that cannot be read and are told by name."""
INCOMPLETE = 3


def _paths(name: str, text: str) -> click.Option:
    return click.Option(
        [f"--{name}", name],
        metavar="PATH",
        multiple=True,
        type=click.Path(exists=True, path_type=Path),
        help=text,
    )


@click.command(
    short_help="Train a model on labelled text.",
    params=[
        _paths("human", "Text that people wrote. May be given several times, like the next four."),
        _paths("spun", "Text in which a machine replaced words and phrases."),
        _paths("translated", "Machine or round-trip translation."),
        _paths("rewritten", "Neural or language-model paraphrase."),
        _paths("labelled", "Records that name their own label (JSON lines, CSV), or folders of them."),
        click.Option(["--with-feedback"], is_flag=True, help="Learn from people's labels too, where the text is kept."),
        click.Option(
            ["--database"],
            metavar="URL",
            envvar="UNSPUN_DATABASE_URL",
            default=DEFAULT_DATABASE,
            help=f"Database of the labels. Default: UNSPUN_DATABASE_URL, else {DEFAULT_DATABASE}.",
        ),
        click.Option(
            ["--output"],
            metavar="BUNDLE",
            required=True,
            type=click.Path(file_okay=False, path_type=Path),
            help="Folder to write the model to.",
        ),
        click.Option(
            ["--base"],
            metavar="BUNDLE",
            envvar="UNSPUN_MODEL",
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            help="Model to start from, and to compare with. Default: UNSPUN_MODEL, else the one that ships.",
        ),
        click.Option(["--from-scratch"], is_flag=True, help="Build all anew, from a large corpus."),
        click.Option(
            ["--lexicons"],
            metavar="DIR",
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            help="Folder of phrase lists: .tsv files with phrase and original.",
        ),
        click.Option(
            ["--work"],
            metavar="DIR",
            type=click.Path(file_okay=False, path_type=Path),
            help="With --from-scratch: keep each stage's result in DIR, to go on after an interruption.",
        ),
        click.Option(["--name"], default="custom", show_default=True, help="The model's name in every verdict."),
        click.Option(["--version", "version"], default="1.0.0", show_default=True, help="The model's version."),
        click.Option(["--seed"], type=int, default=0, show_default=True, help="The same seed gives the same model."),
        click.Option(["--jobs"], type=click.IntRange(min=1), default=2, show_default=True, help="Processes."),
        click.Option(
            ["--words"],
            type=click.IntRange(min=1000),
            default=50_000,
            show_default=True,
            help="With --from-scratch: vocabulary.",
        ),
        click.Option(["--quiet", "-q"], is_flag=True, help="No progress, and no table of figures."),
    ],
)
@click.pass_context
def train(context: click.Context, /, **options: Any) -> None:
    """Train a model on labelled text and write it to BUNDLE.

    Starts from the model in use (--base, else UNSPUN_MODEL, else the one that ships) and fits a correction to your
    texts, as few as 30 of a kind, in a minute or two: what it is worth is measured by cross-validation against that
    model. BUNDLE then holds the new one, its card (CARD.md) and a report (report.html, report.json). With human text
    alone our own paraphrasers make the rest. Reads every format that `unspun score` reads.

    With --from-scratch everything is built anew from your texts: thousands are needed, of many sources and tools. Some
    sources and tools are held out: a fifth sets the thresholds, and a fifth tells what the model is worth. It has no
    deep tier, and takes half an hour for 14 million words on two cores. Paraphrasing, and --from-scratch, need the
    extra `train` (pip install 'unspun[train]') and Debian's packages wordnet-base and mythes-en-us.

    \b
    Exit status:
      0    trained; a warning says so if the model is worse than the one in use
      1    no model could be made
      2    wrong usage
      3    trained, but some files could not be read
      130  interrupted

    \b
    Examples:
      unspun train --human articles/ --spun found/ --output house-model
      unspun train --human articles/ --output house-model
      unspun train --from-scratch --labelled corpus/ --lexicons lists/ --output new-model
    """
    by_label = {name: cast("tuple[Path, ...]", options[name]) for name in JUDGEMENTS}
    if not any((*by_label.values(), options["labelled"], options["with_feedback"])):
        raise click.UsageError("give labelled text: --human, --spun, --translated, --rewritten, or --labelled")
    check_output(options["output"])
    output: Path = options["output"] if options["output"].name else options["output"].absolute()
    started = time.monotonic()

    def report(line: str) -> None:
        if not options["quiet"]:
            complain(f"{time.monotonic() - started:6.0f} s  {line}")

    texts, unread = _read(by_label, options["labelled"])
    if options["with_feedback"]:
        texts += _feedback(options["database"])
    report(f"read {len(texts):,} texts")
    progress = not options["quiet"] and sys.stderr.isatty()
    try:
        if options["from_scratch"]:
            _from_scratch(texts, output, options, report, progress)
        else:
            _retrain(texts, output, options, report)
    except ImportError as error:
        if isinstance(error.__cause__, KeyboardInterrupt):  # Ctrl-C amid the import of a compiled module
            raise KeyboardInterrupt from error
        raise CommandError(f"training needs the package {error.name}: pip install 'unspun[train]'") from error
    if unread:
        context.exit(INCOMPLETE)


def _read(by_label: Mapping[Judgement, tuple[Path, ...]], labelled: tuple[Path, ...]) -> tuple[list[LabelledText], int]:
    """Return the texts, and how many files or records could not be read."""
    from unspun.reading.records import Failure
    from unspun.training.corpora.corpus import read_labelled

    texts: list[LabelledText] = []
    unread = 0

    def report(failure: Failure) -> None:
        nonlocal unread
        unread += 1
        if unread <= MOST_FAILURES:
            complain(str(failure))

    for label, paths in ((None, labelled), *by_label.items()):
        texts += read_labelled(paths, label, report=report)
    if unread > MOST_FAILURES:
        complain(f"and {unread - MOST_FAILURES:,} more files or records cannot be read")
    return texts, unread


def _feedback(database: str) -> list[LabelledText]:
    """Return the texts that people labelled and asked to be kept; contradicting labels are told."""
    try:
        from unspun.service.feedback.database import StoreError
        from unspun.service.feedback.store import labelled_texts
    except ImportError as error:
        raise CommandError(f"labels need the package {error.name}: pip install 'unspun[feedback]'") from error
    from unspun.training.corpora.corpus import LabelledText, clean

    try:
        found = labelled_texts(database)
    except StoreError as error:
        raise CommandError(str(error)) from error
    except ValueError as error:
        raise click.BadParameter(f"{error}.", param_hint="--database") from error
    if found.contradicting:
        ids = ", ".join(one.labels[0].id for one in found.contradicting[:3])
        complain(
            f"left out {len(found.contradicting):,} texts of which people's labels contradict each other ({ids} ...)"
        )
    if found.without_text:
        complain(
            f"{found.without_text:,} labelled texts are not in the database: nothing is learnt from them (texts are "
            "kept with --keep-text)"
        )
    return [
        LabelledText(one.id, one.label, one.source or "feedback", clean(one.text, one.source or "feedback"))
        for one in found.texts
    ]


def _from_scratch(
    texts: list[LabelledText], output: Path, options: dict[str, Any], report: Callable[[str], None], progress: bool
) -> None:
    from unspun.training.classifier.fast_tier import Recipe, TrainingError
    from unspun.training.retraining.scratch import train_from_scratch

    recipe = Recipe(
        name=options["name"],
        version=options["version"],
        seed=options["seed"],
        lexicons=options["lexicons"],
        jobs=options["jobs"],
        vocabulary=options["words"],
    )
    try:
        manifest = train_from_scratch(texts, output, recipe, work=options["work"], report=report, progress=progress)
    except TrainingError as error:
        raise CommandError(str(error)) from error
    except ImportError:
        raise
    except (RuntimeError, FileNotFoundError) as error:
        # A thesaurus or table is missing; the message names the package.
        raise CommandError(f"training cannot start: {error}") from error
    if not options["quiet"]:
        _show(manifest["accuracy"])


def _retrain(texts: list[LabelledText], output: Path, options: dict[str, Any], report: Callable[[str], None]) -> None:
    from unspun.model import bundle
    from unspun.training.classifier.fast_tier import TrainingError
    from unspun.training.retraining.adapt import House, retrain

    house = House(options["name"], options["version"], options["seed"], options["jobs"], options["lexicons"])
    try:
        base = bundle.load(options["base"])
        done = retrain(base, texts, output, house, report=report, warn=complain)
    except TrainingError as error:
        raise CommandError(f"{error}; nothing was written, and the model in use stays as it is") from error
    except (RuntimeError, FileNotFoundError) as error:
        raise CommandError(f"our paraphrasers cannot start: {error}; or give --spun texts of your own") from error
    from unspun.service.render.retraining import figures

    _write_reports(output, done, report)
    if not options["quiet"]:
        _show(figures(done.manifest["comparison"]))
    comparison = done.manifest["comparison"]
    if done.swapped:
        complain(
            "people's texts look more like a machine's than the machine's own: were they given the wrong way round? "
            f"{output} is written, but do not use it (`unspun models promote` refuses it without --force)"
        )
    if done.worse and not done.swapped:
        complain(
            f"{output} tells these texts less well than {comparison['with']['name']} {comparison['with']['version']}: "
            "it is written, but do not use it (`unspun models promote` refuses it without --force)"
        )
    elif not comparison["texts"]:
        used = comparison["with"]
        complain(
            f"{used['name']} {used['version']} knows all these texts: what {output} is worth cannot be told by them"
        )
    elif comparison["strength"] == 0:
        complain(f"nothing was learnt: no correction helps without harm elsewhere; {output} scores as its base does")


def _write_reports(output: Path, done: Retrained, report: Callable[[str], None]) -> None:
    from unspun.service.render.retraining import render

    (output / "report.json").write_text(json.dumps(done.manifest["comparison"], indent=1) + "\n", "utf-8")
    page, missing = render(done)
    (output / "report.html").write_text(page, "utf-8")
    if missing:
        report(missing)
    report(f"report: {output / 'report.html'}")


def _show(found: Mapping[str, Any]) -> None:
    from rich.console import Console

    from unspun.service.batch.output import StandardOutput
    from unspun.service.render.evaluation import draw, plain_console
    from unspun.training.reporting.tables import tables

    console = Console() if sys.stdout is not None and sys.stdout.isatty() else plain_console()
    with StandardOutput((sys.stdout.encoding if sys.stdout else None) or "utf-8") as sink:
        sink.write(draw(tables(found), console))

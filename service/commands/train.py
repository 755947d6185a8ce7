"""`unspun train`: labelled text to a model bundle."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.console import CommandError, complain

if TYPE_CHECKING:
    from training.corpora import LabelledText

KINDS = ("human", "spun", "translated", "rewritten")


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
        click.Option(
            ["--output"],
            metavar="BUNDLE",
            required=True,
            type=click.Path(file_okay=False, path_type=Path),
            help="Folder to write the model to.",
        ),
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
            help="Keep each stage's result in DIR: a run that was cut off goes on where it stopped.",
        ),
        click.Option(["--name"], default="custom", show_default=True, help="The model's name in every verdict."),
        click.Option(["--version", "version"], default="1.0.0", show_default=True, help="The model's version."),
        click.Option(["--seed"], type=int, default=0, show_default=True, help="The same seed gives the same model."),
        click.Option(["--jobs"], type=click.IntRange(min=1), default=2, show_default=True, help="Processes."),
        click.Option(["--words"], type=click.IntRange(min=1000), default=50_000, show_default=True, help="Vocabulary."),
        click.Option(["--quiet"], is_flag=True, help="No progress."),
    ],
)
def train(
    human: tuple[Path, ...],
    spun: tuple[Path, ...],
    translated: tuple[Path, ...],
    rewritten: tuple[Path, ...],
    labelled: tuple[Path, ...],
    output: Path,
    lexicons: Path | None,
    work: Path | None,
    name: str,
    version: str,
    seed: int,
    jobs: int,
    words: int,
    quiet: bool,
) -> None:
    """Train a model on labelled text and write it to BUNDLE.

    Reads .txt, .jsonl and .csv, also gzipped, and folders. Needs the extra `train` (pip install 'unspun[train]') and
    Debian's packages wordnet-base and mythes-en-us. Half an hour for 14 million words on two cores.

    \b
    Examples:
      unspun train --human essays/ --spun spun/ --translated mt/ --rewritten llm/ --output house-model
      unspun train --labelled ../shared/corpora --lexicons ../shared/lexicons --output model/default --name default
    """
    if not any((human, spun, translated, rewritten, labelled)):
        raise click.UsageError("give labelled text: --human, --spun, --translated, --rewritten, or --labelled")
    try:
        from training import train as training
    except ImportError as error:
        raise CommandError(f"training needs the package {error.name}: pip install 'unspun[train]'") from error
    started = time.monotonic()

    def report(line: str) -> None:
        if not quiet:
            complain(f"{time.monotonic() - started:6.0f} s  {line}")

    by_label = dict(zip(KINDS, (human, spun, translated, rewritten), strict=True))
    recipe = training.Recipe(name=name, version=version, seed=seed, lexicons=lexicons, jobs=jobs, vocabulary=words)
    from training.corpora import CorpusError

    try:
        texts = _read(by_label, labelled)
        report(f"read {len(texts):,} texts")
        progress = not quiet and sys.stderr.isatty()
        training.train(texts, output, recipe, work=work, report=report, progress=progress)
    except (CorpusError, training.TrainingError) as error:
        raise CommandError(str(error)) from error
    except (RuntimeError, FileNotFoundError, ModuleNotFoundError) as error:
        # A thesaurus or table is missing; the message names the package.
        raise CommandError(f"training cannot start: {error}") from error


def _read(by_label: dict[str, tuple[Path, ...]], labelled: tuple[Path, ...]) -> list[LabelledText]:
    from training.corpora import read_labelled

    texts = list(read_labelled(labelled))
    for label, paths in by_label.items():
        texts += read_labelled(paths, label)
    return texts

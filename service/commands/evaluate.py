"""`unspun evaluate`: what a model is worth on labelled text."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from service.console import CommandError, complain

# All else is imported by those who need it: help and usage errors should not wait for it.
if TYPE_CHECKING:
    from model.detector import Detector
    from training.corpora import LabelledText
    from training.evaluate import Evaluation

SHIPPED = "default"
"""The name of the model that ships, in place of a folder."""
LABELS = ("human", "llm", "spun", "translated", "rewritten")

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
    help="Save evaluation.json, roc.png and reliability.png in DIR as well.",
)
@click.option("--leave-one-tool-out", is_flag=True, help="Train again without each tool, and measure on what it made.")
@click.option("--leave-one-domain-out", is_flag=True, help="Train again without each domain, and measure on it.")
@click.option(
    "--features",
    metavar="FILE.npz",
    type=click.Path(dir_okay=False, path_type=Path),
    help="With --leave-one-...-out: read the measured texts from FILE, or save them there.",
)
@click.option(
    "--depth",
    type=click.Choice(["auto", "fast", "deep"]),
    default="auto",
    show_default=True,
    help="Tier that scores the texts; with --leave-one-...-out always the fast one.",
)
@click.option("--include-training", is_flag=True, help="Measure on texts that the model learnt from, too.")
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="With --leave-one-...-out: processes that measure the texts.",
)
@click.option("--seed", type=int, metavar="N", help="Of training again. Default: that of the model.")
@click.option(
    "--lexicons",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="With --leave-one-...-out: the phrase lists that the model was trained with.",
)
@click.option("--quiet", "-q", is_flag=True, help="No progress; errors are still told.")
@click.pass_obj
def evaluate(
    load: Loader | None,
    bundle: str,
    paths: tuple[str, ...],
    label: str | None,
    form: str,
    output: Path | None,
    leave_one_tool_out: bool,
    leave_one_domain_out: bool,
    features: Path | None,
    depth: str,
    include_training: bool,
    jobs: int,
    seed: int | None,
    lexicons: Path | None,
    quiet: bool,
) -> None:
    """Measure how well a model tells machine-paraphrased text from human text.

    BUNDLE is the folder of a model, or the word "default" for the one that ships. PATH is a file or folder of
    labelled text: .jsonl with "text" and "label" (human, llm, spun, translated or rewritten) and, where
    known, "id", "source", "tool", "domain" and "changed_frac"; .csv with such columns; .txt with --label;
    each also with .gz at the end. Texts that the model learnt from are left out, and counted.

    With --leave-one-tool-out or --leave-one-domain-out the classifier is trained again on PATH, which should
    be what the model was trained on, without each tool or domain. It takes about a minute each on a large
    corpus, and only those tables are written.

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
      unspun evaluate default corpora/ --leave-one-tool-out --features corpora.npz
    """
    leave_out = leave_one_tool_out or leave_one_domain_out
    _check_usage(output, features, leave_out, include_training)
    detector = (load or load_detector)(None if bundle == SHIPPED else Path(bundle))
    texts = _read(paths, label)
    bar = not quiet and sys.stderr.isatty()
    results: dict[str, Any]
    if leave_out:
        which = {"tool": leave_one_tool_out, "domain": leave_one_domain_out}
        wanted = tuple(name for name, asked in which.items() if asked)
        seed = int(detector.bundle.manifest.get("seed", 0)) if seed is None else seed
        recipe = {"seed": seed, "jobs": jobs, "lexicons": lexicons}
        results = _left_out(detector, texts, wanted, features, recipe, progress=bar)
        _write(form, results, output, _save_tables)
    else:
        from training.evaluate import evaluate as measure

        if depth == "deep" and detector.bundle.deep is None:
            raise click.UsageError("this model has no deep tier; use --depth auto or fast")
        evaluation = measure(detector, texts, depth=depth, include_training=include_training, progress=bar)
        _tell_what_is_missing(evaluation)
        _write(form, evaluation.to_dict(), output, lambda folder, _: evaluation.write(folder))


def load_detector(bundle: Path | None) -> Detector:
    """Load a model, None for the one that ships. Raises model.bundle.BundleError."""
    from model.detector import Detector

    return Detector.load(bundle)


def _check_usage(output: Path | None, features: Path | None, leave_out: bool, include_training: bool) -> None:
    """Refuse before the work what would fail after it."""
    if features is not None and not leave_out:
        raise click.UsageError("--features goes with --leave-one-tool-out or --leave-one-domain-out.")
    if features is not None and features.suffix != ".npz":
        raise click.BadParameter(f"{features}: must end in .npz.", param_hint="--features")
    if include_training and leave_out:
        raise click.UsageError("--include-training does not go with training again.")
    if output is not None:
        try:
            output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise click.BadParameter(f"{output}: {error.strerror}.", param_hint="--output") from error
        if not leave_out and importlib.util.find_spec("matplotlib") is None:
            raise CommandError("--output draws plots, which need matplotlib: pip install 'unspun[evaluate]'")


def _read(paths: tuple[str, ...], label: str | None) -> list[LabelledText]:
    from training.corpora import CorpusError, read_labelled

    try:
        texts = list(read_labelled([Path(path) for path in paths], label))
    except CorpusError as error:
        raise CommandError(str(error)) from error
    if not texts:
        raise CommandError(f"no text in {', '.join(paths)}")
    return texts


def _left_out(
    detector: Detector,
    texts: list[LabelledText],
    wanted: tuple[str, ...],
    file: Path | None,
    settings: dict[str, Any],
    *,
    progress: bool,
) -> dict[str, Any]:
    """Return the tables that are wanted, by their names."""
    from model.features import FeatureExtractor
    from training import leave_out
    from training.classify import fit_classifier
    from training.saved_features import FeaturesError, measure_once, rows_learnt_from
    from training.train import Recipe

    seed = int(settings["seed"])
    try:
        extractor = FeatureExtractor(detector.bundle.tables, detector.bundle.tagger)
        matrix = measure_once(texts, extractor, Recipe(**settings), file, progress=progress)
        learnt = rows_learnt_from(matrix, texts, detector.bundle.seen)
        results: dict[str, Any] = {}
        # The heads are fitted anew each time. The 28 numbers of the calibration are the model's own: fitting them
        # anew would fit eight times as many heads.
        fit = partial(fit_classifier, calibration=detector.bundle.classifier.calibration)
        if "tool" in wanted:
            tools = leave_out.leave_one_tool_out(matrix, learnt=learnt, seed=seed, fit=fit, progress=progress)
            results["leave_one_tool_out"] = tools.to_dict()
        if "domain" in wanted:
            domains = leave_out.leave_one_domain_out(matrix, learnt=learnt, seed=seed, fit=fit, progress=progress)
            results["leave_one_domain_out"] = domains.to_dict()
        return results
    except (FeaturesError, leave_out.LeaveOutError) as error:
        raise CommandError(str(error)) from error
    except ImportError as error:
        raise CommandError(f"training again needs {error.name}: pip install 'unspun[train]'") from error


def _save_tables(folder: Path, results: dict[str, Any]) -> None:
    for name, table in results.items():
        path = folder / f"{name.replace('_', '-')}.json"
        path.write_text(_to_json(table), encoding="utf-8")


def _to_json(results: dict[str, Any]) -> str:
    return json.dumps(results, indent=1, ensure_ascii=False) + "\n"


def _write(
    form: str,
    results: dict[str, Any],
    folder: Path | None,
    save: Callable[[Path, dict[str, Any]], Any],
) -> None:
    """Show the results, and save them in the folder if there is one."""
    from service.output import StandardOutput

    if folder is not None:
        save(folder, results)
    if form == "json":
        with StandardOutput() as sink:
            sink.write(_to_json(results))
        return
    from rich.console import Console

    from service.render.evaluation import draw, plain_console
    from training.tables import tables

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
    if not answers.human.any():
        complain("no human text got a verdict: there are no false-positive rates, and nothing to tell apart")
    elif not answers.machine.any():
        complain("no machine-paraphrased text got a verdict: there is nothing to tell apart")

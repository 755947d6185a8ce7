"""`unspun models`: a folder of models, which of them is in use, and the way there and back."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from unspun.service.commands.score import UNREAD, _standard_input
from unspun.service.console import CommandError, complain

# All else is imported by those who need it: help and usage errors should not wait for it.
if TYPE_CHECKING:
    from rich.console import Console

    from unspun.model.detector import Detector
    from unspun.reading.reader import Format
    from unspun.service.models.folder import Change, ModelFolder, Version

LONGEST_TABLE = 12
"""Rows of a table of figures that `show` draws; longer ones are named."""

_format = click.option(
    "--format",
    "form",
    type=click.Choice(["table", "jsonl"]),
    help="How it is written. Default: a table on a terminal, else jsonl.",
)


@click.group(short_help="Keep models as versions: promote one, roll back, see what differs.")
@click.option(
    "--models",
    "path",
    metavar="DIR",
    envvar="UNSPUN_MODELS",
    default="models",
    show_default="UNSPUN_MODELS, else ./models",
    type=click.Path(path_type=Path, readable=False),
    help="Folder of the models.",
)
@click.pass_context
def models(context: click.Context, path: Path) -> None:
    """Keep models as versions in a folder, one of them in use: DIR/current, a link to it.

    Whatever is given DIR/current as its model (--model, UNSPUN_MODEL) uses that one; a running service changes over
    within a second, and loses no request. A MODEL is the name of a folder in DIR, or its beginning, the beginning of a
    sha256, `current`, or `default` for the model that ships.

    \b
    Examples:
      unspun models promote house-model
      unspun models diff default current articles/
      unspun models list
      unspun models rollback
      UNSPUN_MODEL=models/current unspun serve
    """
    from unspun.service.models.folder import ModelFolder

    context.obj = ModelFolder(path, tell=complain)


@models.command("list")
@_format
@click.pass_obj
def list_models(folder: ModelFolder, form: str | None) -> None:
    """List the models: who they are, when they were written, how accurate they were measured to be, which is in use.

    A model that cannot be used is listed with what is wrong with it.
    """
    with _explained():
        versions, in_use = folder.versions(), folder.in_use
    if in_use is not None and not (folder.path / in_use).is_dir():
        complain(f"{folder.path}/current leads to {in_use}, which is not there; `unspun models rollback` sets it right")
    if not versions:
        complain(f"{folder.path}: no models yet; `unspun models promote BUNDLE` takes one in")
    if _form(form) == "jsonl":
        _write("".join(_line(_about(version)) for version in versions))
    elif versions:
        _draw([_row(version) for version in versions])


@models.command()
@click.argument("model", default="", metavar="[MODEL]")
@_format
@click.pass_obj
def show(folder: ModelFolder, model: str, form: str | None) -> None:
    """Show a model's manifest: how it decides, accuracy, what it learnt from, how it compares with the former.

    MODEL: by default the one in use, or else the one that ships. jsonl gives the whole manifest.
    """
    from unspun.model import bundle

    with _explained():
        name = model or ("current" if folder.in_use is not None else "default")
        found = folder.find(name)
        info, manifest = bundle.check(found)
        history = [change for change in folder.history() if change.model == found.name]
    entry: dict[str, Any] = {"folder": str(found), **info.to_dict(), "in_use": folder.in_use == found.name}
    if _form(form) == "jsonl":
        changes = [json.loads(change.to_json()) for change in history]
        _write(_line({**entry, "history": changes, "manifest": manifest}))
    else:
        _draw(_shown(entry, manifest, history), ())


@models.command()
@click.argument("model", metavar="BUNDLE|MODEL")
@click.option("--force", is_flag=True, help="Also a model that was found worse than the one it was compared with.")
@click.pass_obj
def promote(folder: ModelFolder, model: str, force: bool) -> None:
    """Put a model in use: one of the folder, or a BUNDLE as `unspun train` writes it, which is copied into the folder.

    It is proven first: the hashes of all its files, its format, that it loads and scores a text. Where anything fails,
    the model in use stays in use.
    """
    with _explained():
        _tell_change(folder, folder.promote(folder.find(model), force=force))


@models.command()
@click.argument("model", default="", metavar="[MODEL]")
@click.pass_obj
def rollback(folder: ModelFolder, model: str) -> None:
    """Put the model in use again that was before the one that is, or MODEL.

    Several times in a row it goes further and further back; `promote` goes forward again.
    """
    with _explained():
        _tell_change(folder, folder.rollback(model or None))


@models.command()
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@_format
@click.option(
    "--depth",
    type=click.Choice(["auto", "fast", "deep"]),
    default="auto",
    show_default=True,
    help="The tier that decides.",
)
@click.option(
    "--input-format",
    type=click.Choice(["txt", "html", "jsonl", "csv", "parquet", "warc"]),
    help="What standard input is, as for `unspun score`.",
)
@click.option("--quiet", "-q", is_flag=True, help="No progress; errors are still told.")
@click.pass_obj
def diff(
    folder: ModelFolder,
    a: str,
    b: str,
    paths: tuple[str, ...],
    form: str | None,
    depth: str,
    input_format: Format | None,
    quiet: bool,
) -> None:
    """Score documents with the models A and B, and list those that B calls otherwise, and why.

    A and B are models as above, or folders. PATH is what `unspun score` reads. For each document: both verdicts and
    scores, whether the evidence or the decision changed the word, and the evidence that came and went; at the end,
    totals and how the models decide (in jsonl the last line, with the key "totals").

    \b
    Exit status:
      0    all documents were scored
      1    a model could not be loaded
      2    wrong usage
      3    some documents could not be read; each is told in a line, the rest were scored
    """
    from unspun.reading.html import extract_article
    from unspun.reading.reader import Failure, Reader
    from unspun.service.batch.progress import Progress
    from unspun.service.batch.scoring import Scored, Tally
    from unspun.service.models.difference import Totals, differences
    from unspun.service.render.difference import DifferenceLines, DifferenceTable

    before, after = (_load(folder, name, depth) for name in (a, b))
    if before.model.sha256 == after.model.sha256:
        complain(f"warning: {a} and {b} are the same model ({before.model.sha256[:12]})")
    reader = Reader(paths, stdin=_standard_input(), stdin_format=input_format, article=extract_article)
    totals, tally = Totals(before.model, after.model, (before.decision, after.decision)), Tally()
    renderer = DifferenceLines() if _form(form) == "jsonl" else DifferenceTable(_console())
    terminal = sys.stderr is not None and sys.stderr.isatty()
    with Progress(reader, enabled=not quiet, terminal=terminal) as progress:
        for outcome in differences(before, after, reader, totals, depth=depth):
            if isinstance(outcome, Failure):
                complain(str(outcome))
                tally.add(outcome)
            else:
                record, verdict, found = outcome
                tally.add(Scored(record, verdict))
                if found is not None:
                    _write(renderer.document(found))
            progress.update(tally)
    _write(renderer.totals(totals))
    if totals.failures:
        raise click.exceptions.Exit(UNREAD)


@contextmanager
def _explained() -> Iterator[None]:
    from unspun.model.bundle import BundleError
    from unspun.service.models.folder import ModelsError

    try:
        yield
    except (ModelsError, BundleError) as error:
        raise CommandError(str(error)) from error


def _load(folder: ModelFolder, name: str, depth: str) -> Detector:
    from unspun.model.detector import Detector

    with _explained():
        detector = Detector.load(folder.find(name))
    try:
        detector.score_many([], depth=depth)
    except ValueError as error:
        raise CommandError(f"{name}: {error}") from error
    return detector


def _tell_change(folder: ModelFolder, change: Change) -> None:
    if change.model == change.previous:
        return
    before = f", before {change.previous}" if change.previous is not None else ""
    complain(f"in use: {folder.path / change.model}{before}")
    if change.previous is None:
        complain(f"commands and services use it with --model {folder.path}/current, or UNSPUN_MODEL")


def _row(version: Version) -> dict[str, Any]:
    """Return a model's row of the list."""
    from unspun.model.verdict import KINDS
    from unspun.service.models.folder import comparison, measured

    row: dict[str, Any] = {"model": f"{'*' if version.in_use else ' '} {version.folder.name}"}
    row["created"] = version.created.partition("T")[0]
    found = measured(version.manifest)
    figures = [f"{found[kind]:.3f}" if kind in found else "-" for kind in KINDS]
    row[f"AUROC {', '.join(KINDS)}"] = ", ".join(figures) if found else None
    compared = comparison(version.manifest)
    if compared:
        other = compared.get("with")
        name = f"{other.get('name')} {other.get('version')}" if isinstance(other, dict) else "another"
        row["note"] = f"{'worse than' if compared.get('worse') else 'from'} {name}{_on_its_texts(compared)}"
    if version.problem is not None:
        row["note"] = f"broken: {version.problem}"
    return row


def _on_its_texts(compared: dict[str, Any]) -> str:
    """Return what retraining gained on the house's own texts; "" where the manifest does not tell."""
    try:
        tiers = compared["tiers"]
        both = tiers["deep" if "deep" in tiers else "fast"]["all"]
        return f", AUROC on its own texts {both['auroc_before']:.3f}, now {both['auroc_after']:.3f}"
    except (LookupError, TypeError, ValueError):
        return ""


def _about(version: Version) -> dict[str, Any]:
    from unspun.service.models.folder import comparison, measured

    info = version.info
    return {
        "model": version.folder.name,
        "name": None if info is None else info.name,
        "version": None if info is None else info.version,
        "sha256": None if info is None else info.sha256,
        "created": version.created,
        "in_use": version.in_use,
        "auroc": measured(version.manifest),
        "comparison": comparison(version.manifest) or None,
        "problem": version.problem,
    }


def _shown(entry: dict[str, Any], manifest: dict[str, Any], history: list[Change]) -> dict[str, Any]:
    """Return what `show` draws, as nested results of which `training.tables` makes tables."""
    data = manifest.get("data")
    learnt = dict(data) if isinstance(data, dict) else {}
    sources = learnt.pop("sources", None)
    if isinstance(sources, dict):
        learnt["sources"] = len(sources)
    house = manifest.get("house")
    shown: dict[str, Any] = {
        "model": entry,
        "history": [
            {"when": change.when, "what": change.action, "before": change.previous, "forced": change.forced}
            for change in history
        ],
        "decision": _decision(manifest),
        "comparison": manifest.get("comparison"),
        "accuracy": manifest.get("accuracy"),
        "data": learnt,
        "the house's own data": house.get("data") if isinstance(house, dict) else None,
    }
    return {name: _short(value) for name, value in shown.items() if value}


def _decision(manifest: dict[str, Any]) -> dict[str, Any] | None:
    """Return how a model decides, None where its manifest does not tell it."""
    from unspun.model.decision.decision import Decision
    from unspun.service.models.difference import summary

    try:
        found = summary(Decision.from_manifest(manifest["decision"]))
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    tiers = found.pop("tiers")
    limits = [
        {"tier": name, "suspect_rate": tier["suspect"], "paraphrased_rate": tier["paraphrased"]}
        for name, tier in tiers.items()
    ]
    kinds = [
        {
            "tier": name,
            "kind": kind,
            "share_of_the_budget": of_kind["share"],
            "factor": of_kind["factor"],
            **{
                f"{word} at {n} words": of_kind[word][n] for word in ("suspect", "paraphrased") for n in ("100", "1000")
            },
        }
        for name, tier in tiers.items()
        for kind, of_kind in tier["kinds"].items()
    ]
    return {
        **found,
        "thresholds": {
            "note": "Rates of the strongest kind at which a text is suspect (score 0.5), and paraphrased (score 0.9).",
            "rows": limits,
        },
        "kinds": {
            "note": "Evidence, in log odds, from which a familiar text is suspect, and paraphrased, by each kind.",
            "rows": kinds,
        },
    }


def _short(value: Any) -> Any:
    """Return results with the rows of long tables left out: all of them are in the manifest, and in CARD.md."""
    if isinstance(value, list) and len(value) > LONGEST_TABLE:
        return {"note": f"{len(value)} rows: see CARD.md, or --format jsonl"}
    return {key: _short(part) for key, part in value.items()} if isinstance(value, dict) else value


def _form(form: str | None) -> str:
    return form or ("table" if _is_terminal() else "jsonl")


def _is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()


def _console() -> Console:
    from rich.console import Console

    from unspun.service.render.evaluation import plain_console

    return Console() if _is_terminal() else plain_console()


def _draw(results: Any, titles: tuple[str, ...] = ()) -> None:
    from unspun.service.render.evaluation import draw
    from unspun.training.reporting.tables import tables

    _write(draw(tables(results, titles), _console()))


def _line(entry: dict[str, Any]) -> str:
    return json.dumps(entry, ensure_ascii=True) + "\n"  # paths may hold bytes that are no UTF-8


def _write(text: str) -> None:
    from unspun.service.batch.output import StandardOutput

    with StandardOutput((sys.stdout.encoding if sys.stdout else None) or "utf-8") as sink:
        sink.write(text)

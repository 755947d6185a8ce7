"""`unspun models`: a folder of models, which of them is in use, and how to change that."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from unspun.model.quoting import shortened
from unspun.service.commands.common import (
    INCOMPLETE,
    Decorated,
    Reading,
    depth_option,
    figures_console,
    format_option,
    in_words,
    load_detector,
    open_reader,
    progress_of,
    quiet_option,
    reading_options,
    reported,
    require_depth,
    wants_json,
    write,
    write_figures,
)
from unspun.service.commands.former import former_model_argument
from unspun.service.console import CommandError, complain, one_line, printable

# Everything else is imported where it is needed, so that help and usage errors are quick.
if TYPE_CHECKING:
    from unspun.model.detector import Detector
    from unspun.service.models.folder import ModelChange, ModelFolder, Version


def version_option(text: str, *, required: bool = False) -> Callable[[Decorated], Decorated]:
    """Return the option --model of a command on the folder's models; `text` is its help."""
    return click.option("--model", metavar="BUNDLE", required=required, help=text)


FILE = click.Path(dir_okay=False, path_type=Path)
KEY_LASTS = timedelta(days=730)
LONGEST_TABLE = 12
"""Rows of a table of figures that `show` draws; of longer tables it shows only the number of rows."""
LONGEST_TEXT = 300
"""Characters of a text from a manifest, or of a reason, in a table."""


@click.group(short_help="Keep versions of models: promote, roll back, compare.")
@click.option(
    "--models",
    "path",
    metavar="DIR",
    envvar="UNSPUN_MODELS",
    default="models",
    show_default="$UNSPUN_MODELS, else ./models",
    type=click.Path(path_type=Path, readable=False),
    help="Folder of the models.",
)
@click.pass_context
def models(context: click.Context, path: Path) -> None:
    """Keep versions of models in a folder. DIR/current, a symbolic link, is the one in use.

    Commands and services that get DIR/current as their model (--model, UNSPUN_MODEL) use that version. A running
    service switches to a new one within a second, without losing a request. The commands below take a model by
    --model: the name of a folder in DIR or the start of one, the start of a sha256, `current`, `default` for the model
    that ships with unspun, or the path of a BUNDLE.

    \b
    Exit status:
      0    done
      1    a model or the folder could not be used
      2    wrong usage
      3    some documents could not be read (diff)
      130  interrupted

    \b
    Examples:
      unspun models promote --model house-model
      unspun models diff --model default --model current articles/
      unspun models list
      unspun models rollback
      UNSPUN_MODEL=models/current unspun serve
      unspun models sign --model house-model --key release.pem
    """
    from unspun.service.models.folder import ModelFolder

    context.obj = ModelFolder(path, tell=complain)


@models.command("list", short_help="List all models.")
@format_option()
@click.pass_obj
def list_models(folder: ModelFolder, form: str | None) -> None:
    """List all models: name, date, measured accuracy, and which one is in use.

    A model that cannot be used is listed with the reason, and so is one that is refused because of
    UNSPUN_TRUSTED_KEYS.

    \b
    Exit status:
      0    listed
      1    the folder could not be read
      2    wrong usage

    \b
    Example:
      unspun models list
    """
    versions, in_use = folder.versions(), folder.in_use
    if in_use is not None and not (folder.path / in_use).is_dir():
        complain(f"{folder.path}/current links to {in_use}, which does not exist; `unspun models rollback` repairs it")
    if not versions:
        complain(f"{folder.path}: no models yet; `unspun models promote --model BUNDLE` adds one")
    if wants_json(form):
        write("".join(_line(_entry(version)) for version in versions))
    elif versions:
        write_figures([_row(version) for version in versions])


@models.command(short_help="Show a model's manifest and history.")
@former_model_argument
@version_option("Model to show. Default: the one in use, else `default`.")
@format_option()
@click.pass_obj
def show(folder: ModelFolder, model: str | None, form: str | None) -> None:
    """Show a model's manifest: thresholds, accuracy, training data, and how it compares with the model before it.

    jsonl contains the whole manifest. With UNSPUN_TRUSTED_KEYS set, `refused` says why the model is refused, if it is.

    \b
    Exit status:
      0    shown
      1    the model could not be read
      2    wrong usage

    \b
    Example:
      unspun models show --model default
    """
    from unspun.model import bundle
    from unspun.service.models.folder import refusal

    found = folder.find(model or _model_in_use(folder))
    info, manifest = bundle.check(found)
    history = [change for change in folder.history() if change.model == found.name]
    refused = refusal(found, info)
    entry: dict[str, Any] = {"folder": str(found), **info.to_dict(), "in_use": folder.in_use == found.name}
    if wants_json(form):
        changes = [json.loads(change.to_json()) for change in history]
        write(_line({**entry, "refused": refused, "history": changes, "manifest": manifest}))
    else:
        if refused is not None:
            entry["refused"] = refused
        write_figures(_shown(entry, manifest, history))


@models.command(short_help="Put a model in use.")
@former_model_argument
@version_option("Model of the folder, or a BUNDLE, to put in use.", required=True)
@click.option("--force", is_flag=True, help="Also promote a model that was measured to be worse than its base.")
@click.pass_obj
def promote(folder: ModelFolder, model: str, force: bool) -> None:
    """Put a model in use: one of the folder, or a BUNDLE written by `unspun train`, which is copied into the folder.

    The model is tested first: the hashes of all files, the format, and whether it loads and scores a text. If a test
    fails, the model in use does not change.

    \b
    Exit status:
      0    the model is in use
      1    the model cannot be used, or is worse; the one in use did not change
      2    wrong usage
      130  interrupted

    \b
    Example:
      unspun models promote --model house-model
    """
    _report_change(folder, folder.promote(folder.find(model), force=force))


@models.command(short_help="Return to the model used before.")
@former_model_argument
@version_option("Model to return to. Default: the one that was in use before.")
@click.pass_obj
def rollback(folder: ModelFolder, model: str | None) -> None:
    """Put the model in use that was in use before, or another one of the folder.

    Repeat the command to go further back; `promote` goes forward again.

    \b
    Exit status:
      0    the model is in use
      1    there is no such model; the model in use did not change
      2    wrong usage
      130  interrupted

    \b
    Example:
      unspun models rollback
    """
    _report_change(folder, folder.rollback(model))


@models.command(short_help="Compare the verdicts of two models.")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option(
    "--model",
    "models",
    metavar="BUNDLE",
    multiple=True,
    help="Model to compare. Give it twice: the model before, then the model after. Given once, the model before is the "
    "one in use, else `default`.",
)
@format_option()
@depth_option
@reading_options
@quiet_option("Show no progress, only differences and errors.")
@click.pass_context
def diff(
    context: click.Context,
    /,
    paths: tuple[str, ...],
    models: tuple[str, ...],
    form: str | None,
    depth: str,
    reading: Reading,
    quiet: bool,
) -> None:
    """Score documents with two models, and list those whose verdict differs, with the reason.

    The models are those of the folder, by name, or the folders of other models. PATH is anything that `unspun score`
    reads. For each document, this shows both verdicts and scores, whether the evidence or the decision changed the
    verdict, and which evidence was gained and lost. Totals and the models' thresholds follow at the end (in jsonl, the
    last line has the key "totals").

    \b
    Exit status:
      0    all documents were scored
      1    a model could not be loaded
      2    wrong usage
      3    some documents could not be read; the rest were scored
      130  interrupted

    \b
    Example:
      unspun models diff --model default --model current articles/
    """
    from unspun.reading.reader import Failure
    from unspun.service.batch.scoring import Scored, Tally
    from unspun.service.models.difference import Totals, differences
    from unspun.service.models.difference_report import DifferenceLines, DifferenceTable

    _check_models(context, models, paths)
    folder: ModelFolder = context.obj
    a, b = models if len(models) == 2 else (_model_in_use(folder), *models)
    before, after = (_load(folder, name, depth) for name in (a, b))
    if before.model.sha256 == after.model.sha256:
        complain(f"warning: {a} and {b} are the same model ({before.model.sha256[:12]})")
    reader = open_reader(paths, reading)
    totals, tally = Totals(before.model, after.model, (before.decision, after.decision)), Tally()
    renderer = DifferenceLines() if wants_json(form) else DifferenceTable(figures_console())
    with progress_of(reader, quiet=quiet) as progress:
        for outcome in differences(before, after, reader, totals, depth=depth):
            if isinstance(outcome, Failure):
                complain(str(outcome))
                tally.add(outcome)
            else:
                record, verdict, found = outcome
                tally.add(Scored(record, verdict))
                if found is not None:
                    write(renderer.document(found))
            progress.update(tally)
    write(renderer.totals(totals))
    if reader.skipped and not quiet:
        complain(in_words(reader.skipped))
    if totals.failures:
        raise click.exceptions.Exit(INCOMPLETE)


@models.command(short_help="Create a key for signing models.")
@click.option("--output", metavar="FILE", required=True, type=FILE, help="File for the private key. Keep it secret.")
@click.option("--name", metavar="NAME", help="Name of the key, for messages. Default: the name of FILE.")
@click.option(
    "--expires",
    metavar="DATE",
    help="Last day on which the key is accepted, such as 2027-11-30, or `never`. Default: two years from now.",
)
@click.option("--passphrase", "protected", is_flag=True, help="Protect the private key with a passphrase.")
def keygen(output: Path, name: str | None, expires: str | None, protected: bool) -> None:
    """Create an Ed25519 key for signing models, and print the line that makes others trust it.

    FILE gets the private key. The line that is printed has the public key: add it to the file that UNSPUN_TRUSTED_KEYS
    names, wherever your models are used. Delete the line to revoke the key. With --passphrase, the passphrase is asked
    for, or taken from UNSPUN_PASSPHRASE.

    \b
    Exit status:
      0    created
      1    FILE exists already, or could not be written
      2    wrong usage

    \b
    Example:
      unspun models keygen --output release.pem >> trusted-keys.txt
    """
    from unspun.model.signing import TrustError, create_key

    passphrase = _passphrase(new=True) if protected else None
    with reported(TrustError):
        key = create_key(output, _name_of_key(name or output.stem), _last_day(expires), passphrase)
    write(f"{key.line}\n")
    complain(f"{output}: this private key can sign models; keep it secret")


@models.command(short_help="Sign a model.")
@version_option("Model to sign: one of the folder, or a BUNDLE.", required=True)
@click.option("--key", metavar="FILE", required=True, type=FILE, help="Private key from `models keygen`.")
@click.pass_obj
def sign(folder: ModelFolder, model: str, key: Path) -> None:
    """Sign a model, so that others can check that it is yours and unchanged.

    First the hashes of all files are checked. The signature is the file manifest.sig in the model's folder, and
    replaces one that is already there. Training, calibrating or changing a model needs a new signature. If the key has
    a passphrase, it is asked for, or taken from UNSPUN_PASSPHRASE.

    \b
    Exit status:
      0    signed
      1    the model or the key could not be used, or nothing could be written
      2    wrong usage

    \b
    Example:
      unspun models sign --model house-model --key release.pem
    """
    from unspun.model import bundle
    from unspun.model.signing import PassphraseError, TrustError, read_key
    from unspun.model.signing import sign as sign_bundle

    found = folder.find(model)
    info, _ = bundle.check(found)
    if info.sha256 == bundle.SHIPPED_SHA256:
        raise CommandError(f"{model}: the model that ships with unspun is accepted without a signature")
    with reported(TrustError):
        try:
            private = read_key(key)
        except PassphraseError:
            private = read_key(key, _passphrase())
    try:
        signature = sign_bundle(found, info.sha256, private)
    except OSError as error:
        raise CommandError(f"{error.filename or found}: {error.strerror}; the model was not signed") from error
    complain(f"{found}: signed {info.name} {info.version} ({info.sha256[:12]}...) with the key {signature.key}")


@models.command(short_help="Check a model's files and its signature.")
@version_option("Model to check: one of the folder, or a BUNDLE. Default: the one in use, else `default`.")
@click.option(
    "--trusted-keys",
    metavar="FILE",
    envvar="UNSPUN_TRUSTED_KEYS",
    type=FILE,
    help="File of the keys that are trusted. Default: $UNSPUN_TRUSTED_KEYS.",
)
@click.pass_obj
def verify(folder: ModelFolder, model: str | None, trusted_keys: Path | None) -> None:
    """Check that a trusted key signed a model, and that none of its files has changed since.

    With UNSPUN_TRUSTED_KEYS set, every command that uses a model, the service and the Python API refuse models that
    fail this check. The model that ships with unspun needs no signature: its hash is part of the program.

    \b
    Exit status:
      0    the model is signed by a trusted key, and complete
      1    it is not; the message says why
      2    wrong usage

    \b
    Example:
      unspun models verify --model house-model --trusted-keys trusted-keys.txt
    """
    from unspun.model import bundle

    if trusted_keys is None:
        raise click.UsageError("name the keys that you trust: --trusted-keys FILE, or set UNSPUN_TRUSTED_KEYS.")
    trusted = bundle.trusted(trusted_keys)
    found = folder.find(model or _model_in_use(folder))
    info, manifest = bundle.check(found, trusted=trusted)
    assert trusted is not None
    by = "the model that ships with unspun"
    if info.sha256 != bundle.SHIPPED_SHA256:
        key, signature = trusted.verify(found, info.sha256)
        until = "does not expire" if key.last_day is None else f"is accepted until {key.last_day}"
        by = f"signed by {key.name} at {signature.signed}; this key {until}"
    shown = one_line(f"{found}: {info.name} {info.version}: {by}; {len(manifest['files'])} files are unchanged")
    write(f"{shown}\n")


def _name_of_key(name: str) -> str:
    if not name.strip() or not name.isprintable():
        raise click.UsageError(f"{printable(name)!r} cannot be the name of a key; choose another --name.")
    return name.strip()


def _last_day(expires: str | None) -> date | None:
    """Return the last day of a key. Raises UsageError."""
    today = datetime.now(UTC).date()
    if expires == "never":
        return None
    try:
        last_day = today + KEY_LASTS if expires is None else date.fromisoformat(expires)
    except ValueError:
        raise click.UsageError(f"--expires {printable(str(expires))}: write a day like 2027-11-30, or never.") from None
    if last_day < today:
        raise click.UsageError(f"--expires {last_day} is in the past.")
    return last_day


def _passphrase(*, new: bool = False) -> str:
    """Return the passphrase of a private key: from the environment, or asked for."""
    given = os.environ.get("UNSPUN_PASSPHRASE")
    if given:
        return given
    if not sys.stdin.isatty():
        raise CommandError("this key needs a passphrase: set UNSPUN_PASSPHRASE, or use a terminal")
    asked: str = click.prompt("Passphrase of the private key", hide_input=True, confirmation_prompt=new, err=True)
    return asked


def _model_in_use(folder: ModelFolder) -> str:
    return "current" if folder.in_use is not None else "default"


def _check_models(context: click.Context, names: tuple[str, ...], paths: tuple[str, ...]) -> None:
    """Raise UsageError if there are not one or two models. They were once arguments before the paths."""
    if not names and len(paths) > 2:
        example = " ".join((context.command_path, "--model", paths[0], "--model", paths[1], *paths[2:]))
        raise click.UsageError(f"models are given with --model; use {printable(example)}")
    if not 1 <= len(names) <= 2:
        raise click.UsageError("give --model twice: --model BEFORE --model AFTER.")


def _load(folder: ModelFolder, name: str, depth: str) -> Detector:
    detector = load_detector(folder.find(name))
    require_depth(detector, depth, name)
    return detector


def _report_change(folder: ModelFolder, change: ModelChange) -> None:
    if change.model == change.previous:
        return
    before = f", before {change.previous}" if change.previous is not None else ""
    complain(f"in use: {folder.path / change.model}{before}")
    if change.previous is None:
        complain(
            f"to use it, run commands and services with --model {folder.path}/current, or set UNSPUN_MODEL to that"
        )


def _row(version: Version) -> dict[str, Any]:
    from unspun.model.verdict import KINDS
    from unspun.service.models.folder import compared_with, comparison, measured

    row: dict[str, Any] = {"model": f"{'*' if version.in_use else ' '} {version.folder.name}"}
    row["created"] = version.created.partition("T")[0]
    found = measured(version.manifest)
    figures = [f"{found[kind]:.3f}" if kind in found else "-" for kind in KINDS]
    row[f"AUROC {', '.join(KINDS)}"] = ", ".join(figures) if found else None
    compared = comparison(version.manifest)
    if compared:
        other = compared.get("with")
        name = compared_with(other) if isinstance(other, dict) else "another model"
        row["note"] = f"{'worse than' if compared.get('worse') else 'from'} {name}{_gain(compared)}"
    for word, reason in (("broken", version.problem), ("refused", version.refused)):
        if reason is not None:
            row["note"] = f"{word}: {shortened(reason, LONGEST_TEXT)}"
    return row


def _gain(compared: dict[str, Any]) -> str:
    """Return what retraining gained on the new model's own texts; "" if the manifest does not say."""
    try:
        tiers = compared["tiers"]
        both = tiers["deep" if "deep" in tiers else "fast"]["all"]
        return f", AUROC on its own texts {both['auroc_before']:.3f}, now {both['auroc_after']:.3f}"
    except (LookupError, TypeError, ValueError):
        return ""


def _entry(version: Version) -> dict[str, Any]:
    from unspun.service.models.folder import comparison, measured

    info = version.info.to_dict() if version.info else dict.fromkeys(("name", "version", "sha256"))
    return {
        "model": version.folder.name,
        **info,
        "created": version.created,
        "in_use": version.in_use,
        "auroc": measured(version.manifest),
        "comparison": comparison(version.manifest) or None,
        "problem": version.problem,
        "refused": version.refused,
    }


def _shown(entry: dict[str, Any], manifest: dict[str, Any], history: Sequence[ModelChange]) -> dict[str, Any]:
    """Return what `show` draws, as nested results for `training.reporting.tables`."""
    data = manifest.get("data")
    trained_on = dict(data) if isinstance(data, dict) else {}
    sources = trained_on.pop("sources", None)
    if isinstance(sources, dict):
        trained_on["sources"] = len(sources)
    house = manifest.get("house")
    shown: dict[str, Any] = {
        "model": entry,
        "history": [
            {"when": change.when, "action": change.action, "before": change.previous, "forced": change.forced}
            for change in history
        ],
        "decision": _decision(manifest),
        "comparison": manifest.get("comparison"),
        "accuracy": manifest.get("accuracy"),
        "data": trained_on,
        "the house's own data": house.get("data") if isinstance(house, dict) else None,
    }
    return {name: _shortened(value) for name, value in shown.items() if value}


def _decision(manifest: dict[str, Any]) -> dict[str, Any] | None:
    """Return how a model decides, None if its manifest does not say."""
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
            "note": "False-positive rates of the strongest kind at which a text is suspect (score 0.5) and paraphrased "
            "(score 0.9).",
            "rows": limits,
        },
        "kinds": {
            "note": "Evidence of each kind, in log odds, at which a familiar text becomes suspect and paraphrased.",
            "rows": kinds,
        },
    }


def _shortened(value: Any) -> Any:
    """Return results without the rows of long tables and the middle of long texts, which are in the manifest."""
    if isinstance(value, list) and len(value) > LONGEST_TABLE:
        return {"note": f"{len(value)} rows: see CARD.md, or --format jsonl"}
    if isinstance(value, str):
        return shortened(value, LONGEST_TEXT)
    return {shortened(key, 100): _shortened(part) for key, part in value.items()} if isinstance(value, dict) else value


def _line(entry: dict[str, Any]) -> str:
    return json.dumps(entry, ensure_ascii=True) + "\n"  # paths may hold bytes that are not UTF-8

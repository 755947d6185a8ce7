"""`unspun feedback`: people's labels of texts, added, imported, exported and deleted."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import click

from unspun.model.verdict import JUDGEMENTS, Judgement
from unspun.service.console import CommandError, complain, printable

if TYPE_CHECKING:
    from unspun.service.batch.scoring import ScorerLoader
    from unspun.service.feedback.labels import Label, LabelLine
    from unspun.service.feedback.store import Store

DEFAULT_DATABASE = "sqlite:///feedback.db"
NOT_ALL = 3
"""Exit status where some lines or documents could not be read; the rest were stored."""

database_option = click.option(
    "--database",
    metavar="URL",
    envvar="UNSPUN_DATABASE_URL",
    default=DEFAULT_DATABASE,
    help=f"SQLite file or address of a database. Default: UNSPUN_DATABASE_URL, else {DEFAULT_DATABASE}.",
)
model_option = click.option(
    "--model",
    "bundle",
    metavar="BUNDLE",
    envvar="UNSPUN_MODEL",
    help="Folder of the model that judges. Default: UNSPUN_MODEL, else the one that ships.",
)


@contextmanager
def open_store(database: str, *, migrates: bool | None = None) -> Iterator[Store]:
    """Give the store at an address, and close it. What goes wrong with the database is raised as CommandError."""
    try:
        from unspun.service.feedback.database import StoreError
        from unspun.service.feedback.store import Store
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        raise CommandError(f"labels need {missing}: pip install 'unspun[feedback]'") from error
    try:
        store = Store(database, migrates=migrates)
    except ValueError as error:
        raise click.BadParameter(f"{error}.", param_hint="--database") from error
    except StoreError as error:
        raise CommandError(str(error)) from error
    try:
        yield store
    except StoreError as error:
        raise CommandError(str(error)) from error
    finally:
        store.database.close()


@click.group(short_help="People's labels of texts: import, export, delete.")
def feedback() -> None:
    """Keep what people say of texts: human, spun, translated or rewritten. `unspun audit` tells what follows from it.

    Labels come from a service (POST /v1/feedback, and its page), from the buttons in the HTML report of
    `unspun score`, and from files. Of a text only its hash is kept, unless it is asked to be kept itself.

    \b
    Examples:
      unspun feedback import labels.jsonl --texts articles/
      unspun feedback add --label human --source desk essays/
      unspun feedback export --with-text > labels.jsonl
    """


@feedback.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option("--label", "word", type=click.Choice(JUDGEMENTS), required=True, help="What all these texts are.")
@click.option("--source", metavar="NAME", help="Where they are from: a site, a project, a group of authors.")
@click.option("--keep-text", is_flag=True, help="Store the texts, too; else only their hashes.")
@model_option
@database_option
@click.pass_obj
def add(
    load: ScorerLoader | None,
    paths: tuple[str, ...],
    word: Judgement,
    source: str | None,
    keep_text: bool,
    bundle: str | None,
    database: str,
) -> None:
    """Judge the documents under PATH, as `unspun score` does, and store one label for all of them."""
    with open_store(database) as store:
        from unspun.reading.reader import Failure
        from unspun.service.batch.scoring import score_records
        from unspun.service.feedback.labels import LabelError, make_label

        now = datetime.now(UTC)
        labels, unread = [], 0
        for outcome in score_records(_scorer(load, bundle), _reader(paths)):
            if isinstance(outcome, Failure):
                complain(str(outcome))
                unread += 1
                continue
            text, verdict = outcome.record.text, outcome.verdict
            try:
                labels.append(make_label(text, word, verdict, now, keep_text=keep_text, source=source))
            except LabelError as error:
                complain(f"{outcome.record.where}: {error}")
                unread += 1
        _store(store, labels, {label.id for label in labels}, unread)


@feedback.command("import")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "--texts",
    metavar="PATH",
    multiple=True,
    help="Where the labelled texts are: those that are to be kept are found by their hashes. May be repeated.",
)
@model_option
@database_option
@click.pass_obj
def import_(
    load: ScorerLoader | None,
    files: tuple[str, ...],
    texts: tuple[str, ...],
    bundle: str | None,
    database: str,
) -> None:
    """Store the labels in FILE: JSON lines, as the HTML report and `export` write them, or - for standard input.

    A line needs "label", and "text" or, with the "verdict" on it, "digest"; a text without a verdict is judged now.
    Labels that are there already are passed over, so that a file may be imported again. All of FILE is stored, or,
    where the database fails, nothing.
    """
    with open_store(database) as store:
        lines, unread = _read_lines(files)
        found = _texts_of(lines, texts)
        labels, unnamed = _complete(lines, found, load, bundle)
        missing = sum(line.keep_text and line.text is None and line.digest not in found for line in lines)
        if missing:
            complain(
                f"warning: {_plural(missing, 'text')} to be kept {'was' if missing == 1 else 'were'} not found; "
                "their labels are stored without. Name the folder with --texts"
            )
        _store(store, labels, unnamed, unread)


@feedback.command()
@click.option("--with-text", is_flag=True, help="With the texts that were kept.")
@database_option
def export(with_text: bool, database: str) -> None:
    """Write all labels as JSON lines, earliest first, such as for a back-up or another database."""
    with open_store(database) as store:
        for label in store.labels():
            click.echo(json.dumps(label.to_dict(with_text=with_text), ensure_ascii=False))


@feedback.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@database_option
def delete(ids: tuple[str, ...], database: str) -> None:
    """Delete labels, and their texts where those were kept."""
    with open_store(database) as store:
        deleted = store.delete(ids)
    unknown = [id for id in dict.fromkeys(ids) if id not in deleted]
    complain(f"{_plural(len(deleted), 'label')} deleted")
    if unknown:
        raise CommandError(f"no label {', '.join(unknown[:5])} is there; `unspun feedback list` names all")


@feedback.command("list")
@database_option
def list_labels(database: str) -> None:
    """List all labels, earliest first: since when, id, label, what unspun said, whether the text is kept, source."""
    with open_store(database) as store:
        for label in store.labels():
            kept = "text" if label.text is not None else "-"
            row = f"{label.created:%Y-%m-%d %H:%M}  {label.id}  {label.label:10}  {label.verdict.verdict:11}  {kept:4}"
            click.echo(f"{row}  {printable(label.source or '-')}")


@feedback.command()
@database_option
def stats(database: str) -> None:
    """Count labels and texts, by label and by source."""
    with open_store(database) as store:
        from unspun.service.feedback.store import contradictions

        every = [label.model_copy(update={"text": "" if label.text else None}) for label in store.labels()]
    click.echo(f"{len(every):7,}  labels")
    click.echo(f"{len({label.digest for label in every}):7,}  texts")
    click.echo(f"{len({label.digest for label in every if label.text is not None}):7,}  texts kept")
    click.echo(f"{len(contradictions(every)):7,}  texts with contradicting labels")
    words: Counter[str] = Counter(label.label for label in every)
    for word in JUDGEMENTS:
        click.echo(f"{words[word]:7,}  {word}")
    for source, number in sorted(Counter(label.source for label in every).items(), key=lambda item: -item[1]):
        click.echo(f"{number:7,}  from {printable(source) if source else 'no source'}")


@feedback.command()
@database_option
def migrate(database: str) -> None:
    """Bring the database up to date for this version of unspun, in one transaction; make it where there is none.

    A service does so when it starts, and so do all commands with a SQLite file. Make a back-up before.
    """
    with open_store(database, migrates=True) as store:
        before, now = store.database.migrate()
        told = f"is at {now}, nothing to do" if before == now else f"migrated from {before or 'nothing'} to {now}"
        complain(f"{store.database.where}: {told}")


def _read_lines(files: Iterable[str]) -> tuple[list[LabelLine], int]:
    """Return the labels of files, and how many lines are none; these are told."""
    from unspun.service.feedback.labels import LabelError, parse_line

    lines: list[LabelLine] = []
    unread = 0
    for name in files:
        with cast("IO[bytes]", click.open_file(name, "rb")) as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    lines.append(parse_line(line.removeprefix(b"\xef\xbb\xbf")))
                except LabelError as error:
                    complain(f"{name}#{number}: {error}")
                    unread += 1
    return lines, unread


def _texts_of(lines: Iterable[LabelLine], paths: tuple[str, ...]) -> dict[str, str]:
    """Return the texts under paths that lines ask to be kept, by digest."""
    from unspun.reading.reader import Failure
    from unspun.service.feedback.summary import digest_of

    wanted = {line.digest for line in lines if line.keep_text and line.text is None}
    found: dict[str, str] = {}
    for record in _reader(paths) if wanted and paths else ():
        if isinstance(record, Failure):
            complain(str(record))
        elif (digest := digest_of(record.text)) in wanted:
            found[digest] = record.text
    return found


def _complete(
    lines: list[LabelLine], found: dict[str, str], load: ScorerLoader | None, bundle: str | None
) -> tuple[list[Label], set[str]]:
    """Return the labels of lines, those without a verdict judged, and the ids that had to be made up."""
    from unspun.reading.reader import Record
    from unspun.service.batch.scoring import Scored, score_records
    from unspun.service.feedback.summary import digest_of

    open_ones = [line.text for line in lines if line.verdict is None and line.text is not None]
    records = (Record("", text, "a label's text") for text in dict.fromkeys(open_ones))
    verdicts: dict[str, Any] = {}
    for outcome in score_records(_scorer(load, bundle), records) if open_ones else ():
        if not isinstance(outcome, Scored):
            raise CommandError(str(outcome))
        verdicts[digest_of(outcome.record.text)] = outcome.verdict
    now = datetime.now(UTC)
    labels, unnamed = [], set()
    for line in lines:
        verdict = None if line.text is None or line.verdict is not None else verdicts[digest_of(line.text)]
        text = found.get(line.digest) if line.digest and line.keep_text else None
        label = line.complete(verdict, now, text)
        labels.append(label)
        if line.id is None:
            unnamed.add(label.id)
    return labels, unnamed


def _store(store: Store, labels: list[Label], unnamed: set[str], unread: int) -> None:
    """Store labels, and tell how many."""
    stored = store.add_many(labels, unnamed=unnamed)
    there = len(labels) - stored
    passed = f", {there:,} {'was' if there == 1 else 'were'} there already" if there else ""
    complain(f"{store.database.where}: {_plural(stored, 'label')} stored{passed}")
    if unread:
        raise click.exceptions.Exit(NOT_ALL)


def _scorer(load: ScorerLoader | None, bundle: str | None) -> Any:
    from unspun.service.commands.score import load_detector

    return (load or load_detector)(None if bundle is None else Path(bundle))


def _reader(paths: tuple[str, ...]) -> Any:
    from unspun.reading.reader import Reader

    return Reader(paths, stdin=None if sys.stdin is None else cast("Any", sys.stdin.buffer))


def _plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"

"""`unspun feedback`: people's labels of texts, added, imported, exported and deleted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from unspun.model.verdict import JUDGEMENTS, Judgement
from unspun.service.commands.common import (
    INCOMPLETE,
    Reading,
    database_option,
    in_words,
    load_detector,
    model_option,
    needs,
    open_reader,
    reading_options,
    reported,
)
from unspun.service.console import CommandError, complain, plural, printable

if TYPE_CHECKING:
    from unspun.model.verdict import Verdict
    from unspun.service.batch.scoring import ScorerLoader
    from unspun.service.feedback.labels import Label, LabelLine
    from unspun.service.feedback.store import Store


@contextmanager
def open_store(database: str, *, migrates: bool | None = None) -> Iterator[Store]:
    """Open the store at a URL, and close it. Problems with the database are raised as CommandError."""
    with needs("storing labels", "feedback"):
        from unspun.service.feedback.database import StoreError
        from unspun.service.feedback.store import Store
    with reported(StoreError):
        try:
            store = Store(database, migrates=migrates)
        except ValueError as error:
            raise click.BadParameter(f"{error}.", param_hint="--database") from error
        try:
            yield store
        finally:
            store.database.close()


@click.group(short_help="Store, import and export people's labels of texts.")
def feedback() -> None:
    """Store people's labels of texts: human, spun, translated or rewritten. `unspun audit` reports what they show.

    Labels come from the service (POST /v1/feedback and its page), from the buttons in the HTML report of
    `unspun score`, and from files. Only the hash of a text is stored, unless you ask to keep the text, or import it
    with its label.

    \b
    Exit status:
      0    done
      1    the model or the database could not be used
      2    wrong usage
      3    some documents or labels could not be read; the rest were stored
      130  interrupted

    \b
    Examples:
      unspun feedback import labels.jsonl --texts articles/
      unspun feedback add --label human --source desk essays/
      unspun feedback export --with-text > labels.jsonl
    """


@feedback.command(short_help="Score documents and label them.")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option("--label", "word", type=click.Choice(JUDGEMENTS), required=True, help="Label of all these documents.")
@click.option("--source", metavar="NAME", help="Where they come from: a site, a project, a group of authors.")
@click.option("--keep-text", is_flag=True, help="Store the texts too, not only their hashes.")
@model_option
@reading_options
@database_option
@click.pass_obj
def add(
    load: ScorerLoader | None,
    paths: tuple[str, ...],
    word: Judgement,
    source: str | None,
    keep_text: bool,
    bundle: Path | None,
    reading: Reading,
    database: str,
) -> None:
    """Score the documents under PATH, as `unspun score` does, and store the same label for all of them.

    \b
    Exit status:
      0    all labels were stored
      1    the model or the database could not be used
      2    wrong usage
      3    some documents could not be read; the labels of the rest were stored
      130  interrupted

    \b
    Example:
      unspun feedback add --label human --source desk essays/
    """
    with open_store(database) as store:
        from unspun.reading.reader import Failure
        from unspun.service.batch.scoring import score_records
        from unspun.service.feedback.labels import LabelError, make_label

        now = datetime.now(UTC)
        labels, failures = [], 0
        reader = open_reader(paths, reading)
        for outcome in score_records((load or load_detector)(bundle), reader):
            if isinstance(outcome, Failure):
                complain(str(outcome))
                failures += 1
                continue
            text, verdict = outcome.record.text, outcome.verdict
            try:
                labels.append(make_label(text, word, verdict, now, keep_text=keep_text, source=source))
            except LabelError as error:
                complain(f"{outcome.record.where}: {error}")
                failures += 1
        if reader.skipped:
            complain(in_words(reader.skipped))
        _store(store, labels, {label.id for label in labels}, failures)


@feedback.command("import", short_help="Store the labels in files.")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option(
    "--texts",
    metavar="PATH",
    multiple=True,
    help="Where to find the texts of labels that ask to keep them; they are matched by hash. Can be repeated.",
)
@model_option
@reading_options
@database_option
@click.pass_obj
def import_(
    load: ScorerLoader | None,
    paths: tuple[str, ...],
    texts: tuple[str, ...],
    bundle: Path | None,
    reading: Reading,
    database: str,
) -> None:
    """Store the labels in PATH: the JSON lines of the HTML report and of `export`, or labelled text, or - for standard
    input.

    Labelled text is read as `unspun evaluate` reads it: folders and files of JSON, CSV, TSV and Parquet, also
    compressed, whose records have "label" (human, spun, translated or rewritten), a text, and maybe "source". Their
    texts are scored and stored. Records without a text need "digest" and "verdict". Labels that are already stored are
    skipped, so you can import a file twice. If the database fails, nothing is stored. To label other documents, use
    `unspun feedback add`.

    \b
    Exit status:
      0    all labels are stored
      1    the model or the database could not be used; nothing was stored
      2    wrong usage
      3    some labels could not be read; the rest were stored
      130  interrupted

    \b
    Examples:
      unspun feedback import labels.jsonl --texts articles/
      unspun feedback import labelled.csv
    """
    with open_store(database) as store:
        lines, failures = _read_lines(paths, reading)
        found = _texts_to_keep(lines, texts, reading)
        labels, unnamed = _complete(lines, found, lambda: (load or load_detector)(bundle))
        missing = sum(line.keep_text and line.text is None and line.digest not in found for line in lines)
        if missing:
            complain(
                f"warning: {plural(missing, 'text')} to keep {'was' if missing == 1 else 'were'} not found; the labels "
                "are stored without text. Name the folder of the texts with --texts"
            )
        _store(store, labels, unnamed, failures)


@feedback.command(short_help="Write all labels as JSON lines.")
@click.option("--with-text", is_flag=True, help="Include the texts that were kept.")
@database_option
def export(with_text: bool, database: str) -> None:
    """Write all labels as JSON lines, the oldest first: as a backup, or for another database.

    \b
    Exit status:
      0    written
      1    the database could not be used
      2    wrong usage

    \b
    Example:
      unspun feedback export --with-text > labels.jsonl
    """
    with open_store(database) as store:
        for label in store.labels():
            click.echo(json.dumps(label.to_dict(with_text=with_text), ensure_ascii=False))


@feedback.command(short_help="Delete labels and their texts.")
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@database_option
def delete(ids: tuple[str, ...], database: str) -> None:
    """Delete labels, and their texts if they were kept.

    \b
    Exit status:
      0    deleted
      1    an ID is unknown, or the database could not be used
      2    wrong usage

    \b
    Example:
      unspun feedback delete 0f3a9c1d2e4b5a6978877665544332ff
    """
    with open_store(database) as store:
        deleted = store.delete(ids)
    unknown = [id for id in dict.fromkeys(ids) if id not in deleted]
    complain(f"{plural(len(deleted), 'label')} deleted")
    if unknown:
        raise CommandError(f"unknown label: {', '.join(unknown[:5])}; `unspun feedback list` shows all ids")


@feedback.command("list", short_help="List all labels.")
@database_option
def list_labels(database: str) -> None:
    """List all labels, the oldest first: time, id, label, unspun's verdict, "text" if the text was kept, and source.

    \b
    Exit status:
      0    listed
      1    the database could not be used
      2    wrong usage

    \b
    Example:
      unspun feedback list
    """
    with open_store(database) as store:
        for label in store.labels():
            kept = "text" if label.text is not None else "-"
            row = f"{label.created:%Y-%m-%d %H:%M}  {label.id}  {label.label:10}  {label.verdict.verdict:11}  {kept:4}"
            click.echo(f"{row}  {printable(label.source or '-')}")


@feedback.command(short_help="Count labels and texts.")
@database_option
def stats(database: str) -> None:
    """Count labels and texts, by label and by source.

    \b
    Exit status:
      0    counted
      1    the database could not be used
      2    wrong usage

    \b
    Example:
      unspun feedback stats
    """
    with open_store(database) as store:
        from unspun.service.feedback.store import contradictions

        every = [label.model_copy(update={"text": "" if label.text else None}) for label in store.labels()]
    words: Counter[str] = Counter(label.label for label in every)
    sources = Counter(label.source for label in every)
    counts = [
        (len(every), "labels"),
        (len({label.digest for label in every}), "texts"),
        (len({label.digest for label in every if label.text is not None}), "texts kept"),
        (len(contradictions(every)), "texts with contradicting labels"),
        *((words[word], word) for word in JUDGEMENTS),
        *((number, f"from {printable(source) if source else 'no source'}") for source, number in sources.most_common()),
    ]
    for number, name in counts:
        click.echo(f"{number:7,}  {name}")


@feedback.command(short_help="Update the database.")
@database_option
def migrate(database: str) -> None:
    """Update the database to this version of unspun, in one transaction; create it if it does not exist.

    The service does this when it starts, and every command does it with an SQLite file. Make a backup first.

    \b
    Exit status:
      0    the database is up to date
      1    the database could not be used
      2    wrong usage

    \b
    Example:
      unspun feedback migrate --database postgresql://unspun@db/unspun
    """
    with open_store(database, migrates=True) as store:
        before, now = store.database.migrate()
        done = f"already at version {now}" if before == now else f"migrated from {before or 'nothing'} to {now}"
        complain(f"{store.database.where}: {done}")


def _read_lines(paths: Iterable[str], reading: Reading) -> tuple[list[LabelLine], int]:
    """Return the labels under some paths, and the number of records that are not labels, which are reported."""
    from unspun.reading.reader import Failure, Reader
    from unspun.service.feedback.labels import RECORD_FIELDS, LabelError, parse_record
    from unspun.training.corpora.corpus import describes_texts

    lines: list[LabelLine] = []
    failures = 0
    reader = Reader(tuple(paths), fields=RECORD_FIELDS, text_optional=True, ignore=describes_texts, **reading.options())
    for record in reader:
        try:
            if isinstance(record, Failure):
                raise LabelError(record.message)
            if record.fields is None:
                raise LabelError("has no label; label documents with `unspun feedback add --label`")
            lines.append(parse_record(record.fields, record.text))
        except LabelError as error:
            complain(f"{record.where}: {error}")
            failures += 1
    if reader.skipped:
        complain(in_words(reader.skipped))
    return lines, failures


def _texts_to_keep(lines: Iterable[LabelLine], paths: tuple[str, ...], reading: Reading) -> dict[str, str]:
    """Return the texts under paths that lines ask to keep, by digest."""
    from unspun.reading.reader import Failure
    from unspun.service.render.summary import digest_of

    wanted = {line.digest for line in lines if line.keep_text and line.text is None}
    found: dict[str, str] = {}
    for record in open_reader(paths, reading) if wanted and paths else ():
        if isinstance(record, Failure):
            complain(str(record))
        elif (digest := digest_of(record.text)) in wanted:
            found[digest] = record.text
    return found


def _complete(
    lines: list[LabelLine], found: dict[str, str], load: Callable[[], object]
) -> tuple[list[Label], set[str]]:
    """Return the labels of lines, after scoring texts without a verdict, and the ids that had to be generated."""
    from unspun.reading.reader import Record
    from unspun.service.batch.scoring import Scored, Scorer, score_records
    from unspun.service.render.summary import digest_of

    unscored = dict.fromkeys(line.text for line in lines if line.verdict is None and line.text is not None)
    verdicts: dict[str, Verdict] = {}
    if unscored:
        records = (Record("", text, "a label's text") for text in unscored)
        for outcome in score_records(cast("Scorer", load()), records):
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


def _store(store: Store, labels: list[Label], unnamed: set[str], failures: int) -> None:
    """Store labels, and report how many."""
    stored = store.add_many(labels, unnamed=unnamed)
    known = len(labels) - stored
    skipped = f", {known:,} already stored" if known else ""
    complain(f"{store.database.where}: {plural(stored, 'label')} stored{skipped}")
    if failures:
        raise click.exceptions.Exit(INCOMPLETE)

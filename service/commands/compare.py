"""`unspun compare`: a suspect against its suspected source, or a search for its source in a folder."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from unspun.service.commands.common import (
    INCOMPLETE,
    STDIO,
    Reading,
    check_force,
    check_overwrite,
    choose_format,
    format_option,
    in_words,
    is_terminal,
    model_option,
    open_output,
    open_reader,
    progress_of,
    quiet_option,
    reading_options,
    refuse_input_as_output,
    table_console,
)
from unspun.service.commands.typed import announce_standard_input, refuse_text
from unspun.service.console import complain, plural, printable

# Everything else is imported where it is needed, so that help and usage errors are quick.
if TYPE_CHECKING:
    from unspun.model.comparing.sources import Compares, Sources
    from unspun.reading.reader import Failure, Reader, Record
    from unspun.service.batch.output import Output
    from unspun.service.batch.scoring import Tally
    from unspun.service.render.comparison import ComparedSuspect, ComparisonWriter

ENDINGS = {
    **dict.fromkeys((".jsonl", ".ndjson", ".json", ""), "jsonl"),
    **{".html": "html", ".htm": "html", ".txt": "table"},
}
"""Formats by the ending of the output's name."""


@click.command(short_help="Compare a text with its source, or find the source.")
@click.argument("suspect")
@click.argument("source", required=False)
@click.option(
    "--against",
    metavar="FOLDER",
    multiple=True,
    help="Search for the source in this folder, file or pattern. Can be repeated.",
)
@click.option(
    "--top",
    type=click.IntRange(min=1),
    metavar="N",
    default=1,
    show_default=True,
    help="With --against, show the N likeliest documents for each suspect, the likeliest first.",
)
@format_option(
    "html", text="Output format. Default: by the name of --output, else a table on a terminal and jsonl in a pipe."
)
@click.option("--output", metavar="FILE", help="Write to FILE (.jsonl .html .txt, also .gz).")
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@model_option
@reading_options
@quiet_option()
@click.pass_obj
def compare(
    load: Callable[[Path | None], Compares] | None,
    suspect: str,
    source: str | None,
    against: tuple[str, ...],
    top: int,
    form: str | None,
    output: str | None,
    force: bool,
    bundle: Path | None,
    reading: Reading,
    quiet: bool,
) -> None:
    """Find out whether SUSPECT was made from SOURCE, in what way, how much of it reappears, and which words changed.

    Both can be a file, the URL of a file, or - for standard input, in any format that `unspun score` reads. FILE#ID is
    one document of a file that contains several.

    With --against, the likeliest source is searched for among up to 100,000 documents. SUSPECT can then also be a
    folder, a pattern or a file of many documents. Each suspect gets an answer; it has "derived": false if no document
    is its source. A suspect that is itself among the documents is not compared with itself.

    \b
    Exit status:
      0    all suspects were compared, whatever the result
      1    the model could not be loaded, or the output could not be written
      2    wrong usage
      3    some documents could not be read; the rest were compared
      130  interrupted

    \b
    Examples:
      unspun compare suspect.txt original.txt
      unspun compare suspect.html https://example.org/a.html --output proof.html
      unspun compare submissions.jsonl#17 original.txt --format jsonl
      unspun compare submissions/ --against archive/ --output found.jsonl
    """
    file = None if output in (None, STDIO) else Path(str(output))
    check_force(file, force)
    paths = (suspect, *(() if source is None else (source,)), *against)
    _check_usage(suspect, source, against, paths, file, force)
    run = _CompareRun(
        suspect,
        source,
        against,
        top,
        reading,
        quiet,
        file,
        force,
        choose_format(form, file, ENDINGS, ("html",)),
        (load or load_comparer)(bundle),
    )
    announce_standard_input(paths)
    if against:
        run.search()
    else:
        run.compare()
    if run.failures:
        raise click.exceptions.Exit(INCOMPLETE)


def load_comparer(bundle: Path | None) -> Compares:
    """Load a comparer, None for the model that ships. Raises model.bundle.BundleError."""
    from unspun.model.comparing.comparer import Comparer

    return Comparer.load(bundle)


def _check_usage(
    suspect: str, source: str | None, against: tuple[str, ...], paths: tuple[str, ...], file: Path | None, force: bool
) -> None:
    """Raise UsageError for arguments that contradict each other."""
    if source is not None and against:
        raise click.UsageError("give either SOURCE or --against; repeat --against before each folder.")
    if source is None and not against:
        raise click.UsageError("give SOURCE, or --against FOLDER to search for it.")
    refuse_text(
        [_split(path)[0] for path in paths],
        "write it to a file; one of the two texts can also be piped: echo {} | unspun compare - original.txt",
    )
    if paths.count(STDIO) > 1:
        raise click.UsageError("only one document can come from standard input.")
    if file is not None:
        refuse_input_as_output(file, [_split(path)[0] for path in paths])
        check_overwrite(file, overwrites=force)
    if source is None:
        return
    for name, path, advice in (
        ("SUSPECT", suspect, "give one document, or replace SOURCE by --against FOLDER."),
        ("SOURCE", source, f"to search in it, use --against {printable(source)}."),
    ):
        if Path(path).is_dir():
            raise click.BadParameter(f"{printable(path)} is a folder; {advice}", param_hint=name)


class _NotReadError(Exception):
    """A document that the command needs could not be read; this has been reported."""


@dataclass
class _CompareRun:
    """One call of the command: its options, and what it has counted so far."""

    suspect: str
    source: str | None
    against: tuple[str, ...]
    top: int
    reading: Reading
    quiet: bool
    file: Path | None
    force: bool
    form: str
    comparer: Compares
    answered: int = 0
    found: int = 0
    failures: int = 0
    readers: list[Reader] = field(default_factory=list)

    def compare(self) -> None:
        from unspun.service.batch.scoring import unexpected_failure
        from unspun.service.render.comparison import ComparedPair, ComparedSuspect

        try:
            suspect, source = self._one(self.suspect), self._one(str(self.source))
        except _NotReadError:
            return
        for record in (suspect, source):
            self._note_repairs(record)
        try:
            comparison = self.comparer.compare(suspect.text, source.text, suspect_id=suspect.id, source_id=source.id)
        except Exception as error:
            self._fail(unexpected_failure(suspect, error, "compared"))
            return
        with self._open() as output:
            writer = self._writer(output)
            writer.write(ComparedSuspect(suspect.id, (ComparedPair(comparison, suspect.text, source.text),)))
            writer.close()

    def search(self) -> None:
        """Compare each suspect with the documents that share most with it."""
        from unspun.model.comparing.sources import Sources
        from unspun.reading.reader import Failure
        from unspun.service.batch.scoring import Tally

        places: dict[str, int] = {}
        with Sources(self._documents(places)) as sources:
            if not len(sources):
                self._fail("--against: found no documents; name a folder or file that contains some")
                return
            started = time.monotonic()
            file, wanted = _split(self.suspect)
            reader = self._reader(file)
            self.readers.append(reader)
            try:
                suspects = reader if wanted is None else [self._one(self.suspect)]
            except _NotReadError:
                return
            scrolls = self.file is None and is_terminal(sys.stdout)
            with self._open() as output, progress_of(reader, quiet=self.quiet, hidden=scrolls) as progress:
                writer = self._writer(output)
                tally = Tally()
                for record in suspects:
                    if isinstance(record, Failure):
                        self._fail(record)
                        continue
                    self._note_repairs(record)
                    answer = self._find(record, sources, places.get(_place_of(record)))
                    if answer is not None:
                        writer.write(answer)
                    _count(tally, record)
                    progress.update(tally)
                writer.close()
            if not self.quiet:
                self._summarise(len(sources), time.monotonic() - started)

    def _find(self, suspect: Record, sources: Sources, own: int | None) -> ComparedSuspect | None:
        """Return the answer on a suspect; `own` is its place if it is among the documents itself."""
        from unspun.model.comparing.sources import CANDIDATES
        from unspun.service.batch.scoring import unexpected_failure
        from unspun.service.render.comparison import ComparedPair, ComparedSuspect

        try:
            found = sources.find(
                suspect.text,
                self.comparer,
                suspect_id=suspect.id,
                without=() if own is None else (own,),
                count=max(CANDIDATES, self.top),
                at_least=self.top,
            )[: self.top]
            pairs = tuple(ComparedPair(one.comparison, suspect.text, sources.text(one.place)) for one in found)
            if not pairs:  # it shares no word with any document, so it is compared with an empty text
                comparison = self.comparer.compare(suspect.text, "", suspect_id=suspect.id)
                pairs = (ComparedPair(comparison, suspect.text, ""),)
        except Exception as error:
            self._fail(unexpected_failure(suspect, error, "compared"))
            return None
        self.answered += 1
        self.found += pairs[0].comparison.derived
        return ComparedSuspect(suspect.id, pairs, len(sources))

    def _documents(self, places: dict[str, int]) -> Iterator[tuple[str, str]]:
        """Yield ids and texts of the documents to search, and note in `places` where each came from."""
        from unspun.reading.reader import Failure
        from unspun.service.batch.scoring import Tally

        reader = self._reader(*self.against)
        self.readers.append(reader)
        tally = Tally()
        with progress_of(reader, quiet=self.quiet) as progress:
            for record in reader:
                if isinstance(record, Failure):
                    self._fail(record)
                    continue
                places.setdefault(_place_of(record), tally.documents)
                yield record.id, record.text
                _count(tally, record)
                progress.update(tally)

    def _one(self, path: str) -> Record:
        """Return the only document of a file, or the one that FILE#ID names. Raises _NotReadError."""
        from unspun.reading.reader import Failure

        file, wanted = _split(path)
        chosen: Record | None = None
        for record in self._reader(file):
            if isinstance(record, Failure):
                self._refuse(str(record))
            elif wanted is not None:
                if record.id in (wanted, path):
                    return record
            elif chosen is None:
                chosen = record
            else:
                first = chosen.id.removeprefix(f"{path}#")
                self._refuse(f"{path}: contains several documents; name one as {path}#ID (the first is {first})")
        if chosen is None:
            self._refuse(
                f"{file}: " + ("contains no documents" if wanted is None else f"no document has the id {wanted}")
            )
        return chosen

    def _note_repairs(self, record: Record) -> None:
        """Report what reading repaired or left out, such as hidden text: it is not compared."""
        from unspun.model.verdict import Repair
        from unspun.model.wording import repairs_in_words

        found = repairs_in_words(Repair(what, count) for what, count in sorted(record.repairs.items()))
        if found is not None and not self.quiet:
            complain(f"{record.where}: repaired or left out: {found}")

    def _refuse(self, line: str) -> NoReturn:
        self._fail(line)
        raise _NotReadError

    def _fail(self, failure: Failure | str) -> None:
        complain(str(failure))
        self.failures += 1

    def _reader(self, *paths: str) -> Reader:
        return open_reader(paths, self.reading, exclude=self.file)

    def _open(self) -> Output:
        return open_output(self.file, self.form, (), overwrites=self.force)

    def _writer(self, output: Output) -> ComparisonWriter:
        from unspun.service.render import comparison

        if self.form == "jsonl":
            return comparison.ComparisonJsonLines(output)
        if self.form == "html":
            from datetime import UTC, datetime

            from unspun.service.render.comparison_html import ComparisonPage

            return ComparisonPage(output, datetime.now(UTC))
        from unspun.service.render.comparison_table import ComparisonTable

        return ComparisonTable(table_console(self.file), output)

    def _summarise(self, documents: int, seconds: float) -> None:
        parts = [f"{plural(self.answered, 'suspect')}: found the source of {self.found:,}"]
        if self.failures:
            parts.append(plural(self.failures, "failure"))
        parts += [in_words(reader.skipped) for reader in self.readers if reader.skipped]
        parts.append(f"{plural(documents, 'document')} searched")
        parts.append(f"{seconds / max(self.answered, 1):.2f} seconds per suspect")
        complain("; ".join(parts))


def _split(path: str) -> tuple[str, str | None]:
    """Return the file and the id in FILE#ID; the id is None if `path` names a file."""
    file, mark, wanted = path.rpartition("#")
    if not mark or not file or not wanted or path.lower().startswith(("http://", "https://")) or os.path.lexists(path):
        return path, None
    return file, wanted


def _place_of(record: Record) -> str:
    """Return what identifies the place of a document, however its path is written."""
    return os.path.realpath(record.where)


def _count(tally: Tally, record: Record) -> None:
    tally.verdicts["read"] += 1
    tally.words += len(record.text.split())

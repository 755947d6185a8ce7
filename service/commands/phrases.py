"""`unspun phrases`: tortured phrases and spinner idioms in files, folders and standard input."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from unspun.service.commands.common import (
    INCOMPLETE,
    STDIO,
    Reading,
    check_force,
    choose_format,
    format_option,
    in_words,
    is_terminal,
    open_output,
    open_reader,
    progress_of,
    quiet_option,
    reading_options,
    table_console,
)
from unspun.service.commands.typed import paths_or_pipe
from unspun.service.console import complain, plural, printable

# Everything else is imported where it is needed, so that help and usage errors are quick.
if TYPE_CHECKING:
    from unspun.model.text.listed_phrases import PhraseList
    from unspun.reading.reader import Reader, Record
    from unspun.reading.records import Failure
    from unspun.service.batch.output import Output
    from unspun.service.render.phrases import PhraseReport, PhraseWriter

ENDINGS = {
    **dict.fromkeys((".jsonl", ".ndjson", ".json", ""), "jsonl"),
    **{".csv": "csv", ".html": "html", ".htm": "html", ".txt": "table"},
}
"""Formats by the ending of the output's name."""


@click.command(short_help="Find tortured phrases and spinner idioms.")
@click.argument("paths", metavar="PATH...", nargs=-1)
@format_option(
    "csv",
    "html",
    text="Output format. Default: by the name of --output, else a table on a terminal and jsonl in a pipe.",
)
@click.option("--output", metavar="FILE", help="Write to FILE (.jsonl .csv .html .txt, also .gz).")
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@click.option(
    "--list",
    "lists",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Also find the phrases in FILE: one a line, with the expected term after a tab. Can be repeated.",
)
@click.option(
    "--show",
    type=click.IntRange(min=1),
    metavar="N",
    default=20,
    show_default=True,
    help="In the table, show up to N places of each document.",
)
@reading_options
@quiet_option()
def phrases(
    paths: tuple[str, ...],
    form: str | None,
    output: str | None,
    force: bool,
    lists: tuple[Path, ...],
    show: int,
    reading: Reading,
    quiet: bool,
) -> None:
    """Find phrases that paraphrasing tools write and people do not, with the term expected in their place.

    There are two lists: tortured phrases of scientific papers ("counterfeit consciousness" for "artificial
    intelligence"), from the Problematic Paper Screener, and idioms of article spinners ("imaginative and prescient" for
    "vision"). Each place comes with its sentence and its page (of a PDF) or line. No model is used, and no verdict is
    given: read the passage, and decide.

    PATH is a file, a folder, a quoted pattern, a URL or - for standard input, in any format that `unspun score` reads.

    \b
    Exit status:
      0    all documents were searched, whatever was found
      1    the output could not be written
      2    wrong usage
      3    some documents could not be read; the rest were searched
      130  interrupted

    \b
    Examples:
      unspun phrases paper.pdf
      unspun phrases submissions/ --output phrases.html
      unspun phrases submissions/ --output phrases.csv --list our-phrases.tsv
      unspun phrases submissions/ --format jsonl | jq 'select(.distinct > 2).id'
    """
    file = None if output in (None, STDIO) else Path(str(output))
    check_force(file, force)
    paths = paths_or_pipe(paths, "phrases")
    run = _PhraseRun(
        open_reader(paths, reading, exclude=file),
        _phrase_list(lists),
        file,
        choose_format(form, file, ENDINGS, ("html",)),
        show,
        force,
        quiet,
    )
    run()
    if run.failures:
        raise click.exceptions.Exit(INCOMPLETE)


def _phrase_list(lists: tuple[Path, ...]) -> PhraseList:
    """Return the phrases that ship and those of the user's own lists."""
    from unspun.model.text.listed_phrases import PhraseList, PhraseListError, read_phrases, shipped_phrases

    entries = list(shipped_phrases())
    for path in lists:
        try:
            entries += read_phrases(path.read_text("utf-8-sig"))
        except OSError as error:
            raise click.BadParameter(f"{printable(str(path))}: {error.strerror}.", param_hint="--list") from error
        except UnicodeDecodeError as error:
            problem = "is not text in UTF-8; save it as plain text in UTF-8."
            raise click.BadParameter(f"{printable(str(path))}: {problem}", param_hint="--list") from error
        except PhraseListError as error:
            raise click.BadParameter(f"{printable(f'{path}: {error}')}.", param_hint="--list") from error
    return PhraseList(entries)


@dataclass
class _PhraseRun:
    """One call of the command: its options, and what it has counted so far."""

    reader: Reader
    phrases: PhraseList
    file: Path | None
    form: str
    show: int
    force: bool
    quiet: bool
    documents: int = 0
    words: int = 0
    with_phrases: int = 0
    places: int = 0
    distinct: set[str] = field(default_factory=set)
    failures: int = 0

    def __call__(self) -> None:
        from unspun.service.batch.scoring import Tally
        from unspun.service.render.phrases import PhraseReport

        started, tally = time.monotonic(), Tally()
        with open_output(self.file, self.form, self.reader.paths, overwrites=self.force) as output:
            writer = self._writer(output)
            scrolls = self.file is None and is_terminal(sys.stdout)
            with progress_of(self.reader, quiet=self.quiet, hidden=scrolls) as progress:
                for report in self._reports():
                    if not isinstance(report, PhraseReport):
                        self._fail(report, writer, told=scrolls and self.form == "table" and is_terminal(sys.stderr))
                        continue
                    self._count(report)
                    writer.write(report)
                    tally.verdicts["searched"] += 1
                    tally.words += report.words
                    progress.update(tally)
            writer.close(self.reader.skipped)
        if not self.quiet:
            self._summarise(time.monotonic() - started)

    def _reports(self) -> Iterator[PhraseReport | Failure]:
        """Yield the report on each document, and failures in their places."""
        from unspun.reading.records import Record
        from unspun.service.batch.scoring import batches, score_or_split, unexpected_failure
        from unspun.service.render.phrases import PhraseReport

        def search(records: list[Record]) -> list[PhraseReport | Failure]:
            found = self.phrases.find([record.text for record in records])
            return [PhraseReport.of(record, one) for record, one in zip(records, found, strict=True)]

        def failed(record: Record, error: Exception) -> Failure:
            return unexpected_failure(record, error, "searched")

        for batch in batches(self.reader):
            records = [item for item in batch if isinstance(item, Record)]
            outcomes = score_or_split(search, records, failed) if records else iter(())
            for item in batch:
                yield next(outcomes) if isinstance(item, Record) else item

    def _writer(self, output: Output) -> PhraseWriter:
        from unspun.service.render import phrases

        if self.form == "jsonl":
            return phrases.PhraseJsonLines(output)
        if self.form == "csv":
            return phrases.PhraseCsv(output)
        if self.form == "html":
            from datetime import UTC, datetime

            return phrases.PhrasePage(output, datetime.now(UTC), source=" ".join(self.reader.paths))
        return phrases.PhraseTable(table_console(self.file), output, show=self.show)

    def _count(self, report: PhraseReport) -> None:
        self.documents += 1
        self.words += report.words
        self.with_phrases += bool(report.places)
        self.places += len(report.places)
        self.distinct.update(place.found.entry.phrase for place in report.places)

    def _fail(self, failure: Failure, writer: PhraseWriter, *, told: bool) -> None:
        writer.fail(failure)
        if not told:
            complain(str(failure))
        self.failures += 1

    def _summarise(self, seconds: float) -> None:
        found = f"{plural(self.documents, 'document')} searched"
        found += f" ({self.with_phrases:,} with listed phrases: {plural(self.places, 'place')}, "
        found += f"{plural(len(self.distinct), 'different phrase')})"
        parts = [found]
        if self.failures:
            parts.append(plural(self.failures, "failure"))
        if self.reader.skipped:
            parts.append(in_words(self.reader.skipped))
        parts.append(f"{self.words / max(seconds, 1e-9):,.0f} words/s")
        complain("; ".join(parts))

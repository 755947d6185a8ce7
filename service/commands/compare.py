"""`unspun compare`: a suspect against its suspected source, or against a folder in which that may be."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TextIO, cast

import click

from unspun.service.console import complain, printable

# All else is imported by those who need it: help and usage errors should not wait for it.
if TYPE_CHECKING:
    from unspun.model.comparing.sources import Compares, Sources
    from unspun.reading.reader import Failure, Format, Reader, Record
    from unspun.service.batch.output import Output
    from unspun.service.batch.progress import Progress
    from unspun.service.batch.scoring import Tally
    from unspun.service.render.comparison import Answer, Writer

FORMATS = ("table", "json", "jsonl", "html")
ENDINGS = {
    **dict.fromkeys(("", ".jsonl", ".ndjson"), "jsonl"),
    **{".json": "json", ".html": "html", ".htm": "html", ".txt": "table"},
}
"""Formats by the end of an output's name."""
STDIN = STDOUT = "-"
UNREAD = 3
"""Exit status where some documents could not be read or compared."""


class ComparerLoader(Protocol):
    """Loads what compares; None is the model that ships. Raises model.bundle.BundleError."""

    def __call__(self, bundle: Path | None) -> Compares:
        """Return what compares two texts."""
        ...


@click.command(short_help="Compare a text with its suspected source, or find the source in a folder.")
@click.argument("suspect")
@click.argument("source", required=False)
@click.option(
    "--against",
    metavar="FOLDER",
    multiple=True,
    help="Look for the source among these documents: a folder, file or pattern. May be given several times.",
)
@click.option(
    "--top",
    type=click.IntRange(min=1),
    metavar="N",
    default=1,
    show_default=True,
    help="With --against: so many documents a suspect, the likeliest first.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="How comparisons are written. Default: by the name of --output; a table on a terminal; else jsonl.",
)
@click.option("--output", metavar="FILE", help="Write to FILE (.json .jsonl .html .txt, also .gz).")
@click.option(
    "--model",
    "bundle",
    metavar="BUNDLE",
    envvar="UNSPUN_MODEL",
    help="Folder of the model. Default: UNSPUN_MODEL, else the one that ships.",
)
@click.option(
    "--input-format",
    type=click.Choice(["txt", "html", "jsonl", "csv", "parquet", "warc"]),
    help="What standard input is. Default: jsonl where it looks like it, else one plain text.",
)
@click.option("--quiet", "-q", is_flag=True, help="No progress and no summary; errors are still told.")
@click.pass_obj
def compare(
    load: ComparerLoader | None,
    suspect: str,
    source: str | None,
    against: tuple[str, ...],
    top: int,
    form: str | None,
    output: str | None,
    bundle: str | None,
    input_format: Format | None,
    quiet: bool,
) -> None:
    """Tell whether SUSPECT was made from SOURCE, how, how much of it reappears, and word by word what became of it.

    Both are a file or the URL of one, as `unspun score` reads them, or - for standard input. Of a file that holds many
    documents, FILE#ID is one.

    With --against, the likeliest source is looked for among up to 100,000 documents. SUSPECT may then be a folder, a
    pattern or a file of many documents: each is answered, with "derived": false where no document fits. A suspect that
    is itself among the documents is left out of its own search.

    \b
    Exit status:
      0    all suspects were compared, whatever came of it
      1    the model could not be loaded, or the output not written
      2    wrong usage
      3    some documents could not be read; each is told in a line, the rest were compared
      130  interrupted

    \b
    Examples:
      unspun compare suspect.txt original.txt
      unspun compare suspect.html https://example.org/original.html --output proof.html
      unspun compare submissions.jsonl#17 original.txt --format json
      unspun compare submissions/ --against archive/ --top 3 --output found.jsonl
    """
    request = _Request(suspect, source, against, top, input_format, quiet, None if output == STDOUT else output)
    request.check()
    form = _form(form, request.file)
    run = _Run(request, (load or load_comparer)(None if bundle is None else Path(bundle)), form)
    if against:
        run.against_folder()
    else:
        run.with_source()
    if run.failures:
        raise click.exceptions.Exit(UNREAD)


def load_comparer(bundle: Path | None) -> Compares:
    """Load what compares, None for the model that ships. Raises model.bundle.BundleError."""
    from unspun.model.comparing.comparer import Comparer

    return Comparer.load(bundle)


@dataclass(frozen=True)
class _Request:
    """What is asked for."""

    suspect: str
    source: str | None
    against: tuple[str, ...]
    top: int
    input_format: Format | None
    quiet: bool
    output: str | None

    @property
    def file(self) -> Path | None:
        """Where answers go, None for standard output."""
        return None if self.output is None else Path(self.output)

    @property
    def paths(self) -> tuple[str, ...]:
        """Everything that is read."""
        return (self.suspect, *(() if self.source is None else (self.source,)), *self.against)

    def check(self) -> None:
        """Raise UsageError for what cannot be meant."""
        if self.source is not None and self.against:
            raise click.UsageError("give either a SOURCE, or --against, before each folder of several.")
        if self.source is None and not self.against:
            raise click.UsageError("give the SOURCE, or --against FOLDER to look for it there.")
        if self.paths.count(STDIN) > 1:
            raise click.UsageError("only one of them can be standard input.")
        read = {os.path.realpath(_split(path)[0]) for path in self.paths if path != STDIN}
        if self.file is not None and os.path.realpath(self.file) in read:
            raise click.BadParameter(f"{printable(str(self.file))} is one of the inputs.", param_hint="--output")
        if self.against:
            return
        if Path(self.suspect).is_dir():
            told = f"{printable(self.suspect)} is a folder; give one document, or --against in place of SOURCE."
            raise click.BadParameter(told, param_hint="SUSPECT")
        if Path(str(self.source)).is_dir():
            told = f"{printable(str(self.source))} is a folder; --against {printable(str(self.source))} looks in it."
            raise click.BadParameter(told, param_hint="SOURCE")

    def reader(self, *paths: str) -> Reader:
        """Return what reads documents."""
        from unspun.reading.reader import Reader

        stdin = None if sys.stdin is None else cast("io.BufferedIOBase", sys.stdin.buffer)
        return Reader(paths, stdin=stdin, stdin_format=self.input_format, exclude=self.file)


@dataclass
class _Run:
    """One call of the command: what it has answered so far, and what could not be read or compared."""

    request: _Request
    comparer: Compares
    form: str
    answered: int = 0
    found: int = 0
    failures: int = 0

    def with_source(self) -> None:
        """Compare two documents."""
        from unspun.service.render.comparison import Answer, Pair

        suspect, source = self._one(self.request.suspect), self._one(str(self.request.source))
        if suspect is None or source is None:
            return
        try:
            comparison = self.comparer.compare(suspect.text, source.text, suspect_id=suspect.id, source_id=source.id)
        except Exception as error:
            self._fail(str(_impossible(suspect, error)))
            return
        with self._open() as sink:
            writer = _writer(self.form, sink, self.request)
            writer.write(Answer(suspect.id, (Pair(comparison, suspect.text, source.text),)))
            writer.close()

    def against_folder(self) -> None:
        """Compare each suspect with the documents that it shares most with."""
        from unspun.model.comparing.sources import Sources
        from unspun.reading.reader import Failure

        places: dict[str, int] = {}
        with Sources(self._documents(places)) as sources:
            if not len(sources):
                self._fail("--against: nothing to compare with; name a folder or file that has documents")
                return
            started = time.monotonic()
            file, wanted = _split(self.request.suspect)
            suspects = self.request.reader(file)
            one = None if wanted is None else self._one(self.request.suspect)
            if wanted is not None and one is None:
                return
            with self._open() as sink:
                writer = _writer(self.form, sink, self.request)
                tally = _tally()
                scrolls = self.request.file is None and _is_terminal(sys.stdout)
                with self._progress(suspects, scrolls=scrolls) as progress:
                    for record in suspects if one is None else [one]:
                        if isinstance(record, Failure):
                            self._fail(str(record))
                            continue
                        answer = self._search(record, sources, places.get(_place_of(record)))
                        if answer is not None:
                            writer.write(answer)
                        _count(tally, record)
                        progress.update(tally)
                writer.close()
            if not self.request.quiet:
                self._summarise(len(sources), time.monotonic() - started)

    def _search(self, suspect: Record, sources: Sources, own: int | None) -> Answer | None:
        """Return what is said of a suspect, whose own place is `own` if it is among the documents itself."""
        from unspun.model.comparing.sources import CANDIDATES
        from unspun.service.render.comparison import Answer, Pair

        try:
            found = sources.find(
                suspect.text,
                self.comparer,
                suspect_id=suspect.id,
                without=() if own is None else (own,),
                count=max(CANDIDATES, self.request.top),
                at_least=self.request.top,
            )
            if not found:  # It shares no word with any: what is said of it is said of it and nothing.
                nothing = self.comparer.compare(suspect.text, "", suspect_id=suspect.id)
        except Exception as error:
            self._fail(str(_impossible(suspect, error)))
            return None
        if found:
            best = found[: self.request.top]
            pairs = tuple(Pair(one.comparison, suspect.text, sources.text(one.place)) for one in best)
        else:
            pairs = (Pair(nothing, suspect.text, ""),)
        self.answered += 1
        self.found += pairs[0].comparison.derived
        return Answer(suspect.id, pairs, len(sources))

    def _documents(self, places: dict[str, int]) -> Iterator[tuple[str, str]]:
        """Yield the ids and texts of what may be a source, and note in `places` where each came from."""
        from unspun.reading.reader import Failure

        reader = self.request.reader(*self.request.against)
        tally = _tally()
        with self._progress(reader) as progress:
            for record in reader:
                if isinstance(record, Failure):
                    self._fail(str(record))
                    continue
                places.setdefault(_place_of(record), tally.documents)
                yield record.id, record.text
                _count(tally, record)
                progress.update(tally)

    def _one(self, path: str) -> Record | None:
        """Return the one document that a path, or FILE#ID, means; None where that is told to be none."""
        from unspun.reading.reader import Failure

        file, wanted = _split(path)
        chosen: Record | None = None
        for record in self.request.reader(file):
            if isinstance(record, Failure):
                self._fail(str(record))
                return None
            if wanted is not None:
                if record.id in (wanted, path):
                    return record
            elif chosen is not None:
                self._fail(
                    f"{path}: holds more than one document; name one as {path}#ID (the first: {_told_id(chosen, path)})"
                )
                return None
            else:
                chosen = record
        if chosen is None:
            lacks = "no documents in this file" if wanted is None else f"no document has the id {wanted}"
            self._fail(f"{file}: {lacks}")
        return chosen

    def _fail(self, line: str) -> None:
        complain(line)
        self.failures += 1

    def _open(self) -> Output:
        from unspun.service.batch.output import FileOutput, StandardOutput

        file = self.request.file
        if file is None:
            return StandardOutput((sys.stdout.encoding if self.form == "table" and sys.stdout else None) or "utf-8")
        try:
            return FileOutput(file)
        except OSError as error:
            reason = error.strerror or str(error)
            raise click.BadParameter(f"{printable(str(file))}: {reason}.", param_hint="--output") from error

    def _progress(self, reader: Reader, *, scrolls: bool = False) -> Progress:
        from unspun.service.batch.progress import Progress

        return Progress(reader, enabled=not self.request.quiet and not scrolls, terminal=_is_terminal(sys.stderr))

    def _summarise(self, documents: int, seconds: float) -> None:
        parts = [f"{_plural(self.answered, 'suspect')}: the source of {self.found:,} found"]
        if self.failures:
            parts.append(_plural(self.failures, "failure"))
        parts.append(f"{_plural(documents, 'document')} searched")
        parts.append(f"{seconds / max(self.answered, 1):.2f} seconds a suspect")
        complain("; ".join(parts))


def _split(path: str) -> tuple[str, str | None]:
    """Return the file and the id that FILE#ID means, the id None where this is the name of a file."""
    file, mark, wanted = path.rpartition("#")
    if not mark or not file or not wanted or path.lower().startswith(("http://", "https://")) or os.path.lexists(path):
        return path, None
    return file, wanted


def _told_id(record: Record, path: str) -> str:
    return record.id.removeprefix(f"{path}#")


def _place_of(record: Record) -> str:
    """Return what tells where a document came from, however its path was written."""
    return os.path.realpath(record.where)


def _impossible(suspect: Record, error: Exception) -> Failure:
    from unspun.reading.reader import Failure
    from unspun.service.console import is_bundle_error

    if is_bundle_error(error):
        raise error
    if isinstance(error, MemoryError):
        return Failure(suspect.where, "needs more memory than there is")
    return Failure(suspect.where, f"could not be compared: {type(error).__name__}: {error}; please report this")


def _tally() -> Tally:
    from unspun.service.batch.scoring import Tally

    return Tally()


def _count(tally: Tally, record: Record) -> None:
    tally.verdicts["read"] += 1
    tally.words += len(record.text.split())


def _form(form: str | None, file: Path | None) -> str:
    if file is None:
        chosen = form or ("table" if _is_terminal(sys.stdout) else "jsonl")
        if chosen == "html" and _is_terminal(sys.stdout):
            raise click.UsageError("html is not for a terminal; give --output FILE.html.")
        return chosen
    suffix = Path(file.name.lower().removesuffix(".gz")).suffix
    if form is None and suffix not in ENDINGS:
        known = "end it in .jsonl, .json, .html or .txt, or give --format."
        raise click.BadParameter(f"{printable(str(file))}: {suffix} is no format; {known}", param_hint="--output")
    return form or ENDINGS[suffix]


def _writer(form: str, sink: Output, request: _Request) -> Writer:
    from unspun.service.render import comparison

    if form == "jsonl":
        return comparison.JsonLines(sink)
    if form == "json":
        return comparison.Json(sink, is_list=bool(request.against))
    if form == "html":
        from datetime import UTC, datetime

        from unspun.service.render.comparison_html import Html

        return Html(sink, datetime.now(UTC))
    from rich.console import Console

    from unspun.service.render.comparison_table import Table

    plain = Console(file=io.StringIO(), force_terminal=False, color_system=None)
    return Table(Console() if request.file is None else plain, sink)


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun if count == 1 else noun + 's'}"

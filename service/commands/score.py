"""`unspun score`: verdicts on files, folders and standard input."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

import click

from service.console import CommandError, complain, printable

# All else is imported by those who need it: help and usage errors should not wait for it.
if TYPE_CHECKING:
    from service.output import Output
    from service.progress import Progress
    from service.readers import Failure, Format, Record
    from service.render import Renderer
    from service.scoring import Scored, Scorer, ScorerLoader, Tally

FORMATS = ("table", "jsonl", "csv")
VERDICTS = ("paraphrased", "suspect", "clear", "abstained")
STDOUT = "-"
UNREAD = 3
"""Exit status where some documents could not be read or scored."""


@click.command(short_help="Score files, folders or standard input.")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="How verdicts are written. Default: by the name of --output; a table on a terminal; else jsonl.",
)
@click.option("--output", metavar="FILE", help="Write to FILE (.jsonl or .csv, also .gz) instead of standard output.")
@click.option("--no-evidence", is_flag=True, help="Leave the evidence out, which is faster.")
@click.option(
    "--depth",
    type=click.Choice(["auto", "fast", "deep"]),
    default="auto",
    show_default=True,
    help="The tier that decides; auto asks the deep one only where the fast one is in doubt.",
)
@click.option("--model", "bundle", metavar="BUNDLE", help="Folder of the model. Default: the one that ships.")
@click.option(
    "--input-format",
    type=click.Choice(["txt", "html", "jsonl", "csv"]),
    help="What standard input is. Default: jsonl where it looks like it, else one plain text.",
)
@click.option(
    "--show",
    type=click.IntRange(min=0),
    metavar="N",
    default=5,
    show_default=True,
    help="Sentences with evidence under each doubtful document of the table.",
)
@click.option("--quiet", "-q", is_flag=True, help="No progress and no summary; errors are still told.")
@click.pass_obj
def score(
    load: ScorerLoader | None,
    paths: tuple[str, ...],
    form: str | None,
    output: str | None,
    no_evidence: bool,
    depth: str,
    bundle: str | None,
    input_format: Format | None,
    show: int,
    quiet: bool,
) -> None:
    """Tell which documents are machine-paraphrased, of what kind, how sure, and which words give them away.

    PATH is a file, a folder (searched in full) or - for standard input. Read are .txt and .md (one document,
    Markdown as it stands), .html and .htm (reduced to the article: offsets count in the article's text),
    .jsonl and .ndjson ("text", and "id" if it has one), .csv (columns "text" and "id"), each also with .gz at
    the end. A file of another name is read as plain text when it is named itself, and passed over in folders.

    \b
    Exit status:
      0    all documents were scored
      1    the model could not be loaded, or the output not written
      2    wrong usage
      3    some documents could not be read; each is told in a line, the rest were scored
      130  interrupted

    \b
    Examples:
      unspun score article.txt
      unspun score submissions/ --output verdicts.jsonl
      unspun score crawl.jsonl.gz --no-evidence | jq -r 'select(.verdict == "paraphrased").id'
      pdftotext paper.pdf - | unspun score - --format table
    """
    from service.progress import Progress
    from service.readers import Reader
    from service.scoring import Tally, score_records

    file = None if output in (None, STDOUT) else Path(str(output))
    form = form or _format_for(file)
    with _open(file, paths, form) as sink:
        scorer = (load or load_detector)(None if bundle is None else Path(bundle))
        _check_depth(scorer, depth)
        reader = Reader(paths, stdin=_standard_input(), stdin_format=input_format, exclude=file)
        records = _warn_of_same_ids(reader)
        outcomes = score_records(scorer, records, depth=depth, evidence=not no_evidence)
        tally = Tally()
        started = time.monotonic()
        # Verdicts that scroll by are progress enough, and a bar would run through them.
        enabled = not quiet and _is_terminal(sys.stderr) and (file is not None or not _is_terminal(sys.stdout))
        with Progress(reader, enabled=enabled) as progress:
            try:
                _write(outcomes, _renderer(form, show, file), sink, tally, progress)
            except KeyboardInterrupt:
                kept = f"; {tally.documents:,} verdicts are in {file}.part" if file is not None else ""
                raise KeyboardInterrupt(f"interrupted{kept}") from None
    if not quiet:
        _summarise(tally, reader.skipped, time.monotonic() - started)
    if tally.failures:
        raise click.exceptions.Exit(UNREAD)


def load_detector(bundle: Path | None) -> Scorer:
    """Load a model, None for the one that ships. Raises model.bundle.BundleError."""
    from model.detector import Detector

    return Detector.load(bundle)


def _check_depth(scorer: Scorer, depth: str) -> None:
    """Ask the model for nothing, so that a depth it does not have is told once and not for every document."""
    try:
        scorer.score_many([], depth=depth)
    except ValueError as error:
        raise CommandError(str(error)) from error


def _write(
    outcomes: Iterable[Scored | Failure], renderer: Renderer, sink: Output, tally: Tally, progress: Progress
) -> None:
    from model.document import MAX_CHARACTERS
    from service.readers import Failure

    sink.write(renderer.header())
    for outcome in outcomes:
        if isinstance(outcome, Failure):
            complain(str(outcome))
        else:
            sink.write(renderer.document(outcome.record.text, outcome.verdict))
            if len(outcome.record.text) > MAX_CHARACTERS:
                complain(f"{outcome.record.where}: only its first {MAX_CHARACTERS:,} characters were judged")
        tally.add(outcome)
        progress.update(tally)


def _warn_of_same_ids(records: Iterable[Record | Failure]) -> Iterator[Record | Failure]:
    """Pass records on, and tell of the first id that comes twice: verdicts could not be told apart by it."""
    from service.readers import Failure

    seen: set[int] | None = set()  # hashes, since ids may be long
    for record in records:
        if seen is not None and not isinstance(record, Failure):
            key = hash(record.id)
            if key in seen:
                complain(f"{record.where}: warning: the id {record.id} was there before; all are scored, in order")
                seen = None
            else:
                seen.add(key)
        yield record


def _summarise(tally: Tally, skipped: int, seconds: float) -> None:
    counts = [f"{tally.verdicts[word]:,} {word}" for word in VERDICTS if tally.verdicts[word]]
    parts = [f"{_plural(tally.documents, 'document')} scored"]
    parts[0] += f" ({', '.join(counts)})" if counts else ""
    if tally.failures:
        parts.append(f"{_plural(tally.failures, 'failure')}")
    if skipped:
        parts.append(f"{_plural(skipped, 'file')} of other types passed over")
    parts.append(f"{tally.words / max(seconds, 1e-9):,.0f} words/s")
    complain("; ".join(parts))


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _format_for(file: Path | None) -> str:
    if file is None:
        return "table" if _is_terminal(sys.stdout) else "jsonl"
    return "csv" if file.name.lower().removesuffix(".gz").endswith(".csv") else "jsonl"


def _open(file: Path | None, paths: tuple[str, ...], form: str) -> Output:
    from service.output import FileOutput, StandardOutput

    if file is None:
        return StandardOutput((sys.stdout.encoding if form == "table" and sys.stdout else None) or "utf-8")
    if any(path != STDOUT and os.path.realpath(path) == os.path.realpath(file) for path in paths):
        raise click.BadParameter(f"{printable(str(file))} is one of the inputs.", param_hint="--output")
    try:
        return FileOutput(file)
    except OSError as error:
        reason = error.strerror or str(error)
        raise click.BadParameter(f"{printable(str(file))}: {reason}.", param_hint="--output") from error


def _renderer(form: str, show: int, file: Path | None) -> Renderer:
    if form == "jsonl":
        from service.render.jsonl import JsonLines

        return JsonLines()
    if form == "csv":
        from service.render.csv import Csv

        return Csv()
    from rich.console import Console

    from service.render.table import Table

    plain = Console(file=io.StringIO(), force_terminal=False, color_system=None)
    return Table(Console() if file is None else plain, show=show)


def _standard_input() -> io.BufferedIOBase | None:
    return None if sys.stdin is None else cast("io.BufferedIOBase", sys.stdin.buffer)


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()

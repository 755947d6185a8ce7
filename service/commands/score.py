"""`unspun score`: verdicts on files, folders and standard input."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

import click

from unspun.model.verdict import VERDICTS
from unspun.service.console import CommandError, complain, printable

# All else is imported by those who need it: help and usage errors should not wait for it.
if TYPE_CHECKING:
    from unspun.model.verdict import Verdict
    from unspun.reading.reader import Failure, Format, Reader, Record
    from unspun.service.batch.dedupe import Deduplicator
    from unspun.service.batch.output import Output
    from unspun.service.batch.parallel import Plan, Task
    from unspun.service.batch.progress import Progress
    from unspun.service.batch.scoring import Scored, Scorer, ScorerLoader, Tally
    from unspun.service.render import Renderer, Writer

FORMATS = ("table", "jsonl", "csv", "parquet", "html")
ENDINGS = {
    **dict.fromkeys(("", ".jsonl", ".ndjson", ".json", ".txt"), "jsonl"),
    **{".csv": "csv", ".parquet": "parquet", ".html": "html", ".htm": "html"},
}
"""Formats by the end of an output's name."""
STDOUT = "-"
KILLED = ("TerminatedWorkerError", "BrokenProcessPool", "KilledWorker")
MOST_TOLD = 20
"""Failures that a run into a folder tells one by one."""
WORTH_A_WORKER = 4_000_000
"""Bytes of input for each process: one scores them in some ten seconds, and loads the model in two."""
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
@click.option(
    "--output",
    metavar="FILE|FOLDER/",
    help="Write to FILE (.jsonl .csv .parquet .html, also .gz), or in parts to FOLDER/, where a run can go on.",
)
@click.option("--no-evidence", is_flag=True, help="Leave the evidence out, which is faster.")
@click.option(
    "--depth",
    type=click.Choice(["auto", "fast", "deep"]),
    default="auto",
    show_default=True,
    help="The tier that decides; auto asks the deep one only where the fast one is in doubt.",
)
@click.option(
    "--base-rate",
    metavar="SHARE",
    callback=lambda _context, _option, value: _base_rate(value),
    help="The share of paraphrased texts among these, such as 0.05: verdicts then have a probability.",
)
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
@click.option(
    "--show",
    type=click.IntRange(min=0),
    metavar="N",
    default=5,
    show_default=True,
    help="Sentences with evidence under each doubtful document of the table; 0 leaves one line a document.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Processes. Default: into a FOLDER/ all cores, else one for each 4 MB of files, as far as there are cores.",
)
@click.option("--scheduler", metavar="URL", help="Score on the Dask cluster whose scheduler is there (tcp://...).")
@click.option("--dedupe", is_flag=True, help="Leave out texts that are nearly the same as one before.")
@click.option("--force", is_flag=True, help="Overwrite FILE; begin anew where FOLDER/ holds another run.")
@click.option("--part-size", type=click.IntRange(min=1), default=1000, show_default=True, metavar="N", hidden=True)
@click.option("--quiet", "-q", is_flag=True, help="No progress and no summary; errors are still told.")
@click.pass_obj
def score(
    load: ScorerLoader | None,
    paths: tuple[str, ...],
    form: str | None,
    output: str | None,
    no_evidence: bool,
    depth: str,
    base_rate: float | None,
    bundle: str | None,
    input_format: Format | None,
    show: int,
    workers: int | None,
    scheduler: str | None,
    dedupe: bool,
    force: bool,
    part_size: int,
    quiet: bool,
) -> None:
    """Tell which documents are machine-paraphrased, of what kind, how sure, and which words give them away.

    A score is no probability: 0.5 is the line of `suspect` and 0.9 that of `paraphrased`. The false-positive rate
    tells how often human text of the same length shows as much.

    PATH is a file, a folder (searched in full), a quoted pattern ('crawl/**/*.txt'), any of these as a URL that
    fsspec knows (s3://, gs://, https://), or - for standard input. Read are .txt and .md (one document, Markdown as
    it stands), .html and .htm (reduced to the article: offsets count in the article's text), .jsonl and .ndjson
    ("text", and "id" if it has one), .csv and .parquet (columns "text" and "id"), .warc and .wet (pages with status
    200, reduced to their articles; ids are their addresses), each also with .gz or .zst at the end. A file of
    another name is read as plain text when it is named itself, and passed over in folders.

    With --output FOLDER/ verdicts are written in parts, on all cores, and the same command goes on where a run
    was ended; failures.jsonl and summary.json tell of the whole.

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
      unspun score submissions/ --output report.html
      unspun score s3://bucket/crawl/ --output verdicts/ --dedupe
      unspun score crawl/ --output verdicts/ --scheduler tcp://scheduler:8786
      unspun score crawl.jsonl.gz --no-evidence | jq -r 'select(.verdict == "paraphrased").id'
      pdftotext paper.pdf - | unspun score - --format table
    """
    from unspun.reading.html import Page, extract_article
    from unspun.reading.reader import Reader

    target = _target(output, form, paths)
    if force and target.folder is None and target.file is None:
        raise click.BadParameter("only goes with --output.", param_hint="--force")
    request = _Request(
        load=load or load_detector,
        bundle=None if bundle is None else Path(bundle),
        depth=depth,
        evidence=not no_evidence,
        base_rate=base_rate,
        show=show,
        quiet=quiet,
        paths=paths,
    )
    read = partial(
        Reader,
        paths,
        stdin=_standard_input(),
        stdin_format=input_format,
        exclude=target.file or target.folder,
    )
    plan = _plan(workers, scheduler, target, read)
    # Into a folder always: how many workers there are must not change what a run has read.
    reader = read(article=extract_article if plan.is_local and target.folder is None else Page)
    started = time.monotonic()
    tally, left_out = (_score_into_folder if target.folder else _score_to_one_place)(
        request, target, plan, reader, dedupe, force, part_size
    )
    if not quiet:
        _summarise(tally, reader.skipped, left_out, time.monotonic() - started)
    if tally.failures:
        raise click.exceptions.Exit(UNREAD)


@dataclass(frozen=True)
class _Target:
    """Where verdicts go, and in which format: a file, a run's folder, or standard output."""

    form: str
    file: Path | None = None
    folder: Path | None = None


@dataclass(frozen=True)
class _Request:
    """What is asked for."""

    load: ScorerLoader
    bundle: Path | None
    depth: str
    evidence: bool
    base_rate: float | None
    show: int
    quiet: bool
    paths: tuple[str, ...]

    def scorer(self) -> Scorer:
        """Load the model, and make sure that it has the depth: that is told once, and not for every document."""
        scorer = self.load(self.bundle)
        try:
            scorer.score_many([], depth=self.depth)
        except ValueError as error:
            raise CommandError(str(error)) from error
        return scorer

    def task(self, scorer: Scorer) -> Task:
        """Return what workers are told."""
        from unspun.service.batch.parallel import Task

        sha256 = getattr(getattr(scorer, "model", None), "sha256", None)
        bundle = None if self.bundle is None else self.bundle.resolve()
        return Task(self.load, bundle, sha256, self.depth, self.evidence, self.base_rate)

    def progress(self, reader: Reader, *, scrolls: bool) -> Progress:
        """Return the display of progress; verdicts that scroll by are progress enough, and a bar would run through."""
        from unspun.service.batch.progress import Progress

        return Progress(reader, enabled=not self.quiet and not scrolls, terminal=_is_terminal(sys.stderr))


def _score_to_one_place(
    request: _Request, target: _Target, plan: Plan, reader: Reader, dedupe: bool, force: bool, part_size: int
) -> tuple[Tally, int]:
    """Score to standard output or a file; return what came of it, and how many were left out as duplicates."""
    from unspun.service.batch.parallel import score_in_parallel
    from unspun.service.batch.scoring import Tally, score_records

    tally = Tally()
    with _open(target, request.paths, force=force) as sink, _explained():
        scorer = request.scorer()
        records, deduplicator = _records(reader, dedupe)
        if plan.is_local:
            outcomes = score_records(
                scorer, records, depth=request.depth, evidence=request.evidence, base_rate=request.base_rate
            )
        else:
            outcomes = score_in_parallel(records, request.task(scorer), plan)
        scrolls = target.file is None and _is_terminal(sys.stdout)
        with request.progress(reader, scrolls=scrolls) as progress:
            try:
                _write(outcomes, _writer(target, request, sink, scorer), tally, progress)
            except KeyboardInterrupt:
                kept = f"; {tally.documents:,} verdicts are in {target.file}.part" if target.file is not None else ""
                raise KeyboardInterrupt(f"interrupted{kept}") from None
    return tally, 0 if deduplicator is None else len(deduplicator.left_out)


def _score_into_folder(
    request: _Request, target: _Target, plan: Plan, reader: Reader, dedupe: bool, force: bool, part_size: int
) -> tuple[Tally, int]:
    """Score into a run's folder, or go on with the run that is there."""
    from unspun.service.batch.runs import RunFolder, run
    from unspun.service.batch.scoring import Tally
    from unspun.service.render.factory import writer_for

    assert target.folder is not None
    with _explained(), _kept_in(target.folder):
        scorer = request.scorer()
        task = request.task(scorer)
        settings = {
            "model": task.sha256,
            "depth": request.depth,
            "evidence": request.evidence,
            "base_rate": request.base_rate,
            "format": target.form,
            "dedupe": dedupe,
            "part_size": part_size,
        }
        folder = RunFolder(target.folder, settings, suffix=f".{target.form}", force=force)
        started = time.monotonic()
        complete, tally = False, Tally()
        records, deduplicator = _records(reader, dedupe)
        try:
            with request.progress(reader, scrolls=False) as progress:
                run(
                    records,
                    task,
                    plan,
                    folder,
                    lambda stream: writer_for(target.form, stream),
                    scorer=scorer,
                    tally=tally,
                    part_items=part_size,
                    progress=progress.update,
                    tell=_Few(target.folder),
                )
            complete = True
        except KeyboardInterrupt:
            raise KeyboardInterrupt("interrupted; the same command goes on from here") from None
        finally:
            try:
                if deduplicator is not None and complete:
                    folder.write_duplicates(deduplicator.left_out)
                summary = folder.sum_up(tally, time.monotonic() - started, complete=complete)
            except OSError:
                if complete:  # else what ended the run is told, and most likely is the same
                    raise
            finally:
                folder.close()
    if not request.quiet:
        done = summary["documents"] - tally.documents
        if done > 0:
            complain(f"{_plural(done, 'document')} had been scored by earlier commands")
    tally.failures = summary["failures"]  # those of earlier commands are not forgotten
    return tally, 0 if deduplicator is None else len(deduplicator.left_out)


@contextmanager
def _kept_in(folder: Path) -> Iterator[None]:
    """Tell of a disk that is full, or fails, which folder is on it: the error itself does not."""
    from unspun.service.batch.output import DISK_FAULTS

    try:
        yield
    except OSError as error:
        if error.errno not in DISK_FAULTS:
            raise
        told = f"{folder}: {error.strerror}; once that is mended, the same command goes on from here"
        raise CommandError(told) from error


class _Few:
    """Tells the first of many lines; all failures are in the run's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._told = 0

    def __call__(self, line: str) -> None:
        self._told += 1
        if self._told <= MOST_TOLD:
            complain(line)
        if self._told == MOST_TOLD:
            complain(f"from here on, what goes wrong is only listed in {self._folder}/failures.jsonl")


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what may go wrong in a run into a line."""
    from unspun.service.batch.parallel import SchedulerError
    from unspun.service.batch.runs import BatchError

    try:
        yield
    except (BatchError, SchedulerError) as error:
        raise CommandError(str(error)) from error
    except Exception as error:
        if type(error).__name__ in KILLED:
            raise CommandError(
                "a worker was killed, perhaps for want of memory; try fewer --workers "
                "(into a FOLDER/, the same command goes on from here)"
            ) from error
        raise


def _records(reader: Reader, dedupe: bool) -> tuple[Iterator[Record | Failure], Deduplicator | None]:
    records = _warn_of_same_ids(reader)
    if not dedupe:
        return records, None
    from unspun.service.batch.dedupe import Deduplicator

    deduplicator = Deduplicator()
    return deduplicator(records), deduplicator


def _target(output: str | None, form: str | None, paths: tuple[str, ...]) -> _Target:
    from unspun.service.batch.runs import RUN

    if output in (None, STDOUT):
        chosen = form or ("table" if _is_terminal(sys.stdout) else "jsonl")
        if chosen in ("parquet", "html") and _is_terminal(sys.stdout):
            raise click.UsageError(f"{chosen} is not for a terminal; give --output FILE.{chosen}.")
        return _Target(chosen)
    path = Path(str(output))
    if str(output).endswith(("/", os.sep)) or path.is_dir():
        if (form or "jsonl") not in ("jsonl", "csv", "parquet"):
            raise click.BadParameter(f"{form} is not written in parts; give a file.", param_hint="--format")
        if path.is_dir() and not (path / RUN).exists() and any(path.iterdir()):
            told = f"{printable(str(path))} is a folder with other things in it; give a new one, or a file."
            raise click.BadParameter(told, param_hint="--output")
        return _Target(form or "jsonl", folder=path)
    chosen = form or _format_for(path)
    if chosen == "parquet" and path.name.lower().endswith(".gz"):
        raise click.BadParameter("Parquet is packed inside already; leave out .gz.", param_hint="--output")
    return _Target(chosen, file=path)


def _plan(workers: int | None, scheduler: str | None, target: _Target, read: Callable[[], Reader]) -> Plan:
    from unspun.service.batch.parallel import Plan
    from unspun.service.machine import cores

    if scheduler is not None:
        if workers is not None:
            raise click.UsageError("--workers is the cluster's own where there is a --scheduler.")
        return Plan(scheduler=scheduler)
    if workers is None:
        workers = cores()
        if target.folder is None and workers > 1:
            workers = min(workers, max(1, (read().total_bytes() or 0) // WORTH_A_WORKER))
    return Plan(workers)


def _base_rate(value: str | None) -> float | None:
    """Return the base rate that was given. Raises click.BadParameter."""
    if value is None:
        return None
    from unspun.model.decision.decision import check_base_rate

    given: str | float = value
    with suppress(ValueError):
        given = float(value)
    try:
        return check_base_rate(given)  # type: ignore[arg-type]  # it refuses a string
    except ValueError as error:
        raise click.BadParameter(f"{printable(str(error))}.", param_hint="--base-rate") from error


def load_detector(bundle: Path | None) -> Scorer:
    """Load a model, None for the one that ships. Raises model.bundle.BundleError."""
    from unspun.model.detector import Detector

    return Detector.load(bundle)


def _write(outcomes: Iterable[Scored | Failure], writer: Writer, tally: Tally, progress: Progress) -> None:
    from unspun.model.text.document import MAX_CHARACTERS
    from unspun.reading.reader import Failure

    for outcome in outcomes:
        if isinstance(outcome, Failure):
            complain(str(outcome))
        else:
            writer.write(outcome.record.text, outcome.verdict)
            if len(outcome.record.text) > MAX_CHARACTERS:
                complain(f"{outcome.record.where}: only its first {MAX_CHARACTERS:,} characters were judged")
        tally.add(outcome)
        progress.update(tally)
    if hasattr(writer, "failures"):  # the report tells how many there were
        writer.failures = tally.failures
    writer.close()


def _warn_of_same_ids(records: Iterable[Record | Failure]) -> Iterator[Record | Failure]:
    """Pass records on, and tell of the first id that comes twice: verdicts could not be told apart by it."""
    from unspun.reading.reader import Failure

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


def _summarise(tally: Tally, skipped: int, left_out: int, seconds: float) -> None:
    counts = [f"{tally.verdicts[word]:,} {word}" for word in VERDICTS if tally.verdicts[word]]
    parts = [f"{_plural(tally.documents, 'document')} scored"]
    parts[0] += f" ({', '.join(counts)})" if counts else ""
    if tally.failures:
        parts.append(f"{_plural(tally.failures, 'failure')}")
    if left_out:
        parts.append(f"{_plural(left_out, 'near-duplicate')} left out")
    if skipped:
        parts.append(f"{_plural(skipped, 'file or record', 'files or records')} of other types passed over")
    parts.append(f"{tally.words / max(seconds, 1e-9):,.0f} words/s")
    complain("; ".join(parts))


def _plural(count: int, noun: str, plural: str | None = None) -> str:
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def _format_for(file: Path) -> str:
    name = file.name.lower().removesuffix(".gz")
    suffix = Path(name).suffix
    if suffix not in ENDINGS:
        known = "end it in .jsonl, .csv, .parquet or .html, or give --format."
        raise click.BadParameter(f"{printable(str(file))}: {suffix} is no format; {known}", param_hint="--output")
    return ENDINGS[suffix]


def _open(target: _Target, paths: tuple[str, ...], *, force: bool) -> Output:
    from unspun.service.batch.output import FileOutput, StandardOutput

    file = target.file
    if file is None:
        return StandardOutput((sys.stdout.encoding if target.form == "table" and sys.stdout else None) or "utf-8")
    if any(path != STDOUT and os.path.realpath(path) == os.path.realpath(file) for path in paths):
        raise click.BadParameter(f"{printable(str(file))} is one of the inputs.", param_hint="--output")
    if not force and file.is_file() and file.stat().st_size:
        raise CommandError(f"{file}: is there already; choose another --output, or overwrite it with --force")
    try:
        return FileOutput(file)
    except OSError as error:
        reason = error.strerror or str(error)
        raise click.BadParameter(f"{printable(str(file))}: {reason}.", param_hint="--output") from error


def _writer(target: _Target, request: _Request, sink: Output, scorer: Scorer) -> Writer:
    """Return what writes one document after another; text goes through the sink, which knows its encoding."""
    from unspun.service.batch.scoring import supported_by
    from unspun.service.render.factory import renderer_for, writer_for

    supported = supported_by(scorer)
    if target.form in ("parquet", "html"):
        return writer_for(target.form, sink.stream, source=" ".join(request.paths), supported=supported)
    if target.form != "table":
        return _TextToSink(renderer_for(target.form), sink)
    from rich.console import Console

    from unspun.service.render.table import Table

    plain = Console(file=io.StringIO(), force_terminal=False, color_system=None)
    console = Console() if target.file is None else plain
    return _TextToSink(Table(console, show=request.show, supported=supported), sink)


class _TextToSink:
    """Writes what a renderer says."""

    def __init__(self, renderer: Renderer, sink: Output) -> None:
        self._renderer = renderer
        self._sink = sink
        sink.write(renderer.header())

    def write(self, text: str, verdict: Verdict) -> None:
        self._sink.write(self._renderer.document(text, verdict))

    def close(self) -> None:
        pass


def _standard_input() -> io.BufferedIOBase | None:
    return None if sys.stdin is None else cast("io.BufferedIOBase", sys.stdin.buffer)


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()

"""`unspun score`: verdicts on files, folders and standard input."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from unspun.model.verdict import VERDICTS, EvidenceChoice
from unspun.service.commands.common import (
    FOUND,
    INCOMPLETE,
    STDIO,
    DetectorLoader,
    Reading,
    allow_option,
    bad_output,
    check_force,
    choose_format,
    depth_option,
    device_option,
    format_option,
    in_words,
    is_terminal,
    model_option,
    open_output,
    open_reader,
    progress_of,
    quiet_option,
    reading_options,
    require_depth,
    table_console,
    warn_of_other_terms,
)
from unspun.service.commands.typed import paths_or_pipe
from unspun.service.console import CommandError, complain, plural, printable

# Everything else is imported where it is needed, so that help and usage errors are quick.
if TYPE_CHECKING:
    from collections import Counter

    from unspun.model.text.allowed import Allowed
    from unspun.reading.reader import Failure, Reader, Record
    from unspun.reading.records import Omissions
    from unspun.service.batch.dedupe import Deduplicator
    from unspun.service.batch.output import Output
    from unspun.service.batch.parallel import Task, Workers
    from unspun.service.batch.scoring import Outcome, Scorer, ScorerLoader, Tally
    from unspun.service.render import VerdictWriter

ENDINGS = {
    **dict.fromkeys((".jsonl", ".ndjson", ".json", ""), "jsonl"),
    **{".csv": "csv", ".parquet": "parquet", ".html": "html", ".htm": "html", ".txt": "table"},
}
"""Formats by the ending of the output's name."""
IN_PARTS = ("jsonl", "csv", "parquet")
"""Formats that can be written in parts to a folder."""
MOST_REPORTED = 20
"""Failures that are reported one by one when the output is a folder."""
REMEMBERED = 1 << 20
"""Ids that are remembered to notice repeated ones."""
FAILING = {"suspect": ("paraphrased", "suspect"), "paraphrased": ("paraphrased",)}
"""The verdicts that each value of --fail-on is about."""
WORTH_A_WORKER = 8_000_000
"""Bytes of input for each process: it scores them in one to ten seconds, and starts in one."""


@click.command(short_help="Score files, folders or standard input.")
@click.argument("paths", metavar="PATH...", nargs=-1)
@format_option(
    "csv",
    "parquet",
    "html",
    text="Output format. Default: by the name of --output, else a table on a terminal and jsonl in a pipe.",
)
@click.option(
    "--output",
    metavar="FILE|FOLDER/",
    help="Write to FILE (.jsonl .csv .parquet .html .txt, also .gz), or to FOLDER/ in parts, to resume an ended run.",
)
@click.option("--no-evidence", is_flag=True, help="Leave out the evidence, which is faster.")
@click.option("--all-evidence", is_flag=True, help="Give evidence for documents with the verdict `clear`, too.")
@depth_option
@click.option(
    "--base-rate",
    metavar="SHARE",
    callback=lambda _context, _option, value: _base_rate(value),
    help="Share of paraphrased texts among your documents, such as 0.05. Adds a probability to each verdict.",
)
@model_option
@allow_option
@device_option
@reading_options
@click.option(
    "--show",
    type=click.IntRange(min=0),
    metavar="N",
    default=5,
    show_default=True,
    help="In the table, show up to N sentences with evidence under each suspicious document.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of processes. Default: all cores with --output FOLDER/, else one per 8 MB of input, up to all cores.",
)
@click.option("--scheduler", metavar="URL", help="Score on the Dask cluster with this scheduler (tcp://HOST:PORT).")
@click.option("--dedupe", is_flag=True, help="Skip texts that are nearly the same as an earlier one.")
@click.option(
    "--fail-on",
    type=click.Choice(list(FAILING)),
    help="Exit with status 4 if a document is paraphrased or, with suspect, suspect or paraphrased.",
)
@click.option("--force", is_flag=True, help="Overwrite FILE, or start over in a FOLDER/ that contains another run.")
@click.option("--part-size", type=click.IntRange(min=1), default=1000, show_default=True, metavar="N", hidden=True)
@quiet_option()
@click.pass_obj
def score(
    load: ScorerLoader | None,
    paths: tuple[str, ...],
    form: str | None,
    output: str | None,
    no_evidence: bool,
    all_evidence: bool,
    depth: str,
    base_rate: float | None,
    bundle: Path | None,
    allowed: Allowed | None,
    device: str,
    reading: Reading,
    show: int,
    workers: int | None,
    scheduler: str | None,
    dedupe: bool,
    fail_on: str | None,
    force: bool,
    part_size: int,
    quiet: bool,
) -> None:
    """Find out which documents are machine-paraphrased, in what way, and which words give them away.

    A score is not a probability: 0.5 is the threshold of the verdict `suspect`, and 0.9 that of `paraphrased`. The
    false-positive rate says how often human text of the same length shows evidence as strong.

    PATH is a file, a folder (searched recursively), a quoted pattern ('crawl/**/*.txt'), the URL of any of these
    (s3://, gs://, https://), or - for standard input. Without PATH, the text that is piped into the command is scored.
    These formats are read, each also compressed (.gz, .zst):

    \b
      .txt .md .rst     one document; also .markdown, and subtitles: .srt .vtt
      .html .htm        one document: the article of the page
      .pdf .docx .odt   one document; also .rtf and .epub
      .eml              one document: the text of an e-mail
      .jsonl .ndjson    a document per line, with "text" and maybe "id"
      .json             such objects or texts in an array, or an object with one
      .csv .tsv         a document per row, with columns "text" and maybe "id"
      .parquet          the same
      .warc .wet        the articles of a web crawl; the ids are their addresses

    The text may also be called content, body, article or full_text; --text-field names any other field.

    A file with another ending is read as plain text if you name it, and skipped in folders.

    With --output FOLDER/, verdicts are written in parts, on all cores; failures.jsonl and summary.json describe the
    whole run. Rerun the same command to resume. Existing output is never overwritten unless you pass --force.

    \b
    Exit status:
      0    all documents were scored
      1    the model could not be loaded, or the run had to stop and can be rerun
      2    wrong usage
      3    some documents could not be read; the rest were scored
      4    with --fail-on: a document has that verdict, and all could be read
      130  interrupted

    \b
    Examples:
      unspun score article.txt
      unspun score submissions/ --output verdicts.jsonl
      unspun score submissions/ --output report.html
      unspun score s3://bucket/crawl/ --output verdicts/ --dedupe
      unspun score crawl/ --output verdicts/ --scheduler tcp://scheduler:8786
      unspun score articles/*.md --fail-on suspect
      unspun score crawl/ --no-evidence | jq 'select(.verdict == "suspect").id'
      curl -s https://example.org/paper.pdf | unspun score - --format table
    """
    from unspun.reading.html import Page, extract_article

    if no_evidence and all_evidence:
        raise click.UsageError("--no-evidence and --all-evidence exclude each other. Pass one of them.")
    target = _target(output, form)
    check_force(target.place, force)
    paths = paths_or_pipe(paths, "score")
    read = partial(open_reader, paths, reading, exclude=target.place)
    chosen = _workers(workers, scheduler, target, read)
    # With an output folder, pages are always left to the workers: their number must not change what a run reads.
    reader = read(
        article=extract_article if chosen.is_local and target.folder is None else Page.later,
        # Only workers that also write the verdicts can read them: a part of a folder is checked by what was read.
        in_blocks=target.is_of_lines and target.folder is None and not (chosen.is_local or dedupe),
    )
    run = _ScoreRun(
        target,
        reader,
        chosen,
        load or DetectorLoader(device),
        bundle,
        allowed,
        depth,
        "all" if all_evidence else not no_evidence,
        base_rate,
        reading,
        show,
        force,
        quiet,
    )
    started = time.monotonic()
    records: Iterator[Record | Failure] = iter(reader)
    if not reader.in_blocks:
        records = _warn_of_repeated_ids(records)
    deduplicator = None
    if dedupe:
        from unspun.service.batch.dedupe import Deduplicator

        deduplicator = Deduplicator()
        records = deduplicator(records)
    if target.folder:
        tally, verdicts = run.into_folder(records, deduplicator, part_size)
    else:
        tally = run.to_one_place(records, deduplicator)
        verdicts = tally.verdicts
    if not quiet:
        near_duplicates = 0 if deduplicator is None else len(deduplicator.left_out)
        _summarise(tally, reader.skipped, near_duplicates, time.monotonic() - started)
    failing = None if fail_on is None else failing_line(fail_on, verdicts, tally.failures)
    if failing is not None:  # also with --quiet, because it explains the exit status
        complain(failing)
    if tally.failures:
        raise click.exceptions.Exit(INCOMPLETE)
    if failing is not None:
        raise click.exceptions.Exit(FOUND)


@dataclass(frozen=True)
class _ScoreTarget:
    """Where verdicts go, and in which format: a file, a run's folder, or standard output."""

    form: str
    file: Path | None = None
    folder: Path | None = None

    @property
    def place(self) -> Path | None:
        """The file or folder, None for standard output."""
        return self.file or self.folder

    @property
    def is_of_lines(self) -> bool:
        """Whether each verdict is a text of its own, which workers can write."""
        from unspun.service.render.factory import IN_LINES

        return self.form in IN_LINES


@dataclass(frozen=True)
class _ScoreRun:
    """One call of the command."""

    target: _ScoreTarget
    reader: Reader
    workers: Workers
    load: ScorerLoader
    bundle: Path | None
    allowed: Allowed | None
    depth: str
    evidence: EvidenceChoice
    base_rate: float | None
    reading: Reading
    show: int
    force: bool
    quiet: bool

    def to_one_place(self, records: Iterator[Record | Failure], deduplicator: Deduplicator | None) -> Tally:
        """Score to standard output or a file; return the counts."""
        from unspun.reading.records import Failure, Omission, Omissions
        from unspun.service.batch.parallel import score_in_parallel, write
        from unspun.service.batch.scoring import Tally, notice

        target, tally = self.target, Tally()
        with open_output(target.file, target.form, self.reader.paths, overwrites=self.force) as output:
            scorer = self._scorer()
            writer = self._writer(output, scorer)
            # Verdicts that scroll by already show progress, and a bar would interrupt them.
            scrolls = target.file is None and is_terminal(sys.stdout)
            with progress_of(self.reader, quiet=self.quiet, hidden=scrolls) as progress:
                try:
                    outcomes = score_in_parallel(records, self._task(scorer), self.workers, scorer)
                    for outcome in _warn_of_repeated_ids(outcomes) if self.reader.in_blocks else outcomes:
                        if not isinstance(outcome, Failure):
                            write(writer, outcome)
                        elif isinstance(outcome, Omission):
                            self.reader.skipped.add(outcome.message)
                        else:
                            writer.fail(outcome)
                        # A table shows failures in their places, where messages would interrupt it.
                        is_shown = scrolls and target.form == "table" and isinstance(outcome, Failure)
                        if not (is_shown and is_terminal(sys.stderr)) and (line := notice(outcome)) is not None:
                            complain(line)
                        tally.add(outcome)
                        progress.update(tally)
                    skipped = Omissions()
                    skipped.update(self.reader.skipped)
                    for id, _ in deduplicator.left_out if deduplicator is not None else ():
                        skipped.add("nearly the same as an earlier text", id)
                    writer.close(skipped)
                except KeyboardInterrupt:
                    kept = f"; {target.file}.part contains {tally.documents:,} verdicts" if target.file else ""
                    raise KeyboardInterrupt(f"interrupted{kept}") from None
        return tally

    def into_folder(
        self, records: Iterator[Record | Failure], deduplicator: Deduplicator | None, part_size: int
    ) -> tuple[Tally, Counter[str]]:
        """Start or resume a run in a folder.

        Returns the counts of this command, with the failures of earlier ones, and the verdicts of the whole run.
        """
        from collections import Counter

        from unspun.service.batch.history import FINISHED
        from unspun.service.batch.runs import RunFolder, run, why_ended
        from unspun.service.batch.scoring import Tally
        from unspun.service.render.factory import writer_for

        path, form = self.target.folder, self.target.form
        assert path is not None
        with _disk_faults_explained(path):
            scorer = self._scorer()
            task = self._task(scorer)
            settings = {
                "model": task.sha256,
                "depth": self.depth,
                "evidence": self.evidence,
                "base_rate": self.base_rate,
                "allowed": None if self.allowed is None else self.allowed.sha256,
                "format": form,
                "dedupe": deduplicator is not None,
                "part_size": part_size,
                "text_field": self.reading.text_field,
                "id_field": self.reading.id_field,
            }
            workers = self.workers.scheduler or plural(self.workers.processes, "process", "processes")
            folder = RunFolder(path, settings, suffix=f".{form}", force=self.force, workers=workers)
            started = time.monotonic()
            complete, tally = False, Tally()
            ended = FINISHED, ""
            try:
                with progress_of(self.reader, quiet=self.quiet) as progress:
                    run(
                        records,
                        task,
                        self.workers,
                        folder,
                        partial(writer_for, form),
                        scorer=scorer,
                        tally=tally,
                        part_items=part_size,
                        progress=progress.update,
                        tell=_FirstLines(path),
                    )
                if deduplicator is not None:
                    folder.write_duplicates(deduplicator.left_out)
                complete = True
            except KeyboardInterrupt as error:
                ended = why_ended(error)
                raise KeyboardInterrupt("interrupted; rerun the command to resume") from None
            except BaseException as error:
                ended = why_ended(error)
                raise
            finally:
                try:
                    summary = folder.sum_up(tally, time.monotonic() - started, self.reader.skipped, complete=complete)
                    folder.history.end(folder.documents, *ended)
                except OSError as error:
                    if complete:
                        ended = why_ended(error)
                    with suppress(OSError):
                        folder.history.end(folder.documents, *ended)
                    if complete:  # otherwise the error that ended the run is raised, most likely the same one
                        raise
                finally:
                    folder.close()
        earlier = summary["documents"] - tally.documents
        if earlier > 0 and not self.quiet:
            complain(f"{plural(earlier, 'document')} had already been scored")
        tally.failures = summary["failures"]
        return tally, Counter(summary["verdicts"])

    def _scorer(self) -> Scorer:
        scorer = self.load(self.bundle)
        require_depth(scorer, self.depth)
        warn_of_other_terms(scorer, self.allowed)
        return scorer

    def _task(self, scorer: Scorer) -> Task:
        from unspun.reading.fields import Fields
        from unspun.service.batch.parallel import Task

        sha256 = getattr(getattr(scorer, "model", None), "sha256", None)
        bundle = None if self.bundle is None else self.bundle.resolve()
        return Task(
            self.load,
            bundle,
            sha256,
            self.depth,
            self.evidence,
            self.base_rate,
            self.allowed,
            self.target.form if self.target.is_of_lines else None,
            Fields(self.reading.text_field, self.reading.id_field),
        )

    def _writer(self, output: Output, scorer: Scorer) -> VerdictWriter:
        """Return the writer of the format; text goes through the output, which knows its encoding."""
        from unspun.service.batch.scoring import supported_by
        from unspun.service.render import TextWriter
        from unspun.service.render.factory import renderer_for, writer_for

        form, supported = self.target.form, supported_by(scorer)
        if form in ("parquet", "html"):
            return writer_for(form, output.stream, source=" ".join(self.reader.paths), supported=supported)
        if form == "table":
            from unspun.service.render.table import VerdictTable

            console = table_console(self.target.file)
            return TextWriter(VerdictTable(console, show=self.show, supported=supported), output.write)
        return TextWriter(renderer_for(form), output.write)


class _FirstLines:
    """Reports the first of many lines; a run's folder lists all failures."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    def __call__(self, line: str) -> None:
        self._count += 1
        if self._count <= MOST_REPORTED:
            complain(line)
        if self._count == MOST_REPORTED:
            complain(f"further failures are only listed in {self._folder}/failures.jsonl")


@contextmanager
def _disk_faults_explained(folder: Path) -> Iterator[None]:
    """Add the folder to the errors of a disk that is full or fails: they do not name it."""
    from unspun.service.batch.output import DISK_FAULTS

    try:
        yield
    except OSError as error:
        if error.errno not in DISK_FAULTS:
            raise
        message = f"{folder}: {error.strerror}; once this is fixed, rerun the command to resume"
        raise CommandError(message) from error


Named = TypeVar("Named", "Record | Failure", "Outcome")


def _warn_of_repeated_ids(items: Iterator[Named]) -> Iterator[Named]:
    """Pass documents on, and warn of the first id that occurs twice, because it does not identify a verdict.

    They are records or, where workers read them, what these have written. To bound memory, they are compared with
    the first REMEMBERED ones only.
    """
    from unspun.reading.reader import Record
    from unspun.service.batch.scoring import Written

    seen: set[int] | None = set()  # hashes, since ids may be long
    for item in items:
        if seen is not None and isinstance(item, Record | Written):
            key = hash(item.id)
            if key in seen:
                complain(f"{item.where}: warning: the id {item.id} occurs more than once; all documents are scored")
                seen = None
            elif len(seen) < REMEMBERED:
                seen.add(key)
        yield item


def _target(output: str | None, form: str | None) -> _ScoreTarget:
    if output is None or output == STDIO:
        return _ScoreTarget(choose_format(form, None, ENDINGS, ("parquet", "html")))
    path = Path(output)
    if output.endswith(("/", os.sep)) or path.is_dir():
        if form is not None and form not in IN_PARTS:
            raise click.BadParameter(f"{form} cannot be written in parts; give a file.", param_hint="--format")
        from unspun.service.batch.runs import DONE, RUN

        if path.is_dir() and not (path / RUN).exists() and any(path.iterdir()):
            if any(path.glob(f"part-*{DONE}")):
                bad_output(path, f"its run cannot be resumed, because {RUN} is missing; give a new folder, or a file.")
            bad_output(path, "the folder contains other files; give a new folder, or a file.")
        return _ScoreTarget(form or "jsonl", folder=path)
    chosen = choose_format(form, path, ENDINGS, ())
    if chosen == "parquet" and path.name.lower().endswith(".gz"):
        bad_output(path, "Parquet is already compressed; leave out .gz.")
    return _ScoreTarget(chosen, file=path)


def _workers(workers: int | None, scheduler: str | None, target: _ScoreTarget, read: Callable[[], Reader]) -> Workers:
    from unspun.service.batch.parallel import Workers
    from unspun.service.machine import cores

    if scheduler is not None:
        if workers is not None:
            raise click.UsageError("--workers cannot be used with --scheduler: the cluster has its own workers.")
        return Workers(scheduler=scheduler)
    if workers is None:
        workers = cores()
        if target.folder is None and workers > 1:
            workers = min(workers, max(1, (read().total_bytes() or 0) // WORTH_A_WORKER))
    return Workers(workers)


def _base_rate(value: str | None) -> float | None:
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


def failing_line(fail_on: str, verdicts: Counter[str], failures: int) -> str | None:
    """Return the line that says why --fail-on changes the exit status, None if no document has such a verdict.

    If documents could not be read, that decides the status, and the line says so.
    """
    counts = [f"{verdicts[word]:,} {word}" for word in FAILING.get(fail_on, ()) if verdicts[word]]
    if not counts:
        return None
    line = f"--fail-on {fail_on}: {', '.join(counts)}"
    if failures:
        line += f"; {plural(failures, 'document')} could not be read, so the exit status is {INCOMPLETE}, not {FOUND}"
    return line


def _summarise(tally: Tally, skipped: Omissions, near_duplicates: int, seconds: float) -> None:
    counts = ", ".join(f"{tally.verdicts[word]:,} {word}" for word in VERDICTS if tally.verdicts[word])
    parts = [f"{plural(tally.documents, 'document')} scored" + (f" ({counts})" if counts else "")]
    if tally.failures:
        parts.append(plural(tally.failures, "failure"))
    if near_duplicates:
        parts.append(f"{plural(near_duplicates, 'near-duplicate')} skipped")
    if skipped:
        parts.append(in_words(skipped))
    parts.append(f"{tally.words / max(seconds, 1e-9):,.0f} words/s")
    complain("; ".join(parts))

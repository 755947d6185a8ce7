"""What the commands share: options, standard input, output, failures and exit status."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO, TypeVar, cast, get_args

import click

from unspun.model.verdict import DepthChoice
from unspun.reading.documents.isolation import LIMITS
from unspun.service.commands.former import FormatType
from unspun.service.console import CommandError, complain, plural, printable

# Everything else is imported where it is needed, so that help and usage errors are quick.
if TYPE_CHECKING:
    from rich.console import Console

    from unspun.model.detector import Detector
    from unspun.model.text.allowed import Allowed
    from unspun.reading.html import Article
    from unspun.reading.reader import Format, Reader, ReadingOptions
    from unspun.reading.records import Failure, Omissions
    from unspun.service.batch.output import Output
    from unspun.service.batch.progress import Progress
    from unspun.training.corpora.corpus import LabelledText
    from unspun.training.reporting.tables import Table

Decorated = TypeVar("Decorated", bound=Callable[..., Any] | click.Command)

INCOMPLETE = 3
"""Exit status if some documents could not be read or processed; the others were."""
FOUND = 4
"""Exit status if documents have a verdict that the user asked to fail on, and all could be read."""
STDIO = "-"
"""The path that means standard input or standard output."""
MOST_FAILURES = 5
"""Failures that are reported one by one before a model is trained or calibrated."""
DEFAULT_DATABASE = "sqlite:///feedback.db"

database_option = click.option(
    "--database",
    metavar="URL",
    envvar="UNSPUN_DATABASE_URL",
    default=DEFAULT_DATABASE,
    help=f"Database of labels: an SQLite file or a URL. Default: $UNSPUN_DATABASE_URL, else {DEFAULT_DATABASE}.",
)
INPUT_FORMATS = (
    "txt",
    "html",
    "jsonl",
    "json",
    "csv",
    "tsv",
    "parquet",
    "warc",
    "eml",
    "pdf",
    "docx",
    "odt",
    "rtf",
    "epub",
)

depth_option = click.option(
    "--depth",
    type=click.Choice(get_args(DepthChoice)),
    default="auto",
    show_default=True,
    help="Tier that decides. With auto, a tier reads only what the one before it cannot settle.",
)


def _checked_device(_context: click.Context, _option: click.Parameter, name: str) -> str:
    """Refuse a device that cannot be used, before anything is read."""
    from unspun.model.onnx_session import CPU, DeviceError, check_device

    if name != CPU:  # the only device that is always there, and onnxruntime is slow to import
        try:
            check_device(name)
        except DeviceError as error:
            raise CommandError(str(error)) from error
    return name


device_option = click.option(
    "--device",
    type=click.Choice(["cpu", "cuda"]),
    envvar="UNSPUN_DEVICE",
    default="cpu",
    callback=_checked_device,
    help="Where the deep tier runs: cpu, or cuda for an NVIDIA GPU. Default: $UNSPUN_DEVICE, else cpu.",
)


class ModelType(click.ParamType):  # type: ignore[type-arg]  # not generic in click 8.1
    """The folder of a model. The word `default` names the model that ships, for which the value is None."""

    name = "bundle"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path | None:
        """Return the folder. Whatever loads the model reports a folder that is not there."""
        from unspun.model.bundle import SHIPPED, find

        return None if str(value) == SHIPPED else find(value)


def model_option_for(text: str) -> Callable[[Decorated], Decorated]:
    """Return the option --model, passed as `bundle`, None for the model that ships; `text` begins its help."""
    return click.option(
        "--model",
        "bundle",
        metavar="BUNDLE",
        envvar="UNSPUN_MODEL",
        type=ModelType(),
        help=f"{text} Default: $UNSPUN_MODEL, else `default`, the model that ships with unspun.",
    )


model_option = model_option_for("Folder of the model.")


def _read_allowed(context: click.Context, option: click.Parameter, path: Path | None) -> Allowed | None:
    if path is None:
        return None
    from unspun.model.text.allowed import Allowed, AllowedError

    try:
        return Allowed.read(path)
    except AllowedError as error:
        raise click.BadParameter(f"{printable(str(error))}.") from error


def warn_of_other_terms(model: Any, allowed: Allowed | None) -> None:
    """Report that a model was trained or calibrated with another list of allowed terms than it is used with."""
    made_with = getattr(model, "made_with", None)
    if made_with is not None and (allowed is None or allowed.sha256 != made_with):
        complain(
            "warning: the model was trained or calibrated with other allowed terms, so its false-positive rates do not "
            "hold; add --allow with the same list"
        )


allow_option = click.option(
    "--allow",
    "allowed",
    metavar="FILE",
    envvar="UNSPUN_ALLOW_FILE",
    type=click.Path(path_type=Path),
    callback=_read_allowed,
    help="File of terms that are never evidence, one per line. Default: $UNSPUN_ALLOW_FILE, else none.",
)


@dataclass(frozen=True, slots=True)
class Reading:
    """How a command reads documents: the values of reading_options."""

    stdin_format: Format | None = None
    text_field: str | None = None
    id_field: str | None = None
    document_seconds: int = 60
    document_memory: int = 512

    def options(self) -> ReadingOptions:
        """Return the options of a Reader, with standard input."""
        from unspun.reading.documents.isolation import Limits

        stdin = None if sys.stdin is None else cast("io.BufferedIOBase", sys.stdin.buffer)
        return {
            "stdin": stdin,
            "stdin_format": self.stdin_format,
            "text_field": self.text_field,
            "id_field": self.id_field,
            "limits": Limits(self.document_seconds, self.document_memory),
        }


def reading_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of reading documents. They are passed as one argument: `reading`, a Reading."""

    @wraps(function)
    def with_reading(
        *args: Any,
        input_format: Format | None,
        text_field: str | None,
        id_field: str | None,
        document_seconds: int,
        document_memory: int,
        **options: Any,
    ) -> Any:
        reading = Reading(input_format, text_field, id_field, document_seconds, document_memory)
        return function(*args, reading=reading, **options)

    for option in (
        click.option(
            "--document-memory",
            type=click.IntRange(min=32),
            metavar="MB",
            envvar="UNSPUN_DOCUMENT_MEMORY",
            default=LIMITS.megabytes,
            help=f"Most memory for reading one of these. Default: $UNSPUN_DOCUMENT_MEMORY, else {LIMITS.megabytes}.",
        ),
        click.option(
            "--document-seconds",
            type=click.IntRange(min=1),
            metavar="N",
            envvar="UNSPUN_DOCUMENT_SECONDS",
            default=LIMITS.seconds,
            help="Most seconds per PDF, DOCX, ODT, RTF or EPUB. Default: $UNSPUN_DOCUMENT_SECONDS, else "
            f"{LIMITS.seconds}.",
        ),
        click.option(
            "--input-format",
            metavar="FORMAT",
            type=click.Choice(INPUT_FORMATS),
            help=f"Format of standard input: {', '.join(INPUT_FORMATS[:-1])} or {INPUT_FORMATS[-1]}. Default: a "
            "document, jsonl or json if it looks like that, else one plain text.",
        ),
        click.option(
            "--id-field",
            metavar="NAME",
            help="Field or column of the id in JSON, CSV, TSV and Parquet. Default: id, in any case.",
        ),
        click.option(
            "--text-field",
            metavar="NAME",
            help="Field or column of the text in JSON, CSV, TSV and Parquet: its name, the number of its column, or a "
            "path (article.body). Default: text, content, body, article or full_text, in any case.",
        ),
    ):
        with_reading = option(with_reading)
    return with_reading


def quiet_option(text: str = "Show no progress and no summary, only errors.") -> Callable[[Decorated], Decorated]:
    """Return the option --quiet; `text` is its help."""
    return click.option("--quiet", "-q", is_flag=True, help=text)


def format_option(
    *others: str, text: str = "Output format. Default: a table on a terminal and jsonl in a pipe."
) -> Callable[[Decorated], Decorated]:
    """Return the option --format, passed as `form`: table, jsonl or one of the others; `text` is its help."""
    return click.option("--format", "form", type=FormatType(["table", "jsonl", *others]), help=text)


# --- input


def load_detector(bundle: Path | None, *, device: str = "cpu") -> Detector:
    """Load a model, None for the one that ships. Raises model.bundle.BundleError."""
    from unspun.model.detector import Detector

    return Detector.load(bundle, device=device)


@dataclass(frozen=True)
class DetectorLoader:
    """Loads a model for a device. Two loaders of a device are equal, so that a worker loads a model only once."""

    device: str

    def __call__(self, bundle: Path | None) -> Detector:
        """Load a model, None for the one that ships. Raises model.bundle.BundleError."""
        return load_detector(bundle, device=self.device)


def require_depth(model: Any, depth: str, name: str = "") -> None:
    """Raise CommandError if a model does not have a tier: once, instead of for every document."""
    from unspun.model.detector import MissingTierError

    try:
        model.score_many([], depth=depth, evidence=False)
    except MissingTierError as error:
        raise CommandError(f"{name}: {error}" if name else str(error)) from error


def open_reader(
    paths: Iterable[str],
    reading: Reading | None = None,
    *,
    exclude: Path | None = None,
    article: Callable[[str], Article] | None = None,
    in_blocks: bool = False,
) -> Reader:
    """Return a reader of paths, "-" for standard input; `exclude` is the output, and `article` extracts pages.

    `in_blocks` is as for Reader.
    """
    from unspun.reading.html import extract_article
    from unspun.reading.reader import Reader

    options = (reading or Reading()).options()
    return Reader(tuple(paths), exclude=exclude, article=article or extract_article, in_blocks=in_blocks, **options)


class FailureCount:
    """Counts failures: the first few are reported one by one, the others at the end."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, failure: Failure) -> None:
        """Count a failure."""
        self.count += 1
        if self.count <= MOST_FAILURES:
            complain(str(failure))

    def report_rest(self) -> None:
        """Report the number of failures that were not reported yet."""
        if self.count > MOST_FAILURES:
            complain(f"{self.count - MOST_FAILURES:,} more files or records cannot be read")


def report_own_labels(texts: Iterable[LabelledText], label: str) -> None:
    """Report how many texts keep the label that their file states although an option gives another one."""
    own = [text for text in texts if text.label != label]
    if own:
        complain(
            f"{plural(len(own), 'text')} {'has a label of its' if len(own) == 1 else 'have labels of their'} own "
            f"({', '.join(sorted({text.label for text in own}))}), which {label} does not replace ({own[0].id})"
        )


def in_words(skipped: Omissions) -> str:
    """Return how much was skipped, and why: "2 files or records skipped (type .png is not read in folders: 2)"."""
    return f"{plural(len(skipped), 'file or record', 'files or records')} skipped ({skipped})"


def progress_of(reader: Reader, *, quiet: bool, hidden: bool = False) -> Progress:
    """Return the progress display of a reader; it is `hidden` if results scroll by on a terminal."""
    from unspun.service.batch.progress import Progress

    return Progress(reader, enabled=not quiet and not hidden, terminal=is_terminal(sys.stderr))


# --- output


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether a stream, None if it is closed, is a terminal."""
    return stream is not None and stream.isatty()


def wants_json(form: str | None) -> bool:
    """Return whether to write JSON: if `form`, the value of format_option, says so, else if no terminal shows it."""
    return not is_terminal(sys.stdout) if form is None else form != "table"


def choose_format(form: str | None, file: Path | None, endings: Mapping[str, str], files_only: Iterable[str]) -> str:
    """Return the format to write: as requested, else by the name of `file`, else a table on a terminal and jsonl in a
    pipe.

    Raises UsageError if a format in `files_only` would go to a terminal, BadParameter if the name gives no format.
    """
    if file is None:
        chosen = form or ("table" if is_terminal(sys.stdout) else "jsonl")
        if chosen in files_only and is_terminal(sys.stdout):
            raise click.UsageError(f"{chosen} cannot be shown on a terminal; add --output FILE.{chosen}.")
        return chosen
    suffix = Path(file.name.lower().removesuffix(".gz")).suffix
    if form is None and suffix not in endings:
        known = ", ".join(dict.fromkeys(ending for ending in endings if ending))
        bad_output(file, f"unknown format {suffix}; use a name that ends in one of {known}, or add --format.")
    return form or endings[suffix]


def open_output(file: Path | None, form: str, paths: Iterable[str], *, overwrites: bool) -> Output:
    """Open FILE, or standard output if it is None.

    Raises BadParameter if it is one of the input `paths` or cannot be written, CommandError if it is there already.
    """
    from unspun.service.batch.output import FileOutput, StandardOutput

    if file is None:
        return StandardOutput((sys.stdout.encoding if form == "table" and sys.stdout else None) or "utf-8")
    refuse_input_as_output(file, paths)
    check_overwrite(file, overwrites=overwrites)
    try:
        return FileOutput(file)
    except OSError as error:
        bad_output(file, f"{error.strerror or error}.", error)


def check_force(output: Path | None, force: bool) -> None:
    """Raise BadParameter if --force is given without an output that it could overwrite."""
    if force and output is None:
        raise click.BadParameter("can only be used with --output.", param_hint="--force")


def check_overwrite(file: Path, *, overwrites: bool) -> None:
    """Raise CommandError if FILE would be overwritten although it must not be."""
    if not overwrites and file.is_file() and file.stat().st_size:
        raise CommandError(f"{file}: already exists; choose another --output, or pass --force to overwrite it")


def refuse_input_as_output(file: Path, paths: Iterable[str]) -> None:
    """Raise BadParameter if FILE is one of the input paths."""
    if any(path != STDIO and os.path.realpath(path) == os.path.realpath(file) for path in paths):
        raise click.BadParameter(f"{printable(str(file))} is one of the inputs.", param_hint="--output")


def bad_output(file: Path, problem: str, cause: BaseException | None = None) -> NoReturn:
    """Raise BadParameter for --output."""
    raise click.BadParameter(f"{printable(str(file))}: {problem}", param_hint="--output") from cause


def check_model_output(output: Path) -> None:
    """Raise BadParameter if no model can be written to a folder: before the work, so that no work is lost."""
    import tempfile

    from unspun.model.bundle import DEFAULT, MANIFEST
    from unspun.service.models.folder import CURRENT, HISTORY

    folder = output.resolve()
    if folder == DEFAULT.resolve():
        bad_output(output, "this is the model that ships with unspun, which is never changed; give another folder.")
    if (folder.parent / CURRENT).is_symlink() and (folder.parent / HISTORY).exists():
        bad_output(
            output,
            "is in a folder of models, whose versions are never changed; give a folder elsewhere, and put the model in "
            "use with `unspun models promote`.",
        )
    try:
        if folder.is_dir() and any(folder.iterdir()) and not (folder / MANIFEST).exists():
            bad_output(output, "contains other files; give a new folder, or the folder of a model.")
        folder.parent.mkdir(parents=True, exist_ok=True)
        # A bundle is written next to its folder, then moved there.
        for place in (folder.parent, folder):
            if place.is_dir():
                with tempfile.TemporaryDirectory(dir=place, prefix=f".{folder.name}."):
                    pass
    except OSError as error:
        named = error.filename and not Path(error.filename).name.startswith(".")
        place = Path(error.filename) if named else output
        bad_output(place, f"{error.strerror}; give a folder that you may write to.", error)


def table_console(file: Path | None) -> Console:
    """Return the console that lays out a table: the terminal's, or a plain one for a file."""
    from rich.console import Console

    return Console() if file is None else Console(file=io.StringIO(), force_terminal=False, color_system=None)


def figures_console() -> Console:
    """Return the console that lays out figures on standard output."""
    from rich.console import Console

    from unspun.service.render.evaluation import plain_console

    return Console() if is_terminal(sys.stdout) else plain_console()


def write(text: str) -> None:
    """Write text to standard output."""
    from unspun.service.batch.output import StandardOutput

    with StandardOutput((sys.stdout.encoding if sys.stdout else None) or "utf-8") as output:
        output.write(text)


def write_tables(tables: Iterable[Table]) -> None:
    """Draw tables on standard output."""
    from unspun.service.render.evaluation import draw

    write(draw(tables, figures_console()))


def write_figures(results: Any) -> None:
    """Draw nested results, as `training.reporting.tables` reads them, on standard output."""
    from unspun.training.reporting.tables import tables

    write_tables(tables(results))


# --- errors


@contextmanager
def needs(what: str, extra: str) -> Iterator[None]:
    """Report a missing package as CommandError: `what` needs it, and the `extra` of unspun installs it."""
    try:
        yield
    except ImportError as error:
        if isinstance(error.__cause__, KeyboardInterrupt):  # Ctrl-C during the import of a compiled module
            raise KeyboardInterrupt from error
        package = (error.name or "").partition(".")[0]
        raise CommandError(f"{what} needs the package {package}: pip install 'unspun[{extra}]'") from error


@contextmanager
def reported(*errors: type[Exception], then: str = "") -> Iterator[None]:
    """Turn errors whose messages are meant for people into CommandError; `then` is added to the message."""
    try:
        yield
    except errors as error:
        raise CommandError(f"{error}{then}") from error

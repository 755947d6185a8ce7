"""Reads documents in any supported format from files, folders, URLs and standard input.

Bad input never raises: a document that cannot be read is yielded as a Failure in its place, and reading continues.
"""

from __future__ import annotations

import io
import json
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, TypedDict

from unspun.reading import packing, records
from unspun.reading.archives import read_warc
from unspun.reading.csvs import line_end, read_csv
from unspun.reading.documents.isolation import (
    DOCUMENT_FORMATS,
    LIMITS,
    DocumentFormat,
    Limits,
    read_document,
    recognise,
)
from unspun.reading.encodings import SAMPLE, NotTextError, decode, open_text, peek
from unspun.reading.fields import USUAL, Fields
from unspun.reading.html import Article, declared_encoding, extract_article
from unspun.reading.jsons import read_json, read_json_blocks, read_json_lines
from unspun.reading.lines import LineTooLongError
from unspun.reading.locations import Disk, Entry, Location, Store, locate
from unspun.reading.mail import read_mail
from unspun.reading.records import Failure, Omissions, Place, Record, UnreadableError, failed, too_long
from unspun.reading.tables import read_parquet

__all__ = ["STDIN", "SUFFIXES", "Failure", "Format", "Reader", "ReadingOptions", "Record", "format_of", "read_stream"]

Format = Literal["txt", "html", "jsonl", "json", "csv", "tsv", "parquet", "warc", "eml"] | DocumentFormat

SUFFIXES: dict[str, Format] = {
    ".txt": "txt",
    # Markdown is read unchanged: the model skips everything that is not prose, and offsets stay valid.
    ".md": "txt",
    ".markdown": "txt",
    ".rst": "txt",
    ".srt": "txt",
    ".vtt": "txt",
    ".html": "html",
    ".htm": "html",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".eml": "eml",
    ".warc": "warc",
    ".wet": "warc",
    ".pdf": "pdf",
    ".docx": "docx",
    ".docm": "docx",
    ".odt": "odt",
    ".rtf": "rtf",
    ".epub": "epub",
}

OF_RECORDS: tuple[Format, ...] = ("jsonl", "json", "csv", "tsv", "parquet")
"""Formats whose documents have fields."""

STDIN = "-"

LOOKED_FOR = f"looked for {' '.join(SUFFIXES)}, also with {' '.join(packing.SUFFIXES)}"
LONGEST_SUFFIX = 12
JSON_OBJECT = re.compile(r"""\s*\{\s*["}]""")
JSON_DOCUMENT = re.compile(r"""\s*(?:\[\s*)?\{\s*"[^"\n]*"\s*:|\s*\[\s*"(?:[^"\\\n]|\\.)*"\s*,\s*["\[{]""")
"""The start of an array of objects or of texts, or of an object. Texts that start like one do not go on like one."""


class ReadingOptions(TypedDict, total=False):
    """Options of a Reader that say where records and their texts are, rather than what is done with them."""

    stdin: io.BufferedIOBase | None
    stdin_format: Format | None
    text_field: str | None
    id_field: str | None
    limits: Limits


class Reader:
    """Reads every document under some paths, in order. Each Reader can be iterated once.

    `paths` are files, folders (searched recursively, sorted by path), patterns such as `crawl/**/*.txt`, URLs of all
    these in any store that fsspec supports (`s3://bucket/crawl/`), and "-" for standard input. If `stdin_format` is
    None, standard input is read as JSON or JSON lines if it looks like them, else as one plain text. `article` extracts
    the text of an HTML page. `exclude` is a file or folder to skip: the output of this run. `ignore` is called
    with the path of each file found in a folder, and files for which it returns true are skipped. `fields`
    are the names of the fields, besides `id` and `text`, to keep from JSON, CSV and Parquet. `text_field` and
    `id_field` are the fields of the text and the id: a name, the number of a column, or a path to a nested field of
    JSON. By default, they are `text`, `content`, `body`, `article` or `full_text`, and `id`, in any case. If
    `text_optional`, a JSON object without a text is a document with an empty one.
    `limits` are those of reading one PDF, DOCX, ODT, RTF or EPUB. If `in_blocks`, the lines of files of JSON lines are
    yielded many at a time: the text of such a record are reading.jsons.Lines.
    """

    def __init__(
        self,
        paths: Sequence[str],
        *,
        stdin: io.BufferedIOBase | None = None,
        stdin_format: Format | None = None,
        exclude: Path | None = None,
        ignore: Callable[[str], bool] = lambda path: False,
        article: Callable[[str], Article] = extract_article,
        fields: Sequence[str] = (),
        text_field: str | None = None,
        id_field: str | None = None,
        text_optional: bool = False,
        limits: Limits = LIMITS,
        in_blocks: bool = False,
    ) -> None:
        self.paths = tuple(paths)
        self.skipped = Omissions()
        """Files of other types found in folders so far, and archive records that are neither pages nor texts."""
        self._stdin = stdin
        self._stdin_format = stdin_format
        self._exclude = None if exclude is None else os.path.realpath(exclude)
        self._ignore = ignore
        self._article = article
        self._fields = Fields(text_field, id_field, fields, text_optional)
        self._limits = limits
        self.in_blocks = in_blocks
        self._finished = 0
        self._current: _CountedFile | None = None

    def __iter__(self) -> Iterator[Record | Failure]:
        for path in self.paths:
            if path == STDIN:
                yield from self._read_stdin()
                continue
            if not path:  # as from an unset variable of a shell; it must not mean the current folder
                yield Failure("''", "the path is empty; name a file or folder")
                continue
            try:
                location = locate(path)
            except UnreadableError as error:
                yield Failure(path, str(error))
            except OSError as error:
                yield failed(path, error)
            else:
                yield from self._read_location(location, path)

    @property
    def bytes_read(self) -> int:
        """Bytes read from files so far; of a compressed file, compressed bytes."""
        return self._finished + (0 if self._current is None else self._current.count)

    def total_bytes(self) -> int | None:
        """Return the size of all files to read, None if it is unknown.

        It is unknown for standard input and for stores that do not state sizes.
        """
        if STDIN in self.paths:
            return None
        total = 0
        for path in filter(None, self.paths):
            with suppress(OSError, UnreadableError):  # reading will report them
                location = locate(path)
                for found in self._documents(location):
                    if isinstance(found, Entry):
                        size = self._size(location, found)
                        if size is None:
                            return None
                        total += size
        return total

    def _read_location(self, location: Location, path: str) -> Iterator[Record | Failure]:
        store = location.store
        if not location.is_folder:
            yield from self._read_named(store, location.path, path)
            return
        empty = True
        for found in self._documents(location, count=True):
            empty = False
            if isinstance(found, Failure):
                yield found
            else:
                yield from self._read_file(store, found.path)
        if not empty:
            return
        if location.pattern is not None:
            yield Failure(path, f"no such file, and no documents match this pattern ({LOOKED_FOR})")
        else:  # URLs of articles may end in a slash, too
            yield from self._read_named(store, path, path, Failure(path, f"no documents in this folder ({LOOKED_FOR})"))

    def _read_named(
        self, store: Store, path: str, name: str, otherwise: Failure | None = None
    ) -> Iterator[Record | Failure]:
        """Yield the documents of a file that the user named; if it is no page, `otherwise` if that is given."""
        try:
            is_page = store.is_page(name)
        except OSError as error:
            yield failed(name, error)
            return
        if otherwise is not None and not is_page:
            yield otherwise
        else:
            yield from self._read_file(store, path, "html" if is_page else "txt")

    def _documents(self, location: Location, *, count: bool = False) -> Iterator[Entry | Failure]:
        """Yield the files to read. Those of other types are skipped and, if `count`, counted."""
        if not location.is_folder:
            yield Entry(location.path)
            return
        any_type = location.pattern is not None and location.pattern.suffix is not None
        for found in location.files(self._is_excluded if isinstance(location.store, Disk) else lambda path: False):
            if isinstance(found, Entry) and self._ignore(found.path):
                if count:
                    self.skipped.add("ignored", found.path)
                continue
            if isinstance(found, Failure) or (not found.is_special and (any_type or format_of(found.path))):
                yield found
            elif count:
                self.skipped.add(_why_skipped(found), found.path)

    def _read_file(self, store: Store, path: str, kind: Format = "txt") -> Iterator[Record | Failure]:
        """Yield the documents of a file, which is of this kind unless its name shows another format."""
        try:
            with store.open(path) as file:
                before = _state(file)
                size = getattr(file, "size", None) if before is None else before[0]
                self._current = counted = _CountedFile(file, size)
                stream: io.BufferedIOBase = io.BufferedReader(counted, SAMPLE)
                _, packed = packing.split(_name(path))
                if packed is not None:
                    stream = packing.unpack(stream, packed)
                yield from self._read_stream(stream, path, format_of(path) or kind)
                self._finished += counted.count if size is None else size
                self._current = None
                if _state(file) != before:
                    yield Failure(path, "changed while it was being read; what was read may mix old and new content")
        except UnreadableError as error:
            yield Failure(path, str(error))
        except OSError as error:
            yield failed(path, error)
        finally:
            self._current = None

    def _read_stdin(self) -> Iterator[Record | Failure]:
        if self._stdin is None:
            yield Failure(STDIN, "standard input is closed")
            return
        sample, stream = peek(self._stdin)
        kind = self._stdin_format or _guess(sample)
        yield from self._read_stream(stream, STDIN, kind)

    def _read_stream(self, stream: io.BufferedIOBase, name: str, kind: Format) -> Iterator[Record | Failure]:
        return read_stream(
            stream,
            name,
            kind,
            skip=self._skip,
            article=self._article,
            fields=self._fields,
            limits=self._limits,
            in_blocks=self.in_blocks,
        )

    def _skip(self, reason: str) -> None:
        self.skipped.add(reason)

    def _is_excluded(self, path: str) -> bool:
        exclude = self._exclude
        # Compare names first, because resolving links takes a system call per folder of each path.
        return exclude is not None and exclude.endswith(Path(path).name) and os.path.realpath(path) == exclude

    def _size(self, location: Location, found: Entry) -> int | None:
        if found.size is not None:
            return found.size
        if not isinstance(location.store, Disk):  # one request per file would be slow
            return None if location.is_folder else location.store.size(found.path)
        with suppress(OSError):  # reading will report it
            return location.store.size(found.path)
        return 0


def format_of(path: str) -> Format | None:
    """Return the format of a file by its name, None if the name does not show it."""
    return SUFFIXES.get(Path(packing.split(_name(path).lower())[0]).suffix)


def read_stream(
    stream: io.BufferedIOBase,
    name: str,
    kind: Format,
    *,
    skip: Callable[[str], None] = lambda reason: None,
    article: Callable[[str], Article] = extract_article,
    fields: Fields = USUAL,
    limits: Limits = LIMITS,
    in_blocks: bool = False,
) -> Iterator[Record | Failure]:
    """Yield the documents of a stream of bytes. `name` identifies it in ids and messages.

    `article` is as for Reader, and `fields` are those of its records; `skip` is called with the reason for each archive
    record that is not a document. `limits` are those of reading a PDF, DOCX, ODT, RTF or EPUB. `in_blocks` is as for
    Reader.
    """
    place = Place(name, fields.kept if kind in OF_RECORDS else ())
    empty = True
    try:
        for item in _documents(stream, place, kind, skip, article, fields, limits, in_blocks):
            empty = False
            yield item
        if empty and not (kind == "warc" and place.line):  # an archive may hold only records that are not documents
            yield Failure(name, "no documents in this file")
    except NotTextError as error:
        yield Failure(name, str(error))
    except (LineTooLongError, UnreadableError) as error:
        yield place.failure(str(error))
    except OSError as error:
        yield failed(place.where, error)
    except MemoryError:
        yield place.failure("needs more memory than is available")
    except Exception as error:  # one bad document must not end a run
        yield place.failure(f"could not be read ({type(error).__name__}: {error}); please report this")


def _documents(
    stream: io.BufferedIOBase,
    place: Place,
    kind: Format,
    skip: Callable[[str], None],
    article: Callable[[str], Article],
    fields: Fields,
    limits: Limits,
    in_blocks: bool,
) -> Iterator[Record | Failure]:
    """Yield the documents of a stream. Raises if the rest cannot be read."""
    match kind:
        case "json" | "jsonl":
            sample, stream = peek(stream)
            if not _are_json_lines(sample, kind):
                return read_json(open_text(stream), place, fields)
            if in_blocks:
                return read_json_blocks(open_text(stream), place)
            return read_json_lines(open_text(stream), place, fields)
        case "csv" | "tsv":
            sample, stream = peek(stream)
            rows = open_text(stream, newline=line_end(decode(sample)))
            return read_csv(rows, place, fields, tabs=kind == "tsv")
        case "parquet":
            return read_parquet(stream, place, fields)
        case "warc":
            return read_warc(stream, place, skip, article)
    data = stream.read(records.LONGEST + 1)
    if len(data) > records.LONGEST:
        return iter([place.failure(too_long("bytes"))])
    if kind in ("txt", "html"):  # addresses, and files without an ending
        kind = recognise(data) or kind
    if kind in DOCUMENT_FORMATS:
        read_text = read_document(data, kind, limits)
        return iter([Record(place.name, read_text.text, place.name, repairs=read_text.repairs, pages=read_text.pages)])
    if kind == "eml":
        found = read_mail(data, article)
        return iter([Record(place.name, found.text, place.name, repairs=found.repairs)])
    found = article(decode(data, declared_encoding(data))) if kind == "html" else Article(decode(data), {})
    return iter([Record(place.name, found.text, place.name, repairs=found.repairs)])


class _CountedFile(io.RawIOBase):
    """A file that counts the bytes read from it. Its position is no measure, because Parquet is read out of order."""

    def __init__(self, file: io.RawIOBase, size: int | None) -> None:
        self.count = 0
        self._file = file
        self._size = size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._file.seekable()

    def readinto(self, buffer: Any) -> int | None:
        count = self._file.readinto(buffer)
        self.count += count or 0
        if self._size is not None:  # parts may be read twice
            self.count = min(self.count, self._size)
        return count

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def _are_json_lines(sample: bytes, kind: Format) -> bool:
    """Return whether a file of JSON has a value per line; the endings .json and .jsonl are often mistaken."""
    lines = _lines(sample)
    if kind == "json":
        return len(lines) > 1 and all(JSON_OBJECT.match(line) for line in lines)
    return not lines or lines[0].strip() not in ("[", "{", "[{")


def _guess(sample: bytes) -> Format:
    """Return the format of standard input: JSON lines, JSON, or plain text."""
    try:
        lines = _lines(sample)
    except NotTextError:
        return "txt"
    if lines and all(JSON_OBJECT.match(line) for line in lines):  # spintax starts with a brace, too
        return "jsonl"
    if len(lines) > 1 and _is_json(lines[0]):  # words follow
        return "txt"
    return "json" if JSON_DOCUMENT.match("\n".join(lines)) else "txt"


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _lines(sample: bytes) -> list[str]:
    """Return the lines at the start of a file, without blank ones and one that may be incomplete."""
    lines = re.split("[\r\n]+", decode(sample))
    if len(sample) == SAMPLE and len(lines) > 1:
        lines.pop()
    return [line for line in lines if line.strip()]


def _why_skipped(found: Entry) -> str:
    """Return why a file in a folder is not read."""
    if found.is_special:
        return "not a file"
    suffix = Path(packing.split(_name(found.path))[0]).suffix.lower()
    if not suffix or len(suffix) > LONGEST_SUFFIX:
        return "no ending shows the type"
    return f"type {suffix} is not read in folders"


def _name(path: str) -> str:
    """Return the part of a path or URL that ends in the suffix."""
    if "://" not in path:
        return path
    name = path.partition("::")[0]
    return re.split(r"[?#]", name)[0] if name.lower().startswith(("http://", "https://")) else name


def _state(file: io.RawIOBase) -> tuple[int, int] | None:
    """Return a file's size and modification time, None for pipes and remote files."""
    if not isinstance(file, io.FileIO):
        return None
    status = os.fstat(file.fileno())
    return (status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None

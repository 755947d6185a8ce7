"""Reads documents from files, folders and standard input, whatever state those are in.

Nothing here raises for bad input: what cannot be read comes out as a Failure in its place, and the rest
goes on.
"""

from __future__ import annotations

import io
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from unspun.reading import packing, records
from unspun.reading.archives import read_warc
from unspun.reading.encodings import SAMPLE, NotTextError, decode, open_text, peek
from unspun.reading.html import declared_encoding, extract_article
from unspun.reading.lines import LineTooLongError, read_csv, read_json_lines
from unspun.reading.locations import Disk, Found, Location, Store, locate
from unspun.reading.records import Failure, Place, Record, UnreadableError, explain
from unspun.reading.tables import read_parquet

__all__ = ["STDIN", "SUFFIXES", "Failure", "Format", "Reader", "Record", "format_of", "read_stream"]

Format = Literal["txt", "html", "jsonl", "csv", "parquet", "warc"]

SUFFIXES: dict[str, Format] = {
    ".txt": "txt",
    # Markdown is read as it is: document.py leaves out what is not prose, and offsets stay true.
    ".md": "txt",
    ".html": "html",
    ".htm": "html",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
    ".warc": "warc",
    ".wet": "warc",
}

STDIN = "-"

LOOKED_FOR = f"looked for {' '.join(SUFFIXES)}, also with {' '.join(packing.SUFFIXES)}"
JSON_OBJECT = re.compile(r"""\s*\{\s*["}]""")


class Reader:
    """Reads every document under some paths, in order. One Reader reads once.

    `paths` are files, folders (searched in full, sorted by path; each real folder once, so that loops of
    links end), patterns (`crawl/**/*.txt`), each also as the URL of a store that fsspec knows
    (`s3://bucket/crawl/`), and "-". `stdin_format` None: JSON lines where standard input looks like it, else
    one plain text. `article` makes the text of a page. `exclude` is a file or folder left out of folders: the one
    being written.
    """

    def __init__(
        self,
        paths: Sequence[str],
        *,
        stdin: io.BufferedIOBase | None = None,
        stdin_format: Format | None = None,
        exclude: Path | None = None,
        article: Callable[[str], str] = extract_article,
    ) -> None:
        self.paths = tuple(paths)
        self.skipped = 0
        """Files of other types met in folders so far, and records of archives that are neither pages nor texts."""
        self._stdin = stdin
        self._stdin_format = stdin_format
        self._article = article
        self._exclude = None if exclude is None else os.path.realpath(exclude)
        self._read = 0
        self._current: _Counted | None = None

    def __iter__(self) -> Iterator[Record | Failure]:
        for path in self.paths:
            if path == STDIN:
                yield from self._from_stdin()
                continue
            try:
                location = locate(path)
            except UnreadableError as error:
                yield Failure(path, str(error))
            except OSError as error:
                yield Failure(path, explain(error))
            else:
                yield from self._from_location(location, path)

    @property
    def bytes_read(self) -> int:
        """Bytes read from files so far, packed as they are stored."""
        return self._read + (0 if self._current is None else self._current.count)

    def total_bytes(self) -> int | None:
        """Return the size of all files that are to be read, None where that cannot be known.

        It cannot where standard input is among them, or a store does not tell sizes.
        """
        if STDIN in self.paths:
            return None
        total = 0
        for path in self.paths:
            with suppress(OSError, UnreadableError):  # told when it is its turn
                location = locate(path)
                for found in [Found(location.path)] if not location.is_folder else self._documents(location):
                    if isinstance(found, Found):
                        size = self._size(location.store, found)
                        if size is None:
                            return None
                        total += size
        return total

    def _from_location(self, location: Location, path: str) -> Iterator[Record | Failure]:
        store = location.store
        if not location.is_folder:
            yield from self._from_file(store, Found(location.path), "html" if store.is_page(path) else "txt")
            return
        empty = True
        for found in self._documents(location, count=True):
            empty = False
            if isinstance(found, Failure):
                yield found
            else:
                yield from self._from_file(store, found)
        if not empty:
            return
        if location.pattern is None and store.is_page(path):  # articles have such URLs, too
            yield from self._from_file(store, Found(path), "html")
        elif location.pattern is None:
            yield Failure(path, f"no documents in this folder ({LOOKED_FOR})")
        else:
            yield Failure(path, f"no such file, and no documents that fit this pattern ({LOOKED_FOR})")

    def _documents(self, location: Location, *, count: bool = False) -> Iterator[Found | Failure]:
        """Yield the files that are to be read; the others are passed over and, if `count`, counted."""
        is_named = location.pattern is not None and location.pattern.suffix is not None
        for found in location.files(self._is_excluded if isinstance(location.store, Disk) else lambda path: False):
            if isinstance(found, Failure) or (not found.is_special and (is_named or format_of(found.path))):
                yield found
            else:
                self.skipped += count

    def _from_file(self, store: Store, found: Found, kind: Format = "txt") -> Iterator[Record | Failure]:
        path = found.path
        try:
            with store.open(path) as file:
                before = _state(file)
                size = getattr(file, "size", None) if before is None else before[0]
                self._current = raw = _Counted(file, size)
                stream: io.BufferedIOBase = io.BufferedReader(raw, SAMPLE)
                _, packed = packing.split(_name(path))
                if packed is not None:
                    stream = packing.unpack(stream, packed)
                form = format_of(path) or kind
                yield from read_stream(stream, path, form, skip=self._skip, article=self._article)
                self._read += raw.count if size is None else size
                self._current = None
                if _state(file) != before:
                    yield Failure(path, "changed while it was read: what was scored may be neither the old nor the new")
        except UnreadableError as error:
            yield Failure(path, str(error))
        except OSError as error:
            yield Failure(path, explain(error))
        finally:
            self._current = None

    def _from_stdin(self) -> Iterator[Record | Failure]:
        if self._stdin is None:
            yield Failure(STDIN, "standard input is closed")
            return
        sample, stream = peek(self._stdin)
        kind = self._stdin_format or ("jsonl" if _looks_like_json_lines(sample) else "txt")
        yield from read_stream(stream, STDIN, kind, skip=self._skip, article=self._article)

    def _skip(self) -> None:
        self.skipped += 1

    def _is_excluded(self, path: str) -> bool:
        exclude = self._exclude
        # The names first: resolving links costs a system call a folder, for every file.
        return exclude is not None and exclude.endswith(Path(path).name) and os.path.realpath(path) == exclude

    def _size(self, store: Store, found: Found) -> int | None:
        if found.size is not None or isinstance(store, Disk):
            with suppress(OSError):  # told when it is its turn
                return store.size(found.path) if found.size is None else found.size
            return 0
        return store.size(found.path) if found.path in self.paths else None


def format_of(path: str) -> Format | None:
    """Return how a file is read, by its name; None where the name does not tell."""
    return SUFFIXES.get(Path(packing.split(_name(path).lower())[0]).suffix)


def read_stream(
    stream: io.BufferedIOBase,
    name: str,
    kind: Format,
    *,
    skip: Callable[[], None] = lambda: None,
    article: Callable[[str], str] = extract_article,
) -> Iterator[Record | Failure]:
    """Yield the documents of one stream of bytes; `name` is what ids and messages call it.

    `article` makes the text of a page; `skip` is called for each record of an archive that is no document.
    """
    place = Place(name)
    try:
        if kind == "jsonl":
            yield from read_json_lines(open_text(stream), place)
        elif kind == "csv":
            yield from read_csv(open_text(stream, newline=""), place)
        elif kind == "parquet":
            yield from read_parquet(stream, place)
        elif kind == "warc":
            yield from read_warc(stream, place, skip, article)
        else:
            yield _whole(stream, name, kind, article)
    except NotTextError as error:
        yield Failure(name, str(error))
    except (LineTooLongError, UnreadableError) as error:
        yield place.failure(str(error))
    except OSError as error:
        yield place.failure(explain(error))
    except MemoryError:
        yield place.failure("needs more memory than there is")
    except Exception as error:  # nobody's text may end a run
        yield place.failure(f"could not be read ({type(error).__name__}: {error}); please report this")


class _Counted(io.RawIOBase):
    """A file that knows how much of it has been read: a position does not tell, where reading jumps."""

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
        if self._size is not None:  # some of it may be read more than once
            self.count = min(self.count, self._size)
        return count

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def _whole(stream: io.BufferedIOBase, name: str, kind: Format, article: Callable[[str], str]) -> Record | Failure:
    longest = records.LONGEST
    data = stream.read(longest + 1)
    if len(data) > longest:
        return Failure(name, f"longer than {longest:,} bytes: not one document")
    if kind == "html":
        return Record(name, article(decode(data, declared_encoding(data))), name)
    return Record(name, decode(data), name)


def _looks_like_json_lines(sample: bytes) -> bool:
    """Return whether every line begins as a JSON object does: with `{"`, unlike spintax."""
    try:
        lines = decode(sample).split("\n")
    except NotTextError:
        return False
    if len(sample) == SAMPLE and len(lines) > 1:
        lines.pop()  # cut in two
    seen = [line for line in lines if line and not line.isspace()]
    return bool(seen) and all(JSON_OBJECT.match(line) for line in seen)


def _name(path: str) -> str:
    """Return the part of a path or URL that ends in the suffix."""
    if "://" not in path:
        return path
    name = path.partition("::")[0]
    return re.split(r"[?#]", name)[0] if name.lower().startswith(("http://", "https://")) else name


def _state(file: io.RawIOBase) -> tuple[int, int] | None:
    """Return what changes when a file is written to: its size and time. None for pipes, and files of stores."""
    if not isinstance(file, io.FileIO):
        return None
    status = os.fstat(file.fileno())
    return (status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None

"""Finds files in folders and by patterns: on this machine, and through fsspec in remote stores.

The same code searches all stores, so folders and patterns mean the same everywhere.
"""

from __future__ import annotations

import errno
import io
import os
import re
import stat
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeVar

from unspun.reading.records import (
    ConnectionLostError,
    Failure,
    MissingLibraryError,
    StreamError,
    UnreadableError,
    explain,
    failed,
    optional,
)

T = TypeVar("T")

MAGIC = re.compile(r"[*?\[]")
URL = re.compile(r"(?i)([a-z][a-z0-9+.-]*)://")
DRIVERS = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "http": "aiohttp", "https": "aiohttp"}
DRIVERS |= dict.fromkeys(("az", "abfs", "abfss"), "adlfs")
WEB = ("http", "https")
BLOCK = 1 << 23
"""Bytes per request to a store."""
WAITS = (0.5, 1.0, 2.0, 4.0)
"""Seconds to wait before each further attempt, if a server cannot be reached."""
BUSY = (408, 425, 429)
"""Statuses of HTTP, besides those from 500, after which a request is worth another attempt."""
UNREACHABLE = frozenset(
    {
        errno.EBUSY,  # what s3fs raises if a server asks for fewer requests
        *(errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTDOWN, errno.EHOSTUNREACH),
    }
)
CONNECTION_ERRORS = frozenset(
    {
        *("ClientConnectionError", "ClientPayloadError"),  # aiohttp
        *("HTTPClientError", "EndpointConnectionError", "IncompleteReadError"),  # botocore
    }
)
"""Errors of drivers, which are not imported for their names alone."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder that was found. `path` is the name for ids and messages; `size` is in bytes."""

    path: str
    name: str = ""
    is_folder: bool = False
    is_special: bool = False
    """A pipe, socket or device: reading it might never end."""
    size: int | None = None
    """None if the listing does not state it."""


class Disk:
    """The files of this machine. Methods raise OSError."""

    def is_folder(self, path: str) -> bool:
        """Return whether this is a folder. False if it does not exist: opening it reports that."""
        try:
            return stat.S_ISDIR(Path(path).stat().st_mode)
        except (OSError, ValueError):
            return False

    def exists(self, path: str) -> bool:
        """Return whether something has exactly this path."""
        return os.path.lexists(path)

    def entries(self, folder: str) -> list[Entry]:
        """Return the entries of a folder in any order, without a system call for each file."""
        with os.scandir(folder or ".") as found:
            return [_disk_entry(item, _join(folder, item.name)) for item in found]

    def identity(self, folder: str) -> Hashable:
        """Return the folder's device and inode, which are the same through every link to it."""
        status = Path(folder or ".").stat()
        return status.st_dev, status.st_ino

    def open(self, path: str) -> io.FileIO:
        """Open a file for reading."""
        return Path(path).open("rb", buffering=0)

    def size(self, path: str) -> int | None:
        """Return the size of a file in bytes."""
        return Path(path).stat().st_size

    def is_page(self, path: str) -> bool:
        """Return whether this is HTML by its type instead of its suffix: never on disk."""
        return False


def _join(folder: str, name: str) -> str:
    # Path would drop a leading "./", but ids are paths as given.
    return f"{folder}{name}" if not folder or folder.endswith("/") else f"{folder}/{name}"


def _disk_entry(item: os.DirEntry[str], path: str) -> Entry:
    try:
        if item.is_dir():
            return Entry(path, item.name, is_folder=True)
        # A broken link is not a special file: opening it reports the error.
        return Entry(path, item.name, is_special=not item.is_file() and Path(path).exists())
    except OSError:
        return Entry(path, item.name)


class Remote:
    """The files of a store that fsspec supports. Paths are whole URLs, and methods raise OSError.

    Raises MissingLibraryError, or UnreadableError if the store cannot be reached.
    """

    def __init__(self, url: str) -> None:
        protocol = url.partition("://")[0].lower()
        with optional("fsspec", "remote"):
            import fsspec
        try:
            options = _web_options(fsspec.config.conf.get(protocol, {})) if protocol in WEB and "::" not in url else {}
            self._files: Any = fsspec.url_to_fs(url, **options)[0]
        except ImportError as error:
            if protocol not in DRIVERS:
                raise UnreadableError(f"{protocol}:// needs a driver ({error})") from error
            raise MissingLibraryError(DRIVERS[protocol], DRIVERS[protocol], f"{protocol}://") from error
        except Exception as error:
            raise UnreadableError(_explain_any(error)) from error
        self._is_web = protocol in WEB

    def is_folder(self, path: str) -> bool:
        """Return whether this is a folder; on the web, a URL that ends in a slash."""
        if self._is_web:
            return path.endswith("/")
        return bool(_call(self._files.info, self._inner(path))["type"] == "directory")

    def exists(self, path: str) -> bool:
        """Return whether something has exactly this path. On the web, a `?` starts a query and is not a pattern."""
        if self._is_web and "*" not in path:
            return True
        with _reported_later():
            return bool(_call(self._files.exists, self._inner(path)))
        return False

    def entries(self, folder: str) -> list[Entry]:
        """Return the entries of a folder in any order."""
        inner = self._inner(folder)
        root = inner.rstrip("/") + "/" if inner else ""
        head, chain, container = folder.partition("::")
        found = []
        for item in _call(self._files.ls, root if self._is_web else inner, detail=True):
            name = item["name"].removeprefix(root).strip("/")
            # Some stores list a folder in itself; web pages link to other sites, and to themselves in another order.
            if name and "/" not in name and not name.startswith(("?", "#")):
                path = f"{_join(head, name)}{chain}{container}"
                found.append(Entry(path, name, is_folder=item["type"] == "directory", size=item.get("size")))
        return found

    def identity(self, folder: str) -> Hashable:
        """Return the folder's URL: stores have no links."""
        return folder.rstrip("/")

    def open(self, path: str) -> io.RawIOBase:
        """Open a file for reading."""

        def opened(block: int) -> Any:
            return self._files.open(self._inner(path), "rb", block_size=block)

        # Read in blocks: scoring is so slow that a server would close one long response. Only servers without ranges
        # are read in one response.
        return _RemoteFile(_call(opened, BLOCK), (lambda: opened(0)) if self._is_web else None)

    def size(self, path: str) -> int | None:
        """Return the size of a file in bytes, None if the store does not state it."""
        size = _call(self._files.info, self._inner(path)).get("size")
        return None if size is None else int(size)

    def is_page(self, path: str) -> bool:
        """Return whether a web server says that this is HTML."""
        if not self._is_web:
            return False
        with _reported_later():
            return "html" in str(_call(self._files.info, path).get("mimetype"))
        return False

    def _inner(self, url: str) -> str:
        """Return the driver's path of a file: without the protocol and without the container of a chained URL."""
        return str(self._files._strip_protocol(url.partition("::")[0]))


Store = Disk | Remote


class _RemoteFile(io.RawIOBase):
    """A file of a store. All its errors are OSError, as for a file on disk."""

    def __init__(self, file: Any, reopen: Callable[[], Any] | None) -> None:
        self._file = file
        self._reopen = reopen
        self._is_one_response = False

    @property
    def size(self) -> int | None:
        """The size in bytes, None if the store does not state it."""
        size = getattr(self._file, "size", None)
        return None if size is None else int(size)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        # A single long response claims to be seekable, but has no size.
        return bool(self._file.seekable()) and getattr(self._file, "size", 0) is not None

    def readinto(self, buffer: Any) -> int:
        part = _call(self._read, len(buffer))
        buffer[: len(part)] = part
        return len(part)

    def _read(self, size: int) -> Any:
        try:
            return self._file.read(size)
        except ValueError:  # what fsspec raises if a server ignores ranges
            if self._reopen is None or self._is_one_response:
                raise
            self._continue_in_one_response(self._reopen)
            return self._file.read(size)
        except Exception as error:
            if self._reopen is not None and self._is_one_response and _lost(error) is not None:
                self._continue_in_one_response(self._reopen)  # so that the next attempt reads what is missing
            raise

    def _continue_in_one_response(self, reopen: Callable[[], Any]) -> None:
        position, file = self._file.tell(), reopen()
        while (left := position - file.tell()) and file.read(min(left, BLOCK)):
            pass
        self._file, self._is_one_response = file, True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return int(_call(self._file.seek, offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def close(self) -> None:
        if not self.closed:
            with suppress(Exception):  # everything that matters has been read
                self._file.close()
        super().close()


def _call(function: Callable[..., T], *arguments: Any, **options: Any) -> T:
    """Call a driver, several times if its server cannot be reached; raise its errors, of any type, as OSError."""
    for wait in (*WAITS, None):
        try:
            return function(*arguments, **options)
        except Exception as error:
            if (lost := _lost(error)) is None:
                missing = isinstance(error, FileNotFoundError)
                raise StreamError("no such file or folder" if missing else _explain_any(error)) from error
            if wait is None:
                raise ConnectionLostError(_explain_any(lost)) from error
        time.sleep(wait)
    raise AssertionError


@contextmanager
def _reported_later() -> Iterator[None]:
    """Ignore errors, which the next request to the same file will report; but not that the server is gone."""
    try:
        yield
    except ConnectionLostError:
        raise
    except OSError:
        pass


def _lost(error: BaseException | None) -> Exception | None:
    """Return the error that says that a server cannot be reached or is busy, None if that is not the cause."""
    while isinstance(error, Exception):  # fsspec reports some causes as a missing file
        status = getattr(error, "status", None)
        if isinstance(status, int):
            return error if status >= 500 or status in BUSY else None
        if (
            isinstance(error, ConnectionError | TimeoutError)
            or (isinstance(error, OSError) and error.errno in UNREACHABLE)
            or CONNECTION_ERRORS.intersection(kind.__name__ for kind in type(error).__mro__)
        ):
            return error
        error = error.__cause__
    return None


def _explain_any(error: Exception) -> str:
    """Return one line about the error of a driver."""
    if isinstance(error, OSError):
        return explain(error).split("\n")[0]
    return f"could not be reached ({type(error).__name__}: {error})".split("\n")[0]


def _web_options(configured: dict[str, Any]) -> dict[str, Any]:
    """Return options for web requests: bytes exactly as stored, and long timeouts for slow servers."""
    try:
        from aiohttp import ClientTimeout
    except ImportError:  # fsspec reports it
        return {}
    timeout = ClientTimeout(total=None, sock_connect=60, sock_read=300)
    client = {"auto_decompress": False, "trust_env": True, "timeout": timeout, **configured.get("client_kwargs", {})}
    return {"headers": {"Accept-Encoding": "identity", **configured.get("headers", {})}, "client_kwargs": client}


class Pattern:
    """A pattern for paths: `*`, `?` and `[...]` match within a name, `**` matches any number of folders.

    If a folder matches, so does everything in it.
    """

    def __init__(self, names: list[str]) -> None:
        self._names = [name for i, name in enumerate(names) if (name, *names[i + 1 : i + 2]) != ("**", "**")]

    def fits(self, path: tuple[str, ...]) -> bool:
        """Return whether this path or a folder above it matches."""
        return any(_matches(path[:end], self._names) for end in range(1, len(path) + 1))

    def may_hold(self, folder: tuple[str, ...]) -> bool:
        """Return whether something in this folder may match."""
        for part, name in zip(folder, self._names, strict=False):
            if name == "**":
                return True
            if not fnmatchcase(part, name):
                return False
        return len(folder) < len(self._names) or self.fits(folder)

    @property
    def suffix(self) -> str | None:
        """The suffix that all matching files have, None if it is not fixed."""
        suffix = Path(self._names[-1]).suffix
        return None if not suffix or MAGIC.search(suffix) else suffix


def _matches(path: tuple[str, ...], names: list[str]) -> bool:
    if not names:
        return not path
    if names[0] == "**":
        if len(names) == 1:
            return bool(path)
        return any(_matches(path[start:], names[1:]) for start in range(len(path)))
    return bool(path) and fnmatchcase(path[0], names[0]) and _matches(path[1:], names[1:])


@dataclass(frozen=True, slots=True)
class Location:
    """What a path refers to: a file, a folder, or all files under the folder `path` that match a pattern."""

    store: Store
    path: str
    is_folder: bool
    pattern: Pattern | None = None

    def files(self, is_excluded: Callable[[str], bool] = lambda path: False) -> Iterator[Entry | Failure]:
        """Yield the matching files of the folder, sorted by path. Folders that cannot be listed are failures.

        Each real folder is searched once, so that loops of links end. Files and folders for whose path `is_excluded`
        returns true are left out.
        """
        visited: set[Hashable] = set()
        pending: list[tuple[Entry, tuple[str, ...]]] = [(Entry(self.path, is_folder=True), ())]
        while pending:
            entry, names = pending.pop()
            if not entry.is_folder:
                yield entry
                continue
            try:
                identity = self.store.identity(entry.path)
                if identity in visited:
                    continue
                visited.add(identity)
                entries = self.store.entries(entry.path)
            except OSError as error:
                yield failed(entry.path or ".", error)
                continue
            # With a slash at the end, a folder sorts like the paths inside it, so the result is sorted by whole path.
            entries.sort(key=lambda item: item.name + "/" * item.is_folder, reverse=True)
            for item in entries:
                inner = (*names, item.name)
                wanted = self.pattern is None or (self.pattern.may_hold if item.is_folder else self.pattern.fits)(inner)
                if wanted and not is_excluded(item.path):
                    pending.append((item, inner))


def locate(path: str) -> Location:
    """Return what a path refers to. Raises OSError, UnreadableError and MissingLibraryError."""
    if path.lower().startswith("file://"):
        path = path[len("file://") :]
    store: Store = Remote(path) if URL.match(path) else Disk()
    head, chain, container = path.partition("::") if isinstance(store, Remote) else (path, "", "")
    if not MAGIC.search(head) or store.exists(path):
        return Location(store, path, store.is_folder(path))
    root = re.match(r"[^:/]+:///?|/*", head)
    start = root[0] if root else ""
    names = [name for name in head[len(start) :].split("/") if name]
    fixed = next(i for i, name in enumerate(names) if MAGIC.search(name))
    base = start + "/".join(names[:fixed])
    pattern = Pattern(names[fixed:] + ["**"] * head.endswith("/"))
    return Location(store, f"{base}{chain}{container}", True, pattern)

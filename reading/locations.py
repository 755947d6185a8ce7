"""Finds files: in folders and by patterns, on this machine and, through fsspec, on any store that it knows.

Every store is searched by the same walk, so that folders and patterns mean the same everywhere.
"""

from __future__ import annotations

import io
import os
import re
import stat
from collections.abc import Callable, Hashable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Protocol, TypeVar

from unspun.reading.records import Failure, MissingLibraryError, StreamError, UnreadableError, explain

T = TypeVar("T")

MAGIC = re.compile(r"[*?\[]")
URL = re.compile(r"(?i)([a-z][a-z0-9+.-]*)://")
DRIVERS = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "http": "aiohttp", "https": "aiohttp"}
DRIVERS |= dict.fromkeys(("az", "abfs", "abfss"), "adlfs")
WEB = ("http", "https")
BLOCK = 1 << 23
"""Bytes that are asked of a store at a time."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a folder holds under a name. `size` in bytes; None where the listing does not say."""

    name: str
    is_folder: bool = False
    is_special: bool = False
    """A pipe, socket or device, whose reading might never end."""
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A file that was found; `path` is what ids and messages call it, and `size` as in its entry."""

    path: str
    is_special: bool = False
    size: int | None = None


class Store(Protocol):
    """Where files are. All methods raise OSError for what cannot be reached."""

    def is_folder(self, path: str) -> bool:
        """Return whether there is a folder; raises OSError where nothing is."""
        ...

    def exists(self, path: str) -> bool:
        """Return whether something is there by this very name."""
        ...

    def entries(self, folder: str) -> list[Entry]:
        """Return what a folder holds, in any order."""
        ...

    def join(self, folder: str, name: str) -> str:
        """Return the path of something in a folder."""
        ...

    def identity(self, folder: str) -> Hashable:
        """Return what tells this folder from all others, whatever links lead to it."""
        ...

    def open(self, path: str) -> io.RawIOBase:
        """Open a file for reading."""
        ...

    def size(self, path: str) -> int | None:
        """Return the size of a file in bytes, None where that is not known."""
        ...

    def is_page(self, path: str) -> bool:
        """Return whether this is a web page, whatever its name."""
        ...


class Disk:
    """The files of this machine."""

    def is_folder(self, path: str) -> bool:
        """Return whether there is a folder; what is not there is told when it is opened."""
        try:
            return stat.S_ISDIR(Path(path).stat().st_mode)
        except (OSError, ValueError):
            return False

    def exists(self, path: str) -> bool:
        """Return whether something is there by this very name."""
        return os.path.lexists(path)

    def entries(self, folder: str) -> list[Entry]:
        """Return what a folder holds, in any order. A folder of files costs no look at any of them."""
        with os.scandir(folder or ".") as found:
            return [_entry(item) for item in found]

    def join(self, folder: str, name: str) -> str:
        """Return the path of something in a folder."""
        return _join(folder, name)

    def identity(self, folder: str) -> Hashable:
        """Return the folder's device and number."""
        status = Path(folder or ".").stat()
        return status.st_dev, status.st_ino

    def open(self, path: str) -> io.FileIO:
        """Open a file for reading."""
        return Path(path).open("rb", buffering=0)

    def size(self, path: str) -> int | None:
        """Return the size of a file in bytes."""
        return Path(path).stat().st_size

    def is_page(self, path: str) -> bool:
        """Return whether this is a web page, whatever its name: files have suffixes."""
        return False


def _join(folder: str, name: str) -> str:
    # Not as Path does it, which would drop "./": ids are paths as given.
    return f"{folder}{name}" if not folder or folder.endswith("/") else f"{folder}/{name}"


def _entry(item: os.DirEntry[str]) -> Entry:
    try:
        if item.is_dir():
            return Entry(item.name, is_folder=True)
        # A link that leads nowhere is no special file: it is told when it is opened.
        return Entry(item.name, is_special=not item.is_file() and Path(item.path).exists())
    except OSError:
        return Entry(item.name)


class Remote:
    """The files of a store that fsspec knows. Paths are whole URLs.

    Raises MissingLibraryError and UnreadableError where there is no way to it.
    """

    def __init__(self, url: str) -> None:
        protocol = url.partition("://")[0].lower()
        try:
            import fsspec
        except ImportError as error:
            raise MissingLibraryError("fsspec", "remote") from error
        try:
            options = _web_options(fsspec.config.conf.get(protocol, {})) if protocol in WEB and "::" not in url else {}
            self._files: Any = fsspec.url_to_fs(url, **options)[0]
        except ImportError as error:
            driver = DRIVERS.get(protocol)
            hint = f"{driver}, which is not installed: pip install {driver}" if driver else f"a driver ({error})"
            raise UnreadableError(f"{protocol}:// needs {hint}") from error
        except Exception as error:
            raise UnreadableError(_words(error)) from error
        self._is_web = protocol in WEB

    def is_folder(self, path: str) -> bool:
        """Return whether there is a folder; on the web, that is what ends in a slash. Raises OSError."""
        if self._is_web:
            return path.endswith("/")
        return bool(_asked(self._files.info, self._inner(path))["type"] == "directory")

    def exists(self, path: str) -> bool:
        """Return whether something is there by this very name. A query of the web may look like a pattern."""
        if self._is_web and "*" not in path:
            return True
        with suppress(OSError):  # told when it is listed
            return bool(_asked(self._files.exists, self._inner(path)))
        return False

    def entries(self, folder: str) -> list[Entry]:
        """Return what a folder holds, in any order. Raises OSError."""
        inner = self._inner(folder)
        root = inner.rstrip("/") + "/" if inner else ""
        found = []
        for item in _asked(self._files.ls, root if self._is_web else inner, detail=True):
            name = item["name"].removeprefix(root).strip("/")
            # Stores list a folder in itself; pages link to anywhere, and to themselves in another order.
            if name and "/" not in name and not name.startswith(("?", "#")):
                found.append(Entry(name, is_folder=item["type"] == "directory", size=item.get("size")))
        return found

    def join(self, folder: str, name: str) -> str:
        """Return the URL of something in a folder."""
        head, mark, tail = folder.partition("::")
        return f"{_join(head, name)}{mark}{tail}"

    def identity(self, folder: str) -> Hashable:
        """Return the folder's URL: stores have no links."""
        return folder.rstrip("/")

    def open(self, path: str) -> io.RawIOBase:
        """Open a file for reading. Raises OSError."""

        def opened(block: int) -> Any:
            return _asked(self._files.open, self._inner(path), "rb", block_size=block)

        # Blocks, and one long answer only from servers that cannot give parts: scoring takes longer than they wait.
        return _RemoteFile(opened(BLOCK), (lambda: opened(0)) if self._is_web else None)

    def _inner(self, url: str) -> str:
        """Return what the driver calls a file: without the protocol, and what the store itself is in."""
        return str(self._files._strip_protocol(url.partition("::")[0]))

    def size(self, path: str) -> int | None:
        """Return the size of a file in bytes, None where the store does not say. Raises OSError."""
        size = _asked(self._files.info, self._inner(path)).get("size")
        return None if size is None else int(size)

    def is_page(self, path: str) -> bool:
        """Return whether a web server says that this is HTML."""
        if not self._is_web:
            return False
        with suppress(OSError):  # told when it is opened
            return "html" in str(_asked(self._files.info, path).get("mimetype"))
        return False


class _RemoteFile(io.RawIOBase):
    """A file of a store; its errors are all OSError, as those of a file on this machine are."""

    def __init__(self, file: Any, reopened: Callable[[], Any] | None) -> None:
        self._file = file
        self._reopened = reopened

    @property
    def size(self) -> int | None:
        """The size in bytes, None where the store does not say."""
        size = getattr(self._file, "size", None)
        return None if size is None else int(size)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        # What comes as one long answer says that it is, and has no size.
        return bool(self._file.seekable()) and getattr(self._file, "size", 0) is not None

    def readinto(self, buffer: Any) -> int:
        try:
            part = self._file.read(len(buffer))
        except ValueError as error:
            if self._reopened is None:
                raise StreamError(_words(error)) from error
            self._go_on_in_one_answer()
            return self.readinto(buffer)
        except Exception as error:
            raise StreamError(_words(error)) from error
        buffer[: len(part)] = part
        return len(part)

    def _go_on_in_one_answer(self) -> None:
        assert self._reopened is not None
        position = self._file.tell()
        self._file, self._reopened = self._reopened(), None
        while (left := position - self._file.tell()) and _asked(self._file.read, min(left, BLOCK)):
            pass

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return int(_asked(self._file.seek, offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def close(self) -> None:
        if not self.closed:
            with suppress(Exception):  # all that matters has been read
                self._file.close()
        super().close()


def _asked(call: Callable[..., T], *arguments: Any, **options: Any) -> T:
    """Return what a driver answers; its errors, of whatever kind, are OSError."""
    try:
        return call(*arguments, **options)
    except FileNotFoundError as error:
        raise StreamError("no such file or folder") from error
    except Exception as error:
        raise StreamError(_words(error)) from error


def _web_options(configured: dict[str, Any]) -> dict[str, Any]:
    """Return what the web is asked with: bytes as they are stored, and patience with those who send slowly."""
    try:
        from aiohttp import ClientTimeout
    except ImportError:  # told by fsspec
        return {}
    timeout = ClientTimeout(total=None, sock_connect=60, sock_read=300)
    return {
        "headers": {"Accept-Encoding": "identity", **configured.get("headers", {})},
        "client_kwargs": {
            "auto_decompress": False,
            "trust_env": True,
            "timeout": timeout,
            **configured.get("client_kwargs", {}),
        },
    }


def _words(error: Exception) -> str:
    """Return one line on what a driver could not do: those raise what their libraries raise."""
    if isinstance(error, OSError):
        return explain(error).split("\n")[0]
    return f"could not be reached ({type(error).__name__}: {error})".split("\n")[0]


class Pattern:
    """Which paths are wanted: `*`, `?` and `[...]` stand for parts of a name, `**` for any number of folders.

    A folder that fits is wanted with all that it holds.
    """

    def __init__(self, names: list[str]) -> None:
        self._names = [name for i, name in enumerate(names) if (name, *names[i + 1 : i + 2]) != ("**", "**")]

    def fits(self, path: tuple[str, ...]) -> bool:
        """Return whether this path, or a folder that it is in, fits."""
        return any(_fits(path[:end], self._names) for end in range(1, len(path) + 1))

    def may_hold(self, folder: tuple[str, ...]) -> bool:
        """Return whether something that fits may be in this folder."""
        for part, name in zip(folder, self._names, strict=False):
            if name == "**":
                return True
            if not fnmatchcase(part, name):
                return False
        return len(folder) < len(self._names) or self.fits(folder)

    @property
    def suffix(self) -> str | None:
        """Return the suffix that all files must have which fit, None where there is none."""
        suffix = Path(self._names[-1]).suffix
        return None if not suffix or MAGIC.search(suffix) else suffix


def _fits(path: tuple[str, ...], names: list[str]) -> bool:
    if not names:
        return not path
    if names[0] == "**":
        if len(names) == 1:
            return bool(path)
        return any(_fits(path[start:], names[1:]) for start in range(len(path)))
    return bool(path) and fnmatchcase(path[0], names[0]) and _fits(path[1:], names[1:])


@dataclass(frozen=True, slots=True)
class Location:
    """What a path means: a file, a folder, or all files under `path` that fit a pattern."""

    store: Store
    path: str
    is_folder: bool
    pattern: Pattern | None = None

    def files(self, is_excluded: Callable[[str], bool] = lambda path: False) -> Iterator[Found | Failure]:
        """Yield the files of a folder or pattern, sorted by path, and folders that cannot be listed as failures.

        Each real folder is searched once, so that loops of links end. `is_excluded` is asked of every path.
        """
        store, pattern = self.store, self.pattern
        visited: set[Hashable] = set()
        pending: list[tuple[str, tuple[str, ...], Entry]] = [(self.path, (), Entry("", is_folder=True))]
        while pending:
            path, names, entry = pending.pop()
            if not entry.is_folder:
                yield Found(path, entry.is_special, entry.size)
                continue
            try:
                identity = store.identity(path)
                if identity in visited:
                    continue
                visited.add(identity)
                entries = store.entries(path)
            except OSError as error:
                yield Failure(path or ".", explain(error))
                continue
            # A folder sorts as its path with the slash that all within it have: the order of whole paths.
            entries.sort(key=lambda item: item.name + "/" * item.is_folder, reverse=True)
            for item in entries:
                inner = (*names, item.name)
                if pattern is not None and not (pattern.may_hold if item.is_folder else pattern.fits)(inner):
                    continue
                where = store.join(path, item.name)
                if not is_excluded(where):
                    pending.append((where, inner, item))


def locate(path: str) -> Location:
    """Return what a path means. Raises OSError, MissingLibraryError and UnreadableError."""
    if path.lower().startswith("file://"):
        path = path[len("file://") :]
    store: Store = Remote(path) if URL.match(path) else Disk()
    head, mark, tail = path.partition("::") if isinstance(store, Remote) else (path, "", "")
    if not MAGIC.search(head) or store.exists(path):
        return Location(store, path, store.is_folder(path))
    root = re.match(r"[^:/]+:///?|/*", head)
    start = root[0] if root else ""
    names = [name for name in head[len(start) :].split("/") if name]
    fixed = next(i for i, name in enumerate(names) if MAGIC.search(name))
    base = start + "/".join(names[:fixed])
    pattern = Pattern(names[fixed:] + ["**"] * head.endswith("/"))
    return Location(store, f"{base}{mark}{tail}", True, pattern)

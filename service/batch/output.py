"""Where a command writes its results: standard output, or a file that appears only when it is complete."""

from __future__ import annotations

import errno
import gzip
import os
import sys
from pathlib import Path
from typing import BinaryIO, Protocol, Self, cast

from unspun.model.atomic import part_of, put_in_place
from unspun.service.console import CommandError

DISK_FAULTS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS})
"""Errors of a disk that is full or fails. They do not name the file."""


class Output(Protocol):
    """Takes text. Use it in a with block, which closes it."""

    @property
    def stream(self) -> BinaryIO:
        """The stream of bytes, for binary formats."""
        ...

    def write(self, text: str) -> None:
        """Write text; raises OSError."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object, /) -> None: ...


class StandardOutput:
    """Standard output. Each result is flushed at once, so that the next program in a pipe gets it."""

    def __init__(self, encoding: str = "utf-8") -> None:
        if sys.stdout is None:
            raise CommandError("standard output is closed")
        self.stream = sys.stdout.buffer
        self._encoding = encoding

    def write(self, text: str) -> None:
        """Write text; characters that the encoding does not have become question marks."""
        self.stream.write(text.encode(self._encoding, "replace"))
        self.stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass


class FileOutput:
    """A file in UTF-8, compressed if its name ends in .gz.

    It is written as FILE.part and renamed at the end, so that FILE is always complete. If a run ends early, its results
    are in FILE.part. A pipe or device is written to directly. Raises OSError if the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._target = Path(os.path.realpath(path))  # a link stays a link
        in_place = self._target.exists() and not self._target.is_file() and not self._target.is_dir()
        self.part = self._target if in_place else part_of(self._target)
        if self._target.is_dir():
            raise IsADirectoryError(21, "Is a directory", str(path))
        if self._target.exists() and not os.access(self._target, os.W_OK):
            raise PermissionError(13, "Permission denied", str(path))
        self._file = self.stream = cast(BinaryIO, self.part.open("wb"))
        if path.suffix.lower() == ".gz":
            # Without a name and a time, so that the same verdicts give the same bytes.
            self.stream = cast(BinaryIO, gzip.GzipFile("", "wb", fileobj=self._file, mtime=0))

    def write(self, text: str) -> None:
        """Write text; lone surrogates, which UTF-8 does not have, become question marks."""
        self.stream.write(text.encode("utf-8", "replace"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            with self._file:
                if self.stream is not self._file:
                    self.stream.close()
                if kind is None and self.part != self._target:
                    put_in_place(self._file, self.part, self._target)
        except OSError as unwritten:
            unwritten.filename = str(self.part)
            raise
        if isinstance(error, OSError) and error.errno in DISK_FAULTS and error.filename is None:
            error.filename = str(self.part)

"""Atomic writes: a reader of a file finds either the old content or the new, never a mixture."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO


def part_of(path: Path) -> Path:
    """Return the temporary file that becomes `path`: the same name with `.part` at its end."""
    return path.with_name(f"{path.name}.part")


@contextlib.contextmanager
def atomic_write(path: Path, mode: int = 0o666) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path`, and rename it to `path` when the block ends; delete it if the block raises.

    `mode` gives the permissions of a new file, less the umask. Raises OSError if the file cannot be written.
    """
    part = part_of(path)
    part.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_EXCL, mode), "wb") as file:
            yield file
            put_in_place(file, part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def put_in_place(file: IO[bytes], part: Path, path: Path) -> None:
    """Flush `file`, whose name is `part`, to the disk, close it and rename it to `path`.

    A file that is replaced keeps its permissions and, if this process may set it, its owner.
    """
    file.flush()
    os.fsync(file.fileno())
    with contextlib.suppress(FileNotFoundError):
        old = path.stat()
        with contextlib.suppress(PermissionError):
            os.fchown(file.fileno(), old.st_uid, old.st_gid)
        os.fchmod(file.fileno(), stat.S_IMODE(old.st_mode))
    file.close()
    part.replace(path)

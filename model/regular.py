"""Opens regular files only. A pipe would be waited for forever, and a device may have no end."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path


def open_regular(path: Path, most: int | None = None, *, follow: bool = True) -> BufferedReader:
    """Open a regular file for reading. Raises OSError if it is another kind of file, or has more than `most` bytes.

    If `follow` is False, symbolic links are refused, too.
    """
    more = os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW)
    # Path.open has no opener. The caller closes the file.
    stream = open(path, "rb", opener=lambda name, flags: os.open(name, flags | more))  # noqa: SIM115
    try:
        found = os.fstat(stream.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "Not a regular file", str(path))
        if most is not None and found.st_size > most:
            raise OSError(errno.EFBIG, f"Larger than {most:,} bytes", str(path))
    except BaseException:
        stream.close()
        raise
    return stream


def read_regular(path: Path, most: int) -> bytes:
    """Return the content of a regular file of at most so many bytes. Raises OSError."""
    with open_regular(path, most) as stream:
        return stream.read(most)

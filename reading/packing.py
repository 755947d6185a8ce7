"""Unpacks gzip and zstandard as it is read."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from importlib import import_module
from typing import Any, Literal

from unspun.reading.encodings import SAMPLE
from unspun.reading.records import MissingLibraryError, StreamError

Packing = Literal["gzip", "zstd"]

SUFFIXES: dict[str, Packing] = {".gz": "gzip", ".zst": "zstd", ".zstd": "zstd"}

WIDEST = 31
"""The widest window that is unpacked, as a power of two: archives are published with `zstd --long=31`."""


def split(name: str) -> tuple[str, Packing | None]:
    """Return a file's name without the suffix of its packing, and which that is."""
    for suffix, packing in SUFFIXES.items():
        if name.lower().endswith(suffix):
            return name[: -len(suffix)], packing
    return name, None


def unpack(stream: io.BufferedIOBase, packing: Packing) -> io.BufferedIOBase:
    """Return what a packed stream holds.

    Reading it raises StreamError where the packing is broken, after all that came before. Raises
    MissingLibraryError.
    """
    # Not itself, since its own errors are of many kinds.
    return io.BufferedReader(_Unpacked(stream, packing), SAMPLE)


class _Unpacked(io.RawIOBase):
    def __init__(self, stream: io.BufferedIOBase, packing: Packing) -> None:
        self._packing = packing
        self._errors: tuple[type[Exception], ...] = (EOFError, zlib.error, gzip.BadGzipFile)
        if packing == "gzip":
            self._inner: Any = gzip.GzipFile(fileobj=stream)
            return
        zstd = _zstd()
        self._errors += (zstd.ZstdError,)
        options = {zstd.DecompressionParameter.window_log_max: WIDEST}
        self._inner = zstd.ZstdFile(stream, options=options)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            # Not read: it would lose what came before a break.
            part = self._inner.read1(len(buffer))
        except self._errors as error:
            raise StreamError(f"broken {self._packing}: {error}") from error
        buffer[: len(part)] = part
        return len(part)


def _zstd() -> Any:
    try:
        # Part of Python from 3.14 on.
        return import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    except ImportError as error:
        raise MissingLibraryError("backports.zstd", "zstd") from error

"""Decompresses gzip and zstandard files while they are read."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from importlib import import_module
from typing import Any, Literal

from unspun.reading.encodings import SAMPLE
from unspun.reading.records import StreamError, optional

Packing = Literal["gzip", "zstd"]

SUFFIXES: dict[str, Packing] = {".gz": "gzip", ".zst": "zstd", ".zstd": "zstd"}

WINDOW = 31
"""The largest window that is decompressed, as a power of two: archives are published with `zstd --long=31`."""


def split(name: str) -> tuple[str, Packing | None]:
    """Return a file's name without its compression suffix, and the compression; None if it has none."""
    for suffix, packing in SUFFIXES.items():
        if name.lower().endswith(suffix):
            return name[: -len(suffix)], packing
    return name, None


def unpack(stream: io.BufferedIOBase, packing: Packing) -> io.BufferedIOBase:
    """Return a stream of the decompressed bytes.

    Reading damaged data raises StreamError after all bytes that precede the damage. Raises MissingLibraryError.
    """
    return io.BufferedReader(_Unpacked(stream, packing), SAMPLE)


class _Unpacked(io.RawIOBase):
    """Decompressed bytes; every error of the decompressor is a StreamError."""

    def __init__(self, stream: io.BufferedIOBase, packing: Packing) -> None:
        self._packing = packing
        self._errors: tuple[type[Exception], ...] = (EOFError, zlib.error, gzip.BadGzipFile)
        if packing == "gzip":
            self._inner: Any = gzip.GzipFile(fileobj=stream)
            return
        with optional("backports.zstd", "zstd"):
            zstd: Any = import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
        self._errors += (zstd.ZstdError,)
        self._inner = zstd.ZstdFile(stream, options={zstd.DecompressionParameter.window_log_max: WINDOW})

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            # `read` would lose the bytes before a break.
            part = self._inner.read1(len(buffer))
        except self._errors as error:
            raise StreamError(f"broken {self._packing}: {error}") from error
        buffer[: len(part)] = part
        return len(part)

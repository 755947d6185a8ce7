"""Turns the bytes of a file into text, or says why they are none."""

from __future__ import annotations

import codecs
import io
from typing import Any, BinaryIO, TextIO, cast

SAMPLE = 1 << 16
"""Bytes from which the encoding is told."""

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    # UTF-32 before UTF-16: its little-endian mark begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

# What a file begins with that people take for text, or that has no NUL near its start.
MAGIC = {
    b"%PDF-": "PDF",
    b"{\\rtf": "RTF",
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF8": "GIF",
    b"PK\x03\x04": "zip, or an office document",
    b"\xd0\xcf\x11\xe0": "office document",
    b"\x1f\x8b": "gzip without .gz in its name",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstandard",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"PAR1": "Parquet",
    b"SQLite format 3": "SQLite",
    b"\x7fELF": "program",
}

# Control characters that no text file has: all but tab, line ends, form feed, backspace and escape.
CONTROLS = bytes({*range(0x20), 0x7F} - set(b"\b\t\n\v\f\r\x1b"))
HIGH = bytes(range(0x80, 0x100))

# Windows-1252, and Latin-1 for the five bytes that it leaves undefined.
CP1252 = [
    bytes([byte]).decode("latin-1" if byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D) else "cp1252")
    for byte in range(256)
]


class NotTextError(ValueError):
    """The bytes are no text; the message says what they are."""


def detect_encoding(sample: bytes) -> str:
    """Return the name of the codec that reads a file which begins with `sample`.

    Raises NotTextError for a binary. English text that is not UTF-8 is nearly always Windows-1252, which the
    error handler of `decode` reads byte by byte, so that a file which mixes both is read too. Only where
    most bytes are not ASCII, which no English text has, is a detector asked.
    """
    for mark, name in BYTE_ORDER_MARKS:
        if sample.startswith(mark):
            return name
    for magic, kind in MAGIC.items():
        if sample.startswith(magic):
            raise NotTextError(f"binary ({kind}), not text")
    if b"\0" in sample:
        return _utf16_without_mark(sample)
    if _count(sample, CONTROLS) > 0.1 * len(sample):
        raise NotTextError("binary, not text")
    high = _count(sample, HIGH)
    if high > 0.15 * len(sample) and _broken_utf8(sample) > 0.05 * high:
        return _guess(sample)
    return "utf-8"


def decode(data: bytes, declared: str | None = None) -> str:
    """Return the text of a whole file, without a byte order mark; line ends stay as they are.

    `declared` is the codec that the file itself names (a web page does); it is believed where the bytes are
    not UTF-8. Raises NotTextError for a binary.
    """
    encoding = detect_encoding(data[:SAMPLE])
    if encoding.startswith("utf-"):
        if encoding == "utf-8" and b"\0" in data:
            raise NotTextError("binary, not text")
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            pass
    if declared is not None and _is_legacy(declared):
        return data.decode(declared, "replace")
    return data.decode(encoding, _errors(encoding))


def open_text(stream: BinaryIO, newline: str | None = None) -> TextIO:
    """Return a text stream over a binary one, its encoding told from what it begins with.

    `newline` is as for `open`. Raises NotTextError for a binary.
    """
    sample = stream.read(SAMPLE)
    encoding = detect_encoding(sample)
    return io.TextIOWrapper(put_back(sample, stream), encoding, _errors(encoding), newline=newline)


def put_back(sample: bytes, stream: BinaryIO) -> io.BufferedReader:
    """Return a stream that gives the bytes already read from it once more, then the rest."""
    return io.BufferedReader(_Prefixed(sample, stream), SAMPLE)


class _Prefixed(io.RawIOBase):
    def __init__(self, prefix: bytes, rest: BinaryIO) -> None:
        self._prefix = io.BytesIO(prefix)
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = self._prefix.read(len(buffer)) or self._rest.read(len(buffer))
        buffer[: len(part)] = part
        return len(part)


def _count(sample: bytes, alphabet: bytes) -> int:
    return len(sample) - len(sample.translate(None, alphabet))


def _broken_utf8(sample: bytes) -> int:
    # Incremental: a character that the end of the sample cuts in two is not broken.
    return codecs.getincrementaldecoder("utf-8")("replace").decode(sample).count("\N{REPLACEMENT CHARACTER}")


def _utf16_without_mark(sample: bytes) -> str:
    half = max(1, len(sample) // 2)
    even, odd = sample[0::2].count(0) / half, sample[1::2].count(0) / half
    if odd >= 0.5 and even <= 0.05:
        return "utf-16-le"
    if even >= 0.5 and odd <= 0.05:
        return "utf-16-be"
    raise NotTextError("binary, not text")


def _guess(sample: bytes) -> str:
    from charset_normalizer import from_bytes  # only for text that is hardly English

    best = from_bytes(sample[:8192]).best()
    return best.encoding if best is not None else "utf-8"


def _is_legacy(name: str) -> bool:
    """Return whether Python knows the encoding, and it is none that we read better without being told."""
    try:
        codec = codecs.lookup(name)
        codec.decode(b"")
    except (LookupError, ValueError, TypeError):
        return False
    return codec._is_text_encoding and codec.name not in ("utf-8", "ascii", "iso8859-1", "cp1252")


def _errors(encoding: str) -> str:
    return "unspun.cp1252" if encoding in ("utf-8", "utf-8-sig") else "replace"


def _as_cp1252(error: UnicodeError) -> tuple[str, int]:
    broken = cast(UnicodeDecodeError, error)
    return "".join(CP1252[byte] for byte in broken.object[broken.start : broken.end]), broken.end


codecs.register_error("unspun.cp1252", _as_cp1252)

"""Turns the bytes of a file into text, or says why they are none."""

from __future__ import annotations

import codecs
import io
import zlib
from typing import Any, TextIO, cast

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
    bytes([byte]).decode("latin-1" if byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D) else "cp1252") for byte in range(256)
]


# What Python calls the encodings that a page may name: not its codecs for other ends, such as rot13.
LEGACY = ("big5", "cp", "euc", "gb", "iso2022", "iso8859", "koi8", "mac", "shift")

ENOUGH = 40
"""Bytes that are not ASCII from which an encoding can be guessed at all."""


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
    if high >= ENOUGH and high > 0.15 * len(sample) and _broken_utf8(sample) > 0.05 * high:
        return _guess(sample)
    return "utf-8"


def decode(data: bytes, declared: str | None = None) -> str:
    """Return the text of a whole file, without a byte order mark; line ends stay as they are.

    `declared` is the codec that the file itself names (a web page does); it is believed where the bytes are
    not UTF-8. Raises NotTextError for a binary.
    """
    encoding = detect_encoding(data[:SAMPLE])
    wide = encoding.startswith(("utf-16", "utf-32"))
    if b"\0" in data and not wide:
        raise NotTextError("binary, not text")
    if declared is not None and not wide and _is_legacy(declared):
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            return data.decode(declared, "replace")
    return data.decode(encoding, _errors(encoding))


def open_text(stream: io.BufferedIOBase, newline: str | None = None) -> TextIO:
    """Return a text stream over a binary one, its encoding told from what it begins with.

    `newline` is as for `open`. Raises NotTextError for a binary, and what reading raises.
    """
    sample, whole = peek(stream)
    encoding = detect_encoding(sample)
    return io.TextIOWrapper(whole, encoding, _errors(encoding), newline=newline)


def peek(stream: io.BufferedIOBase) -> tuple[bytes, io.BufferedReader]:
    """Return what a stream begins with, up to SAMPLE bytes, and a stream that still has all of it.

    Never raises: where reading breaks off, reading the second stream does, after what came before.
    """
    peeked = _Peeked(stream)
    return peeked.sample, io.BufferedReader(peeked, SAMPLE)


class _Peeked(io.RawIOBase):
    def __init__(self, stream: io.BufferedIOBase) -> None:
        self.sample = b""
        self._stream = stream
        self._given = 0
        self._ended = False
        self._error: Exception | None = None
        try:
            while len(self.sample) < SAMPLE and not self._ended:
                # Not read: it would lose what came before a break.
                part = stream.read1(SAMPLE - len(self.sample))
                self.sample += part
                self._ended = not part  # not asked again: at a terminal, the answer would be waited for
        except (OSError, EOFError, zlib.error) as error:
            self._error = error

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = self.sample[self._given : self._given + len(buffer)]
        self._given += len(part)
        if not part and self._error is not None:
            raise self._error
        if not part and not self._ended:
            part = self._stream.read1(len(buffer))
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
    """Return whether this is an encoding of old web pages; pages that say Latin-1 mean Windows-1252."""
    try:
        codec = codecs.lookup(name)
    except LookupError:
        return False
    return codec.name.startswith(LEGACY) and codec.name not in ("iso8859-1", "cp1252")


def _errors(encoding: str) -> str:
    return "unspun.cp1252" if encoding in ("utf-8", "utf-8-sig") else "replace"


def _as_cp1252(error: UnicodeError) -> tuple[str, int]:
    broken = cast(UnicodeDecodeError, error)
    return "".join(CP1252[byte] for byte in broken.object[broken.start : broken.end]), broken.end


codecs.register_error("unspun.cp1252", _as_cp1252)

"""Decodes the bytes of a file, or says why they are not text."""

from __future__ import annotations

import codecs
import io
import zlib
from typing import Any, TextIO, cast

SAMPLE = 1 << 16
"""Bytes from the start of a file that the encoding is detected from."""

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    # UTF-32 comes before UTF-16, whose little-endian mark is a prefix of its own.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

# The first bytes of formats that users mistake for text, or that have no NUL byte near the start.
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
TAR = b"ustar"
"""Stands at byte 257 of a tar file, which may hold little else than text."""

NULS = 0.2
"""Share of NULs above which a file is binary. Some programs write them for ligatures or spaces that they cannot map."""
RUN = b"\0" * 8
"""NULs in a row that only a binary has, other than at its ends, where some programs fill a block."""

# Control characters that do not occur in text: all but tab, line breaks, form feed, backspace and escape.
CONTROLS = bytes({*range(0x20), 0x7F} - set(b"\b\t\n\v\f\r\x1b"))
HIGH = bytes(range(0x80, 0x100))

# Windows-1252, with Latin-1 for the five bytes that it leaves undefined.
CP1252 = [
    bytes([byte]).decode("latin-1" if byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D) else "cp1252") for byte in range(256)
]

# Prefixes of the codecs that a page may declare. Others, such as rot13, are not text encodings.
LEGACY = ("big5", "cp", "euc", "gb", "iso2022", "iso8859", "koi8", "mac", "shift")

ENOUGH = 40
"""Non-ASCII bytes below which an encoding cannot be guessed."""


class NotTextError(ValueError):
    """The bytes are not text. The message says what they are."""


def detect_encoding(sample: bytes) -> str:
    """Return the name of the codec for a file that starts with `sample`.

    Raises NotTextError if the file is binary. English text that is not UTF-8 is nearly always Windows-1252: the error
    handler of `decode` reads such bytes one by one, which also works for files that mix the two. A detector is used
    only if many bytes are not ASCII, which does not happen in English text.
    """
    for mark, name in BYTE_ORDER_MARKS:
        if sample.startswith(mark):
            return name
    for magic, kind in MAGIC.items():
        if sample.startswith(magic):
            raise NotTextError(f"binary ({kind}), not text")
    if sample[257:262] == TAR:
        raise NotTextError("binary (tar), not text")
    if b"\0" in sample:
        wide = _utf16_without_mark(sample)
        if wide is not None:
            return wide
        if not _is_text_with_nuls(sample):
            raise NotTextError("binary, not text")
    elif _count(sample, CONTROLS) > 0.1 * len(sample):
        raise NotTextError("binary, not text")
    high = _count(sample, HIGH)
    if high >= ENOUGH and high > 0.15 * len(sample) and _broken_utf8(sample) > 0.05 * high:
        return _guess(sample)
    return "utf-8"


def decode(data: bytes, declared: str | None = None) -> str:
    """Return the text of a whole file without a byte order mark. Line breaks stay as they are.

    `declared` is the encoding that the file itself declares, as web pages do; it is used if the bytes are not UTF-8.
    Raises NotTextError if the file is binary.
    """
    encoding = detect_encoding(data[:SAMPLE])
    wide = encoding.startswith(("utf-16", "utf-32"))
    if b"\0" in data and not wide and not _is_text_with_nuls(data):
        raise NotTextError("binary, not text")
    if declared is not None and not wide and _is_legacy(declared):
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            return data.decode(declared, "replace")
    return data.decode(encoding, _errors(encoding))


def open_text(stream: io.BufferedIOBase, newline: str | None = None) -> TextIO:
    """Return a text stream over a binary stream, with the encoding detected from its first bytes.

    `newline` is as for `open`. Raises NotTextError if the stream is binary.
    """
    sample, whole = peek(stream)
    encoding = detect_encoding(sample)
    return io.TextIOWrapper(whole, encoding, _errors(encoding), newline=newline)


def peek(stream: io.BufferedIOBase) -> tuple[bytes, io.BufferedReader]:
    """Return the first bytes of a stream, up to SAMPLE, and a stream that still contains them.

    Never raises: an error while reading is raised by the returned stream, after all bytes that came before it.
    """
    peeked = _Peeked(stream)
    return peeked.sample, io.BufferedReader(peeked, SAMPLE)


class _Peeked(io.RawIOBase):
    def __init__(self, stream: io.BufferedIOBase) -> None:
        self.sample = b""
        self._stream = stream
        self._position = 0
        self._ended = False
        self._error: Exception | None = None
        try:
            while len(self.sample) < SAMPLE and not self._ended:
                # `read` would lose the bytes before a break.
                part = stream.read1(SAMPLE - len(self.sample))
                self.sample += part
                self._ended = not part  # reading on would block at a terminal
        except (OSError, EOFError, zlib.error) as error:
            self._error = error

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = self.sample[self._position : self._position + len(buffer)]
        self._position += len(part)
        if not part and self._error is not None:
            raise self._error
        if not part and not self._ended:
            part = self._stream.read1(len(buffer))
        buffer[: len(part)] = part
        return len(part)


def _count(sample: bytes, alphabet: bytes) -> int:
    return len(sample) - len(sample.translate(None, alphabet))


def _broken_utf8(sample: bytes) -> int:
    # Incremental, so that a character cut by the end of the sample does not count.
    return codecs.getincrementaldecoder("utf-8")("replace").decode(sample).count("\N{REPLACEMENT CHARACTER}")


def _utf16_without_mark(sample: bytes) -> str | None:
    half = max(1, len(sample) // 2)
    even, odd = sample[0::2].count(0) / half, sample[1::2].count(0) / half
    if odd >= 0.5 and even <= 0.05:
        return "utf-16-le"
    if even >= 0.5 and odd <= 0.05:
        return "utf-16-be"
    return None


def _is_text_with_nuls(data: bytes) -> bool:
    """Return whether bytes with NULs are text otherwise."""
    inner = data.strip(b"\0")
    nuls = inner.count(0)
    others = _count(inner, CONTROLS) - nuls
    high = _count(inner, HIGH)
    return (
        len(inner) > 0
        and nuls <= NULS * len(inner)
        and others <= 0.005 * len(inner)
        and RUN not in inner
        and (high < ENOUGH or _broken_utf8(inner[:SAMPLE]) <= 0.15 * len(inner[:SAMPLE]))
    )


def _guess(sample: bytes) -> str:
    from charset_normalizer import from_bytes  # slow to import, and rarely needed

    best = from_bytes(sample[:8192]).best()
    return best.encoding if best is not None else "utf-8"


def _is_legacy(name: str) -> bool:
    """Return whether this is an encoding of old web pages. Pages that declare Latin-1 are in fact Windows-1252."""
    try:
        codec = codecs.lookup(name)
    except (LookupError, ValueError):  # ValueError: the name has a null character or a lone surrogate
        return False
    return codec.name.startswith(LEGACY) and codec.name not in ("iso8859-1", "cp1252")


def _errors(encoding: str) -> str:
    return "unspun.cp1252" if encoding in ("utf-8", "utf-8-sig") else "replace"


def _as_cp1252(error: UnicodeError) -> tuple[str, int]:
    broken = cast(UnicodeDecodeError, error)
    return "".join(CP1252[byte] for byte in broken.object[broken.start : broken.end]), broken.end


codecs.register_error("unspun.cp1252", _as_cp1252)

"""Output formats for verdicts and comparisons: tables, JSON, CSV, Parquet, HTML."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from unspun.model.verdict import Verdict
from unspun.reading.records import Failure, Omissions


class Renderer:
    """Writes verdicts in a text format, document by document. All text includes its line ends."""

    def header(self) -> str:
        """Return what comes before the first document: nothing, unless a format has it."""
        return ""

    def document(self, text: str, verdict: Verdict) -> str:
        """Return the output for one document; `text` is its text as submitted."""
        raise NotImplementedError

    def failure(self, failure: Failure) -> str:
        """Return the output for a document that could not be read or scored: nothing, unless people read it."""
        return ""

    def footer(self, skipped: Omissions) -> str:
        """Return what comes after the last document; `skipped` is what was skipped. Nothing, unless people read it."""
        return ""


class ByteStream(Protocol):
    """Takes bytes: a file, a compressed file or a buffer in memory."""

    def write(self, data: bytes, /) -> int:
        """Write bytes; raises OSError."""
        ...


class VerdictWriter(Protocol):
    """Writes verdicts in any format, including formats that need all verdicts or end with an index."""

    def write(self, text: str, verdict: Verdict) -> None:
        """Write or keep one document; `text` is its text as submitted. Raises OSError."""
        ...

    def fail(self, failure: Failure) -> None:
        """Note a document that could not be read or scored. Raises OSError."""
        ...

    def close(self, skipped: Omissions | None = None) -> None:
        """Write the rest, and leave the stream open; `skipped` is what was skipped. Raises OSError."""
        ...


class TextWriter:
    """Passes the output of a renderer to `put`."""

    def __init__(self, renderer: Renderer, put: Callable[[str], object]) -> None:
        self._renderer = renderer
        self.put = put
        put(renderer.header())

    def write(self, text: str, verdict: Verdict) -> None:
        """Write one document."""
        self.put(self._renderer.document(text, verdict))

    def fail(self, failure: Failure) -> None:
        """Write one document that could not be read or scored."""
        self.put(self._renderer.failure(failure))

    def close(self, skipped: Omissions | None = None) -> None:
        """Write the end."""
        self.put(self._renderer.footer(Omissions() if skipped is None else skipped))

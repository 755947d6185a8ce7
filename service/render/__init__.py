"""Output formats for verdicts and comparisons: tables, JSON, CSV, Parquet, HTML."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from unspun.model.verdict import Verdict


class Renderer(Protocol):
    """Writes verdicts in a text format, document by document. All text includes its line ends."""

    def header(self) -> str:
        """Return what comes before the first document, or an empty string."""
        ...

    def document(self, text: str, verdict: Verdict) -> str:
        """Return the output for one document; `text` is its text as submitted."""
        ...


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

    def close(self, failures: int = 0) -> None:
        """Write the rest, and leave the stream open. `failures` is how many documents could not be scored.

        Raises OSError.
        """
        ...


class TextWriter:
    """Passes the output of a renderer to `put`."""

    def __init__(self, renderer: Renderer, put: Callable[[str], object]) -> None:
        self._renderer = renderer
        self._put = put
        put(renderer.header())

    def write(self, text: str, verdict: Verdict) -> None:
        """Write one document."""
        self._put(self._renderer.document(text, verdict))

    def close(self, failures: int = 0) -> None:
        """Do nothing: text is complete after every document."""

"""Output formats for verdicts and comparisons: tables, JSON, CSV, Parquet, HTML."""

from __future__ import annotations

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
    """Takes bytes: a file, a compressed file, a buffer in memory."""

    def write(self, data: bytes, /) -> int:
        """Write bytes; raises OSError."""
        ...


class VerdictWriter(Protocol):
    """Writes verdicts to a stream of bytes, in any format, also one that needs all verdicts or ends with an index."""

    def write(self, text: str, verdict: Verdict) -> None:
        """Write or keep one document; `text` is its text as submitted. Raises OSError."""
        ...

    def close(self, failures: int = 0) -> None:
        """Write what is left, and leave the stream open. `failures` is how many documents could not be scored.

        Raises OSError.
        """
        ...


class TextWriter:
    """Writes the output of a renderer in UTF-8; lone surrogates, which UTF-8 does not have, become question marks."""

    def __init__(self, renderer: Renderer, stream: ByteStream) -> None:
        self._renderer = renderer
        self._stream = stream
        self._put(renderer.header())

    def write(self, text: str, verdict: Verdict) -> None:
        """Write one document."""
        self._put(self._renderer.document(text, verdict))

    def close(self, failures: int = 0) -> None:
        """Do nothing: text is complete after every document."""

    def _put(self, text: str) -> None:
        self._stream.write(text.encode("utf-8", "replace"))

"""Turns verdicts into what a command writes: a table, JSON lines, CSV, Parquet, an HTML report."""

from __future__ import annotations

from typing import Protocol

from unspun.model.verdict import Verdict


class Renderer(Protocol):
    """Writes verdicts in one format of text, document by document. All text ends its own lines."""

    def header(self) -> str:
        """Return what stands before the first document; empty where nothing does."""
        ...

    def document(self, text: str, verdict: Verdict) -> str:
        """Return what is written for one document, whose text as submitted is `text`."""
        ...


class Stream(Protocol):
    """Takes bytes: a file, a packed file, a buffer in memory."""

    def write(self, data: bytes, /) -> int:
        """Write bytes; raises OSError."""
        ...


class Writer(Protocol):
    """Writes verdicts to a stream of bytes in any format, also one that needs them all or ends with an index."""

    def write(self, text: str, verdict: Verdict) -> None:
        """Take one document, whose text as submitted is `text`; raises OSError."""
        ...

    def close(self) -> None:
        """Write what is still to come, so that the bytes are whole; the stream stays open. Raises OSError."""
        ...


class TextWriter:
    """Writes what a renderer says, in UTF-8; lone surrogates, which it cannot carry, become question marks."""

    def __init__(self, renderer: Renderer, stream: Stream) -> None:
        self._renderer = renderer
        self._stream = stream
        self._put(renderer.header())

    def write(self, text: str, verdict: Verdict) -> None:
        """Write one document."""
        self._put(self._renderer.document(text, verdict))

    def close(self) -> None:
        """Do nothing: text is whole after every document."""

    def _put(self, text: str) -> None:
        self._stream.write(text.encode("utf-8", "replace"))

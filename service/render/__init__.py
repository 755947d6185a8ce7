"""Turns verdicts into what a command writes: a table, JSON lines, CSV."""

from __future__ import annotations

from typing import Protocol

from model.verdict import Verdict


class Renderer(Protocol):
    """Writes verdicts in one format. All text ends its own lines."""

    def header(self) -> str:
        """Return what stands before the first document; empty where nothing does."""
        ...

    def document(self, text: str, verdict: Verdict) -> str:
        """Return what is written for one document, whose text as submitted is `text`."""
        ...

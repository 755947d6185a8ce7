"""Verdicts as JSON lines: the bytes that every other surface gives."""

from __future__ import annotations

import json

from unspun.model.verdict import Verdict


class JsonLines:
    """One line of JSON a document."""

    def header(self) -> str:
        """Return nothing: JSON lines have no header."""
        return ""

    def document(self, text: str, verdict: Verdict) -> str:
        """Return the verdict's canonical JSON and a line end."""
        return verdict.to_json() + "\n"


def parse(line: str) -> Verdict:
    """Return the verdict of a line that was written. Raises ValueError where it is none."""
    try:
        return Verdict.from_dict(json.loads(line))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a verdict: {error!r}") from error

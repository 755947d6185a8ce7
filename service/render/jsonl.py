"""Verdicts as JSON lines, the same bytes as on every other surface."""

from __future__ import annotations

import json

from unspun.model.verdict import Verdict
from unspun.service.render import Renderer


class JsonLines(Renderer):
    """One line of JSON per document."""

    def document(self, text: str, verdict: Verdict) -> str:
        """Return the verdict's canonical JSON and a line end."""
        return verdict.to_json() + "\n"


def parse(line: str) -> Verdict:
    """Rebuild the verdict from a line. Raises ValueError if the line is not a verdict."""
    try:
        return Verdict.from_dict(json.loads(line))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a verdict: {error!r}") from error

"""Verdicts as JSON lines: the bytes that every other surface gives."""

from __future__ import annotations

import json
from typing import Any

from model.verdict import Evidence, ModelInfo, SpunPassage, Verdict


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
        return verdict_from(json.loads(line))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a verdict: {error!r}") from error


def verdict_from(answer: dict[str, Any]) -> Verdict:
    """Return the verdict of which `answer` is the `to_dict`."""
    evidence = answer.get("evidence")
    return Verdict(
        id=answer["id"],
        score=answer["score"],
        verdict=answer["verdict"],
        kind=answer["kind"],
        kinds=dict(answer["kinds"]),
        reason=answer["reason"],
        words=answer["words"],
        depth=answer["depth"],
        evidence=None
        if evidence is None
        else tuple(Evidence(**{**item, "alternatives": tuple(item["alternatives"])}) for item in evidence),
        model=ModelInfo(**answer["model"]),
        passages=tuple(SpunPassage(**passage) for passage in answer.get("passages") or ()),
    )

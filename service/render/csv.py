"""Verdicts as flat rows for a spreadsheet or a data frame."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from model.verdict import KINDS, Evidence, Verdict

COLUMNS = ("id", "verdict", "kind", "score", *KINDS, "reason", "words", "depth", "evidence", "model_version")

PHRASES = 10
"""Pieces of evidence in a row, the heaviest."""


class Csv:
    """One row a document, quoted where needed, empty where JSON has null."""

    def header(self) -> str:
        """Return the row of column names."""
        return _row(COLUMNS)

    def document(self, text: str, verdict: Verdict) -> str:
        """Return the verdict's row."""
        return _row(
            (
                verdict.id,
                verdict.verdict,
                verdict.kind,
                verdict.score,
                *(verdict.kinds[kind] for kind in KINDS),
                verdict.reason,
                verdict.words,
                verdict.depth,
                summarise(verdict.evidence or ()),
                verdict.model.version,
            )
        )


def summarise(evidence: Sequence[Evidence]) -> str:
    """Return the heaviest evidence as "found -> suggestion; ...", each pair once, heaviest first."""
    ordered = sorted(evidence, key=lambda item: (-item.weight, item.start))
    phrases = dict.fromkeys(
        " ".join((item.text if item.suggestion is None else f"{item.text} -> {item.suggestion}").split())
        for item in ordered
    )
    return "; ".join(list(phrases)[:PHRASES])


def _row(cells: Sequence[object]) -> str:
    line = io.StringIO()
    # What the writer quotes are the characters of its line end: with "\n" it would leave a "\r" bare.
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue().removesuffix("\r\n") + "\n"

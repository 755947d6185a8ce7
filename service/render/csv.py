"""Verdicts as CSV, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from unspun.model.verdict import Verdict
from unspun.service.render import Renderer
from unspun.service.render.columns import cells, columns


class Csv(Renderer):
    """One row per document, quoted if needed; null is an empty cell.

    The columns are those of Parquet. Lists are summarised: `repairs` as "mojibake:3 zero_width:1", `evidence` as
    "found -> suggestion; ...", the heaviest first, `passages` by their offsets, as "0-80 200-340", `sentences` as
    "0-74:translated:0.96 ...", and `observations` by their text.
    """

    def __init__(self, record: type[Verdict] = Verdict) -> None:
        self._record = record

    def header(self) -> str:
        """Return the row of column names."""
        return _row(column.name for column in columns(self._record))

    def document(self, text: str, verdict: Verdict) -> str:
        """Return the verdict's row."""
        return _row(cells(verdict).values())


def _row(values: Iterable[object]) -> str:
    line = io.StringIO()
    # The writer quotes the characters of its line end: with "\n" it would not quote a bare "\r".
    csv.writer(line, lineterminator="\r\n").writerow(values)
    return line.getvalue().removesuffix("\r\n") + "\n"

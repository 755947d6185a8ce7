"""What two models say otherwise: rows on a terminal, or JSON lines."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from model.verdict import Evidence, ModelInfo, Verdict
from service.console import printable
from service.difference import Called, Difference, Totals
from service.render.evaluation import draw
from service.render.table import LONGEST_PHRASE, SUGGESTION_STYLE, VERDICT_STYLES
from training.tables import tables

SHOWN = 5
"""Pieces of evidence that came, and that went, of each text of the table."""


class DifferenceTable:
    """Two or more lines a text that is called otherwise, and at the end the totals."""

    def __init__(self, console: Console, *, show: int = SHOWN) -> None:
        self._console = console
        self._show = show
        self._ascii = console.options.ascii_only
        self._arrow = "->" if self._ascii else "→"

    def document(self, difference: Difference) -> str:
        """Return what is written for a text."""
        before, after = difference.before, difference.after
        head = Text(printable(before.id or ""), "bold")
        line = Text("    ")
        line.append_text(self._called(before)).append(f" {self._arrow} ").append_text(self._called(after))
        line.append(f", by {difference.cause}" if difference.cause != "abstention" else "")
        lines = [head, line, Text("    ").append_text(self._why(difference))]
        lines += self._evidence("came", difference.came)
        lines += self._evidence("went", difference.went)
        return self._print(lines)

    def totals(self, totals: Totals) -> str:
        """Return the last lines."""
        rows = [
            {
                "before": _words(was),
                "after": _words(became),
                "documents": count,
                "by": ", ".join(f"{cause} {n:,}" for cause, n in causes.items()),
            }
            for was, became, count, causes in totals.rows()
        ]
        models = f"before: {_name(totals.before)}, after: {_name(totals.after)}"
        share = f"{totals.changed:,} of {totals.documents:,} documents are called otherwise"
        note = Text(f"{share}; {models}")
        table = f"\n{draw(tables(rows), self._console)}" if rows else ""
        return ("\n" if totals.changed else "") + self._print([note]) + table

    def _called(self, verdict: Verdict) -> Text:
        return Text(_words((verdict.verdict, verdict.kind or verdict.reason)), VERDICT_STYLES[verdict.verdict])

    def _why(self, difference: Difference) -> Text:
        before, after = difference.before, difference.after
        old, new = difference.band_before, difference.band_after
        parts = [self._moved("score", _precise(before.score), _precise(after.score))]
        if before.verdict != after.verdict:
            parts.append(self._moved("suspect from", _precise(old.suspect), _precise(new.suspect)))
            parts.append(self._moved("paraphrased from", _precise(old.paraphrased), _precise(new.paraphrased)))
        if before.depth != after.depth:
            parts.append(self._moved("tier", before.depth, after.depth))
        return Text(", ".join(parts), "dim")

    def _moved(self, name: str, before: str, after: str) -> str:
        return f"{name} {before}" if before == after else f"{name} {before} {self._arrow} {after}"

    def _evidence(self, title: str, found: Sequence[Evidence]) -> list[Text]:
        if not found or not self._show:
            return []
        line = Text(f"    {title}")
        for evidence in found[: self._show]:
            line.append(" [").append(printable(evidence.text)[:LONGEST_PHRASE])
            if evidence.suggestion is not None:
                line.append(f" {self._arrow} ", "dim").append(printable(evidence.suggestion), SUGGESTION_STYLE)
            line.append("]")
        if len(found) > self._show:
            line.append(f" and {len(found) - self._show:,} more", "dim")
        return [line]

    def _print(self, lines: list[Text]) -> str:
        with self._console.capture() as capture:
            for line in lines:
                indented = line.plain.startswith("    ")
                shown = Padding(line[4:], (0, 0, 0, 4)) if indented else line
                self._console.print(shown, soft_wrap=not indented, highlight=False, markup=False)
        return "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())


class DifferenceLines:
    """A line of JSON a text that is called otherwise, and a last one with the key `totals`."""

    def document(self, difference: Difference) -> str:
        """Return a text's line."""
        return _line(difference.to_dict())

    def totals(self, totals: Totals) -> str:
        """Return the last line."""
        return _line({"totals": totals.to_dict()})


def _line(entry: dict[str, object]) -> str:
    line = json.dumps(entry, ensure_ascii=False)
    try:
        line.encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate
        line = json.dumps(entry)
    return f"{line}\n"


def _words(said: Called) -> str:
    word, kind = said
    return word if kind is None else f"{word} ({kind.replace('_', ' ')})"


def _name(info: ModelInfo) -> str:
    return f"{printable(info.name)} {printable(info.version)} ({info.sha256[:8]})"


def _precise(share: float) -> str:
    """Return a share in per cent, cut to a hundredth: a threshold may lie close to a score, and 1 is certainty."""
    return f"{int(share * 10_000 + 1e-6) / 100:.2f} %"

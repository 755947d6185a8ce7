"""Verdicts that differ between two models: rows on a terminal, or JSON lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from unspun.model.verdict import KINDS, Evidence, ModelInfo, Verdict
from unspun.model.wording import SCALE, decimal_percent
from unspun.service.console import plural, printable
from unspun.service.models.difference import Called, Difference, Totals, summary
from unspun.service.render.evaluation import draw
from unspun.service.render.table import LONGEST_PHRASE, SUGGESTION_STYLE, VERDICT_STYLES
from unspun.training.reporting.tables import tables

SHOWN = 5
"""Pieces of evidence gained, and lost, that the table shows for each text."""
SHOWN_WORDS = 300
"""Length of text, in words, for which the table compares the thresholds."""


class DifferenceTable:
    """Some lines for each text whose verdict differs, and the totals at the end."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._arrow = "->" if console.options.ascii_only else "→"

    def document(self, difference: Difference) -> str:
        """Return the lines of a text."""
        before, after = difference.before, difference.after
        head = Text(printable(before.id or ""), "bold")
        line = Text("    ")
        line.append_text(self._called(before)).append(f" {self._arrow} ").append_text(self._called(after))
        line.append(f", by {difference.cause}" if difference.cause != "abstention" else "")
        lines = [head, line, Text("    ").append_text(self._why(difference))]
        lines += self._evidence("gained", difference.came)
        lines += self._evidence("lost", difference.went)
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
        share = f"{totals.changed:,} of {plural(totals.documents, 'document')} got another verdict"
        note = Text(f"{share}; {models}. A score is {SCALE}.")
        table = f"\n{draw(tables(rows), self._console)}" if rows else ""
        return ("\n" if totals.changed else "") + self._print([note]) + table + self._decisions(totals)

    def _decisions(self, totals: Totals) -> str:
        """Return how the thresholds differ, or that they do not."""
        old, new = (summary(decision) for decision in totals.decisions)
        if old == new:
            return "\n" + self._print([Text("Both models reach the same verdict on the same evidence.")])
        rows = []
        for tier in dict.fromkeys((*old["tiers"], *new["tiers"])):
            pair = [one["tiers"].get(tier) for one in (old, new)]
            for kind in KINDS:
                cells = [_decided(of_tier, kind) for of_tier in pair]
                names = dict.fromkeys((*cells[0], *cells[1]))
                moved = {name: self._change(*(cell.get(name, "-") for cell in cells)) for name in names}
                rows.append({"tier": tier, "kind": kind, **moved})
        note = (
            f"Evidence of each kind, in log odds, at which a familiar text of {SHOWN_WORDS} words becomes suspect and "
            "paraphrased; the kind's share of the budget of false positives; and the factor set by `unspun calibrate`."
        )
        return f"\n{draw(tables({'thresholds': {'note': note, 'rows': rows}}), self._console)}"

    def _change(self, before: str, after: str) -> str:
        return before if before == after else f"{before} {self._arrow} {after}"

    def _called(self, verdict: Verdict) -> Text:
        return Text(_words((verdict.verdict, verdict.kind or verdict.reason)), VERDICT_STYLES[verdict.verdict])

    def _why(self, difference: Difference) -> Text:
        before, after = difference.before, difference.after
        parts = [self._moved("score", _precise(before.score), _precise(after.score))]
        if before.verdict != after.verdict:
            rates = (_rate(verdict.false_positive_rate) for verdict in (before, after))
            parts.append(self._moved("false-positive rate", *rates))
        if before.depth != after.depth:
            parts.append(self._moved("tier", before.depth, after.depth))
        return Text(", ".join(parts), "dim")

    def _moved(self, name: str, before: str, after: str) -> str:
        return f"{name} {self._change(before, after)}"

    def _evidence(self, title: str, found: Sequence[Evidence]) -> list[Text]:
        if not found:
            return []
        line = Text(f"    {title}")
        for evidence in found[:SHOWN]:
            line.append(" [").append(printable(evidence.text)[:LONGEST_PHRASE])
            if evidence.suggestion is not None:
                line.append(f" {self._arrow} ", "dim").append(printable(evidence.suggestion), SUGGESTION_STYLE)
                line.append("" if evidence.probable else "?", "dim")
            line.append("]")
        if len(found) > SHOWN:
            line.append(f" and {len(found) - SHOWN:,} more", "dim")
        return [line]

    def _print(self, lines: list[Text]) -> str:
        with self._console.capture() as capture:
            for line in lines:
                indented = line.plain.startswith("    ")
                shown = Padding(line[4:], (0, 0, 0, 4)) if indented else line
                self._console.print(shown, soft_wrap=not indented, highlight=False, markup=False)
        return "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())


class DifferenceLines:
    """A line of JSON for each text whose verdict differs, and a last one with the key `totals`."""

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


def _words(called: Called) -> str:
    word, kind = called
    return word if kind is None else f"{word} ({kind.replace('_', ' ')})"


def _name(info: ModelInfo) -> str:
    return f"{printable(info.name)} {printable(info.version)} ({info.sha256[:8]})"


def _decided(tier: dict[str, Any] | None, kind: str) -> dict[str, str]:
    """Return the cells of a kind's row; none if the model does not have the tier."""
    if tier is None:
        return {}
    found = tier["kinds"][kind]
    return {
        "suspect from": f"{found['suspect'][str(SHOWN_WORDS)]:.2f}",
        "paraphrased from": f"{found['paraphrased'][str(SHOWN_WORDS)]:.2f}",
        "share of the budget": decimal_percent(found["share"], 0),
        "factor": f"{found['factor']:.3g}",
    }


def _rate(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.3g}"


def _precise(share: float | None) -> str:
    """Return a score as percent, rounded down to a hundredth, so that it never seems to reach a threshold."""
    return "-" if share is None else decimal_percent(int(share * 10_000 + 1e-6) / 10_000, 2)

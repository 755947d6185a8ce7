"""The report of `unspun phrases`: listed phrases, the terms that they probably replace, and where they are."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Protocol

from jinja2 import Template
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from unspun.model.text.listed_phrases import PhraseFound
from unspun.model.wording import PHRASE_KINDS
from unspun.reading.records import MOST_LISTED, Failure, Omissions, Record
from unspun.service.console import plural, printable
from unspun.service.render.comparison import TextSink
from unspun.service.render.page import page_template

COLUMNS = ("id", "page", "line", "start", "end", "text", "phrase", "expected", "kind", "before", "after")
MOST_DOCUMENTS = 1_000
"""Documents with phrases that the page shows with their places; the others are only counted."""
MOST_PLACES = 500
"""Places of a document that the page shows."""
NOTHING = "no listed phrases"


@dataclass(frozen=True, slots=True)
class PhrasePlace:
    """A place with a listed phrase: the page of a PDF or None, the line of the text, from 1, and what is there."""

    page: int | None
    line: int
    found: PhraseFound

    @property
    def where(self) -> str:
        """The page of a PDF, otherwise the line."""
        return f"line {self.line:,}" if self.page is None else f"page {self.page:,}"

    def to_dict(self) -> dict[str, Any]:
        """Return the place as JSON shows it."""
        found = self.found
        values = (found.start, found.end, found.text, found.entry.phrase, found.entry.expected, found.entry.kind)
        return dict(zip(COLUMNS[1:], (self.page, self.line, *values, found.before, found.after), strict=True))


@dataclass(frozen=True, slots=True)
class PhraseReport:
    """A document and the places of its listed phrases, in the order of the text."""

    id: str
    words: int
    places: tuple[PhrasePlace, ...]

    @classmethod
    def of(cls, record: Record, found: Sequence[PhraseFound]) -> PhraseReport:
        """Return the report on a record."""
        places, line, at = [], 1, 0
        for one in found:
            line += record.text.count("\n", at, one.start)
            at = one.start
            places.append(PhrasePlace(record.page_at(one.start), line, one))
        return cls(record.id, len(record.text.split()), tuple(places))

    @property
    def distinct(self) -> int:
        """How many different phrases there are."""
        return len({place.found.entry.phrase for place in self.places})

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON shows it."""
        return {
            "id": self.id,
            "words": self.words,
            "places": len(self.places),
            "distinct": self.distinct,
            "phrases": [place.to_dict() for place in self.places],
        }


class PhraseWriter(Protocol):
    """Writes reports in one format. Raises OSError if the output does."""

    def write(self, report: PhraseReport) -> None:
        """Write or keep the report on one document."""
        ...

    def fail(self, failure: Failure) -> None:
        """Note a document that could not be read or searched."""
        ...

    def close(self, skipped: Omissions) -> None:
        """Write the rest; `skipped` is what was skipped."""
        ...


class PhraseJsonLines:
    """A line of JSON for each document."""

    def __init__(self, sink: TextSink) -> None:
        self._sink = sink

    def write(self, report: PhraseReport) -> None:
        """Write the report on one document."""
        self._sink.write(json.dumps(report.to_dict(), ensure_ascii=False) + "\n")

    def fail(self, failure: Failure) -> None:
        """Write nothing."""

    def close(self, skipped: Omissions) -> None:
        """Write nothing."""


class PhraseCsv:
    """A row for each place; a document without phrases has none."""

    def __init__(self, sink: TextSink) -> None:
        self._sink = sink
        self._row(COLUMNS)

    def write(self, report: PhraseReport) -> None:
        """Write the rows of one document."""
        for place in report.places:
            self._row((report.id, *place.to_dict().values()))

    def fail(self, failure: Failure) -> None:
        """Write nothing."""

    def close(self, skipped: Omissions) -> None:
        """Write nothing."""

    def _row(self, values: Sequence[object]) -> None:
        line = io.StringIO()
        csv.writer(line, lineterminator="\r\n").writerow(values)
        self._sink.write(line.getvalue().removesuffix("\r\n") + "\n")


class PhraseTable:
    """Shows each document with its phrases, and for each place the words around it, up to `show` places a document."""

    def __init__(self, console: Console, sink: TextSink, *, show: int) -> None:
        self._console = console
        self._sink = sink
        self._show = show

    def write(self, report: PhraseReport) -> None:
        """Write one document."""
        counts = NOTHING if not report.places else _counts(report)
        style = "bold" if report.places else "dim"
        self._print(Text.assemble((printable(report.id), style), (f": {counts}", "dim")))
        for place in report.places[: self._show]:
            self._print(*self._place(place))
        if len(report.places) > self._show:
            self._print(_below(Text(f"and {len(report.places) - self._show:,} more; --show N shows more", "dim")))

    def fail(self, failure: Failure) -> None:
        """Write a document that could not be read or searched."""
        self._print(Text(f"{printable(failure.where)}: {printable(failure.message)}", "magenta"))

    def close(self, skipped: Omissions) -> None:
        """Write nothing."""

    def _place(self, place: PhrasePlace) -> list[Padding]:
        found, entry = place.found, place.found.entry
        arrow = "->" if self._console.options.ascii_only else "→"
        expected = f" {arrow} {entry.expected}" if entry.expected else ""
        head = Text.assemble(
            (" ".join(printable(found.text).split()), "bold red"),
            (printable(expected), "green"),
            (f"  {place.where}, {PHRASE_KINDS[entry.kind]}", "dim"),
        )
        shown = (found.before, " ".join(found.text.split()), found.after)
        before, inside, after = map(printable, shown)
        quoted = Text.assemble((before, "dim"), inside, (after, "dim"))
        return [_below(head), Padding(quoted, (0, 0, 0, 8))]

    def _print(self, *lines: Text | Padding) -> None:
        with self._console.capture() as capture:
            for line in lines:
                self._console.print(line, highlight=False, markup=False)
        self._sink.write("".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()))


def _below(line: Text) -> Padding:
    return Padding(line, (0, 0, 0, 4))


class PhrasePage:
    """Keeps the reports, and writes a self-contained HTML page when it is closed: most different phrases first."""

    def __init__(self, sink: TextSink, when: datetime, *, source: str) -> None:
        self._sink = sink
        self._when = when
        self._source = source
        self._kept: list[PhraseReport] = []
        self._failures: list[Failure] = []
        self._failed = self._documents = self._words = self._with_phrases = 0

    def write(self, report: PhraseReport) -> None:
        """Keep the report on one document."""
        self._documents += 1
        self._words += report.words
        self._with_phrases += bool(report.places)
        if report.places:
            self._kept.append(report)
        if len(self._kept) >= 2 * MOST_DOCUMENTS:
            self._keep_most()

    def fail(self, failure: Failure) -> None:
        """Keep a document that could not be read or searched."""
        self._failed += 1
        if len(self._failures) < MOST_LISTED:
            self._failures.append(failure)

    def close(self, skipped: Omissions) -> None:
        """Write the page."""
        self._keep_most()
        page = _template().render(
            when=self._when.astimezone(UTC),
            source=self._source,
            documents=self._documents,
            words=self._words,
            with_phrases=self._with_phrases,
            reports=self._kept,
            failures=self._failures,
            failed=self._failed,
            skipped=skipped,
        )
        self._sink.write(page)

    def _keep_most(self) -> None:
        self._kept.sort(key=lambda report: (-report.distinct, -len(report.places)))
        del self._kept[MOST_DOCUMENTS:]


def _counts(report: PhraseReport) -> str:
    places = plural(len(report.places), "place")
    return f"{places} with {plural(report.distinct, 'listed phrase')}, {plural(report.words, 'word')}"


@cache
def _template() -> Template:
    return page_template("phrases", filters={"counts": _counts}, kinds=PHRASE_KINDS, most_places=MOST_PLACES)

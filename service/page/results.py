"""The verdicts on several documents, as the page shows them: a table, the texts, and reports to download."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from unspun.model.verdict import VERDICTS, Verdict
from unspun.model.wording import suspicion
from unspun.reading.records import Failure
from unspun.service.console import plural
from unspun.service.page.result import Download, Result, Word, data_url
from unspun.service.render.factory import writer_for

MOST_TEXTS = 50
MOST_CHARACTERS = 300_000
"""Limits of the texts that are shown below the table, so that browsers stay quick."""
STRONGEST = 3
DOWNLOADS = (
    ("html", "Download the report", "report.html", "text/html"),
    ("csv", "CSV", "verdicts.csv", "text/csv"),
    ("jsonl", "JSON lines", "verdicts.jsonl", "application/x-ndjson"),
)


@dataclass(frozen=True, slots=True)
class Checked:
    """A document and its verdict, or why it has none."""

    name: str
    text: str
    answer: Verdict | str


@dataclass(frozen=True, slots=True)
class Row:
    """A document in the table: its result, or its problem. `shown` says whether its text is on the page."""

    name: str
    result: Result | None
    problem: str
    shown: bool

    @property
    def strongest(self) -> list[Word]:
        """The words with the strongest evidence."""
        return [] if self.result is None else self.result.strongest[:STRONGEST]


class Results:
    """What the page shows of several documents, the most suspicious first, and those that could not be checked last.

    `supported` is the smallest false-positive rate that the model can state.
    """

    def __init__(self, documents: Iterable[Checked], supported: float = 0.0) -> None:
        ordered = sorted(documents, key=_rank)
        room, texts = MOST_CHARACTERS, MOST_TEXTS
        self.rows: list[Row] = []
        for number, one in enumerate(ordered, 1):
            if isinstance(one.answer, str):
                self.rows.append(Row(one.name, None, one.answer, False))
                continue
            shown = texts > 0 and len(one.text) <= room
            if shown:
                texts, room = texts - 1, room - len(one.text)
            result = Result(one.text, one.answer, supported=supported, prefix=f"{number}-")
            self.rows.append(Row(one.name, result, "", shown))
        self.shown = [row for row in self.rows if row.shown]
        counts = Counter(row.result.verdict.verdict for row in self.rows if row.result is not None)
        self.counts = [(word, counts[word]) for word in VERDICTS if counts[word]]
        self.failed = len(self.rows) - counts.total()
        self.hidden = counts.total() - len(self.shown)
        strongest = [word.evidence for row in self.rows for word in row.strongest]
        self.guessed = any(one.suggestion is not None and not one.probable for one in strongest)
        judged = counts.total() - counts["abstained"]
        self.headline = _headline(counts["paraphrased"], counts["suspect"], judged, len(self.rows), self.failed)
        self.downloads = [
            Download(label, filename, data_url(_written(form, ordered, supported), media))
            for form, label, filename, media in DOWNLOADS
        ]


def _rank(one: Checked) -> tuple[bool, float]:
    return (True, 0.0) if isinstance(one.answer, str) else (False, -suspicion(one.answer))


def _headline(paraphrased: int, suspect: int, judged: int, documents: int, failed: int) -> str:
    if failed == documents:
        return "No document could be checked"
    if not judged:
        return "No document could be judged"
    whole = plural(documents, "document")
    if paraphrased:
        return f"{paraphrased:,} of {whole} {'looks' if paraphrased == 1 else 'look'} paraphrased"
    if suspect:
        return f"{suspect:,} of {whole} {'is' if suspect == 1 else 'are'} suspect"
    return f"None of {whole} looks paraphrased"


def _written(form: str, documents: Iterable[Checked], supported: float) -> bytes:
    stream = io.BytesIO()
    writer = writer_for(form, stream, source="files on the page", supported=supported)
    for one in documents:
        if isinstance(one.answer, str):
            writer.fail(Failure(one.name, one.answer))
        else:
            writer.write(one.text, one.answer)
    writer.close()
    return stream.getvalue()

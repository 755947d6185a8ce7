"""Verdicts as a report: one HTML file that needs nothing else, to be read, sorted, searched and printed."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from typing import Any, Generic, TypeVar

from jinja2 import Template
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from unspun.model.verdict import VERDICTS, Evidence, ModelInfo, Verdict
from unspun.model.wording import (
    HEADLINES,
    JUDGEMENT_NAMES,
    KIND_MEANINGS,
    MEANINGS,
    REASONS,
    SIGNALS,
    human_texts,
    looks_like_this,
    percent,
    share_of_words,
    times,
)
from unspun.service.feedback.summary import digest_of, summary
from unspun.service.render import Stream
from unspun.service.render.charts import Counts
from unspun.service.render.highlight import excerpts, level
from unspun.service.render.page import STATIC, TEMPLATES, page_template

EXCERPTS = 4
"""Sentences shown of an offender, those with the heaviest evidence."""
MOST_SWAPS = 24
"""Pieces of evidence that are told of an offender whose text is not there."""
PHRASES = 3
"""Strongest words in a document's row."""
LONGEST_ID = 200
LONGEST_PHRASE = 100
LONGEST_IN_ROW = 40
"""Characters shown of an id, of a piece of evidence, and of one in a row of the table."""
MOST_MODELS = 5


T = TypeVar("T")
Rank = tuple[bool, float, int, int]


@dataclass(frozen=True, slots=True)
class Row:
    """A document in the table. `rate` is its false-positive rate, and `like_it` how that is told."""

    id: str
    verdict: str
    score: float | None
    rate: float | None
    like_it: str
    share: float | None
    probability: float | None
    kind: str | None
    reason: str | None
    words: int
    depth: str
    strongest: tuple[tuple[str, str | None], ...]
    said: Markup
    """What a label of it holds, as JSON: the text's hash, the verdict and what each signal gave. Empty without text."""


@dataclass(frozen=True, slots=True)
class Swap:
    """A piece of evidence as it is told: what is there, what probably stood there, and why; `number` from 1."""

    number: int
    found: str
    suggestion: str | None
    alternatives: tuple[str, ...]
    why: str
    times: str
    level: int


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of an excerpt; `swap` is None where it is plain."""

    text: str
    swap: Swap | None


@dataclass(frozen=True, slots=True)
class Sentence:
    """An excerpt, and whether its sentence goes on beyond."""

    parts: tuple[Part, ...]
    cut_start: bool
    cut_end: bool


@dataclass(frozen=True, slots=True)
class Offender:
    """A document that is shown with its sentences. `searched`: was evidence asked for?

    `facts` are sentences on its numbers, each without its full stop.
    """

    row: Row
    facts: tuple[str, ...]
    sentences: tuple[Sentence, ...]
    swaps: tuple[Swap, ...]
    searched: bool


class Report:
    """Gathers verdicts, and writes the report on them.

    What it keeps does not grow with what it is told: counts, the `limit` documents of the highest scores as rows,
    and the sentences of the `offenders` highest that are paraphrased or suspect. Nothing else of the texts is kept but,
    for each row, a hash. `supported` is the smallest false-positive rate that the model can state.
    """

    def __init__(self, *, limit: int = 10_000, offenders: int = 20, supported: float = 0.0) -> None:
        self._supported = supported
        self._counts = Counts()
        self._rows: _Highest[Row] = _Highest(limit)
        self._offenders: _Highest[Offender] = _Highest(offenders)
        self._models: dict[ModelInfo, None] = {}

    def add(self, text: str, verdict: Verdict) -> None:
        """Take one document; with an empty `text` an offender is shown without its sentences."""
        self._counts.add(verdict)
        if verdict.model not in self._models and len(self._models) < MOST_MODELS:
            self._models[verdict.model] = None
        # Those without a verdict come last; among equals longer texts are surer, and earlier ones first.
        judged = verdict.score is not None
        rank = (judged, verdict.score or 0.0, verdict.words, -self._counts.documents)
        offends = verdict.verdict in ("paraphrased", "suspect") and self._offenders.takes(rank)
        if offends or self._rows.takes(rank):
            row = _row(verdict, text, self._supported)
            self._rows.add(rank, row)
            if offends:
                self._offenders.add(rank, _offender(row, text, verdict, self._supported))

    def render(self, when: datetime, *, source: str = "", failures: int = 0) -> str:
        """Return the report.

        `when` is the time that it is said to be of, `source` names what was scored, and `failures` is how many
        documents could not be.
        """
        counts = self._counts
        rows = self._rows.highest_first()
        return _template().render(
            when=when.astimezone(UTC),
            source=_shortened(source, LONGEST_ID),
            failures=failures,
            models=list(self._models),
            counts=counts,
            verdicts=[(word, HEADLINES[word], MEANINGS.get(word, ""), counts.verdicts[word]) for word in VERDICTS],
            charts=counts.charts(),
            offenders=self._offenders.highest_first(),
            rows=rows,
            has_probability=any(row.probability is not None for row in rows),
            left_out=counts.documents - len(rows),
        )


class HtmlWriter:
    """Writes the report on the verdicts when it is closed."""

    def __init__(self, stream: Stream, report: Report, when: datetime, *, source: str = "") -> None:
        self.failures = 0
        self._stream = stream
        self._report = report
        self._when = when
        self._source = source

    def write(self, text: str, verdict: Verdict) -> None:
        """Take one document."""
        self._report.add(text, verdict)

    def close(self) -> None:
        """Write the report; `failures`, set before, is how many documents it says could not be scored."""
        report = self._report.render(self._when, source=self._source, failures=self.failures)
        self._stream.write(report.encode("utf-8"))


class _Highest(Generic[T]):
    """Keeps the `most` items of the highest rank; no two ranks are the same."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._heap: list[tuple[Rank, T]] = []

    def takes(self, rank: Rank) -> bool:
        """Return whether an item of this rank would be kept."""
        return len(self._heap) < self._most or (self._most > 0 and rank > self._heap[0][0])

    def add(self, rank: Rank, item: T) -> None:
        """Keep an item, and let the lowest go where there are too many."""
        heapq.heappush(self._heap, (rank, item))
        if len(self._heap) > self._most:
            heapq.heappop(self._heap)

    def highest_first(self) -> list[T]:
        """Return what was kept."""
        return [item for _, item in sorted(self._heap, key=lambda entry: entry[0], reverse=True)]


def _row(verdict: Verdict, text: str, supported: float) -> Row:
    heaviest = sorted(verdict.evidence or (), key=lambda item: (-item.weight, item.start))
    phrases = dict.fromkeys(
        (
            _shortened(item.text, LONGEST_IN_ROW),
            None if item.suggestion is None else _shortened(item.suggestion, LONGEST_IN_ROW),
        )
        for item in heaviest
    )
    return Row(
        id=_shortened(verdict.id or "", LONGEST_ID),
        verdict=verdict.verdict,
        score=verdict.score,
        rate=verdict.false_positive_rate,
        like_it="" if verdict.false_positive_rate is None else human_texts(verdict.false_positive_rate, supported),
        share=verdict.share,
        probability=verdict.probability,
        kind=verdict.kind,
        reason=verdict.reason,
        words=verdict.words,
        depth=verdict.depth,
        strongest=tuple(islice(phrases, PHRASES)),
        said=_said(text, verdict) if text else Markup(),
    )


def _said(text: str, verdict: Verdict) -> Markup:
    """Return what a label holds of a document, for an attribute in single quotes: half as long as escaped twice."""
    return htmlsafe_json_dumps({"digest": digest_of(text)} | summary(verdict), separators=(",", ":"))


def _offender(row: Row, text: str, verdict: Verdict, supported: float) -> Offender:
    evidence = verdict.evidence or ()
    cut = excerpts(text, evidence, EXCERPTS)
    shown = [segment.evidence for excerpt in cut for segment in excerpt.segments if segment.evidence]
    swaps = _swaps(shown or sorted(evidence, key=lambda item: (-item.weight, item.start))[:MOST_SWAPS])
    sentences = tuple(
        Sentence(
            tuple(
                Part(
                    _shortened(segment.text, LONGEST_PHRASE) if segment.evidence else segment.text,
                    swaps[_told(segment.evidence)] if segment.evidence else None,
                )
                for segment in excerpt.segments
            ),
            excerpt.cut_start,
            excerpt.cut_end,
        )
        for excerpt in cut
    )
    return Offender(row, _facts(verdict, supported), sentences, tuple(swaps.values()), verdict.evidence is not None)


def _facts(verdict: Verdict, supported: float) -> tuple[str, ...]:
    """Return how rare this is in human text, how much of the text it is, and the probability if it was asked for."""
    rare, share = looks_like_this(verdict, supported), share_of_words(verdict)
    facts = [rare and f"{rare[:1].upper()}{rare[1:]}", share and f"{share} stand in suspicious parts"]
    if verdict.probability is not None:
        facts.append(f"With the base rate that was given, it is paraphrased with {percent(verdict.probability)}")
    return tuple(fact for fact in facts if fact)


def _swaps(evidence: Iterable[Evidence]) -> dict[tuple[str, str | None], Swap]:
    """Return the evidence as it is told, each pair once, by what tells it from others; in order of the text."""
    heaviest: dict[tuple[str, str | None], Evidence] = {}
    for item in evidence:
        key = _told(item)
        if key not in heaviest or heaviest[key].weight < item.weight:
            heaviest[key] = item
    return {
        key: Swap(
            number,
            _shortened(item.text, LONGEST_PHRASE),
            None if item.suggestion is None else _shortened(item.suggestion, LONGEST_PHRASE),
            tuple(_shortened(other, LONGEST_PHRASE) for other in item.alternatives),
            SIGNALS.get(item.signal, item.signal.replace("_", " ")),
            times(item.weight),
            level(item.weight),
        )
        for number, (key, item) in enumerate(heaviest.items(), 1)
    }


def _told(evidence: Evidence) -> tuple[str, str | None]:
    return evidence.text.casefold(), evidence.suggestion


def _shortened(text: str, longest: int) -> str:
    """Return a text without its middle where it is too long: of a path, the end says most."""
    if len(text) <= longest:
        return text
    return f"{text[: longest // 3]} … {text[-(longest - longest // 3 - 3) :]}"


def _of(part: int, whole: int) -> str:
    return percent(part / whole) if whole else "0 %"


def _count(number: int, noun: str = "") -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}" if noun else f"{number:,}"


def _units(number: float) -> str:
    """Return a coordinate, short and without an exponent."""
    return f"{number:.2f}".rstrip("0").rstrip(".")


@cache
def _template() -> Template:
    filters: dict[str, Callable[..., Any]] = {"percent": percent, "of": _of, "count": _count, "units": _units}
    return page_template(
        "report",
        scripts=[STATIC / "tooltip.js", TEMPLATES / "report.js"],
        filters=filters,
        headlines=HEADLINES,
        kind_meanings=KIND_MEANINGS,
        labels=JUDGEMENT_NAMES,
        reasons=REASONS,
    )

"""Verdicts as a report: one self-contained HTML file that can be read, sorted, searched and printed."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from typing import Generic, TypeVar

from jinja2 import Template
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from unspun.model.verdict import VERDICTS, Evidence, ModelInfo, Verdict
from unspun.model.wording import (
    DISGUISED,
    FOR_INSTANCE,
    GUESSES,
    HEADLINES,
    JUDGEMENT_NAMES,
    KIND_MEANINGS,
    MEANINGS,
    PROBABLY,
    REASONS,
    SETTLED,
    SIGNALS,
    allowed_in_words,
    human_texts,
    is_disguised,
    is_settled,
    looks_like_this,
    percent,
    repairs_in_words,
    sentence_in_words,
    share_of_words,
    suspicion,
    times,
)
from unspun.reading.records import MOST_LISTED, Failure, Omissions
from unspun.service.render import ByteStream
from unspun.service.render.charts import VerdictCounts
from unspun.service.render.highlight import apart, excerpts, level, quoted, sentence_level, suspicious
from unspun.service.render.page import STATIC, TEMPLATES, page_template
from unspun.service.render.summary import digest_of, summary

EXCERPTS = 4
"""Sentences that are shown for an offender: those with the heaviest evidence."""
MOST_SWAPS = 24
"""Pieces of evidence that are listed for an offender whose text is not given."""
PHRASES = 3
"""Strongest words that a document's row shows."""
LONGEST_ID = 200
LONGEST_PHRASE = 100
LONGEST_IN_ROW = 40
"""Most characters shown of an id, of a piece of evidence, and of a piece of evidence in a row of the table."""
MOST_MODELS = 5


T = TypeVar("T")
Rank = tuple[float, int, int]


@dataclass(frozen=True, slots=True)
class ReportRow:
    """A document in the table.

    `verdict` has its id shortened and its evidence left out. `like_it` is its false-positive rate in words. `said` is
    the JSON that a label of it contains: the hash of the text, the verdict and a summary of each signal. It is empty if
    there is no text. `repairs` says what was repaired, and `disguised` whether that is a sign in itself. `allowed` says
    how much was not judged.
    """

    verdict: Verdict
    like_it: str
    repairs: str | None
    disguised: bool
    allowed: str | None
    strongest: tuple[tuple[str, str | None, bool], ...]
    said: Markup

    @property
    def settled(self) -> bool:
        """Whether the first tier settled the text without computing a score."""
        return is_settled(self.verdict)

    @property
    def suspicion(self) -> float:
        """What the documents are sorted by."""
        return suspicion(self.verdict)

    @property
    def guessed(self) -> bool:
        """Whether a suggestion in the row is only an example."""
        return any(suggestion is not None and not probable for _, suggestion, probable in self.strongest)


@dataclass(frozen=True, slots=True)
class Swap:
    """A piece of evidence in words: what was found, what it may have replaced, and why; `number` counts from 1."""

    number: int
    found: str
    probable: bool
    suggestion: str | None
    alternatives: tuple[str, ...]
    why: str
    times: str
    level: int

    @property
    def lead(self) -> str:
        """What introduces the suggestion."""
        return PROBABLY if self.probable else FOR_INSTANCE


@dataclass(frozen=True, slots=True)
class SentencePart:
    """A part of an excerpt; `swap` is None if it is plain."""

    text: str
    swap: Swap | None


@dataclass(frozen=True, slots=True)
class Sentence:
    """An excerpt with odd words, and whether it was cut at its start and end."""

    parts: tuple[SentencePart, ...]
    cut_start: bool
    cut_end: bool


@dataclass(frozen=True, slots=True)
class WholeSentence:
    """A sentence that is suspicious as a whole, and how much."""

    text: str
    level: int
    meaning: str


@dataclass(frozen=True, slots=True)
class Offender:
    """A document that is shown with its sentences: those with odd words, and those that are suspicious as a whole.

    `facts` are sentences about its numbers, without full stops. `observations` are about the text as a whole.
    `searched` says whether evidence was requested.
    """

    row: ReportRow
    facts: tuple[str, ...]
    sentences: tuple[Sentence, ...]
    whole: tuple[WholeSentence, ...]
    observations: tuple[str, ...]
    swaps: tuple[Swap, ...]
    searched: bool


class Report:
    """Collects verdicts, and renders the report about them.

    It keeps a bounded amount: counts, rows for the `limit` most suspicious documents, and sentences of the
    `offenders` paraphrased or suspect documents with the highest scores. Of other texts it keeps only a hash per row.
    Of the documents that could not be scored it names the first 10,000.
    `supported` is the smallest false-positive rate that the model's calibration supports.
    """

    def __init__(self, *, limit: int = 10_000, offenders: int = 20, supported: float = 0.0) -> None:
        self._supported = supported
        self._counts = VerdictCounts()
        self._rows: _Highest[ReportRow] = _Highest(limit)
        self._offenders: _Highest[Offender] = _Highest(offenders)
        self._models: dict[ModelInfo, None] = {}
        self._failures: list[Failure] = []
        self._failed = 0

    def add(self, text: str, verdict: Verdict) -> None:
        """Add one document; with an empty `text`, an offender is shown without its sentences."""
        self._counts.add(verdict)
        if verdict.model not in self._models and len(self._models) < MOST_MODELS:
            self._models[verdict.model] = None
        # Of equally suspicious documents, longer ones come first, then earlier ones.
        rank = (suspicion(verdict), verdict.words, -self._counts.documents)
        offends = verdict.verdict in ("paraphrased", "suspect") and self._offenders.takes(rank)
        if offends or self._rows.takes(rank):
            row = _row(verdict, text, self._supported)
            self._rows.add(rank, row)
            if offends:
                self._offenders.add(rank, _offender(row, text, verdict, self._supported))

    def fail(self, failure: Failure) -> None:
        """Add a document that could not be read or scored."""
        self._failed += 1
        if len(self._failures) < MOST_LISTED:
            self._failures.append(failure)

    def render(self, when: datetime, *, source: str = "", skipped: Omissions | None = None) -> str:
        """Return the report.

        `when` is the time that it shows, `source` names the input, and `skipped` is what was skipped.
        """
        skipped = Omissions() if skipped is None else skipped
        counts = self._counts
        rows = self._rows.highest_first()
        return _template().render(
            when=when.astimezone(UTC),
            source=_shortened(source, LONGEST_ID),
            failed=self._failed,
            failures=self._failures,
            skipped=skipped,
            models=list(self._models),
            counts=counts,
            verdicts=[(word, HEADLINES[word], MEANINGS.get(word, ""), counts.verdicts[word]) for word in VERDICTS],
            charts=counts.charts(),
            offenders=self._offenders.highest_first(),
            rows=rows,
            has_probability=any(row.verdict.probability is not None for row in rows),
            left_out=counts.documents - len(rows),
        )


class HtmlWriter:
    """Writes the report when it is closed."""

    def __init__(self, stream: ByteStream, report: Report, when: datetime, *, source: str = "") -> None:
        self._stream = stream
        self._report = report
        self._when = when
        self._source = source

    def write(self, text: str, verdict: Verdict) -> None:
        """Take one document."""
        self._report.add(text, verdict)

    def fail(self, failure: Failure) -> None:
        """Note a document that could not be read or scored."""
        self._report.fail(failure)

    def close(self, skipped: Omissions | None = None) -> None:
        """Write the report."""
        report = self._report.render(self._when, source=self._source, skipped=skipped)
        self._stream.write(report.encode("utf-8"))


class _Highest(Generic[T]):
    """Keeps the `most` items with the highest ranks; no two ranks are the same."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._heap: list[tuple[Rank, T]] = []

    def takes(self, rank: Rank) -> bool:
        """Return whether an item of this rank would be kept."""
        return len(self._heap) < self._most or (self._most > 0 and rank > self._heap[0][0])

    def add(self, rank: Rank, item: T) -> None:
        """Keep an item, and drop the lowest if there are too many."""
        heapq.heappush(self._heap, (rank, item))
        if len(self._heap) > self._most:
            heapq.heappop(self._heap)

    def highest_first(self) -> list[T]:
        return [item for _, item in sorted(self._heap, key=lambda entry: entry[0], reverse=True)]


def _row(verdict: Verdict, text: str, supported: float) -> ReportRow:
    heaviest = sorted(verdict.evidence or (), key=lambda item: (-item.weight, item.start))
    phrases = dict.fromkeys(
        (
            _shortened(item.text, LONGEST_IN_ROW),
            None if item.suggestion is None else _shortened(item.suggestion, LONGEST_IN_ROW),
            item.probable,
        )
        for item in heaviest
    )
    rate = verdict.false_positive_rate
    # The template puts this into an attribute in single quotes.
    label = {"digest": digest_of(text)} | summary(verdict)
    return ReportRow(
        replace(
            verdict,
            id=_shortened(verdict.id or "", LONGEST_ID),
            evidence=None,
            passages=(),
            sentences=(),
            observations=(),
        ),
        "" if rate is None else human_texts(rate, supported),
        repairs_in_words(verdict.repairs),
        is_disguised(verdict),
        allowed_in_words(verdict),
        tuple(islice(phrases, PHRASES)),
        htmlsafe_json_dumps(label, separators=(",", ":")) if text else Markup(),
    )


def _offender(row: ReportRow, text: str, verdict: Verdict, supported: float) -> Offender:
    evidence = verdict.evidence or ()
    cut = excerpts(text, evidence, EXCERPTS)
    shown = [segment.evidence for excerpt in cut for segment in excerpt.segments if segment.evidence]
    swaps = _swaps(shown or sorted(evidence, key=lambda item: (-item.weight, item.start))[:MOST_SWAPS])
    sentences = tuple(
        Sentence(
            tuple(
                SentencePart(
                    _shortened(segment.text, LONGEST_PHRASE) if segment.evidence else segment.text,
                    swaps[_pair(segment.evidence)] if segment.evidence else None,
                )
                for segment in excerpt.segments
            ),
            excerpt.cut_start,
            excerpt.cut_end,
        )
        for excerpt in cut
    )
    whole = apart(suspicious(verdict.sentences, len(text)), cut, EXCERPTS - len(cut))
    return Offender(
        row,
        _facts(verdict, supported),
        sentences,
        tuple(WholeSentence(quoted(text, one), sentence_level(one.score), sentence_in_words(one)) for one in whole),
        tuple(one.text for one in verdict.observations),
        tuple(swaps.values()),
        verdict.evidence is not None,
    )


def _facts(verdict: Verdict, supported: float) -> tuple[str, ...]:
    """Return the false-positive rate, the suspicious share and the probability, if there is one, as sentences."""
    rare, share = looks_like_this(verdict, supported), share_of_words(verdict)
    facts = [rare and f"{rare[:1].upper()}{rare[1:]}", share and f"{share} are in suspicious parts"]
    if verdict.probability is not None:
        facts.append(f"At your base rate, the probability that it is paraphrased is {percent(verdict.probability)}")
    return tuple(fact for fact in facts if fact)


def _swaps(evidence: Iterable[Evidence]) -> dict[tuple[str, str | None], Swap]:
    """Return the evidence in words, each pair of words once, the heaviest first."""
    heaviest: dict[tuple[str, str | None], Evidence] = {}
    for item in evidence:
        key = _pair(item)
        if key not in heaviest or heaviest[key].weight < item.weight:
            heaviest[key] = item
    return {
        key: Swap(
            number,
            _shortened(item.text, LONGEST_PHRASE),
            item.probable,
            None if item.suggestion is None else _shortened(item.suggestion, LONGEST_PHRASE),
            tuple(_shortened(other, LONGEST_PHRASE) for other in item.alternatives),
            SIGNALS.get(item.signal, item.signal.replace("_", " ")),
            times(item.weight),
            level(item.weight),
        )
        for number, (key, item) in enumerate(sorted(heaviest.items(), key=lambda entry: -entry[1].weight), 1)
    }


def _pair(evidence: Evidence) -> tuple[str, str | None]:
    return evidence.text.casefold(), evidence.suggestion


def _shortened(text: str, longest: int) -> str:
    """Return a text without its middle if it is too long: the end of a path says most."""
    if len(text) <= longest:
        return text
    return f"{text[: longest // 3]} … {text[-(longest - longest // 3 - 3) :]}"


def _of(part: int, whole: int) -> str:
    return percent(part / whole) if whole else "0 %"


def _units(number: float) -> str:
    """Return a coordinate without an exponent."""
    return f"{number:.2f}".rstrip("0").rstrip(".")


@cache
def _template() -> Template:
    return page_template(
        "report",
        scripts=[STATIC / "tooltip.js", TEMPLATES / "report.js"],
        filters={"of": _of, "units": _units},
        disguise=DISGUISED,
        guesses=GUESSES,
        headlines=HEADLINES,
        kind_meanings=KIND_MEANINGS,
        labels=JUDGEMENT_NAMES,
        reasons=REASONS,
        settled=SETTLED,
    )

"""A verdict in words and in pieces, as the page shows it."""

from __future__ import annotations

import base64
import sys
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from unspun.model.verdict import KINDS, Evidence, Sentence, SpunPassage, Verdict
from unspun.model.wording import (
    FOR_INSTANCE,
    HEADLINES,
    KIND_MEANINGS,
    KIND_NAMES,
    PROBABLY,
    SIGNALS,
    allowed_in_words,
    is_disguised,
    is_settled,
    looks_like_this,
    meaning,
    percent,
    repairs_in_words,
    sentence_in_words,
    share_of_words,
    times,
)
from unspun.service.render.highlight import (
    LEVELS,
    SENTENCE_LEVELS,
    Segment,
    level,
    quoted,
    segments,
    sentence_level,
    suspicious,
)

MOST_SENTENCES = 100
"""Sentences that are listed below a text; all are highlighted in it."""


@dataclass(frozen=True, slots=True)
class Word:
    """A piece of evidence as it is shown; `number` counts from 1 in the order of the text."""

    number: int
    evidence: Evidence
    level: int
    reason: str
    times: str
    lead: str
    """What introduces the suggestion."""


@dataclass(frozen=True, slots=True)
class TextPiece:
    """A stretch of the text; `word` is None if it is not marked."""

    text: str
    word: Word | None


@dataclass(frozen=True, slots=True)
class ShownSentence:
    """A suspicious sentence as it is shown; `number` counts from 1 in the order of the text."""

    number: int
    level: int
    text: str
    meaning: str
    score: float


@dataclass(frozen=True, slots=True)
class SentenceRun:
    """Consecutive pieces inside one suspicious sentence, or outside all.

    `first` says whether the sentence begins here: a passage may begin within it.
    """

    sentence: ShownSentence | None
    first: bool
    pieces: tuple[TextPiece, ...]


@dataclass(frozen=True, slots=True)
class PassageRun:
    """Consecutive parts inside one passage, or outside all; `number` is that of the passage, from 1."""

    passage: SpunPassage | None
    number: int
    parts: tuple[SentenceRun, ...]


@dataclass(frozen=True, slots=True)
class KindBar:
    """A kind with its score."""

    name: str
    meaning: str
    score: float
    percent: str


@dataclass(frozen=True, slots=True)
class Download:
    """A file that the page offers, as a data: URL."""

    label: str
    filename: str
    address: str


class Result:
    """What the page shows of a verdict on a text; `source` is the name of its file, if any.

    `supported` is the smallest false-positive rate that the model can state. The ids of its parts on the page begin
    with `prefix`. If unspun abstains or the first tier settled the text, `percent`, `like_it` and `share` are None, and
    there are no `kinds`.
    """

    def __init__(
        self, text: str, verdict: Verdict, source: str | None = None, supported: float = 0.0, prefix: str = ""
    ) -> None:
        self._text = text
        self.prefix = prefix
        self.verdict = verdict
        self.source = source
        self.headline = HEADLINES[verdict.verdict]
        self.meaning = meaning(verdict)
        self.settled = is_settled(verdict)
        self.percent = None if verdict.score is None else percent(verdict.score)
        self.like_it = looks_like_this(verdict, supported)
        self.share = share_of_words(verdict)
        self.allowed = allowed_in_words(verdict)
        self.repairs = repairs_in_words(verdict.repairs)
        self.disguised = is_disguised(verdict)
        self.kind = None if verdict.kind is None else (KIND_NAMES[verdict.kind].lower(), KIND_MEANINGS[verdict.kind])
        scores = verdict.kinds or {}
        self.kinds = [
            KindBar(KIND_NAMES[name], KIND_MEANINGS[name], scores[name], percent(scores[name]))
            for name in KINDS
            if name in scores
        ]
        pieces = _pieces(segments(text, verdict.evidence or ()))
        self.words = [piece.word for piece in pieces if piece.word is not None]
        self.strongest = sorted(self.words, key=lambda word: -word.evidence.weight)
        found = sorted(suspicious(verdict.sentences, len(text)), key=lambda one: one.start)
        told = [
            ShownSentence(number, sentence_level(one.score), quoted(text, one), sentence_in_words(one), one.score)
            for number, one in enumerate(found, 1)
        ]
        self.sentences = sorted(told, key=lambda one: -one.score)
        self.listed = self.sentences[:MOST_SENTENCES]
        self.observations = [one.text for one in verdict.observations]
        self._parts = pieces, list(zip(found, told, strict=True))
        self.levels = _levels()
        self.sentence_levels = [(place, percent(limit)) for place, limit in enumerate(SENTENCE_LEVELS, 1)]

    @cached_property
    def runs(self) -> list[PassageRun]:
        """The whole text, cut into passages, sentences and words."""
        pieces, sentences = self._parts
        return _runs(pieces, self.verdict.passages, sentences)

    @property
    def packed(self) -> str:
        """Return the text encoded for a form, which must not change a character of it."""
        return base64.b64encode(self._text.encode("utf-8", "replace")).decode("ascii")

    @property
    def download(self) -> str:
        """Return the response of the API for the same text, as a data: URL."""
        return data_url(f"{self.verdict.to_json()}\n".encode(), "application/json")


def data_url(content: bytes, media: str) -> str:
    """Return a file as a data: URL, for a download that the server need not keep."""
    return f"data:{media};base64," + base64.b64encode(content).decode("ascii")


def _pieces(cut: Sequence[Segment]) -> list[TextPiece]:
    pieces: list[TextPiece] = []
    number = 0
    for segment in cut:
        found = segment.evidence
        if found is None:
            pieces.append(TextPiece(segment.text, None))
            continue
        number += 1
        reason = SIGNALS.get(found.signal, found.signal.replace("_", " "))
        lead = PROBABLY if found.probable else FOR_INSTANCE
        word = Word(number, found, level(found.weight), reason, times(found.weight), lead)
        pieces.append(TextPiece(segment.text, word))
    return pieces


def _runs(
    pieces: Sequence[TextPiece],
    passages: Sequence[SpunPassage],
    sentences: Sequence[tuple[Sentence, ShownSentence]],
) -> list[PassageRun]:
    """Group pieces by passage and, inside, by sentence. A word that crosses a bound belongs where it starts."""
    passages = sorted(passages, key=lambda one: one.start)
    within_passages = _Spans([(one.start, one.end) for one in passages])
    within_sentences = _Spans([(one.start, one.end) for one, _ in sentences])
    runs: list[tuple[int, list[tuple[int, list[TextPiece]]]]] = []
    at = 0
    for piece in pieces:
        end = at + len(piece.text)
        while at < end:
            passage, sentence = within_passages.number(at), within_sentences.number(at)
            stop = end
            if piece.word is None:
                stop = min(end, within_passages.next_edge(at), within_sentences.next_edge(at))
            if not runs or runs[-1][0] != passage:
                runs.append((passage, []))
            parts = runs[-1][1]
            if not parts or parts[-1][0] != sentence:
                parts.append((sentence, []))
            part = piece if piece.word is not None else TextPiece(piece.text[at - end : stop - end or None], None)
            parts[-1][1].append(part)
            at = stop
    begun: set[int] = set()
    grouped = []
    for passage, parts in runs:
        inner = []
        for sentence, inside in parts:
            shown = sentences[sentence - 1][1] if sentence else None
            inner.append(SentenceRun(shown, sentence not in begun, tuple(inside)))
            begun.add(sentence)
        grouped.append(PassageRun(passages[passage - 1] if passage else None, passage, tuple(inner)))
    return grouped


class _Spans:
    """Spans of a text that do not overlap, in order."""

    def __init__(self, spans: Sequence[tuple[int, int]]) -> None:
        self._spans = spans
        self._starts = [start for start, _ in spans]
        self._edges = sorted({edge for span in spans for edge in span})

    def number(self, at: int) -> int:
        """Return the number, from 1, of the span that a character is in, 0 if it is in none."""
        place = bisect_right(self._starts, at)
        return place if place and at < self._spans[place - 1][1] else 0

    def next_edge(self, at: int) -> int:
        """Return where the next span starts or ends."""
        place = bisect_right(self._edges, at)
        return self._edges[place] if place < len(self._edges) else sys.maxsize


def _levels() -> list[tuple[int, str]]:
    """Return what each strength of highlighting means."""
    low, high = (times(limit) for limit in LEVELS)
    return [(1, f"less than {low}"), (2, f"{low} or more"), (3, f"{high} or more")]

"""A verdict in words and in pieces, as the page shows it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePath

from unspun.model.verdict import KINDS, Evidence, SpunPassage, Verdict
from unspun.model.wording import (
    HEADLINES,
    KIND_MEANINGS,
    KIND_NAMES,
    MEANINGS,
    REASONS,
    SIGNALS,
    is_disguised,
    looks_like_this,
    percent,
    repairs_in_words,
    share_of_words,
    times,
)
from unspun.service.page import saved
from unspun.service.render.highlight import LEVELS, Segment, level, segments


@dataclass(frozen=True, slots=True)
class Word:
    """A piece of evidence as it is shown; `number` counts from 1 in the order of the text."""

    number: int
    evidence: Evidence
    level: int
    reason: str
    times: str


@dataclass(frozen=True, slots=True)
class TextPiece:
    """A stretch of the text; `word` is None if it is not marked."""

    text: str
    word: Word | None


@dataclass(frozen=True, slots=True)
class PassageRun:
    """Consecutive pieces inside one passage, or outside all; `number` is that of the passage, from 1."""

    passage: SpunPassage | None
    number: int
    pieces: tuple[TextPiece, ...]


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
    with `prefix`. If unspun abstains, `percent`, `like_it` and `share` are None, and there are no `kinds`.
    """

    def __init__(
        self, text: str, verdict: Verdict, source: str | None = None, supported: float = 0.0, prefix: str = ""
    ) -> None:
        self._text = text
        self.prefix = prefix
        self.verdict = verdict
        self.source = source
        self.headline = HEADLINES[verdict.verdict]
        self.meaning = MEANINGS[verdict.verdict] if verdict.reason is None else REASONS[verdict.reason]
        self.percent = None if verdict.score is None else percent(verdict.score)
        self.like_it = looks_like_this(verdict, supported)
        self.share = share_of_words(verdict)
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
        self.runs = _runs(pieces, verdict.passages)
        self.levels = _levels()

    @property
    def packed(self) -> str:
        """Return the text encoded for a form, which must not change a character of it."""
        return base64.b64encode(self._text.encode("utf-8", "replace")).decode("ascii")

    @property
    def download(self) -> str:
        """Return the response of the API for the same text, as a data: URL."""
        return data_url(f"{self.verdict.to_json()}\n".encode(), "application/json")

    @property
    def saved(self) -> str:
        """Return the result as a page of its own, as a data: URL."""
        return data_url(saved.render(self, datetime.now(UTC)).encode("utf-8", "replace"), "text/html")

    @property
    def filename(self) -> str:
        """Return the name of the saved result."""
        return f"{PurePath(self.source or 'result').stem}.unspun.html"


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
        pieces.append(TextPiece(segment.text, Word(number, found, level(found.weight), reason, times(found.weight))))
    return pieces


def _runs(pieces: Sequence[TextPiece], passages: Sequence[SpunPassage]) -> list[PassageRun]:
    """Group pieces by passage. A word that crosses the bound of a passage belongs where it starts."""
    bounds = [(passage.start, passage.end, passage) for passage in sorted(passages, key=lambda one: one.start)]
    runs: list[tuple[int, list[TextPiece]]] = []
    at = 0
    for piece in pieces:
        end = at + len(piece.text)
        while at < end:
            inside = next((i for i, (first, last, _) in enumerate(bounds, 1) if first <= at < last), 0)
            stop = end
            if piece.word is None:
                stop = min([end, *(edge for first, last, _ in bounds for edge in (first, last) if at < edge)])
            if not runs or runs[-1][0] != inside:
                runs.append((inside, []))
            part = piece if piece.word is not None else TextPiece(piece.text[at - end : stop - end or None], None)
            runs[-1][1].append(part)
            at = stop
    return [PassageRun(bounds[i - 1][2] if i else None, i, tuple(parts)) for i, parts in runs]


def _levels() -> list[tuple[int, str]]:
    """Return what each strength of highlighting means."""
    low, high = (times(limit) for limit in LEVELS)
    return [(1, f"less than {low}"), (2, f"{low} or more"), (3, f"{high} or more")]

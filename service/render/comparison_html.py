"""Comparisons as one HTML file that needs nothing else: texts side by side, each word linked with its counterpart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from jinja2 import Template

from unspun.model.comparing.comparison import RELATIONS, Comparison, Operation
from unspun.model.wording import percent
from unspun.service.render.comparison import Answer, Pair, Sink, headline, meaning, rows
from unspun.service.render.page import TEMPLATES, page_template

MOST_SHOWN = 50
"""Suspects of a search that are shown beside the source that was found; the others are listed."""
MOST_SUBSTITUTIONS = 200


@dataclass(frozen=True, slots=True)
class Words:
    """A stretch of a passage. `anchor` is its own, `twin` that of its counterpart, where it has one."""

    text: str
    operation: Operation | None
    anchor: str | None = None
    twin: str | None = None
    counterpart: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A passage of the suspect beside that of the source; `number` counts from 1."""

    number: int
    suspect: tuple[Words, ...] | None
    source: tuple[Words, ...] | None
    moved: bool
    similarity: float


@dataclass(frozen=True, slots=True)
class Shown:
    """A pair as the page shows it; `number` tells it from the others on the page."""

    number: int
    comparison: Comparison
    headline: str
    meaning: str
    lines: tuple[Line, ...]
    missing: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Search:
    """What was found for one suspect: derived documents, or what comes nearest; `shown` is its pair's number."""

    suspect_id: str
    found: tuple[Comparison, ...]
    nearest: Comparison | None
    shown: int | None


class Html:
    """Gathers answers, and writes the page when it is closed. Of the texts, only what the page shows is kept."""

    def __init__(self, sink: Sink, when: datetime) -> None:
        self._sink = sink
        self._when = when
        self._searches: list[Search] = []
        self._shown: list[Shown] = []
        self._among: int | None = None

    def write(self, answer: Answer) -> None:
        """Take one answer."""
        if answer.among is None:
            self._shown += [_shown(pair, len(self._shown) + 1) for pair in answer.pairs]
            return
        self._among = answer.among
        derived = tuple(pair.comparison for pair in answer.pairs if pair.comparison.derived)
        place = None
        if derived and len(self._shown) < MOST_SHOWN:
            place = len(self._shown) + 1
            self._shown.append(_shown(answer.pairs[0], place))
        nearest = answer.pairs[0].comparison if answer.pairs and not derived else None
        self._searches.append(Search(answer.suspect_id, derived, nearest, place))

    def close(self) -> None:
        """Write the page."""
        self._sink.write(
            _template().render(
                when=self._when.astimezone(UTC), searches=self._searches, shown=self._shown, among=self._among
            )
        )


def _shown(pair: Pair, number: int) -> Shown:
    comparison = pair.comparison
    cut = rows(pair)
    lines = []
    for place, row in enumerate(cut, 1):
        if not comparison.derived and not (row.suspect and row.source):
            continue
        sides = []
        for side, pieces, others in (("a", row.suspect, row.source), ("b", row.source, row.suspect)):
            other = {piece.edit: piece.text for piece in others or () if piece.operation == "replaced"}
            twin = "b" if side == "a" else "a"
            sides.append(
                None
                if pieces is None
                else tuple(
                    Words(
                        piece.text,
                        piece.operation,
                        f"{side}{number}-{place}-{piece.edit}",
                        f"{twin}{number}-{place}-{piece.edit}",
                        other[piece.edit],
                    )
                    if piece.operation == "replaced" and piece.edit in other
                    else Words(piece.text, piece.operation)
                    for piece in pieces
                )
            )
        lines.append(Line(place, sides[0], sides[1], row.moved, row.similarity))
    return Shown(
        number,
        comparison,
        headline(comparison),
        meaning(comparison),
        tuple(line for line in lines if line.suspect is not None),
        tuple(line for line in lines if line.suspect is None),
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _kinds(comparison: Comparison) -> Sequence[tuple[str, float]]:
    return sorted(((kind, comparison.kinds[kind]) for kind in RELATIONS), key=lambda item: -item[1])


@cache
def _template() -> Template:
    filters: dict[str, Callable[..., Any]] = {"percent": percent, "count": _count, "kinds": _kinds}
    return page_template(
        "comparison", scripts=[TEMPLATES / "comparison.js"], filters=filters, most_substitutions=MOST_SUBSTITUTIONS
    )

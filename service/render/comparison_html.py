"""Comparisons as one self-contained HTML file: texts side by side, each replaced word linked with its counterpart."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from jinja2 import Template

from unspun.model.comparing.comparison import RELATIONS, Comparison
from unspun.service.render.comparison import (
    ComparedPair,
    ComparedSuspect,
    PassageRow,
    TextSink,
    headline,
    meaning,
    rows,
)
from unspun.service.render.page import STATIC, page_template

MOST_SHOWN = 50
"""Suspects of a search that are shown side by side with their source; the others are only listed."""
MOST_SUBSTITUTIONS = 200


@dataclass(frozen=True, slots=True)
class ShownPair:
    """What the page keeps of a pair: of the texts, only the rows that it shows."""

    comparison: Comparison
    rows: list[PassageRow]


@dataclass(frozen=True, slots=True)
class SourceSearch:
    """The sources found for one suspect, or the nearest document; `shown` is the number of its pair on the page."""

    suspect_id: str
    found: list[Comparison]
    nearest: Comparison | None
    shown: int | None


class ComparisonPage:
    """Keeps comparisons, and writes the page when it is closed."""

    def __init__(self, sink: TextSink, when: datetime) -> None:
        self._sink = sink
        self._when = when
        self._searches: list[SourceSearch] = []
        self._shown: list[ShownPair] = []
        self._among: int | None = None

    def write(self, answer: ComparedSuspect) -> None:
        """Keep the comparisons of one suspect."""
        if answer.among is None:
            self._shown += map(shown, answer.pairs)
            return
        self._among = answer.among
        derived = [pair.comparison for pair in answer.pairs if pair.comparison.derived]
        number = None
        if derived and len(self._shown) < MOST_SHOWN:
            self._shown.append(shown(answer.pairs[0]))
            number = len(self._shown)
        nearest = answer.pairs[0].comparison if answer.pairs and not derived else None
        self._searches.append(SourceSearch(answer.suspect_id, derived, nearest, number))

    def close(self) -> None:
        """Write the page."""
        self._sink.write(
            _template().render(
                when=self._when.astimezone(UTC), searches=self._searches, shown=self._shown, among=self._among
            )
        )


def shown(pair: ComparedPair) -> ShownPair:
    """Return what a page shows of a pair."""
    return ShownPair(pair.comparison, rows(pair))


def _kinds(comparison: Comparison) -> list[tuple[str, float]]:
    return sorted(((kind, comparison.kinds[kind]) for kind in RELATIONS), key=lambda item: -item[1])


FILTERS = {"kinds": _kinds, "headline": headline, "meaning": meaning}
"""Filters of templates that show comparisons."""


@cache
def _template() -> Template:
    return page_template(
        "comparison",
        styles=[STATIC / "comparison.css"],
        scripts=[STATIC / "comparison.js"],
        filters=FILTERS,
        most_substitutions=MOST_SUBSTITUTIONS,
    )

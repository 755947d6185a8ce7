"""A comparison of two texts, as the page shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from unspun.service.page.result import Download, data_url
from unspun.service.render.comparison import ComparedPair, ComparedSuspect
from unspun.service.render.comparison_html import ComparisonPage


@dataclass(frozen=True, slots=True)
class Texts:
    """What is in the two boxes of the form."""

    suspect: str
    source: str


NO_TEXTS = Texts("", "")


class _Sink:
    """Keeps the text that a writer writes."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text


def downloads_of(pair: ComparedPair) -> list[Download]:
    """Return a comparison as files: the page of `unspun compare`, and the response of the API."""
    sink = _Sink()
    page = ComparisonPage(sink, datetime.now(UTC))
    page.write(ComparedSuspect(pair.comparison.suspect.id or "", (pair,)))
    page.close()
    line = f"{pair.comparison.to_json()}\n"
    return [
        Download("Save this comparison", "comparison.html", data_url(_encoded(sink.text), "text/html")),
        Download("Download it as JSON", "comparison.json", data_url(_encoded(line), "application/json")),
    ]


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "replace")

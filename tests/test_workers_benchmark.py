"""benchmarks/workers.py: what its commands read; the speeds depend on the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.workers import FORMATS, write_articles
from unspun.reading.reader import Reader, Record

TEXTS = [
    "The mayor opened the new bridge in May.\nNobody came, because it rained & rained.",
    "A short one, with <tags>.",
]


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_holds_the_articles(form: str, tmp_path: Path) -> None:
    file = write_articles(TEXTS, form, tmp_path / f"articles.{form}")
    found = [item for item in Reader([str(file)]) if isinstance(item, Record)]
    assert [set(text.splitlines()) <= set(item.text.splitlines()) for text, item in zip(TEXTS, found, strict=True)] == [
        True
    ] * 2

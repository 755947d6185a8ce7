"""The page of `unspun phrases` in headless Chromium, opened from a file and without a network."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.browser.conftest import DESKTOP, PHONE, Open, scrolls_sideways, violations
from unspun.model.text.listed_phrases import PhraseList, shipped_phrases
from unspun.reading.records import Failure, Omissions, Record
from unspun.service.render.phrases import PhrasePage, PhraseReport

TEXTS = {
    "submissions/paper-17.txt": "Counterfeit consciousness.\nThey spoke of bosom peril, and of <b>bosom peril</b>.",
    f"submissions/{'a-very-long-name-' * 12}.txt": "The mayor has an imaginative and prescient for the town.",
}


@pytest.fixture(scope="module")
def written() -> str:
    sink = io.StringIO()
    page = PhrasePage(sink, datetime(2026, 11, 23, 6, 5, tzinfo=UTC), source="submissions/")
    phrases = PhraseList(shipped_phrases())
    for id, text in TEXTS.items():
        page.write(PhraseReport.of(Record(id, text, id), phrases.find([text])[0]))
    page.fail(Failure("submissions/scan.pdf", "scanned: 3 pages of images without text"))
    skipped = Omissions()
    skipped.add("type .png is not read in folders", "submissions/figure.png")
    page.close(skipped)
    return sink.getvalue()


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_page_fits_and_axe_finds_nothing_serious(
    viewport: dict[str, int], colours: str, written: str, open_file: Open, output: Path
) -> None:
    page = open_file(written, color_scheme=colours, viewport=viewport, bypass_csp=True)
    page.screenshot(path=output / f"phrases-{colours}-{viewport['width']}.png", full_page=True)
    assert page.locator("mark").first.is_visible()
    assert not scrolls_sideways(page)
    assert violations(page) == []

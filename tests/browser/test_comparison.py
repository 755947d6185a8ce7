"""The page of a comparison in headless Chromium, opened from a file and without a network."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import DESKTOP, PHONE, Open, scrolls_sideways, violations
from tests.service.fake_comparer import FakeComparer
from tests.service.test_compare import OTHER, SOURCE, SPUN
from unspun.service.render.comparison import ComparedPair, ComparedSuspect
from unspun.service.render.comparison_html import ComparisonPage

WHEN = datetime(2026, 11, 23, 6, 5, tzinfo=UTC)


def written(*, search: bool) -> str:
    pairs = tuple(
        ComparedPair(FakeComparer().compare(SPUN, source, suspect_id="a.txt", source_id=name), SPUN, source)
        for name, source in (("b.txt", SOURCE), ("c.txt", OTHER))
    )
    sink = io.StringIO()
    page = ComparisonPage(sink, WHEN)
    if search:
        page.write(ComparedSuspect("a.txt", pairs, 2))
        page.write(ComparedSuspect("z.txt", pairs[1:], 2))
    else:
        page.write(ComparedSuspect("a.txt", pairs[:1]))
    page.close()
    return sink.getvalue()


@pytest.fixture
def show(open_file: Open) -> Open:
    """Return a function that opens the page of a pair or of a search, with options of the browser."""
    return lambda *, search=False, **options: open_file(written(search=search), **options)


def lit(page: Any) -> list[str]:
    return list(page.locator(".replaced.lit").all_inner_texts())


def test_a_word_and_its_counterpart_light_up_together(show: Open) -> None:
    page = show()
    page.get_by_role("link", name="balloted").hover()
    assert lit(page) == ["balloted", "voted"]
    page.get_by_role("link", name="harbour").focus()
    assert lit(page) == ["port", "harbour"]
    page.locator("h1").hover()
    assert lit(page) == []


@pytest.mark.parametrize("script", [True, False])
def test_a_word_links_to_its_counterpart(script: bool, show: Open) -> None:
    page = show(java_script_enabled=script)
    page.get_by_role("link", name="balloted").click()
    assert page.locator(".replaced:target").inner_text() == "voted"


def test_everything_can_be_read_without_a_script(show: Open) -> None:
    page = show(java_script_enabled=False)
    assert page.locator(".beside tbody tr").count() == 5
    assert page.get_by_text("balloted", exact=True).first.is_visible()
    assert page.get_by_text("Not in the source").is_visible()


@pytest.mark.parametrize("search", [False, True], ids=["pair", "search"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_nothing_overflows_the_screen(viewport: dict[str, int], search: bool, show: Open) -> None:
    assert not scrolls_sideways(show(search=search, viewport=viewport))


@pytest.mark.parametrize("search", [False, True], ids=["pair", "search"])
@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing_serious(
    viewport: dict[str, int], colours: str, search: bool, show: Open, output: Path
) -> None:
    page = show(search=search, color_scheme=colours, viewport=viewport, bypass_csp=True)
    name = f"{'search' if search else 'comparison'}-{colours}-{viewport['width']}.png"
    page.screenshot(path=output / name, full_page=True)
    page.locator("a.replaced").first.focus()
    assert violations(page) == []

"""The page of a comparison in headless Chromium, opened from a file and without a network."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import DESKTOP, PHONE
from tests.service.fake_comparer import FakeComparer
from tests.service.test_compare import OTHER, SOURCE, SPUN
from unspun.service.render.comparison import ComparedPair, ComparedSuspect
from unspun.service.render.comparison_html import ComparisonPage

WHEN = datetime(2026, 11, 23, 6, 5, tzinfo=UTC)
SERIOUS = ("serious", "critical")

Show = Callable[..., Any]


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
def show(browser: Any, tmp_path: Path) -> Iterator[Show]:
    """Open a page as a reader with some settings; what the browser complains of or asks for fails the test."""
    contexts = []
    complaints: list[str] = []

    def open_file(*, search: bool = False, **options: Any) -> Any:
        path = tmp_path / "comparison.html"
        path.write_text(written(search=search), "utf-8")
        context = browser.new_context(viewport=options.pop("viewport", DESKTOP), offline=True, **options)
        context.set_default_timeout(10_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None if request.url.startswith((path.as_uri(), "data:")) else complaints.append(f"asked {request.url}")
            ),
        )
        page.goto(path.as_uri())
        return page

    yield open_file
    for context in contexts:
        context.close()
    assert complaints == []


def lit(page: Any) -> list[str]:
    return list(page.locator(".replaced.lit").all_inner_texts())


def test_a_word_and_its_counterpart_light_up_together(show: Show) -> None:
    page = show()
    page.get_by_role("link", name="balloted").hover()
    assert lit(page) == ["balloted", "voted"]
    page.get_by_role("link", name="harbour").focus()
    assert lit(page) == ["port", "harbour"]
    page.locator("h1").hover()
    assert lit(page) == []


@pytest.mark.parametrize("script", [True, False])
def test_a_word_links_to_its_counterpart(script: bool, show: Show) -> None:
    page = show(java_script_enabled=script)
    page.get_by_role("link", name="balloted").click()
    assert page.locator(".replaced:target").inner_text() == "voted"


def test_everything_can_be_read_without_a_script(show: Show) -> None:
    page = show(java_script_enabled=False)
    assert page.locator(".beside tbody tr").count() == 5
    assert page.get_by_text("balloted", exact=True).first.is_visible()
    assert page.get_by_text("Not in the source").is_visible()


@pytest.mark.parametrize("search", [False, True], ids=["pair", "search"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_nothing_overflows_the_screen(viewport: dict[str, int], search: bool, show: Show) -> None:
    page = show(search=search, viewport=viewport)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.mark.parametrize("search", [False, True], ids=["pair", "search"])
@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing_serious(
    viewport: dict[str, int], colours: str, search: bool, show: Show, output: Path
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page = show(search=search, color_scheme=colours, viewport=viewport, bypass_csp=True)
    name = f"{'search' if search else 'comparison'}-{colours}-{viewport['width']}.png"
    page.screenshot(path=output / name, full_page=True)
    page.locator("a.replaced").first.focus()
    found = axe.Axe().run(page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in SERIOUS] == []

"""The report in headless Chromium, opened from a file and without a network."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import DESKTOP, PHONE, Open, scrolls_sideways, violations
from tests.service.fake_detector import FakeDetector
from tests.service.support import CLEAR, SPUN, SUSPECT
from unspun.service.render.html import Report

WHEN = datetime(2026, 11, 23, 6, 5, tzinfo=UTC)
TEXTS = (SPUN, SUSPECT, CLEAR, "Three little words")
MANY = 250


def report_on(count: int) -> str:
    """Return a report on some documents, all with different scores."""
    report = Report()
    for place in range(count):
        text = TEXTS[place % len(TEXTS)]
        verdict = FakeDetector().score(text, id=f"folder/{place}.txt")
        score = None if verdict.score is None else verdict.score - place / 100_000
        report.add(text, replace(verdict, score=score, words=10 + place))
    return report.render(WHEN, source="folder")


@pytest.fixture
def show(open_file: Open) -> Open:
    """Return a function that opens a report, with options of the browser."""
    return lambda count=8, **options: open_file(report_on(count), **options)


def names(page: Any) -> list[str]:
    """Return the numbers of the documents in the table, from the top."""
    cells = page.locator("#documents tbody th").all_inner_texts()
    return [cell.removeprefix("folder/").removesuffix(".txt") for cell in cells]


def sorting(page: Any) -> dict[str, str]:
    """Return the columns that the table is sorted by, and their directions."""
    heads = page.locator("#documents thead th[aria-sort]").all()
    return {head.inner_text(): head.get_attribute("aria-sort") for head in heads}


def status(page: Any) -> str:
    return str(page.get_by_role("status").inner_text())


def test_a_click_on_a_header_sorts_and_another_reverses(show: Open) -> None:
    page = show()
    assert names(page) == ["0", "4", "1", "5", "2", "6", "7", "3"]
    page.get_by_role("button", name="Words").click()
    assert names(page) == list("76543210")
    assert sorting(page) == {"Words": "descending"}
    page.get_by_role("button", name="Words").click()
    assert names(page) == list("01234567")
    assert sorting(page) == {"Words": "ascending"}


def test_names_are_sorted_with_their_numbers_as_numbers(show: Open) -> None:
    page = show(12)
    page.get_by_role("button", name="Document").click()
    assert names(page) == [str(place) for place in range(12)]


def test_equal_rows_stay_sorted_by_score(show: Open) -> None:
    page = show()
    page.get_by_role("button", name="Verdict").click()
    page.get_by_role("button", name="Verdict").click()
    assert names(page) == ["7", "3", "2", "6", "1", "5", "0", "4"]


def test_the_table_is_sorted_with_the_keyboard(show: Open) -> None:
    page = show()
    page.locator("#words").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert names(page) == list("01234567")
    page.keyboard.press("Space")
    assert names(page) == list("76543210")
    assert sorting(page) == {"Document": "descending"}


def test_the_table_is_filtered_by_verdict(show: Open) -> None:
    page = show()
    page.get_by_label("Verdict", exact=True).select_option("Suspect")
    assert names(page) == ["1", "5"]
    assert status(page) == "2 of 8 documents"


@pytest.mark.parametrize(("typed", "left"), [("/3.TXT", ["3"]), ("  prescient → VISION", ["0", "4"]), ("nothing", [])])
def test_the_table_is_filtered_by_text(typed: str, left: list[str], show: Open) -> None:
    page = show()
    page.get_by_label("Search").fill(typed)
    assert names(page) == left
    assert status(page) == f"{len(left)} of 8 documents"


def test_a_filter_survives_sorting_and_can_be_cleared(show: Open) -> None:
    page = show()
    page.get_by_label("Search").fill("vitality")
    page.get_by_role("button", name="Words").click()
    assert names(page) == list("5410")
    page.get_by_label("Search").fill("")
    assert names(page) == list("76543210")


def test_a_long_table_is_shown_in_parts(show: Open) -> None:
    page = show(MANY)
    assert (len(names(page)), status(page)) == (100, "250 documents, the first 100 shown")
    page.get_by_role("button", name="Show 100 more").click()
    assert len(names(page)) == 200
    page.get_by_role("button", name="Show 50 more").click()
    assert (len(names(page)), status(page)) == (250, "250 documents")
    assert not page.locator("#more").is_visible()
    assert page.evaluate("document.activeElement.closest('tr').rowIndex") == 201


def test_all_of_a_long_table_can_be_shown_at_once(show: Open) -> None:
    page = show(MANY)
    page.get_by_role("button", name="Show all 250").click()
    assert len(names(page)) == 250


def test_a_filter_also_searches_hidden_rows(show: Open) -> None:
    page = show(MANY)
    assert "247" not in names(page)
    page.get_by_label("Search").fill("/247.txt")
    assert names(page) == ["247"]


@pytest.mark.parametrize("how", ["hover", "focus"])
def test_a_marked_word_shows_its_probable_original(how: str, show: Open) -> None:
    page = show()
    word = page.locator(".sentence .odd").first
    word.hover() if how == "hover" else word.focus()
    tip = page.locator(".tip")
    tip.wait_for()
    assert tip.inner_text().splitlines()[0] == "probably vision"
    page.keyboard.press("Escape")
    tip.wait_for(state="hidden")


def test_a_tap_shows_the_original(show: Open) -> None:
    page = show(viewport=PHONE, has_touch=True, is_mobile=True)
    page.locator(".sentence .odd").first.tap()
    assert page.locator(".tip").inner_text().startswith("probably vision")


def test_the_keyboard_follows_a_word_to_its_entry(show: Open) -> None:
    page = show()
    page.locator(".sentence .odd").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("#swap-1-1").is_visible()


def test_originals_can_be_shown_in_the_text(show: Open) -> None:
    page = show()
    button = page.get_by_role("button", name="Show suggestions in the text")
    assert "[vision]" not in page.locator(".sentence").first.inner_text()
    button.click()
    assert "imaginative and prescient [vision] and" in page.locator(".sentence").first.inner_text()
    assert button.get_attribute("aria-pressed") == "true"


def test_originals_are_printed_in_the_text(show: Open) -> None:
    page = show(color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert "[vision]" in page.locator(".sentence").first.inner_text()
    assert (
        page.evaluate("getComputedStyle(document.querySelector('.offender')).backgroundColor") == "rgb(255, 255, 255)"
    )
    assert not page.locator(".tools").is_visible()


def test_without_a_script_all_rows_are_shown_and_no_controls(show: Open) -> None:
    page = show(MANY, java_script_enabled=False)
    assert page.locator("#documents tbody tr").count() == MANY
    assert not page.locator(".tools").is_visible()
    assert page.get_by_role("button").count() == 0


@pytest.mark.parametrize(
    "viewport", [DESKTOP, PHONE, {"width": 820, "height": 1000}], ids=["desktop", "phone", "tablet"]
)
def test_nothing_overflows_the_screen(viewport: dict[str, int], show: Open) -> None:
    assert not scrolls_sideways(show(viewport=viewport))


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing_serious(viewport: dict[str, int], colours: str, show: Open, output: Path) -> None:
    page = show(color_scheme=colours, viewport=viewport, bypass_csp=True)
    page.screenshot(path=output / f"report-{colours}-{viewport['width']}.png", full_page=True)
    page.locator(".offender summary").first.click()
    page.locator("figure summary").first.click()
    page.locator(".sentence .odd").first.focus()
    assert violations(page) == []

"""Several files, saved results and comparisons on the page, in headless Chromium, without a model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import DESKTOP, PHONE, Open, scrolls_sideways, violations
from tests.service.support import CLEAR, ROOT, SPUN, SUSPECT

EXAMPLES = ROOT / "seeds" / "examples"
SUSPECT_FILE = EXAMPLES / "spun" / "05-cup-final.relations.txt"
SOURCE_FILE = EXAMPLES / "human" / "05-cup-final.txt"
LOOKS = {
    "light": {"viewport": DESKTOP},
    "dark": {"viewport": DESKTOP, "color_scheme": "dark"},
    "phone": {"viewport": PHONE, "has_touch": True, "is_mobile": True},
}


@pytest.fixture
def show(open_page: Open, serve_fake: Callable[..., str]) -> Open:
    """Return a function that opens a page of a service, with options of the browser."""
    address = serve_fake()
    return lambda path="/", **options: open_page(path, address=address, **options)


@pytest.fixture
def open_page(visit: Open) -> Open:
    """Like the fixture of all browser tests, but without starting a service with a model."""

    def open_at(path: str = "/", *, address: str, **options: Any) -> Any:
        return visit(f"{address}/", path.removeprefix("/"), base_url=address, **options)

    return open_at


@pytest.fixture
def several(tmp_path: Path) -> list[Path]:
    """Return files: two to mark, a clear one and a broken one."""
    texts = {"a.txt": CLEAR, "b.txt": SPUN, "c.txt": SUSPECT, "d.pdf": "%PDF-1.7"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text, "utf-8")
    return [tmp_path / name for name in texts]


def check(page: Any, files: list[Path]) -> Any:
    page.get_by_label("Or files").set_input_files(files)
    page.get_by_role("button", name="Check", exact=True).click()
    page.wait_for_selector(".results, .verdict")
    return page


def compare(page: Any) -> Any:
    page.get_by_label("Or a file with the suspect").set_input_files(SUSPECT_FILE)
    page.get_by_label("Or a file with the source").set_input_files(SOURCE_FILE)
    page.get_by_role("button", name="Compare", exact=True).click()
    page.wait_for_selector(".pair")
    return page


def drop(page: Any, where: str, **files: str) -> None:
    """Drop files on an element; `files` are their contents by name."""
    dragged = page.evaluate_handle(
        """(files) => {
            const dragged = new DataTransfer();
            for (const [name, text] of Object.entries(files)) dragged.items.add(new File([text], `${name}.txt`));
            return dragged;
        }""",
        files,
    )
    for event in ("dragenter", "dragover", "drop"):
        page.dispatch_event(where, event, {"dataTransfer": dragged})


# --- several files


def test_several_files_are_chosen_and_the_highest_score_comes_first(show: Open, several: list[Path]) -> None:
    page = check(show(), several)
    assert page.locator("h1").inner_text() == "1 of 4 documents looks paraphrased"
    assert page.locator(".results .c-id").all_inner_texts() == ["b.txt", "c.txt", "a.txt", "d.pdf"]
    assert page.evaluate("document.activeElement.id") == "headline"


def test_several_files_are_dropped(show: Open) -> None:
    page = show()
    drop(page, "footer", one=SPUN, two=CLEAR)
    assert page.locator("#status").inner_text() == "2 files were chosen."
    page.keyboard.press("Enter")  # the button has the focus
    page.wait_for_selector(".results")
    assert page.locator(".results .c-verdict").all_inner_texts() == ["Paraphrased", "Clear"]


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_row_leads_to_the_text_with_its_marks(script: bool, show: Open, several: list[Path]) -> None:
    page = check(show(java_script_enabled=script), several)
    assert not page.locator(".article").first.is_visible()
    page.locator(".results").get_by_role("link", name="b.txt").click()
    assert page.locator(".article").first.is_visible()
    assert page.locator(".article").first.locator(".odd").all_inner_texts() == ["imaginative and prescient", "vitality"]


def test_the_report_opens_without_the_service(show: Open, open_file: Open, several: list[Path]) -> None:
    page = check(show(), several)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the report").click()
    assert download.value.suggested_filename == "report.html"
    report = open_file(Path(download.value.path()).read_text("utf-8"))
    assert report.locator("h1").inner_text() == "1 of 3 documents looks paraphrased"
    assert report.locator("#documents tbody tr").count() == 3


def test_too_large_files_are_not_sent(visit: Open, serve_fake: Callable[..., str], several: list[Path]) -> None:
    page = visit(f"{serve_fake(max_bytes=1_000)}/")
    (several[0]).write_text("word " * 300, "utf-8")
    page.get_by_label("Or files").set_input_files(several)
    page.get_by_role("button", name="Check", exact=True).click()
    said = page.get_by_label("Or files").evaluate("field => field.validationMessage")
    assert said.startswith("Together the files are larger than 0.001 MB.")
    assert page.locator(".start").is_visible()


# --- a result that opens again


def test_a_result_is_saved_and_opens_without_the_service(show: Open, open_file: Open, several: list[Path]) -> None:
    page = check(show(), several[1:2])
    with page.expect_download() as download:
        page.get_by_role("link", name="Save this result").click()
    assert download.value.suggested_filename == "b.unspun.html"
    again = open_file(Path(download.value.path()).read_text("utf-8"))
    assert again.locator("h1").inner_text().endswith("Paraphrased")
    again.locator(".article .odd").first.hover()
    assert again.locator(".tip").inner_text().startswith("probably vision")


@pytest.mark.parametrize("look", ["dark", "phone"])
def test_axe_finds_nothing_serious_in_a_saved_result(
    look: str, show: Open, open_file: Open, several: list[Path]
) -> None:
    page = check(show(), several[1:2])
    with page.expect_download() as download:
        page.get_by_role("link", name="Save this result").click()
    again = open_file(Path(download.value.path()).read_text("utf-8"), bypass_csp=True, **LOOKS[look])
    assert not scrolls_sideways(again)
    assert violations(again) == []


# --- the list of odd words


@pytest.mark.parametrize(("look", "is_open"), [("light", True), ("phone", False)])
def test_the_list_of_odd_words_is_closed_on_a_phone(look: str, is_open: bool, show: Open, several: list[Path]) -> None:
    page = check(show(**LOOKS[look]), several[1:2])
    assert page.locator(".words").is_visible() == is_open


def test_a_tap_opens_the_list_of_odd_words(show: Open, several: list[Path]) -> None:
    page = check(show(**LOOKS["phone"]), several[1:2])
    page.get_by_role("heading", name="2 odd words and what").tap()
    assert page.locator(".words .said").all_inner_texts() == ["imaginative and prescient", "vitality"]


def test_the_list_is_printed_even_if_it_is_closed(show: Open, several: list[Path]) -> None:
    page = check(show(**LOOKS["phone"]), several[1:2])
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".words").is_visible()


# --- two texts


def test_two_files_are_compared_side_by_side(show: Open) -> None:
    page = compare(show("/compare"))
    assert page.locator("h1").inner_text() == "Spun from the source"
    word = page.locator("td:nth-child(2) a.replaced").first
    word.hover()
    lit = page.locator(".replaced.lit").all_inner_texts()
    assert len(lit) == 2
    assert lit[0] != lit[1]


def test_two_texts_are_pasted_and_compared(show: Open) -> None:
    page = show()
    page.get_by_role("link", name="Compare two texts").click()
    page.get_by_role("link", name="Try an example").click()
    page.get_by_role("textbox", name="Its source").press("Control+Enter")
    page.wait_for_selector(".pair")
    assert page.locator("h1").inner_text() == "Spun from the source"


def test_files_are_dropped_on_their_side(show: Open) -> None:
    page = show("/compare")
    drop(page, "#source", source=SPUN)
    drop(page, "footer", suspect=SUSPECT)
    names = page.evaluate("[...document.querySelectorAll('input[type=file]')].map((one) => one.files[0].name)")
    assert names == ["suspect.txt", "source.txt"]


def test_a_checked_text_is_compared_with_its_source(show: Open) -> None:
    page = check(show(), [SUSPECT_FILE])
    page.get_by_role("button", name="Compare it with a source").click()
    page.get_by_label("Or a file with the source").set_input_files(SOURCE_FILE)
    page.get_by_role("button", name="Compare", exact=True).click()
    page.wait_for_selector(".pair")
    assert page.locator("h1").inner_text() == "Spun from the source"


def test_a_comparison_is_saved_and_opens_without_the_service(show: Open, open_file: Open) -> None:
    page = compare(show("/compare"))
    with page.expect_download() as download:
        page.get_by_role("link", name="Save this comparison").click()
    again = open_file(Path(download.value.path()).read_text("utf-8"))
    assert again.locator("h1").inner_text() == "Spun from the source"


def test_comparing_works_without_a_script(show: Open) -> None:
    page = compare(show("/compare", java_script_enabled=False))
    page.locator("td:nth-child(2) a.replaced").first.click()
    assert page.locator(".replaced:target").count() == 1


# --- all of them


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("what", ["form", "compare", "files"])
def test_axe_finds_nothing_serious(what: str, look: str, show: Open, several: list[Path], output: Path) -> None:
    page = show("/" if what == "files" else "/compare", **LOOKS[look])
    if what == "files":
        long = several[0].rename(several[0].with_name(f"{'a' * 120}.txt"))
        check(page, [long, *several[1:]]).locator(".one summary").first.click()
    if what == "compare":
        compare(page).locator("a.replaced").first.focus()
    page.screenshot(path=output / f"{what}-page-{look}.png", full_page=True)
    assert not scrolls_sideways(page)
    assert violations(page) == []

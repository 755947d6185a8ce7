"""The buttons for labels, on the page and in the report, in headless Chromium with a detector that needs no model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import DESKTOP, PHONE, Open, scrolls_sideways, violations
from tests.browser.test_page import judge
from tests.browser.test_report import report_on
from tests.service.fake_detector import load_fake
from tests.service.support import SPUN
from unspun.service.cli import cli
from unspun.service.http.keys import KeyStore

pytest.importorskip("sqlalchemy", reason="labels: pip install 'unspun[feedback]'")

from unspun.service.feedback.store import Store
from unspun.service.render.summary import digest_of


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "labels.db"


@pytest.fixture
def address(serve_fake: Callable[..., str], file: Path) -> str:
    """Start a service that stores labels, and return its address."""
    return serve_fake(database_url=str(file))


def stored(file: Path) -> list[Any]:
    return list(Store(str(file)).labels())


# --- the page


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_text_is_labelled_and_the_label_deleted(script: bool, address: str, file: Path, open_page: Open) -> None:
    page = judge(open_page(address=address, java_script_enabled=script), SPUN)
    page.get_by_label("I agree to this being stored").check()
    page.get_by_label("Also store the text itself").check()
    page.get_by_label("Source of the text").fill("desk")
    page.get_by_role("button", name="Human").click()
    page.get_by_role("heading", name="Stored: this text is human").wait_for()
    [label] = stored(file)
    assert (label.label, label.source, label.text) == ("human", "desk", SPUN)
    assert label.id in page.locator(".feedback").inner_text()
    page.get_by_role("button", name="Delete this label").click()
    page.get_by_text("The label was deleted.").wait_for()
    assert stored(file) == []


def test_without_consent_the_browser_sends_nothing(address: str, file: Path, open_page: Open) -> None:
    page = judge(open_page(address=address), SPUN)
    page.get_by_role("button", name="Spun").click()
    assert page.evaluate("document.activeElement.id") == "consent"
    assert page.get_by_role("heading", name="Do you know better?").is_visible()
    assert not file.exists()


def test_enter_in_a_field_submits_no_label(address: str, file: Path, open_page: Open) -> None:
    page = judge(open_page(address=address), SPUN)
    page.get_by_label("I agree to this being stored").check()
    page.get_by_label("Source of the text").fill("desk")
    page.keyboard.press("Enter")
    page.wait_for_timeout(300)
    assert not file.exists()


def test_a_text_is_labelled_by_the_keyboard_alone(address: str, file: Path, open_page: Open) -> None:
    page = judge(open_page(address=address), SPUN)
    page.get_by_label("I agree to this being stored").focus()
    page.keyboard.press("Space")
    for _ in range(4):  # to the other box, the field, the first button and the second
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Stored: this text is spun").wait_for()
    assert page.evaluate("document.activeElement.id") == "feedback"  # where a screen reader continues
    assert [label.label for label in stored(file)] == ["spun"]


def test_the_key_kept_in_the_tab_is_used_for_labels(
    serve_fake: Callable[..., str], file: Path, tmp_path: Path, open_page: Open
) -> None:
    key = KeyStore(tmp_path / "keys.json").add("desk")
    page = open_page(address=serve_fake(database_url=str(file), keys_file=tmp_path / "keys.json"))
    page.get_by_label("API key").fill(key)
    judge(page, SPUN)
    page.get_by_label("I agree to this being stored").check()
    page.get_by_role("button", name="Human").click()
    page.get_by_role("heading", name="Stored").wait_for()
    page.get_by_role("button", name="Delete this label").click()
    page.get_by_text("The label was deleted.").wait_for()


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_axe_finds_nothing_serious_on_the_page(colours: str, address: str, open_page: Open, output: Path) -> None:
    page = judge(open_page(address=address, color_scheme=colours, viewport=PHONE), SPUN)
    assert not scrolls_sideways(page)
    assert violations(page) == []
    page.get_by_label("I agree to this being stored").check()
    page.locator(".feedback").screenshot(path=output / f"label-{colours}-form.png")
    page.get_by_role("button", name="Human").click()
    page.get_by_role("heading", name="Stored").wait_for()
    page.locator(".feedback").screenshot(path=output / f"label-{colours}-stored.png")
    assert not scrolls_sideways(page)
    assert violations(page) == []
    page.get_by_role("button", name="Delete this label").click()
    page.get_by_text("The label was deleted.").wait_for()
    assert violations(page) == []


# --- the report


@pytest.fixture
def show(open_file: Open) -> Open:
    """Return a function that opens a report on eight documents with four different texts."""
    return lambda **options: open_file(report_on(8), **options)


def labels_of(page: Any) -> list[str]:
    return [str(one) for one in page.locator("#documents select").evaluate_all("all => all.map(one => one.value)")]


def download(page: Any, to: Path) -> list[dict[str, Any]]:
    with page.expect_download() as begun:
        page.get_by_role("button", name="Download the labels").click()
    begun.value.save_as(to)
    assert begun.value.suggested_filename == "labels.jsonl"
    return [json.loads(line) for line in to.read_text("utf-8").splitlines()]


def test_the_same_text_has_the_same_label_everywhere(show: Open) -> None:
    page = show()
    page.get_by_role("group", name="Label text 1").get_by_role("button", name="spun").click()
    assert labels_of(page)[:2] == ["spun", "spun"]  # folder/0.txt and folder/4.txt
    page.get_by_label("Your label for folder/4.txt").select_option("human")
    first = page.get_by_role("group", name="Label text 1")
    assert first.get_by_role("button", name="human").get_attribute("aria-pressed") == "true"
    first.get_by_role("button", name="human").click()
    assert set(labels_of(page)) == {""}


def test_labels_are_downloaded_with_consent_and_imported(show: Open, tmp_path: Path, file: Path) -> None:
    from click.testing import CliRunner

    page = show()
    page.get_by_role("group", name="Label text 1").get_by_role("button", name="human").click()
    page.get_by_label("Your label for folder/2.txt").select_option("rewritten")
    page.get_by_role("button", name="Download the labels").click()
    assert page.locator("#labelled").inner_text().startswith("Tick the box to agree")
    assert page.evaluate("document.activeElement.id") == "consent"
    page.get_by_label("I agree that these labels are stored").check()
    page.get_by_label("Keep the texts for training").check()
    page.get_by_label("Source of the texts").fill("desk")
    lines = download(page, tmp_path / "labels.jsonl")
    assert [(one["label"], one["source"], one["consent"]) for one in lines] == [
        ("human", "desk", True),
        ("rewritten", "desk", True),
    ]
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts/a.txt").write_text(SPUN)
    arguments = ["feedback", "import", "--database", str(file), "--texts", str(tmp_path / "texts")]
    run = CliRunner().invoke(cli, [*arguments, str(tmp_path / "labels.jsonl")], obj=load_fake)
    assert run.exit_code == 0, run.output
    kept, bare = stored(file)
    assert (kept.id, kept.digest, kept.text) == (lines[0]["id"], digest_of(SPUN), SPUN)
    assert (bare.label, bare.text, bare.verdict.verdict) == ("rewritten", None, "clear")


def test_without_labels_there_is_nothing_to_download(show: Open) -> None:
    page = show()
    page.get_by_label("I agree that these labels are stored").check()
    page.get_by_role("button", name="Download the labels").click()
    assert page.locator("#labelled").inner_text() == "There are no labels yet. Label a text first."


def test_leaving_with_unsaved_labels_asks_first(show: Open, tmp_path: Path) -> None:
    asks = "() => !dispatchEvent(new Event('beforeunload', {cancelable: true}))"
    page = show()
    assert not page.evaluate(asks)
    page.get_by_label("Your label for folder/2.txt").select_option("human")
    assert page.evaluate(asks)
    page.get_by_label("I agree that these labels are stored").check()
    download(page, tmp_path / "labels.jsonl")
    assert not page.evaluate(asks)


def test_a_filter_does_not_search_the_labels(show: Open) -> None:
    page = show()
    page.get_by_label("Search").fill("rewritten")
    assert page.locator("#documents tbody tr").count() == 0


def test_without_script_the_report_has_no_buttons(show: Open) -> None:
    page = show(java_script_enabled=False)
    assert page.get_by_role("button").count() == 0
    assert not page.get_by_text("Your labels").is_visible()


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_axe_finds_nothing_serious_in_the_report(
    colours: str, viewport: dict[str, int], show: Open, output: Path
) -> None:
    page = show(color_scheme=colours, viewport=viewport, bypass_csp=True)
    page.get_by_role("group", name="Label text 1").get_by_role("button", name="spun").click()
    page.screenshot(path=output / f"report-labels-{colours}-{viewport['width']}.png", full_page=True)
    assert not scrolls_sideways(page)
    assert violations(page) == []

"""The page in headless Chromium, with the shipped model."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import PHONE, ROOT, Open, scrolls_sideways, violations
from unspun.model.wording import FOR_INSTANCE, PROBABLY, times
from unspun.service.http.keys import KeyStore
from unspun.service.http.routes.page import EXAMPLE

SPUN = ROOT / "seeds/examples/spun/01-harbour-swimmers.wordnet.txt"
SUSPECT = ROOT / "seeds/tutorial/human/13-weather-fog.txt"
"""A human text that is wrongly suspected: no word of it is odd, but sentences are."""
HUMAN = ROOT / "seeds/examples/human/01-harbour-swimmers.txt"


def judge(page: Any, text: str = EXAMPLE) -> Any:
    page.locator("#text").evaluate("(box, text) => { box.value = text; }", text)  # typing takes long
    page.get_by_role("button", name="Check", exact=True).click()
    page.wait_for_load_state()
    return page


def headline(page: Any) -> str:
    return str(page.locator("h1").inner_text().splitlines()[-1])


@pytest.fixture(scope="module")
def answer(service: str) -> bytes:
    """Return the API's answer for the example."""
    headers = {"Content-Type": "application/json"}
    asked = urllib.request.Request(f"{service}/v1/score", json.dumps({"text": EXAMPLE}).encode(), headers)
    with urllib.request.urlopen(asked) as found:
        return bytes(found.read())


@pytest.fixture(scope="module")
def odd(answer: bytes) -> list[dict[str, Any]]:
    """Return the odd words of the example, those with alternatives first."""
    evidence: list[dict[str, Any]] = json.loads(answer)["evidence"]
    return sorted(evidence, key=lambda one: not one["alternatives"])


def word(page: Any, evidence: dict[str, Any]) -> Any:
    """Return the mark of an odd word."""
    return page.locator(".article .odd", has=page.get_by_text(evidence["text"], exact=True)).first


def introduced(evidence: dict[str, Any]) -> str:
    """Return the suggestion with what introduces it."""
    return f"{PROBABLY if evidence['probable'] else FOR_INSTANCE} {evidence['suggestion']}"


def original(evidence: dict[str, Any]) -> str:
    """Return the sentence about the original of an odd word."""
    return f"{introduced(evidence)}, or {', '.join(evidence['alternatives'])}"


def data_transfer(page: Any, **content: str) -> Any:
    """Return the data of a drag: a text, or a file with some content."""
    return page.evaluate_handle(
        """({text, file}) => {
            const dragged = new DataTransfer();
            if (text) dragged.setData("text/plain", text);
            if (file) dragged.items.add(new File([file], "dropped.txt", {type: "text/plain"}));
            return dragged;
        }""",
        {"text": content.get("text"), "file": content.get("file")},
    )


def drop(page: Any, where: str, **content: str) -> None:
    for event in ("dragenter", "dragover", "drop"):
        page.dispatch_event(where, event, {"dataTransfer": data_transfer(page, **content)})


# --- from the text to the verdict


def test_a_pasted_text_is_judged_and_its_odd_words_are_marked(open_page: Open, odd: list[dict[str, Any]]) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    page.evaluate("text => navigator.clipboard.writeText(text)", EXAMPLE)
    page.get_by_role("textbox", name="The text").click()
    page.keyboard.press("Control+V")
    page.get_by_role("button", name="Check", exact=True).click()
    page.wait_for_selector(".verdict")
    assert headline(page) == "Paraphrased"
    assert "%" in page.locator(".figure").inner_text()
    assert page.locator(".article").inner_text().replace("\n\n", "\n") == EXAMPLE.replace("\n\n", "\n")
    marked = page.locator(".article .odd").all_inner_texts()
    assert marked == [one["text"] for one in sorted(odd, key=lambda one: one["start"])]


def test_a_human_text_is_clear(open_page: Open) -> None:
    assert headline(judge(open_page(), HUMAN.read_text("utf-8"))) == "Clear"


def test_the_example_can_be_tried(open_page: Open) -> None:
    page = open_page()
    page.get_by_role("link", name="Try an example").click()
    page.get_by_role("button", name="Check", exact=True).click()
    assert headline(page) == "Paraphrased"


def test_a_file_is_chosen_and_judged(open_page: Open) -> None:
    page = open_page()
    page.get_by_label("Or files").set_input_files(SPUN)
    page.get_by_role("button", name="Check", exact=True).click()
    assert headline(page) == "Paraphrased"
    assert "From the file 01-harbour-swimmers.wordnet.txt" in page.locator(".reading").inner_text()


def test_a_file_is_dropped_anywhere_and_judged(open_page: Open) -> None:
    page = open_page()
    drop(page, "footer", file=EXAMPLE)
    assert page.locator("#status").inner_text() == "dropped.txt was chosen."
    page.keyboard.press("Enter")  # the button has the focus
    page.wait_for_selector(".verdict")
    assert headline(page) == "Paraphrased"


def test_a_text_is_dropped_anywhere(open_page: Open) -> None:
    page = open_page()
    drop(page, "footer", text=EXAMPLE)
    assert page.get_by_role("textbox", name="The text").input_value() == EXAMPLE


def test_the_page_shows_where_a_file_can_be_dropped(open_page: Open) -> None:
    page = open_page()
    shown = "getComputedStyle(document.body, '::after').content"
    before = page.evaluate(shown)
    page.dispatch_event("footer", "dragenter", {"dataTransfer": data_transfer(page, file="x")})
    during = page.evaluate(shown)
    page.dispatch_event("footer", "dragleave", {"dataTransfer": data_transfer(page, file="x")})
    assert (before, during, page.evaluate(shown)) == ("none", '"Drop it here"', "none")


def test_the_text_can_be_changed_and_judged_again(open_page: Open) -> None:
    page = judge(open_page())
    page.get_by_text("Change this text or check another").click()
    assert page.get_by_role("textbox", name="The text").input_value() == EXAMPLE
    assert headline(judge(page, HUMAN.read_text("utf-8"))) == "Clear"


def test_the_download_is_the_response_of_the_api(open_page: Open, answer: bytes) -> None:
    page = judge(open_page())
    with page.expect_download() as download:
        page.get_by_role("link", name="Download it as JSON").click()
    assert Path(download.value.path()).read_bytes() == answer
    assert download.value.suggested_filename == "verdict.json"


def test_while_judging_the_page_says_so_and_sends_nothing_twice(open_page: Open) -> None:
    page = open_page()
    sent, button, status = page.evaluate(
        """(text) => {
            let sent = 0;
            addEventListener("submit", (event) => { sent += event.defaultPrevented ? 0 : 1; });
            document.getElementById("text").value = text;
            const button = document.querySelector("button[type=submit]");
            button.click();
            button.click();
            return [sent, button.textContent, document.getElementById("status").textContent];
        }""",
        EXAMPLE,
    )
    assert (sent, button, status) == (1, "Checking …", "Checking the text.")
    page.wait_for_selector(".verdict")


# --- the marked words


def test_pointing_at_a_word_shows_its_original(open_page: Open, odd: list[dict[str, Any]]) -> None:
    page = judge(open_page())
    tip = page.locator(".tip")
    assert tip.is_hidden()
    word(page, odd[0]).hover()
    first, *rest = tip.inner_text().splitlines()
    assert first == original(odd[0])
    assert f"{times(odd[0]['weight'])} as likely in paraphrased text" in rest


def test_the_tooltip_stays_while_the_pointer_is_on_it(open_page: Open, odd: list[dict[str, Any]]) -> None:
    page = judge(open_page())
    tip = page.locator(".tip")
    word(page, odd[0]).hover()
    tip.hover()
    page.wait_for_timeout(500)
    assert tip.is_visible()
    page.mouse.move(2, 2)
    tip.wait_for(state="hidden")


def test_the_keyboard_reaches_each_word_and_its_original(open_page: Open) -> None:
    page = judge(open_page())
    words = page.locator(".article .odd").all_inner_texts()
    page.get_by_role("link", name="below the text").last.focus()
    for expected in words:
        page.keyboard.press("Tab")
        assert page.locator(":focus").inner_text() == expected
        assert page.locator(".tip").inner_text().startswith((PROBABLY, FOR_INSTANCE, "no original"))


def test_escape_hides_the_tooltip_and_keeps_the_focus(open_page: Open, odd: list[dict[str, Any]]) -> None:
    page = judge(open_page())
    word(page, odd[0]).focus()
    page.keyboard.press("Escape")
    assert page.locator(".tip").is_hidden()
    assert page.locator(":focus").inner_text() == odd[0]["text"]


def test_enter_follows_the_link_to_the_list_and_back(open_page: Open, odd: list[dict[str, Any]]) -> None:
    page = judge(open_page())
    word(page, odd[0]).focus()
    page.keyboard.press("Enter")
    assert page.locator("li:target .was").inner_text() == original(odd[0])
    page.locator("li:target").get_by_role("link").click()
    assert page.locator(".article :target").inner_text() == odd[0]["text"]


def test_a_tap_shows_the_original_and_a_tap_elsewhere_hides_it(open_page: Open, odd: list[dict[str, Any]]) -> None:
    page = judge(open_page(viewport=PHONE, has_touch=True, is_mobile=True))
    word(page, odd[0]).tap()
    assert page.locator(".tip").inner_text().startswith(original(odd[0]))
    page.get_by_role("heading", name="The text, with").tap()
    assert page.locator(".tip").is_hidden()


def test_the_tooltip_stays_on_the_screen(open_page: Open) -> None:
    page = judge(open_page(viewport=PHONE))
    for each in page.locator(".article .odd").all():
        each.focus()
        box = page.locator(".tip").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE["width"]
    assert not scrolls_sideways(page)


def test_a_screen_reader_hears_the_original_with_the_word(open_page: Open, odd: list[dict[str, Any]]) -> None:
    page = judge(open_page())
    nodes = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    descriptions = {
        node["name"]["value"]: node["description"]["value"]
        for node in nodes
        if node["role"]["value"] == "link" and "description" in node
    }
    assert descriptions[odd[0]["text"]] == original(odd[0])


def test_the_text_can_be_copied_unchanged(open_page: Open) -> None:
    page = judge(open_page())
    copied = page.evaluate(
        """() => {
            getSelection().selectAllChildren(document.querySelector(".article"));
            return getSelection().toString();
        }"""
    )
    assert copied == EXAMPLE


# --- suspicious sentences


def test_suspicious_sentences_are_highlighted_and_listed(open_page: Open) -> None:
    page = judge(open_page(), SUSPECT.read_text("utf-8"))
    assert headline(page) == "Suspect"
    assert page.locator(".article .odd").count() == 0
    assert page.locator(".observations li").count() > 0
    strongest = page.locator(".sentences a").first
    said = strongest.inner_text()
    strongest.click()
    assert page.locator(".article .told:target").inner_text() == said


# --- keyboard and screen reader


def test_a_text_is_judged_by_the_keyboard_alone(open_page: Open) -> None:
    page = open_page()
    page.get_by_role("textbox", name="The text").fill(EXAMPLE)
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".verdict")
    assert page.evaluate("document.activeElement.id") == "headline"  # where a screen reader continues


def test_the_header_can_be_skipped(open_page: Open) -> None:
    page = open_page()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "text"


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("name", ["empty", "result", "sentences", "problem", "reference"])
def test_axe_finds_nothing_serious(name: str, colours: str, open_page: Open) -> None:
    page = open_page("/v1/docs" if name == "reference" else "/", color_scheme=colours)
    if name == "result":
        judge(page).locator(".again summary").click()
        page.locator(".article .odd").first.focus()
    if name == "sentences":
        judge(page, SUSPECT.read_text("utf-8"))
    if name == "problem":
        judge(page, "")
    assert violations(page) == []


# --- errors


@pytest.mark.parametrize(
    ("text", "says"),
    [("", "There is no text to check"), ("word " * 50_001, "A text may have at most 50,000 words")],
    ids=["empty", "too long"],
)
def test_a_problem_gets_the_focus(text: str, says: str, open_page: Open) -> None:
    page = judge(open_page(), text)
    alert = page.get_by_role("alert")
    assert says in alert.inner_text()
    assert page.evaluate("document.activeElement.id") == "problem"
    assert page.title().startswith("Error: ")
    assert len(page.get_by_role("textbox", name="The text").input_value()) == len(text)


def test_a_key_is_entered_once_per_tab(open_page: Open, serve_fake: Callable[..., str], tmp_path: Path) -> None:
    key = KeyStore(tmp_path / "keys.json").add("desk")
    page = open_page(address=serve_fake(keys_file=tmp_path / "keys.json"))
    page.get_by_label("API key").fill("wrong")
    assert "requires an API key" in judge(page).get_by_role("alert").inner_text()
    page.get_by_label("API key").fill(key)
    judge(page)
    page.locator(".again summary").click()
    assert page.get_by_label("API key").input_value() == key


# --- other screens, and no script


@pytest.mark.parametrize("name", ["empty", "result", "problem", "reference"])
def test_a_phone_needs_no_horizontal_scrolling(name: str, open_page: Open) -> None:
    page = open_page("/v1/docs" if name == "reference" else "/", viewport=PHONE, has_touch=True, is_mobile=True)
    if name != "reference" and name != "empty":
        judge(page, EXAMPLE + "w" * 500 if name == "result" else "")
    if name == "result":
        page.locator(".again summary").tap()
    assert page.evaluate("innerWidth") == PHONE["width"]
    assert not scrolls_sideways(page)


def test_the_dark_page_is_dark(open_page: Open) -> None:
    ground = "getComputedStyle(document.documentElement).backgroundColor.match(/[0-9]+/g).map(Number)"
    assert max(open_page(color_scheme="dark").evaluate(ground)) < 64
    assert min(open_page(color_scheme="light").evaluate(ground)) > 192


def test_it_works_without_a_script(open_page: Open, odd: list[dict[str, Any]]) -> None:
    page = judge(open_page(java_script_enabled=False))
    assert headline(page) == "Paraphrased"
    assert word(page, odd[0]).get_attribute("title").lower() == introduced(odd[0]).lower()
    word(page, odd[0]).click()
    assert page.locator("li:target .was").inner_text() == original(odd[0])
    assert page.get_by_text("drop files anywhere").is_hidden()


def test_the_longest_text_can_be_shown_and_read(open_page: Open, serve_fake: Callable[..., str]) -> None:
    page = judge(open_page(address=serve_fake()), "\n\n".join([EXAMPLE] * 440))
    page.locator(".article .odd").last.focus()
    assert page.locator(".tip").is_visible()


@pytest.mark.parametrize("name", ["light", "dark", "phone"])
def test_screenshots_are_kept(name: str, open_page: Open, output: Path) -> None:
    looks = {"dark": {"color_scheme": "dark"}, "phone": {"viewport": PHONE, "has_touch": True, "is_mobile": True}}
    page = open_page(**looks.get(name, {}))
    page.screenshot(path=output / f"page-{name}-empty.png")
    judge(page, "")
    page.screenshot(path=output / f"page-{name}-problem.png")
    judge(page)
    page.locator(".article .odd").last.focus()
    page.screenshot(path=output / f"page-{name}-result.png", full_page=True)
    page.goto("/v1/docs")
    page.screenshot(path=output / f"page-{name}-reference.png")
    kept = list(output.glob(f"page-{name}-*.png"))
    assert len(kept) == 4
    assert all(file.stat().st_size > 5_000 for file in kept)

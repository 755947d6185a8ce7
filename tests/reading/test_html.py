"""reading/html.py: the text of web pages, as a reader sees it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import cases, why
from unspun.reading.html import declared_encoding, extract_article
from unspun.reading.records import UnreadableError

FIRST = "The harbour reopens on Saturday, eleven months after the council closed its steps to swimmers and walkers."
SECOND = "The repair took three weeks and cost far less than the council had expected, said the man who did most of it."
THIRD = "Nobody was happier about it than an old swimmer who had learned there with a rope round her middle."
ARTICLE = [f"Paragraph {n} of the article says a good deal about the harbour and its steps." for n in range(8)]
NOISE = "My neighbour bought a parrot last year, and it has learned to imitate the kettle rather convincingly. " * 12


def text_of(page: str) -> str:
    """Return the text of a page; "" if it has none."""
    try:
        return extract_article(page).text
    except UnreadableError:
        return ""


@pytest.mark.parametrize("case", cases("reading/pages.toml"), ids=why)
def test_text_of_a_page(case: dict[str, str]) -> None:
    assert text_of(case["page"]) == case["text"]


def test_navigation_and_footer_are_not_part_of_the_article() -> None:
    page = (
        "<html><body><nav><a href=/>Home</a> <a href=/about>About us</a></nav><article>"
        + "".join(f"<p>{paragraph}</p>" for paragraph in ARTICLE)
        + "</article><footer>All rights reserved</footer></body></html>"
    )
    assert text_of(page).split("\n") == ARTICLE


# --- hidden text


def page_with(markup: str) -> str:
    """Return a page with some visible text, enough for a verdict, and some markup."""
    return f"<!DOCTYPE html><html><body><p>{FIRST}</p><p>{SECOND}</p><p>{THIRD}</p>{markup}</body></html>"


@pytest.mark.parametrize("case", cases("reading/hidden_text.toml", "hidden"), ids=why)
def test_text_that_no_reader_sees_is_left_out_and_counted(case: dict[str, str]) -> None:
    text, repairs = extract_article(page_with(case["markup"]))
    assert (repairs, "nobody" in text, FIRST in text) == ({"hidden": 3}, False, True)


@pytest.mark.parametrize("case", cases("reading/hidden_text.toml", "visible"), ids=why)
def test_text_that_a_reader_sees_stays(case: dict[str, str]) -> None:
    text, repairs = extract_article(page_with(case["markup"]))
    assert (repairs, "everyone sees this" in text) == ({}, True)


@pytest.mark.parametrize("tag", ["script", "style", "template", "noscript", "svg", "textarea"])
def test_elements_that_are_never_text_are_no_disguise(tag: str) -> None:
    assert extract_article(page_with(f"<{tag}>not a text</{tag}>")) == (f"{FIRST}\n{SECOND}\n{THIRD}", {})


@pytest.mark.parametrize("style", ["opacity:0", "visibility:hidden"])
def test_a_page_that_scripts_reveal_is_read(style: str) -> None:
    menu = "<nav>" + "<a href=/>A word of the menu</a>" * 20 + "</nav>"
    page = f"<html><body>{menu}<h1>Tides</h1><div style='{style}'><p>{FIRST}</p><p>{SECOND}</p></div></body></html>"
    assert FIRST in text_of(page)


def test_a_page_that_hides_itself_from_frames_is_read() -> None:
    page = f"<html><head><style>body{{display:none}}</style></head><body><p>{FIRST}</p><p>{SECOND}</p></body></html>"
    assert FIRST in text_of(page)


def test_a_page_that_hides_all_of_its_text_is_refused() -> None:
    with pytest.raises(UnreadableError, match=r"hides all of its text \(17 words\)"):
        extract_article(f"<html><body><div style='display:none'><p>{FIRST}</p></div></body></html>")


# --- words


@pytest.mark.parametrize("case", cases("reading/words_in_boxes.toml"), ids=why)
def test_words_are_apart_where_a_browser_shows_a_gap(case: dict[str, str]) -> None:
    assert case["text"] in text_of(page_with(case["markup"])).split("\n")


# --- what surrounds the article


@pytest.mark.parametrize("case", cases("reading/clutter.toml", "left_out"), ids=why)
def test_what_surrounds_the_article_is_left_out(case: dict[str, str]) -> None:
    article = "".join(f"<p>{paragraph}</p>" for paragraph in ARTICLE)
    around = case["markup"].replace("{noise}", NOISE)
    text = text_of(f"<html><body><div class='post'><h1>Tides</h1>{article}</div>{around}</body></html>")
    assert "parrot" not in text
    assert ARTICLE[0] in text


@pytest.mark.parametrize("case", cases("reading/clutter.toml", "kept"), ids=why)
def test_the_article_is_never_left_out(case: dict[str, str]) -> None:
    markup = case["markup"].replace("{article}", "".join(f"<p>{paragraph}</p>" for paragraph in ARTICLE))
    text = text_of(f"<html><body><p>Home</p>{markup}<p>Legal notice</p></body></html>")
    assert [paragraph for paragraph in ARTICLE if paragraph not in text] == []


def test_a_large_page_is_read_in_bounded_time() -> None:
    article = "".join(f"<p>{paragraph} <a href=/{n}>{n}</a></p>" for n in range(4_000) for paragraph in ARTICLE[:3])
    started = time.process_time()
    text = text_of(f"<html><body><nav>Home</nav><article>{article}</article><p>Legal notice</p></body></html>")
    assert time.process_time() - started < 10
    assert (text.count("\n"), text.startswith(ARTICLE[0]), "Legal" in text) == (11_999, True, False)


# --- pages that cannot be read


@pytest.mark.parametrize(
    "page", ["", " \n", "<html></html>", "<html><head><title>T</title></head><body></body></html>"]
)
def test_a_page_without_text_is_refused(page: str) -> None:
    with pytest.raises(UnreadableError, match="no text in this page"):
        extract_article(page)


@pytest.mark.parametrize("depth", [300, 2_300, 3_000, 20_000])
@pytest.mark.parametrize("tag", ["div", "span", "b", "blockquote", "font"])
def test_deeply_nested_elements_are_read(depth: int, tag: str) -> None:
    article = "".join(f"<p>{paragraph}</p>" for paragraph in ARTICLE)
    page = f"<html><body>{f'<{tag}>' * depth}{article}{f'</{tag}>' * depth}<p>{FIRST}</p></body></html>"
    text = text_of(page)
    assert [paragraph for paragraph in [*ARTICLE, FIRST] if paragraph not in text] == []


def test_deeply_nested_elements_that_cannot_be_left_out_are_too_deep() -> None:
    with pytest.raises(UnreadableError, match="nested too deeply"):
        extract_article(f"<html><body>{'<div title=<>' * 3000}{FIRST}</body></html>")


@pytest.mark.parametrize("piece", ["<a ", "<![", "<", "&#", "<!--", "<p>", "<div>", "<table><tr>", "</", "<b style=x>"])
def test_hostile_markup_is_read_in_bounded_time(piece: str) -> None:
    started = time.process_time()
    text_of(piece * 20_000)
    assert time.process_time() - started < 10


def test_hostile_styles_are_read_in_bounded_time() -> None:
    rules = "".join(f"div div div.a{i % 7} b > i + u{{display:none}}" for i in range(5_000))
    started = time.process_time()
    text_of(f"<style>{rules}{'{' * 50_000}</style>{'<div class=a1><b><i></i><u>x</u></b>' * 1_000}")
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    "style",
    [
        "color:a" + " " * 100_000 + "b",
        "background:" + "a(" * 50_000,
        "transform:" + "scale(" * 20_000,
        "opacity:" * 20_000,
    ],
)
def test_hostile_declarations_are_read_in_bounded_time(style: str) -> None:
    started = time.process_time()
    text_of(f"<style>p{{{style}}}</style><p style='{style}'>{FIRST}</p>")
    assert time.process_time() - started < 5


@pytest.mark.parametrize("css", ["a" * 200_000, "@media (min-width: 1.2.3px){p{color:red}}", "@media (min-width: .){}"])
def test_hostile_style_sheets_are_ignored_in_bounded_time(css: str) -> None:
    started = time.process_time()
    assert text_of(f"<style>{css}</style><p>{FIRST}</p>") == FIRST
    assert time.process_time() - started < 5


def test_hostile_tags_of_a_deep_page_are_read_in_bounded_time() -> None:
    started = time.process_time()
    text_of("<div>" * 3_000 + "<" + "a" * 200_000 + "<b " * 20_000)
    assert time.process_time() - started < 10


@given(st.text(alphabet=st.characters() | st.sampled_from("<>/&;!-'\"= pab")))
def test_any_page_can_be_read(page: str) -> None:
    assert isinstance(text_of(page), str)


@pytest.mark.parametrize(
    ("page", "name"),
    [
        (b"<meta charset=windows-1250>", "windows-1250"),
        (b'<META http-equiv="Content-Type" content="text/html; charset=iso-8859-2">', "iso-8859-2"),
        (b"<p>charset=x</p>", None),
        (b"", None),
    ],
)
def test_declared_encoding(page: bytes, name: str | None) -> None:
    assert declared_encoding(page) == name

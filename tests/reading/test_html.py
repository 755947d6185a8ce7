"""reading/html.py: articles of web pages."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cases import cases, why
from unspun.reading.html import declared_encoding, extract_article, strip_tags


@pytest.mark.parametrize("case", cases("reading/pages.toml"), ids=why)
def test_visible_text_of_a_page(case: dict[str, str]) -> None:
    assert strip_tags(case["page"]) == case["text"]


def test_navigation_and_footer_are_not_part_of_the_article() -> None:
    paragraphs = [f"Paragraph {n} of the article says a good deal about the harbour." for n in range(12)]
    page = (
        "<html><body><nav><a href=/>Home</a> <a href=/about>About us</a></nav><article>"
        + "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
        + "</article><footer>All rights reserved</footer></body></html>"
    )
    assert extract_article(page).split("\n") == paragraphs


@pytest.mark.parametrize("piece", ["<a ", "<![", "<", "&#", "<!--", "<p>", "<div>", "<table><tr>", "</"])
def test_hostile_markup_is_read_in_bounded_time(piece: str) -> None:
    started = time.process_time()
    strip_tags(piece * 20_000)
    assert time.process_time() - started < 5


@settings(deadline=None)  # the first page pays for loading the parser
@given(st.text(alphabet=st.characters() | st.sampled_from("<>/&;!-'\"= pab")))
def test_any_page_can_be_read(page: str) -> None:
    assert isinstance(extract_article(page), str)


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

"""reading/html.py: web pages into articles."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reading.support import cases, why
from unspun.reading.html import declared_encoding, extract_article, strip_tags


@pytest.mark.parametrize("case", cases("pages.toml"), ids=why)
def test_what_is_seen_of_a_page(case: dict[str, str]) -> None:
    assert strip_tags(case["page"]) == case["text"]


def test_an_article_comes_without_what_surrounds_it() -> None:
    paragraphs = [f"Paragraph {n} of the article says a good deal about the harbour." for n in range(12)]
    page = (
        "<html><body><nav><a href=/>Home</a> <a href=/about>About us</a></nav><article>"
        + "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
        + "</article><footer>All rights reserved</footer></body></html>"
    )
    assert extract_article(page).split("\n") == paragraphs


@pytest.mark.parametrize("piece", ["<a ", "<![", "<", "&#", "<!--", "<p>", "<div>", "<table><tr>", "</"])
def test_hostile_markup_takes_no_time(piece: str) -> None:
    started = time.process_time()
    strip_tags(piece * 20_000)
    assert time.process_time() - started < 5


@settings(deadline=None)  # the first page pays for loading the parser
@given(st.text(alphabet=st.characters() | st.sampled_from("<>/&;!-'\"= pab")))
def test_no_page_raises(page: str) -> None:
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
def test_the_encoding_that_a_page_declares(page: bytes, name: str | None) -> None:
    assert declared_encoding(page) == name

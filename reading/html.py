"""Reduces a web page to its article."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Any

UNSEEN = {"iframe", "noscript", "script", "select", "style", "svg", "template", "textarea", "title"}
INLINE = {
    *(
        "a",
        "abbr",
        "b",
        "bdi",
        "bdo",
        "cite",
        "code",
        "data",
        "dfn",
        "em",
        "font",
        "i",
        "kbd",
        "label",
        "mark",
    ),
    *("q", "s", "samp", "small", "span", "strong", "sub", "sup", "time", "u", "var", "wbr"),
}
DECLARED = re.compile(rb"""(?i)<meta[^>]{0,200}?charset\s{0,9}=\s{0,9}["']?\s{0,9}([\w.:-]{2,40})""")


def declared_encoding(page: bytes) -> str | None:
    """Return the codec name that a page declares in its first 2,048 bytes, None where it declares none."""
    found = DECLARED.search(page[:2048])
    return found[1].decode("ascii", "replace") if found else None


def extract_article(page: str) -> str:
    """Return the article of a page as plain text, paragraphs on lines of their own.

    Where no article is found, all the text of the page; empty where it has none. Never raises for bad HTML.
    """
    return _trafilatura(page) or strip_tags(page)


class Page(str):
    """The HTML of a page whose article is still to be looked for, which takes longer than all other reading.

    A reader that makes these (`Reader(..., article=Page)`) leaves that to those who score, of whom there may be many.
    """

    __slots__ = ()

    def article(self) -> str:
        """Return the article of the page."""
        return extract_article(str(self))


def strip_tags(page: str) -> str:
    """Return all text of a page that a reader sees, a line for each block; empty where it has none."""
    # lxml, since html.parser takes minutes over 60 KB of "<a <a <a" and raises on "<![<![".
    from lxml import etree  # type: ignore[import-untyped]

    if not page.strip():
        return ""
    parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True)
    root = etree.fromstring(page.encode("utf-8", "replace"), parser)
    if root is None:
        return ""
    text = "".join(_visible(root))
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def _visible(root: Any) -> Iterator[str]:
    from lxml import etree

    unseen = 0
    for event, element in etree.iterwalk(root, events=("start", "end")):
        hidden, inline = element.tag in UNSEEN, element.tag in INLINE
        unseen += hidden if event == "start" else -hidden
        if not inline:
            yield "\n"
        text = element.text if event == "start" else element.tail
        if text and not unseen:
            # White space in a page is only space; line ends come from blocks.
            yield text.replace("\n", " ")


def _trafilatura(page: str) -> str | None:
    import trafilatura  # slow to import, and most runs read no HTML

    for name in ("trafilatura", "htmldate", "courlan"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        text = trafilatura.extract(page, include_comments=False)
    except Exception:  # a parser three libraries deep; the plain text of the page is still there
        return None
    return text if text and not text.isspace() else None

"""Extracts the article of a web page."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Any

HIDDEN = ("iframe", "noscript", "script", "select", "style", "svg", "template", "textarea", "title")
INLINE = frozenset(
    [
        *("a", "abbr", "b", "bdi", "bdo", "cite", "code", "data", "dfn", "em", "font", "i", "kbd", "label", "mark"),
        *("q", "s", "samp", "small", "span", "strong", "sub", "sup", "time", "u", "var", "wbr"),
    ]
)
DECLARED = re.compile(rb"""(?i)<meta[^>]{0,200}?charset\s{0,9}=\s{0,9}["']?\s{0,9}([\w.:-]{2,40})""")


def declared_encoding(page: bytes) -> str | None:
    """Return the encoding that a page declares in its first 2,048 bytes, None if it declares none."""
    found = DECLARED.search(page[:2048])
    return found[1].decode("ascii", "replace") if found else None


def extract_article(page: str) -> str:
    """Return the article of an HTML page as plain text, one paragraph per line.

    If there is no article, return all text of the page, which may be empty. Never raises for malformed HTML.
    """
    return _trafilatura(page) or strip_tags(page)


class Page(str):
    """The HTML of a page whose article has not been extracted yet, because that is the slowest part of reading.

    `Reader(..., article=Page)` leaves the extraction to the processes that score.
    """

    __slots__ = ()

    def article(self) -> str:
        """Return the article of the page."""
        return extract_article(str(self))


def strip_tags(page: str) -> str:
    """Return all visible text of a page, one block per line; empty if it has none."""
    # lxml, because html.parser takes minutes for 60 KB of "<a <a <a" and raises on "<![<![".
    from lxml import etree  # type: ignore[import-untyped]

    if not page.strip():
        return ""
    parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True)
    root = etree.fromstring(page.encode("utf-8", "replace"), parser)
    if root is None:
        return ""
    lines = (" ".join(line.split()) for line in "".join(_visible(root)).split("\n"))
    return "\n".join(line for line in lines if line)


def _visible(root: Any) -> Iterator[str]:
    from lxml import etree

    hidden = 0
    for event, element in etree.iterwalk(root, events=("start", "end")):
        if element.tag in HIDDEN:
            hidden += 1 if event == "start" else -1
        if element.tag not in INLINE:
            yield "\n"
        text = element.text if event == "start" else element.tail
        if text and not hidden:
            # In HTML a line break in the source is a space; only blocks start new lines.
            yield text.replace("\n", " ")


def _trafilatura(page: str) -> str | None:
    import trafilatura  # slow to import, and most runs read no HTML

    for name in ("trafilatura", "htmldate", "courlan"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        text = trafilatura.extract(page, include_comments=False)
    except Exception:  # it may fail anywhere in three parsers; `strip_tags` is the fallback
        return None
    return text if text and not text.isspace() else None

"""Reads web pages: the text of the article, as a reader sees it."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import islice
from typing import Any, NamedTuple

from unspun.reading.records import NoTextError

DECLARED = re.compile(rb"""(?i)<meta[^>]{0,200}?charset\s{0,9}=\s{0,9}["']?\s{0,9}([\w.:-]{2,40})""")
MOST_ELEMENTS = 15_000
"""Elements of the largest page that goes through the extractor. It takes about ten seconds for so many, and forty
seconds for twice as many."""
NO_TEXT = "no text in this page"


class Article(NamedTuple):
    """The text of a page, one paragraph per line, and what was left out or repaired, as in `Record.repairs`."""

    text: str
    repairs: Mapping[str, int]


def declared_encoding(page: bytes) -> str | None:
    """Return the encoding that a page declares in its first 2,048 bytes, None if it declares none."""
    found = DECLARED.search(page[:2048])
    return found[1].decode("ascii", "replace") if found else None


def extract_article(page: str) -> Article:
    """Return the article of an HTML page, without what no reader sees.

    If there is no article, return all text of the page. Raises NoTextError if it has none,
    UnreadableError if its text cannot be read.
    """
    from unspun.reading.pages.clutter import leave_out_clutter
    from unspun.reading.pages.tree import parse
    from unspun.reading.pages.visibility import leave_out_hidden_text

    root = parse(page)
    if root is None:
        raise NoTextError(NO_TEXT)
    alive = list(root.iter())  # otherwise lxml makes a new object each time an element is looked at
    hidden = leave_out_hidden_text(root)
    leave_out_clutter(root)
    del alive
    is_large = any(True for _ in islice(root.iter(), MOST_ELEMENTS, None))
    text = _main_text(root) if is_large else _trafilatura(root) or _all_text(root)
    if not text:
        raise NoTextError(NO_TEXT)
    return Article(text, {"hidden": hidden} if hidden else {})


def visible_text(page: str) -> Article:
    """Return all text of an HTML page that a reader sees; empty if it has none."""
    from unspun.reading.pages.tree import parse
    from unspun.reading.pages.visibility import leave_out_hidden_text

    root = parse(page)
    if root is None:
        return Article("", {})
    hidden = leave_out_hidden_text(root)
    return Article(_all_text(root), {"hidden": hidden} if hidden else {})


class Page(str):
    """The HTML of a page whose article has not been extracted yet, because that is the slowest part of reading.

    `Reader(..., article=Page.later)` leaves the extraction to the processes that score.
    """

    __slots__ = ()

    @classmethod
    def later(cls, page: str) -> Article:
        """Return the page itself instead of its article."""
        return Article(cls(page), {})

    def article(self) -> Article:
        """Return the article of the page. Raises what extract_article raises."""
        return extract_article(str(self))


def _main_text(root: Any) -> str:
    """Return the text of a large page without its menus: that of its main part, if it says where that is."""
    for name in ("nav", "header", "footer", "aside"):
        for element in list(root.iter(name)):
            element.drop_tree()
    parts = [one for one in (root.find(".//article"), root.find(".//main")) if one is not None]
    texts = [_all_text(one) for one in (*parts, root)]
    return next((text for text in texts if 2 * len(text) > len(texts[-1])), texts[-1])


def _all_text(root: Any) -> str:
    """Return all text of a page, one block per line; empty if it has none."""
    lines = (" ".join(line.split()) for line in "".join(_pieces(root)).split("\n"))
    return "\n".join(line for line in lines if line)


def _pieces(root: Any) -> Iterator[str]:
    from lxml import etree  # type: ignore[import-untyped]

    from unspun.reading.pages.visibility import INLINE, NEVER_SHOWN

    for event, element in etree.iterwalk(root, events=("start", "end")):
        if element.tag not in INLINE:
            yield "\n"
        text = element.text if event == "start" else element.tail
        if text and not (event == "start" and element.tag in NEVER_SHOWN):
            # In HTML a line break in the source is a space; only blocks start new lines.
            yield text.replace("\n", " ")


def _trafilatura(root: Any) -> str | None:
    try:
        text = _trafilatura_extract()(root, include_comments=False)
    except Exception:  # it may fail anywhere in three parsers; `_all_text` is the fallback
        return None
    return text if text and not text.isspace() else None


@cache
def _trafilatura_extract() -> Callable[..., str | None]:
    import trafilatura  # slow to import, and most runs read no HTML

    for name in ("trafilatura", "htmldate", "courlan"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    return trafilatura.extract

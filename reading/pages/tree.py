"""Parses pages, including those whose elements are nested too deeply for the parser."""

from __future__ import annotations

import re
from typing import Any

from unspun.reading.pages.visibility import INLINE
from unspun.reading.records import UnreadableError

DEEPEST = 150
"""In a page that is nested too deeply, plain elements below this depth are left out, and their text stays."""
DEEPEST_STYLED = 400
"""The same for elements with attributes, which may hide their text."""
TAG = re.compile(r"<(/?)([a-zA-Z][^\s/<>]*+)([^<>]*+)>")
LINE_BREAKS = re.compile(r"<br>(?:\s*<br>)+")
VOID = frozenset(
    [
        *("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "p", "param", "script", "source"),
        *("style", "track", "wbr"),
    ]
)
"""Elements that do not nest."""


def parse(page: str) -> Any:
    """Return the root element of a page; None if it is empty. Raises UnreadableError."""
    # Some parsers allow a depth of 2,048, but the extractor takes minutes for that.
    root, is_too_deep = _parse(page)
    if is_too_deep:
        root, is_too_deep = _parse(_flattened(page), huge=True)
    if is_too_deep:
        raise UnreadableError("the page's elements are nested too deeply to be read")
    return root


def _parse(page: str, *, huge: bool = False) -> tuple[Any, bool]:
    """Return the root element, and whether the parser gave up because of the depth: at 256, or 2,048 if `huge`."""
    # lxml, because html.parser takes minutes for 60 KB of "<a <a <a" and raises on "<![<![".
    from lxml import etree  # type: ignore[import-untyped]
    from lxml.html import HTMLParser, document_fromstring  # type: ignore[import-untyped]

    parser = HTMLParser(
        encoding="utf-8",
        remove_comments=True,
        remove_pis=True,
        huge_tree=huge,
        collect_ids=False,
        default_doctype=False,
    )
    try:
        root = document_fromstring(page.encode("utf-8", "replace"), parser=parser)
    except etree.ParserError:  # there are no elements in it
        root = None
    return root, any("depth" in error.message for error in parser.error_log.filter_from_fatals())


def _flattened(page: str) -> str:
    """Return a page without the tags of deeply nested elements; those that start lines become line breaks."""
    opened: dict[str, list[bool]] = {}
    depth = 0

    def kept(found: re.Match[str]) -> str:
        nonlocal depth
        closing, tag, attributes = found[1], found[2].lower(), found[3]
        if tag in VOID or attributes.endswith("/"):
            return found[0]
        stack = opened.setdefault(tag, [])
        if closing:
            if not stack:
                return ""
            is_kept = stack.pop()
            depth -= is_kept
        else:
            is_kept = depth < (DEEPEST_STYLED if attributes.strip() else DEEPEST)
            depth += is_kept
            stack.append(is_kept)
        if is_kept:
            return found[0]
        return "" if tag in INLINE else "<br>"

    return LINE_BREAKS.sub("<br>", TAG.sub(kept, page))

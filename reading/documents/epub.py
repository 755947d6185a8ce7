"""Reads EPUB: the chapters of a book in reading order, as one document."""

from __future__ import annotations

import posixpath
import re
from typing import Any
from urllib.parse import unquote

from unspun.reading.documents.draft import Draft
from unspun.reading.documents.packages import Package, attribute, local
from unspun.reading.encodings import decode
from unspun.reading.html import declared_encoding, visible_text
from unspun.reading.records import UnreadableError

CONTAINER = "META-INF/container.xml"
PAGES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml")
NOTES = ("footnote", "footnotes", "endnote", "endnotes", "rearnote", "rearnotes", "note", "noteref", "pagebreak", "toc")
"""Values of epub:type of what interrupts a text, or is not part of it."""
EMPTY_ELEMENT = re.compile(r"<(?!(?:br|hr|img|input|link|meta|col|wbr|source|area|base|embed)\b)(\w+)(\s[^<>]*)?/>")


def read(data: bytes) -> Draft:
    """Return the text of a book, without notes and tables of contents. Raises UnreadableError."""
    package = Package(data, "EPUB")
    if CONTAINER not in package:
        raise package.mistaken(CONTAINER)
    root = next((attribute(element, "full-path") for element in package.xml(CONTAINER).iter("{*}rootfile")), None)
    if not root:
        raise package.broken(f"{CONTAINER} names no book")
    chapters = _chapters(package, root)
    encrypted = _encrypted(package)
    draft = Draft()
    for name in chapters:
        if name in encrypted:
            raise UnreadableError("encrypted (digital rights management)")
        page = package.read(name)
        article = visible_text(_prepared(decode(page, declared_encoding(page))))
        for line in article.text.split("\n"):
            draft.add(line)
        draft.repairs.update(article.repairs)
    return draft


def _chapters(package: Package, root: str) -> list[str]:
    """Return the names of the chapters in reading order."""
    book = package.xml(root)
    pages: dict[str, str] = {}
    for item in book.iter("{*}item"):
        navigation = "nav" in (attribute(item, "properties") or "").split()
        if attribute(item, "media-type") in PAGES and not navigation:
            name = posixpath.join(posixpath.dirname(root), unquote(attribute(item, "href") or ""))
            pages[attribute(item, "id") or ""] = posixpath.normpath(name)
    # What is not linear, such as notes, is reached by links only.
    refs = [attribute(ref, "idref") or "" for ref in book.iter("{*}itemref") if attribute(ref, "linear") != "no"]
    chapters = list(dict.fromkeys(pages[ref] for ref in refs if ref in pages))
    if not chapters:
        raise package.broken(f"{root} lists no chapters")
    return chapters


def _encrypted(package: Package) -> set[str]:
    """Return the names of encrypted files. In many books these are only fonts."""
    name = "META-INF/encryption.xml"
    if name not in package:
        return set()
    return {unquote(attribute(element, "URI") or "") for element in package.xml(name).iter("{*}CipherReference")}


def _prepared(page: str) -> str:
    """Return a chapter as HTML, without notes and the marks that refer to them."""
    from lxml import etree, html  # type: ignore[import-untyped]

    # In XHTML `<title/>` is an element without content; in HTML it would swallow the page.
    page = EMPTY_ELEMENT.sub(r"<\1\2></\1>", page)
    if not any(f'"{note}"' in page or f"'{note}'" in page or "doc-" in page for note in NOTES):
        return page
    root = html.document_fromstring(page.encode("utf-8"), parser=html.HTMLParser(encoding="utf-8", huge_tree=True))
    for element in list(root.iter(etree.Element)):
        if _is_note(element) and element.getparent() is not None:
            element.drop_tree()
    return str(html.tostring(root, encoding="unicode"))


def _is_note(element: Any) -> bool:
    kinds = f"{element.get('epub:type') or ''} {(element.get('role') or '').replace('doc-', '')}".split()
    return local(element) not in ("html", "body") and any(kind in NOTES for kind in kinds)

"""Reads ODT, the format of LibreOffice.

As in DOCX, text is read as a reader sees it: notes, comments, deleted revisions and hidden text are left out.
"""

from __future__ import annotations

from typing import Any

from unspun.reading.documents.draft import Draft
from unspun.reading.documents.looks import PLAIN, SMALLEST, Look, is_white, resolve
from unspun.reading.documents.packages import ENCRYPTED, Package, attribute, local
from unspun.reading.records import UnreadableError

NOT_READ = frozenset(
    [
        *("note", "annotation", "annotation-end", "tracked-changes", "page-number", "hidden-paragraph", "hidden-text"),
        *("ruby-text", "forms", "sequence-decls", "object", "title", "desc", "event-listeners"),
    ]
)


def read(data: bytes) -> Draft:
    """Return the text of an ODT file. Raises UnreadableError."""
    package = Package(data, "ODT")
    if "content.xml" not in package:
        raise package.mistaken("content.xml")
    manifest = "META-INF/manifest.xml"
    if manifest in package and b"encryption-data" in package.read(manifest):
        raise UnreadableError(ENCRYPTED)
    root = package.xml("content.xml")
    body = next((part for element in root if local(element) == "body" for part in element), None)
    if body is None or local(body) != "text":
        raise UnreadableError("not an ODT file but another document of LibreOffice; save it as ODT")
    styles: dict[str, tuple[Look, str | None]] = {}
    if "styles.xml" in package:
        _styles(package.xml("styles.xml"), styles)
    _styles(root, styles)
    walk = _Walk(resolve(styles))
    walk.blocks(body, PLAIN)
    return walk.draft


def _styles(root: Any, styles: dict[str, tuple[Look, str | None]]) -> None:
    for group in root:
        if local(group) in ("automatic-styles", "styles"):
            for style in group:
                name = attribute(style, "name")
                if local(style) == "style" and name:
                    look = PLAIN
                    for properties in style:
                        look = _look(properties).over(look)
                    styles[name] = (look, attribute(style, "parent-style-name"))


def _look(properties: Any) -> Look:
    background = attribute(properties, "background-color")
    shaded = None if background is None else not (background == "transparent" or is_white(background))
    if local(properties) != "text-properties":
        return Look(shaded=shaded)
    display = attribute(properties, "display")
    size = attribute(properties, "font-size") or ""
    try:
        tiny = float(size.removesuffix("pt")) < SMALLEST if size.endswith("pt") else None
    except ValueError:
        tiny = None
    return Look(None if display is None else display == "none", is_white(attribute(properties, "color")), tiny, shaded)


class _Walk:
    """Collects the paragraphs of a document."""

    def __init__(self, styles: dict[str, Look]) -> None:
        self.draft = Draft()
        self._styles = styles

    def blocks(self, parent: Any, look: Look) -> None:
        """Read paragraphs, lists, tables and what contains them."""
        for element in parent:
            name = local(element)
            if name in ("p", "h"):
                shown: list[str] = []
                boxes: list[Any] = []
                self._inline(element, self._named(element).over(look), shown, boxes)
                self.draft.add("".join(shown))
                for box in boxes:
                    # What is behind a text box is not known.
                    self.blocks(box, Look(shaded=True))
            elif name == "section" and attribute(element, "display") == "none":
                self.draft.hide("".join(element.itertext()))
            elif name not in NOT_READ:
                self.blocks(element, self._named(element).over(look))

    def _inline(self, parent: Any, look: Look, shown: list[str], boxes: list[Any]) -> None:
        self._text(parent.text, look, shown)
        for element in parent:
            match local(element):
                case "s":
                    shown.append(" ")
                case "tab":
                    shown.append(" ")
                case "line-break":
                    shown.append("\n")
                case "text-box":
                    boxes.append(element)
                case name if name not in NOT_READ:
                    self._inline(element, self._named(element).over(look), shown, boxes)
            self._text(element.tail, look, shown)

    def _text(self, text: str | None, look: Look, shown: list[str]) -> None:
        if text and look.hidden:
            self.draft.hide(text)
        elif text:
            # Line breaks of the XML are spaces.
            shown.append(text.replace("\n", " "))

    def _named(self, element: Any) -> Look:
        return self._styles.get(attribute(element, "style-name") or "", PLAIN)

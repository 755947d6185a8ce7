"""Reads DOCX, also with macros, which are never run, and in its strict form.

Text comes in the order of the file, as a reader sees it: deleted revisions and hidden text are left out, and inserted
revisions are kept. Footnotes, endnotes, comments, headers and footers are in files of their own, which are not read.
python-docx, the best-known reader, knows nothing of revisions, text boxes and hidden text, so this walks the XML.
"""

from __future__ import annotations

import posixpath
from typing import Any

from unspun.reading.documents.draft import Draft
from unspun.reading.documents.looks import PLAIN, SMALLEST, Look, is_white, resolve
from unspun.reading.documents.packages import Package, attribute, local

NOT_READ = frozenset(["del", "moveFrom", "pPr", "rPr", "sectPr", "tblPr", "trPr", "instrText", "delText", "rt"])
"""Elements that hold no text, or text that is not part of the document any more."""
OFF = ("0", "false", "off")


def read(data: bytes) -> Draft:
    """Return the text of a DOCX file. Raises UnreadableError."""
    package = Package(data, "DOCX")
    if "_rels/.rels" not in package:
        raise package.mistaken("word/document.xml")
    main = _target(package, "_rels/.rels", "officeDocument")
    root = package.xml(main) if main is not None and main in package else None
    if main is None or root is None or local(root) != "document":  # in a spreadsheet it is a workbook
        raise package.mistaken("word/document.xml")
    folder, name = posixpath.split(main)
    styles = _target(package, posixpath.join(folder, "_rels", f"{name}.rels"), "styles", folder)
    walk = _Walk(_styles(package.xml(styles)) if styles is not None and styles in package else {})
    walk.blocks(root, PLAIN)
    walk.end()
    return walk.draft


def _target(package: Package, relations: str, kind: str, folder: str = "") -> str | None:
    """Return the name of the file to which a relation of this kind points."""
    if relations not in package:
        return None
    for relation in package.xml(relations):
        if (attribute(relation, "Type") or "").endswith(f"/{kind}") and attribute(relation, "TargetMode") != "External":
            target = attribute(relation, "Target") or ""
            return posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
    return None


def _styles(root: Any) -> dict[str, Look]:
    styles: dict[str, tuple[Look, str | None]] = {}
    for style in root:
        if local(style) == "style":
            parent = next((attribute(child, "val") for child in style if local(child) == "basedOn"), None)
            look = PLAIN
            for child in style:
                if local(child) in ("pPr", "rPr"):
                    look = _look(child).over(look)
            styles[attribute(style, "styleId") or ""] = (look, parent)
    return resolve(styles)


def _look(properties: Any) -> Look:
    """Return what properties of a run, a paragraph or a cell say about how text looks."""
    vanished = white = tiny = shaded = None
    for element in properties:
        value = attribute(element, "val")
        match local(element):
            case "vanish":
                vanished = value not in OFF
            case "color":
                white = bool(is_white(value))
            case "sz":
                tiny = value is not None and value.isdecimal() and int(value) / 2 < SMALLEST
            case "shd":
                fill = attribute(element, "fill")
                shaded = not (fill in (None, "auto") or is_white(fill)) or value not in ("clear", "nil", None)
            case "highlight":
                shaded = value not in ("none", "white")
    return Look(vanished, white, tiny, shaded)


class _Walk:
    """Collects the paragraphs of a document."""

    def __init__(self, styles: dict[str, Look]) -> None:
        self.draft = Draft()
        self._styles = styles
        self._unfinished = ""
        """Text of paragraphs whose end was deleted: it belongs to the next one."""

    def blocks(self, parent: Any, look: Look) -> None:
        """Read paragraphs, tables and what contains them; each cell of a table is read by itself."""
        for element in parent:
            match local(element):
                case "p":
                    self._paragraph(element, look)
                case "AlternateContent":
                    self.blocks(_choice(element), look)
                case "background":  # white text may be seen on a coloured page
                    look = Look(shaded=not is_white(attribute(element, "color"))).over(look)
                case "tbl":
                    # The style of a table may colour its cells.
                    styled = any(local(child) == "tblStyle" for part in element[:1] for child in part)
                    self.blocks(element, Look(shaded=True if styled else None).over(look))
                case "tc":
                    own = next((_look(child) for child in element if local(child) == "tcPr"), PLAIN)
                    self.blocks(element, own.over(look))
                case name if name not in NOT_READ:
                    self.blocks(element, look)

    def end(self) -> None:
        """Add the last paragraph if its end was deleted."""
        self.draft.add(self._unfinished)

    def _paragraph(self, paragraph: Any, look: Look) -> None:
        properties = next((child for child in paragraph if local(child) == "pPr"), None)
        joined = False
        if properties is not None:
            look = _look(properties).over(self._named(properties, "pStyle")).over(look)
            for run_properties in properties:
                if local(run_properties) == "rPr":  # of the mark at the end
                    joined = any(local(child) in ("del", "moveFrom") for child in run_properties)
        shown: list[str] = []
        boxes: list[Any] = []
        self._inline(paragraph, look, shown, boxes)
        text = self._unfinished + "".join(shown)
        self._unfinished = text if joined else ""
        if not joined:
            self.draft.add(text)
        for box in boxes:
            # What is behind a text box is not known.
            self.blocks(box, Look(shaded=True))

    def _inline(self, parent: Any, look: Look, shown: list[str], boxes: list[Any]) -> None:
        for element in parent:
            match local(element):
                case "r" if "math" not in element.tag:
                    self._run(element, look, shown, boxes)
                case "t":
                    shown.append(element.text or "")
                case "AlternateContent":
                    self._inline(_choice(element), look, shown, boxes)
                case name if name not in NOT_READ:
                    self._inline(element, look, shown, boxes)

    def _run(self, run: Any, look: Look, shown: list[str], boxes: list[Any]) -> None:
        for properties in run:
            if local(properties) == "rPr":
                look = _look(properties).over(self._named(properties, "rStyle")).over(look)
        text: list[str] = []
        self._content(run, look, text, boxes)
        if look.hidden:
            self.draft.hide("".join(text))
        else:
            shown += text

    def _content(self, run: Any, look: Look, text: list[str], boxes: list[Any]) -> None:
        for element in run:
            match local(element):
                case "t":
                    text.append(element.text or "")
                case "tab" | "ptab":
                    text.append(" ")
                case "br" | "cr":
                    text.append("\n")
                case "noBreakHyphen":
                    text.append("-")
                case "txbxContent":
                    boxes.append(element)
                case "AlternateContent":
                    self._content(_choice(element), look, text, boxes)
                case "rubyBase":
                    self._inline(element, look, text, boxes)
                case name if name not in NOT_READ:
                    self._content(element, look, text, boxes)

    def _named(self, properties: Any, kind: str) -> Look:
        for element in properties:
            if local(element) == kind:
                return self._styles.get(attribute(element, "val") or "", PLAIN)
        return PLAIN


def _choice(alternatives: Any) -> Any:
    """Return the first of several forms of the same content: the others are for older programs."""
    return alternatives[0] if len(alternatives) else ()

"""Reads PDF with PDFium, the library of Chromium: the characters that can be seen, and where on the page they are.

`unspun.reading.documents.layout` makes text of them.
"""

from __future__ import annotations

import ctypes
import math
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from unspun.reading.documents import layout
from unspun.reading.documents.draft import Draft
from unspun.reading.documents.layout import Page, Word
from unspun.reading.documents.looks import SMALLEST
from unspun.reading.records import UnreadableError, optional

SPACES = frozenset(map(ord, " \t\r\n\xa0\u2002\u2003\u2009\u200b"))
HYPHEN = 2
"""What PDFium gives for a hyphen at the end of a line."""
LIGATURES = {0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl", 0xFB05: "st", 0xFB06: "st"}
# The letters of TeX before there was Unicode, in fonts that do not say what they show.
OLD_TEX = {11: "ff", 12: "fi", 13: "fl", 14: "ffi", 15: "ffl"}
OLD_TEX_SIGNS = str.maketrans({"\\": "“", "{": "–", "|": "—"})
NEW_TEX = {27: "ff", 28: "fi", 29: "fl", 30: "ffi", 31: "ffl", 16: "“", 17: "”", 21: "–", 22: "—"}
UNKNOWN = "\N{REPLACEMENT CHARACTER}"
# TeX draws an accent and then the letter below it.
ACCENTS = {"´": "\u0301", "¨": "\u0308", "ˆ": "\u0302", "˜": "\u0303", "˘": "\u0306", "˙": "\u0307", "˚": "\u030a"}
ACCENTS |= {"ˇ": "\u030c", "¸": "\u0327"}
WHITE = 0xF5
FEW = 25
"""Characters on a page with a picture of the whole page: below this, it is a scan with a stamp or a page number."""
MOST_UNKNOWN = 0.2
"""The share of characters without a meaning above which a document is not read."""


def read(data: bytes) -> Draft:
    """Return the text of a PDF file. Raises UnreadableError."""
    with optional("pypdfium2", "documents"):
        import pypdfium2.raw as pdfium

    if b"%PDF-" not in data[:1024]:
        raise UnreadableError("not a PDF file")
    document = pdfium.FPDF_LoadMemDocument64(data, len(data), None)
    if not document:
        if pdfium.FPDF_GetLastError() in (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY):
            raise UnreadableError("encrypted; save it without a password")
        raise UnreadableError("broken PDF: its structure cannot be read")
    number = pdfium.FPDF_GetPageCount(document)
    draft = Draft()
    pages, numbers, scanned, broken = [], [], 0, 0
    for index in range(number):
        handle = pdfium.FPDF_LoadPage(document, index)
        if not handle:
            broken += 1
            continue
        reader = _PageReader(pdfium, handle)
        pages.append(reader.page())
        numbers.append(index + 1)
        draft.hide(" ".join(reader.hidden))
        scanned += reader.is_scanned
        pdfium.FPDF_ClosePage(handle)
    if draft.repairs and not any(page.words for page in pages):
        raise UnreadableError("contains no text that can be seen")
    _check(pages, number, scanned, broken)
    if scanned:
        draft.repairs["scanned_page"] = scanned
    for parts in layout.paragraphs(pages):
        draft.add_from_pages((numbers[page - 1], part.replace("\xad", "")) for page, part in parts)
    return draft


def _check(pages: list[Page], number: int, scanned: int, broken: int) -> None:
    """Raise UnreadableError if the pages have no text, or none that can be understood."""
    if broken == number:
        raise UnreadableError("broken PDF: none of its pages can be read")
    characters = Counter(character for page in pages for word in page.words for character in word.text)
    total = characters.total()
    if scanned and (not total or scanned == number):
        raise UnreadableError(
            f"scanned: {_pages(scanned)} of images without text; add a text layer, for example with ocrmypdf"
        )
    if not total:
        raise UnreadableError(f"contains no text on {_pages(number)}")
    unknown = sum(count for character, count in characters.items() if _is_unknown(character))
    if unknown > MOST_UNKNOWN * total:
        raise UnreadableError(
            f"its fonts do not say which letters they show ({unknown:,} of {total:,}); make a new text layer, for "
            "example with ocrmypdf --force-ocr"
        )


def _pages(number: int) -> str:
    return f"{number:,} page{'s' * (number != 1)}"


def _is_unknown(character: str) -> bool:
    return character == UNKNOWN or unicodedata.category(character) in ("Co", "Cc", "Cn")


@dataclass(slots=True)
class _Style:
    """What the characters of one text object have in common."""

    size: float
    turned: int
    """Quarter turns against the clock; -1 if the text is not parallel to a side of the page."""
    font: int
    mode: int
    white: bool
    transparent: bool


@dataclass(slots=True)
class _Turned:
    """Words that run in one of the four directions."""

    words: list[Word] = field(default_factory=list)
    characters: int = 0


class _PageReader:
    """Reads the words of one page."""

    def __init__(self, pdfium: Any, handle: Any) -> None:
        self._pdfium = pdfium
        self._handle = handle
        self._styles: dict[int, _Style] = {}
        self._filled: list[tuple[float, float, float, float]] | None = None
        self.hidden: list[str] = []
        """Words that cannot be seen."""
        self.is_scanned = False
        box = pdfium.FS_RECTF()
        pdfium.FPDF_GetPageBoundingBox(handle, box)
        self._box = (box.left, box.bottom, box.right, box.top)

    def page(self) -> Page:
        """Return the page as it is read: turned so that most of its text is upright."""
        directions: dict[int, _Turned] = {}
        text_page = self._pdfium.FPDFText_LoadPage(self._handle)
        if text_page:
            self._characters(text_page, directions)
            self._pdfium.FPDFText_ClosePage(text_page)
        upright = {turned: found for turned, found in directions.items() if turned >= 0}
        turned = max(upright, key=lambda turned: upright[turned].characters, default=0)
        found = upright.get(turned, _Turned())
        if found.characters < FEW and self._is_picture:
            self.is_scanned = True
        corners = [_turn(x, y, turned) for x in self._box[::2] for y in self._box[1::2]]
        top, bottom = min(y for _, y in corners), max(y for _, y in corners)
        return Page(found.words, top, bottom)

    def _characters(self, text_page: Any, directions: dict[int, _Turned]) -> None:
        pdfium = self._pdfium
        unicode_of, object_of = pdfium.FPDFText_GetUnicode, pdfium.FPDFText_GetTextObject
        origin_of, box_of = pdfium.FPDFText_GetCharOrigin, pdfium.FPDFText_GetLooseCharBox
        x, y, box = ctypes.c_double(), ctypes.c_double(), pdfium.FS_RECTF()
        word: Word | None = None
        tex_fonts: set[int] = set()
        previous_turned, spaced, seen, was_seen = 0, True, True, True
        for index in range(pdfium.FPDFText_CountChars(text_page)):
            code = unicode_of(text_page, index)
            ligature = LIGATURES.get(code) or NEW_TEX.get(code)
            if code in OLD_TEX and not pdfium.FPDFText_IsGenerated(text_page, index):
                ligature = OLD_TEX[code]
            elif code in SPACES:
                spaced = True
                continue
            text_object = object_of(text_page, index)
            if not text_object:
                continue
            address = ctypes.addressof(text_object.contents)
            style = self._styles.get(address)
            if style is None:
                style = self._styles[address] = self._style(text_page, index, text_object)
            origin_of(text_page, index, x, y)
            box_of(text_page, index, box)
            if ligature and code in OLD_TEX:
                tex_fonts.add(style.font)
            seen = self._is_seen(style, x.value, y.value)
            character = ligature or ("-" if code == HYPHEN else chr(code) if code >= 0x20 else UNKNOWN)
            if not seen:
                if spaced or was_seen or not self.hidden:
                    self.hidden.append(character)
                else:
                    self.hidden[-1] += character
                spaced, was_seen, word = False, False, None
                continue
            turned = style.turned
            left, line = _turn(x.value, y.value, turned)
            right = max(_turn(box.right, box.top, turned)[0], _turn(box.left, box.bottom, turned)[0])
            if (
                word is not None
                and not spaced
                and turned == previous_turned
                and abs(line - word.y) < 0.05 * style.size
                and abs(style.size - word.size) < 0.1 * word.size
                and style.font == word.font
                and -style.size < left - word.x1 < 0.3 * style.size
            ):
                accent = ACCENTS.get(word.text[-1])
                if accent and left < word.x1 and character.isalpha():
                    word.text = word.text[:-1] + unicodedata.normalize("NFC", character + accent)
                else:
                    word.text += character
                word.x1 = max(word.x1, right)
            else:
                word = Word(character, left, right, line, style.size, style.font, spaced or not was_seen)
                directions.setdefault(turned, _Turned()).words.append(word)
            directions[turned].characters += 1
            previous_turned, spaced, was_seen = turned, False, True
        for found in directions.values() if tex_fonts else ():
            for word in found.words:
                if word.font in tex_fonts:
                    word.text = word.text.translate(OLD_TEX_SIGNS)

    def _style(self, text_page: Any, index: int, text_object: Any) -> _Style:
        pdfium = self._pdfium
        matrix = pdfium.FS_MATRIX()
        pdfium.FPDFText_GetMatrix(text_page, index, matrix)
        size = pdfium.FPDFText_GetFontSize(text_page, index) * math.hypot(matrix.c, matrix.d)
        angle = math.degrees(math.atan2(matrix.b, matrix.a)) / 90
        turned = round(angle) % 4 if abs(angle - round(angle)) < 0.05 else -1
        font = pdfium.FPDFTextObj_GetFont(text_object)
        red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
        colored = pdfium.FPDFPageObj_GetFillColor(text_object, red, green, blue, alpha)
        mode = pdfium.FPDFTextObj_GetTextRenderMode(text_object)
        filled = colored and mode in (pdfium.FPDF_TEXTRENDERMODE_FILL, pdfium.FPDF_TEXTRENDERMODE_FILL_CLIP)
        white = filled and min(red.value, green.value, blue.value) >= WHITE
        return _Style(
            size,
            turned,
            ctypes.addressof(font.contents) if font else 0,
            mode,
            bool(white),
            bool(filled and alpha.value == 0),
        )

    def _is_seen(self, style: _Style, x: float, y: float) -> bool:
        left, bottom, right, top = self._box
        if not (left - 1 <= x <= right + 1 and bottom - 1 <= y <= top + 1):
            return False
        if style.size < SMALLEST or style.transparent:
            return False
        if style.mode in (self._pdfium.FPDF_TEXTRENDERMODE_INVISIBLE, self._pdfium.FPDF_TEXTRENDERMODE_CLIP):
            # Text recognition lays invisible text over the picture of the page.
            return self._is_picture
        return bool(not style.white or self._is_filled(x, y))

    def _is_filled(self, x: float, y: float) -> bool:
        """Return whether something that is not white is drawn here, against which white text can be seen."""
        if self._filled is None:
            self._filled = []
            self._find_filled(
                [
                    self._pdfium.FPDFPage_GetObject(self._handle, index)
                    for index in range(self._pdfium.FPDFPage_CountObjects(self._handle))
                ]
            )
        return any(left <= x <= right and bottom <= y <= top for left, bottom, right, top in self._filled)

    def _find_filled(self, objects: list[Any]) -> None:
        pdfium = self._pdfium
        assert self._filled is not None
        for found in objects:
            kind = pdfium.FPDFPageObj_GetType(found)
            if kind == pdfium.FPDF_PAGEOBJ_PATH:
                mode, stroked = ctypes.c_int(), ctypes.c_int()
                pdfium.FPDFPath_GetDrawMode(found, mode, stroked)
                if not mode.value or self._is_white(found):
                    continue
            elif kind not in (pdfium.FPDF_PAGEOBJ_IMAGE, pdfium.FPDF_PAGEOBJ_SHADING, pdfium.FPDF_PAGEOBJ_FORM):
                continue
            bounds = self._bounds(found)
            if bounds is not None:
                self._filled.append(bounds)

    def _is_white(self, found: Any) -> bool:
        red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
        known = self._pdfium.FPDFPageObj_GetFillColor(found, red, green, blue, alpha)
        return bool(known) and (min(red.value, green.value, blue.value) >= WHITE or alpha.value == 0)

    def _bounds(self, found: Any) -> tuple[float, float, float, float] | None:
        left, bottom, right, top = (ctypes.c_float() for _ in range(4))
        if not self._pdfium.FPDFPageObj_GetBounds(found, left, bottom, right, top):
            return None
        return (left.value, bottom.value, right.value, top.value)

    @cached_property
    def _is_picture(self) -> bool:
        """Whether images cover most of the page."""
        pdfium = self._pdfium
        left, bottom, right, top = self._box
        covered = 0.0
        for index in range(min(pdfium.FPDFPage_CountObjects(self._handle), 1000)):
            found = pdfium.FPDFPage_GetObject(self._handle, index)
            if pdfium.FPDFPageObj_GetType(found) == pdfium.FPDF_PAGEOBJ_IMAGE:
                bounds = self._bounds(found)
                if bounds is not None:
                    width = min(bounds[2], right) - max(bounds[0], left)
                    height = min(bounds[3], top) - max(bounds[1], bottom)
                    covered += max(width, 0) * max(height, 0)
        return bool(covered > 0.5 * (right - left) * (top - bottom))


def _turn(x: float, y: float, turned: int) -> tuple[float, float]:
    """Return a point so that text with these quarter turns runs to the right, and lines follow downwards."""
    match turned:
        case 1:
            return y, x
        case 2:
            return -x, y
        case 3:
            return -y, -x
    return x, -y

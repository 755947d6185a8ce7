"""What a reader sees of a page: leaves out hidden text, and puts spaces where a browser shows gaps between words."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Any

from unspun.reading.pages.styles import Declarations, StyleSheet, style_sheet
from unspun.reading.records import UnreadableError

NEVER_SHOWN = frozenset(
    [
        *("script", "style", "template", "noscript", "noframes", "noembed", "iframe", "title", "head", "datalist"),
        *("canvas", "audio", "video", "textarea", "select", "svg", "annotation", "annotation-xml"),
    ]
)
"""Elements whose text no browser shows as text of the page. Leaving it out is no repair."""
INLINE = frozenset(
    [
        *("a", "abbr", "b", "bdi", "bdo", "cite", "code", "data", "dfn", "em", "font", "i", "ins", "kbd", "label"),
        *("mark", "q", "s", "samp", "small", "span", "strong", "sub", "sup", "time", "u", "var", "wbr"),
    ]
)
UNWRAPPED = INLINE - {"a", "abbr", "cite", "code", "data", "label", "q", "span", "time"}
"""Elements that say nothing about where the article is. The extractor may break a line at each of them."""
UNNAMED = "unnamed-span"
IN_SENTENCES = frozenset(["abbr", "cite", "data", "label", "output", "time"])
"""Elements that the extractor leaves out or cuts off, even inside sentences."""
FRAMES = frozenset(["div", "section", "article", "main", "body", "td", "figure", "header"])
"""Elements in which the extractor ignores text that is not in another element."""
BLOCKS = frozenset(["div", "p", "li", "section", "dd", "dt"])
"""Elements that start a line, unless their style puts them in a row."""
FOR_SCREEN_READERS = re.compile(
    r"(?i)(?:^|\s)(?:sr[-_]?only(?:-focusable)?|sr-text|screen-?reader(?:s|-text|-only|-response)?|"
    r"(?:u-|is-)?visually-?hidden(?:-focusable)?|u-hidden-?visually|hidden-visually|assistive-text|a11y-(?:hidden|text|only)|"
    r"element-invisible|(?:ui-helper-)?hidden-accessible|show-for-sr|off-?screen|aria-hidden)(?:$|\s)"
)
HIDING_CLASSES = frozenset(["d-none", "hidden", "invisible", "is-hidden", "hide", "uk-hidden", "opacity-0"])
"""Classes by which the usual style sheets in other files hide text on every screen."""
MENUS = frozenset(["a", "aside", "button", "footer", "form", "header", "nav"])
FEWEST = 50
"""Words, besides menus, of a page that shows a text. The text of a page with fewer is revealed by its scripts."""
ALIKE = 12
"""Difference of two colours, in each of red, green and blue (0 to 255), that no reader sees."""
LEAST = 0.05
"""Opacity or scale at which nobody sees anything."""
FAR = 999.0
"""Pixels that move text off the screen."""
ROW = 8
"""Elements of a word or two, side by side, that make a line of prose."""
WORDS_OF_ONE = 4
"""Most words, on average, of each of these."""

Colour = tuple[float, float, float]
WHITE: Colour = (255.0, 255.0, 255.0)
BLACK: Colour = (0.0, 0.0, 0.0)
LINK: Colour = (0.0, 0.0, 238.0)
COLOURS: dict[str, Colour] = {
    **{"white": WHITE, "black": BLACK, "silver": (192, 192, 192), "gray": (128, 128, 128), "grey": (128, 128, 128)},
    **{"red": (255, 0, 0), "maroon": (128, 0, 0), "yellow": (255, 255, 0), "olive": (128, 128, 0)},
    **{"lime": (0, 255, 0), "green": (0, 128, 0), "aqua": (0, 255, 255), "cyan": (0, 255, 255), "teal": (0, 128, 128)},
    **{"blue": (0, 0, 255), "navy": (0, 0, 128), "fuchsia": (255, 0, 255), "magenta": (255, 0, 255)},
    **{"purple": (128, 0, 128), "orange": (255, 165, 0), "lightgray": (211, 211, 211), "lightgrey": (211, 211, 211)},
    **{"whitesmoke": (245, 245, 245), "snow": (255, 250, 250), "ivory": (255, 255, 240), "azure": (240, 255, 255)},
    **{"ghostwhite": (248, 248, 255), "floralwhite": (255, 250, 240), "mintcream": (245, 255, 250)},
    **{"gainsboro": (220, 220, 220), "seashell": (255, 245, 238), "beige": (245, 245, 220), "linen": (250, 240, 230)},
    **{"aliceblue": (240, 248, 255), "honeydew": (240, 255, 240), "lightyellow": (255, 255, 224)},
}
LENGTH = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+))(px|pt|em|rem|ex|ch|%|vw|vh|vmin|vmax|cm|mm|in|pc)?(?![\w.])")
PIXELS = {"px": 1.0, "": 1.0, "pt": 4 / 3, "em": 16.0, "rem": 16.0, "ex": 8.0, "ch": 8.0, "pc": 16.0, "%": 12.0}
PIXELS |= {"vw": 12.8, "vh": 8.0, "vmin": 8.0, "vmax": 12.8, "cm": 37.8, "mm": 3.78, "in": 96.0}
"""Pixels of a unit; for per cent and the units of the window, in a window of usual size."""
NOTE = re.compile(r"[\[(]?(?:\d{1,3}(?:\s?[,–-]\s?\d{1,3}){0,9}|[a-z*†‡§¶]{1,2}|citation needed)[\])]?")
"""The mark of a note, or of several."""
ORDINALS = frozenset(["st", "nd", "rd", "th"])
NUMBERS = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)%?")


@dataclass(frozen=True)
class Look:
    """How the text of an element looks, from its style and the styles around it.

    `gone` says that nothing inside is shown, whatever its own style; `invisible` and `tiny` can be undone inside.
    `soft` says that the text is hidden only in a way in which scripts reveal text. `colour` and `ground` are None if
    unknown.
    """

    gone: bool = False
    soft: bool = False
    takes_room: bool = False
    invisible: bool = False
    tiny: bool = False
    indented: bool = False
    clear: bool = False
    colour: Colour | None = BLACK
    ground: Colour | None = WHITE

    @cached_property
    def is_hidden(self) -> bool:
        """Whether no reader sees the text."""
        return self.gone or self.invisible or self.tiny or self.indented or self.is_camouflaged

    @cached_property
    def of_link(self) -> Look:
        """The look of a link in such text, without a style of its own."""
        look = replace(self, colour=LINK, clear=False)
        return replace(look, takes_room=True) if look.is_camouflaged else look

    @cached_property
    def is_camouflaged(self) -> bool:
        """Whether the text is transparent or has the colour of its background."""
        return self.clear or (
            self.colour is not None
            and self.ground is not None
            and all(abs(a - b) <= ALIKE for a, b in zip(self.colour, self.ground, strict=True))
        )


@dataclass(slots=True)
class HiddenPiece:
    """A piece of text that no reader sees: the text of an element, or what follows it (`tail`)."""

    element: Any
    tail: bool
    words: int
    soft: bool
    takes_room: bool


class _Eye:
    """Looks at a page: finds its hidden text and the gaps between its words."""

    def __init__(self, root: Any) -> None:
        for template in root.iter("template"):
            if "shadowrootmode" in template.attrib:  # a browser shows these at once
                template.tag = "div"
        self.sheet: StyleSheet = style_sheet(root)
        self.is_styled_elsewhere = any("stylesheet" in (link.get("rel") or "").lower() for link in root.iter("link"))
        self.shows_article = any(not _is_ignored(one) for one in islice(root.iter("main", "article", "h1"), 50))
        self.has_dialog = any("dialog" in one.get("role", "") for one in root.iter("div", "section", "aside", "dialog"))
        self.hidden: list[HiddenPiece] = []
        self.gaps: list[tuple[Any, bool, bool]] = []
        self.lines: list[Any] = []
        self.in_rows: list[Any] = []
        self.words = 0
        self.prose = 0
        """Words that are shown, and those that are not in menus and the like."""
        self._menus = 0
        self._look(root)

    def _look(self, root: Any) -> None:
        from lxml import etree  # type: ignore[import-untyped]

        # The colours of a page whose styles are in other files are unknown.
        ground = None if self.is_styled_elsewhere else WHITE
        looks = [Look(ground=ground)]
        rows: list[bool] = [False]
        closed: Any = None
        for event, element in etree.iterwalk(root, events=("start", "end")):
            if closed is not None:
                if event == "end" and element is closed:
                    closed = None
                    self._read(element, looks[-1], tail=True)
                continue
            if event == "end":
                looks.pop()
                rows.pop()
                self._menus -= element.tag in MENUS
                if element is not root:
                    self._read(element, looks[-1], tail=True)
                continue
            if not isinstance(element.tag, str) or element.tag in NEVER_SHOWN:
                closed = element
                continue
            declared = self.sheet.declared(element)
            look = self._of(element, declared, looks[-1])
            looks.append(look)
            self._menus += element.tag in MENUS
            rows.append(_is_row(element, declared))
            if not look.gone and element is not root:
                self._note_gaps(element, declared, in_row=rows[-2])
            self._read(element, look, tail=False)

    def _read(self, element: Any, look: Look, *, tail: bool) -> None:
        text = element.tail if tail else element.text
        if not text or text.isspace():
            return
        words = len(text.split())
        if look.is_hidden:
            self.hidden.append(HiddenPiece(element, tail, words, look.soft, look.takes_room))
        else:
            self.words += words
            self.prose += 0 if self._menus else words

    def _of(self, element: Any, declared: Declarations, around: Look) -> Look:
        """Return how the text of an element looks; `around` is the look of its parent."""
        if around.gone:
            return around
        tag = element.tag
        attributes = element.attrib
        if not declared and not attributes and tag != "dialog":
            return around
        get = declared.get
        is_frame = tag in ("html", "body")
        display = get("display")
        gone = (
            display == "none"
            or (display is None and "hidden" in attributes)
            or (display is None and "popover" in attributes)
            or (display is None and tag == "dialog" and "open" not in attributes)
        ) and not is_frame  # scripts show a page that hides itself as a whole
        names = attributes.get("class")
        if names and not gone and not is_frame:
            gone = FOR_SCREEN_READERS.search(names) is not None and "not-sr-only" not in names
            if not gone and self.is_styled_elsewhere and display is None:
                gone = _has_hiding_class(names.split())
        if not gone and attributes.get("aria-hidden", "").strip().lower() == "true" and not is_frame:
            gone = not self._is_behind_a_dialog(element)
        if not gone and declared and not is_frame:
            gone = _is_out_of_sight(declared)
        soft = takes_room = False
        if not gone and declared and _is_transparent(declared):
            gone = soft = True
            takes_room = get("position") not in ("absolute", "fixed")
        if gone:
            return Look(gone=True, soft=soft, takes_room=takes_room)
        if not declared and tag not in ("font", "body", "td", "th", "table", "tr", "a"):
            return around
        if tag == "a" and not declared and "href" in attributes and "bgcolor" not in attributes:
            return around.of_link
        return self._inherited(element, declared, around)

    def _inherited(self, element: Any, declared: Declarations, around: Look) -> Look:
        """Return the look of an element whose style may be undone inside it."""
        get = declared.get
        invisible, soft, takes_room = around.invisible, around.soft, around.takes_room
        if (visibility := get("visibility")) is not None and visibility != "inherit":
            invisible = visibility in ("hidden", "collapse")
            soft = invisible
            takes_room = invisible and get("position") not in ("absolute", "fixed")
        tiny = around.tiny
        if (size := _font_size(declared)) is not None:
            tiny = size <= 1.0
        indented = around.indented
        if (indent := _pixels(get("text-indent"))) is not None:
            indented = indent <= -FAR
        colour, ground, clear = around.colour, around.ground, around.clear
        attributes = element.attrib
        if element.tag == "a" and "href" in attributes:
            colour, clear = LINK, False
        named = attributes.get({"font": "color", "body": "text"}.get(element.tag, "-"))
        if named is not None:
            colour, clear = _colour(named.strip().lower(), colour), False
        if (named := attributes.get("bgcolor")) is not None:
            ground = _colour(named.strip().lower(), ground)
        if "background" in attributes and element.tag in ("body", "table", "td", "tr", "th"):
            ground = None
        for name in ("color", "-webkit-text-fill-color"):
            if (value := get(name)) is not None:
                # Text that is cut out of a picture or a gradient is declared transparent, too.
                is_cut_out = "text" in (get("background-clip"), get("-webkit-background-clip"))
                clear = _is_clear(value) and not is_cut_out
                colour = None if is_cut_out else _colour(value, around.colour)
        look = replace(
            around,
            soft=soft,
            takes_room=takes_room,
            invisible=invisible,
            tiny=tiny,
            indented=indented,
            clear=clear,
            colour=colour,
            ground=_ground(declared, ground),
        )
        if look.is_camouflaged and get("position") not in ("absolute", "fixed"):
            return replace(look, takes_room=True)
        return look

    def _is_behind_a_dialog(self, element: Any) -> bool:
        """Return whether an element that assistive programs ignore is the page itself, behind an open dialog."""
        if self.shows_article or not any(True for _ in element.iter("main", "article", "h1", "p")):
            return False
        if any(True for _ in element.iter("main", "article", "h1")):
            return True
        parent = element.getparent()
        return parent is not None and parent.tag == "body" and self.has_dialog

    def _note_gaps(self, element: Any, declared: Declarations, *, in_row: bool) -> None:
        """Note where a browser shows a gap before or after an element, although no space is written there."""
        tag = element.tag
        display = declared.get("display", "")
        if tag in BLOCKS:
            row = in_row or display in ("inline", "inline-block", "inline-flex", "inline-grid", "table-cell")
            if row or declared.get("float") in ("left", "right"):
                self.in_rows.append(element)
            return
        if tag not in INLINE:
            return
        if not declared and not in_row:
            return
        if display in ("block", "flex", "grid", "list-item", "table", "table-row"):
            self.lines.append(element)
            return
        before, after = _room(declared, "left"), _room(declared, "right")
        boxed = in_row or display in ("inline-block", "inline-flex", "inline-grid", "table-cell")
        if not _starts_with(element, 1):
            after = after or (boxed and (_pixels(declared.get("width")) or 0) >= 2)
        elif boxed and _is_word(element):
            before = after = True
        elif not _starts_with(element, 2) and (element.tail or "")[:1].isalpha():  # the large first letter of a text
            before = after = False
        before = before or "space-before" in declared
        after = after or "space-after" in declared
        if before or after:
            self.gaps.append((element, before, after))


def leave_out_hidden_text(root: Any) -> int:
    """Remove what no reader sees from a page, and write the spaces that a browser shows; return the hidden words.

    Raises UnreadableError if nothing of the page is shown without its scripts.
    """
    eye = _Eye(root)
    hidden = eye.hidden
    if eye.prose < FEWEST and any(piece.soft for piece in hidden):
        eye.words += sum(piece.words for piece in hidden if piece.soft)
        hidden = [piece for piece in hidden if not piece.soft]
    count = sum(piece.words for piece in hidden)
    if not eye.words and count:
        raise UnreadableError(
            f"the page hides all of its text ({count:,} words) from readers; save it as a browser shows it"
        )
    _write_gaps(eye)
    for piece in hidden:
        _blank(piece)
    _tidy(root)
    return count


def _tidy(root: Any) -> None:
    """Remove what the extractor would misunderstand; it has rules of its own about styles and hidden elements."""
    from lxml import etree

    for element in list(root.iter(*NEVER_SHOWN - {"head", "title"})):
        if element.get("type") != "application/ld+json":  # pages that scripts fill keep their article there
            _drop(element)
    for element in root.iter():
        for name in ("aria-hidden", "style"):
            if name in element.attrib:
                del element.attrib[name]
        parent = element.getparent()
        if parent is None or parent.tag in FRAMES:
            continue
        if element.tag in IN_SENTENCES or (element.tag == "span" and not (element.get("class") or element.get("id"))):
            element.tag = UNNAMED
        elif element.tag == "q":
            _quote(element)
    for note in list(root.iter("sup")):
        # Without its place above the line, the number of a note would be the end of a word.
        mark = "".join(note.itertext()).strip()
        if NOTE.fullmatch(mark) and mark not in ORDINALS and not _text_before(note)[-1:].isdigit():
            _drop(note)
    for deleted in list(root.iter("del")):
        inserted = deleted.getnext()
        if inserted is not None and inserted.tag == "ins" and not (deleted.tail or "").strip():
            _drop(deleted)
    etree.strip_tags(root, *UNWRAPPED, UNNAMED)


def _quote(element: Any) -> None:
    """Write the quotation marks that a browser shows around a `<q>`."""
    element.text = f"“{element.text or ''}"
    if len(element):
        element[-1].tail = f"{element[-1].tail or ''}”"
    else:
        element.text += "”"
    element.tag = UNNAMED


def _blank(piece: HiddenPiece) -> None:
    blank = " " if piece.takes_room else ""
    if piece.tail:
        piece.element.tail = blank
    else:
        piece.element.text = blank


def _drop(element: Any) -> None:
    """Remove an element, and keep the text that follows it."""
    parent = element.getparent()
    if parent is None:
        return
    if element.tail:
        before = element.getprevious()
        if before is None:
            parent.text = (parent.text or "") + element.tail
        else:
            before.tail = (before.tail or "") + element.tail
    parent.remove(element)


def _write_gaps(eye: _Eye) -> None:
    from lxml import etree

    by_parent: dict[Any, list[Any]] = {}
    for element in eye.in_rows:
        by_parent.setdefault(element.getparent(), []).append(element)
    for elements in by_parent.values():
        if len(elements) < ROW or any(child.tag not in INLINE - {"a"} for one in elements for child in one):
            continue
        words = sum(len("".join(element.itertext()).split()) for element in elements)
        if 0 < words <= WORDS_OF_ONE * len(elements):
            for element in elements:
                element.tag = UNNAMED
                eye.gaps.append((element, True, True))
    for parent in {element.getparent() for element, _, _ in eye.gaps}:
        if parent.tag == "div" and all(child.tag in INLINE or child.tag in (UNNAMED, "br") for child in parent):
            parent.tag = "p"  # see FRAMES
    for element, before, after in eye.gaps:
        element.tag = UNNAMED
        if before and _ends_a_word(_text_before(element)):
            previous, parent = element.getprevious(), element.getparent()
            if previous is not None:
                previous.tail = f"{previous.tail or ''} "
            elif parent.text:
                parent.text = f"{parent.text} "
        if after and _starts_a_word(_text_after(element)):
            element.tail = f" {element.tail or ''}"
    for element in eye.lines:
        for_line = etree.Element("br")
        for_line.tail, element.tail = element.tail, None
        element.addnext(for_line)


def _text_before(element: Any) -> str:
    """Return the text before an element in its line, as far as the nearest piece."""
    while True:
        previous, parent = element.getprevious(), element.getparent()
        if previous is not None:
            return previous.tail or next(reversed([*previous.itertext()]), "")
        if parent.text or parent.tag not in INLINE | {UNNAMED}:
            return parent.text or ""
        element = parent


def _text_after(element: Any) -> str:
    """Return the text after an element in its line, as far as the nearest piece."""
    while not element.tail:
        following, parent = element.getnext(), element.getparent()
        if following is not None:
            return next(following.itertext(), "")
        if parent.tag not in INLINE | {UNNAMED}:
            return ""
        element = parent
    return str(element.tail)


def _ends_a_word(text: str) -> bool:
    """Return whether a space may follow a text: not after an opening bracket or quotation mark."""
    return not text or text[-1].isalnum() or text[-1] in ".,;:!?)]”’%"


def _starts_a_word(text: str) -> bool:
    """Return whether a space may precede a text: not before a comma or a full stop."""
    return not text or text[0].isalnum() or text[0] in "“‘([$£€#&"


def _is_word(element: Any) -> bool:
    """Return whether an element in a row is a word, not one of the letters into which a word is cut."""
    if _starts_with(element, 2):
        return True
    neighbours = [other for other in (element.getprevious(), element.getnext()) if other is not None]
    return bool(neighbours) and all(_starts_with(other, 2) for other in neighbours)


def _starts_with(element: Any, characters: int) -> bool:
    """Return whether an element has text of so many characters, without reading more of it."""
    for text in element.itertext():
        characters -= len(text.strip())
        if characters <= 0:
            return True
    return False


def _is_row(element: Any, declared: Declarations) -> bool:
    """Return whether the children of an element stand side by side."""
    display = declared.get("display", "")
    return display in ("flex", "inline-flex", "grid", "inline-grid") and "column" not in declared.get(
        "flex-direction", ""
    )


def _room(declared: Declarations, side: str) -> bool:
    """Return whether an inline element has a margin or padding on one side that looks like a space."""
    total = 0.0
    for name in ("margin", "padding"):
        value = declared.get(f"{name}-{side}")
        if value is None and (value := declared.get(name)) is not None:
            parts = value.split()
            place = {1: 0, 2: 1, 3: 1, 4: 1 if side == "right" else 3}.get(len(parts), 0)
            value = parts[place] if parts else None
        total += _pixels(value) or 0.0
    return total >= 2.0


def _is_ignored(element: Any) -> bool:
    """Return whether assistive programs ignore an element."""
    return any(one.get("aria-hidden", "").lower() == "true" for one in (element, *element.iterancestors()))


def _has_hiding_class(names: list[str]) -> bool:
    """Return whether a class hides an element, and no other shows it again on a larger screen."""
    hiding = HIDING_CLASSES.intersection(names)
    return bool(hiding) and not any(":" in name or re.match(r"d-(?:sm|md|lg|xl)-", name) for name in names)


def _is_out_of_sight(declared: Declarations) -> bool:
    """Return whether a style moves an element off the screen, cuts it off or gives it no size."""
    get = declared.get
    if get("content-visibility") == "hidden":
        return True
    for name in ("left", "right", "top", "bottom", "margin-left", "margin-top", "margin"):
        value = get(name, "")
        # A share of the width is how columns are laid side by side.
        moved = 0.0 if name.startswith("margin") and value.endswith("%") else _pixels(value) or 0.0
        if moved <= -FAR or (name in ("left", "top") and moved >= 4 * FAR):
            return True
    clips = "hidden" in (overflow := get("overflow", "") + get("overflow-x", "") + get("overflow-y", ""))
    if clips or "clip" in overflow:
        for name in ("height", "max-height", "width", "max-width"):
            if (size := _pixels(get(name))) is not None and size <= 1.0:
                return True
        indent = get("text-indent", "")
        if indent.endswith("%") and (_pixels(indent) or 0) >= 100 * PIXELS["%"]:
            return True
    if (clip := get("clip")) is not None and clip.startswith("rect"):
        edges = [_pixels(edge) for edge in re.split(r"[,\s]+", clip[5:].rstrip(") ").strip())]
        if len(edges) == 4:
            top, right, bottom, left = edges
            if None not in edges and (bottom - top <= 1 or right - left <= 1):  # type: ignore[operator]
                return True
    if (path := get("clip-path")) is not None and _is_cut_off(path):
        return True
    return _is_moved_away(get("transform", ""))


def _is_cut_off(path: str) -> bool:
    """Return whether a `clip-path` leaves nothing of an element."""
    numbers = NUMBERS.findall(path)
    if path.startswith("inset") and numbers:
        first = float(numbers[0].rstrip("%"))
        return numbers[0].endswith("%") and first >= 50
    if path.startswith(("circle", "ellipse")) and numbers:
        return float(numbers[0].rstrip("%")) == 0
    return path.startswith("polygon") and bool(numbers) and all(float(one.rstrip("%")) == 0 for one in numbers)


def _is_moved_away(transform: str) -> bool:
    """Return whether a `transform` shrinks or turns an element to nothing or moves it off the screen."""
    if re.search(r"rotate[xy]\(-?90deg", transform):
        return True
    for name, arguments in re.findall(r"(scale[xy3d]*|translate[xyz3d]*)\(([^)]*)\)", transform):
        values = [_pixels(value.strip()) for value in arguments.split(",")]
        if name.startswith("scale"):
            if any(value is not None and abs(value) < LEAST for value in values):
                return True
        elif any(
            value is not None and abs(value) >= FAR and not text.strip().endswith("%")
            for value, text in zip(values, arguments.split(","), strict=True)
        ):
            return True
    return False


def _is_transparent(declared: Declarations) -> bool:
    opacity = declared.get("opacity")
    if opacity is not None and (found := NUMBERS.match(opacity)) is not None:
        value = float(found[0].rstrip("%")) / (100 if found[0].endswith("%") else 1)
        if value < LEAST:
            return True
    shown = re.search(r"opacity\(\s*(\d*\.?\d+)", declared.get("filter", ""))
    return shown is not None and float(shown[1]) < LEAST


def _font_size(declared: Declarations) -> float | None:
    """Return the size of the letters in pixels; None if it is not declared or is named."""
    if (size := declared.get("font-size")) is not None:
        return _pixels(size)
    font = declared.get("font")
    if font is None:
        return None
    return next((_pixels(part.partition("/")[0]) for part in font.split() if not part.isdigit() or part == "0"), None)


def _pixels(value: str | None) -> float | None:
    """Return a length in pixels; None if it is none."""
    if value is None or (found := LENGTH.match(value)) is None:
        return None
    return float(found[1]) * PIXELS[found[2] or ""]


def _ground(declared: Declarations, around: Colour | None) -> Colour | None:
    """Return the colour behind an element; None if it is unknown, such as that of a picture."""
    ground = around
    for name in ("background", "background-color"):
        value = declared.get(name)
        if value is None:
            continue
        if "url(" in value or "gradient" in value:
            ground = None
        elif name == "background":
            parts = re.findall(r"[\w#-]+(?:\([^)]*\))?", value)
            known = [part for part in parts if _is_clear(part) or _parsed(part) is not None]
            ground = _colour(known[0], ground) if known else (None if "var(" in value else ground)
        else:
            ground = _colour(value, ground)
    if declared.get("background-image", "none") not in ("none", "initial", "unset"):
        ground = None
    return ground


def _colour(value: str, around: Colour | None) -> Colour | None:
    """Return a colour; `around` if the value is inherited or transparent, None if it is unknown."""
    if value in ("inherit", "currentcolor", "unset", "revert", "none") or _is_clear(value):
        return around
    if value == "initial":
        return BLACK
    return _parsed(value)


def _is_clear(value: str) -> bool:
    if value == "transparent":
        return True
    if value.startswith(("rgb", "hsl")):
        numbers = NUMBERS.findall(value.partition("(")[2])
        if len(numbers) == 4:
            return float(numbers[3].rstrip("%")) / (100 if numbers[3].endswith("%") else 1) < LEAST
    return value.startswith("#") and ((len(value) == 9 and value[7] == "0") or (len(value) == 5 and value[4] == "0"))


def _parsed(value: str) -> Colour | None:
    if value in COLOURS:
        return COLOURS[value]
    if re.fullmatch(r"#?[0-9a-f]{6}(?:[0-9a-f]{2})?", value):
        digits = value.lstrip("#")
        return (float(int(digits[:2], 16)), float(int(digits[2:4], 16)), float(int(digits[4:6], 16)))
    if re.fullmatch(r"#[0-9a-f]{3,4}", value):
        return (float(17 * int(value[1], 16)), float(17 * int(value[2], 16)), float(17 * int(value[3], 16)))
    numbers = NUMBERS.findall(value.partition("(")[2])
    if value.startswith("rgb") and len(numbers) >= 3:
        red, green, blue = (float(one.rstrip("%")) * (2.55 if one.endswith("%") else 1) for one in numbers[:3])
        return (red, green, blue)
    if value.startswith("hsl") and len(numbers) >= 3:
        import colorsys

        hue, saturation, lightness = (float(one.rstrip("%")) for one in numbers[:3])
        shades = colorsys.hls_to_rgb(hue % 360 / 360, lightness / 100, saturation / 100)
        return (255 * shades[0], 255 * shades[1], 255 * shades[2])
    return None

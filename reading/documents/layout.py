"""Makes text of words that are placed on pages: columns, lines and paragraphs in reading order.

What a reader skips is left out: running heads, page numbers, line numbers in the margin, footnotes and their marks.
Coordinates are in points, to the right and downwards.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

NOTE_MARK = re.compile(r"[(\[]?(?:\d{1,3}|[*†‡§¶a-z])(?:[,–-]\s?\d{1,3})*[)\]]?[,.]?|[*†‡§¶]{1,4}")
PAGE_NUMBER = re.compile(
    r"(?:(?:https?|file)://\S+\s+)?"  # a browser prints the address beside it
    r"[\W_]*(?:page|p\.?|pg\.?)?\s*(?:\d{1,4}|[ivxlc]{1,7})(?:\s*(?:of|/|\|)\s*\d{1,4})?[\W_]*",
    re.IGNORECASE,
)
NOTE_START = re.compile(r"[(\[]?(?:\d{1,3}|[*†‡§¶]{1,3})[)\].]?(?:\s|$|(?=[A-Z\"“‘]))")
BULLET = re.compile(r"[•●▪◦‣·*]\s")
LIST_ITEM = re.compile(r"(?:[–—-]|[(\[]?(?:\d{1,3}|[A-Za-z]|[ivxIVX]{1,4})[.)\]])\s")
CAPTION = re.compile(r"(?:fig(?:ure|\.)?|table|photo(?:graph)?|image|source|picture|plate|chart|box)\b", re.IGNORECASE)
LEADER = re.compile(r"(?:\.\s?){5}")
NUMBERED_CAPTION = re.compile(rf"{CAPTION.pattern}\s*\d+\s*[.:]", re.IGNORECASE)
SENTENCE_END = re.compile(r"""[.!?:…]["'”’)\]»]*$""")
HYPHENS = ("-", "\u2010", "\xad")
DASHES = ("\u2013", "\u2014")
# Words before a hyphen that stays: hyphenation does not cut a word behind them.
BEFORE_HYPHEN = frozenset(
    [
        *("self", "well", "half", "full", "long", "high", "front"),
        *("two", "three", "four", "five", "six", "seven", "eight", "nine"),
        *("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"),
    ]
)
ENDING = re.compile(r"(?:teen|t?y|ties|ish|er|ers|est|ing|ly|ness|ment|some|ward|ways?|land|ity|evity|itude)\b")
"""Ends of words, which follow without a hyphen even those."""
FEWEST_ROWS = 4
"""Rows on both sides of a gap that make columns of them."""
NARROWEST = (0.18, 7.0)
"""The width of a column, in parts of the page and in letters; less is a column of numbers, labels or bullets."""
TOP = 0.15
"""The part of a page in which its head stands."""
NEAR = 4
"""Points by which the height of running heads may differ."""
MOST_BETWEEN = 4
"""Paragraphs that may interrupt another one."""
MOST_ROWS_BESIDE = (10, 0.2)
"""The least number of rows of a page with notes in its margin, and the part of them that the notes may be."""
EDGE = 3
"""Rows at the top and at the bottom of a page that may be running heads or feet."""


@dataclass(slots=True)
class Word:
    """A word, or a part of one in another font, between `x0` and `x1` on the line `y`.

    `spaced` is whether space precedes it in the file; `mark` whether it is a small number raised above the next word.
    """

    text: str
    x0: float
    x1: float
    y: float
    size: float
    font: int = 0
    spaced: bool = True
    mark: bool = False


@dataclass(slots=True)
class Page:
    """The words of a page in the order of the file, and where the page starts and ends."""

    words: list[Word]
    top: float
    bottom: float


@dataclass(slots=True)
class Line:
    """A line of a column, whose margins are `left` and `right` and whose lines are `leading` apart."""

    words: list[Word]
    left: float = 0.0
    right: float = 0.0
    leading: float = 0.0
    first: bool = False
    """Whether it is the first line of a column."""
    page: int = 0
    """The number of its page, from 1."""
    text: str = field(init=False)
    size: float = field(init=False)
    y: float = field(init=False)

    def __post_init__(self) -> None:
        self.words.sort(key=lambda word: word.x0)
        sizes = Counter[float]()
        for word in self.words:
            sizes[round(word.size, 1)] += len(word.text)
        self.size = sizes.most_common(1)[0][0]
        self.y = max(self.words, key=lambda word: len(word.text)).y
        gaps = [after.x0 - before.x1 for before, after in pairwise(self.words)]
        # In a justified line all spaces are wide.
        wide = max(2.5 * self.size, 2.5 * min(gaps, default=0.0)) if len(gaps) > 1 else 4 * self.size
        parts = [self.words[0].text]
        for gap, word in zip(gaps, self.words[1:], strict=True):
            parts += ["\t" if gap > wide else " ", word.text]
        self.text = "".join(parts)

    @property
    def x0(self) -> float:
        """Where it starts."""
        return self.words[0].x0

    @property
    def x1(self) -> float:
        """Where it ends."""
        return self.words[-1].x1

    @property
    def is_row(self) -> bool:
        """Whether it looks like a row of a table, or of contents."""
        return "\t" in self.text or bool(LEADER.search(self.text))

    def fonts(self) -> set[int]:
        """Return the fonts of its words."""
        return {word.font for word in self.words}


def paragraphs(pages: Sequence[Page]) -> list[list[tuple[int, str]]]:
    """Return the paragraphs of a document in reading order: each in parts, with the numbers of their pages, from 1."""
    for page in pages:
        page.words = join_parts(page.words)
    join_initials(pages)
    remove_running_heads(pages)
    remove_line_numbers(pages)
    body = body_size(pages)
    lines: list[Line] = []
    note: Line | None = None
    # Notes in the margin come last.
    beside = [
        line
        for place, page in enumerate(pages, 1)
        for column, _ in columns(take_margin_notes(page))
        for line in column_lines(column, place)
    ]
    gutters = [x for page in pages for _, x in columns(page.words) if x is not None]
    for place, page in enumerate(pages, 1):
        for number, (column, _) in enumerate(columns(page.words, gutters)):
            found = column_lines(column, place)
            end = footnotes(found, body, note, follows=number > 0)
            note = found[-1] if end < len(found) else None
            lines += found[:end]
    return _Text(lines, body).paragraphs() + _Text(beside, body).paragraphs()


def join_parts(parts: Iterable[Word]) -> list[Word]:
    """Return whole words, without the marks that refer to notes. Other raised and lowered characters stay."""
    words: list[Word] = []
    for part in parts:
        before = words[-1] if words else None
        if before is not None and -0.5 * before.size < part.x0 - before.x1 < 0.6 * before.size:
            raised = before.y - part.y
            if 0.45 * before.size < part.size <= 0.85 * before.size and -0.5 * before.size < raised < 0.9 * before.size:
                if raised > 0.15 * before.size and NOTE_MARK.fullmatch(part.text):
                    before.x1 = max(before.x1, part.x1)
                    continue
                part.y = before.y
            elif 0.45 * part.size < before.size <= 0.85 * part.size and 0.1 * part.size < -raised < 0.9 * part.size:
                before.mark = bool(NOTE_MARK.fullmatch(before.text))
                before.y = part.y
            elif abs(raised) < (0.2 if part.spaced else 0.35) * part.size:
                part.y = before.y
            if not part.spaced and part.y == before.y and part.x0 - before.x1 < 0.3 * before.size and not before.mark:
                before.text += part.text
                before.x1 = max(before.x1, part.x1)
                before.size = max(before.size, part.size) if len(before.text) < 3 else before.size
                continue
        words.append(part)
    return words


def join_initials(pages: Sequence[Page]) -> None:
    """Join large first letters, which stand beside several lines, to the word that they begin."""
    body = body_size(pages)
    known = {word.text.lower() for page in pages for word in page.words}
    for page in pages:
        for initial in [word for word in page.words if word.size > 1.8 * body and len(word.text) < 3]:
            beside = [
                word
                for word in page.words
                if word.size < 1.3 * body
                and -1 < word.x0 - initial.x1 < body
                and initial.y - initial.size < word.y < initial.y - 0.5 * body
            ]
            if beside and initial.text[-1].isalpha():
                first = min(beside, key=lambda word: word.y)
                # "A" and "I" may be words, if what follows is one.
                apart = initial.text[-1] in "AI" and first.text.lower().strip(".,;:!?") in known - {first.text}
                first.text = initial.text + (" " if apart else "") + first.text
                first.x0 = initial.x0
                page.words = [word for word in page.words if word is not initial]


def rows(words: Iterable[Word]) -> list[list[Word]]:
    """Return words by the line that they are on, downwards and from left to right."""
    found: list[list[Word]] = []
    y = 0.0
    for word in sorted(words, key=lambda word: word.y):
        if found and word.y - y < 0.35 * min(word.size, found[-1][0].size):
            found[-1].append(word)
        else:
            found.append([word])
            y = word.y
    for row in found:
        row.sort(key=lambda word: word.x0)
    return found


def body_size(pages: Iterable[Page]) -> float:
    """Return the size of most letters."""
    sizes = _sizes(word for page in pages for word in page.words)
    return sizes.most_common(1)[0][0] if sizes else 0.0


def _sizes(words: Iterable[Word]) -> Counter[float]:
    """Count letters by their size, to half a point."""
    sizes = Counter[float]()
    for word in words:
        sizes[round(word.size * 2) / 2] += len(word.text)
    return sizes


# --- what is not part of the text


def remove_running_heads(pages: Sequence[Page]) -> None:
    """Remove rows that stand at the same height of several pages, apart from numbers, and page numbers."""
    edges: list[tuple[Page, list[list[list[Word]]]]] = []
    places = Counter[tuple[str, int, int]]()
    for page in pages:
        found = rows(page.words)
        sides = [found[:EDGE], found[::-1][:EDGE]]
        edges.append((page, sides))
        for side, candidates in enumerate(sides):
            for row in candidates:
                places[_without_numbers(row), side, round(row[0].y / NEAR)] += 1
    for number, page in enumerate(pages):
        if len(pages) == 1 or number:
            _remove_only_head(page, numbered=number > 0)
    for page, sides in edges:
        removed: set[int] = set()
        for side, candidates in enumerate(sides):
            for row in candidates:
                text = " ".join(word.text for word in row)
                head, near = _without_numbers(row), round(row[0].y / NEAR)
                same = sum(places[head, side, place] for place in (near - 1, near, near + 1))
                if not (same > 1 or PAGE_NUMBER.fullmatch(text)):
                    break
                removed.update(map(id, row))
        page.words = [word for word in page.words if id(word) not in removed]


def _remove_only_head(page: Page, *, numbered: bool) -> None:
    """Remove the first row of a page if it stands apart from the text, although no other page repeats it.

    If `numbered`, it must have a number at one end.
    """
    found = rows(page.words)
    steps = [below[0].y - above[0].y for above, below in pairwise(found)]
    if (
        len(steps) > 1
        and found[0][0].y < page.top + TOP * (page.bottom - page.top)
        and steps[0] > 1.5 * median(steps)
        and found[0][0].size <= 1.02 * body_size([page])
        and (not numbered or found[0][0].text[0].isdecimal() or found[0][-1].text[-1].isdecimal())
    ):
        page.words = [word for word in page.words if all(word is not head for head in found[0])]


def _without_numbers(row: Iterable[Word]) -> str:
    return re.sub(r"\d+|\b[ivxlc]+\b", "#", " ".join(word.text for word in row).lower())


def remove_line_numbers(pages: Sequence[Page]) -> None:
    """Remove numbers that count the lines in the left or right margin of a document, as in preprints and pleadings."""
    for side in (0, -1):
        found = [_margin_numbers(page, side) for page in pages]
        if not any(_counts(numbers) for numbers in found):
            continue
        bands = [_edge(word, side) for numbers in found if _counts(numbers) for word in numbers]
        low, high = min(bands) - 3, max(bands) + 3
        for page, numbers in zip(pages, found, strict=True):
            removed = {id(word) for word in numbers if low <= _edge(word, side) <= high}
            page.words = [word for word in page.words if id(word) not in removed]


def _edge(word: Word, side: int) -> float:
    """Return where a number ends in the left margin, or starts in the right one."""
    return word.x0 if side else word.x1


def _margin_numbers(page: Page, side: int) -> list[Word]:
    """Return the numbers that stand outside the text on one side, downwards."""
    outermost = [row[side] for row in rows(page.words)]
    numbers = [word for word in outermost if word.text.isdecimal() and len(word.text) < 5]
    others = [word for row in rows(page.words) for word in row if not word.text.isdecimal()]
    if not others or len(numbers) < 2:
        return numbers if not others else []
    # Text that is indented or centred does not say where the margin is: most rows do.
    if side:
        limit = sorted(word.x1 for word in others)[int(0.98 * len(others))]
        return [word for word in numbers if word.x0 >= limit]
    limit = sorted(word.x0 for word in others)[int(0.02 * len(others))]
    return [word for word in numbers if word.x1 <= limit]


def _counts(numbers: Sequence[Word]) -> bool:
    """Return whether numbers count lines: one by one, or every second, fifth or tenth."""
    steps = [int(below.text) - int(above.text) for above, below in pairwise(numbers)]
    if len(steps) < FEWEST_ROWS - 1:
        return False
    step, often = Counter(steps).most_common(1)[0]
    return step in (1, 2, 5, 10) and often >= 0.8 * len(steps)


def footnotes(lines: list[Line], body: float, before: Line | None, *, follows: bool) -> int:
    """Return the number of the line at which the footnotes of a column start; they are in smaller print.

    `before` is the last line of the footnotes in the column before, if it had any, which may go on in this one.
    `follows` says whether other columns of the page precede this one, which may then consist of footnotes only.
    """
    small = start = len(lines)
    while small and lines[small - 1].size < 0.93 * body:
        small -= 1
        if lines[small].words[0].mark or NOTE_START.match(lines[small].text):
            start = small
    if before is not None and not SENTENCE_END.search(before.text):
        start = small
    return start if start or follows else len(lines)


# --- columns


def columns(words: list[Word], gutters: Sequence[float] = ()) -> Iterator[tuple[list[list[Word]], float | None]]:
    """Yield the columns of a page in reading order, each as rows, with the position of the gap to its right, if any.

    `gutters` are the positions of gaps between columns elsewhere in the document.
    """
    found = rows(words)
    if not found:
        return
    gap = _gutter(found, gutters)
    if gap is None:
        yield found, None
        return
    start, end, x = gap
    middle = [word for row in found[start:end] for word in row]
    yield from columns(_words(found[:start]), gutters)
    left = list(columns([word for word in middle if word.x0 < x], gutters))
    yield from left[:-1]
    yield left[-1][0], x
    yield from columns([word for word in middle if word.x0 >= x], gutters)
    yield from columns(_words(found[end:]), gutters)


def _words(found: Iterable[list[Word]]) -> list[Word]:
    return [word for row in found for word in row]


def _gutter(found: list[list[Word]], gutters: Sequence[float]) -> tuple[int, int, float] | None:
    """Return the first row, the row after the last, and the position of the tallest gap between two columns."""
    left = min(row[0].x0 for row in found)
    right = max(max(word.x1 for word in row) for row in found)
    size = median(word.size for row in found for word in row)
    least = 0.7 * size
    narrowest = max(NARROWEST[0] * (right - left), NARROWEST[1] * size)
    inner = (left + narrowest, right - narrowest)
    for x in gutters:  # the last line of a right column may be a single word
        if inner[0] < x < right:
            inner = (inner[0], max(inner[1], x + least))
    best: tuple[tuple[int, int], int, int, float] | None = None
    gaps: dict[tuple[float, float], int] = {}
    for index in range(len(found) + 1):
        free = _free(found[index], least, inner) if index < len(found) else []
        following: dict[tuple[float, float], int] = {}
        for (low, high), start in gaps.items():
            whole = False
            for other_low, other_high in free:
                if other_low >= high:
                    break
                part = (max(low, other_low), min(high, other_high))
                if part[1] - part[0] >= least:
                    following[part] = min(start, following.get(part, start))
                    whole = whole or part == (low, high)
            if not whole:
                known = next((x for x in gutters if low <= x <= high), None)
                x = (low + high) / 2 if known is None else known
                support = _support(found[start:index], x)
                height = (support, index - start)
                # The last page may have a line or two in each column.
                least_support = FEWEST_ROWS if known is None else 1 if len(found) < 3 else 2
                if support >= least_support and (best is None or height > best[0]):
                    best = (height, start, index, x)
        for part in free:
            following[part] = min(index, following.get(part, index))
        gaps = following
    return None if best is None else best[1:]


def _free(row: list[Word], least: float, inner: tuple[float, float]) -> list[tuple[float, float]]:
    """Return the gaps of a row between `inner`, also those beside it, that are at least as wide as `least`."""
    free, end = [], float("-inf")
    for start, after in [*((word.x0, word.x1) for word in row), (float("inf"), 0.0)]:
        low, high = max(end, inner[0]), min(start, inner[1])
        if high - low >= least:
            free.append((low, high))
        end = max(end, after)
    return free


def _support(found: list[list[Word]], x: float) -> int:
    """Return the number of rows with text on the side of `x` that has fewer."""
    return min(sum(row[0].x0 < x for row in found), sum(row[-1].x0 >= x for row in found))


def take_margin_notes(page: Page) -> list[Word]:
    """Remove notes to the right of the text of a page, which few rows reach, and return their words."""
    found = rows(page.words)
    if len(found) < MOST_ROWS_BESIDE[0]:
        return []
    left = min(row[0].x0 for row in found)
    edge = sorted(row[-1].x1 for row in found)[int((1 - MOST_ROWS_BESIDE[1]) * len(found)) - 1]
    beside: list[list[Word]] = []
    for row in found:
        first = next((number for number, word in enumerate(row) if word.x0 > edge + 0.5 * word.size), len(row))
        inside = row[first - 1].x1 if first else float("-inf")
        if first < len(row) and row[first].x0 - inside > 0.6 * row[first].size and inside < edge + 1:
            beside.append(row[first:])
    if not beside or len(beside) > MOST_ROWS_BESIDE[1] * len(found):
        return []
    # A column of which only a few lines are used is as wide as the other one.
    if max(row[-1].x1 for row in beside) - min(row[0].x0 for row in beside) > 0.5 * (edge - left):
        return []
    notes = _words(beside)
    taken = set(map(id, notes))
    page.words = [word for word in page.words if id(word) not in taken]
    return notes


def column_lines(found: list[list[Word]], page: int = 0) -> list[Line]:
    """Return the lines of a column."""
    lines = [Line(row, page=page) for row in found]
    left = min(line.x0 for line in lines)
    right = max(line.x1 for line in lines)
    steps = [below.y - above.y for above, below in pairwise(lines) if below.y - above.y < 3 * above.size]
    leading = median(steps) if steps else 1.3 * lines[0].size
    for index, line in enumerate(lines):
        line.left, line.right, line.leading, line.first = left, right, leading, index == 0
    return lines


# --- paragraphs


@dataclass(slots=True)
class _Paragraph:
    """A paragraph in parts: its lines, each with what follows it, and the page of each."""

    parts: list[str]
    pages: list[int]
    size: float


class _Text:
    """Joins lines to paragraphs."""

    def __init__(self, lines: list[Line], body: float) -> None:
        self._lines = lines
        self._body = body
        sizes = _sizes(word for line in lines for word in line.words)
        self._largest = max((size for size, count in sizes.items() if count > 0.15 * sizes.total()), default=body)
        """The largest size of more than headings."""
        self._words: set[str] = set()
        """The words of the document, which say how a word is written that was cut at the end of a line."""
        for line in lines:
            self._words.update(word.text.strip(".,;:!?\"'()“”‘’").lower() for word in line.words[:-1])

    def paragraphs(self) -> list[list[tuple[int, str]]]:
        """Return the parts of each paragraph, each with its page."""
        found: list[_Paragraph] = []
        for index, line in enumerate(self._lines):
            joint = self._joint(self._lines[index - 1], line, found[-1]) if index else "\n\n"
            if joint == "\n\n":
                found.append(_Paragraph([line.text], [line.page], line.size))
            else:
                self._append(found[-1], _Paragraph([line.text], [line.page], line.size), joint)
        return [list(zip(one.pages, one.parts, strict=True)) for one in self._continued(found)]

    def _joint(self, above: Line, below: Line, paragraph: _Paragraph) -> str:
        """Return what separates two lines: a blank line, a line break or a space. The upper ends this paragraph."""
        if abs(below.size - above.size) > 0.08 * above.size or BULLET.match(below.text):
            return "\n\n"
        if above.text.endswith(HYPHENS) and below.text[0].islower():
            return " "
        if above.is_row or below.is_row:
            return "\n" if above.is_row and below.is_row and not below.first else "\n\n"
        ends = bool(SENTENCE_END.search(above.text))
        # The first word of the next line would have fitted, so the line was ended on purpose.
        short = above.x1 + 0.35 * above.size + _width(below.words[0]) < above.right - 0.3 * above.size
        if (ends or short) and LIST_ITEM.match(below.text):
            return "\n\n"
        indented = below.x0 - below.left > 0.7 * below.size
        if below.first:
            if NUMBERED_CAPTION.match(below.text) or (ends and CAPTION.match(paragraph.parts[0])):
                return "\n\n"
            if short or (ends and indented):
                return " " if below.text[:1].islower() else "\n\n"
            return " "
        heading = above.size > 1.08 * self._largest
        if below.y - above.y > (1.5 * above.size if heading else 1.2 * above.leading + 0.5):
            return "\n\n"
        if heading:
            return " "
        if indented and above.x0 - above.left < 0.5 * above.size and (ends or short):
            return "\n\n"
        if short:
            return "\n\n" if ends or above.fonts().isdisjoint(below.fonts()) else "\n"
        return " "

    def _append(self, paragraph: _Paragraph, more: _Paragraph, joint: str = " ") -> None:
        """Append lines to a paragraph. A word that is cut between them is made whole."""
        above, below = paragraph.parts[-1], more.parts[0]
        if joint == " " and above.endswith(DASHES) and not above[-2:-1].isspace():
            joint = ""
        elif joint == " " and above.endswith(HYPHENS) and below[:1].isalpha() and above[-2:-1].isalnum():
            first, second = _letters(above.split()[-1][:-1]), _letters(below.split()[0])
            kept = below[0].isupper() or self._keeps_hyphen(first.lower(), second.lower())
            above, joint = above[:-1], "-" if kept else ""
        paragraph.parts[-1] = above + joint
        paragraph.parts += more.parts
        paragraph.pages += more.pages

    def _keeps_hyphen(self, first: str, second: str) -> bool:
        if first + second in self._words:
            return False
        if f"{first}-{second}" in self._words:
            return True
        return "-" in first or not first.isalpha() or (first in BEFORE_HYPHEN and not ENDING.match(second))

    def _continued(self, found: list[_Paragraph]) -> list[_Paragraph]:
        """Join paragraphs that a figure, a caption or a heading interrupts: the interruption follows them."""
        waiting = list(reversed(found))
        done: list[_Paragraph] = []
        while waiting:
            paragraph = waiting.pop()
            between: list[_Paragraph] = []
            if self._is_body(paragraph) and not SENTENCE_END.search(paragraph.parts[-1]):
                while waiting and len(between) < MOST_BETWEEN and not self._is_body(waiting[-1]):
                    between.append(waiting.pop())
            if between and waiting and self._is_body(waiting[-1]) and waiting[-1].parts[0][:1].islower():
                self._append(paragraph, waiting.pop())
                waiting += [*reversed(between), paragraph]
            else:
                waiting += reversed(between)
                done.append(paragraph)
        return done

    def _is_body(self, paragraph: _Paragraph) -> bool:
        return abs(paragraph.size - self._body) < 0.06 * self._body and not CAPTION.match(paragraph.parts[0])


def _letters(word: str) -> str:
    """Return a word without the punctuation around it."""
    return re.sub(r"^\W+|\W+$", "", word)


def _width(word: Word) -> float:
    return word.x1 - word.x0

"""Removes running heads, page numbers and page breaks that stand inside sentences."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set
from itertools import pairwise
from typing import NamedTuple

from unspun.model.text.edits import Editor
from unspun.model.text.layouts.rows import RowEdits, is_broken

LONGEST_HEAD, LONGEST_NUMBER = 100, 30
"""Characters of a running head, and of a row with a page number."""
NEAREST_HEADS, MOST_IRREGULAR = 12, 3
"""Rows between two copies of a running head, at least, and how many times longer the longest page may be."""
NARROWEST_PAGE = 30
"""Characters of a full row of a page, at least."""
FULL = 0.7
"""Share of the width of a page from which a row is full. Only a full row is cut by a page break."""
MOST_INDENTED = 4
"""How far the indentation before and after a page break may differ, in characters."""

_NUMBER = re.compile(
    r"[ \t\f\u2013\u2014\[(|-]*(?:[Pp](?:age|AGE|g\.|\.)?[ \t]*)?(?:\d{1,4}|[ivxlc]{1,7})"
    r"(?:[ \t]*(?:of|/)[ \t]*\d{1,4})?[ \t\u2013\u2014\])|-]*$"
)
_NAME = re.compile(r"[ \t\f]*[\w\"'\u201c(\[|\u2013\u2014].*[^.:,;!?{}=<>`\s][ \t]*$")
_NOT_LETTERS = re.compile(r"[\W\d_]+")


class _Gap(NamedTuple):
    """A run of rows between two pages. `inside`: whether it interrupts a sentence."""

    heads: tuple[int, ...]
    before: int
    after: int
    inside: bool


def remove_running_heads(editor: Editor, rows: Sequence[str]) -> bool:
    """Remove page numbers and running heads that interrupt sentences, and close the gaps that they leave."""
    names = _repeated(rows)
    numbers = {i for i, row in enumerate(rows) if len(row) <= LONGEST_NUMBER and row.strip() and _NUMBER.match(row)}
    counted = _counted(rows, names)
    counting = {names[i] for i in counted}
    gaps = _gaps(rows, names.keys() | numbers, counted)
    occurring = Counter(names.values())
    interrupting = Counter(names[i] for gap in gaps if gap.inside for i in gap.heads if i in names)
    # The first head stands before the text, and the last page may end with a paragraph.
    sure = {
        name
        for name, count in interrupting.items()
        if 2 * count >= occurring[name] - 1 and (count >= 2 or name in counting or "\f" in editor.text)
    }
    numbered = sum(gap.inside for gap in gaps if numbers.issuperset(gap.heads)) >= 2
    edits = RowEdits(editor, rows)
    removed = 0
    for gap in gaps:
        if numbers.issuperset(gap.heads):
            wanted = gap.inside or numbered
        else:
            wanted = all(i in numbers or names[i] in sure for i in gap.heads)
        if wanted:
            removed += len(gap.heads)
            for row in range(gap.before + 1, gap.after) if gap.inside else gap.heads:
                edits.drop(row)
    editor.count("running_head", removed)
    return edits.apply() if removed else _close_page_breaks(editor, rows)


def _repeated(rows: Sequence[str]) -> dict[int, str]:
    """Return the rows that repeat at regular distances, apart from numbers, each with the letters that repeat."""
    places: dict[str, list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        if 0 < len(row) <= LONGEST_HEAD and _NAME.match(row) and (letters := _NOT_LETTERS.sub("", row).lower()):
            places[letters].append(number)
    repeated: dict[int, str] = {}
    for letters, numbers in places.items():
        distances = [b - a for a, b in pairwise(numbers)]
        if distances and min(distances) >= NEAREST_HEADS and max(distances) <= MOST_IRREGULAR * min(distances):
            repeated |= dict.fromkeys(numbers, letters)
    return repeated


def _counted(rows: Sequence[str], names: Mapping[int, str]) -> set[int]:
    """Return the heads with a number that is one larger in each copy."""
    copies: dict[str, list[int]] = defaultdict(list)
    for row, name in names.items():
        copies[name].append(row)
    counted: set[int] = set()
    for places in copies.values():
        pages = [[int(number) for number in re.findall(r"\d{1,6}", rows[i])] for i in places]
        if all(any(b == a + 1 for a, b in zip(one, two, strict=False)) for one, two in pairwise(pages)):
            counted.update(places)
    return counted


def _gaps(rows: Sequence[str], heads: Set[int], counted: Set[int]) -> list[_Gap]:
    """Return the runs of heads between two other rows."""
    filled = [i for i, row in enumerate(rows) if row.strip()]
    others = [i for i in filled if i not in heads]
    lengths = sorted(len(rows[i].rstrip()) for i in others)
    if not lengths or (margin := lengths[int(0.9 * (len(lengths) - 1))]) < NARROWEST_PAGE:
        return []
    gaps = []
    order = iter(i for i in filled if i in heads)
    head = next(order, None)
    for before, after in pairwise([-1, *others, len(rows)]):
        run = []
        while head is not None and head < after:
            run.append(head)
            head = next(order, None)
        if run:
            inside = before >= 0 and after < len(rows) and _interrupts(rows, run, before, after, FULL * margin, counted)
            gaps.append(_Gap(tuple(run), before, after, inside))
    return gaps


def _interrupts(
    rows: Sequence[str], heads: Sequence[int], before: int, after: int, full: float, counted: Set[int]
) -> bool:
    """Return whether heads between two rows interrupt a sentence at the end of a page.

    Args:
        rows: the rows.
        heads: the heads.
        before, after: the rows on both sides of them.
        full: characters of a full row.
        counted: heads with the numbers of pages, which count up.
    """
    first, last = rows[before].rstrip(), rows[after].lstrip()
    # Heads are set apart by blank rows or a form feed, or else by the number of the page.
    above = heads[0] - before > 1 or rows[heads[0]].startswith("\f")
    below = after - heads[-1] > 1 or rows[after].startswith("\f")
    apart = (above and below) or all(i in counted for i in heads)
    indented = (len(first) - len(first.lstrip())) - (len(rows[after]) - len(last))
    return apart and len(first) >= full and abs(indented) <= MOST_INDENTED and is_broken(first, last)


def _close_page_breaks(editor: Editor, rows: Sequence[str]) -> bool:
    """Remove blank rows at page breaks (form feeds) inside sentences."""
    if "\f" not in editor.text:
        return False
    filled = [i for i, row in enumerate(rows) if row.strip()]
    edits = RowEdits(editor, rows)
    for before, after in pairwise(filled):
        if "\f" in "".join(rows[before + 1 : after + 1]) and is_broken(rows[before], rows[after]):
            for row in range(before + 1, after):
                edits.drop(row)
            edits.cut(after, 0, len(rows[after]) - len(rows[after].lstrip()))
    return edits.apply()

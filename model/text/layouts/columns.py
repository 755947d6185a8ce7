"""Puts columns that are printed side by side below each other, and takes sentences out of the cells of tables."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from unspun.model.text.edits import Editor, TextEdit
from unspun.model.text.layouts.rows import BROKEN_SHARE, RowEdits, broken_share, function_share, is_broken

FEWEST_ROWS = 5
"""Rows that stand side by side, at least."""
LEAST_ALIGNED = 0.5
"""Share of rows in which a second column must start at the same place."""
NARROWEST = 12
"""Least distance between the starts of two columns, in characters."""
WIDEST_PAGE = 400
"""Characters of a row in which columns are looked for."""
LONGEST_HEADER = 3
"""Words of a cell in the header of a table, at most."""
DRIFT = 2
"""How far the start of a column may vary, in characters."""

_GAP = re.compile(rf"(?<=\S)[ \t]{{2,}}(?=\S)|^[ \t]{{{NARROWEST},}}(?=\S)")


def separate_columns(editor: Editor, rows: Sequence[str]) -> bool:
    """Put the columns of each page below each other, if they hold running text."""
    if any("\t" in row for row in rows):
        return False
    pieces: list[tuple[int, int]] = []  # the spans of the new text's rows, in order; (-1, -1) is a blank row
    starts = np.cumsum([0, *(len(row) + 1 for row in rows)]).tolist()
    found = 0
    for first, last in _pages(rows):
        edges = _column_starts(rows[first:last])
        number = first
        while number < last:
            stop = number
            columns: list[list[tuple[int, int]]] = [[] for _ in range(len(edges) + 1)]
            while edges and stop < last and (cells := _cells(rows[stop], edges)) is not None:
                for column, (a, b) in zip(columns, cells, strict=True):
                    column.append((starts[stop] + a, starts[stop] + b))
                stop += 1
            if stop - number >= FEWEST_ROWS and _are_prose(editor.text, columns):
                pieces += [span for column in columns for span in column]
                found += stop - number
                number = stop
                continue
            stop = max(stop, number + 1)
            pieces += [(starts[row], starts[row] + len(rows[row])) for row in range(number, stop)]
            number = stop
    if not found:
        return False
    _rearrange(editor, pieces)
    editor.count("column", found)
    return True


def _pages(rows: Sequence[str]) -> list[tuple[int, int]]:
    breaks = [number for number, row in enumerate(rows) if number and row.startswith("\f")]
    return list(zip([0, *breaks], [*breaks, len(rows)], strict=True))


def _column_starts(rows: Sequence[str]) -> list[int]:
    """Return where the second and further columns start; nothing if there are none."""
    filled = [row for row in rows if row.strip()]
    places = Counter(match.end() for row in filled for match in _GAP.finditer(row[:WIDEST_PAGE]))
    edges: list[int] = []
    while len(filled) >= FEWEST_ROWS and places:
        near = {place: sum(places[place + d] for d in range(-DRIFT, DRIFT + 1)) for place in places}
        place = max(near, key=lambda one: (near[one], places[one]))
        if near[place] < LEAST_ALIGNED * len(filled):
            break
        edges.append(place)
        places = Counter({one: count for one, count in places.items() if abs(one - place) >= NARROWEST})
    return sorted(edges)


def _cells(row: str, edges: Sequence[int]) -> list[tuple[int, int]] | None:
    """Return the span of a row's cell in each column; None if the row runs across a gutter."""
    cells = [(len(row), len(row))] * (len(edges) + 1)
    column = 0
    start = len(row) - len(row.lstrip())
    for end, after in [*(match.span() for match in _GAP.finditer(row, start)), (len(row.rstrip()), len(row))]:
        here = next((k for k, edge in enumerate(edges, 1) if abs(start - edge) <= DRIFT and k > column), None)
        if here is None and column == 0 and cells[0][0] == len(row):
            here = 0
        # A wide space that does not lead to a column is inside a cell.
        first = cells[column][0] if here is None else start
        column = column if here is None else here
        if any(first < edge - DRIFT and end > edge + DRIFT for edge in edges[column:]):
            return None
        cells[column] = (first, end)
        start = after
    return cells


def _are_prose(text: str, columns: Sequence[Sequence[tuple[int, int]]]) -> bool:
    """Return whether at least two columns hold running text, and no column holds anything else."""
    prose = 0
    for column in columns:
        cells = [text[a:b] for a, b in column]
        filled = [cell for cell in cells if cell.strip()]
        words = sum(len(cell.split()) for cell in filled)
        if len(filled) < 3 and prose >= 1:
            prose += len(columns) > 2
            continue
        if broken_share(filled) < BROKEN_SHARE or function_share(filled) < 0.2 or words < 2 * len(filled):
            return False
        prose += 1
    return prose >= 2


def _rearrange(editor: Editor, pieces: Sequence[tuple[int, int]]) -> None:
    """Make each piece a row, in this order."""
    text = editor.text
    # The space after a cell becomes its newline; the last cell of a row, and an empty one, has the row's.
    row_end = {start: newline for start, end in pieces if (newline := text.find("\n", end)) >= 0}
    last = text.rfind("\n")
    order: list[NDArray[np.int64]] = []
    spaces = []
    for start, end in pieces:
        newline = row_end.get(start, last)
        if end < newline and start < end:
            spaces.append(TextEdit(end, end + 1, "\n"))
            newline = end
        order.append(np.append(np.arange(start, end), newline))
    editor.replace(sorted(spaces))
    editor.arrange(np.concatenate(order))


_BARS = " \t|\u2502\u2503\u2551\u00a6"
_BORDERS = re.compile("(?<![ \t])[ \t]*(?:[|\u2502\u2503\u2551\u00a6\t]+[ \t]*)+")
_ENDS = (".", "!", "?")
_RULE = re.compile("[-+=_|:\u2500-\u257f\u00a6 \t]*$")
_ROW = re.compile("[|\u2502\u2503\u2551\u00a6\t]")


def _is_row(row: str) -> bool:
    content = row.strip()
    return "\t" in content or len(_ROW.findall(content)) >= 2


def take_sentences_from_cells(editor: Editor, rows: Sequence[str]) -> bool:
    """Remove the borders of tables and boxes whose cells hold sentences, or parts of them, and no figures."""
    filled = [row for row in rows if row.strip()]
    rules = [i for i, row in enumerate(rows) if row.strip() and _RULE.match(row)]
    cells = {i: row for i, row in enumerate(rows) if _is_row(row) and i not in rules}
    if len(cells) < 2 or len(cells) < 0.5 * (len(filled) - len(rules)):
        return False
    texts = [" ".join(re.split(_ROW, row)) for row in cells.values()]
    digits = sum(word[0].isdigit() for text in texts for word in text.split())
    words = sum(len(text.split()) for text in texts)
    if words < 20 or digits > 0.1 * words or function_share(texts) < BROKEN_SHARE:
        return False
    edits = RowEdits(editor, rows)
    header = next(iter(cells))
    if header + 1 in rules and all(len(cell.split()) <= LONGEST_HEADER for cell in _BORDERS.split(cells[header])):
        rules.append(header)
        del cells[header]
    for i in rules:
        if rows[i].strip(_BARS):
            edits.drop(i)
        else:  # a blank row between borders
            edits.cut(i, 0, len(rows[i]))
    for i, row in cells.items():
        for match in _BORDERS.finditer(row):
            left, right = row[: match.start()].rstrip(), row[match.end() :].strip()
            ended = left[-1:] in _ENDS and left.count(" ") >= 2
            edits.cut(i, *match.span(), "" if not left or not right else "\n" if ended else " ")
    # The rows of a box were wrapped, so they end at a margin.
    box = all(len(_BORDERS.split(row.strip(_BARS))) == 1 for row in cells.values())
    for before, after in () if box else pairwise(cells):
        between = range(before + 1, after)
        if all(i in rules for i in between) and is_broken(cells[before].rstrip(_BARS), cells[after].lstrip(_BARS)):
            edits.join(before)
    editor.count("table_border", len(cells))
    return edits.apply()

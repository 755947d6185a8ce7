"""Removes line numbers beside the rows of a text: preprints, pleadings, depositions, listings by editors."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

from unspun.model.text.edits import Editor
from unspun.model.text.layouts.rows import BROKEN_SHARE, RowEdits, broken_share, function_share

FEWEST_NUMBERS = 5
"""Line numbers from which a layout is sure; numbers at every fifth row need one less."""
CONSISTENT = 0.8
"""Share of line numbers that must count the rows."""
LEAST_NUMBERED = 0.5
"""Share of the rows that line numbers must cover."""
LEAST_COMMAS = 0.2
"""Share of rows with a comma or semicolon at the end from which rows may be verse."""

_LEFT = re.compile(r"[ \t\f]*(?:\d{1,4}:)?(\d{1,5})(?:[ \t]*[|:\]]{1,2}[ \t]?|[ \t]+|$)[ \t]*")
_RIGHT = re.compile(r"(?<![^ \t])(\d{1,5})[ \t]*$")
_LONGEST_END = 12
"""Characters at the end of a row in which its number is looked for."""


class _Number(NamedTuple):
    """A number beside a row: row[start:end]."""

    row: int
    value: int
    start: int
    end: int


def remove_line_numbers(editor: Editor, rows: Sequence[str]) -> bool:
    """Remove line numbers at the starts or ends of rows, if they count the rows and the rows break sentences."""
    for find in (_number_before, _number_after):
        found = [_Number(i, *place) for i, row in enumerate(rows) if (place := find(row)) is not None]
        if len(found) >= 2:
            numbers, step = _counting(found, rows)
            times = step > 1 and any(":" in rows[number.row][: number.end] for number in numbers)
            if numbers and not times and (step > 1 or _is_running(rows, numbers)):
                return _remove(editor, rows, numbers, step)
    return False


def _number_before(row: str) -> tuple[int, int, int] | None:
    match = _LEFT.match(row)
    return None if match is None else (int(match[1]), *match.span())


def _number_after(row: str) -> tuple[int, int, int] | None:
    match = _RIGHT.search(row, max(len(row) - _LONGEST_END, 0))
    return None if match is None else (int(match[1]), len(row[: match.start()].rstrip()), len(row))


def _remove(editor: Editor, rows: Sequence[str], numbers: Sequence[_Number], step: int) -> bool:
    edits = RowEdits(editor, rows)
    for number in numbers:
        edits.cut(number.row, number.start, number.end)
    if step > 1 and numbers[0].start == 0:
        # The rows without a number are indented as far as the text of the others.
        bare = sorted({i for i, row in enumerate(rows) if row.strip()} - {number.row for number in numbers})
        indents = {i: len(rows[i]) - len(rows[i].lstrip()) for i in bare}
        for i in bare:
            edits.cut(i, 0, min(indents.values()))
    editor.count("line_number", len(numbers))
    return edits.apply()


def _counting(found: Sequence[_Number], rows: Sequence[str]) -> tuple[list[_Number], int]:
    """Return the numbers that count rows, and their usual step; none if they are not line numbers.

    The next number is larger by the rows between them, counted with or without blank rows, or starts a page.
    """
    steps = Counter(after.value - before.value for before, after in pairwise(found) if after.value > before.value)
    if not steps:
        return [], 0
    usual = steps.most_common(1)[0][0]
    filled = list(accumulate(bool(row.strip()) for row in rows))
    fits = []
    for before, after in pairwise(found):
        rises, passed = after.value - before.value, after.row - before.row
        counts = rises > 0 and rises in (passed, filled[after.row] - filled[before.row])
        # A page starts with 1 again, or has a head and a foot without numbers.
        restarts = after.value <= usual and before.value >= 4 * usual
        fits.append(counts or restarts or (rises == usual and passed <= usual + 6))
    numbers = [one for one, a, b in zip(found, [False, *fits], [*fits, False], strict=True) if a or b]
    even = sum(after.value - before.value == usual or after.value <= usual for before, after in pairwise(numbers))
    if (
        sum(fits) < CONSISTENT * len(fits)
        or len(numbers) < FEWEST_NUMBERS - (usual > 1) - 2 * _in_margin(numbers, rows)
        or len(numbers) * usual < LEAST_NUMBERED * filled[-1]
        or (usual > 1 and even < CONSISTENT * (len(numbers) - 1))
    ):
        return [], 0
    return numbers, usual


def _in_margin(numbers: Sequence[_Number], rows: Sequence[str]) -> bool:
    """Return whether numbers at every fifth row are in a margin of their own, left of where all rows start."""
    ends = {number.row: number.end for number in numbers}
    indents = {ends.get(i, len(row) - len(row.lstrip())) for i, row in enumerate(rows) if row.strip()}
    values = [number.value for number in numbers]
    return len(indents) == 1 and values == list(range(5, 5 * len(values) + 1, 5))


def _is_running(rows: Sequence[str], numbers: Sequence[_Number]) -> bool:
    """Return whether rows are running text or verse and not a list: they break off inside sentences."""
    texts = dict(enumerate(rows))
    for number in numbers:
        texts[number.row] = rows[number.row][: number.start] + rows[number.row][number.end :]
    filled = [text for text in texts.values() if text.strip()]
    commas = sum(text.rstrip()[-1] in ",;" for text in filled)
    verse = commas >= LEAST_COMMAS * len(filled) and function_share(filled) >= BROKEN_SHARE
    return verse or broken_share(filled) >= BROKEN_SHARE

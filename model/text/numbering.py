"""Removes what stands beside the rows of a text: line numbers, and the times and names of transcripts and chats."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from unspun.model.text.edits import Editor
from unspun.model.text.rows import BROKEN_SHARE, RowEdits, broken_share, function_share

FEWEST_NUMBERS = 5
"""Line numbers from which a layout is sure; numbers at every fifth row need one less."""
CONSISTENT = 0.8
"""Share of line numbers that must count the rows."""

_LEFT = re.compile(r"[ \t\f]*(?:\d{1,4}:)?(\d{1,5})(?:[ \t]*[|:\]][ \t]?|[ \t]+|$)[ \t]*")
_RIGHT = re.compile(r"[ \t]+(\d{1,5})[ \t]*$")


def remove_line_numbers(editor: Editor, rows: Sequence[str]) -> bool:
    """Remove line numbers at the starts or ends of rows, if they count the rows and the rows break sentences."""
    return _remove_numbers(editor, rows, _LEFT) or _remove_numbers(editor, rows, _RIGHT)


def _remove_numbers(editor: Editor, rows: Sequence[str], pattern: re.Pattern[str]) -> bool:
    left = pattern is _LEFT
    found: list[tuple[int, int, re.Match[str]]] = []
    filled = -1
    counts = []
    for number, row in enumerate(rows):
        filled += not row.isspace() and row != ""
        counts.append(filled)
        match = pattern.match(row) if left else pattern.search(row[-12:])
        if match is not None:
            found.append((number, int(match[1]), match))
    if len(found) < FEWEST_NUMBERS - 1:
        return False
    numbers = _counting(found, counts)
    step = Counter(b - a for (_, a, _), (_, b, _) in pairwise(numbers) if b > a).most_common(1)
    if not step or len(numbers) < FEWEST_NUMBERS - (step[0][0] > 1):
        return False
    if step[0][0] > 1 and step[0][1] < CONSISTENT * (len(numbers) - 1 - _restarts(numbers)):
        return False
    if len(numbers) * step[0][0] < 0.5 * (filled + 1) or len(numbers) < 0.8 * len(found):
        return False
    spans = {number: match.span() for number, _, match in numbers}
    if not left:
        spans = {
            number: (len(rows[number]) - len(rows[number][-12:]) + a, len(rows[number]))
            for number, (a, _) in spans.items()
        }
    texts = [
        row[spans[i][1] :] if left and i in spans else row[: spans[i][0]] if i in spans else row
        for i, row in enumerate(rows)
    ]
    if step[0][0] == 1 and not _is_running(texts):
        return False
    edits = RowEdits(editor, rows)
    indent = min(
        (len(row) - len(row.lstrip()) for i, row in enumerate(rows) if i not in spans and row.strip()), default=0
    )
    for number, row in enumerate(rows):
        if number in spans:
            edits.cut(number, *spans[number])
        elif left and row.strip() and step[0][0] > 1:
            edits.cut(number, 0, min(indent, len(row) - len(row.lstrip())))
    editor.count("line_number", len(spans))
    return edits.apply()


def _counting(
    found: list[tuple[int, int, re.Match[str]]], counts: Sequence[int]
) -> list[tuple[int, int, re.Match[str]]]:
    """Return the numbers that count rows: the next one is larger by the rows between, or starts a page."""
    step = Counter(b - a for (_, a, _), (_, b, _) in pairwise(found) if b > a).most_common(1)
    if not step:
        return []
    usual = step[0][0]
    fits = []
    for (row, value, _), (next_row, next_value, _) in pairwise(found):
        passed = {next_row - row, counts[next_row] - counts[row]}
        rises = next_value - value
        restarts = next_value < value and next_value <= max(usual, 1) and value >= 4 * usual
        near = rises == usual and next_row - row <= usual + 6
        fits.append((rises > 0 and rises in passed) or near or restarts)
    if not fits or sum(fits) < CONSISTENT * len(fits):
        return []
    kept = [found[0]] if fits[0] else []
    kept += [one for one, before, after in zip(found[1:], fits, [*fits[1:], fits[-1]], strict=True) if before or after]
    return kept


def _restarts(numbers: list[tuple[int, int, re.Match[str]]]) -> int:
    return sum(b <= a for (_, a, _), (_, b, _) in pairwise(numbers))


def _is_running(rows: Sequence[str]) -> bool:
    """Return whether rows are running text or verse and not a list: they break off inside sentences."""
    filled = [row for row in rows if row.strip()]
    commas = sum(row.rstrip()[-1] in ",;" for row in filled)
    return broken_share(filled) >= BROKEN_SHARE or (
        commas >= 0.2 * len(filled) and function_share(filled) >= BROKEN_SHARE
    )

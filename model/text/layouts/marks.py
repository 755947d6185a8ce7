"""Removes marks in front of sentences if all sentences of a text have one: bullets, numbers, fences of code."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from unspun.model.text.edits import Editor
from unspun.model.text.layouts.rows import RowEdits, function_share

FEWEST_MARKED, LEAST_MARKED = 3, 0.8
"""Least number and share of rows that must have a mark."""
LEAST_WORDS, LEAST_ENDED = 6, 0.7
"""Mean words of a row, and the share of rows with a full stop, from which rows are sentences and not a list."""
LEAST_FUNCTION_WORDS = 0.25
"""Share of function words from which rows read as sentences."""
FEWEST_INSIDE, LEAST_INSIDE = 5, 0.7
"""Numbers inside paragraphs, and the share of sentences that must have one."""

_BULLET = re.compile("[ \t]*(?:[\u2022\u25aa\u25cf\u25e6\u2023\u25ba\u2013\u2014*+-])[ \t]+(?=\\S)")
_NUMBER = re.compile(r"[ \t]*[\[(]?(\d{1,4})[.):\]]*[ \t]+(?=\S)")
_PADDED = re.compile(r"[ \t]*\[0\d+\]")
"""The number of a paragraph in a patent."""
_ENDS = (".", "!", "?", "\u2026", '"', "\u201d", "'", "\u2019", ")")
_INSIDE = re.compile(
    r"(?:^|(?<=[.!?:;,\"\u201d')])[ \t]+)[\[(]?(\d{1,3})[\])]?[ \t]+(?=[\"\u201c'A-Za-z])", re.MULTILINE
)
_SENTENCE_END = re.compile(r"[.!?][\"\u201d')]*(?=\s|$)")
_FENCE = re.compile(r"[ \t]*(?:```|~~~)[\w-]*[ \t]*$")


def remove_list_marks(editor: Editor, rows: Sequence[str]) -> bool:
    """Remove the bullets or numbers of a text whose sentences all have one."""
    filled = [i for i, row in enumerate(rows) if row.strip()]
    for pattern in (_BULLET, _NUMBER):
        marks = {i: match for i in filled if (match := pattern.match(rows[i]))}
        padded = all(_PADDED.match(rows[i]) for i in marks) and len(marks) == len(filled)
        if len(marks) < (2 if padded else FEWEST_MARKED) or len(marks) < LEAST_MARKED * len(filled):
            continue
        if pattern is _NUMBER and not _counts_up([int(match[1]) for match in marks.values()]):
            continue
        texts = [rows[i][match.end() :] for i, match in marks.items()]
        if not _are_sentences(texts):
            continue
        edits = RowEdits(editor, rows)
        for i, match in marks.items():
            edits.cut(i, 0, match.end())
        editor.count("list_mark", len(marks))
        return edits.apply()
    return False


def remove_verse_numbers(editor: Editor, rows: Sequence[str]) -> bool:
    """Remove numbers in front of the sentences inside paragraphs, as in scripture, if they count on without a gap."""
    matches = list(_INSIDE.finditer(editor.text))
    numbers = [int(match[1]) for match in matches]
    ends = len(_SENTENCE_END.findall(editor.text))
    if len(matches) < max(FEWEST_INSIDE, LEAST_INSIDE * ends) or not _counts_up(numbers):
        return False
    if sum(editor.text[match.start() - 1 : match.start()] not in ("", "\n") for match in matches) < 0.5 * len(matches):
        return False
    # The space before a number stays, and that after it goes.
    editor.remove((match.start(1) - (match[0].lstrip()[0] in "[("), match.end()) for match in matches)
    editor.count("verse_number", len(matches))
    return True


def remove_fences(editor: Editor, rows: Sequence[str]) -> bool:
    """Remove the fences of a code block that holds nearly all of a text, if it is prose."""
    fences = [i for i, row in enumerate(rows) if _FENCE.match(row)]
    filled = sum(bool(row.strip()) for row in rows)
    if len(fences) != 2 or fences[1] - fences[0] - 1 < LEAST_MARKED * len(rows) - 2 or filled < 3:
        return False
    inside = [row for row in rows[fences[0] + 1 : fences[1]] if row.strip()]
    if function_share(inside) < LEAST_FUNCTION_WORDS:
        return False
    edits = RowEdits(editor, rows)
    for fence in fences:
        edits.cut(fence, 0, len(rows[fence]))
    editor.count("code_fence", len(fences))
    return edits.apply()


def _counts_up(numbers: Sequence[int]) -> bool:
    """Return whether nearly all numbers are one more than the one before."""
    steps = [b == a + 1 for a, b in pairwise(numbers)]
    return bool(steps) and sum(steps) >= 0.9 * len(steps)


def _are_sentences(texts: Sequence[str]) -> bool:
    words = sum(len(text.split()) for text in texts)
    ended = sum(text.rstrip().endswith(_ENDS) for text in texts)
    return (
        words >= LEAST_WORDS * len(texts)
        and ended >= LEAST_ENDED * len(texts)
        and function_share(texts) >= LEAST_FUNCTION_WORDS
    )

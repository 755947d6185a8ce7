"""Joins the cues of subtitles (SubRip, WebVTT, SubStation Alpha, SBV, MicroDVD) into running text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from unspun.model.text.edits import Editor
from unspun.model.text.layouts.rows import RowEdits

FEWEST_CUES = 3
"""Cues from which a text is subtitles."""

_CLOCK = r"(?:\d{1,3}:)?\d{1,2}:\d{2}(?:[.,]\d{1,3})?"
_TIMES = re.compile(rf"[ \t\ufeff]*{_CLOCK}[ \t]*(?:-->|,)[ \t]*{_CLOCK}(?:[ \t]+[a-zA-Z]+:\S+)*[ \t]*$")
_EVENT = re.compile(r"[ \t]*(?:Dialogue|Comment):(?:[^,\n]*,){9}")
_FRAMES = re.compile(r"[ \t]*\{\d+\}\{\d+\}")
_SCRIPT = re.compile(r"[ \t]*(?:\[[\w+ ]+\][ \t]*$|;|[A-Z][\w ]{1,30}:[ \t])")
_BLOCKS = ("WEBVTT", "NOTE", "STYLE", "REGION")
_MARKS = re.compile(
    r"</?(?:[biu]|v|c|ruby|rt|lang|font)(?:[ .][^<>\n]*)?>|<[\d:.]+>|\{\\[^{}\n]*\}|\\[Nnh]|[\u266a\u266b#]"
    r"|(?:>>>?[ \t]*)(?:[A-Z][A-Z .'\u2019-]{1,30}:)?|^[ \t]*-[ \t]+(?=\w)"
    r"|\[[A-Za-z][^\[\]\n]{0,40}\]|\([A-Z][A-Z ,'-]{1,40}\)"
)
_MARKS_AND_BARS = re.compile(rf"{_MARKS.pattern}|\|")
_SPEAKER = re.compile(r"[ \t]*[A-Z][A-Z .'\u2019-]{1,30}:(?=[ \t])")


def join_cues(editor: Editor, rows: Sequence[str]) -> bool:
    """Remove the numbers, times and marks of subtitles, and join their cues."""
    text = editor.text
    if "-->" in text or re.search(rf"^{_CLOCK},{_CLOCK}[ \t]*$", text, re.MULTILINE):
        return _join_timed(editor, rows)
    if "Dialogue:" in text:
        return _join_events(editor, rows, _EVENT)
    if text.lstrip().startswith("{"):
        return _join_events(editor, rows, _FRAMES)
    return False


def _join_timed(editor: Editor, rows: Sequence[str]) -> bool:
    times = {number for number, row in enumerate(rows) if _TIMES.match(row)}
    filled = sum(bool(row.strip()) for row in rows)
    if len(times) < FEWEST_CUES or 6 * len(times) < filled:
        return False
    edits = RowEdits(editor, rows)
    in_block = False
    last = -1
    previous = ""
    for number, row in enumerate(rows):
        content = row.strip(" \t\f\ufeff")
        if in_block and number + 1 not in times and number not in times and content:
            edits.drop(number)
            continue
        in_block = content.startswith(_BLOCKS) and number not in times
        counter = number + 1 in times and (number == 0 or not rows[number - 1].strip() or content.isdigit())
        plain = _MARKS.sub("", content)  # rolling captions repeat a row, the second time without the time of each word
        if in_block or not content or number in times or counter or plain == previous:
            edits.drop(number)
            continue
        last = _clean(edits, rows, number, last)
        previous = plain
    editor.count("cue", len(times))
    return edits.apply()


def _join_events(editor: Editor, rows: Sequence[str], pattern: re.Pattern[str]) -> bool:
    """Join cues that are one row each: their times are in front of the text."""
    matches = {number: match for number, row in enumerate(rows) if (match := pattern.match(row))}
    others = [row for number, row in enumerate(rows) if row.strip() and number not in matches]
    stray = [row for row in others if not _SCRIPT.match(row)]
    if len(matches) < FEWEST_CUES or len(stray) > 0.2 * len(matches):
        return False
    edits = RowEdits(editor, rows)
    last = -1
    for number in range(len(rows)):
        match = matches.get(number)
        if match is None or match[0].lstrip().startswith("Comment"):
            edits.drop(number)
            continue
        edits.cut(number, *match.span())
        last = _clean(edits, rows, number, last, match.end())
    editor.count("cue", len(matches))
    return edits.apply()


def _clean(edits: RowEdits, rows: Sequence[str], number: int, last: int, start: int = 0) -> int:
    """Remove the marks of one row of a cue, join it to the one before, and return its number."""
    row = rows[number]
    speaker = _SPEAKER.match(row, start)
    if speaker is not None:
        edits.cut(number, *speaker.span())
        start = speaker.end()
    # In formats with the times in front of the text, a bar is a line break.
    for mark in (_MARKS_AND_BARS if start else _MARKS).finditer(row, start):
        edits.cut(number, *mark.span(), " " if mark[0][0] in "\\|" else "")
    if last >= 0:
        edits.join(last)
    return number

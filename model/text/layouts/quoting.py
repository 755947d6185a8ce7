"""Removes what mail and comments put around text: marks at the start of each row, headers, signatures."""

from __future__ import annotations

import re
from collections.abc import Sequence

from unspun.model.text.edits import Editor
from unspun.model.text.layouts.rows import BROKEN_SHARE, RowEdits, broken_share, function_share

FEWEST_MARKED = 3
"""Rows with a mark from which a text quotes mail."""
LONGEST_SIGNATURE, LONGEST_ATTRIBUTION = 8, 80
"""Rows of a signature, and characters of the second row of an attribution ("... wrote:"), at most."""

_QUOTE = re.compile(r"[ \t]*(?:[A-Z]{0,3}>[ \t]?)+")
_PREFIX = re.compile(r"[ \t]*(?:[|#*;%:!\u2502]+|//+!?|--)(?:[ \t]+|$)")
_HEADER = re.compile(
    r"[ \t]*\*{0,2}(?:From|To|Cc|CC|Bcc|Subject|Date|Sent|Reply-To|Message-ID|In-Reply-To|References|Organization|Lines"
    r"|Newsgroups|Return-Path|Received|MIME-Version|Content-[\w-]+|X-[\w-]+|Attachments?|Importance):\*{0,2}(?:[ \t]|$)"
)
_FIRST_HEADER = re.compile(r"[ \t]*\*{0,2}(?:From|To|Subject|Date|Sent|Return-Path|Received|Message-ID|Newsgroups):")
_ATTRIBUTION = re.compile(
    r"[ \t]*(?:On\b(?=.*\d).{6,160}\bwrote:|In (?:article|message) .{3,160}(?:writes|wrote|says):"
    r"|(?=.*[@<]).{2,80} (?:writes|wrote):"
    r"|-{2,} ?(?:Original Message|Forwarded [Mm]essage|Begin forwarded message).{0,30}-{2,}|Begin forwarded message:)"
    r"[ \t]*$"
)
_ATTRIBUTION_START = re.compile(r"[ \t]*On\b.{6,100}$")


def remove_quote_marks(editor: Editor, rows: Sequence[str]) -> bool:
    """Remove the marks of quoted mail (`>`), and comment signs in front of all rows of running text."""
    quoted = {i: match.end() for i, row in enumerate(rows) if ">" in row and (match := _QUOTE.match(row))}
    filled = [row for row in rows if row.strip()]
    texts = [rows[i][end:] for i, end in quoted.items()]
    if len(quoted) < FEWEST_MARKED or function_share(texts) < BROKEN_SHARE or "<" in "".join(texts):
        quoted = {i: match.end() for i, row in enumerate(rows) if (match := _PREFIX.match(row))}
        texts = [rows[i][end:] for i, end in quoted.items()]
        if len(quoted) < max(FEWEST_MARKED, 0.8 * len(filled)) or broken_share(texts) < BROKEN_SHARE:
            return False
    edits = RowEdits(editor, rows)
    for number, end in quoted.items():
        edits.cut(number, 0, end)
    editor.count("quote_mark", len(quoted))
    return edits.apply()


def remove_mail_headers(editor: Editor, rows: Sequence[str]) -> bool:
    """Remove blocks of mail headers, the rows that introduce a quotation, and signatures."""
    edits = RowEdits(editor, rows)
    removed: set[int] = set()
    number = 0
    while number < len(rows):
        if _FIRST_HEADER.match(rows[number]) and (number == 0 or not rows[number - 1].strip() or number - 1 in removed):
            end = _header_end(rows, number)
            removed.update(range(number, end))
            number = max(end, number + 1)
            continue
        if rows[number].rstrip().endswith((":", "-")) and _ATTRIBUTION.match(rows[number]):
            removed.add(number)
        elif (
            _ATTRIBUTION_START.match(rows[number])
            and number + 1 < len(rows)
            and rows[number + 1].rstrip().endswith("wrote:")
            and len(rows[number + 1]) < LONGEST_ATTRIBUTION
        ):
            removed.update((number, number + 1))
        number += 1
    if not removed:
        return False
    removed.update(_signature(rows))
    for number in removed:
        edits.drop(number)
    editor.count("mail_header", len(removed))
    return edits.apply()


def _header_end(rows: Sequence[str], start: int) -> int:
    """Return the row after a block of headers; `start` if there are fewer than two of them."""
    end, headers = start, 0
    while end < len(rows) and rows[end].strip():
        if _HEADER.match(rows[end]):
            headers += 1
        elif not (headers and rows[end][:1] in " \t"):
            break
        end += 1
    return end if headers >= 2 else start


def _signature(rows: Sequence[str]) -> range:
    for number in range(len(rows) - 1, max(len(rows) - LONGEST_SIGNATURE - 2, -1), -1):
        if rows[number].strip() == "--":
            return range(number, len(rows))
    return range(0)

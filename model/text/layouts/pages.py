"""Undoes what printing does to rows: double spacing, justification, hyphens, and row ends that are anywhere."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from itertools import groupby, pairwise

from unspun.model.text.edits import Editor, TextEdit
from unspun.model.text.layouts.rows import (
    BROKEN_SHARE,
    MOST_VARIED,
    RowEdits,
    broken_share,
    common_words,
    dangling_share,
    is_broken,
    layout_words,
    variation,
)

LEAST_BROKEN = 0.4
"""Share of the pairs of double-spaced rows that must break a sentence."""
WIDEST = 132
"""Characters in a row of text that was wrapped, at most."""

FEWEST_RAGGED = 8
"""Rows of a text that was broken up anywhere, at least."""
LEAST_DANGLING, LEAST_DANGLING_VARIED, LEAST_RAGGED = 0.2, 0.1, 0.35
"""Shares of rows that end with a word such as "the" (less is needed if rows vary a lot), and of those with room for the
next word, from which rows were broken up anywhere."""


def close_double_spacing(editor: Editor, rows: Sequence[str]) -> bool:
    """Remove the blank rows between the rows of wrapped text."""
    filled = [i for i, row in enumerate(rows) if row.strip()]
    single = [(a, b) for a, b in pairwise(filled) if b == a + 2]
    texts = [rows[i] for i in filled]
    if len(filled) < 6 or len(single) < 0.7 * (len(filled) - 1) or max(map(len, texts)) > WIDEST:
        return False
    broken = sum(is_broken(rows[a], rows[b]) for a, b in single)
    if broken < LEAST_BROKEN * len(single):
        return False
    edits = RowEdits(editor, rows)
    for a, _ in single:
        edits.drop(a + 1)
    editor.count("layout", len(single))
    return edits.apply()


def _ragged(rows: Sequence[str]) -> float:
    """Return the share of broken row ends where the next word would have fitted into the widest row of the block."""
    breaks = fitting = 0
    for filled, block in groupby(rows, lambda row: bool(row.strip())):
        lines = [row.strip() for row in block] if filled else []
        widest = max(map(len, lines), default=0)
        for before, after in pairwise(lines):
            if is_broken(before, after):
                breaks += 1
                fitting += len(before) + 1 + len(after.split(" ", 1)[0]) <= widest
    return fitting / max(breaks, 1)


def join_ragged_rows(editor: Editor, rows: Sequence[str]) -> bool:
    """Join rows that were broken up anywhere, for example after each word, and not at a margin."""
    filled = [row.strip() for row in rows if row.strip()]
    if len(filled) < FEWEST_RAGGED:
        return False
    varied = variation(filled) > MOST_VARIED
    if dangling_share(filled) < (LEAST_DANGLING_VARIED if varied else LEAST_DANGLING):
        return False
    single = sum(row.count(" ") < 2 for row in filled) >= 0.8 * len(filled)
    if broken_share(filled) < BROKEN_SHARE * (1 if single else 2):
        return False
    if not single and _ragged(rows) < LEAST_RAGGED:
        return False
    edits = RowEdits(editor, rows)
    joined = 0
    for number, (before, after) in enumerate(pairwise(rows)):
        before, after = before.rstrip(), after.lstrip()
        if before and after and (single or (before[-1] not in ".!?:" and after[0].isalnum())):
            edits.join(number)
            joined += 1
    editor.count("layout", joined)
    return edits.apply()


_SPACES = re.compile(r"(?<=[^\s])[ \t]{2,}(?=[^\s])")


def close_justified_gaps(editor: Editor, rows: Sequence[str]) -> bool:
    """Reduce the wide spaces of justified text, whose rows all end at the same margin, to single ones."""
    filled = [row.rstrip() for row in rows if row.strip()]
    gaps = [row for row in filled if _SPACES.search(row.lstrip())]
    if len(filled) < 4 or len(gaps) < 0.3 * len(filled):
        return False
    lengths = sorted(map(len, filled))
    margin = lengths[-len(lengths) // 4]
    full = sum(abs(length - margin) <= 1 for length in lengths)
    if full < 0.5 * len(filled) or broken_share(filled) < BROKEN_SHARE:
        return False
    edits = RowEdits(editor, rows)
    for number, row in enumerate(rows):
        for match in _SPACES.finditer(row):
            edits.cut(number, match.start() + 1, match.end())
    editor.count("layout", len(gaps))
    return edits.apply()


FREQUENT, RARE = 8_000, 1 << 30
"""Rank of a word below which two words with a hyphen at a row end are that word, and the rank of unknown words."""
SOFT = "\u00ac"
"""The sign that stands for a soft hyphen at the end of a row."""
_HYPHEN = re.compile(r"(?<![^\W\d_])([^\W\d_]+)([-\u2010\u00ac])[ \t]*$")
_BEFORE_WORDS = ("", " ", "\t", "-", "(", '"', "\u201c", "'", "\u2018", "\u2013", "\u2014", "/")
_LOWER = re.compile(r"[ \t]*((?=[^A-Z])[^\W\d_]+)")
_SOFT_HYPHEN = re.compile("(?<=[^\\W\\d_])\u00ad(?=[ \t]*\r?\n[ \t]*[^\\W\\d_])")
_COMPOUND = re.compile(r"(?<![^\W\d_])[^\W\d_]+-[^\W\d_]+")
_WORD = re.compile(r"[^\W\d_]+")


def join_hyphenated(editor: Editor, rows: Sequence[str]) -> bool:
    """Join words that were hyphenated at row ends, and the rows around them. Compounds, such as well-known, stay."""
    cuts = {}
    found = {
        number: (first, last)
        for number, (row, after) in enumerate(pairwise(rows))
        if (first := _HYPHEN.search(row))
        and row[first.start() - 1 : first.start()] in _BEFORE_WORDS
        and (last := _LOWER.match(after))
    }
    if not found:
        return False
    compounds = {word.lower() for word in _COMPOUND.findall(editor.text)}
    here = {word.lower() for word in _WORD.findall(editor.text)}
    known = common_words()
    for number, (head, tail) in found.items():
        start, end = head[1].lower(), tail[1].lower()
        are_words = (start in known or start in layout_words("prefixes")) and end in known
        kept = f"{start}-{end}" in compounds or rows[number][head.start() - 1 : head.start()] == "-"
        # "Long-term" is a compound although some write "longterm", which is rare; "some-thing" is not.
        is_word = known.get(start + end, RARE) < (FREQUENT if are_words else RARE) or start + end in here
        if head[2] == SOFT or (not kept and (is_word or not are_words)):
            cuts[number] = head.start(2)
    if not cuts:
        return False
    edits = RowEdits(editor, rows)
    margin = max(len(rows[number]) for number in found)
    for number in _rows_of_blocks(rows, cuts):
        after = rows[number + 1]
        if number in cuts:
            edits.cut(number, cuts[number], len(rows[number]))
            edits.cut(number + 1, 0, len(after) - len(after.lstrip()))
            edits.join(number, "")
        elif len(rows[number]) + 1 + len(after.split(" ", 1)[0]) > margin or is_broken(rows[number], after):
            edits.join(number)
    editor.count("hyphen", len(cuts))
    return edits.apply()


def _rows_of_blocks(rows: Sequence[str], wanted: Container[int]) -> list[int]:
    """Return the rows of the blocks that contain a wanted row, except the last row of each block."""
    found: list[int] = []
    start = 0
    for number, row in enumerate([*rows, ""]):
        if not row.strip():
            block = range(start, number)
            if any(one in wanted for one in block):
                found += block[:-1]
            start = number + 1
    return found


def mark_soft_hyphens(editor: Editor) -> None:
    """Keep soft hyphens at row ends for `join_hyphenated`; others are only hints and are removed."""
    if "\u00ad" in editor.text:
        editor.replace(TextEdit(*match.span(), SOFT) for match in _SOFT_HYPHEN.finditer(editor.text))

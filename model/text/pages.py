"""Undoes what printing does to text: running heads, page breaks, hyphens at row ends, double spacing, justification."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Container, Sequence
from itertools import pairwise

from unspun.model.text.edits import Editor, TextEdit
from unspun.model.text.rows import (
    BROKEN_SHARE,
    MOST_VARIED,
    RowEdits,
    broken_share,
    common_words,
    dangling_share,
    is_broken,
    variation,
)

LONGEST_HEAD = 100
NEAREST_HEADS = 12
"""Rows between two copies of a running head, at least."""
SHORTEST_ROWS = 30
"""Mean length of the rows of a page, in characters, at least."""
WIDEST = 132
"""Characters in a row of text that was wrapped, at most."""

FEWEST_RAGGED = 8
LEAST_DANGLING, LEAST_DANGLING_VARIED, LEAST_RAGGED = 0.2, 0.1, 0.35
"""Shares of rows that end with a word such as "the" (less is needed if rows vary a lot), and of those with room for the
next word, from which rows were broken up anywhere."""

_ENDS = (".", ":", ",", ";", "!", "?", "{", "}")
_PAGE_NUMBER = re.compile(
    r"[ \t\f\u2013\u2014\[(|-]*(?:[Pp](?:age|AGE|g\.|\.)?[ \t]*)?(?:\d{1,4}|[ivxlc]{1,7})"
    r"(?:[ \t]*(?:of|/)[ \t]*\d{1,4})?[ \t\u2013\u2014\])|-]*$"
)
_NOT_NAMES = re.compile(r"[\W\d_]+")


def remove_running_heads(editor: Editor, rows: Sequence[str]) -> bool:
    """Remove page numbers and running heads that stand inside sentences, and close the gap."""
    heads = _running_heads(rows)
    numbers = {i for i, row in enumerate(rows) if len(row) < 30 and row.strip() and _PAGE_NUMBER.match(row)}
    drop: set[int] = set()
    lone = 0
    filled = [i for i, row in enumerate(rows) if row.strip()]
    if sum(len(rows[i]) for i in filled) < SHORTEST_ROWS * len(filled):
        return False
    places: list[tuple[int, int, bool]] = []
    position = 0
    while position < len(filled):
        number = filled[position]
        start = position
        while position < len(filled) and (filled[position] in heads or filled[position] in numbers):
            position += 1
        if position == start:
            position += 1
            continue
        before, after = (
            (rows[filled[start - 1]] if start else ""),
            (rows[filled[position]] if position < len(filled) else ""),
        )
        gap = start > 0 and position < len(filled) and filled[position] - filled[start - 1] > position - start + 1
        numbered = all(any(map(str.isdigit, rows[i])) for i in filled[start:position] if i in heads)
        inside = is_broken(before, after) and (
            gap or numbered or "\f" in "".join(rows[number : filled[min(position, len(filled) - 1)] + 1])
        )
        places.append((start, position, inside))
        lone += inside
    if not lone:
        return _close_page_breaks(editor, rows)
    broken = Counter(heads[filled[i]] for a, b, inside in places if inside for i in range(a, b) if filled[i] in heads)
    heads = {row: name for row, name in heads.items() if 2 * broken[name] >= sum(map(name.__eq__, heads.values())) - 1}
    for start, end, inside in places:
        if not all(i in heads or i in numbers for i in filled[start:end]):
            continue
        group = filled[start:end]
        if all(i in numbers for i in group) and not inside and lone < 2:
            continue
        drop.update(group)
        if inside:
            drop.update(range(filled[start - 1] + 1, filled[end]))
    edits = RowEdits(editor, rows)
    for row in drop:
        edits.drop(row)
    editor.count("running_head", sum(bool(rows[row].strip()) for row in drop))
    return edits.apply()


def _running_heads(rows: Sequence[str]) -> dict[int, str]:
    """Return the rows that repeat at a distance, apart from numbers, each with what repeats."""
    groups: dict[str, list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        if (
            0 < len(row) <= LONGEST_HEAD
            and row.rstrip()[-1:] not in _ENDS
            and (name := _NOT_NAMES.sub("", row).lower())
        ):
            groups[name].append(number)
    heads: dict[int, str] = {}
    for name, places in groups.items():
        if len(places) >= 2 and min(b - a for a, b in pairwise(places)) >= NEAREST_HEADS:
            heads |= dict.fromkeys(places, name)
    return heads


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


def close_double_spacing(editor: Editor, rows: Sequence[str]) -> bool:
    """Remove the blank rows between the rows of wrapped text."""
    filled = [i for i, row in enumerate(rows) if row.strip()]
    single = [(a, b) for a, b in pairwise(filled) if b == a + 2]
    texts = [rows[i] for i in filled]
    if len(filled) < 6 or len(single) < 0.7 * (len(filled) - 1) or max(map(len, texts)) > WIDEST:
        return False
    broken = sum(is_broken(rows[a], rows[b]) for a, b in single)
    if broken < BROKEN_SHARE * len(single):
        return False
    edits = RowEdits(editor, rows)
    for a, _ in single:
        edits.drop(a + 1)
    editor.count("layout", len(single))
    return edits.apply()


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
    widest = max(map(len, filled))
    ragged = sum(len(a) + 1 + len(b.split(" ", 1)[0]) <= widest for a, b in pairwise(filled))
    if ragged < LEAST_RAGGED * len(filled) and not single:
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


SOFT = "\u00ac"
"""The sign that stands for a soft hyphen at the end of a row."""
_HYPHEN = re.compile(r"([^\W\d_]+)([-\u2010\u00ac])[ \t]*$")
_LOWER = re.compile(r"[ \t]*((?=[^A-Z])[^\W\d_]+)")
_PREFIXES = frozenset(
    [
        "anti",
        "co",
        "counter",
        "cyber",
        "e",
        "ex",
        "inter",
        "micro",
        "mid",
        "mini",
        "multi",
        "non",
        "post",
        "pre",
        "pro",
        "pseudo",
        "re",
        "semi",
        "sub",
        "ultra",
    ]
)
_SOFT_HYPHEN = re.compile("(?<=[^\\W\\d_])\u00ad(?=[ \t]*\r?\n[ \t]*[^\\W\\d_])")
_COMPOUND = re.compile(r"[^\W\d_]+-[^\W\d_]+")
_WORD = re.compile(r"[^\W\d_]+")


def join_hyphenated(editor: Editor, rows: Sequence[str]) -> bool:
    """Join words that were hyphenated at row ends, and the rows around them. Compounds, such as well-known, stay."""
    cuts = {}
    found = {
        number: (first, last)
        for number, (row, after) in enumerate(pairwise(rows))
        if (first := _HYPHEN.search(row)) and (last := _LOWER.match(after))
    }
    if not found:
        return False
    compounds = {word.lower() for word in _COMPOUND.findall(editor.text)}
    here = {word.lower() for word in _WORD.findall(editor.text)}
    known = common_words()
    for number, (head, tail) in found.items():
        start, end = head[1].lower(), tail[1].lower()
        are_words = (start in known or start in _PREFIXES) and end in known
        kept = f"{start}-{end}" in compounds or rows[number][head.start() - 1 : head.start()] == "-"
        if head[2] == SOFT or (not kept and (start + end in here or start + end in known or not are_words)):
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

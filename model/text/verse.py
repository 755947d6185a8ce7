"""Recognises verse: poems, songs and hymns, whose rows end where the poet wants and not where a margin is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise

from unspun.model.text.layouts.rows import MOST_VARIED, function_share, is_dangling, variation

FEWEST_ROWS = 6
"""Rows of a poem, at least."""
MOST_ROWS = 2_000
"""Rows that are looked at."""
LONGEST_ROW, MOST_WORDS = 90, 15
"""Characters and words of a row of verse, at most; one row in ten may be longer."""
LONGEST_PROSE_ROW, MOST_PROSE = 110, 0.3
"""Characters from which a row is a paragraph of prose, and the share of words in such rows, at most."""
LEAST_OPEN, LEAST_UNFILLED, LEAST_UNFILLED_CAPITAL = 0.25, 0.2, 0.1
MOST_DANGLING, MOST_DANGLING_LOWER, MOST_DANGLING_SHORT = 0.12, 0.1, 0.16
"""Shares of rows. Open: without the end of a sentence; one sentence to a row is not verse. Unfilled: with room for the
next word, which wrapped prose would have used; fewer are needed if rows start with capitals. Dangling: with a
word like "the" or "of" at the end, as three in ten have in prose that was broken up anywhere; verse whose rows start in
lower case has fewer, in short rows more."""
LEAST_FUNCTION_WORDS = 0.28
"""Share of function words, below which rows are a list."""
LEAST_SIGNS, MANY_SIGNS, LEAST_RHYMED = 0.2, 0.8, 0.3
"""Shares of rows: with a sign such as a comma at the end, and that rhyme. Rows without signs are headlines unless they
rhyme or are in stanzas."""
SHORT_ROWS, LONG_ROWS = 8.0, 10.0
"""Mean words of a row. Long ones are verse only if most have a sign at the end and start with a capital."""

_ENDS = ".!?\u2026"
_CLOSERS = "\"'\u201d\u2019)]*_ "
_LIST_MARKS = "-*+\u2022\u00b7|<>#=@/\\{}0123456789"
_NOT_VERSE = ("cue", "speaker", "timestamp", "mail_header")
"""Repairs after which short rows are speech."""
_SIGN = re.compile(r"\W+$")


def is_verse(text: str, repairs: dict[str, int]) -> bool:
    """Return whether a text is verse.

    Args:
        text: the repaired text.
        repairs: what was repaired in it, by kind.
    """
    if any(kind in repairs for kind in _NOT_VERSE):
        return False
    lines = text.split("\n", MOST_ROWS)[:MOST_ROWS]
    if len(lines) < FEWEST_ROWS and text.count(" / ") >= FEWEST_ROWS:
        lines = re.split(r"\n| //? ", text)[:MOST_ROWS]
    rows = [line.strip() for line in lines]
    prose = sum(len(row.split()) for row in rows if len(row) > LONGEST_PROSE_ROW)
    blocks = _blocks(row for row in rows if len(row) <= LONGEST_PROSE_ROW)
    rows = [row for block in blocks for row in block]
    words = [len(row.split()) for row in rows]
    if len(rows) < FEWEST_ROWS or prose > MOST_PROSE * sum(words):
        return False
    return (
        _has_short_rows(rows, words)
        and _ends_at_will(rows, blocks)
        and _is_composed(rows, sum(words) / len(words), _in_stanzas(blocks))
        and function_share(rows) >= LEAST_FUNCTION_WORDS
    )


def _has_short_rows(rows: Sequence[str], words: Sequence[int]) -> bool:
    long_rows = sum(len(row) > LONGEST_ROW or count > MOST_WORDS for row, count in zip(rows, words, strict=True))
    marked = sum(row[0] in _LIST_MARKS or "\t" in row or "|" in row or ": " in row for row in rows)
    # A poet does not count words; a program that breaks up prose may.
    usual = Counter(words).most_common(1)[0][1]
    return (
        long_rows <= 0.1 * len(rows)
        and marked <= 0.3 * len(rows)
        and usual <= 0.75 * len(rows)
        and variation(rows) <= MOST_VARIED
        and sum(words) >= 2.5 * len(rows)
    )


def _is_composed(rows: Sequence[str], words: float, stanzas: bool) -> bool:
    """Return whether rows are those of a poem and neither headlines nor short paragraphs.

    Args:
        rows: the rows.
        words: mean number of words in a row.
        stanzas: whether the rows are in blocks of equal size.
    """
    signs = sum(not row[-1].isalnum() for row in rows) / len(rows)
    rhymed = _rhymed(rows) >= LEAST_RHYMED
    if signs < LEAST_SIGNS:
        return rhymed or stanzas
    unended = [(row, after) for row, after in pairwise(rows) if not _is_ended(row)]
    capital = sum(after[0].isupper() for _, after in unended)
    if words > LONG_ROWS:
        return signs >= MANY_SIGNS and capital >= 0.6 * len(unended) >= 0.36 * len(rows)
    return capital >= 0.6 * len(unended) or words <= SHORT_ROWS or rhymed or signs >= 0.5


def _is_ended(row: str) -> bool:
    return row.rstrip(_CLOSERS)[-1:] in _ENDS


def _ends_at_will(rows: Sequence[str], blocks: Sequence[Sequence[str]]) -> bool:
    """Return whether rows end neither at a margin nor always with a sentence.

    Args:
        rows: the rows.
        blocks: the same, divided at blank rows.
    """
    size = len(rows)
    unended = [(row, after) for row, after in pairwise(rows) if not _is_ended(row)]
    capital = sum(after[0].isupper() for _, after in unended) >= 0.6 * len(unended)
    short = sum(row.count(" ") + 1 for row in rows) <= 5 * size
    most = MOST_DANGLING_SHORT if short else MOST_DANGLING if capital else MOST_DANGLING_LOWER
    dangling = sum(is_dangling(row) for row, _ in unended)
    # In verse that is printed with blank rows between, there are no others.
    pairs = [pair for block in blocks for pair in pairwise(block)] or list(pairwise(rows))
    margin = sorted(map(len, rows))[int(0.95 * (size - 1))]
    unfilled = sum(len(row) + 1 + len(after.split(" ", 1)[0]) <= margin for row, after in pairs)
    least = LEAST_UNFILLED_CAPITAL if capital else LEAST_UNFILLED
    return len(unended) >= LEAST_OPEN * size and unfilled >= least * len(pairs) and dangling <= most * size


def _rhymed(rows: Sequence[str]) -> float:
    """Return the share of rows that end with the same two letters as one of the four rows before."""
    ends = [_SIGN.sub("", row)[-2:].lower() for row in rows]
    words = [_SIGN.sub("", row).rpartition(" ")[2].lower() for row in rows]
    return sum(
        any(ends[i] == ends[k] and words[i] != words[k] for k in range(max(i - 4, 0), i)) for i in range(len(rows))
    ) / len(rows)


def _blocks(rows: Iterable[str]) -> list[list[str]]:
    """Return the rows in groups that were divided by blank rows."""
    return [list(block) for filled, block in groupby(rows, bool) if filled]


def _in_stanzas(blocks: Sequence[Sequence[str]]) -> bool:
    """Return whether there are at least three blocks of two to eight rows, most of them equally long."""
    size, number = Counter(map(len, blocks)).most_common(1)[0]
    return len(blocks) >= 3 and 2 <= size <= 8 and number >= 0.6 * len(blocks)

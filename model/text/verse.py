"""Recognises verse: poems, songs and hymns, whose rows end where the poet wants and not where a margin is."""

from __future__ import annotations

from collections.abc import Sequence

from unspun.model.text.rows import function_share, function_words

FEWEST_ROWS = 6
MOST_ROWS = 2_000
"""Rows that are looked at."""
LONGEST_ROW, MOST_WORDS = 80, 13
"""Characters and words of a row of verse, at most; one row in twenty may be longer."""
LONGEST_PROSE_ROW, MOST_PROSE = 100, 0.3
"""Characters from which a row is a paragraph of prose, and the share of words in such rows, at most."""
LEAST_OPEN, MOST_DANGLING, LEAST_UNFILLED = 0.25, 0.12, 0.3
"""Shares of rows. Open: without the end of a sentence; one sentence to a row is not verse. Dangling: with a function
word at the end ("the", "of"), where prose is often wrapped and verse hardly ever ends. Unfilled: with enough room for
the next word, which wrapped prose would have used."""
LEAST_FUNCTION_WORDS = 0.28
"""Share of function words, below which rows are a list."""

_ENDS = ".!?:\u2026"
_CLOSERS = "\"'\u201d\u2019)]*_ "
_LIST_MARKS = "-*+\u2022\u00b7|<>#=@/\\{}[0123456789"
_NOT_VERSE = ("cue", "speaker", "timestamp", "mail_header")
"""Repairs after which short rows are speech."""


def is_verse(text: str, repairs: dict[str, int]) -> bool:
    """Return whether a text is verse.

    Args:
        text: the repaired text.
        repairs: what was repaired in it, by kind.
    """
    if any(kind in repairs for kind in _NOT_VERSE):
        return False
    rows = [row.strip() for row in text.split("\n", MOST_ROWS)[:MOST_ROWS] if row.strip()]
    if len(rows) < FEWEST_ROWS and text.count(" / ") >= FEWEST_ROWS:
        rows = [row.strip() for row in text.replace("\n", " / ").split(" / ") if row.strip()]
    paragraphs = [row for row in rows if len(row) > LONGEST_PROSE_ROW]
    rows = [row for row in rows if len(row) <= LONGEST_PROSE_ROW]
    words = [len(row.split()) for row in rows]
    in_paragraphs = sum(len(row.split()) for row in paragraphs)
    if len(rows) < FEWEST_ROWS or in_paragraphs > MOST_PROSE * sum(words):
        return False
    return _has_short_rows(rows, words) and _ends_at_will(rows) and function_share(rows) >= LEAST_FUNCTION_WORDS


def _has_short_rows(rows: Sequence[str], words: Sequence[int]) -> bool:
    long_rows = sum(len(row) > LONGEST_ROW or count > MOST_WORDS for row, count in zip(rows, words, strict=True))
    marked = sum(row[0] in _LIST_MARKS or "\t" in row or "|" in row or ": " in row for row in rows)
    return long_rows <= 0.05 * len(rows) and marked <= 0.2 * len(rows) and sum(words) >= 2.5 * len(rows)


def _ends_at_will(rows: Sequence[str]) -> bool:
    """Return whether rows end neither at a margin nor always with a sentence."""
    margin = sorted(map(len, rows))[int(0.95 * (len(rows) - 1))]
    known = function_words()
    is_open = [row.rstrip(_CLOSERS)[-1:] not in _ENDS for row in rows[:-1]]
    dangling = sum(_last_word(row) in known for row, free in zip(rows, is_open, strict=False) if free)
    unfilled = sum(
        len(row) + 1 + len(following.split(" ", 1)[0]) <= margin
        for row, following in zip(rows, rows[1:], strict=False)
    )
    capital = sum(free and following[0].isupper() for free, following in zip(is_open, rows[1:], strict=True))
    if sum(is_open) < LEAST_OPEN * len(rows) or unfilled < LEAST_UNFILLED * len(rows):
        return False
    traditional = capital >= 0.6 * sum(is_open)
    return dangling <= (MOST_DANGLING if traditional else 0.75 * MOST_DANGLING) * len(rows)


def _last_word(row: str) -> str:
    """Return the last word, folded; nothing if a sign follows it, because then the row ends at a pause."""
    word = row[row.rfind(" ") + 1 :].lower()
    return word if word[-1:].isalpha() else ""

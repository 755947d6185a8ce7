"""Finds lists of references: bibliographies in the usual styles, and notes that consist of sources."""

from __future__ import annotations

import re
from collections.abc import Sequence

from unspun.model.text.layouts.rows import function_share

FEWEST_ENTRIES = 3
"""Entries in a row from which they are a list; one is enough below a heading such as "References"."""
LONGEST_HEADING = 60
"""Characters of the heading of a list of references, at most."""
LONGEST_ENTRY, LONGEST_ENTRY_TEXT = 6, 600
"""Lines and characters of an entry, at most."""
MOST_FUNCTION_WORDS = 0.38
"""Share of function words in an entry, at most; sentences usually have more."""

_SURNAME = r"(?:(?:[Vv]an|[Vv]on|[Dd]e|[Dd]er|[Dd]en|[Ll]a|[Ll]e|[Dd]i)\s+)*[A-Z][\w'\u2019-]+"
_INITIALS = r"(?:[A-Z]\.[\s-]?){1,4}"
_FIRST = r"[A-Z][\w'\u2019-]+(?:\s+[A-Z]\.?)?"
_YEAR = r"(?:1[5-9]|20)\d\d"
_MARK = re.compile(
    r"\s*(?:[\u2022*-]\s+)?"
    r"(?:\[(?:\d{1,4}|[A-Za-z+]{1,8}\d{2,4}[a-z]?)\]:?|\(\d{1,3}\)|\d{1,3}[.)]|\d{1,3}(?=\s+[A-Z])|\^)?"
    r"\s*"
)
_AUTHOR = re.compile(
    rf"{_SURNAME},\s+(?:{_INITIALS}|{_FIRST}[.,])|{_INITIALS}\s*{_SURNAME}(?:[,.:]|\s+(?:and|&|et)\s)"
    rf"|{_SURNAME}\s+[A-Z]{{1,3}}[,.:]|{_FIRST}\s+{_SURNAME}[,.]"
    rf"|{_SURNAME}(?:,| et al\.?| and {_SURNAME}| & {_SURNAME})?"
    rf",?\s*\({_YEAR}|(?:[A-Z][\w&'\u2019-]*[ ,.]+(?:of |and |the |for |on |& )*){{1,8}}\(?{_YEAR}|[\u2014_-]{{3,}}"
)
_DATED = re.compile(rf"(?<!\d){_YEAR}[a-z]?(?!\d)|\bn\.d\.|\bforthcoming\b|\bin press\b")
_PUBLISHED = re.compile(
    r"\b(?i:doi|vol\.|no\.|pp?\.\s*\d|press|journal|proceedings|proc\.|transactions|trans\.|quarterly|review|letters|lett\."
    r"|magazine|conference|symposium|workshop|university|univ\.|publish\w+|publications?|verlag|springer|elsevier|wiley"
    r"|routledge|arxiv|isbn|issn|thesis|dissertation|eds?\.|edn|edition|retrieved|accessed|available (?:at|from|online)"
    r"|in:|report)|https?:|www\.|\d\s?\(\d+(?:[-\u2013]\d+)?\)|\d[:,]\s*e?\d+\s?[-\u2013]\s?\d|\d{4};\d"
    r"|[A-Z][a-z]+(?:, [A-Z]{2})?: [A-Z][a-z]+|\(\d{4}[a-z]?(?:, [A-Z][a-z]+(?: \d+)?)?\)[.,:]"
)
_CITED_AGAIN = re.compile(
    r"\b(?i:ibid|op\. ?cit|loc\. ?cit|pp?\.\s*\d|supra|infra)|^[A-Z][\w'\u2019-]+,.{2,60},\s*\d+(?:[-\u2013]\d+)?\.?$"
)
_INITIAL = re.compile(r"\b[A-Z]\b\.?")
_HEADING = re.compile(
    r"\W*(?:\d+\.?\s*)?(?:references?(?: list)?|bibliography|works cited|literature(?: cited)?|sources|citations|notes"
    r"|endnotes|footnotes|further reading|select(?:ed)? bibliography|notes and references|references and notes)\W*$",
    re.IGNORECASE,
)


def find_references(lines: Sequence[str], after_blank: Sequence[bool]) -> list[bool]:
    """Return which lines of a text are in a list of references.

    Args:
        lines: the lines of one text, without blank ones.
        after_blank: whether a blank line stands before each line.
    """
    starts = [_starts_entry(line) for line in lines]
    entries: list[tuple[int, int]] = []
    number = 0
    while number < len(lines):
        end = number + 1
        if starts[number]:
            while end < len(lines) and end - number < LONGEST_ENTRY and not (starts[end] or after_blank[end]):
                end += 1
            shortest = next((e for e in range(number + 1, end + 1) if _is_entry(" ".join(lines[number:e]))), None)
            if shortest is not None:
                wraps = end > shortest and len(lines[shortest - 1]) < 140
                entries.append((number, end if wraps else shortest))
                end = entries[-1][1]
        number = end
    found = [False] * len(lines)
    for run in _runs(entries):
        first = run[0][0]
        if len(run) >= FEWEST_ENTRIES or (first > 0 and _HEADING.match(lines[first - 1][:LONGEST_HEADING])):
            found[first : run[-1][1]] = [True] * (run[-1][1] - first)
    return found


def _runs(entries: Sequence[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """Return the entries in groups, with at most one other line between two entries."""
    runs: list[list[tuple[int, int]]] = []
    for entry in entries:
        if runs and entry[0] - runs[-1][-1][1] <= 1:
            runs[-1].append(entry)
        else:
            runs.append([entry])
    return runs


def _starts_entry(line: str) -> bool:
    line = line[:LONGEST_ENTRY_TEXT]
    mark = _MARK.match(line)
    end = mark.end() if mark is not None else 0
    return bool(line[:end].strip()) or _AUTHOR.match(line, end) is not None


def _is_entry(text: str) -> bool:
    """Return whether a text is a source: it has an author or a number, a year, and where it was published."""
    if len(text) > LONGEST_ENTRY_TEXT or function_share([_INITIAL.sub("", text)]) > MOST_FUNCTION_WORDS:
        return False
    mark = _MARK.match(text)
    end = mark.end() if mark is not None else 0
    marked = bool(text[:end].strip(" *-\u2022"))
    if marked and _CITED_AGAIN.search(text[end:]):
        return True
    if not (marked or _AUTHOR.match(text, end)):
        return False
    return bool(_DATED.search(text, end) and _PUBLISHED.search(text, end))

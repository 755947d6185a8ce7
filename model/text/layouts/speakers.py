"""Removes names and times in front of what people say: plays, interviews, hearings, chats, captions of videos."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from unspun.model.text.edits import Editor
from unspun.model.text.layouts.rows import BROKEN_SHARE, RowEdits, broken_share, function_share, is_broken, layout_words

FEWEST_SPEECHES = 4
"""Speeches from which a text is a transcript."""
LEAST_LABELLED = 0.3
"""Share of the paragraphs, or of the rows, that must start with a name."""
LEAST_SPOKEN, LEAST_WORDS = 0.25, 3
"""Share of function words in what follows the names, and mean words, at least."""

_NAME = r"[A-Z][\w.'\u2019-]*"
_LABEL = re.compile(
    rf"[ \t]*(?:\*\*|__)?({_NAME}(?:[ \t]+(?:{_NAME}|\d{{1,3}}|of|the|de|van|von)){{0,4}})"
    r"(?:[ \t]*[(\[][^()\[\]\n]{1,40}[)\]])?(?:\*\*|__)?:(?:\*\*|__)?(?:[ \t]+|$)"
)
_QUESTION = re.compile(r"[ \t]*(?:\*\*)?([QA])(?:\d{0,3}[.:)](?:\*\*)?[ \t]+|[ \t]{2,}|\t)(?=\S)")

_DATE = r"(?:\d{1,4}[./-]\d{1,2}[./-]\d{2,4}|[A-Z][a-z]{2,8}\.? \d{1,2}(?:, \d{4})?|\d{1,2} [A-Z][a-z]{2,8}(?: \d{4})?)"
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d{1,3})?(?:[ \u202f]?[AaPp]\.?[Mm]\.?)?"
_LENGTH = r"\d{1,3} minutes?,? \d{1,2} seconds?"
_STAMP = re.compile(
    rf"[ \t\f]*[\[(]?(?:{_DATE}[,T]?[ \t]+(?:at[ \t]+)?)?({_CLOCK}|{_LENGTH})"
    rf"(?:[ \t]*(?:-->|[-\u2013])[ \t]*{_CLOCK})?[\])]?"
    r"(?:[ \t]*[-\u2013:|](?=[ \t]|$))?(?:[ \t]+|$|(?<=\])(?=\S))"
)
_NICK = re.compile(r"[ \t]*<[ @+~&%]?[\w\[\]\\^{}|`-]{1,30}>[ \t]+")
# Without possessive quantifiers, a long word would be divided in every possible way.
_SENDER = re.compile(r"(?:[+~]?[\w.'\u2019()-]{1,20}+[ \t]?+){1,4}+:[ \t]+")


def remove_timestamps(editor: Editor, rows: Sequence[str]) -> bool:
    """Remove the times, and the names after them, at the starts of rows in chats and transcripts."""
    stamps = {i: match for i, row in enumerate(rows) if (match := _STAMP.match(row) or _NICK.match(row))}
    filled = sum(bool(row.strip()) for row in rows)
    # With hours, minutes and seconds in brackets, two are enough if every paragraph has one.
    sure = len(stamps) >= 2 and all(
        match[0].lstrip()[0] in "[(" and match[1].count(":") == 2 for match in stamps.values() if match.re is _STAMP
    )
    if len(stamps) < (2 if sure and len(stamps) >= 0.9 * filled else FEWEST_SPEECHES) or len(stamps) < 0.4 * filled:
        return False
    ends = {}
    for i, match in stamps.items():
        end = match.end()
        if match.re is _STAMP:
            sender = _NICK.match(rows[i], end) or _SENDER.match(rows[i], end)
            end = sender.end() if sender is not None else end
        ends[i] = end
    texts = [rows[i][ends[i] :] if i in ends else row for i, row in enumerate(rows)]
    if function_share(texts) < LEAST_SPOKEN or len(" ".join(texts).split()) < 3 * len(stamps) or not _rise(stamps):
        return False
    edits = RowEdits(editor, rows)
    for i, end in ends.items():
        edits.cut(i, 0, end)
    spoken = [i for i, text in enumerate(texts) if text.strip()]
    # Captions are cut anywhere, but paragraphs with times are not.
    captions = broken_share(texts[i] for i in spoken) >= BROKEN_SHARE
    for before, after in pairwise(spoken):
        if (after in ends or before + 1 in ends) and (captions or is_broken(texts[before], texts[after])):
            edits.join(before)
            for row in range(before + 1, after):
                edits.join(row, "")
    editor.count("timestamp", len(stamps))
    return edits.apply()


def _rise(stamps: dict[int, re.Match[str]]) -> bool:
    """Return whether most times are not before the time above them. Times of day may start again."""
    times = [
        [int(part) for part in re.findall(r"\d+", match[1])[:3]] for match in stamps.values() if match.re is _STAMP
    ]
    keys = [(len(one), one) for one in times]
    pairs = list(pairwise(keys))
    return sum(a <= b for a, b in pairs) >= 0.8 * len(pairs)


def remove_speakers(editor: Editor, rows: Sequence[str]) -> bool:
    """Remove the names in front of speeches, if several names repeat and most paragraphs or rows start with one."""
    labels = {i: match for i, row in enumerate(rows) if ":" in row and (match := _LABEL.match(row))}
    labels |= {i: match for i, row in enumerate(rows) if (match := _QUESTION.match(row))}
    names = Counter(match[1] for match in labels.values())
    said = {
        i: match
        for i, match in labels.items()
        if names[match[1]] >= 2 and match[1].lower() not in layout_words("not_speakers")
    }
    repeated = {match[1] for match in said.values()}
    plain = all(name.isupper() for name in repeated)
    if len(repeated) < 2 or len(said) < FEWEST_SPEECHES + 2 * (not plain) or ("A" in repeated and "Q" not in repeated):
        return False
    # A person may speak once in a play whose other speakers return.
    speakers = {i: match for i, match in labels.items() if match[1].lower() not in layout_words("not_speakers")}
    paragraphs = sum(bool(row.strip()) and (i == 0 or not rows[i - 1].strip()) for i, row in enumerate(rows))
    if len(said) < LEAST_LABELLED * max(paragraphs, 1) or len(said) < 0.6 * len(labels):
        return False
    spoken = [rows[i][match.end() :].strip() for i, match in said.items()]
    if function_share(spoken) < LEAST_SPOKEN or sum(text.count(" ") for text in spoken) < LEAST_WORDS * len(spoken):
        return False
    edits = RowEdits(editor, rows)
    for i, match in speakers.items():
        edits.cut(i, 0, match.end())
    editor.count("speaker", len(speakers))
    return edits.apply()

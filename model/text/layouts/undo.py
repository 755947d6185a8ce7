"""Undoes layouts that break up the sentences of a text: line numbers, columns, subtitles, quoted e-mail, hyphens."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from unspun.model.text.edits import Editor
from unspun.model.text.layouts.columns import separate_columns, take_sentences_from_cells
from unspun.model.text.layouts.heads import remove_running_heads
from unspun.model.text.layouts.marks import remove_fences, remove_list_marks, remove_verse_numbers
from unspun.model.text.layouts.numbering import remove_line_numbers
from unspun.model.text.layouts.pages import (
    close_double_spacing,
    close_justified_gaps,
    join_hyphenated,
    join_ragged_rows,
)
from unspun.model.text.layouts.quoting import remove_mail_headers, remove_quote_marks
from unspun.model.text.layouts.speakers import remove_speakers, remove_timestamps
from unspun.model.text.layouts.subtitles import join_cues

FEWEST_ROWS_OF_PAGES = 15
"""Rows of a text without form feeds in which running heads are looked for, at least."""
FEWEST_NEWLINES = 2
"""Newlines from which a text has a layout of rows."""
_DIGITS = "0123456789"
_FORM_FEED = re.compile("\f")
_NUMBER = re.compile(r"\W{0,3}\d{1,3}\W")
_LONG_S = re.compile("\u017f")


def undo_layouts(editor: Editor) -> None:
    """Undo the layouts of a text, in time linear in its length, and count them. Other text is left unchanged.

    A layout must be plain from the whole text, for example from a number at the start of most rows. The counts are the
    rows changed: "line_number", "cue" (subtitles), "timestamp", "speaker", "quote_mark", "mail_header", "column",
    "table_border", "list_mark", "verse_number", "code_fence", "running_head", "hyphen" and "layout" (double spacing,
    justified text, rows that end anywhere), and "long_s".
    """
    if not editor.text.isascii():
        editor.substitute(_LONG_S, {0x17F: "s"}, "long_s")
    if editor.text.count("\n") >= FEWEST_NEWLINES:
        _undo_rows(editor)
    elif _NUMBER.match(editor.text):
        remove_verse_numbers(editor, [])
    if "\f" in editor.text:
        editor.substitute(_FORM_FEED, {0x0C: "\n"}, None)


class _Look:
    """What can be seen of a text at little cost, so that hardly any text is searched for layouts that it lacks."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.rows = text.split("\n")
        self.firsts = "".join([row.lstrip()[:1] for row in self.rows])
        self.lasts = "".join([row[-1:] for row in self.rows])
        self.filled = len(self.firsts)
        self.blank = len(self.rows) - self.filled
        self.numbered = sum(map(self.firsts.count, _DIGITS))
        self.numbered_at_end = sum(map(self.lasts.count, _DIGITS))
        self.starts_lower = sum(map(str.islower, self.firsts)) / max(self.filled, 1)
        self.marked = max(self.numbered + self.starts("[("), self.starts("\u2022-*+\u2013\u2014\u25aa\u25cf\u25e6"))
        self.has_fence = self.starts("`~") >= 2
        self.colons = text.count(":")
        self.gaps = text.count("  ") / max(self.filled, 1)

    def has(self, *marks: str) -> bool:
        """Return whether a text has one of these marks."""
        return any(mark in self.text for mark in marks)

    def starts(self, signs: str) -> int:
        """Return the number of rows that start with one of these characters."""
        return sum(map(self.firsts.count, signs))

    def often(self, mark: str, share: float) -> bool:
        """Return whether a mark is as frequent as this share of the rows."""
        return self.text.count(mark) >= share * self.filled

    def has_cues(self) -> bool:
        """Return whether there may be the times of subtitles."""
        return (self.colons >= 6 and self.has("-->", "Dialogue:")) or self.firsts[:1] in ("{", "0")

    def has_mail(self) -> bool:
        """Return whether there may be headers of mail."""
        introduced = ":" in self.lasts and self.has("wrote:", "writes:", "essage")
        return introduced or (self.colons > 1 and self.starts("FTSDRM*") >= 2 and self.has("From:", "Subject:"))

    def has_marks(self) -> bool:
        """Return whether there may be marks of quoted mail, or comment signs in front of all rows."""
        quoted = ">" in self.text and (self.starts(">") > 0 or self.often("> ", 0.5))
        return quoted or self.starts("|#*;%:!/-\u2502") >= 0.6 * self.filled

    def has_cells(self) -> bool:
        """Return whether there may be cells of a table."""
        borders = not self.text.isascii() and self.has("\u2502", "\u2551", "\u2503")
        return borders or self.often("|", 0.5) or self.often("\t", 0.5)

    def has_heads(self) -> bool:
        """Return whether there may be running heads or page numbers: rows that repeat, or have a number."""
        if self.filled < FEWEST_ROWS_OF_PAGES and "\f" not in self.text:
            return False
        return self.numbered + self.numbered_at_end > 0 or self.has("\f") or len(set(self.rows)) <= self.filled

    def has_hyphens(self) -> bool:
        """Return whether there are hyphens at row ends."""
        return any(mark in self.lasts for mark in "-\u2010\u00ac") or (" " in self.lasts and "- \n" in self.text)


_STEPS: tuple[tuple[Callable[[_Look], bool], Callable[[Editor, Sequence[str]], bool]], ...] = (
    (_Look.has_cues, join_cues),
    (lambda look: max(look.numbered, look.numbered_at_end) >= 0.1 * look.filled, remove_line_numbers),
    (_Look.has_cells, take_sentences_from_cells),
    (_Look.has_marks, remove_quote_marks),
    (_Look.has_mail, remove_mail_headers),
    (lambda look: look.numbered + look.starts("<[(") >= 0.4 * look.filled, remove_timestamps),
    (lambda look: look.has_fence, remove_fences),
    (lambda look: look.marked >= 0.8 * look.filled, remove_list_marks),
    (lambda look: look.numbered > 0, remove_verse_numbers),
    (_Look.has_heads, remove_running_heads),
    (lambda look: look.gaps >= 0.4, separate_columns),
    (lambda look: look.gaps >= 0.3, close_justified_gaps),
    (lambda look: look.blank >= 0.3 * look.filled and look.starts_lower >= 0.15, close_double_spacing),
    (lambda look: look.starts_lower >= 0.3 or len(look.text) <= 12 * look.filled, join_ragged_rows),
    (lambda look: look.colons >= 4 or look.starts("Q") >= 2, remove_speakers),
    (_Look.has_hyphens, join_hyphenated),
)
"""The layouts in the order in which they are undone, each with a sign without which a text does not have it."""


def _undo_rows(editor: Editor) -> None:
    look = _Look(editor.text)
    for may_be, undo in _STEPS:
        if may_be(look) and undo(editor, look.rows):
            look = _Look(editor.text)

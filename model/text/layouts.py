"""Undoes layouts that break up the sentences of a text: line numbers, columns, subtitles, quoted e-mail, hyphens."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from unspun.model.text.columns import separate_columns, take_sentences_from_cells
from unspun.model.text.edits import Editor
from unspun.model.text.numbering import remove_line_numbers
from unspun.model.text.pages import (
    close_double_spacing,
    close_justified_gaps,
    join_hyphenated,
    remove_running_heads,
)
from unspun.model.text.quoting import remove_mail_headers, remove_quote_marks
from unspun.model.text.speakers import remove_speakers, remove_timestamps
from unspun.model.text.subtitles import join_cues

_DIGITS = "0123456789"
_FORM_FEED = re.compile("\f")
_LONG_S = re.compile("\u017f")


def undo_layouts(editor: Editor) -> None:
    """Undo the layouts of a text, in time linear in its length, and count them. Other text is left unchanged.

    A layout must be plain from the whole text, for example from a number at the start of most rows. The counts are the
    rows changed: "line_number", "cue" (subtitles), "timestamp", "speaker", "quote_mark", "mail_header", "column",
    "table_border", "running_head", "hyphen" and "layout" (double spacing, justified text), and "long_s".
    """
    if not editor.text.isascii():
        editor.substitute(_LONG_S, {0x17F: "s"}, "long_s")
    if editor.text.count("\n") >= 3:
        _undo_rows(editor)
    if "\f" in editor.text:
        editor.substitute(_FORM_FEED, {0x0C: "\n"}, None)


class _Look:
    """What can be seen of a text at little cost, so that hardly any text is searched for layouts that it lacks."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.rows = text.split("\n")
        self.firsts = "".join([row.lstrip()[:1] for row in self.rows])
        self.filled = len(self.firsts)
        self.numbered = sum(map(self.firsts.count, _DIGITS))
        self.numbered_at_end = sum([row[-1:].isdigit() for row in self.rows])

    def has(self, *marks: str) -> bool:
        return any(mark in self.text for mark in marks)

    def starts(self, signs: str) -> int:
        """Return the number of rows that start with one of these characters."""
        return sum(map(self.firsts.count, signs))

    def often(self, mark: str, share: float) -> bool:
        """Return whether a mark is as frequent as this share of the rows."""
        return self.text.count(mark) >= share * self.filled


_STEPS: tuple[tuple[Callable[[_Look], bool], Callable[[Editor, Sequence[str]], bool]], ...] = (
    (lambda look: look.has("-->", "Dialogue:") or look.firsts.startswith(("{", "0")), join_cues),
    (lambda look: look.often("|", 0.5) or look.often("\t", 0.5) or look.has("\u2502", "\u2551"), take_sentences_from_cells),
    (lambda look: look.has(">") or look.starts("|#*;%:!/-\u2502") >= 0.6 * look.filled, remove_quote_marks),
    (lambda look: look.has("From:", "Subject:", "wrote:", "writes:", "Message"), remove_mail_headers),
    (lambda look: look.numbered + look.starts("<[") >= 0.4 * look.filled, remove_timestamps),
    (lambda look: max(look.numbered, look.numbered_at_end) >= 0.1 * look.filled, remove_line_numbers),
    (lambda look: look.has("\f") or look.numbered > 0 or look.numbered_at_end > 0 or len(set(look.rows)) <= look.filled, remove_running_heads),
    (lambda look: look.often("   ", 0.4), separate_columns),
    (lambda look: look.often("  ", 0.3), close_justified_gaps),
    (lambda look: look.often("\n\n", 0.3) and sum(map(str.islower, look.firsts)) >= 0.15 * look.filled, close_double_spacing),
    (lambda look: look.text.count(":") >= 4 or look.starts("Q") >= 2, remove_speakers),
    (lambda look: look.has("-\n", "- \n", "\u2010\n"), join_hyphenated),
)
"""The layouts in the order in which they are undone, each with a sign without which a text does not have it."""


def _undo_rows(editor: Editor) -> None:
    look = _Look(editor.text)
    for may_be, undo in _STEPS:
        if may_be(look) and undo(editor, look.rows):
            look = _Look(editor.text)

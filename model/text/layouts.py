"""Undoes layouts that break up the sentences of a text: line numbers, columns, subtitles, quoted e-mail."""

from __future__ import annotations

from unspun.model.text.edits import Editor


def undo_layouts(editor: Editor) -> None:
    """Undo the layouts of a text, in time linear in its length, and count them. Other text is left unchanged."""

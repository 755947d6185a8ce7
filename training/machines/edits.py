"""Edits that do not change the label of a text.

`EDITS` lists edits of human text: a grammar checker (Harper, Apache-2.0, in the wheel `harper-py`) and American
spelling. `partly_reverted` is what a light editor does to a machine's text.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any

import numpy as np

from unspun.model.comparing.align import align
from unspun.training.machines.base import Machine, Paraphrase

REVERTED = 0.3
"""Share of the passages changed by a machine that a light editor changes back."""
_STEMS = (
    "apolog|author|capital|categor|central|character|civil|commercial|critic|emphas|final|general|initial|local|maxim|"
    "minim|modern|neutral|normal|optim|organ|popular|priorit|real|recogn|special|stabil|standard|summar|symbol|util|visual"
)
_BRITISH = (
    (re.compile(rf"\b(re|un)?({_STEMS})is(e|ed|es|ing|ation|ations|er|ers)\b", re.IGNORECASE), r"\1\2iz\3"),
    (re.compile(r"\b(analy|cataly|paraly)s(e|ed|es|ing)\b", re.IGNORECASE), r"\1z\2"),
    (re.compile(r"\b(behavi|col|endeav|fav|harb|hon|hum|lab|neighb|rum)our(\w*)\b", re.IGNORECASE), r"\1or\2"),
    (re.compile(r"\b(calib|cent|fib|lit|met|theat)re(s)?\b", re.IGNORECASE), r"\1er\2"),
    (re.compile(r"\b(cance|fue|labe|leve|mode|signa|trave)ll(ed|ing|er|ers)\b", re.IGNORECASE), r"\1l\2"),
)


class AmericanSpelling(Machine):
    """Changes British to American spelling by rules."""

    name = "respelled"
    kind = "human"

    def paraphrase(self, text: str, rng: np.random.Generator) -> Paraphrase:
        """Return the text in American spelling."""
        for pattern, replacement in _BRITISH:
            text = pattern.sub(replacement, text)
        return Paraphrase(text)


class GrammarChecker(Machine):
    """Accepts the first suggestion of the grammar checker everywhere."""

    name = "corrected"
    kind = "human"
    _REMOVE, _INSERT_AFTER = 1, 2

    def paraphrase(self, text: str, rng: np.random.Generator) -> Paraphrase:
        """Return the corrected text. Raises ModuleNotFoundError if `harper-py` is not installed."""
        answer, at = [], 0
        for lint in sorted(self._linter.lint(text), key=lambda lint: (lint.span.start, -lint.span.end)):
            start, end = lint.span.start, lint.span.end
            if start < at or not lint.suggestions:
                continue
            suggestion = lint.suggestions[0]
            kind = int(suggestion.kind)
            kept = text[start:end] if kind == self._INSERT_AFTER else ""
            answer += [text[at:start], kept, "" if kind == self._REMOVE else suggestion.replacement_text]
            at = end
        return Paraphrase("".join([*answer, text[at:]]))

    @cached_property
    def _linter(self) -> Any:
        import harper

        return harper.Linter()


EDITS: tuple[Machine, ...] = (GrammarChecker(), AmericanSpelling())


def partly_reverted(text: str, original: str, rng: np.random.Generator, share: float = REVERTED) -> str:
    """Return a machine's text in which a share of the changed passages is as in the original again."""
    answer, at = [], 0
    for pair in align(original, text):
        if pair.change in ("replaced", "inflected") and rng.random() < share:
            answer += [text[at : pair.start], pair.original_text]
            at = pair.end
    return "".join([*answer, text[at:]])

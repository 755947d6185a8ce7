"""Edits that leave a text what it was: a grammar checker or another spelling, and a light hand on a machine's text.

The grammar checker is Harper (Apache-2.0, in the wheel `harper-py`).
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import numpy as np

from unspun.model.comparing.align import align

RESTORED = 0.3
"""Share of the passages that a machine changed which a light editor changes back."""
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


def respelled(text: str) -> str:
    """Return a text of British spelling in American spelling, by rules; other text comes back as it is."""
    for pattern, replacement in _BRITISH:
        text = pattern.sub(replacement, text)
    return text


def corrected(text: str) -> str:
    """Return a text with the first suggestion of the grammar checker taken everywhere.

    Raises ModuleNotFoundError without `harper-py`.
    """
    answer, at = [], 0
    for lint in sorted(_linter().lint(text), key=lambda lint: (lint.span.start, -lint.span.end)):
        start, end = lint.span.start, lint.span.end
        if start < at or not lint.suggestions:
            continue
        suggestion = lint.suggestions[0]
        kind = int(suggestion.kind)
        kept = text[start:end] if kind == _INSERT_AFTER else ""
        answer += [text[at:start], kept, "" if kind == _REMOVE else suggestion.replacement_text]
        at = end
    return "".join([*answer, text[at:]])


_REMOVE, _INSERT_AFTER = 1, 2


@cache
def _linter() -> Any:
    import harper

    return harper.Linter()


def restored(text: str, original: str, rng: np.random.Generator, share: float = RESTORED) -> str:
    """Return a machine's text in which a share of the changed passages is as in the original again."""
    answer, at = [], 0
    for pair in align(original, text):
        if pair.change in ("replaced", "inflected") and rng.random() < share:
            answer += [text[at : pair.start], pair.original_text]
            at = pair.end
    return "".join([*answer, text[at:]])

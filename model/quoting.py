"""Shortens what messages quote: a model or a file of keys from a stranger may contain anything, of any length."""

from __future__ import annotations

import reprlib
from typing import Any

MOST = 1000
"""Most characters of a message about a model."""

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = 60
_REPR.maxlevel = 2


def quoted(value: Any) -> str:
    """Return a value as Python writes it, with at most about 60 characters of each text."""
    return _REPR.repr(value)


def shortened(text: str, most: int = MOST) -> str:
    """Return text without its middle if it is too long: a message begins with the place, and ends with advice."""
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]} [...] {text[-half:]}"

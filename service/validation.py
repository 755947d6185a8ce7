"""Checks of submitted strings, for requests and for labels. Each returns the string, or raises ValueError."""

from __future__ import annotations


def encodable(value: str) -> str:
    """Refuse half of a surrogate pair, which JSON can express but UTF-8 cannot encode."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(f"contains an unpaired surrogate at {error.start}; replace it with U+FFFD") from None
    return value


def storable(value: str) -> str:
    """Refuse what UTF-8 cannot encode and what databases cannot store."""
    if "\0" in value:
        raise ValueError(f"contains a NUL character (U+0000) at {value.index(chr(0))}; remove it")
    return encodable(value)

"""What the styles of a word processor say about whether text can be seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

SMALLEST = 2.0
"""Points. Smaller letters are not read by anybody."""


@dataclass(frozen=True, slots=True)
class Look:
    """The properties of a style or of direct formatting; None is a property that is not set."""

    vanished: bool | None = None
    white: bool | None = None
    tiny: bool | None = None
    shaded: bool | None = None

    def over(self, base: Look) -> Look:
        """Return this look where it is set, else the one below it."""
        mine = ((field.name, getattr(self, field.name)) for field in fields(self))
        return Look(**{name: getattr(base, name) if value is None else value for name, value in mine})

    @property
    def hidden(self) -> bool:
        """Whether a reader sees nothing. White text is seen where something is behind it."""
        return bool(self.vanished or self.tiny or (self.white and not self.shaded))


PLAIN = Look()


def resolve(styles: Mapping[str, tuple[Look, str | None]]) -> dict[str, Look]:
    """Return the full look of each style, given its own and the name of the style that it is based on."""
    resolved: dict[str, Look] = {}
    for name in styles:
        look, seen, current = PLAIN, set[str](), name
        while current in styles and current not in seen:
            seen.add(current)
            own, parent = styles[current]
            look = look.over(own)
            current = parent or ""
        resolved[name] = look
    return resolved


def is_white(color: str | None) -> bool | None:
    """Return whether a colour, written in hexadecimal, is nearly white; None if it is not set."""
    digits = (color or "").lstrip("#")
    try:
        return min(bytes.fromhex(digits)) >= 0xF5 if len(digits) == 6 else None
    except ValueError:
        return None

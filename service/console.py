"""What the command line may say, and how: one line a message, nothing in it that a terminal would obey."""

from __future__ import annotations

import sys
from typing import IO, Any

import click

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def printable(text: str) -> str:
    """Return text that is safe to show: white space as spaces, and anything without a glyph as U+FFFD.

    That takes away escape sequences, other control characters, direction overrides and lone surrogates. The
    answer has as many characters as `text`, so offsets stay true.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c.isspace() else REPLACEMENT for c in text)


def one_line(text: str) -> str:
    """Return a message as one printable line."""
    return " ".join(printable(text).split())


def complain(message: str) -> None:
    """Write one line to standard error."""
    click.echo(f"unspun: {one_line(message)}", err=True)


def is_bundle_error(error: Exception) -> bool:
    """Return whether the model is at fault, and the message says what to do.

    Asked of errors of any kind, so it must not import what may be what failed: a bundle's error comes from a
    module that is there already.
    """
    module = sys.modules.get("unspun.model.bundle")
    return module is not None and isinstance(error, module.BundleError)


class CommandError(click.ClickException):
    """A command cannot go on for a reason that is not the way it was called: one line, exit status 1."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        """Write the reason as one line to standard error."""
        complain(self.message)

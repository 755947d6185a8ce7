"""Messages on standard error: one line each, without characters that control a terminal."""

from __future__ import annotations

import sys
from typing import IO, Any

import click

from unspun.model.quoting import shortened

LONGEST = 2000
"""Most characters of a message."""
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def printable(text: str) -> str:
    """Return text that is safe to show: white space as spaces, and any character without a glyph as U+FFFD.

    This removes escape sequences, other control characters, direction overrides and lone surrogates. The result has
    as many characters as `text`, so offsets stay true.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c.isspace() else REPLACEMENT for c in text)


def one_line(text: str) -> str:
    """Return a message as one printable line."""
    return " ".join(printable(text).split())


def complain(message: str) -> None:
    """Write one line to standard error, without its middle if it is too long."""
    click.echo(f"unspun: {shortened(one_line(message), LONGEST)}", err=True)


def plural(number: int, noun: str, nouns: str | None = None) -> str:
    """Return a count with its noun: "1 document", "1,200 documents"."""
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"


def is_bundle_error(error: Exception) -> bool:
    """Return whether the model, or the device that it is to run on, is at fault; the message then says what to do.

    This is called for any error, including failed imports, so it imports nothing: only a module that is already loaded
    can have raised such an error.
    """
    places = {
        "unspun.model.bundle": "BundleError",
        "unspun.model.onnx_session": "DeviceError",
        "unspun.model.onnx_graph": "GraphError",
    }
    known = tuple(getattr(sys.modules[module], name) for module, name in places.items() if module in sys.modules)
    return isinstance(error, known)


class CommandError(click.ClickException):
    """A command with correct usage cannot continue. Its message is shown on one line, and the exit status is 1."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        """Write the message to standard error."""
        complain(self.message)

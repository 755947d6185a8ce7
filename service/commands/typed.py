"""What is typed instead of files: nothing, or a text itself. The errors say what to type."""

from __future__ import annotations

import os
import select
import shlex
import stat
import sys
from collections.abc import Sequence
from typing import Any

import click

from unspun.service.commands.common import STDIO, is_terminal
from unspun.service.console import complain, one_line

LONGEST_ECHO = 60
"""Characters of a text that an error repeats."""
PATIENCE = 3.0
"""Seconds without input from a pipe after which the command says what it waits for."""


def paths_or_pipe(paths: tuple[str, ...], command: str) -> tuple[str, ...]:
    """Return the paths, or standard input if there are none and a text is piped into the command.

    Raises UsageError if there is nothing to read, or if a text was typed instead of a path.
    """
    refuse_text(paths, f"pipe it: echo {{}} | unspun {command} -")
    if paths or _is_piped():
        announce_standard_input(paths or (STDIO,))
        if paths or not _is_empty():
            return paths or (STDIO,)
    raise click.UsageError(
        f"nothing to read. Name a file or folder (unspun {command} article.txt), or pipe a text into the command "
        f"(cat article.txt | unspun {command} -)."
    )


def refuse_text(paths: Sequence[str], advice: str) -> None:
    """Raise UsageError if a text was typed instead of paths. In `advice`, {} stands for the text."""
    missing = [path for path in paths if _could_be_text(path)]
    typed = next((path for path in missing if len(path.split()) > 1), None)
    if typed is None and len(missing) == len(paths) > 1:
        typed = " ".join(missing)
    if typed is not None:
        text = one_line(typed)
        short = text if len(text) <= LONGEST_ECHO else f"{text[:LONGEST_ECHO].rstrip()} ..."
        raise click.UsageError(
            f"no file or folder is called {shlex.quote(short)}. If this is a text, {advice.format(shlex.quote(short))}"
        )


def announce_standard_input(paths: Sequence[str]) -> None:
    """Say that the command reads standard input if it is a terminal, or a pipe from which nothing comes."""
    if STDIO not in paths:
        return
    if is_terminal(sys.stdin):
        complain("type or paste a text; end it with Ctrl-D on a line of its own")
    elif _is_fifo() and not select.select([sys.stdin], [], [], PATIENCE)[0]:
        complain("waiting for a text on standard input; Ctrl-C ends this")


def _could_be_text(path: str) -> bool:
    from unspun.reading.reader import format_of

    return not (
        path in ("", STDIO) or "://" in path or "*" in path or os.path.lexists(path) or format_of(path) is not None
    )


def _is_empty() -> bool:
    """Return whether standard input ends before its first byte; wait for that byte, and leave it there."""
    buffer: Any = sys.stdin.buffer
    if hasattr(buffer, "peek"):
        return not buffer.peek(1)
    start = buffer.tell()
    first = buffer.read(1)
    buffer.seek(start)
    return not first


def _mode() -> int | None:
    """Return the mode of the file behind standard input, None if there is no such file."""
    try:
        return os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError):
        return None


def _is_fifo() -> bool:
    mode = _mode()
    return mode is not None and stat.S_ISFIFO(mode)


def _is_piped() -> bool:
    """Return whether standard input is a pipe or a file, rather than a terminal or a null device."""
    if sys.stdin is None or is_terminal(sys.stdin):
        return False
    mode = _mode()
    return mode is None or stat.S_ISFIFO(mode) or stat.S_ISREG(mode)

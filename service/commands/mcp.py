"""`unspun mcp`: the tools `score` and `compare` for assistants."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from unspun.service.commands.common import allow_option, is_terminal, load_detector, model_option, needs
from unspun.service.console import complain

if TYPE_CHECKING:
    from unspun.model.text.allowed import Allowed


@click.command(short_help="Give an assistant the tools `score` and `compare`.")
@model_option
@allow_option
@click.pass_obj
def mcp(load: Any, bundle: Path | None, allowed: Allowed | None) -> None:
    """Give an assistant that edits text the tools `score` and `compare`, over the Model Context Protocol (MCP).

    The assistant starts this command and speaks to it on standard input and output. Texts are judged on this machine,
    and neither stored nor logged. Add the command to the assistant's configuration, which often looks like this:

    \b
      {"mcpServers": {"unspun": {"command": "unspun", "args": ["mcp"]}}}

    If the assistant does not find the command, give its full path, as `which unspun` prints it.

    \b
    Exit status:
      0    standard input ended: the assistant is done
      1    the model could not be loaded, or the package mcp is missing
      2    wrong usage
      130  interrupted

    \b
    Examples:
      unspun mcp
      unspun mcp --model models/current
    """
    with needs("the server for assistants", "mcp"):
        from unspun.service.mcp import serve
    from unspun.model.comparing.comparer import Comparer
    from unspun.service.batch.scoring import allowing

    detector = allowing((load or load_detector)(bundle), allowed)
    if is_terminal(sys.stdin):
        complain("waiting for an assistant, which speaks MCP (JSON) on standard input; press Ctrl-C to stop")
    # Ctrl-C ends the process at once: Python would wait for a thread that waits for the next line.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    serve(detector, Comparer(detector.bundle))

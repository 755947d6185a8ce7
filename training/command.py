"""The command line of a training stage."""

from __future__ import annotations

import re
from argparse import SUPPRESS, Action, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any


def stage_parser(docstring: str | None) -> ArgumentParser:
    """Return the parser for a stage, with the docstring of its module as help.

    The docstring contains an example, which also gives the name of the program: `python -m MODULE`.
    """
    example = re.search(r"python -m \S+", docstring or "")
    name = example.group() if example else None
    return ArgumentParser(name, description=docstring, formatter_class=RawDescriptionHelpFormatter)


def labelled_parser(docstring: str | None) -> ArgumentParser:
    """Return the parser for a stage that reads labelled texts."""
    parser = stage_parser(docstring)
    parser.add_argument("labelled", type=Path, nargs="+", help="labelled files or folders")
    return parser


class _FormerOption(Action):
    """Refuses the former name of an option; `const` is the new one."""

    def __call__(self, parser: ArgumentParser, namespace: Namespace, values: Any, option: str | None = None) -> None:
        parser.error(f"{option} is called {self.const} now; use {self.const} {values}")


def add_former_option(parser: ArgumentParser, name: str, now: str) -> None:
    """Refuse the former name of the option `now`, which help does not show."""
    parser.add_argument(name, action=_FormerOption, const=now, help=SUPPRESS, dest=SUPPRESS)


def add_workers(parser: ArgumentParser, default: int) -> None:
    """Add the option --workers."""
    parser.add_argument("--workers", type=int, default=default, metavar="N", help=f"processes (default: {default})")
    add_former_option(parser, "--jobs", "--workers")

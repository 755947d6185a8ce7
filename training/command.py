"""The command line of a training stage."""

from __future__ import annotations

import re
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path


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

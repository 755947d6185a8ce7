"""The command line of a training stage."""

from __future__ import annotations

import re
from argparse import ArgumentParser, RawDescriptionHelpFormatter


def stage_parser(docstring: str | None) -> ArgumentParser:
    """Return the parser for a stage, with the docstring of its module as help.

    The docstring contains an example, which also gives the name of the program: `python -m MODULE`.
    """
    example = re.search(r"python -m \S+", docstring or "")
    name = example.group() if example else None
    return ArgumentParser(name, description=docstring, formatter_class=RawDescriptionHelpFormatter)

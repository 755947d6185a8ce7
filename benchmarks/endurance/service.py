"""Not written yet."""

from __future__ import annotations

import argparse


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this half."""


def run(options: argparse.Namespace) -> int:
    """Run this half; return the exit status."""
    raise NotImplementedError

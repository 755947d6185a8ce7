"""Outputs as documents show them, shortened to `...`, against what the commands print."""

from __future__ import annotations

import re


def matches(shown: list[str], output: str) -> bool:
    """Return whether an output is what is shown: `...` stands for any text or lines, and a figure for any figure."""
    pieces = [".*" if line == "..." else _pattern(line) for line in shown]
    return re.fullmatch(r"\n?".join(pieces), _plain(output).strip("\n"), re.DOTALL) is not None


def _pattern(line: str) -> str:
    return r"[^\n]*".join(re.escape(part) for part in _plain(line).split("..."))


def _plain(text: str) -> str:
    """Return a text with a # for every figure, and one blank for several; bars are as long as their figures."""
    return re.sub(r"[ \t]+", " ", re.sub(r"[▏▎▍▌▋▊▉█]+", "", re.sub(r"\d+([.,]\d+)*", "#", text)))

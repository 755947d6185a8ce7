"""Jinja templates that write Markdown: the model card and the accuracy page."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from unspun.training.reporting.tables import NOTHING


@cache
def load_template(file: Path) -> Template:
    """Return a template. `grid` writes a Markdown table, and `escaped` escapes a cell; nothing is escaped as HTML."""
    environment = Environment(
        loader=FileSystemLoader(file.parent),
        undefined=StrictUndefined,
        autoescape=False,  # nosec B701 # the templates are Markdown, and filled in with our own figures
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["escaped"] = escaped
    environment.globals["grid"] = grid
    return environment.get_template(file.name)


def escaped(text: str) -> str:
    """Escape what Markdown would read as a column separator or a tag; "" for a missing figure."""
    return (text if text != NOTHING else "").replace("|", "\\|").replace("<", "&lt;")


def grid(titles: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[bool] = ()) -> str:
    """Return a Markdown table, padded so that its source is readable too; `numbers` marks columns to align right."""
    right = list(numbers) or [False] * len(titles)
    cells = [[escaped(text) for text in row] for row in (titles, *rows)]
    widths = [max(3, *(len(row[i]) for row in cells)) for i in range(len(titles))]
    rule = ["-" * (width - 1) + (":" if number else "-") for width, number in zip(widths, right, strict=True)]

    def line(row: Sequence[str]) -> str:
        padded = [
            text.rjust(width) if number else text.ljust(width)
            for text, width, number in zip(row, widths, right, strict=True)
        ]
        return f"| {' | '.join(padded)} |"

    return "\n".join([line(cells[0]), line(rule), *map(line, cells[1:])])

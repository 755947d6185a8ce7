"""Tables of figures, as `training.reporting.tables` makes them, on a terminal or in a pipe."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from unspun.service.console import printable
from unspun.training.reporting.tables import Table

PLAIN_WIDTH = 160
"""Width without a terminal, in cells: wide enough for every table; notes are still wrapped."""
NOTE_WIDTH = 100
LONGEST_WHOLE = 28
"""Cells of the widest column that is never wrapped."""


def plain_console() -> Console:
    """Return a console for pipes and files: without colour, and with lines of a fixed width."""
    return Console(width=PLAIN_WIDTH, force_terminal=False, color_system=None)


def draw(tables: Iterable[Table], console: Console) -> str:
    """Return tables as text: with rules on a terminal, as bare columns otherwise."""
    with console.capture() as capture:
        section: tuple[str, ...] = ()
        for table in tables:
            if table.titles != section:
                section = table.titles
                console.print(Text("\n" + ": ".join(section), "bold"), highlight=False)
            _draw_table(table, console)
    lines = "\n".join(line.rstrip() for line in capture.get().splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines).strip("\n") + "\n"


def _draw_table(table: Table, console: Console) -> None:
    if table.note:
        note = Text(printable(table.note), "dim")
        console.print(note, width=min(NOTE_WIDTH, console.width), highlight=False)
    if not table.rows:
        return
    grid = Grid(
        box=box.SIMPLE_HEAD if console.is_terminal else None,
        show_header=any(table.columns),
        header_style="dim",
        pad_edge=False,
        padding=(0, 1),
    )
    for place, name in enumerate(table.columns):
        width = max(cell_len(row[place]) for row in table.rows)
        grid.add_column(
            Text(_wrapped(name, width) if console.is_terminal else name),
            justify="right" if table.numbers[place] else "left",
            no_wrap=width <= LONGEST_WHOLE,  # a figure must not be wrapped
            overflow="fold",
        )
    for row in table.rows:
        grid.add_row(*(Text(printable(cell)) for cell in row))
    console.print(Padding(grid, (0, 0, 0, 0 if console.is_terminal else 2)))


def _wrapped(name: str, width: int) -> str:
    """Return a column's name, wrapped to about the width of its cells to save space."""
    longest = max((len(word) for word in name.split()), default=1)
    return "\n".join(textwrap.wrap(name, max(width, longest)))

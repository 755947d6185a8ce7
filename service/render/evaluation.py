"""Measured figures on a terminal or in a pipe, drawn from the tables of `training.tables`."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from service.console import printable
from training.tables import Table

PLAIN_WIDTH = 160
"""Cells of a line where there is no terminal: wide enough for every table, and notes still break."""
NOTE_WIDTH = 100


def plain_console() -> Console:
    """Return a console for pipes and files: no colour, and lines that do not depend on a terminal."""
    return Console(width=PLAIN_WIDTH, force_terminal=False, color_system=None)


def draw(tables: Iterable[Table], console: Console) -> str:
    """Return tables as the console shows them: lines on a terminal, bare columns elsewhere."""
    with console.capture() as capture:
        section: tuple[str, ...] = ()
        for table in tables:
            if table.titles != section:
                section = table.titles
                console.print(Text("\n" + ": ".join(section), "bold"), highlight=False)
            _draw_table(table, console)
    return "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())


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
    for name, is_number in zip(table.columns, table.numbers, strict=True):
        # A figure that breaks over two lines is no longer one; names may.
        grid.add_column(Text(name), justify="right" if is_number else "left", no_wrap=is_number, overflow="fold")
    for row in table.rows:
        grid.add_row(*(Text(printable(cell)) for cell in row))
    console.print(Padding(grid, (0, 0, 0, 0 if console.is_terminal else 2)))

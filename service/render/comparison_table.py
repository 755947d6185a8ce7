"""Comparisons on a terminal: two texts side by side, sentence by sentence, or the likeliest sources of each suspect."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from unspun.model.comparing.comparison import Comparison, WordSubstitution
from unspun.model.wording import percent
from unspun.service.console import printable
from unspun.service.render.comparison import Answer, Pair, Piece, Row, Sink, headline, meaning, rows

MOST_SUBSTITUTIONS = 20
"""Substitutions that are listed, the most frequent."""
NARROWEST = 76
"""Cells from which two texts stand side by side; below, one under the other."""
SUSPECT_STYLES = {"equal": "dim", "replaced": "bold red", "inserted": "yellow", None: "dim"}
SOURCE_STYLES = {"equal": "dim", "replaced": "green", "deleted": "cyan", None: "dim"}


class Table:
    """Writes answers for a reader. Text of others is shown with its control characters replaced.

    Of a search for sources, each suspect gets a line a document; where there was one suspect only, it and the source
    that was found follow side by side.
    """

    def __init__(self, console: Console, sink: Sink) -> None:
        self._console = console
        self._sink = sink
        self._ascii = console.options.ascii_only
        self._brackets = console.color_system is None
        self._answers = 0
        self._only: Pair | None = None

    def write(self, answer: Answer) -> None:
        """Write one answer."""
        self._answers += 1
        self._only = None
        if answer.among is None:
            for pair in answer.pairs:
                self._side_by_side(pair)
            return
        self._print(*self._ranking(answer, answer.among))
        if self._answers == 1 and answer.pairs and answer.pairs[0].comparison.derived:
            self._only = answer.pairs[0]

    def close(self) -> None:
        """Show the pair that was found, if it is the only one."""
        if self._only is not None:
            self._print(Text())
            self._side_by_side(self._only)

    # --- which document it is

    def _ranking(self, answer: Answer, among: int) -> Iterable[RenderableType]:
        suspect = Text(printable(answer.suspect_id), "bold")
        derived = [pair.comparison for pair in answer.pairs if pair.comparison.derived]
        if not derived:
            yield suspect
            yield Padding(Text(_none_fits(answer, among), "dim"), (0, 0, 0, 2))
            return
        yield suspect
        grid = Grid.grid(padding=(0, 2))
        for justify in ("right", "left", "right", "left"):
            grid.add_column(justify=justify, overflow="fold", no_wrap=justify == "right")
        for comparison in derived:
            grid.add_row(
                Text(percent(comparison.probability), "bold red"),
                Text(comparison.kind or ""),
                Text(f"{percent(comparison.share)} of it"),
                Text(printable(comparison.source.id or "")),
            )
        yield Padding(grid, (0, 0, 0, 2))

    # --- two texts

    def _side_by_side(self, pair: Pair) -> None:
        comparison = pair.comparison
        self._print(*self._head(comparison))
        shown = [row for row in rows(pair) if comparison.derived or (row.suspect and row.source)]
        if not shown or comparison.reason is not None:
            return
        self._print(Text())
        both = [row for row in shown if row.suspect is not None]
        missing = [row for row in shown if row.suspect is None]
        draw = self._beside if self._console.width >= NARROWEST else self._below
        self._print(*draw(both, missing))
        if comparison.derived and comparison.substitutions:
            self._print(Text(), *self._substitutions(comparison.substitutions))

    def _head(self, comparison: Comparison) -> Iterable[RenderableType]:
        style = "bold red" if comparison.derived else "bold" if comparison.reason is not None else "bold green"
        line = Text(headline(comparison), style)
        if comparison.reason is None:
            line.append(f"  {percent(comparison.probability)}", "bold")
        line.append(f"  {meaning(comparison)}", "dim")
        yield line
        if comparison.reason is None:
            yield Text(f"{percent(comparison.share)} of the source's words reappear in the suspect", "dim")
        for name, id, words in (
            ("suspect", comparison.suspect.id, comparison.suspect.words),
            ("source", comparison.source.id, comparison.source.words),
        ):
            length = f"  {words:,} word" if words == 1 else f"  {words:,} words"
            yield Text.assemble((f"{name:8}", "dim"), (printable(id or "without a name"), "bold"), length)

    def _beside(self, both: list[Row], missing: list[Row]) -> Iterable[RenderableType]:
        grid = Grid(box=None, expand=True, pad_edge=False, padding=(0, 2, 1, 0), header_style="dim", show_edge=False)
        grid.add_column("", width=1, no_wrap=True)
        grid.add_column("suspect", ratio=1, overflow="fold")
        grid.add_column("source", ratio=1, overflow="fold")
        for row in both:
            grid.add_row(self._mark(row), self._suspect(row), self._source(row))
        if missing:
            grid.add_row(Text(), Text("(not in the suspect)", "dim"), Text())
        for row in missing:
            grid.add_row(Text(), Text(), self._source(row))
        yield grid
        yield from self._legend(both)

    def _below(self, both: list[Row], missing: list[Row]) -> Iterable[RenderableType]:
        for row in both:
            yield Text.assemble("suspect ", self._mark(row), " ", self._suspect(row))
            yield Text.assemble("source    ", self._source(row))
            yield Text()
        for row in missing:
            yield Text.assemble(("not in the suspect  ", "dim"), self._source(row))
            yield Text()
        yield from self._legend(both)

    def _legend(self, both: list[Row]) -> Iterable[Text]:
        if any(row.moved for row in both):
            yield Text.assemble(self._moved(), (" stands elsewhere in the source's order", "dim"))

    def _mark(self, row: Row) -> Text:
        return self._moved() if row.moved else Text()

    def _moved(self) -> Text:
        return Text("~" if self._ascii else "↕", "bold magenta")

    def _suspect(self, row: Row) -> Text:
        if row.suspect is None:
            return Text()
        if row.source is None:
            return self._joined(row.suspect, {None: "yellow"})
        return self._joined(row.suspect, SUSPECT_STYLES)

    def _source(self, row: Row) -> Text:
        if row.source is None:
            return Text("(not in the source)", "dim")
        if row.suspect is None:
            return self._joined(row.source, {None: "cyan"})
        return self._joined(row.source, SOURCE_STYLES)

    def _joined(self, pieces: Iterable[Piece], styles: dict[str | None, str]) -> Text:
        line = Text()
        for piece in pieces:
            # What colour cannot tell, brackets do.
            marked = self._brackets and piece.operation in ("replaced", "inserted", "deleted")
            line.append(
                f"[{printable(piece.text)}]" if marked else printable(piece.text), styles.get(piece.operation, "")
            )
        return line

    def _substitutions(self, substitutions: tuple[WordSubstitution, ...]) -> Iterable[RenderableType]:
        arrow = "->" if self._ascii else "→"
        yield Text(f"{len(substitutions):,} {'substitution' if len(substitutions) == 1 else 'substitutions'}", "bold")
        grid = Grid.grid(padding=(0, 1))
        grid.add_column(justify="right", no_wrap=True)
        for _ in range(3):
            grid.add_column(overflow="fold")
        for one in substitutions[:MOST_SUBSTITUTIONS]:
            grid.add_row(
                Text(f"{one.count:,}", "dim"),
                Text(printable(one.source), "green"),
                Text(arrow, "dim"),
                Text(printable(one.suspect), "bold red"),
            )
        yield Padding(grid, (0, 0, 0, 2))
        more = len(substitutions) - MOST_SUBSTITUTIONS
        if more > 0:
            yield Padding(Text(f"and {more:,} more; --format json lists all", "dim"), (0, 0, 0, 2))

    def _print(self, *parts: RenderableType) -> None:
        with self._console.capture() as capture:
            for part in parts:
                self._console.print(part, highlight=False, markup=False)
        self._sink.write("".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()))


def _none_fits(answer: Answer, among: int) -> str:
    """Return that no source was found, and why, or what comes nearest."""
    told = f"none of {among:,} documents fits" if among != 1 else "the only document does not fit"
    nearest = answer.pairs[0].comparison
    if nearest.source.id is None and nearest.suspect.words:
        return f"{told}: no word in common"
    if nearest.reason is not None:
        return f"{told}: {meaning(nearest)}"
    return f"{told}; nearest: {printable(nearest.source.id or '')}, {percent(nearest.probability)}"

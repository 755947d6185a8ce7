"""Comparisons on a terminal: two texts side by side, sentence by sentence, or the likeliest sources of each suspect."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from unspun.model.comparing.comparison import Comparison, WordSubstitution
from unspun.model.wording import percent
from unspun.service.console import plural, printable
from unspun.service.render.comparison import (
    ComparedPair,
    ComparedSuspect,
    PassagePiece,
    PassageRow,
    TextSink,
    headline,
    meaning,
    rows,
)

MOST_SUBSTITUTIONS = 20
"""Substitutions that are listed, the most frequent."""
NARROWEST = 76
"""Cells of the narrowest terminal on which two texts are shown side by side instead of one below the other."""
SUSPECT_STYLES = {"equal": "dim", "replaced": "bold red", "inserted": "yellow", None: "dim"}
SOURCE_STYLES = {"equal": "dim", "replaced": "green", "deleted": "cyan", None: "dim"}
ALONE_STYLES: dict[str, dict[str | None, str]] = {"suspect": {None: "yellow"}, "source": {None: "cyan"}}
"""Styles of passages without a counterpart."""


class ComparisonTable:
    """Shows comparisons on a terminal, with control characters in the texts replaced.

    A search shows each suspect with a line per source. If there was only one suspect, it and the source that was found
    follow side by side.
    """

    def __init__(self, console: Console, sink: TextSink) -> None:
        self._console = console
        self._sink = sink
        self._ascii = console.options.ascii_only
        self._brackets = console.color_system is None
        self._answers = 0
        self._only: ComparedPair | None = None

    def write(self, answer: ComparedSuspect) -> None:
        """Write the comparisons of one suspect."""
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
        """Show the pair that was found, if there was only one suspect."""
        if self._only is not None:
            self._print(Text())
            self._side_by_side(self._only)

    # --- a search

    def _ranking(self, answer: ComparedSuspect, among: int) -> Iterable[RenderableType]:
        yield Text(printable(answer.suspect_id), "bold")
        derived = [pair.comparison for pair in answer.pairs if pair.comparison.derived]
        if not derived:
            yield _indented(Text(_no_source(answer, among), "dim"))
            return
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
        yield _indented(grid)

    # --- two texts

    def _side_by_side(self, pair: ComparedPair) -> None:
        comparison = pair.comparison
        self._print(*self._head(comparison))
        shown = rows(pair)
        if not shown or comparison.reason is not None:
            return
        both = [row for row in shown if row.suspect is not None]
        missing = [row for row in shown if row.suspect is None]
        draw = self._beside if self._console.width >= NARROWEST else self._below
        self._print(Text(), *draw(both, missing))
        if any(row.moved for row in both):
            self._print(Text.assemble(self._mark(moved=True), (" in another place in the source", "dim")))
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
            yield Text.assemble(
                (f"{name:8}", "dim"), (printable(id or "unnamed"), "bold"), f"  {plural(words, 'word')}"
            )

    def _beside(self, both: Sequence[PassageRow], missing: Sequence[PassageRow]) -> Iterable[RenderableType]:
        grid = Grid(box=None, expand=True, pad_edge=False, padding=(0, 2, 1, 0), header_style="dim", show_edge=False)
        grid.add_column("", width=1, no_wrap=True)
        grid.add_column("suspect", ratio=1, overflow="fold")
        grid.add_column("source", ratio=1, overflow="fold")
        for row in both:
            grid.add_row(self._mark(row.moved), self._suspect(row), self._source(row))
        if missing:
            grid.add_row(Text(), Text("(not in the suspect)", "dim"), Text())
        for row in missing:
            grid.add_row(Text(), Text(), self._source(row))
        yield grid

    def _below(self, both: Sequence[PassageRow], missing: Sequence[PassageRow]) -> Iterable[RenderableType]:
        for row in both:
            yield Text.assemble("suspect ", self._mark(row.moved), " ", self._suspect(row))
            yield Text.assemble("source    ", self._source(row))
            yield Text()
        for row in missing:
            yield Text.assemble(("not in the suspect  ", "dim"), self._source(row))
            yield Text()

    def _mark(self, moved: bool) -> Text:
        return Text("~" if self._ascii else "↕", "bold magenta") if moved else Text()

    def _suspect(self, row: PassageRow) -> Text:
        return self._joined(row.suspect or (), SUSPECT_STYLES if row.source is not None else ALONE_STYLES["suspect"])

    def _source(self, row: PassageRow) -> Text:
        if row.source is None:
            return Text("(not in the source)", "dim")
        return self._joined(row.source, SOURCE_STYLES if row.suspect is not None else ALONE_STYLES["source"])

    def _joined(self, pieces: Iterable[PassagePiece], styles: dict[str | None, str]) -> Text:
        line = Text()
        for piece in pieces:
            # Without colour, brackets mark the words that changed.
            marked = self._brackets and piece.operation in ("replaced", "inserted", "deleted")
            shown = printable(piece.text)
            line.append(f"[{shown}]" if marked else shown, styles.get(piece.operation, ""))
        return line

    def _substitutions(self, substitutions: tuple[WordSubstitution, ...]) -> Iterable[RenderableType]:
        arrow = "->" if self._ascii else "→"
        yield Text(plural(len(substitutions), "substitution"), "bold")
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
        yield _indented(grid)
        more = len(substitutions) - MOST_SUBSTITUTIONS
        if more > 0:
            yield _indented(Text(f"{more:,} more; --format jsonl lists all of them", "dim"))

    def _print(self, *parts: RenderableType) -> None:
        with self._console.capture() as capture:
            for part in parts:
                self._console.print(part, highlight=False, markup=False)
        self._sink.write("".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()))


def _indented(part: RenderableType) -> Padding:
    return Padding(part, (0, 0, 0, 2))


def _no_source(answer: ComparedSuspect, among: int) -> str:
    """Return that no source was found, with the reason or the nearest document."""
    result = f"no source found in {plural(among, 'document')}"
    nearest = answer.pairs[0].comparison
    if nearest.source.id is None and nearest.suspect.words:
        return f"{result}: no word in common"
    if nearest.reason is not None:
        return f"{result}: {meaning(nearest)}"
    return f"{result}; nearest: {printable(nearest.source.id or '')}, {percent(nearest.probability)}"

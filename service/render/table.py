"""Verdicts as rows on a terminal, and under each suspicious document the sentences that give it away."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len, chop_cells
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from unspun.model.verdict import Kind, Sentence, Verdict
from unspun.model.wording import (
    GUESSES,
    LIMITS,
    SETTLED,
    THRESHOLDS,
    allowed_in_words,
    is_disguised,
    is_settled,
    looks_like_this,
    percent,
    repairs_in_words,
    share_of_words,
)
from unspun.reading.records import Failure, Omissions
from unspun.service.console import plural, printable
from unspun.service.render import Renderer
from unspun.service.render.highlight import Excerpt, Segment, apart, excerpts, level, quoted, suspicious

VERDICT_STYLES = {"paraphrased": "bold red", "suspect": "yellow", "clear": "green", "abstained": "dim"}
LEVEL_STYLES = {1: "yellow", 2: "bold yellow", 3: "bold red"}
SUGGESTION_STYLE = "green"

BAR = 10
"""Width of the score's bar, in cells, without the lines of the thresholds."""
EIGHTHS = " ▏▎▍▌▋▊▉█"
STRAIGHT = str.maketrans("“”‘’", "\"\"''")
NARROWEST_ID = 36
FAILED = "failed"
FAILURE_STYLE = "magenta"
REPAIRS_STYLE = "yellow"
SENTENCE_STYLE = "yellow"
MOST_OBSERVATIONS = 3
"""Observations that are shown of a text."""
MOST_SKIPPED = 20
"""Skipped files that are listed."""
LONGEST_PHRASE = 120
"""Most characters of one piece of evidence that are shown."""


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column of fixed width, in cells."""

    title: str
    width: int
    right: bool = False


VERDICT = TableColumn("verdict", 11)
SCORE = TableColumn("score", 5, right=True)
SCORE_BAR = TableColumn("", BAR + len(LIMITS))
KIND = TableColumn("kind", 11)
WORDS = TableColumn("words", 7, right=True)

# From wide terminals to narrow ones.
LAYOUTS = (
    (VERDICT, SCORE, SCORE_BAR, KIND, WORDS),
    (VERDICT, SCORE, KIND, WORDS),
    (VERDICT, SCORE, KIND),
    (VERDICT, SCORE),
)


class VerdictTable(Renderer):
    """A row per document, written at once: columns have a fixed width, so no row waits for the others.

    A paraphrased or suspect document is followed by a line that says how rare this is in human text, by what stands out
    in the whole text, and by up to `show` sentences: first those with odd words, then those that are suspicious as a
    whole; with 0, by none of them. A clear document with evidence, which somebody asked for, is followed by its
    sentences, too. A line below any document says what was repaired in its text.
    Documents that could not be scored have a row, too, and skipped files are listed at the end. `supported` is the
    smallest false-positive rate that the model's calibration supports. Control characters in texts and ids are
    replaced, so that they cannot act on the terminal.
    """

    def __init__(self, console: Console, *, show: int = 5, supported: float = 0.0) -> None:
        self._console = console
        self._show = show
        self._supported = supported
        self._ascii = console.options.ascii_only
        self._dots = "..." if self._ascii else "…"
        self._guessed = self._settled = False
        self._columns = next(
            (layout for layout in LAYOUTS if console.width - _width(layout) >= NARROWEST_ID), LAYOUTS[-1]
        )

    def header(self) -> str:
        """Return a line that says what a score is, and the row of column titles."""
        cells = [Text(_pad(column.title, column), "dim") for column in self._columns]
        return self._print(
            Padding(Text(f"score: {THRESHOLDS}; not a probability", "dim"), 0), *self._row(cells, "document", "dim")
        )

    def document(self, text: str, verdict: Verdict) -> str:
        """Return a document's row, and the sentences with evidence; those of a clear one only if it has evidence."""
        style = VERDICT_STYLES[verdict.verdict]
        score = verdict.score
        found = {
            VERDICT: Text(_pad(verdict.verdict, VERDICT), style),
            SCORE: Text(_pad("" if score is None else percent(score), SCORE)),
            SCORE_BAR: Text(" " * SCORE_BAR.width) if score is None else self._bar(score, style),
            KIND: Text(_pad((verdict.reason or verdict.kind or "").replace("_", " "), KIND)),
            WORDS: Text(_pad(f"{verdict.words:,}", WORDS)),
        }
        lines = self._row([found[column] for column in self._columns], printable(verdict.id or ""), "bold")
        row = self._print(*lines)
        if (repairs := repairs_in_words(verdict.repairs)) is not None:
            style = REPAIRS_STYLE if is_disguised(verdict) else "dim"
            row += self._print(_below(Text(f"repaired: {printable(repairs)}", style)))
        if (masked := allowed_in_words(verdict)) is not None:
            row += self._print(_below(Text(f"not judged: {masked}", "dim")))
        self._settled = self._settled or is_settled(verdict)
        doubtful = verdict.verdict in ("paraphrased", "suspect")
        if not self._show or not (doubtful or (verdict.verdict == "clear" and verdict.evidence is not None)):
            return row
        if doubtful:
            row += self._print(_below(Text("; ".join(self._facts(verdict)), "dim")))
        for seen in verdict.observations[:MOST_OBSERVATIONS]:
            row += self._print(_below(Text(self._plain(seen.text), "dim")))
        cut = excerpts(text, verdict.evidence or (), self._show)
        whole = apart(suspicious(verdict.sentences, len(text)), cut, self._show - len(cut))
        row += "".join(map(self._excerpt, cut))
        if whole:
            row += self._print(
                _below(Text("suspicious sentences, each more so than this share of human sentences:", "dim"))
            )
        row += "".join(self._sentence(text, one, verdict.kind) for one in whole)
        if verdict.evidence == () and not whole and verdict.verdict == "paraphrased":
            row += self._print(_below(Text("no single words stand out", "dim")))
        return row

    def failure(self, failure: Failure) -> str:
        """Return the row of a document that could not be read or scored, and the reason."""
        cells = [Text(_pad(FAILED if column is VERDICT else "", column), FAILURE_STYLE) for column in self._columns]
        row = self._print(*self._row(cells, printable(failure.where), "bold"))
        return row + self._print(_below(Text(printable(failure.message), FAILURE_STYLE)))

    def footer(self, skipped: Omissions) -> str:
        """Return what a question mark and a missing score mean, and the first of the skipped files with reasons."""
        legend = self._print(Text(GUESSES, "dim")) if self._guessed else ""
        if self._settled:
            legend += self._print(Padding(Text(f"clear without a score: {SETTLED}", "dim"), 0))
        return legend + (self._skipped(skipped) if skipped else "")

    def _skipped(self, skipped: Omissions) -> str:
        lines = [Text(f"skipped: {plural(len(skipped), 'file or record', 'files or records')}", "dim")]
        lines += [Text(printable(str(one)), "dim") for one in skipped.first[:MOST_SKIPPED]]
        rest = "and {:,} more: {}" if lines[1:] else "{:,}: {}"
        for reason, count in skipped.beyond(MOST_SKIPPED).most_common():
            lines.append(Text(rest.format(count, printable(reason)), "dim"))
        if len(skipped.first) > MOST_SKIPPED:
            lines.append(Text("--output report.html lists them all", "dim"))
        return self._print(lines[0], *map(_below, lines[1:]))

    def _facts(self, verdict: Verdict) -> list[str]:
        """Return how rare this is in human text, how much of the text is suspicious, and the probability if there is
        one.
        """
        facts = [looks_like_this(verdict, self._supported), share_of_words(verdict)]
        if verdict.probability is not None:
            facts.append(f"probability {percent(verdict.probability)}")
        return [fact for fact in facts if fact is not None]

    def _row(self, cells: list[Text], document: str, style: str) -> list[Text]:
        line = Text("  ").join(cells)
        room = self._console.width - line.cell_len - 2
        if room < NARROWEST_ID:
            return [line, *(Text("  " + part, style) for part in _chop(document, self._console.width - 2))]
        parts = _chop(document, room)
        indent = Text(" " * line.cell_len)
        return [Text.assemble(line if place == 0 else indent, "  ", (part, style)) for place, part in enumerate(parts)]

    def _bar(self, score: float, style: str) -> Text:
        """Return a bar with a line at each threshold."""
        eighths = round(min(max(score, 0.0), 1.0) * BAR * 8)
        filled = "#" * round(eighths / 8) if self._ascii else "█" * (eighths // 8) + EIGHTHS[eighths % 8]
        cells = filled.ljust(BAR)[:BAR]
        bar, start = Text(), 0
        for threshold, _ in LIMITS:
            end = round(threshold * BAR)
            bar.append(cells[start:end], style).append("|" if self._ascii else "│", "dim")
            start = end
        return bar.append(cells[start:], style)

    def _excerpt(self, excerpt: Excerpt) -> str:
        line = Text(self._dots + " " if excerpt.cut_start else "")
        for segment in excerpt.segments:
            line.append_text(self._segment(segment, self._dots))
        line.append(" " + self._dots if excerpt.cut_end else "")
        return self._print(_below(line))

    def _sentence(self, text: str, sentence: Sentence, kind: Kind | None) -> str:
        """Return a sentence with its score, and with its kind if that is not the kind of the text."""
        other = "" if sentence.kind == kind else f" {sentence.kind}"
        quote = printable(quoted(text, sentence)).replace("…", self._dots)
        return self._print(_below(Text.assemble(f"{percent(sentence.score)}{other}  ", (quote, SENTENCE_STYLE))))

    def _plain(self, words: str) -> str:
        """Return our own words without typographic quotes where the terminal cannot show them."""
        return printable(words.translate(STRAIGHT) if self._ascii else words)

    def _segment(self, segment: Segment, dots: str) -> Text:
        shown = printable(segment.text)
        evidence = segment.evidence
        if evidence is None:
            return Text(shown)
        if len(shown) > LONGEST_PHRASE:
            shown = f"{shown[: LONGEST_PHRASE - 30]} {dots} {shown[-30:]}"
        marked = Text.assemble("[", (shown, LEVEL_STYLES[level(evidence.weight)]))
        if evidence.suggestion is not None:
            arrow = " -> " if self._ascii else " → "
            marked.append(arrow, "dim").append(printable(evidence.suggestion), SUGGESTION_STYLE)
            if not evidence.probable:
                marked.append("?", "dim")
                self._guessed = True
        return marked.append("]")

    def _print(self, *parts: Text | Padding) -> str:
        with self._console.capture() as capture:
            for part in parts:
                # Rows already fit the width; soft wrapping leaves them unchanged.
                self._console.print(part, soft_wrap=isinstance(part, Text), highlight=False, markup=False)
        return "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())


def _below(line: Text) -> Padding:
    return Padding(line, (0, 0, 0, 4))


def _width(layout: tuple[TableColumn, ...]) -> int:
    return sum(column.width + 2 for column in layout)


def _pad(text: str, column: TableColumn) -> str:
    return text.rjust(column.width) if column.right else text.ljust(column.width)


def _chop(text: str, width: int) -> list[str]:
    if cell_len(text) <= width:
        return [text]
    return chop_cells(text, max(2, width))

"""The report's charts: the places of bars and labels, and the same numbers as a table."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from unspun.model.verdict import KINDS, VERDICTS, Verdict
from unspun.model.wording import HEADLINES, NO_SOURCE, SCALE, is_settled

JUDGED = VERDICTS[:3]
NAMES: dict[str, str] = {word: headline.lower() for word, headline in HEADLINES.items()}

WIDTH = 340
"""Width of a chart in units, about the pixels of a phone, so that letters keep their size there."""
SMALLEST = 2.0
"""Units of the smallest bar, so that one document among thousands is visible."""

BINS = 10
PLOT_HEIGHT = 128.0
PLOT_TOP = 20.0

BANDS = (0, 50, 100, 250, 500, 1000, 2500, 10_000)
"""Lower bounds of the bands of length, in words."""
LABELS = 94.0
NUMBERS = 40.0
THICKNESS = 15.0


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle of a chart, in units; `verdict` gives the colour, and `title` says what it shows."""

    x: float
    y: float
    width: float
    height: float
    verdict: str
    title: str


@dataclass(frozen=True, slots=True)
class ChartLabel:
    """A text in a chart; `anchor` is start, middle or end."""

    x: float
    y: float
    text: str
    anchor: str = "start"
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing, and the same numbers as a table: each row has a name and a number for each of `columns`."""

    name: str
    title: str
    note: str
    height: float
    bars: tuple[Bar, ...]
    labels: tuple[ChartLabel, ...]
    ticks: tuple[float, ...]
    rows: tuple[tuple[str, tuple[int, ...]], ...]
    rows_are: str
    columns: tuple[str, ...]
    width: int = WIDTH


class VerdictCounts:
    """Counts verdicts by score, kind and length, in a fixed amount of memory.

    `settled` texts, which the first tier found clear without computing a score, count as those with the lowest scores.
    """

    def __init__(self) -> None:
        self.verdicts: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.words = 0
        self.settled = 0
        self._scores = [Counter[str]() for _ in range(BINS)]
        self._kinds: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
        self._lengths = [Counter[str]() for _ in BANDS]

    @property
    def documents(self) -> int:
        """Number of documents."""
        return self.verdicts.total()

    def add(self, verdict: Verdict) -> None:
        """Count one verdict."""
        word = verdict.verdict
        self.verdicts[word] += 1
        self.words += verdict.words
        self._lengths[bisect_right(BANDS, verdict.words) - 1][word] += 1
        if verdict.reason is not None:
            self.reasons[verdict.reason] += 1
        self.settled += is_settled(verdict)
        if word in JUDGED:
            self._scores[min(int((verdict.score or 0.0) * BINS), BINS - 1)][word] += 1
        if verdict.kind is not None:
            self._kinds[verdict.kind][word] += 1

    def charts(self) -> list[Chart]:
        """Return the charts of the counts."""
        return [self._by_score(), self._by_kind(), self._by_length()]

    def _settled_note(self) -> str:
        if not self.settled:
            return ""
        return f" The lowest column includes {self.settled:,} that the first tier settled without a score."

    def _by_score(self) -> Chart:
        step = 100 // BINS
        names = [f"{place * step}–{(place + 1) * step} %" for place in range(BINS)]
        most = max(1, *(column.total() for column in self._scores))
        room, margin = WIDTH / BINS, 2.5
        bars: list[Bar] = []
        labels: list[ChartLabel] = []
        foot = PLOT_TOP + PLOT_HEIGHT
        for place, column in enumerate(self._scores):
            top = foot
            for word in JUDGED:
                if column[word]:
                    height = max(SMALLEST, PLOT_HEIGHT * column[word] / most)
                    top -= height
                    title = f"{names[place]}: {column[word]:,} {NAMES[word]}"
                    bars.append(Bar(room * place + margin, top, room - 2 * margin, height, word, title))
            if column.total():
                labels.append(ChartLabel(room * (place + 0.5), top - 5, compact(column.total()), "middle", True))
        labels += [
            ChartLabel(0, foot + 16, "0 %"),
            ChartLabel(WIDTH / 2, foot + 16, "50 %", "middle"),
            ChartLabel(WIDTH, foot + 16, "100 %", "end"),
        ]
        return Chart(
            "scores",
            "Scores",
            f"Documents by score, {SCALE}. Documents without a verdict are left out.{self._settled_note()}",
            foot + 22,
            tuple(bars),
            tuple(labels),
            (foot,),
            _rows(names, self._scores, JUDGED),
            "Score",
            JUDGED,
        )

    def _by_kind(self) -> Chart:
        names = [kind.capitalize() for kind in self._kinds]
        found = list(self._kinds.values())
        return _lines(
            "kinds",
            "Kinds",
            f"The kind with the strongest evidence in each paraphrased or suspect document. {NO_SOURCE}",
            names,
            found,
            max(1, *(line.total() for line in found)),
            "Kind",
            JUDGED[:2],
            step=44.0,
        )

    def _by_length(self) -> Chart:
        ends = [f"–{end - 1:,}" for end in BANDS[1:]]
        names = ["under 50", *(f"{start:,}{end}" for start, end in zip(BANDS[1:-1], ends[1:], strict=True))]
        names.append(f"{BANDS[-1]:,} or more")
        return _lines(
            "lengths",
            "Length",
            "The share of each verdict by the number of words of prose; on the right, the number of documents.",
            names,
            self._lengths,
            None,
            "Words",
            VERDICTS,
        )


def compact(number: int) -> str:
    """Return a count below a trillion in at most four characters: 999, 9.6k, 12k, 3.4M."""
    if number < 1000:
        return str(number)
    for unit in "kMG":
        scaled = number / 1000
        if scaled < 9.95:
            return f"{scaled:.1f}{unit}"
        if scaled < 999.5:
            return f"{scaled:.0f}{unit}"
        number = round(scaled)
    return f"{number:,}T"


def _lines(
    name: str,
    title: str,
    note: str,
    names: Sequence[str],
    found: Sequence[Counter[str]],
    most: int | None,
    rows_are: str,
    columns: tuple[str, ...],
    *,
    step: float = 24.0,
) -> Chart:
    """Draw a line of stacked bars for each name, as long as its share of `most`; if that is None, all equally long."""
    room = WIDTH - LABELS - NUMBERS
    bars: list[Bar] = []
    labels: list[ChartLabel] = []
    for place, (label, line) in enumerate(zip(names, found, strict=True)):
        y = step * place + (step - THICKNESS) / 2
        labels.append(ChartLabel(0, y + THICKNESS - 3.5, label))
        labels.append(ChartLabel(WIDTH, y + THICKNESS - 3.5, compact(line.total()), "end", True))
        shown = [word for word in columns if line[word]]
        longest = room if most is None else room * line.total() / most
        x = LABELS
        for word, width in zip(shown, _shares([line[word] for word in shown], longest), strict=True):
            bars.append(Bar(x, y, width, THICKNESS, word, f"{label}: {line[word]:,} {NAMES[word]}"))
            x += width
    return Chart(
        name,
        title,
        note,
        step * len(names),
        tuple(bars),
        tuple(labels),
        (),
        _rows(names, found, columns),
        rows_are,
        columns,
    )


def _shares(counts: Sequence[int], length: float) -> list[float]:
    """Divide a length in proportion, with no part too small to be visible."""
    widened = [max(SMALLEST, length * count / sum(counts)) for count in counts]
    scale = length / sum(widened) if sum(widened) > length >= SMALLEST * len(counts) else 1.0
    return [max(SMALLEST, width * scale) for width in widened]


def _rows(
    names: Sequence[str], found: Sequence[Counter[str]], columns: Sequence[str]
) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return tuple((name, tuple(counts[column] for column in columns)) for name, counts in zip(names, found, strict=True))

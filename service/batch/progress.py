"""Progress on standard error: a bar on a terminal, otherwise a line per minute."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from typing import Any, Self

from unspun.reading.reader import Reader
from unspun.service.batch.scoring import Tally
from unspun.service.console import complain

PATIENCE = 2.0
"""Seconds before a bar appears."""
INTERVAL = 0.1
"""Seconds between updates of the bar."""
MINUTE = 60.0
"""Seconds between lines if there is no terminal."""


class Progress:
    """Shows how much of the input has been read, if `enabled`, once a run has taken a while.

    `terminal` says whether standard error is one; `clock` returns the time in seconds.
    """

    def __init__(
        self, reader: Reader, *, enabled: bool, terminal: bool = True, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._reader = reader
        self._enabled = enabled
        self._terminal = terminal
        self._clock = clock
        self._started = clock()
        self._due = self._started + (PATIENCE if terminal else MINUTE)
        self._stack = ExitStack()
        self._bar: Any = None
        self._total: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def update(self, tally: Tally) -> None:
        """Show the state of the run, if it is time to."""
        now = self._clock()
        if not self._enabled or now < self._due:
            return
        self._due = now + (INTERVAL if self._terminal else MINUTE)
        speed = tally.words / max(now - self._started, 1e-9)
        text = f"{tally.documents:,} documents, {speed:,.0f} words/s"
        if not self._terminal:
            complain(text + self._remaining(now))
            return
        if self._bar is None:
            self._bar, self._task = self._open()
        self._bar.update(self._task, completed=self._reader.bytes_read, description=text)

    def _remaining(self, now: float) -> str:
        """Return how long the rest will take at this speed, if the size of the input is known."""
        from unspun.model.wording import percent

        if self._total is None:
            self._total = self._reader.total_bytes() or 0
        read = self._reader.bytes_read
        if not self._total or not read:
            return ""
        seconds = (now - self._started) * max(0.0, self._total / read - 1)
        return f", {percent(min(1.0, read / self._total))} read, about {timedelta(seconds=round(seconds))} left"

    def _open(self) -> tuple[Any, Any]:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = (BarColumn(), TextColumn("{task.description}", markup=False), TimeRemainingColumn())
        bar = Bar(*columns, console=Console(stderr=True), transient=True)
        self._stack.enter_context(bar)
        return bar, bar.add_task("", total=self._reader.total_bytes())

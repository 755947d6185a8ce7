"""A progress bar on standard error, for runs long enough to want one."""

from __future__ import annotations

import time
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from service.readers import Reader
from service.scoring import Tally

PATIENCE = 2.0
"""Seconds that a run may take before a bar is shown."""
INTERVAL = 0.1
"""Seconds between updates."""


class Progress:
    """Shows how far the reading has got, where `enabled`, once the run has taken a while."""

    def __init__(self, reader: Reader, *, enabled: bool) -> None:
        self._reader = reader
        self._enabled = enabled
        self._started = time.monotonic()
        self._due = self._started + PATIENCE
        self._stack = ExitStack()
        self._bar: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def update(self, tally: Tally) -> None:
        """Show the state of the run, if it is time to."""
        now = time.monotonic()
        if not self._enabled or now < self._due:
            return
        self._due = now + INTERVAL
        if self._bar is None:
            self._bar, self._task = self._open()
        speed = tally.words / max(now - self._started, 1e-9)
        text = f"{tally.documents:,} documents, {speed:,.0f} words/s"
        self._bar.update(self._task, completed=self._reader.bytes_read, description=text)

    def _open(self) -> tuple[Any, Any]:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = (BarColumn(), TextColumn("{task.description}", markup=False), TimeRemainingColumn())
        bar = Bar(*columns, console=Console(stderr=True), transient=True)
        self._stack.enter_context(bar)
        return bar, bar.add_task("", total=self._reader.total_bytes())

"""Watches the memory and the open files of the service's processes, and judges whether they grow."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from benchmarks.common import megabytes_in
from tests.http.running import Service

MANAGER, WATCHED, KILLED = "manager", "worker that is never killed", "worker that is killed"


@dataclass(frozen=True, slots=True)
class Sample:
    """What one process used at one time.

    `own` is memory in megabytes that is not of a file, such as the heap (RssAnon). It does not change when another
    process ends, unlike PSS, in which each page is divided by the number of processes that share it.
    """

    at: float
    process: int
    role: str
    own: float
    files: int


class Watch:
    """Takes samples of all processes of a service until the block ends."""

    def __init__(self, service: Service, survivor: int, every: float) -> None:
        self.samples: list[Sample] = []
        self._service = service
        self._survivor = survivor
        self._every = every
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ends.wait(self._every):
            for process in (self._service.process.pid, *self._service.workers()):
                role = {self._service.process.pid: MANAGER, self._survivor: WATCHED}.get(process, KILLED)
                try:
                    self.samples.append(sample(process, role))
                except OSError:  # the process has ended
                    continue

    def of(self, role: str) -> list[Sample]:
        """Return the samples of the processes with a role."""
        return [one for one in self.samples if one.role == role]


def sample(process: int, role: str) -> Sample:
    """Take a sample of a process. Raises OSError if it ends meanwhile."""
    folder = Path(f"/proc/{process}")
    own = megabytes_in((folder / "status").read_text(), "RssAnon")
    files = len(os.listdir(folder / "fd"))  # noqa: PTH208, the paths are not needed
    if own is None:
        raise ProcessLookupError(f"process {process} has ended")
    return Sample(time.monotonic(), process, role, own, files)


@dataclass(frozen=True, slots=True)
class Growth:
    """A fitted slope with its 95 % confidence interval, and what the last value has more than the first."""

    slope: float
    low: float
    high: float
    gained: float


def growth(times: Sequence[float], values: Sequence[float], blocks: int) -> Growth:
    """Fit a line to the lowest value of each of some equal blocks of time, in seconds. The slope is per hour.

    The lowest value is what a process keeps: a request or a model that is being loaded only adds to it for a moment.
    The values of different blocks are nearly independent, unlike samples taken within seconds, so that the usual
    interval of a regression holds.
    """
    edges = np.linspace(min(times), max(times), blocks + 1)
    place = np.clip(np.searchsorted(edges, times, side="right") - 1, 0, blocks - 1)
    lowest = [
        (edges[i] + edges[i + 1], [v for v, p in zip(values, place, strict=True) if p == i]) for i in range(blocks)
    ]
    points = [(at / 2 / 3600, min(found)) for at, found in lowest if found]
    return fitted(points)


def fitted(points: Sequence[tuple[float, float]]) -> Growth:
    """Fit a line to at least three points."""
    x, y = np.array(points).T
    fit = stats.linregress(x, y)
    reach = float(stats.t.ppf(0.975, len(points) - 2)) * float(np.nan_to_num(fit.stderr))  # nan: all are equal
    return Growth(float(fit.slope), float(fit.slope) - reach, float(fit.slope) + reach, float(y[-1] - y[0]))


def after(samples: Iterable[Sample], seconds: float) -> list[Sample]:
    """Return the samples without those of the first seconds."""
    kept = list(samples)
    return [one for one in kept if one.at >= kept[0].at + seconds]

"""What happens to the service during a run: a seeded schedule of faults, and how each is caused and repaired."""

from __future__ import annotations

import os
import random
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.common import BenchmarkError
from benchmarks.endurance.service_setting import Setting, promote
from unspun.model import bundle

PROMOTED, ROLLED_BACK, PROMOTION_KILLED = "model promoted", "model rolled back", "promotion killed"
CHANGES = (PROMOTED, ROLLED_BACK, PROMOTION_KILLED)
"""The faults after which the model may be another."""
NONE = "none"
KINDS = (
    "worker killed",
    *CHANGES,
    "Redis restarted",
    "Redis hangs",
    "PostgreSQL stopped",
    "PostgreSQL hangs",
    "log rotated",
    "disk full",
)
"""All kinds of faults. A full disk needs the right to mount one."""
LEAST_LIFE, MOST_LIFE = 0.5, 2.5
"""A command that is to be killed is killed after a random number of seconds in this range; it takes about two."""
REPLACED_SECONDS = 30.0
"""A killed worker must be replaced after this many seconds."""
BLOCK = 4096
WARM_UP = 1 / 6
"""Share of a short run in which memory may grow."""
SETTLED, LAST_CHANGE = 0.5, 0.3
"""Shares of a long run: from when on memory must be flat, and when the model changes for the last time. In between, the
caches of the last model fill."""


@dataclass(frozen=True, slots=True)
class Length:
    """Seconds that faults last, in a run of some length."""

    outage: float
    """Of PostgreSQL and of the disk."""
    hang: float
    """Of a server that does not answer."""
    restart: float
    """Between stopping and starting Redis."""


LONG, SHORT = Length(outage=20.0, hang=20.0, restart=3.0), Length(outage=3.0, hang=2.0, restart=0.5)


@dataclass(slots=True)
class Fault:
    """A fault that happened, with times by the monotonic clock; `ended` is when everything was repaired.

    `notes` are details, and `problem` says what the fault alone shows to be wrong.
    """

    kind: str
    began: float
    ended: float = float("inf")
    notes: dict[str, Any] = field(default_factory=dict)
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class ModelSince:
    """The model in use; workers may answer with the previous one until a while after `ended`."""

    sha256: str
    began: float
    ended: float


class Faults:
    """Causes faults, each of which lasts until everything is repaired."""

    def __init__(self, setting: Setting, seed: int, length: Length) -> None:
        self.happened: list[Fault] = []
        service = setting.service
        self.survivor = service.workers()[0]
        """The worker that is never killed, so that its memory can be watched."""
        self.models = [ModelSince(bundle.check(setting.models / "current")[0].sha256, 0.0, 0.0)]
        self.logs: list[Path] = []
        """The parts of the log that rotation has put aside."""
        self._setting = setting
        self._chance = random.Random(f"{seed} faults")
        self._length = length
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._kinds: dict[str, Callable[[Fault], None]] = {
            "worker killed": self._kill_worker,
            PROMOTED: self._change_model,
            ROLLED_BACK: self._change_model,
            PROMOTION_KILLED: self._kill_promotion,
            "log rotated": self._rotate_log,
        }
        if setting.redis is not None:
            self._kinds |= {"Redis restarted": self._restart_redis, "Redis hangs": self._hang_redis}
        if setting.postgres is not None:
            self._kinds |= {"PostgreSQL stopped": self._stop_postgres, "PostgreSQL hangs": self._hang_postgres}
        if setting.small_disk is not None:
            self._kinds["disk full"] = self._fill_disk

    @property
    def kinds(self) -> Sequence[str]:
        """The kinds of faults that can be caused here."""
        return tuple(self._kinds)

    @contextmanager
    def scheduled(self, schedule: Sequence[tuple[float, str]]) -> Iterator[None]:
        """Cause faults at times, in seconds from now, while the block runs, and until all have happened.

        Killed workers wait for no other fault.
        """
        began = time.monotonic()
        kills = [one for one in schedule if one[1] == "worker killed"]
        others = [one for one in schedule if one[1] != "worker killed"]
        self._threads = [threading.Thread(target=self._follow, args=(plan, began)) for plan in (kills, others)]
        for thread in self._threads:
            thread.start()
        try:
            yield
        except BaseException:
            self._stop.set()
            raise
        finally:
            for thread in self._threads:
                thread.join()

    def _follow(self, plan: Sequence[tuple[float, str]], began: float) -> None:
        for at, kind in plan:
            if self._stop.wait(max(0.0, began + at - time.monotonic())):
                return
            self.cause(kind)

    def cause(self, kind: str) -> Fault:
        """Cause a fault now; return it when all is repaired."""
        fault = Fault(kind, time.monotonic())
        self.happened.append(fault)
        try:
            self._kinds[kind](fault)
        except (BenchmarkError, OSError, AssertionError) as error:
            fault.problem = f"{kind}: {error}"
        fault.ended = time.monotonic()
        return fault

    def _kill_worker(self, fault: Fault) -> None:
        service = self._setting.service
        victims = [worker for worker in service.workers() if worker != self.survivor]
        if not victims:
            fault.problem = "worker killed: there was none besides the one that is watched"
            return
        before = len(victims) + 1
        fault.notes["killed_at"] = time.monotonic()
        os.kill(victims[0], signal.SIGKILL)
        while victims[0] in (workers := service.workers()) or len(workers) < before:
            if time.monotonic() > fault.began + REPLACED_SECONDS:
                fault.problem = f"a killed worker was not replaced within {REPLACED_SECONDS:g} seconds"
                return
            time.sleep(0.05)
        if self.survivor not in workers:
            fault.problem = "the worker that is watched has ended, too"
        fault.notes["replaced_seconds"] = time.monotonic() - fault.notes["killed_at"]

    def _change_model(self, fault: Fault) -> None:
        """Promote the other model if the first one is in use, else roll back."""
        setting = self._setting
        first = self.models[-1].sha256 == self.models[0].sha256
        fault.kind = PROMOTED if first else ROLLED_BACK
        promote(setting.models, *(("promote", "--model", str(setting.other)) if first else ("rollback",)))
        self._note_model(fault)

    def _kill_promotion(self, fault: Fault) -> None:
        setting = self._setting
        arguments = ("promote", "--model", str(setting.other)) if len(self.models) % 2 else ("rollback",)
        life = self._chance.uniform(LEAST_LIFE, MOST_LIFE)
        fault.notes["promotion_killed"] = promote(setting.models, *arguments, life=life)
        self._note_model(fault)

    def _note_model(self, fault: Fault) -> None:
        try:
            now = bundle.check(self._setting.models / "current")[0].sha256
        except bundle.BundleError as error:
            fault.problem = f"the model in use is incomplete: {error}"
            return
        fault.notes["model"] = now
        if now != self.models[-1].sha256:
            self.models.append(ModelSince(now, fault.began, time.monotonic()))

    def _restart_redis(self, fault: Fault) -> None:
        redis = self._setting.redis
        assert redis is not None
        redis.stop()
        self._wait(self._length.restart)
        redis.start()

    def _hang_redis(self, fault: Fault) -> None:
        redis = self._setting.redis
        assert redis is not None
        redis.pause(True)
        self._wait(self._length.hang)
        redis.pause(False)

    def _stop_postgres(self, fault: Fault) -> None:
        postgres = self._setting.postgres
        assert postgres is not None
        postgres.stop()
        self._wait(self._length.outage)
        postgres.start()

    def _hang_postgres(self, fault: Fault) -> None:
        postgres = self._setting.postgres
        assert postgres is not None
        postgres.pause(True)
        self._wait(self._length.hang)
        postgres.pause(False)

    def _rotate_log(self, fault: Fault) -> None:
        """Rotate the log as docs/operations.md recommends: copy it, empty it, and send SIGHUP."""
        service = self._setting.service
        part = service.log_file.with_suffix(f".log.{len(self.logs) + 1}")
        self.logs.append(part)
        shutil.copyfile(service.log_file, part)
        os.truncate(service.log_file, 0)
        service.process.send_signal(signal.SIGHUP)

    def _fill_disk(self, fault: Fault) -> None:
        """Fill the disk of the temporary folder and keep it full, and kill a worker, so that a new one has no space."""
        disk = self._setting.small_disk
        assert disk is not None
        ballast, ends = disk / "ballast", threading.Event()

        def fill() -> None:
            with ballast.open("wb", buffering=0) as file:
                while not ends.is_set():
                    try:
                        file.write(bytes(BLOCK))
                    except OSError:
                        ends.wait(0.001)

        filler = threading.Thread(target=fill)
        filler.start()
        try:
            self._wait(0.2)
            self._kill_worker(fault)
            self._wait(self._length.outage)
        finally:
            ends.set()
            filler.join()
            ballast.unlink()

    def _wait(self, seconds: float) -> None:
        self._stop.wait(seconds)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When faults happen, and from when on memory must be flat, in seconds from the start."""

    faults: Sequence[tuple[float, str]]
    settled: float


def schedule(seconds: float, kinds: Sequence[str], seed: int, *, is_long: bool) -> Schedule:
    """Return the schedule of a run with faults of some kinds.

    A worker is killed about once a minute, in short runs more often. Of the other kinds, each happens once, in random
    order, and in a long run again and again. A long run changes the model only until LAST_CHANGE, more often than
    the other faults happen: after a change, a worker's memory is at another level, so that a line could not be fitted.
    """
    chance = random.Random(f"{seed} schedule")
    others = [kind for kind in kinds if kind not in ("worker killed", NONE)]
    kills = ["worker killed"] if "worker killed" in kinds else []
    if not is_long:
        every, last = seconds / (len(others) + 2), seconds - seconds / 12
        planned = [*_rounds(chance, kills, seconds / 6, last, seconds / 3)]
        planned += [*_rounds(chance, others, every / 2, seconds, every)][: len(others)]
        return Schedule(sorted(planned), WARM_UP * seconds)
    changes = [kind for kind in others if kind in CHANGES]
    rest = [kind for kind in others if kind not in CHANGES]
    planned = [
        *_rounds(chance, kills, 30.0, seconds - 15.0, 60.0),
        *_rounds(chance, changes, 10.0, LAST_CHANGE * seconds, 45.0),
        *_rounds(chance, rest, 40.0, seconds - 75.0, 75.0),
    ]
    return Schedule(sorted(planned), SETTLED * seconds)


def _rounds(
    chance: random.Random, kinds: Sequence[str], first: float, last: float, every: float
) -> Iterator[tuple[float, str]]:
    """Yield a time and a kind about every so many seconds, each kind once in random order, then again."""
    left: list[str] = []
    at = first
    while kinds and at <= last:
        left = left or chance.sample(kinds, len(kinds))
        yield at + chance.uniform(0.0, 0.2) * every, left.pop()
        at += every

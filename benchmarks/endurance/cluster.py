"""A Dask cluster whose scheduler and workers can be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from benchmarks.common import BenchmarkError, environment
from tests.service.support import free_port

PATIENCE = 120.0
"""Seconds in which a cluster must start, on a busy machine."""
WORKERS = 2


class Cluster:
    """A scheduler with two workers, which start when they are needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[subprocess.Popen[bytes]] = []
        self._address = ""

    def address(self) -> str:
        """Return the scheduler's address; start the cluster if it does not run. Raises BenchmarkError."""
        if not self._running:
            port = free_port()
            self._address = f"tcp://127.0.0.1:{port}"
            where = ["--local-directory", str(self._folder)]
            self._start("scheduler", "--host", "127.0.0.1", "--port", str(port))
            self._start("worker", self._address, "--nworkers", str(WORKERS), "--nthreads", "1", *where)
        self._wait()
        return self._address

    def kill_scheduler(self) -> None:
        """Kill the scheduler; the next call of `address` starts a new cluster."""
        self._running[0].kill()
        self.close()

    def kill_worker(self) -> None:
        """Kill one of the processes that score; Dask starts another one."""
        (*_, victim) = spawned(self._running[1].pid)
        victim.kill()

    def close(self) -> None:
        """Kill all of it."""
        family = [one for process in self._running for one in family_of(process.pid)]
        for process in self._running:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        for one in family:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        for process in self._running:
            process.wait()
        self._running.clear()

    def _start(self, what: str, *arguments: str) -> None:
        command = [sys.executable, "-m", "dask", what, *arguments, "--no-dashboard"]
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._running.append(subprocess.Popen(command, env=environment(), start_new_session=True, **quiet))

    def _wait(self) -> None:
        from distributed import Client

        try:
            with Client(self._address, timeout=PATIENCE, set_as_default=False) as client:  # type: ignore[no-untyped-call]
                client.wait_for_workers(WORKERS, timeout=PATIENCE)
        except (OSError, TimeoutError) as error:
            raise BenchmarkError(f"the Dask cluster did not start: {error}") from error


def family_of(process: int) -> list[psutil.Process]:
    """Return a process and all that it started."""
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(process)
        return [parent, *parent.children(recursive=True)]
    return []


def spawned(process: int) -> list[psutil.Process]:
    """Return the processes that score for another one: those of unspun, and of Dask."""
    found = []
    for one in family_of(process)[1:]:
        with suppress(psutil.NoSuchProcess):
            line = " ".join(one.cmdline())
            if "spawn_main" in line:
                found.append(one)
    return found

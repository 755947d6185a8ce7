"""What the service runs with: the service itself, Redis, PostgreSQL, a folder of models and a small disk."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest

from benchmarks.common import BenchmarkError
from benchmarks.endurance.service_traffic import GREEDY, READERS
from tests.feedback import postgres
from tests.http.running import ROOT, START_SECONDS, Service
from tests.service.support import free_port
from unspun.model import bundle
from unspun.service.http.keys import KeyStore

RAISED = 1.2
"""Factor of the false-positive rates at the other model's thresholds, which makes its scores higher."""
SMALL_DISK = "4m"
"""Size of the disk with the service's temporary folder."""
PLACE = "disk"
SERVERS = ("redis", "postgres")
CLI = ("unspun.service.cli",)


def other_model(folder: Path, **manifest: Any) -> Path:
    """Write a copy of the model that ships, with higher scores; return its folder."""
    shipped = bundle.load()
    decision = shipped.decision
    for tier, one in decision.tiers.items():
        decision = decision.with_thresholds(tier, one.paraphrased * RAISED, one.suspect * RAISED)
    decision = decision.without("first")  # it settles what the old thresholds would not find
    kept = {name: value for name, value in shipped.manifest.items() if name not in bundle.WRITTEN}
    entries = {**kept, "name": "raised", "decision": decision.to_manifest(), **manifest}
    bundle.save(folder, entries, shipped.tables, shipped.tagger, shipped.classifier, shipped.seen, shipped.deep)
    return folder


class LoggingService(Service):
    """`unspun serve` that appends its log to a file, from which a log rotation takes it.

    `folder` is for temporary files.
    """

    def __init__(self, log_file: Path, folder: Path, **settings: Any) -> None:
        super().__init__(**settings)
        self._environment["TMPDIR"] = str(folder)
        self.log_file = log_file

    def __enter__(self) -> Self:
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, cwd=ROOT, env=self._environment, stderr=log, stdout=subprocess.DEVNULL
            )
        self._wait_until_ready()
        return self

    def __exit__(self, *_: object) -> None:
        self._end(60)

    def leftovers(self, patience: float = 5.0) -> list[str]:
        """Return the commands of processes of the service that are still there this long after it ended."""
        mark = f"TMPDIR={self._environment['TMPDIR']}".encode()
        ends = time.monotonic() + patience
        while True:
            found = []
            for process in Path("/proc").glob("[0-9]*"):
                with suppress(OSError):  # it has ended, or belongs to another user
                    if mark in (process / "environ").read_bytes().split(b"\0"):
                        found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            if not found or time.monotonic() > ends:
                return found
            time.sleep(0.1)

    def wait_for(self, name: str) -> dict[str, Any]:
        """Return the first line of the log with this event. Raises BenchmarkError if the service does not start."""
        ends = time.monotonic() + START_SECONDS
        while self.process.poll() is None and time.monotonic() < ends:
            for line in self.log_file.read_bytes().splitlines():
                with suppress(ValueError):
                    if (found := json.loads(line)).get("event") == name:
                        return dict(found)
            time.sleep(0.05)
        said = self.log_file.read_text("utf-8", "replace").strip()
        raise BenchmarkError(f"the service did not start: {said[-1000:]}")


class Redis:
    """A Redis server, from Debian's package, that keeps nothing."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("redis-server")
        if program is None:
            raise BenchmarkError("no redis-server; run apt-get install redis-server")
        self._port = free_port()
        self._command = [program, "--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        with socket.socket() as probe:
            while probe.connect_ex(("127.0.0.1", self._port)):
                time.sleep(0.05)

    def stop(self) -> None:
        """Kill it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def pause(self, paused: bool) -> None:
        """Stop it without closing its connections, or let it continue."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP if paused else signal.SIGCONT)


class PostgreSQL:
    """A PostgreSQL server, from Debian's package, with a database for labels."""

    def __init__(self, server: postgres.Server) -> None:
        self._server = server
        self.url = server.database()
        [[self._data]] = server.execute("SHOW data_directory")

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._server.start()

    def stop(self) -> None:
        """Stop it as a crash would."""
        self._server.stop()

    def pause(self, paused: bool) -> None:
        """Stop all its processes without closing their connections, or let them continue."""
        first = (Path(self._data) / "postmaster.pid").read_text().split()[0]
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        for process in (first, *children):
            with suppress(ProcessLookupError):
                os.kill(int(process), signal.SIGSTOP if paused else signal.SIGCONT)

    def labels(self) -> Counter[tuple[str, str]]:
        """Return the ids and comments of the stored labels."""
        name = self.url.rpartition("/")[2]
        return Counter((id, comment) for id, comment in self._server.execute(SELECT, name))


SELECT = "SELECT id, comment FROM unspun_labels"


@dataclass
class Setting:
    """Everything that a run needs. `small_disk` is the service's temporary folder, None without one of its own."""

    service: LoggingService
    redis: Redis | None
    postgres: PostgreSQL | None
    models: Path
    other: Path
    keys: dict[str, str]
    small_disk: Path | None
    sqlite: Path

    def labels(self) -> Counter[tuple[str, str]]:
        """Return the ids and comments of the stored labels."""
        if self.postgres is not None:
            return self.postgres.labels()
        with closing(sqlite3.connect(self.sqlite)) as database:
            return Counter(database.execute(SELECT).fetchall())


@contextmanager
def setting(
    folder: Path, other: Path, *, module: tuple[str, ...] = CLI, servers: Sequence[str] = SERVERS, **settings: Any
) -> Iterator[Setting]:
    """Start the service; stop everything when the block ends. Without PostgreSQL, labels are in a file.

    `settings` are UNSPUN_ variables of the service, without the prefix.
    """
    with ExitStack() as stack:
        models = folder / "models"
        promote(models, "promote", "--model", "default")
        store = KeyStore(folder / "keys.json")
        keys = {name: store.add(name) for name in (GREEDY, *READERS)}
        settings = {"MODEL": models / "current", "KEYS_FILE": store.path, "WATCH_SECONDS": 1, **settings}
        redis = database = None
        sqlite = folder / "labels.db"
        settings["DATABASE_URL"] = f"sqlite:///{sqlite}"
        if "redis" in servers:
            redis = Redis(folder)
            redis.start()
            stack.callback(redis.stop)
            settings["REDIS_URL"] = redis.url
        if "postgres" in servers:
            database = stack.enter_context(_postgresql())
            settings["DATABASE_URL"] = database.url
        disk = folder / PLACE
        disk.mkdir()
        wrapper = _with_small_disk(disk)
        # Otherwise, the system may give numpy's arrays larger pages at any time: memory that the process never uses.
        still = ("env", "NUMPY_MADVISE_HUGEPAGE=0", *wrapper)
        service = LoggingService(folder / "service.log", disk, wrapper=still, module=module, **settings)
        stack.enter_context(service)
        seen = Path(f"/proc/{service.process.pid}/root{disk}") if wrapper else None
        yield Setting(service, redis, database, models, other, keys, seen, sqlite)


@contextmanager
def _postgresql() -> Iterator[PostgreSQL]:
    try:
        with postgres.running() as server:
            database = PostgreSQL(server)
            try:
                yield database
            finally:
                with suppress(FileNotFoundError):
                    database.pause(False)
    except pytest.skip.Exception as error:
        raise BenchmarkError(str(error)) from error


def _with_small_disk(disk: Path) -> tuple[str, ...]:
    """Return a command that gives another command a small disk of its own; nothing if only root may do that."""
    if os.getuid() != 0 or shutil.which("unshare") is None:
        return ()
    script = f'mount -t tmpfs -o size={SMALL_DISK} unspun "$0" && exec "$@"'
    wrapper = ("unshare", "--mount", "sh", "-c", script, str(disk))
    done = subprocess.run([*wrapper, "true"], capture_output=True, check=False)
    return () if done.returncode else wrapper


def promote(models: Path, *arguments: str, life: float | None = None, patience: float = 120.0) -> bool:
    """Run `unspun models`, kill it after `life` seconds, and return whether it was killed. Raises BenchmarkError."""
    command = [sys.executable, "-m", "unspun.service.cli", "models", "--models", str(models), *arguments]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        try:
            _, errors = process.communicate(timeout=patience if life is None else life)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            if life is not None:
                return True
            raise BenchmarkError(f"`unspun models {arguments[0]}` took more than {patience:g} seconds") from None
    if process.returncode:
        raise BenchmarkError(f"`unspun models {arguments[0]}` failed: {errors.strip()}")
    return False

"""A temporary PostgreSQL server for the tests, from Debian's packages."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.service.support import free_port

PASSWORD = "not-a-secret"


def binaries() -> Path | None:
    """Return the folder of initdb and pg_ctl, or None if PostgreSQL is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    other = shutil.which("initdb")
    return None if other is None else Path(other).resolve().parent


def unprivileged() -> str | None:
    """Return a user to run PostgreSQL as, because it refuses root; None if this process is not root."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            pwd.getpwnam(name)
            return name
    pytest.skip("PostgreSQL refuses root, and there is no other user")


@dataclass
class Server:
    """A running server that can be stopped and started."""

    port: int
    control: Callable[..., None]
    made: int = 0

    def url(self, database: str, *, user: str = "unspun", password: str = PASSWORD) -> str:
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run a statement as the superuser."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return [] if cursor.description is None else cursor.fetchall()

    def database(self) -> str:
        """Create an empty database and return its address."""
        self.made += 1
        self.execute(f"CREATE DATABASE labels_{self.made}")
        return self.url(f"labels_{self.made}")

    def stop(self) -> None:
        self.control("stop", "-m", "immediate")

    def start(self) -> None:
        self.control("start", "-o", OPTIONS.format(port=self.port))


OPTIONS = "-p {port} -h 127.0.0.1 -k '' -c fsync=off -c full_page_writes=off -c max_connections=60"


@contextmanager
def running() -> Iterator[Server]:
    """Run a server; skip the test if PostgreSQL is not installed."""
    folder_of = binaries()
    if folder_of is None:
        pytest.skip("no PostgreSQL: apt-get install postgresql")
    user = unprivileged()
    # Not pytest's temporary folder, which only root may enter.
    folder = Path(tempfile.mkdtemp(prefix="unspun-postgres-"))
    data, password = folder / "data", folder / "password"
    password.write_text(PASSWORD)
    if user is not None:
        for path in (folder, password):
            shutil.chown(path, user)

    def run(program: str, *arguments: str) -> None:
        command = [str(folder_of / program), "-D", str(data), *arguments]
        # Output goes to a file, because the server would keep a pipe open.
        with (folder.parent / f"{folder.name}.log").open("a+") as log:
            done = subprocess.run(command, user=user, cwd="/", stdout=log, stderr=log, timeout=120)
            log.seek(0)
            assert done.returncode == 0, log.read()[-4000:]

    def control(action: str, *options: str) -> None:
        run("pg_ctl", "-w", *options, action)

    server = Server(free_port(), control)
    try:
        run("initdb", "-U", "unspun", "--auth=scram-sha-256", f"--pwfile={password}", "--no-sync", "-E", "UTF8")
        server.start()
        yield server
    finally:
        if (data / "postmaster.pid").exists():
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)
        (folder.parent / f"{folder.name}.log").unlink(missing_ok=True)

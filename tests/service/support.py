"""Shared by the tests of commands and pages: cases from data files, texts, and commands with their results."""

from __future__ import annotations

import ctypes
import json
import os
import pty
import random
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from tests.cases import cases as read_cases

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data" / "service"
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
"""The environment of commands in separate processes."""

SPUN = "The mayor shared his imaginative and prescient and the vitality of the town."
SUSPECT = "The mayor talked of the vitality of the town for an hour."
CLEAR = "The mayor talked of the energy of the town for an hour."


def cases(name: str) -> list[dict[str, Any]]:
    """Return the cases of a data file of these tests."""
    return read_cases(f"service/{name}")


@dataclass(frozen=True)
class Run:
    """The result of a command: exit status, standard output, and the lines of standard error."""

    status: int
    out: str
    errors: list[str]

    @property
    def verdicts(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def ids(self) -> list[str]:
        return [verdict["id"] for verdict in self.verdicts]


Unspun = Callable[..., Run]
"""Runs `unspun` with some arguments."""
Make = Callable[..., Path]
"""Writes a tiny model's bundle with a name, and changes to its manifest."""


def run_unspun(*arguments: str | Path, stdin: bytes | str = b"", load: Any = None) -> Run:
    """Run `unspun` in this process, with standard output not a terminal; `load` loads the model."""
    from unspun.service.cli import cli

    command = [str(argument) for argument in arguments]
    result = CliRunner().invoke(cli, command, input=stdin, obj=load, prog_name="unspun")
    return Run(result.exit_code, result.stdout, result.stderr.splitlines())


def run_on_terminal(command: list[str]) -> tuple[int, str]:
    """Run a command on a terminal; return its exit status and what the terminal shows."""
    leader, follower = pty.openpty()
    kept = {name: value for name, value in ENVIRONMENT.items() if name != "NO_COLOR"}
    environment = {**kept, "TERM": "xterm-256color", "COLUMNS": "100"}
    shown = b""
    with subprocess.Popen(command, env=environment, stdin=follower, stdout=follower, stderr=follower) as process:
        os.close(follower)
        try:
            while part := os.read(leader, 1 << 16):
                shown += part
        except OSError:  # the other end is closed
            pass
    os.close(leader)
    return process.returncode, shown.decode()


def wait_until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until something is true; fail if it is not in time."""
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.02)


def free_port() -> int:
    """Return a free port of this machine.

    It is below the range from which systems choose ports for others, who could get it before it is used.
    """
    chance = random.SystemRandom()
    while True:
        port = chance.randrange(10_000, 32_768)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


CAPABILITIES_OF_THIS_THREAD = (0x20080522, 0)
"""The header of capget(2): version 3, process 0."""
DAC_OVERRIDE_AND_READ_SEARCH = 0b110


@contextmanager
def without_override() -> Iterator[None]:
    """Take away root's right to read and write every file, for this thread."""
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = (ctypes.c_uint32 * 2)(*CAPABILITIES_OF_THIS_THREAD), (ctypes.c_uint32 * 6)()
    assert libc.capget(header, sets) == 0
    effective = sets[0]
    sets[0] = effective & ~DAC_OVERRIDE_AND_READ_SEARCH
    assert libc.capset(header, sets) == 0
    try:
        yield
    finally:
        sets[0] = effective
        assert libc.capset(header, sets) == 0


@contextmanager
def read_only(*folders: Path, mode: int = 0o755) -> Iterator[None]:
    """Give folders to another user while a command runs; `mode` is their mode during that time."""
    for folder in folders:
        if os.geteuid() == 0:
            os.chown(folder, 65534, 65534)
        folder.chmod(mode if os.geteuid() == 0 else mode & 0o550)
    try:
        with without_override():
            yield
    finally:
        for folder in folders:
            folder.chmod(0o755)

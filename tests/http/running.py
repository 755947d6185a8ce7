"""A real gunicorn on a loopback port."""

from __future__ import annotations

import http.client
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0


@dataclass(frozen=True)
class Answer:
    """A response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.body.splitlines()]


class Service:
    """`unspun serve` in a separate process; `settings` are UNSPUN_ variables without their prefix.

    `module`, with its first arguments, is run instead of the command line.
    """

    def __init__(
        self,
        *arguments: str,
        wrapper: tuple[str, ...] = (),
        module: tuple[str, ...] = ("unspun.service.cli",),
        **settings: Any,
    ) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("UNSPUN_")}
        chosen = {"PORT": 0, "DRAIN_SECONDS": 0, "WATCH_SECONDS": 0.1, "WORKERS": 2} | settings
        self._environment = inherited | {f"UNSPUN_{name}": str(value) for name, value in chosen.items()}
        self._count = int(chosen["WORKERS"])
        self._command = [*wrapper, sys.executable, "-m", *module, "serve", *arguments]
        self.log: list[dict[str, Any]] = []
        self.errors: list[str] = []
        """Lines on standard error that are not JSON."""

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            self._command, cwd=ROOT, env=self._environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        self._events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._wait_until_ready()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(20)
        self._reader.join()
        assert self.process.stderr is not None
        self.process.stderr.close()

    def _wait_until_ready(self) -> None:
        try:
            self.port = int(self.wait_for("listening")["port"])
            while len(self.workers()) < self._count or self.get("/readyz").status != 200:
                time.sleep(0.02)
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise

    def _end(self, patience: float) -> None:
        """End the process, and kill it if it does not end within so many seconds."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(patience)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            try:
                event = json.loads(line)
            except ValueError:
                self.errors.append(line.decode().rstrip())
                continue
            self.log.append(event)
            self._events.put(event)
        self._events.put(None)

    def wait_for(self, name: str) -> dict[str, Any]:
        """Return the next log line of this event."""
        ends = time.monotonic() + START_SECONDS
        while True:
            event = self._events.get(timeout=max(0.01, ends - time.monotonic()))
            if event is None:
                raise AssertionError(f"the service ended before {name!r}: {self.errors}")
            if event["event"] == name:
                return event

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def workers(self) -> list[int]:
        """Return the process ids of the workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(child) for child in children.split()]

    def connect(self, timeout: float = 30.0) -> socket.socket:
        """Return a raw connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)

    def listens(self) -> bool:
        """Return whether the port is open."""
        try:
            self.connect().close()
        except ConnectionRefusedError:
            return False
        return True

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, None, headers)

    def post(self, path: str, body: Any, kind: str = "application/json", **headers: str) -> Answer:
        """Send a body: bytes unchanged, anything else as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.ask("POST", path, data, {"Content-Type": kind, **headers})

    def ask(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            headers = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def raw(self, sent: bytes, *, finish: bool = True) -> bytes:
        """Send bytes on a new connection, and return all that is received until it is closed."""
        with self.connect() as connection:
            connection.sendall(sent)
            if finish:
                connection.shutdown(socket.SHUT_WR)
            return receive_all(connection)


def failed_start(**settings: Any) -> subprocess.CompletedProcess[str]:
    """Run `unspun serve` with settings that prevent it from starting, and return the finished process."""
    environment = os.environ | {f"UNSPUN_{name}": str(value) for name, value in settings.items()}
    command = [sys.executable, "-m", "unspun.service.cli", "serve"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


def receive_all(connection: socket.socket) -> bytes:
    """Return all that is received until the other side closes."""
    parts = []
    try:
        while part := connection.recv(1 << 16):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)

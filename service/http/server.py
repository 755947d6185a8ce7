"""The service under gunicorn: one process loads the model, and workers share it.

Each connection is a greenlet (gevent), so that slow clients cost little; the model runs in native threads. Nothing is
monkey-patched: only the sockets of connections are gevent's.
"""

from __future__ import annotations

import io
import itertools
import json
import logging
import mmap
import signal
import socket
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import gevent
from gevent.threadpool import ThreadPool
from gunicorn import glogging, http, util
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.http.body import Body, ChunkedReader, LengthReader
from gunicorn.workers.ggevent import GeventWorker

from unspun.model.verdict import TIERS
from unspun.service.http import logs, metrics
from unspun.service.http.app import create_app
from unspun.service.http.config import Settings
from unspun.service.http.engine import Engine, ModelInUse, Result
from unspun.service.http.fetching import Fetcher
from unspun.service.http.logs import event
from unspun.service.http.problems import INTERNAL, MEDIA_TYPE, RequestError
from unspun.service.machine import release_memory

THREADS = 2
"""Threads of a worker that run the model. With two, a long text does not hold up the others."""
LABEL_THREADS, LABEL_QUEUE = 4, 64
"""Threads of a worker that use the label database, and how many requests may wait for them."""
FETCH_THREADS, FETCH_QUEUE = 8, 64
"""Threads of a worker that fetch web addresses, and how many requests may wait for them."""
KEEP_ALIVE = 15.0
"""Seconds that a connection may be idle between two requests."""
HEADER_SECONDS = 10.0
"""Most seconds for the headers of a request to arrive."""
DISCARD_BYTES = 1 << 28
"""Most bytes of a refused body that are read and discarded, so that the client can read the response."""
LINGER_SECONDS = 1.0
"""Seconds that a closing connection is still read from."""
RELEASE_SECONDS = 60.0
"""How often a worker returns memory to the system. If it is scoring, it waits for a pause, but at most as long again:
memory in use cannot be returned."""
GLANCE_SECONDS = 0.5
"""How often an idle connection checks whether the worker is shutting down."""
CONNECTIONS = 1000
LIMIT = 8190
"""Most bytes of a request line, and of a header."""
ENDING = (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT)
"""The signals that end a worker."""
DRAINING, RELOADS = 0, 1
"""Bytes that all processes share: whether the service is shutting down (1: soon, 2: now), and the number of reloads."""


class NativeThreads:
    """Runs functions in native threads, so that other greenlets continue meanwhile."""

    def __init__(self, threads: int, waiting: int, what: str = "the model") -> None:
        self._pool = ThreadPool(threads)
        self._what = what
        self._most = threads + waiting
        self._inside = 0

    @property
    def idle(self) -> bool:
        """Whether no caller waits for a function."""
        return self._inside == 0

    def __call__(self, function: Callable[[], Result], seconds: float) -> Result:
        """Return what a function returns. Raises RequestError if too many requests wait, and TimeoutError."""
        if self._inside >= self._most:
            raise RequestError(
                "overloaded", f"Too many requests are waiting for {self._what}. Try again in a moment.", retry_after=1
            )
        self._inside += 1
        job = _Job(function)
        try:
            with gevent.Timeout(seconds, TimeoutError):
                self._pool.spawn(job.run).get()
        finally:
            job.wanted = False
            self._inside -= 1
        if job.error is not None:
            raise job.error
        return job.result  # type: ignore[no-any-return]


class _Job:
    """A function to run unless its caller has stopped waiting. It holds an exception, which gevent would print."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self.function = function
        self.wanted = True
        self.result: Any = None
        self.error: Exception | None = None

    def run(self) -> None:
        if self.wanted:
            try:
                self.result = self.function()
            except Exception as error:
                self.error = error


class TimedBody(io.RawIOBase):
    """The body of a request. A read returns what has arrived, and raises RequestError when the time limit is over.

    gunicorn's own `Body` waits until it can fill the buffer, so a client that waits for the answer to its first line
    would wait forever.
    """

    def __init__(self, body: Body, seconds: float) -> None:
        self._body = body
        self._reader = body.reader
        self._seconds = seconds
        self._rest = b""
        self.restart()

    def restart(self) -> None:
        """Restart the time limit."""
        self._deadline = time.monotonic() + self._seconds

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what has arrived into a buffer: at least one byte, unless the body has ended."""
        piece = self._rest or self._next()
        size = min(len(piece), len(buffer))
        buffer[:size] = piece[:size]
        self._rest = piece[size:]
        return size

    def discard(self, most: int) -> bool:
        """Read and discard the rest of the body; return False if it is longer than `most` bytes or broken."""
        size = 0
        while piece := self._rest or self._next():
            self._rest = b""
            size += len(piece)
            if size > most:
                return False
        return not self._body.failed

    def _next(self) -> bytes:
        if self._body.failed:
            return b""
        late = RequestError(
            "request-timeout",
            f"The body did not arrive within {self._seconds:g} seconds. Send it faster or in parts.",
            limit=self._seconds,
        )
        try:
            with gevent.Timeout(max(0.001, self._deadline - time.monotonic()), late):
                return self._piece()
        except RequestError:
            self._body.failed = True
            raise
        except (http.errors.ParseException, OSError) as error:
            self._body.failed = True
            detail = "The connection was lost, or the body is not valid chunked encoding."
            raise RequestError("invalid-request", detail) from error

    def _piece(self) -> bytes:
        reader = self._reader
        if isinstance(reader, ChunkedReader):
            while reader.parser is not None:
                try:
                    if piece := next(reader.parser):
                        return bytes(piece)
                except StopIteration:
                    reader.parser = None
            return b""
        if isinstance(reader, LengthReader):
            if not reader.length:
                return b""
            piece = reader.unreader.read(None, read_ahead=reader.length)
            if len(piece) > reader.length:
                reader.unreader.unread(piece[reader.length :])
                piece = piece[: reader.length]
            if not piece:  # the client has disconnected
                self._body.failed = True
            reader.length -= len(piece)
            return bytes(piece)
        return bytes(self._body.read(1 << 16))


class Worker(GeventWorker):
    """gunicorn's gevent worker, with time limits for clients, and problem documents for requests that are not HTTP."""

    def patch(self) -> None:
        """Convert the listening sockets to gevent's, and nothing else."""
        sockets = []
        for listener in self.sockets:  # type: ignore[has-type]
            family, handle = listener.FAMILY, listener.sock.detach()
            sockets.append(gevent.socket.socket(family, socket.SOCK_STREAM, fileno=handle))
        self.sockets = sockets

    leaving = False
    place = 0
    """Where this worker keeps its figures for /metrics."""

    def init_signals(self) -> None:
        """Handle signals, also those that arrived since the process was started."""
        super().init_signals()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)

    def load_wsgi(self) -> None:
        """Create the application in the new process."""
        service: Service = self.app
        metrics.place = self.place
        self.engine = service.start_engine(lambda: bool(self.alive and not self.leaving))
        settings = service.settings
        fetcher = Fetcher(settings, NativeThreads(FETCH_THREADS, FETCH_QUEUE, "a web page"))
        self.wsgi = create_app(
            settings, self.engine, NativeThreads(LABEL_THREADS, LABEL_QUEUE, "the label database"), fetcher
        )

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Answer the requests of one connection."""
        settings = self.app.settings
        client.settimeout(settings.timeout)  # of one read or write
        request = None
        metrics.CONNECTIONS.inc()
        try:
            parser = http.get_parser(self.cfg, client, addr)
            while True:
                if not parser.unreader.buf.tell() and not self._wait(client):
                    break
                if self.engine.draining():
                    self.cfg.set("keepalive", 0)  # responses now announce that the connection closes
                seconds = min(HEADER_SECONDS, settings.timeout)
                late = RequestError("request-timeout", f"The headers did not arrive within {seconds:g} seconds.")
                with gevent.Timeout(seconds, late):
                    request = next(parser)
                if not request:
                    break
                self.handle_request(listener.getsockname(), request, client, addr)
        except (http.errors.NoMoreData, StopIteration, OSError):
            pass
        except RequestError as problem:
            _write_problem(client, problem)
        except http.errors.ParseException as error:
            _write_problem(client, _unreadable(error))
        except Exception as error:
            logs.log_error(error)
            _write_problem(client, RequestError("internal-error", INTERNAL))
        finally:
            metrics.CONNECTIONS.dec()
            _close(client)

    def _wait(self, client: Any) -> bool:
        """Wait for the next request on a connection; return whether there is one."""
        ends = time.monotonic() + KEEP_ALIVE
        while self.alive and time.monotonic() < ends:
            try:
                gevent.socket.wait_read(client.fileno(), timeout=GLANCE_SECONDS, timeout_exc=TimeoutError())
            except TimeoutError:
                continue
            return True
        return False

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        """Answer one request, and read the rest of its body."""
        body = TimedBody(req.body, self.app.settings.timeout)
        req.body = io.BufferedReader(body, 1 << 16)
        req.body.failed = False
        try:
            super().handle_request(listener_name, req, sock, addr)
        except StopIteration:
            with suppress(RequestError, OSError):
                body.discard(DISCARD_BYTES)
            raise
        with suppress(RequestError):
            if body.discard(DISCARD_BYTES):
                return
        raise StopIteration

    def handle_exit(self, sig: Any, frame: Any) -> None:
        """Accept no more connections, and stop when the requests in progress are answered.

        If the signal came to all processes at once, as from systemd, wait for the drain time of the manager.
        """
        service: Service = self.app
        if service.shared[DRAINING] == 2:
            self.alive = False
        else:
            self.leaving = True
            gevent.spawn_later(service.settings.drain_seconds, self._end)

    def _end(self) -> None:
        self.alive = False


class JsonLogger(glogging.Logger):
    """gunicorn's log, as JSON lines like the rest of the log."""

    def setup(self, cfg: Any) -> None:
        """Use the handlers of unspun's own log."""
        super().setup(cfg)
        self.error_log.handlers[:] = logs.LOGGER.handlers
        # On a terminal, one line of ours replaces gunicorn's four about its start.
        self.error_log.setLevel(max(logs.LOGGER.level, logging.WARNING if logs.for_people() else logging.INFO))


class Manager(Arbiter):
    """gunicorn's first process. It loads the model, watches the workers, and lets them finish at shutdown."""

    def __init__(self, app: Service) -> None:
        super().__init__(app)
        self._ends_at: float | None = None

    def handle_term(self) -> None:
        """Make /readyz answer 503, and shut down a little later; a second SIGTERM shuts down at once."""
        if self._ends_at is not None:
            raise StopIteration
        self.app.shared[DRAINING] = 1
        seconds = self.app.settings.drain_seconds
        self._ends_at = time.monotonic() + seconds
        event("draining", seconds=seconds)

    def handle_hup(self) -> None:
        """Check now whether the model has changed."""
        self.app.shared[RELOADS] = (self.app.shared[RELOADS] + 1) % 256
        self.app.models.refresh(force=True)
        self.app.reloads = self.app.shared[RELOADS]

    def spawn_worker(self) -> Any:
        """Start a worker. Signals wait until it can handle them.

        Before that, it has the manager's handlers, which would ignore the signal that ends workers.
        """
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        try:
            return super().spawn_worker()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def stop(self, graceful: bool = True) -> None:
        """Stop the workers."""
        self.app.shared[DRAINING] = 2
        super().stop(graceful)

    def wait_for_signals(self, timeout: float = 1.0) -> list[int]:
        """Return the signals that arrived; meanwhile, shut down in time and check whether the model has changed."""
        if self._ends_at is not None:
            left = self._ends_at - time.monotonic()
            if left <= 0:
                raise StopIteration
            timeout = min(timeout, left)
        elif self.app.settings.watch_seconds:
            self.app.models.refresh()
        return list(super().wait_for_signals(timeout))


class Service(BaseApplication):
    """The gunicorn application.

    `shared` has one byte each for DRAINING and RELOADS. `reloads` is how many reloads this process has done; workers
    that it starts later inherit the number.
    """

    def __init__(self, settings: Settings, models: ModelInUse, folder: str) -> None:
        self.settings = settings
        self.models = models
        self.shared = mmap.mmap(-1, 2)
        self.reloads = 0
        self._folder = folder
        super().__init__()

    def load_config(self) -> None:
        """Set gunicorn's options."""
        settings = self.settings
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        options = {
            "bind": f"{host}:{settings.port}",
            "workers": settings.workers,
            "worker_class": Worker,
            "worker_connections": CONNECTIONS,
            "worker_tmp_dir": self._folder,
            "timeout": 60,  # seconds since a worker last responded; its greenlets respond even while the model runs
            "graceful_timeout": int(settings.timeout) + 5,
            "keepalive": int(KEEP_ALIVE),
            "limit_request_line": LIMIT,
            "limit_request_field_size": LIMIT,
            "logger_class": JsonLogger,
            "loglevel": "warning",
            "control_socket_disable": True,
            "pre_fork": _place,
            "child_exit": _bury,
            "when_ready": lambda manager: event(
                "listening",
                host=settings.host,
                port=int(manager.LISTENERS[0].sock.getsockname()[1]),
                workers=settings.workers,
            ),
            "proc_name": "unspun",
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def start_engine(self, alive: Callable[[], bool]) -> Engine:
        """Return the engine of a new worker. It starts to warm up, and to check whether its bundle changes."""
        if self.settings.watch_seconds:
            self.models.refresh()  # the manager may not have noticed a change that other workers have
        threads = NativeThreads(THREADS, self.settings.queue)
        engine = Engine(
            self.models,
            time_limit=self.settings.timeout,
            run=threads,
            run_aside=NativeThreads(1, 0),
            depths=TIERS,
            draining=lambda: bool(self.shared[DRAINING]) or not alive(),
        )
        engine.record_model()
        gevent.spawn(self._warm_up, engine)
        gevent.spawn(self._watch, engine, threads)
        return engine

    def _warm_up(self, engine: Engine) -> None:
        with suppress(RequestError):
            engine.warm_up()

    def _watch(self, engine: Engine, threads: NativeThreads) -> None:
        asked = self.reloads
        release_at = time.monotonic() + RELEASE_SECONDS
        while True:
            gevent.sleep(min(self.settings.watch_seconds or 0.5, 0.5))
            late = time.monotonic() - release_at
            if late >= RELEASE_SECONDS or (late >= 0 and threads.idle):
                release_memory()
                release_at = time.monotonic() + RELEASE_SECONDS
            forced = self.shared[RELOADS] != asked
            asked = self.shared[RELOADS]
            if forced or self.settings.watch_seconds:
                try:
                    if engine.refresh(force=forced):
                        release_at = time.monotonic()  # requests in progress still hold the old model
                except Exception as error:
                    logs.log_error(error)

    def run(self) -> None:
        """Serve until shutdown."""
        Manager(self).run()


def _place(manager: Manager, worker: Any) -> None:
    taken = {other.place for other in manager.WORKERS.values()}
    worker.place = next(number for number in itertools.count(1) if number not in taken)
    with suppress(OSError):  # it may work without; the next worker tries again
        metrics.reserve(worker.place)


def _bury(manager: Manager, worker: Any) -> None:
    metrics.forget(worker.place)
    if not manager.app.shared[DRAINING]:
        metrics.WORKERS_LOST.inc()
        event("worker lost", logging.ERROR, worker=worker.pid)


def _close(client: Any) -> None:
    """Close a connection so that the client can read the last response.

    Unread input would make the system reset the connection, and the response could be lost, so read for a moment.
    """
    with suppress(OSError), gevent.Timeout(LINGER_SECONDS, False):  # type: ignore[arg-type]
        client.shutdown(socket.SHUT_WR)
        size = 0
        while size < DISCARD_BYTES and (piece := client.recv(1 << 16)):
            size += len(piece)
    util.close(client)


def _unreadable(error: Exception) -> RequestError:
    if isinstance(error, http.errors.LimitRequestLine):
        detail = f"The URL is longer than {LIMIT:,} bytes. Send the text in the body."
    elif isinstance(error, http.errors.LimitRequestHeaders):
        detail = f"There are too many headers, or one is longer than {LIMIT:,} bytes. Send fewer or shorter headers."
    else:
        detail = "This is not a valid HTTP request."
    return RequestError("invalid-request", detail)


def _write_problem(client: Any, problem: RequestError) -> None:
    """Answer and count input that is not a valid request."""
    request_id = str(uuid.uuid4())
    metrics.PROBLEMS.labels(problem.name).inc()
    event("request", request_id=request_id, method="none", route="none", status=problem.status, verdicts={})
    body = (json.dumps(problem.to_dict(request_id)) + "\n").encode()
    head = (
        f"HTTP/1.1 {problem.status} {problem.title}\r\nContent-Type: {MEDIA_TYPE}\r\nContent-Length: {len(body)}\r\n"
        f"X-Request-ID: {request_id}\r\nConnection: close\r\n\r\n"
    )
    with suppress(OSError):
        client.sendall(head.encode() + body)

"""What does the service bear? Two workers, articles of 1,000 words, 50 connections for a minute, on loopback.

    python -m benchmarks.load [--seconds N] [--connections N] [--workers N] [--only idle|load|trouble] [--corpus PATH]

Three phases against a real `unspun serve`, started here:

idle     one request at a time: how long until the answer, by the tier that decides
load     all connections ask without pause; one article in twenty is spun
trouble  the same; 1 % of the clients hang up, 1 % send garbage, and a worker is killed half-way

Every answer is compared, byte for byte, with the verdict that the Python API gives for the same article. The exit
status is 1 where an answer is wrong, comes twice, or is an error; never because of a figure. Client and service share
the machine, so the client's own share of the processor is told.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gevent
import gevent.socket
import numpy as np

from benchmarks.throughput import from_corpus, from_examples

ROOT = Path(__file__).parents[1]
WORDS = 1_000
DISTINCT = 60
"""Different articles; each request has an id of its own."""
SPUN_EVERY = 20
IDLE_REQUESTS = 40
PATIENCE = 60.0
"""Seconds without an answer that count as an error."""
PHASES = ("idle", "load", "trouble")


@dataclass(frozen=True)
class Article:
    """A text, whether it is spun, which tier decides on it, and its verdict as JSON without the id."""

    text: str
    spun: bool
    depth: str
    verdict: str

    def answer(self, id: str) -> bytes:
        """Return the bytes that the service must answer with."""
        return f'{{"id": "{id}", {self.verdict}\n'.encode()


@dataclass
class Account:
    """What came of the requests of a phase."""

    seconds: list[float] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    """Promises that were not kept."""


def main() -> int:
    """Run the phases; return the exit status."""
    options = _options()
    articles = make_articles(options.corpus)
    rows: list[tuple[str, str]] = []
    broken: list[str] = []
    with Server(options.workers) as server:
        rows.append(("ready after start", f"{server.ready_after:.2f} s"))
        for phase in PHASES if options.only is None else [options.only]:
            account, figures = PHASE[phase](server, articles, options)
            rows += [(f"{phase}: {name}", value) for name, value in figures]
            broken += [f"{phase}: {line}" for line in account.broken]
    width = max(len(name) for name, _ in rows)
    print("\n".join(f"{name:<{width}}  {value}" for name, value in rows))
    print("\n".join(broken[:20]) or "\nevery promise was kept", file=sys.stderr if broken else sys.stdout)
    return 1 if broken else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks.load", description=__doc__.split("\n\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="of load and of trouble (default: 60)")
    parser.add_argument("--connections", type=int, default=50, help="(default: 50)")
    parser.add_argument("--workers", type=int, default=2, help="(default: 2)")
    parser.add_argument("--only", choices=PHASES, help="one phase alone")
    parser.add_argument("--corpus", type=Path, metavar="PATH", help="labelled file or folder to take articles from")
    return parser.parse_args()


def make_articles(corpus: Path | None) -> list[Article]:
    """Return articles of WORDS words with their verdicts, one in SPUN_EVERY spun; the same every time."""
    from model.detector import Detector

    found = from_examples(2 * DISTINCT) if corpus is None else from_corpus(corpus, 2 * DISTINCT)
    human, spun = ([text for text, is_spun in found if is_spun == wanted] for wanted in (False, True))
    detector = Detector.load()
    articles = []
    for i in range(DISTINCT):
        is_spun = i % SPUN_EVERY == SPUN_EVERY - 1
        pool = spun if is_spun else human
        text = " ".join(" ".join(pool[(i + k) % len(pool)] for k in range(8)).split()[:WORDS])
        verdict = detector.score(text)
        articles.append(Article(text, is_spun, verdict.depth, verdict.to_json().removeprefix('{"id": null, ')))
    return articles


class Server:
    """`unspun serve` in processes of its own."""

    def __init__(self, workers: int) -> None:
        self._workers = workers

    def __enter__(self) -> Server:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("UNSPUN_")}
        self._log = tempfile.TemporaryFile()
        started = time.perf_counter()
        command = [sys.executable, "-m", "service.cli", "serve", "--port", "0", "--workers", str(self._workers)]
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=self._log)
        self.port = self._wait_for_port()
        while not self._ready():
            time.sleep(0.01)
        self.ready_after = time.perf_counter() - started
        while len(self.workers()) < self._workers:
            time.sleep(0.01)
        time.sleep(1.5)  # the deep tier is loaded beside the first requests
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        self._log.close()

    def _wait_for_port(self) -> int:
        while True:
            if self.process.poll() is not None:
                raise SystemExit(f"the service did not start: {os.pread(self._log.fileno(), 1000, 0).decode()}")
            for line in os.pread(self._log.fileno(), 1 << 16, 0).splitlines():
                if b'"listening"' in line:
                    return int(json.loads(line)["port"])
            time.sleep(0.01)

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def workers(self) -> list[int]:
        """Return the workers' process ids."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(child) for child in children.split()]

    def has_workers(self, count: int, seconds: float = 20.0) -> bool:
        """Return whether there are as many workers as there should be, soon."""
        ends = time.perf_counter() + seconds
        while len(self.workers()) != count and time.perf_counter() < ends:
            time.sleep(0.1)
        return len(self.workers()) == count

    def memory(self) -> list[float]:
        """Return each worker's share of memory, in MB: pages that several hold count in part (PSS)."""
        found = []
        for worker in self.workers():
            rollup = Path(f"/proc/{worker}/smaps_rollup").read_text()
            [pss] = [line.split()[1] for line in rollup.splitlines() if line.startswith("Pss:")]
            found.append(int(pss) / 1024)
        return found


class BrokenOffError(Exception):
    """A connection that ended before the answer did."""


class Connection:
    """One client; it comes back on a new connection where its own breaks."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: Any = None

    def ask(self, article: Article, id: str, depth: str = "auto") -> tuple[int, dict[str, str], bytes]:
        """Send an article and return status, headers and body. Raises BrokenOffError."""
        try:
            self.send(request(article.text, id, depth))
            return self.receive()
        except (OSError, ValueError) as error:
            self.close()
            raise BrokenOffError(type(error).__name__) from error

    def send(self, data: bytes) -> None:
        """Send bytes."""
        if self._socket is None:
            self._socket = gevent.socket.create_connection(("127.0.0.1", self._port), timeout=PATIENCE)
        self._socket.sendall(data)

    def receive(self) -> tuple[int, dict[str, str], bytes]:
        """Return one answer. Raises OSError and ValueError."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._some()
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        while len(body) < int(headers["content-length"]):
            body += self._some()
        if headers.get("connection") == "close":
            self.close()
        return int(first.split()[1]), headers, body

    def _some(self) -> bytes:
        part: bytes = self._socket.recv(1 << 16)
        if not part:
            raise ConnectionError
        return part

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def request(text: str, id: str, depth: str = "auto") -> bytes:
    """Return a whole HTTP request for a verdict."""
    body = json.dumps({"id": id, "text": text, "depth": depth}).encode()
    head = (
        f"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Request-ID: {id}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def check(account: Account, article: Article, id: str, status: int, headers: dict[str, str], body: bytes) -> None:
    """Enter an answer into the account."""
    if status != 200:
        account.outcomes[f"status {status}"] += 1
        account.broken.append(f"request {id} was answered {status}")
    elif headers.get("x-request-id") != id:
        account.broken.append(f"request {id} got the answer of {headers.get('x-request-id')}")
    elif body != article.answer(id):
        account.broken.append(f"request {id} got another verdict, or more than one")
    else:
        account.outcomes["answered"] += 1


Figures = list[tuple[str, str]]


def idle(server: Server, articles: list[Article], options: argparse.Namespace) -> tuple[Account, Figures]:
    """Ask one request at a time."""
    account, figures = Account(), []
    connection = Connection(server.port)
    settled = [article for article in articles if article.depth == "fast"]
    for title, depth in (("fast tier settles it", "auto"), ("deep tier asked", "deep")):
        times = []
        for i in range(IDLE_REQUESTS):
            article = settled[i % len(settled)]
            began = time.perf_counter()
            status, headers, body = connection.ask(article, f"idle-{depth}-{i}", depth)
            times.append(time.perf_counter() - began)
            if depth == "auto":
                check(account, article, f"idle-{depth}-{i}", status, headers, body)
            elif status != 200 or json.loads(body)["depth"] != "deep":
                account.broken.append(f"deep request {i} was answered {status}")
        figures.append((title, _latency(times)))
    connection.close()
    return account, figures


def load(server: Server, articles: list[Article], options: argparse.Namespace) -> tuple[Account, Figures]:
    """Ask on all connections at once."""
    return _run(server, articles, options, trouble=False)


def trouble(server: Server, articles: list[Article], options: argparse.Namespace) -> tuple[Account, Figures]:
    """Ask on all connections at once, among bad clients, and lose a worker."""
    return _run(server, articles, options, trouble=True)


PHASE: dict[str, Callable[[Server, list[Article], argparse.Namespace], tuple[Account, Figures]]] = {
    "idle": idle,
    "load": load,
    "trouble": trouble,
}


def _run(
    server: Server, articles: list[Article], options: argparse.Namespace, *, trouble: bool
) -> tuple[Account, Figures]:
    account = Account()
    numbers = iter(range(1 << 60))
    began, cpu = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    ends = began + options.seconds
    memory: list[list[float]] = []
    bar = _Bar(options.seconds)

    def client(seed: int) -> None:
        connection, generator = Connection(server.port), random.Random(seed)
        while time.perf_counter() < ends:
            number = next(numbers)
            fate = generator.random()
            if trouble and fate < 0.01:
                _hang_up(server.port, articles[number % DISTINCT], generator)
                account.outcomes["hung up on"] += 1
            elif trouble and fate < 0.02:
                _send_garbage(server.port, account, generator)
            else:
                _ask(connection, account, articles[number % DISTINCT], f"{trouble:d}-{number}", trouble)
        connection.close()

    def minder() -> None:
        for third in range(4):
            gevent.sleep(max(0.0, began + options.seconds * third / 3 - time.perf_counter()))
            memory.append(server.memory())

    def killer() -> None:
        gevent.sleep(options.seconds / 2)
        os.kill(server.workers()[0], signal.SIGKILL)

    running = [gevent.spawn(client, seed) for seed in range(options.connections)]
    extra = [gevent.spawn(minder), *([gevent.spawn(killer)] if trouble else [])]
    while any(not greenlet.dead for greenlet in running):
        gevent.sleep(0.5)
        bar.show(time.perf_counter() - began, account)
    gevent.joinall([*running, *extra], raise_error=True)
    taken, used = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    bar.close()
    own = (used.ru_utime + used.ru_stime - cpu.ru_utime - cpu.ru_stime) / taken
    answered = account.outcomes["answered"]
    others = ", ".join(f"{count:,} {name}" for name, count in sorted(account.outcomes.items()) if name != "answered")
    figures = [
        ("requests", f"{answered:,} answered{', ' + others if others else ', no error'}"),
        ("a second", f"{answered / taken:,.1f} requests, {answered * WORDS / taken:,.0f} words"),
        ("latency", _latency(account.seconds)),
        ("memory of workers, start to end", "; ".join(" + ".join(f"{m:.0f}" for m in at) for at in memory) + " MB"),
        ("the client's own part", f"{own:.2f} cores"),
    ]
    if trouble and not server.has_workers(options.workers):
        account.broken.append("the killed worker was not replaced")
    return account, figures


def _ask(connection: Connection, account: Account, article: Article, id: str, trouble: bool) -> None:
    began = time.perf_counter()
    try:
        status, headers, body = connection.ask(article, id)
    except BrokenOffError as error:
        account.outcomes["failed cleanly"] += 1
        if not trouble:
            account.broken.append(f"request {id} was not answered: {error}")
        return
    account.seconds.append(time.perf_counter() - began)
    check(account, article, id, status, headers, body)


def _hang_up(port: int, article: Article, generator: random.Random) -> None:
    """Send a request, or the beginning of one, and go."""
    connection = Connection(port)
    data = request(article.text, "gone")
    with suppress(OSError):
        connection.send(data[: generator.randint(1, len(data))])
    connection.close()


def _send_garbage(port: int, account: Account, generator: random.Random) -> None:
    """Send what is no request, and expect to be told so, or to be hung up on."""
    head = b"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    garbage = generator.choice(
        [
            generator.randbytes(300) + b"\r\n\r\n",
            b"GET / HTTP/7\r\n\r\n",
            head + b"Content-Length: 9\r\n\r\n{not json",
            head + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
            head + b"Content-Length: -1\r\n\r\n",
        ]
    )
    connection = Connection(port)
    try:
        connection.send(garbage)
        status, _, _ = connection.receive()
    except (OSError, ValueError, LookupError):
        account.outcomes["garbage hung up on"] += 1
    else:
        account.outcomes[f"garbage told {status}"] += 1
        if not 400 <= status < 500:
            account.broken.append(f"garbage was answered {status}")
    connection.close()


def _latency(seconds: list[float]) -> str:
    if not seconds:
        return "no answer"
    median, p90, p99 = (1000 * float(value) for value in np.percentile(seconds, [50, 90, 99]))
    return f"p50 {median:.1f} ms, p90 {p90:.1f} ms, p99 {p99:.1f} ms, max {1000 * max(seconds):.1f} ms"


class _Bar:
    """A progress bar on a terminal, nothing elsewhere."""

    def __init__(self, seconds: float) -> None:
        self._bar: Any = None
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("", total=seconds)
            self._bar.start()

    def show(self, seconds: float, account: Account) -> None:
        if self._bar is not None:
            answered = account.outcomes["answered"]
            self._bar.update(self._task, completed=seconds, description=f"{answered:,} answered")

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()


if __name__ == "__main__":
    raise SystemExit(main())

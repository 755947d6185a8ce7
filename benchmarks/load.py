"""What does the service bear? Two workers, articles of 1,000 words, 50 connections for a minute, on loopback.

    python -m benchmarks.load                                  # three minutes
    python -m benchmarks.load --seconds 10 --only load         # a quick look
    python -m benchmarks.load --corpus PATH --json load.json   # labelled files or folders instead of our examples
    python -m benchmarks.load --url http://127.0.0.1:8000      # a service that runs already: no memory, nothing killed

Three phases, against an `unspun serve` that is started here:

idle     one at a time: how long until the answer where the fast tier settles it, and where the deep one is asked
load     every connection sends its next article as soon as it has an answer; one article in twenty is spun
trouble  the same, while 1 % of the requests are hung up on, 1 % are garbage, and one worker is killed half-way

Each request has an id of its own, and each answer is compared, byte for byte, with the verdict that the Python API
gives for that article. The exit status is 1 where a promise is broken: an answer is wrong, is another's, comes twice or
never, garbage does harm, or a request fails that no killed worker had in hand. Slowness alone breaks none: a 503 that
says when to come again is counted as an error, and its client waits so long; that is all.

All connections ask without pause, so that latency under load is little else than connections / requests a second.
Clients and workers share the machine, perhaps with others: how many of its cores they got is told. Memory is told and
not judged; it grows until each thread has met its largest text, and is flat from then on. Linux's /proc is needed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import random
import re
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast
from urllib.parse import urlsplit

from benchmarks.throughput import SEED, BenchmarkError, from_corpus, from_examples, progress

if TYPE_CHECKING:
    from rich.progress import Progress

    from unspun.model.verdict import Verdict

ROOT = Path(__file__).parents[1]
WORDS = 1_000
WHOLE = re.compile(rf"\s*(?:\S+\s+){{{WORDS - 1}}}\S+")
EVERY = 20
"""One article in so many is spun."""
PHASES = ("idle", "load", "trouble")
DEPTHS = ("auto", "fast", "deep")
BAD = 0.01
"""Share of the requests that are hung up on in trouble; as many are garbage."""
PATIENCE = 60.0
"""Seconds after which there will be no answer. The service gives up after 30, and waits as long for a body."""
START_SECONDS = 60.0
REPLACED_SECONDS = 20.0
SLACK_SECONDS = 1.0
"""How long after a worker is gone its connections may still be found broken."""
LATE_SECONDS = 0.2
"""How long a connection is looked at, in the end, for bytes that nobody asked for."""
DEEP_ARTICLES = 10
TOLD = 20
"""Broken promises that are told one by one."""
SAMPLES = {0.0: "start", 1 / 3: "1/3", 2 / 3: "2/3", 1.0: "end"}
"""When memory is looked at, in parts of the time."""

Sample = dict[int, dict[str, float]]
"""Memory in MB by worker, of each kind that is measured."""


@dataclass(frozen=True, slots=True)
class Article:
    """A text as JSON, with all that a request and its answer have besides the id, and the tier that decides on it."""

    asked: str
    answered: str
    tier: str
    spun: bool = False

    def request(self, id: str) -> bytes:
        """Return the whole request."""
        body = f'{{"id": "{id}", {self.asked}}}'.encode()
        return head(Content_Type="application/json", X_Request_ID=id, Content_Length=len(body)) + body

    def answer(self, id: str) -> bytes:
        """Return the only body that is right."""
        return f'{{"id": "{id}", {self.answered}\n'.encode()


@dataclass(frozen=True, slots=True)
class Plan:
    """What the clients of a phase do: each sends so many requests, or goes on for so many seconds.

    The ids of its requests begin with `name`. A share `bad` of them is hung up on, and as many are garbage.
    """

    name: str
    host: str
    port: int
    articles: Sequence[Article]
    connections: int = 1
    seconds: float = float("inf")
    requests: int | None = None
    bad: float = 0.0
    patience: float = PATIENCE


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that was not answered: the client, when it began and when it was told, by the monotonic clock."""

    client: int
    began: float
    ended: float
    reason: str


@dataclass(frozen=True, slots=True)
class Kill:
    """When a worker was killed, when it was gone, and after how many seconds another had taken its place, if any."""

    at: float
    gone: float
    replaced_after: float | None


@dataclass(slots=True)
class Tally:
    """What came of the requests of a phase. `seconds`: of those that were answered with their verdict.

    `garbage` counts, for each kind, what came of it; `wrong` says what nothing excuses.
    """

    seconds: list[float] = field(default_factory=list)
    turned_away: int = 0
    hung_up: int = 0
    garbage: dict[str, dict[str, int]] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    wall: float = 0.0
    cpu: float = 0.0

    @classmethod
    def from_json(cls, text: str) -> Tally:
        """Return what a process of clients has printed."""
        tally = cls(**json.loads(text))
        tally.failures = [Failure(**cast(dict[str, Any], failure)) for failure in tally.failures]
        return tally


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark, or be its clients; return the exit status."""
    options = _options(arguments)
    try:
        if options.child is not None:
            _child(options.child)
            return 0
        results = _measure(options)
        if options.json is not None:
            options.json.write_text(json.dumps(results, indent=2) + "\n", "utf-8")
        print(_tables(results))
    except (BenchmarkError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    broken = results["broken"]
    for line in broken[:TOLD]:
        print(f"broken: {line}", file=sys.stderr)
    if len(broken) > TOLD:
        print(f"and {len(broken) - TOLD:,} more", file=sys.stderr)
    return 1 if broken else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks.load", description=str(__doc__).split("\n\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0, metavar="S", help="load, and trouble (default: 60)")
    parser.add_argument("--connections", type=int, default=50, metavar="N", help="in both (default: 50)")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="of the service (default: 2)")
    parser.add_argument("--articles", type=int, default=60, metavar="N", help="different ones (default: 60)")
    parser.add_argument("--depth", choices=DEPTHS, default="auto", help="asked for in both (default: auto)")
    parser.add_argument("--idle-requests", type=int, default=30, metavar="N", help="of either tier (default: 30)")
    parser.add_argument("--corpus", type=Path, nargs="+", metavar="PATH", help="labelled files or folders to draw from")
    parser.add_argument("--only", choices=PHASES, nargs="+", default=PHASES, metavar="PHASE", help=", ".join(PHASES))
    parser.add_argument("--url", help="ask a service that runs already, with the model that ships")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there, too")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if min(options.connections, options.workers, options.idle_requests) < 1 or options.seconds <= 0:
        parser.error("--seconds, --connections, --workers and --idle-requests are more than 0")
    if options.articles < EVERY:
        parser.error(f"--articles is at least {EVERY}, so that one of them is spun")
    return options


# --- the articles -----------------------------------------------------------------------------------------------------


def texts(options: argparse.Namespace) -> list[tuple[str, bool]]:
    """Return different texts of WORDS words, and whether they are spun; one in EVERY is."""
    if options.corpus is None:
        drawn = from_examples(4 * options.articles)
    else:
        drawn = from_corpus(options.corpus, 40 * options.articles)
    pools = {spun: iter([text for text, is_spun in drawn if is_spun == spun]) for spun in (False, True)}
    found = []
    for i in range(options.articles):
        spun = i % EVERY == EVERY - 1
        text = ""
        while (match := WHOLE.match(text)) is None:
            more = next(pools[spun], None)
            if more is None:
                raise BenchmarkError(f"{options.corpus[0]}: too little text for {options.articles} different articles")
            text += f"{more}\n\n"
        found.append((match[0], spun))
    return found


def article(text: str, depth: str, verdict: Verdict, spun: bool = False) -> Article:
    """Return an article with the verdict that is expected; `verdict` has no id."""
    no_id = '{"id": null, '
    line = verdict.to_json()
    assert line.startswith(no_id)
    return Article(f'"depth": "{depth}", "text": {json.dumps(text)}', line.removeprefix(no_id), verdict.depth, spun)


def _articles(options: argparse.Namespace, bar: Progress) -> dict[str, list[Article]]:
    """Return the articles of each plan, with the verdicts of the model that ships."""
    from unspun.model.detector import Detector

    detector = Detector.load()
    drawn = texts(options)
    idle = "idle" in options.only
    task = bar.add_task("expected verdicts", total=len(drawn) + (DEEP_ARTICLES if idle else 0))

    def judged(asked: Iterable[tuple[str, bool]], depth: str) -> Iterator[Article]:
        for text, spun in asked:
            yield article(text, depth, detector.score(text, depth=depth), spun)
            bar.advance(task)

    found = {"load": list(judged(drawn, options.depth))}
    if idle:
        human = [one for one in drawn if not one[1]]
        auto = found["load"] if options.depth == "auto" else list(judged(human, "auto"))
        found["fast"] = [one for one in auto if one.tier == "fast" and not one.spun]
        found["deep"] = list(judged(human[:DEEP_ARTICLES], "deep"))
        if not found["fast"]:
            raise BenchmarkError("the fast tier settles none of these articles; draw from others")
    bar.remove_task(task)
    return found


# --- the clients ------------------------------------------------------------------------------------------------------


def head(request: str = "POST /v1/score", /, **headers: object) -> bytes:
    """Return the head of a request; underscores in names of headers are hyphens."""
    lines = [f"{request} HTTP/1.1", "Host: localhost"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def _body(body: bytes, **headers: object) -> bytes:
    return head(Content_Type="application/json", Content_Length=len(body), **headers) + body


_CHUNKED = head(Content_Type="application/json", Transfer_Encoding="chunked")

GARBAGE: dict[str, Callable[[random.Random], bytes]] = {
    "random bytes": lambda random: random.randbytes(300) + b"\r\n\r\n",
    "random bytes, then the end": lambda random: random.randbytes(3_000),
    "the beginning of TLS": lambda random: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    "another protocol": lambda random: b"EHLO example.org\r\n",
    "another version of HTTP": lambda random: b"GET / HTTP/7.3\r\n\r\n",
    "headers without a colon": lambda random: b"POST /v1/score HTTP/1.1\r\nno colon here\r\n\r\n",
    "a header without end": lambda random: head(X_Long="x" * 20_000),
    "a negative length": lambda random: head(Content_Length=-1),
    "two lengths": lambda random: head(Content_Length=9, content_length=90) + b"{not json",
    "a length and chunks": lambda random: head(Transfer_Encoding="chunked", Content_Length=5) + b"0\r\n\r\n",
    "chunks of no size": lambda random: _CHUNKED + b"zz\r\nabc\r\n",
    "a chunk of all sizes, then the end": lambda random: _CHUNKED + b"ffffffffffffffffffff\r\nabc\r\n",
    "half a body, then the end": lambda random: _body(b'{"text": "')[:-3],
    "no JSON": lambda random: _body(b"{not json"),
    "JSON without end": lambda random: _body(b"[" * 5_000),
    "another JSON": lambda random: _body(b'{"txt": 1}'),
    "no UTF-8": lambda random: _body(b'{"text": "' + random.randbytes(200) + b'"}'),
    "no gzip": lambda random: _body(random.randbytes(200), Content_Encoding="gzip"),
}
"""Kinds of garbage. After those that name the end, the client says that nothing more will come."""


def clients(plan: Plan) -> Tally:
    """Be all the clients of a phase, and return what came of it."""
    import gevent

    tally = Tally()
    numbers = count()
    answered: set[str] = set()
    began, used = time.monotonic(), _cpu()
    every = [gevent.spawn(Client(plan, tally, number, numbers, answered).run) for number in range(plan.connections)]
    gevent.joinall(every, raise_error=True)
    # Of the time that it takes to wait for answers to the last garbage, nothing counts.
    tally.wall = (tally.wall or time.monotonic()) - began
    tally.cpu = _cpu() - used
    return tally


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _LateError(Exception):
    pass


class _NoHttpError(Exception):
    pass


class Client:
    """One client, on one connection at a time. All clients of a phase share its tally and its numbers.

    `answered` holds the ids of all requests that have been answered.
    """

    def __init__(self, plan: Plan, tally: Tally, number: int, numbers: Iterator[int], answered: set[str]) -> None:
        self._plan = plan
        self._tally = tally
        self._number = number
        self._numbers = numbers
        self._answered = answered
        self._random = random.Random(SEED + number)
        self._socket: Any = None
        self._held = bytearray()
        self._begun = False
        """Has some of the answer that is waited for come?"""
        self._rest = 0.0
        """Seconds to wait before the next request, where the service has asked for that."""

    def run(self) -> None:
        """Send requests until the plan is done."""
        import gevent

        ends = time.monotonic() + self._plan.seconds
        sent = 0
        while time.monotonic() < ends and (self._plan.requests is None or sent < self._plan.requests):
            sent += 1
            gevent.sleep(min(self._rest, max(0.0, ends - time.monotonic())))
            self._rest = 0.0
            self._look()
            fate = self._random.random()
            if fate < self._plan.bad:
                self.hang_up()
            elif fate < 2 * self._plan.bad:
                self.send_garbage(self._random.choice(list(GARBAGE)))
            else:
                self.ask()
        gevent.sleep(LATE_SECONDS)
        self._look()
        self._close()

    def ask(self) -> None:
        """Send the next article, and enter into the tally what comes of it."""
        import gevent

        number = next(self._numbers)
        id, article = f"{self._plan.name}-{number}", self._plan.articles[number % len(self._plan.articles)]
        began = time.monotonic()
        try:
            with gevent.Timeout(self._plan.patience, _LateError):
                self._send(article.request(id))
                answer = self._receive()
        except _LateError:
            self._wrong(f"{id}: no answer within {self._plan.patience:g} seconds")
        except _NoHttpError as error:
            self._wrong(f"{id}: {error}")
        except (OSError, EOFError) as error:
            reason = "cut short" if self._begun else "closed before an answer"
            if isinstance(error, ConnectionRefusedError):
                reason = "refused"
            self._tally.failures.append(Failure(self._number, began, time.monotonic(), reason))
            self._close()
            gevent.sleep(0.1 if reason == "refused" else 0.0)
        else:
            self._tally.wall = time.monotonic()
            self._check(article, id, answer, self._tally.wall - began)

    def hang_up(self) -> None:
        """Send a request, or the beginning of one, and go without waiting for an answer."""
        id = f"{self._plan.name}-gone-{next(self._numbers)}"
        request = self._random.choice(self._plan.articles).request(id)
        whole, rude = self._random.random() < 0.5, self._random.random() < 0.5
        with suppress(OSError):
            self._send(request if whole else request[: self._random.randrange(1, len(request))])
            if rude:  # the system resets the connection
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._close()
        self._tally.hung_up += 1

    def send_garbage(self, kind: str) -> None:
        """Send what is no request: it is to be answered with a problem of the client's, or hung up on."""
        import gevent

        try:
            with gevent.Timeout(self._plan.patience, _LateError):
                self._send(GARBAGE[kind](self._random))
                if kind.endswith("the end"):
                    self._socket.shutdown(socket.SHUT_WR)
                answer = self._receive()
        except _LateError:
            came = "nothing"
            self._wrong(f"{kind}: neither an answer nor an end within {self._plan.patience:g} seconds")
        except _NoHttpError as error:
            came = "no HTTP"
            self._wrong(f"{kind}: {error}")
        except (OSError, EOFError):
            came = "closed"
        else:
            came = str(answer.status)
            if not 400 <= answer.status < 500:
                self._wrong(f"{kind}: answered {answer.status}")
            elif answer.headers.get("content-type") != "application/problem+json":
                self._wrong(f"{kind}: answered with {answer.headers.get('content-type')}, which is no problem document")
        self._close()
        counts = self._tally.garbage.setdefault(kind, {})
        counts[came] = counts.get(came, 0) + 1

    def _check(self, article: Article, id: str, answer: Answer, seconds: float) -> None:
        named = answer.headers.get("x-request-id", "nobody")
        if answer.status == 503 and answer.headers.get("retry-after", "").isdecimal():
            self._tally.turned_away += 1
            self._rest = float(answer.headers["retry-after"])
        elif named != id:
            self._wrong(f"{id}: {'a second' if named in self._answered else 'the'} answer to {named} came")
        elif answer.status != 200:
            self._wrong(f"{id}: answered {answer.status}: {answer.body[:300].decode('utf-8', 'replace').strip()}")
        elif answer.body != article.answer(id):
            self._wrong(f"{id}: another verdict than expected: {answer.body[:100].decode('utf-8', 'replace')}...")
        else:
            self._tally.seconds.append(seconds)
        self._answered.add(named)
        if answer.headers.get("connection", "").lower() == "close":
            self._look()
            self._close()

    def _wrong(self, what: str) -> None:
        """Enter what is wrong, and go on with a new connection."""
        self._tally.wrong.append(what)
        self._close()

    def _look(self) -> None:
        """Look for bytes that nobody asked for. A connection that the service has ended meanwhile is given up."""
        if self._socket is None:
            return
        waiting = select.poll()
        waiting.register(self._socket.fileno(), select.POLLIN)
        ended = False
        if waiting.poll(0):
            try:
                self._more()
            except (OSError, EOFError):
                ended = True
        if self._held:
            self._wrong(f"{len(self._held):,} bytes too many came: {bytes(self._held[:60])!r}")
        elif ended:
            self._close()

    def _send(self, data: bytes) -> None:
        from gevent.socket import create_connection

        self._begun = False
        if self._socket is None:
            self._socket = create_connection((self._plan.host, self._plan.port))
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(data)

    def _receive(self) -> Answer:
        while (end := self._held.find(b"\r\n\r\n")) < 0:
            self._more()
        first, *lines = self._held[:end].decode("latin-1").split("\r\n")
        status = re.match(r"HTTP/1\.1 (\d{3}) ", first)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if status is None or not headers.get("content-length", "").isdecimal():
            raise _NoHttpError(f"no answer of HTTP, or one without a length: {first[:100]!r}")
        del self._held[: end + 4]
        length = int(headers["content-length"])
        while len(self._held) < length:
            self._more()
        body = bytes(self._held[:length])
        del self._held[:length]
        return Answer(int(status[1]), headers, body)

    def _more(self) -> None:
        data = self._socket.recv(1 << 16)
        if not data:
            raise EOFError
        self._begun = True
        self._held += data

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._held.clear()


def _child(path: Path) -> None:
    """Be the process of the clients: say that it begins, and in the end what came of it."""
    plan = json.loads(path.read_text("utf-8"))
    plan["articles"] = [Article(**article) for article in plan["articles"]]
    import gevent.socket  # noqa: F401  before the time begins

    print("begin", flush=True)
    print(json.dumps(asdict(clients(Plan(**plan)))))


# --- the service ------------------------------------------------------------------------------------------------------


class Server:
    """`unspun serve` in processes of its own. `ready_seconds`: from its start until /readyz says yes.

    `settings` are UNSPUN_ variables without their prefix.
    """

    def __init__(self, workers: int, **settings: object) -> None:
        if not Path("/proc/self/smaps_rollup").exists():
            raise BenchmarkError("Linux's /proc is needed to watch a service; measure one that runs already with --url")
        self._count = workers
        self._settings = {f"UNSPUN_{name}": str(value) for name, value in settings.items()}
        self.host, self.port, self.ready_seconds = "127.0.0.1", 0, 0.0

    def __enter__(self) -> Self:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("UNSPUN_")}
        environment |= self._settings
        command = [sys.executable, "-m", "unspun.service.cli", "serve", "--port", "0", "--workers", str(self._count)]
        self._log = tempfile.TemporaryFile()
        started = time.monotonic()
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=self._log, start_new_session=True
        )
        try:
            self._until(lambda: self._listening() is not None, START_SECONDS)
            self.port = self._listening() or 0
            self._until(self.is_ready, START_SECONDS)
            self.ready_seconds = time.monotonic() - started
            self._until(lambda: len(self.workers()) == self._count, START_SECONDS)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)  # at once, without draining
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                with suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        self._log.close()

    def _until(self, reached: Callable[[], bool], seconds: float) -> None:
        ends = time.monotonic() + seconds
        while not reached():
            if self._process.poll() is not None or time.monotonic() > ends:
                raise BenchmarkError(f"the service does not start: {' '.join(self._lines()[-3:]) or 'it says nothing'}")
            time.sleep(0.005)

    def _lines(self) -> list[str]:
        return (
            os.pread(self._log.fileno(), os.fstat(self._log.fileno()).st_size, 0).decode("utf-8", "replace").split("\n")
        )

    def _listening(self) -> int | None:
        for line in self._lines():
            if '"listening"' in line and line.endswith("}"):
                return int(json.loads(line)["port"])
        return None

    def no_json(self) -> list[str]:
        """Return the lines of its log that are not what they are to be."""
        return [line for line in self._lines() if line.strip() and not line.startswith("{")]

    def is_ready(self) -> bool:
        """Return whether /readyz says so."""
        try:
            with urllib.request.urlopen(f"http://{self.host}:{self.port}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def workers(self) -> list[int]:
        """Return the workers' process ids, the eldest first."""
        try:
            children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        except OSError:
            return []
        return [int(child) for child in children.split()]

    def wait_until_idle(self) -> None:
        """Wait until the workers do nothing: each loads the deep tier when it begins."""
        used, quiet = self.cpu(), 0
        for _ in range(100):
            time.sleep(0.1)
            before, used = used, self.cpu()
            quiet = quiet + 1 if used - before < 0.02 else 0
            if quiet == 5:
                return

    def cpu(self) -> float:
        """Return the seconds of CPU time that the workers of now have taken."""
        ticks = 0
        for worker in self.workers():
            with suppress(OSError):
                ticks += sum(int(part) for part in _stat(worker)[11:13])
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory(self) -> Sample:
        """Return the memory of each worker: resident, its share of it, and what no file holds."""
        kinds = {"Rss": "rss", "Pss": "pss", "Anonymous": "anonymous"}
        found: Sample = {}
        for worker in self.workers():
            with suppress(OSError):
                lines = Path(f"/proc/{worker}/smaps_rollup").read_text().splitlines()
                fields = (line.split() for line in lines if line.endswith(" kB"))
                sizes = {kinds[name[:-1]]: int(size) / 1024 for name, size, _ in fields if name[:-1] in kinds}
                if sizes:
                    found[worker] = sizes
        return found

    def kill_a_worker(self) -> Kill:
        """Kill one without warning, and wait for another."""
        before = set(self.workers())
        worker = min(before)
        killed = time.monotonic()
        os.kill(worker, signal.SIGKILL)
        while _is_there(worker):
            time.sleep(0.001)
        gone = time.monotonic()
        while time.monotonic() < gone + REPLACED_SECONDS:
            if len(set(self.workers()) - {worker}) >= self._count:
                return Kill(killed, gone, time.monotonic() - killed)
            time.sleep(0.005)
        return Kill(killed, gone, None)


def _stat(process: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on; before it is a name that may hold anything."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()


def _is_there(process: int) -> bool:
    try:
        return _stat(process)[0] not in "ZX"
    except OSError:
        return False


@dataclass(frozen=True, slots=True)
class Running:
    """A service that somebody else has started."""

    host: str
    port: int


def running(url: str) -> Running:
    """Return the service at a URL. Raises BenchmarkError where it has another model than the one that ships."""
    from unspun.model import bundle

    parts = urlsplit(url if "//" in url else f"//{url}")
    if parts.hostname is None or parts.scheme not in ("", "http"):
        raise BenchmarkError(f"{url}: give it as http://HOST:PORT")
    there = Running(parts.hostname, parts.port or 80)
    host = f"[{there.host}]" if ":" in there.host else there.host
    try:
        with urllib.request.urlopen(f"http://{host}:{there.port}/v1/model", timeout=10) as answer:
            digest = json.load(answer)["model"]["sha256"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise BenchmarkError(f"{url}: no service of unspun's answers there: {error}") from error
    if digest != hashlib.sha256((bundle.DEFAULT / bundle.MANIFEST).read_bytes()).hexdigest():
        raise BenchmarkError(f"{url}: another model than the one that ships answers there, with other verdicts")
    return there


# --- the phases -------------------------------------------------------------------------------------------------------


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run the phases, and return all figures and the promises that were broken."""
    results: dict[str, Any] = {
        "options": {name: getattr(options, name) for name in ("seconds", "connections", "depth", "articles", "url")},
        "corpus": None if options.corpus is None else [str(path) for path in options.corpus],
        "machine": {"platform": platform.platform(), "python": platform.python_version(), "cores": os.cpu_count()},
        "broken": [],
    }
    with progress() as bar:
        there = None if options.url is None else running(options.url)
        articles = _articles(options, bar)  # before the service starts, which is not to share the cores with that
        with Server(options.workers) if there is None else nullcontext() as server:
            where = there or server
            assert where is not None
            if server is not None:
                results |= {"workers": options.workers, "ready_seconds": server.ready_seconds}
                server.wait_until_idle()
            if "idle" in options.only:
                results["idle"] = {}
                for tier in ("fast", "deep"):
                    plan = Plan(f"idle-{tier}", where.host, where.port, articles[tier], requests=options.idle_requests)
                    results["idle"][tier] = _run(plan, server, bar, results["broken"])
            for phase in ("load", "trouble"):
                if phase in options.only:
                    trouble = phase == "trouble"
                    plan = Plan(
                        phase,
                        where.host,
                        where.port,
                        articles["load"],
                        connections=options.connections,
                        seconds=options.seconds,
                        bad=BAD if trouble else 0.0,
                    )
                    results[phase] = _run(plan, server, bar, results["broken"], kill=trouble and server is not None)
            if server is not None:
                results["broken"] += [f"a line of its log that is no JSON: {line[:200]}" for line in server.no_json()]
                if not server.is_ready():
                    results["broken"].append("in the end the service is not ready any more")
    return results


def _run(plan: Plan, server: Server | None, bar: Progress, broken: list[str], *, kill: bool = False) -> dict[str, Any]:
    """Run a phase, watch the workers meanwhile, and return its figures; what promises it broke is added to `broken`."""
    timed = plan.requests is None
    task = bar.add_task(plan.name, total=round(plan.seconds) if timed else None)
    samples: dict[str, Sample] = {}
    killed: Kill | None = None
    used = 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plan.json"
        path.write_text(json.dumps(asdict(plan)), "utf-8")
        command = [sys.executable, "-m", "benchmarks.load", "--child", str(path)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                process.stdout.readline()
                if timed:
                    began, used = time.monotonic(), _taken(server)
                    for share, what in sorted([*SAMPLES.items(), *([(0.5, "kill")] if kill else [])]):
                        _wait(began, share * plan.seconds, bar, task)
                        if what != "kill":
                            samples[what] = {} if server is None else server.memory()
                        elif server is not None:
                            killed = server.kill_a_worker()
                    used = _taken(server) - used
                told, _ = process.communicate(timeout=plan.patience + 60 if timed else None)
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            raise BenchmarkError(f"{plan.name}: the clients ended with exit status {process.returncode}")
    bar.remove_task(task)
    tally = Tally.from_json(told)
    broken += [f"{plan.name}: {line}" for line in broken_promises(tally, killed)]
    figures = summarise(tally)
    if server is not None and timed:
        # What a killed worker took is not known any more.
        figures |= {"memory": samples, "worker_cores": None if kill else used / plan.seconds}
    if killed is not None:
        figures["replaced_seconds"] = killed.replaced_after
    return figures


def _taken(server: Server | None) -> float:
    return 0.0 if server is None else server.cpu()


def _wait(began: float, seconds: float, bar: Progress, task: Any) -> None:
    """Wait until so many seconds after the beginning."""
    while (left := began + seconds - time.monotonic()) > 0:
        time.sleep(min(left, 0.5))
        bar.update(task, completed=round(time.monotonic() - began))


def broken_promises(tally: Tally, killed: Kill | None = None) -> list[str]:
    """Return what was not to happen.

    The requests that a killed worker has in hand may fail: none that were over before or began after, and of no client
    two.
    """
    broken = list(tally.wrong)
    failed: Counter[int] = Counter()
    for failure in tally.failures:
        if killed is None or failure.ended < killed.at or failure.began > killed.gone + SLACK_SECONDS:
            broken.append(f"a request failed though its worker lived: {failure.reason}")
        else:
            failed[failure.client] += 1
    broken += [
        f"client {client} lost {times} requests to one killed worker" for client, times in failed.items() if times > 1
    ]
    if killed is not None and killed.replaced_after is None:
        broken.append(f"the killed worker was not replaced within {REPLACED_SECONDS:g} seconds")
    if not tally.seconds:
        broken.append("no request at all was answered")
    return broken


def summarise(tally: Tally) -> dict[str, Any]:
    """Return the figures of a phase; latencies in milliseconds."""
    import numpy as np

    answered = len(tally.seconds)
    shares = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "max": 100.0}
    latency = np.percentile(tally.seconds, list(shares.values())) * 1000 if answered else [None] * len(shares)
    return {
        "answered": answered,
        "wrong": len(tally.wrong),
        "turned_away": tally.turned_away,
        "failed": dict(Counter(failure.reason for failure in tally.failures)),
        "hung_up": tally.hung_up,
        "garbage": dict(sorted(tally.garbage.items())),
        "seconds": tally.wall,
        "requests_per_second": answered / tally.wall if tally.wall else 0.0,
        "words_per_second": answered * WORDS / tally.wall if tally.wall else 0.0,
        "latency": {name: None if value is None else float(value) for name, value in zip(shares, latency, strict=True)},
        "client_cores": tally.cpu / tally.wall if tally.wall else 0.0,
    }


# --- the table --------------------------------------------------------------------------------------------------------

TIERS = {"fast": ("the fast tier settles it", "25"), "deep": ("the deep tier is asked", "500")}
"""How they are called, and in how many milliseconds an answer is promised."""


def _tables(results: dict[str, Any]) -> str:
    from unspun.service.render.evaluation import draw, plain_console
    from unspun.training.reporting.tables import tables

    options = results["options"]
    shown: dict[str, Any] = {}
    if "ready_seconds" in results:
        shown["start"] = {"rows": [{"ready after, s": f"{results['ready_seconds']:.2f}", "promised": "3"}]}
    if "idle" in results:
        rows = [
            {"": TIERS[tier][0], "requests": own["answered"], **_latency(own), "promised p50": TIERS[tier][1]}
            for tier, own in results["idle"].items()
        ]
        shown["one request at a time, milliseconds"] = {"rows": rows}
    phases = [phase for phase in ("load", "trouble") if phase in results]
    if phases:
        workers = f"workers: {results['workers']}, " if "workers" in results else ""
        note = (
            f"{workers}connections: {options['connections']}, {options['seconds']:g} seconds, "
            f"depth {options['depth']}, articles of {WORDS:,} words. Latency in milliseconds."
        )
        columns = {phase: _figures(results[phase]) for phase in phases}
        names = dict.fromkeys(name for column in columns.values() for name in column)
        rows = [{"": name, **{phase: column.get(name, "-") for phase, column in columns.items()}} for name in names]
        shown["all connections at once"] = {"note": note, "rows": rows}
    if memory := [row for phase in phases for row in _memory(phase, results[phase].get("memory", {}))]:
        note = "Resident, and in brackets without what files hold. In trouble a worker is killed, and another comes."
        shown["memory of the workers, MB"] = {"note": note, "rows": memory}
    if "trouble" in results and results["trouble"]["garbage"]:
        rows = [{"": kind, **came} for kind, came in results["trouble"]["garbage"].items()]
        shown["what garbage was told"] = {"rows": rows}
    drawn = draw(tables(shown), plain_console()).rstrip("\n")
    broken = len(results["broken"])
    return f"{drawn}\n\n{f'Broken promises: {broken:,}' if broken else 'Every promise was kept.'}"


def _latency(own: dict[str, Any]) -> dict[str, str]:
    return {name: "-" if value is None else f"{value:,.1f}" for name, value in own["latency"].items()}


def _figures(own: dict[str, Any]) -> dict[str, str]:
    figures = {
        "answered": f"{own['answered']:,}",
        "wrong or without end": f"{own['wrong']:,}",
        "told to come again (503)": f"{own['turned_away']:,}",
        "closed before the answer": f"{sum(own['failed'].values()):,}",
        "requests/s": f"{own['requests_per_second']:,.1f}",
        "words/s": f"{own['words_per_second']:,.0f}",
        **_latency(own),
        "cores that the clients took": f"{own['client_cores']:.2f}",
    }
    if own.get("worker_cores") is not None:
        figures["cores that the workers took"] = f"{own['worker_cores']:.2f}"
    if own["hung_up"]:
        figures["hung up on"] = f"{own['hung_up']:,}"
    if own["garbage"]:
        figures["garbage"] = f"{sum(sum(came.values()) for came in own['garbage'].values()):,}"
    if own.get("replaced_seconds") is not None:
        figures["killed worker replaced after, s"] = f"{own['replaced_seconds']:.2f}"
    return figures


def _memory(phase: str, samples: dict[str, Sample]) -> Iterator[dict[str, Any]]:
    """Yield a row for each worker."""
    for worker in dict.fromkeys(worker for sample in samples.values() for worker in sample):
        row: dict[str, Any] = {"": phase, "worker": str(worker)}
        for name in SAMPLES.values():
            sizes = samples.get(name, {}).get(worker)
            row[name] = "-" if sizes is None else f"{sizes['rss']:.0f} ({sizes['anonymous']:.0f})"
        row["grown since 1/3"] = _grown(samples, worker)
        yield row


def _grown(samples: dict[str, Sample], worker: int) -> str:
    early, late = (samples.get(name, {}).get(worker) for name in ("1/3", "end"))
    if early is None or late is None:
        return "-"
    return f"{late['rss'] - early['rss']:+.1f} ({late['anonymous'] - early['anonymous']:+.1f})"


if __name__ == "__main__":
    sys.exit(main())

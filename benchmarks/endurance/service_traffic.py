"""Mixed traffic against a service, from well-behaved clients and from bad ones, with every answer checked.

Requests are sent at a steady rate, whether or not earlier ones have been answered, so that a service that stops for a
moment cannot hide the requests that waited meanwhile.
"""

from __future__ import annotations

import http.client
import json
import random
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from urllib3 import encode_multipart_formdata

from benchmarks.endurance.service_answers import SHORT, Judged, RightAnswers
from unspun.service.client import Client, UnspunError

CLIENTS = 96
"""Most requests at a time."""
PATIENCE = 90.0
"""Seconds without a byte after which a request counts as not answered."""
BATCH = 4
"""Texts of a batch, and lines of a stream."""
GREEDY, GREEDY_TEXTS = "greedy", 300
"""The API key that exceeds the rate limit, and the texts of each of its requests."""
READERS = tuple(f"reader-{i}" for i in range(10))
"""The API keys of all others, in turn."""
DRIP_SECONDS = 4.0
"""How long a slow client takes to send a request, or to read an answer."""
KINDS = {
    "single": 36,
    "batch": 8,
    "stream": 8,
    "page": 8,
    "compare": 8,
    "upload": 8,
    "feedback": 8,
    "python client": 4,
    "operations": 4,
    "dripping": 3,
    "slow reader": 2,
    "vanishing": 4,
    "silent": 1,
    "greedy": 3,
}
"""The kinds of requests, and how often each is sent in relation to the others."""
PROMPT = ("single", "batch", "page", "compare", "upload", "feedback")
"""The kinds whose latency depends on the service alone."""
BUSY = {"overloaded", "out-of-time", "unavailable"}
"""Problems with status 503 that the documentation announces for every request."""
PAGE = "a page for people"
"""The reason of a 503 of which only the page's text says more."""
LOST = (ConnectionError, http.client.HTTPException)
JSON, LINES = "application/json", "application/x-ndjson"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response that arrived completely."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, which is JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one HTTP request, with times by the monotonic clock.

    `due` is when it should have been sent, `began` when it was. `result` is one of the following; `problem` says
    what is wrong, or which problem a 503 or a 429 names.

    - `right`: the right answer
    - `busy`: the documented 503, and `limited`: the documented 429, with Retry-After
    - `cut`: the connection was lost; `status` is None
    - `left`: the client hung up, as it meant to
    - `wrong`: anything else
    """

    id: str
    kind: str
    due: float
    began: float
    ended: float
    result: str
    status: int | None = None
    problem: str | None = None
    models: tuple[str, ...] = ()
    texts: int = 0

    @property
    def seconds(self) -> float:
        """The time that a user waited."""
        return self.ended - self.due


@dataclass(slots=True)
class Ledger:
    """What the answers promise about the labels in the database: by id, and by comment for those without an id."""

    kept: dict[str, str] = field(default_factory=dict)
    """Labels that were stored, and their comments."""
    deleted: set[str] = field(default_factory=set)
    """Labels that were deleted."""
    unsure: set[str] = field(default_factory=set)
    """Labels whose deletion failed."""
    refused: set[str] = field(default_factory=set)
    """Comments of labels that were refused with a 503."""
    unanswered: set[str] = field(default_factory=set)
    """Comments of labels that got no answer."""


class Traffic:
    """Sends requests from threads until the block ends.

    `keys` are the API keys by name, and `seed` decides the kinds of requests. `timeout` is the service's time limit.
    `with_labels` says whether labels are sent.
    """

    def __init__(
        self,
        port: int,
        right: RightAnswers,
        keys: Mapping[str, str],
        *,
        rate: float,
        seed: int,
        timeout: float,
        with_labels: bool = True,
    ) -> None:
        self.outcomes: list[Outcome] = []
        self.ledger = Ledger()
        self.late = 0.0
        """Seconds by which the latest request was sent after it was due."""
        self._port = port
        self._right = right
        self._keys = keys
        self._rate = rate
        self._seed = seed
        self._timeout = timeout
        self._kinds = [kind for kind in KINDS if kind != "feedback" or with_labels]
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self._client = Client(f"http://127.0.0.1:{port}", api_key=keys[READERS[0]])
        self._counted = 0.0

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()
        self._client.close()

    def _send(self) -> None:
        began = time.monotonic()
        weights = [KINDS[kind] for kind in self._kinds]
        with ThreadPoolExecutor(CLIENTS) as pool:
            number = 0
            while not self._ends.is_set():
                due = began + number / self._rate
                if self._ends.wait(max(0.0, due - time.monotonic())):
                    break
                [kind] = random.Random(f"{self._seed} {number}").choices(self._kinds, weights)
                pool.submit(self._guarded, _Request(self, number, kind, due))
                number += 1

    def _guarded(self, request: _Request) -> None:
        try:
            getattr(self, f"_{request.kind.replace(' ', '_')}")(request)
        except Exception as error:  # of the harness itself; it must not go unnoticed
            request.note("wrong", problem=f"{type(error).__name__}: {error}")

    # --- well-behaved clients

    def _single(self, request: _Request) -> None:
        text = request.text
        body = {"id": request.id, "text": self._right.texts[text]}
        request.ask("POST", "/v1/score", body, lambda answer: self._verdict(answer, request.id, text))

    def _batch(self, request: _Request) -> None:
        ids = [f"{request.id}-{i}" for i in range(BATCH)]
        texts = [(request.text + i) % len(self._right.texts) for i in range(BATCH)]
        items: list[dict[str, Any]] = [
            {"id": id, "text": self._right.texts[text]} for id, text in zip(ids, texts, strict=True)
        ]
        items.insert(1, {"id": "wrong", "text": 1})

        def judge(answer: Answer) -> Judged:
            lines = answer.body.decode().removeprefix("[").removesuffix("]\n").split(",\n")
            problem = json.loads(lines.pop(1))
            if problem.get("status") != 422 or len(lines) != BATCH:
                return "", "not an answer for each item of the batch"
            return self._all(lines, ids, texts)

        request.ask("POST", "/v1/score/batch", items, judge, texts=BATCH)

    def _page(self, request: _Request) -> None:
        text = request.text
        request.ask_form("/", {"text": self._right.texts[text]}, lambda answer: self._of_page(answer, text))

    def _compare(self, request: _Request) -> None:
        pair = request.number % len(self._right.pairs)
        suspect, source = self._right.pairs[pair]
        body = {"suspect": suspect, "source": source}
        request.ask(
            "POST", "/v1/compare", body, lambda answer: self._right.comparison(answer.body.decode(), pair), texts=2
        )

    def _upload(self, request: _Request) -> None:
        file = request.number % len(self._right.files)
        fields: dict[str, Any] = {"file": self._right.files[file]}
        request.ask_form("/v1/score/upload", fields, lambda answer: self._right.of_file(answer.json, file), texts=3)

    def _feedback(self, request: _Request) -> None:
        """Add a label, read it, and delete every other one."""
        text, comment, ledger = request.text, request.id, self.ledger
        body = {"text": self._right.texts[text], "label": "human", "consent": True, "comment": comment}
        answer = request.ask(
            "POST",
            "/v1/feedback",
            body,
            lambda answer: self._right.label(answer.json, text, comment),
            fine=(200, 201),
            busy=("not-stored",),
        )
        if answer is None or answer.status >= 500:
            # If the database hangs while it commits, nobody can know whether the label is stored.
            unknown = answer is None or "probably" in str(answer.json.get("detail"))
            (ledger.unanswered if unknown else ledger.refused).add(comment)
            return
        if answer.status not in (200, 201):
            return
        label = answer.json
        path = f"/v1/feedback/{label['id']}"
        ledger.kept[label["id"]] = comment

        def same(answer: Answer) -> Judged:
            return "", None if answer.json == label else "not the label that was stored"

        request.next("GET", path, same, busy=("not-stored",))
        if request.number % 2:
            del ledger.kept[label["id"]]
            ledger.unsure.add(label["id"])
            done = request.next("DELETE", path, lambda _: ("", None), fine=(204,), busy=("not-stored",))
            if done is not None and done.status == 204:
                ledger.unsure.discard(label["id"])
                ledger.deleted.add(label["id"])
                request.next("GET", path, lambda _: ("", None), fine=(404,), busy=("not-stored",))

    def _stream(self, request: _Request) -> None:
        """Send lines with pauses; each is answered before the next is sent."""
        texts = [(request.text + i) % len(self._right.texts) for i in range(BATCH)]
        with socket.create_connection(("127.0.0.1", self._port), timeout=PATIENCE) as connection:
            request.began = time.monotonic()
            headers = {"Content-Type": LINES, "Transfer-Encoding": "chunked", **request.headers}
            try:
                connection.sendall(_head("/v1/score/stream", headers))
                response: http.client.HTTPResponse | None = None
                for i, text in enumerate(texts):
                    began, id = time.monotonic(), f"{request.id}-{i}"
                    line = json.dumps({"id": id, "text": self._right.texts[text]}).encode() + b"\n"
                    connection.sendall(_chunk(line))
                    if response is None:
                        response = http.client.HTTPResponse(connection)
                        response.begin()
                    found = response.readline()
                    if not found:
                        raise http.client.IncompleteRead(b"")
                    answer = Answer(response.status, dict(response.getheaders()), found)
                    if i:
                        request.began = request.due = began
                    request.judge(answer, lambda answer: self._verdict(answer, id, text))  # noqa: B023
                    time.sleep(0.05)
                connection.sendall(_chunk(b""))
                assert response is not None
                response.read()
            except LOST as error:
                request.note("cut", problem=type(error).__name__)

    def _python_client(self, request: _Request) -> None:
        """Use the Python client, which keeps its connections and tries again, so it must never fail."""
        text = request.text
        try:
            verdict = self._client.score(self._right.texts[text], id=request.id)
        except UnspunError as error:
            request.note("wrong", problem=f"the Python client gave up: {error}")
        else:
            model, problem = self._right.verdict(verdict.to_json(), request.id, text)
            request.note("wrong" if problem else "right", 200, problem, (model,), texts=1)

    def _operations(self, request: _Request) -> None:
        """Read what operators and browsers read. A model that is named is checked like any other."""
        path = ("/readyz", "/v1/model", "/metrics", "/healthz", "/", "/v1/docs", "/compare")[request.number % 7]
        counted = self._counted

        def judge(answer: Answer) -> Judged:
            if path in ("/readyz", "/v1/model"):
                return str(answer.json["model"]["sha256"]), None
            if path == "/metrics":
                found = _requests_in(answer.body.decode())
                self._counted = max(self._counted, found)
                return "", f"/metrics fell from {counted:g} requests to {found:g}" if found < counted else None
            return "", None

        request.ask("GET", path, None, judge)

    def _greedy(self, request: _Request) -> None:
        """Exceed the rate limit."""
        request.key = self._keys[GREEDY]
        request.ask(
            "POST",
            "/v1/score/batch",
            [{"text": SHORT}] * GREEDY_TEXTS,
            lambda answer: self._right.short(answer.json, GREEDY_TEXTS),
            texts=GREEDY_TEXTS,
            may_be_limited=True,
        )

    # --- bad clients

    def _dripping(self, request: _Request) -> None:
        """Send a body in small pieces, but in time."""
        text = request.text
        body = json.dumps({"id": request.id, "text": self._right.texts[text]}).encode()

        def drip() -> Iterator[bytes]:
            pieces = 20
            size = len(body) // pieces + 1
            for start in range(0, len(body), size):
                yield body[start : start + size]
                time.sleep(DRIP_SECONDS / pieces)

        request.headers.update({"Content-Type": JSON, "Content-Length": str(len(body))})
        request.ask("POST", "/v1/score", drip(), lambda answer: self._verdict(answer, request.id, text))

    def _slow_reader(self, request: _Request) -> None:
        """Read a long answer in small pieces."""
        text = request.text
        request.ask_form(
            "/", {"text": self._right.texts[text]}, lambda answer: self._of_page(answer, text), slowly=True
        )

    def _vanishing(self, request: _Request) -> None:
        """Hang up in the middle of the headers or the body, before the answer, or during a stream."""
        body = json.dumps({"id": request.id, "text": self._right.texts[request.text]}).encode() + b"\n"
        head = _head("/v1/score", {"Content-Type": JSON, "Content-Length": str(len(body)), **request.headers})
        chunked = {"Content-Type": LINES, "Transfer-Encoding": "chunked", **request.headers}
        sent = (
            head[: len(head) // 2],
            head + body[: len(body) // 2],
            head + body,
            _head("/v1/score/stream", chunked) + _chunk(body) + _chunk(body)[:50],
        )[request.number % 4]
        with socket.create_connection(("127.0.0.1", self._port), timeout=PATIENCE) as connection:
            request.began = time.monotonic()
            connection.sendall(sent)
            time.sleep(0.02)
        request.note("left")

    def _silent(self, request: _Request) -> None:
        """Send half of a body and wait for the service to give up."""
        request.headers["Content-Length"] = "1000"
        with socket.create_connection(("127.0.0.1", self._port), timeout=self._timeout + PATIENCE) as connection:
            request.began = time.monotonic()
            try:
                connection.sendall(_head("/v1/score", {"Content-Type": JSON, **request.headers}) + b'{"text": "')
                response = http.client.HTTPResponse(connection)
                response.begin()
                answer = Answer(response.status, dict(response.getheaders()), response.read())
            except LOST as error:
                request.note("cut", problem=type(error).__name__)
            else:
                request.judge(answer, lambda _: ("", None), fine=(408,))

    # --- answers

    def _verdict(self, answer: Answer, id: str, text: int) -> Judged:
        return self._right.verdict(answer.body.decode().removesuffix("\n"), id, text)

    def _of_page(self, answer: Answer, text: int) -> Judged:
        return self._right.page(answer.body.decode(), text)

    def _all(self, lines: Sequence[str], ids: Sequence[str], texts: Sequence[int]) -> Judged:
        """Judge verdicts that must all come from the same model."""
        judged = [self._right.verdict(*one) for one in zip(lines, ids, texts, strict=True)]
        models = {model for model, _ in judged}
        problems = [problem for _, problem in judged if problem]
        if len(models) > 1:
            problems.append(f"a batch answered by {len(models)} models")
        return min(models), problems[0] if problems else None


class _Request:
    """A request that is being sent; `number` is its place in the traffic."""

    def __init__(self, traffic: Traffic, number: int, kind: str, due: float) -> None:
        self.number = number
        self.kind = kind
        self.due = due
        self.began = time.monotonic()
        self.id = f"request-{number}"
        self.key = traffic._keys[READERS[number % len(READERS)]]
        self.text = number % len(traffic._right.texts)
        self._traffic = traffic
        self._more: dict[str, str] = {}
        traffic.late = max(traffic.late, self.began - due)

    @property
    def headers(self) -> dict[str, str]:
        """Headers of every request; what is added here stays."""
        self._more |= {"X-Request-ID": self.id, "Authorization": f"Bearer {self.key}"}
        return self._more

    def note(
        self,
        result: str,
        status: int | None = None,
        problem: str | None = None,
        models: Sequence[str] = (),
        texts: int = 0,
    ) -> None:
        """Keep the outcome."""
        named = tuple(filter(None, models))
        ended = time.monotonic()
        self._traffic.outcomes.append(
            Outcome(self.id, self.kind, self.due, self.began, ended, result, status, problem, named, texts)
        )

    def ask_form(
        self, path: str, fields: Mapping[str, Any], judge: Callable[[Answer], Judged], *, texts: int = 1, **how: Any
    ) -> Answer | None:
        """Send a form, as the page does."""
        body, kind = encode_multipart_formdata(dict(fields))
        # The page sends the key in a field; a program may also send it in a header.
        self.headers["Content-Type"] = kind
        return self.ask("POST", path, body, judge, texts=texts, **how)

    def next(self, method: str, path: str, judge: Callable[[Answer], Judged], **how: Any) -> Answer | None:
        """Send another request after the first one was answered."""
        self.due = time.monotonic()
        self.id += "-next"
        return self.ask(method, path, None, judge, **how)

    def ask(
        self,
        method: str,
        path: str,
        body: Any,
        judge: Callable[[Answer], Judged],
        *,
        fine: Iterable[int] = (200,),
        busy: Iterable[str] = (),
        texts: int = 1,
        may_be_limited: bool = False,
        slowly: bool = False,
    ) -> Answer | None:
        """Send a request, judge its answer, and return that, None if there is none.

        `fine` are the statuses of right answers, and `busy` further problems that a 503 may name.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self._traffic._port, timeout=PATIENCE)
        headers = dict(self.headers)
        if isinstance(body, dict | list):
            body, headers["Content-Type"] = json.dumps(body).encode(), JSON
        try:
            self.began = time.monotonic()
            connection.connect()
            if slowly:
                connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            content = _read_slowly(response) if slowly else response.read()
            answer = Answer(response.status, dict(response.getheaders()), content)
        except LOST as error:
            self.note("wrong" if isinstance(error, ConnectionRefusedError) else "cut", problem=type(error).__name__)
            return None
        except TimeoutError:
            self.note("wrong", problem=f"no answer within {PATIENCE:g} seconds")
            return None
        finally:
            connection.close()
        self.judge(answer, judge, fine=fine, busy=busy, texts=texts, may_be_limited=may_be_limited)
        return answer

    def judge(
        self,
        answer: Answer,
        judge: Callable[[Answer], Judged],
        *,
        fine: Iterable[int] = (200,),
        busy: Iterable[str] = (),
        texts: int = 1,
        may_be_limited: bool = False,
    ) -> None:
        """Judge an answer and keep the outcome."""
        model, problem, reason = "", None, None
        result = "right"
        limited = may_be_limited and answer.status == 429
        # A request that is not complete has no id, and a stream has one for all lines.
        if self.kind != "silent" and answer.headers.get("X-Request-ID") != self.id:
            problem = "the answer to another request"
        elif answer.status == 503 or limited:
            result = "limited" if limited else "busy"
            reason = _reason(answer)
            if reason not in ({"rate-limited"} if limited else {*BUSY, *busy, PAGE}):
                problem = f"status {answer.status}: {reason}"
        elif answer.status not in fine:
            problem = f"status {answer.status}: {answer.body[:300].decode(errors='replace').strip()}"
        else:
            try:
                model, problem = judge(answer)
            except (ValueError, LookupError, TypeError) as error:
                problem = f"an answer of another form ({type(error).__name__}): {answer.body[:300]!r}"
                if b'"status": 503' in answer.body and b'"retry_after"' in answer.body:  # of a line or an item
                    result, reason, problem = "busy", "within the answer", None
        self.note("wrong" if problem else result, answer.status, problem or reason, (model,), texts)


def _reason(answer: Answer) -> str:
    """Return the name of the problem in an answer of 503 or 429."""
    if not answer.headers.get("Retry-After", "").isdecimal():
        return "without Retry-After"
    if answer.headers.get("Content-Type", "").startswith("text/html"):
        return PAGE
    return str(answer.json["type"]).rpartition(":")[2]


def _requests_in(metrics: str) -> float:
    """Return the number of requests that the metrics count."""
    lines = metrics.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("unspun_requests_total"))


def _read_slowly(response: http.client.HTTPResponse) -> bytes:
    parts = []
    while part := response.read(4096):
        parts.append(part)
        time.sleep(DRIP_SECONDS / 25)
    return b"".join(parts)


def _head(path: str, headers: Mapping[str, str]) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)

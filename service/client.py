"""A client of the scoring service.

    with Client("http://127.0.0.1:8000") as client:
        verdict = client.score(text)

Verdicts are the same objects that the Python API gives, and their `to_json()` the same bytes. Requests are sent again,
ever later, where the service asks for patience (429, 503) or a connection breaks before an answer: scoring has no side
effects, so nothing happens twice.
"""

from __future__ import annotations

import functools
import http.client
import io
import json
import os
import queue
import random
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NoReturn, Self
from urllib.parse import quote

import urllib3
from urllib3.util import parse_url, wait_for_read, wait_for_write

from unspun.model.comparing.comparison import Comparison
from unspun.model.verdict import Verdict

PATIENT = (429, 503)
"""Statuses that ask for the same again, later."""
DIVISIBLE = (400, 413)
"""Statuses of a whole batch that one item may be to blame for, or the number of items."""
MAX_WAIT = 60.0
"""Seconds, at most, between two tries, whatever the service asks for."""
BATCH_ITEMS, BATCH_BYTES = 100, 2_000_000
"""A batch is sent at either."""
AHEAD = 4
"""Lines of a stream that are made before they can be sent."""
HEARTBEAT = 1.0
"""Seconds after which a stream that has nothing to send sends an empty line: the service cuts off who is silent."""
GLANCE = 1.0
"""Seconds after which what waits for the other side looks whether it still should."""
NDJSON = "application/x-ndjson"


class UnspunError(Exception):
    """The service gave no verdict; the message says why and what to do, and never quotes a text."""


class ServiceUnreachableError(UnspunError):
    """There is no connection to the service, or it broke off."""


class ProblemError(UnspunError):
    """The service answered with a problem document."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.status} {problem.title}: {problem.detail}")
        self.problem = problem

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.problem.status


@dataclass(frozen=True)
class Problem:
    """A problem document (RFC 9457), as the service sent it. `document` is all of it."""

    status: int
    title: str
    detail: str
    document: Mapping[str, Any]

    @property
    def type(self) -> str:
        """Its kind, such as urn:unspun:problem:too-many-words."""
        return str(self.document.get("type", "about:blank"))

    @property
    def request_id(self) -> str | None:
        """The id under which the service's log has the request."""
        instance = self.document.get("instance")
        return None if instance is None else str(instance).removeprefix("urn:unspun:request:")

    @property
    def errors(self) -> list[dict[str, str]]:
        """What is wrong with which field."""
        return list(self.document.get("errors") or ())

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait before another try."""
        seconds = self.document.get("retry_after")
        return float(seconds) if isinstance(seconds, int | float) else None

    def to_json(self) -> str:
        """Return the document as one line of JSON."""
        return json.dumps(self.document, ensure_ascii=False)


Submission = str | Mapping[str, Any]
"""A text, or an object as the API reads it: `text`, and `id`, `evidence`, `depth`, `base_rate` if wanted."""


class Client:
    """Asks one service. Threads may share it.

    `url` and `api_key` default to the environment variables UNSPUN_URL and UNSPUN_API_KEY. `timeout` is seconds of
    waiting for a connection, or for the next bytes of an answer; what takes longer is not asked again. `retries` is how
    often the same is asked again.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        api_key: str | None = None,
        timeout: float = 60.0,
        retries: int = 5,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if retries < 0:
            raise ValueError(f"retries={retries}: it is 0 or more")
        self.url = _address(url or os.environ.get("UNSPUN_URL") or "http://127.0.0.1:8000")
        self._headers = _authorization(api_key or os.environ.get("UNSPUN_API_KEY") or "")
        self._timeout = timeout
        self._retries = retries
        self._sleep = sleep
        self._pool = urllib3.PoolManager(timeout=urllib3.Timeout(timeout), retries=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()

    def score(
        self,
        text: str,
        *,
        id: str | int | None = None,
        evidence: bool = True,
        depth: str = "auto",
        base_rate: float | None = None,
    ) -> Verdict:
        """Judge one text. Raises ProblemError and ServiceUnreachableError.

        `base_rate` is the share of paraphrased texts among those that you ask about: with it, the verdict has a
        `probability`.
        """
        body = _full({"text": text, "id": id}, _options(evidence, depth, base_rate))
        return verdict_from_dict(self._ask("POST", "/v1/score", body))

    def score_many(
        self,
        submissions: Iterable[Submission],
        *,
        evidence: bool = True,
        depth: str = "auto",
        base_rate: float | None = None,
    ) -> Iterator[Verdict | Problem]:
        """Judge texts in batches; yield the verdict or the problem of each, in order.

        Texts that the service is too busy for are sent again, and a batch that is too large in smaller ones. Raises
        ProblemError where the service refuses whatever is sent, such as without a key, and ServiceUnreachableError.
        """
        for batch in _batches(_lines(submissions, _options(evidence, depth, base_rate))):
            yield from self._score_batch(batch)

    def _score_batch(self, batch: list[bytes]) -> list[Verdict | Problem]:
        answers: list[Verdict | Problem | None] = [None] * len(batch)
        left = list(range(len(batch)))
        attempt = 0
        while True:
            asked = len(left)
            for i, answer in zip(left, self._ask_batch([batch[i] for i in left]), strict=True):
                answers[i] = answer
            late = {i: a for i, a in enumerate(answers) if isinstance(a, Problem) and a.status in PATIENT}
            left = list(late)
            # A slow service answers a part of a large batch each time: that is no failure.
            attempt = 0 if len(left) < asked else attempt + 1
            if not left or attempt > self._retries or not self._retries:
                return [answer for answer in answers if answer is not None]
            self._wait(max(0, attempt - 1), max(problem.retry_after or 0.0 for problem in late.values()))

    def _ask_batch(self, batch: list[bytes]) -> list[Verdict | Problem]:
        """Ask once; where the whole is refused, by halves, until what is to blame stands alone."""
        try:
            found = self._ask("POST", "/v1/score/batch", b"[" + b",".join(batch) + b"]")
        except ProblemError as error:
            if error.status not in DIVISIBLE:
                raise
            if len(batch) == 1:
                return [error.problem]
            half = len(batch) // 2
            return self._ask_batch(batch[:half]) + self._ask_batch(batch[half:])
        if not isinstance(found, list) or len(found) != len(batch):
            raise _foreign()
        return [_answer(answer) for answer in found]

    def score_stream(
        self,
        submissions: Iterable[Submission],
        *,
        evidence: bool = True,
        depth: str = "auto",
        base_rate: float | None = None,
    ) -> Iterator[Verdict | Problem]:
        """Judge texts as they come, however many; yield the verdict or the problem of each, in order.

        `submissions` are read in a thread of their own, as far ahead of the answers as they fit into the connection's
        buffers; what they raise is raised when all before is answered. Nothing is sent again: a text that the service
        is too busy for, or that is beyond a rate limit, is answered with that problem, and where the connection breaks,
        ServiceUnreachableError says after how many answers. The service gives up on a caller who takes no answer for
        longer than its UNSPUN_TIMEOUT once all buffers are full; score_many does not mind.
        """
        lines = _lines(submissions, _options(evidence, depth, base_rate))
        connection = self._connect("/v1/score/stream")
        stream = _Stream(connection, self.url, self._timeout)
        try:
            yield from stream.run(lines)
        finally:
            stream.close()

    def compare(
        self, suspect: str, source: str, *, suspect_id: str | int | None = None, source_id: str | int | None = None
    ) -> Comparison:
        """Compare a text with its suspected source. Raises ProblemError and ServiceUnreachableError."""
        fields = {"suspect": suspect, "source": source, "suspect_id": suspect_id, "source_id": source_id}
        return comparison_from_dict(self._ask("POST", "/v1/compare", _dump(fields)))

    def add_label(
        self,
        text: str,
        label: str,
        *,
        consent: bool,
        keep_text: bool = False,
        source: str | None = None,
        comment: str | None = None,
    ) -> dict[str, Any]:
        """Store what a person says of a text: human, spun, translated or rewritten. Return the label, with its `id`.

        Nothing is stored unless `consent` is true. What is sent again after a broken connection is
        still one label. Raises ProblemError, and ServiceUnreachableError: then it may not be stored.
        """
        fields = {"text": text, "label": label, "consent": consent, "keep_text": keep_text}
        body = _dump({**fields, "source": source, "comment": comment})
        return _object(self._ask("POST", "/v1/feedback", body))

    def get_label(self, id: str) -> dict[str, Any]:
        """Return what is stored of a label. Raises ProblemError and ServiceUnreachableError."""
        return _object(self._ask("GET", f"/v1/feedback/{quote(id, safe='')}", None))

    def delete_label(self, id: str) -> None:
        """Delete a label, and its text if that was kept. Raises ProblemError and ServiceUnreachableError."""
        self._ask("DELETE", f"/v1/feedback/{quote(id, safe='')}", None)

    def model(self) -> dict[str, Any]:
        """Return what the service tells of its model."""
        return _object(self._ask("GET", "/v1/model", None))

    def ready(self) -> bool:
        """Return whether the service welcomes requests."""
        try:
            return int(self._pool.request("GET", f"{self.url}/readyz").status) == 200
        except urllib3.exceptions.HTTPError:
            return False

    def _ask(self, method: str, path: str, body: bytes | None) -> Any:
        headers = self._headers if body is None else {**self._headers, "Content-Type": "application/json"}
        attempt = 0
        while True:
            last = attempt == self._retries
            try:
                response = self._pool.request(method, f"{self.url}{path}", body=body, headers=headers)
            except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ProtocolError) as error:
                if last:
                    raise self._unreachable(error) from error
                asked = 0.0
            except urllib3.exceptions.HTTPError as error:  # too slow, or no certificate to trust: no better next time
                raise self._unreachable(error) from error
            else:
                if response.status in (200, 201):
                    return _parse(response.data)
                if response.status == 204:
                    return None
                problem = _problem(response.status, response.data, response.headers.get("Retry-After"))
                if last or problem.status not in PATIENT:
                    raise ProblemError(problem)
                asked = problem.retry_after or 0.0
            self._wait(attempt, asked)
            attempt += 1

    def _connect(self, path: str) -> http.client.HTTPConnection:
        """Return a connection on which the head of a request is sent and its body is due."""
        address = parse_url(self.url)
        host = (address.host or "").strip("[]")
        attempt = 0
        while True:
            connection: http.client.HTTPConnection
            if address.scheme == "https":
                context = ssl.create_default_context()
                connection = http.client.HTTPSConnection(host, address.port, timeout=self._timeout, context=context)
            else:
                connection = http.client.HTTPConnection(host, address.port, timeout=self._timeout)
            try:
                connection.connect()
                connection.putrequest("POST", f"{address.path or ''}{path}")
                for name, value in {**self._headers, "Content-Type": NDJSON, "Transfer-Encoding": "chunked"}.items():
                    connection.putheader(name, value)
                connection.endheaders()
            except OSError as error:
                connection.close()
                if attempt == self._retries or isinstance(error, TimeoutError | ssl.SSLError):
                    raise self._unreachable(error) from error
            else:
                return connection
            self._wait(attempt, 0.0)
            attempt += 1

    def _wait(self, attempt: int, asked: float) -> None:
        """Wait as long as was asked for, else ever longer, so that many clients do not come back at once."""
        backoff = min(0.25 * 2**attempt, 8.0) * random.uniform(0.5, 1.0)
        self._sleep(min(max(backoff, asked), MAX_WAIT))

    def _unreachable(self, error: Exception) -> ServiceUnreachableError:
        refused = isinstance(error, urllib3.exceptions.NewConnectionError)  # which urllib3 counts among the late ones
        if isinstance(error, urllib3.exceptions.TimeoutError | TimeoutError) and not refused:
            what = f"no answer within {self._timeout:g} seconds; send less at a time, or give a longer timeout"
        elif isinstance(error, urllib3.exceptions.SSLError | ssl.SSLError):
            what = f"no encrypted connection ({error}); is it https, with a certificate that is trusted here?"
        else:
            what = f"no answer ({type(error).__name__}); is the service running there? `unspun serve`"
        return ServiceUnreachableError(f"{self.url}: {what}")


class _Stream:
    """One request to /v1/score/stream, whose lines go out while their answers come in.

    One thread makes the lines, at the pace of the caller's texts; one sends them, at the pace of the service; the
    caller's own reads answers. The last line and the end of the answer are the only ways out that are no failure.
    """

    def __init__(self, connection: http.client.HTTPConnection, url: str, timeout: float) -> None:
        self._connection = connection
        self._url = url
        self._socket = _TwoWaySocket(connection.sock, timeout, lambda: self._sent > self._answered)
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._room = threading.Semaphore(AHEAD)
        self._sender = threading.Thread(target=self._send, name="unspun-sender", daemon=True)
        self._sent, self._answered, self._all_sent = 0, 0, False
        self._failure: BaseException | None = None

    def run(self, lines: Iterator[bytes]) -> Iterator[Verdict | Problem]:
        """Send the lines; yield the answers."""
        threading.Thread(target=self._make, args=(lines,), name="unspun-maker", daemon=True).start()
        self._sender.start()
        try:
            response = self._socket.response()
            if response.status != 200:
                raise ProblemError(_problem(response.status, response.read(), response.headers.get("Retry-After")))
            while (line := response.readline()).endswith(b"\n"):
                self._answered += 1
                answer = _answer(_parse(line))
                if isinstance(answer, Problem):  # the service counts empty lines, too
                    answer = _to_problem({**answer.document, "line": self._answered})
                yield answer
        except (OSError, http.client.HTTPException) as error:
            self._broken(type(error).__name__)
        # http.client takes an answer that breaks off for one that ends.
        if line or not self._all_sent or self._answered != self._sent:
            self._broken("the answer ended early")
        if self._failure is not None:
            raise self._failure

    def _broken(self, why: str) -> NoReturn:
        if self._failure is not None:
            raise self._failure
        raise ServiceUnreachableError(
            f"{self._url}: the stream broke off after {self._answered:,} answers ({why}); "
            "go on with what was not answered"
        )

    def close(self) -> None:
        """Close the connection and end the threads; the one that makes lines ends when it has the next."""
        self._socket.hang_up()
        self._room.release()
        self._lines.put(None)
        if self._sender.ident is not None:
            self._sender.join()
        self._connection.close()

    def _make(self, lines: Iterator[bytes]) -> None:
        try:
            for line in lines:
                self._room.acquire()
                if self._socket.ended:
                    return
                self._lines.put(line)
        except BaseException as error:  # the caller's own, from the texts that it was making
            self._failure = error
        finally:
            self._lines.put(None)

    def _send(self) -> None:
        try:
            while (line := self._next_line()) is not None:
                if line:
                    self._room.release()
                    self._sent += 1
                self._socket.send_all(b"%x\r\n%s\n\r\n" % (len(line) + 1, line), counts=bool(line))
            self._all_sent = True
            self._socket.send_all(b"0\r\n\r\n")
        except OSError:
            pass  # The reading side tells: it has the answer that the service gave before it hung up, if any.

    def _next_line(self) -> bytes | None:
        try:
            return self._lines.get(timeout=HEARTBEAT)
        except queue.Empty:
            return b""


class _TwoWaySocket(io.RawIOBase):
    """A connection that one thread reads while another writes, encrypted or not.

    OpenSSL allows one call at a time. So none of them waits: it waits outside of the lock that they share. Sending may
    take as long as it takes, for it is the caller who has to take the answers; reading raises TimeoutError when, with
    an answer due, nothing has moved for so long.
    """

    def __init__(self, connected: socket.socket, timeout: float, due: Callable[[], bool]) -> None:
        self._socket = connected
        self._socket.setblocking(False)
        self._timeout = timeout
        self._due = due
        self._lock = threading.Lock()
        self._moved = time.monotonic()
        self.ended = False

    def response(self) -> http.client.HTTPResponse:
        """Return the answer, its head read."""
        response = http.client.HTTPResponse(self, method="POST")  # type: ignore[arg-type]
        response.begin()
        return response

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return the side to read from: all that http.client wants of a socket."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what is there, at least one byte unless the other side has ended."""
        self._moved = time.monotonic()  # a caller who took its time is not the service's fault
        size = self._do(lambda: self._socket.recv_into(buffer), wait_for_read, self._check_time)
        self._moved = time.monotonic()
        return size

    def send_all(self, data: bytes, *, counts: bool = True) -> None:
        """Send bytes; that they `counts` tells that there is life in the stream."""
        left = memoryview(data)
        while left:
            sent = self._do(functools.partial(self._socket.send, left), wait_for_write, lambda: None)
            left = left[sent:]
            if counts:
                self._moved = time.monotonic()

    def hang_up(self) -> None:
        """End what goes on in both directions; who waits is woken."""
        with self._lock:
            self.ended = True
            # Not SSLSocket's own, which would have the next bytes sent in the clear.
            with suppress(OSError):  # where the other side was quicker
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def _do(self, call: Callable[[], int], wait: Callable[..., bool], check: Callable[[], None]) -> int:
        """Return what a call returns, which may have to wait before, and between `check`s."""
        while True:
            try:
                with self._lock:
                    if self.ended:
                        raise ConnectionAbortedError
                    return call()
            except ssl.SSLWantReadError:
                wait_now = wait_for_read
            except ssl.SSLWantWriteError:
                wait_now = wait_for_write
            except BlockingIOError:
                wait_now = wait
            if not wait_now(self._socket, GLANCE):
                check()

    def _check_time(self) -> None:
        if self._due() and time.monotonic() - self._moved > self._timeout:
            raise TimeoutError


def verdict_from_dict(answer: Mapping[str, Any]) -> Verdict:
    """Return the Verdict that an answer holds; its `to_json()` gives the answer's bytes. Raises UnspunError."""
    try:
        return Verdict.from_dict(answer)
    except (AttributeError, LookupError, TypeError, ValueError):
        raise _foreign() from None  # whose message may quote the answer


def comparison_from_dict(answer: Mapping[str, Any]) -> Comparison:
    """Return the Comparison that an answer holds; its `to_json()` gives the answer's bytes. Raises UnspunError."""
    try:
        return Comparison.from_dict(answer)
    except (AttributeError, LookupError, TypeError, ValueError):
        raise _foreign() from None  # whose message may quote the answer


def _object(answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise _foreign()
    return answer


def _answer(answer: Any) -> Verdict | Problem:
    if isinstance(answer, dict) and "status" in answer:
        try:
            return _to_problem(answer)
        except (LookupError, TypeError, ValueError):
            raise _foreign() from None
    return verdict_from_dict(answer)


def _to_problem(document: Mapping[str, Any]) -> Problem:
    return Problem(int(document["status"]), str(document["title"]), str(document["detail"]), document)


def _problem(status: int, data: bytes, retry_after: str | None) -> Problem:
    """Return the problem in an answer, or one in its place where somebody between has answered."""
    try:
        seconds = urllib3.Retry().parse_retry_after(retry_after or "")
        waits = {"retry_after": seconds}
    except urllib3.exceptions.InvalidHeader:
        waits = {}
    try:
        return _to_problem({**waits, **json.loads(data)})
    except (LookupError, TypeError, ValueError):
        document: dict[str, Any] = {
            "type": "about:blank",
            "title": http.client.responses.get(status, "Unknown"),
            "status": status,
            "detail": "This is not the service's own answer; is there a proxy between, or another service?",
        }
        return _to_problem({**document, **waits})


def _parse(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        raise _foreign() from None


def _foreign() -> UnspunError:
    return UnspunError("The answer is none of unspun's; is the address right, and the service of the client's version?")


def _address(url: str) -> str:
    """Return the address of a service, without a slash at its end. Raises ValueError."""
    try:
        parts = parse_url(url)
    except ValueError:
        parts = urllib3.util.Url()
    if parts.auth is not None:
        raise ValueError("the address of a service holds no name and password; give its key as api_key")
    if parts.scheme not in ("http", "https") or not parts.host or parts.query is not None or parts.fragment is not None:
        raise ValueError(f"{url!r} is no address of a service; write it like http://127.0.0.1:8000")
    return url.strip().rstrip("/")


def _authorization(key: str) -> dict[str, str]:
    """Return the header for a key, none for an empty one. Raises ValueError, which does not quote it."""
    key = key.strip()
    if not all("!" <= character <= "~" for character in key):
        raise ValueError("the API key has characters that no key has; give it as `unspun keys add` printed it")
    return {"Authorization": f"Bearer {key}"} if key else {}


def _options(evidence: bool, depth: str, base_rate: float | None) -> dict[str, Any]:
    """Return what is asked for about every text that does not say otherwise."""
    return {"evidence": evidence, "depth": depth} | ({} if base_rate is None else {"base_rate": base_rate})


def _lines(submissions: Iterable[Submission], options: Mapping[str, Any]) -> Iterator[bytes]:
    """Return the submissions as JSON, made one by one. Raises TypeError for what is a single one."""
    if isinstance(submissions, str | Mapping):
        raise TypeError("this is one text; give a list of them, or use score")
    return (_full(submission, options) for submission in submissions)


def _full(submission: Submission, options: Mapping[str, Any]) -> bytes:
    fields = {"text": submission} if isinstance(submission, str) else submission
    return _dump({**options, **fields})


def _dump(value: Any) -> bytes:
    """Return JSON, in which a lone surrogate is an escape that the service can refuse."""
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def _batches(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for line in lines:
        if batch and (len(batch) == BATCH_ITEMS or size + len(line) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += len(line)
    if batch:
        yield batch

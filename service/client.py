"""A client of the scoring service.

    with Client("http://127.0.0.1:8000") as client:
        verdict = client.score(text)

Verdicts are the same objects that the Python API gives, and their `to_json()` the same bytes. Requests are sent again,
ever later, where the service asks for patience (429, 503) or a connection breaks before an answer: scoring has no side
effects, so nothing happens twice.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NoReturn, Self
from urllib.parse import urlsplit

import urllib3

from model.verdict import Evidence, ModelInfo, SpunPassage, Verdict

PATIENT = (429, 503)
"""Statuses that ask for the same again, later."""
MAX_WAIT = 60.0
"""Seconds, at most, between two tries, whatever the service asks for."""
BATCH_ITEMS, BATCH_BYTES = 100, 2_000_000
"""A batch is sent at either."""
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
        return list(self.document.get("errors", ()))

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait before another try."""
        seconds = self.document.get("retry_after")
        return None if seconds is None else float(seconds)

    def to_json(self) -> str:
        """Return the document as one line of JSON."""
        return json.dumps(self.document, ensure_ascii=False)


Submission = str | Mapping[str, Any]
"""A text, or an object as the API reads it: `text`, and `id`, `evidence`, `depth` if wanted."""


class Client:
    """Asks one service. Threads may share it, but for `score_stream`, which has a connection of its own each time.

    `url` and `api_key` default to the environment variables UNSPUN_URL and UNSPUN_API_KEY. `timeout` is seconds of
    waiting for a connection, or for the next bytes of an answer. `retries` is how often the same is asked again.
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
        self.url = (url or os.environ.get("UNSPUN_URL") or "http://127.0.0.1:8000").rstrip("/")
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{self.url!r} is no address of a service; write it like http://127.0.0.1:8000")
        key = api_key or os.environ.get("UNSPUN_API_KEY")
        self._headers = {} if key is None else {"Authorization": f"Bearer {key}"}
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

    def score(self, text: str, *, id: str | None = None, evidence: bool = True, depth: str = "auto") -> Verdict:
        """Judge one text. Raises ProblemError and ServiceUnreachableError."""
        body = {"text": text, "id": id, "evidence": evidence, "depth": depth}
        return verdict_from_dict(self._ask("POST", "/v1/score", _dump(body)))

    def score_many(
        self, submissions: Iterable[Submission], *, evidence: bool = True, depth: str = "auto"
    ) -> Iterator[Verdict | Problem]:
        """Judge texts in batches; yield the verdict or the problem of each, in order.

        Raises ProblemError where a whole batch is refused, and ServiceUnreachableError.
        """
        for batch in _batches(_full(one, evidence, depth) for one in submissions):
            yield from self._score_batch(batch)

    def _score_batch(self, batch: list[bytes]) -> list[Verdict | Problem]:
        answers: list[Verdict | Problem | None] = [None] * len(batch)
        left = list(range(len(batch)))
        for attempt in range(self._retries + 1):
            found = self._ask("POST", "/v1/score/batch", b"[" + b",".join(batch[i] for i in left) + b"]")
            for i, answer in zip(left, found, strict=True):
                answers[i] = _answer(answer)
            late = [a for a in answers if isinstance(a, Problem) and a.status in PATIENT]
            left = [i for i, a in enumerate(answers) if isinstance(a, Problem) and a.status in PATIENT]
            if not left or attempt == self._retries:
                break
            self._wait(attempt, max((problem.retry_after or 0.0) for problem in late))
        return [answer for answer in answers if answer is not None]

    def score_stream(
        self, submissions: Iterable[Submission], *, evidence: bool = True, depth: str = "auto"
    ) -> Iterator[Verdict | Problem]:
        """Judge texts as they come, however many; yield the verdict or the problem of each, in order.

        `submissions` are read a little ahead of the answers, in a thread of their own. Nothing is sent again: where the
        connection breaks, ServiceUnreachableError says after how many answers.
        """
        stream = _Stream(self.url, self._headers, self._timeout)
        try:
            yield from stream.run(_full(one, evidence, depth) for one in submissions)
        finally:
            stream.close()

    def model(self) -> dict[str, Any]:
        """Return what the service tells of its model."""
        return dict(self._ask("GET", "/v1/model", None))

    def ready(self) -> bool:
        """Return whether the service welcomes requests."""
        try:
            return int(self._pool.request("GET", f"{self.url}/readyz").status) == 200
        except urllib3.exceptions.HTTPError:
            return False

    def _ask(self, method: str, path: str, body: bytes | None) -> Any:
        headers = self._headers if body is None else {**self._headers, "Content-Type": "application/json"}
        for attempt in range(self._retries + 1):
            last = attempt == self._retries
            try:
                response = self._pool.request(method, f"{self.url}{path}", body=body, headers=headers)
            except urllib3.exceptions.HTTPError as error:
                if last:
                    raise self._unreachable(error) from error
                self._wait(attempt, 0.0)
                continue
            if response.status == 200:
                return _parse(response.data, response.status)
            problem = _problem(response.status, response.data, response.headers.get("Retry-After"))
            if last or problem.status not in PATIENT:
                raise ProblemError(problem)
            self._wait(attempt, problem.retry_after or 0.0)
        raise AssertionError("unreachable")

    def _wait(self, attempt: int, asked: float) -> None:
        """Wait as long as was asked for, else ever longer, so that many clients do not come back at once."""
        backoff = min(0.25 * 2**attempt, 8.0) * random.uniform(0.5, 1.0)
        self._sleep(min(max(asked, backoff), MAX_WAIT))

    def _unreachable(self, error: Exception) -> ServiceUnreachableError:
        name = type(error).__name__
        return ServiceUnreachableError(f"{self.url}: no answer ({name}); is the service running there? `unspun serve`")


class _Stream:
    """One request to /v1/score/stream: a thread sends lines while the caller reads answers."""

    def __init__(self, url: str, headers: Mapping[str, str], timeout: float) -> None:
        self._url = url
        self._headers = headers
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme == "https":
            context = ssl.create_default_context()
            self._connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, parts.port, timeout=timeout, context=context
            )
        else:
            self._connection = http.client.HTTPConnection(host, parts.port, timeout=timeout)
        self._path = f"{parts.path}/v1/score/stream"
        self._sent, self._all_sent = 0, False
        self._started = threading.Event()
        self._ended = threading.Event()
        self._failure: BaseException | None = None

    def run(self, lines: Iterator[bytes]) -> Iterator[Verdict | Problem]:
        count = 0
        threading.Thread(target=self._send, args=(lines,), name="unspun-stream", daemon=True).start()
        try:
            for answer in self._answers():
                yield answer
                count += 1
        except (OSError, http.client.HTTPException) as error:
            self._broken(count, type(error).__name__)
        # http.client takes an answer that breaks off for one that ends.
        if not self._all_sent or count != self._sent or self._failure is not None:
            self._broken(count, "the answer ended early")

    def _broken(self, count: int, why: str) -> NoReturn:
        if self._failure is not None:
            raise self._failure
        raise ServiceUnreachableError(
            f"{self._url}: the stream broke off after {count:,} answers ({why}); go on with what was not answered"
        )

    def close(self) -> None:
        self._ended.set()
        self._connection.close()

    def _answers(self) -> Iterator[Verdict | Problem]:
        self._started.wait()
        if self._failure is not None:
            raise ConnectionError
        response = self._connection.getresponse()
        if response.status != 200:
            raise ProblemError(_problem(response.status, response.read(), response.headers.get("Retry-After")))
        while line := response.readline():
            yield _answer(_parse(line, 200))

    def _send(self, lines: Iterator[bytes]) -> None:
        connection = self._connection
        try:
            connection.putrequest("POST", self._path)
            for name, value in {**self._headers, "Content-Type": NDJSON, "Transfer-Encoding": "chunked"}.items():
                connection.putheader(name, value)
            connection.endheaders()
            self._started.set()
            for line in lines:
                if self._ended.is_set():
                    return
                self._sent += 1
                connection.send(b"%x\r\n%s\n\r\n" % (len(line) + 1, line))
            self._all_sent = True
            connection.send(b"0\r\n\r\n")
        except (OSError, http.client.HTTPException):
            # The reading side tells: it has the answer that the service gave before it hung up, if any.
            pass
        except BaseException as error:  # the caller's own, from the texts that it was making
            self._failure = error
            connection.close()
        finally:
            self._started.set()


def verdict_from_dict(answer: Mapping[str, Any]) -> Verdict:
    """Return the Verdict that an answer holds; its `to_json()` gives the answer's bytes."""
    evidence = answer.get("evidence")
    return Verdict(
        id=answer["id"],
        score=answer["score"],
        verdict=answer["verdict"],
        kind=answer["kind"],
        kinds=dict(answer["kinds"]),
        reason=answer["reason"],
        words=answer["words"],
        depth=answer["depth"],
        evidence=None
        if evidence is None
        else tuple(Evidence(**{**item, "alternatives": tuple(item["alternatives"])}) for item in evidence),
        model=ModelInfo(**answer["model"]),
        passages=tuple(SpunPassage(**passage) for passage in answer.get("passages", ())),
    )


def _answer(answer: Mapping[str, Any]) -> Verdict | Problem:
    return _to_problem(answer) if "status" in answer else verdict_from_dict(answer)


def _to_problem(document: Mapping[str, Any]) -> Problem:
    return Problem(int(document["status"]), str(document["title"]), str(document["detail"]), document)


def _problem(status: int, data: bytes, retry_after: str | None) -> Problem:
    """Return the problem in an answer, or one in its place where somebody between has answered."""
    try:
        return _to_problem(json.loads(data))
    except (ValueError, LookupError, TypeError):
        title = http.client.responses.get(status, "Unknown")
        document: dict[str, Any] = {"type": "about:blank", "title": title, "status": status}
        if retry_after is not None and retry_after.isdecimal():
            document["retry_after"] = int(retry_after)
        document["detail"] = "This is not the service's own answer; is there a proxy between, or another service?"
        return _to_problem(document)


def _parse(data: bytes, status: int) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        raise ProblemError(_problem(status, b"", None)) from None


def _full(submission: Submission, evidence: bool, depth: str) -> bytes:
    fields = {"text": submission} if isinstance(submission, str) else submission
    return _dump({"evidence": evidence, "depth": depth, **fields})


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

"""A Python client for the scoring service.

    with Client("http://127.0.0.1:8000") as client:
        verdict = client.score(text)

Verdicts are the same objects as in the Python API, and `to_json()` gives the same bytes. Requests are retried with
growing pauses if the service is busy (429, 503) or a connection breaks before the answer; scoring has no side effects,
so a retry does no harm.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import urllib3
from urllib3.util import parse_url

from unspun.model.comparing.comparison import Comparison
from unspun.model.verdict import EvidenceChoice, Verdict

PATIENT = (429, 503)
"""Statuses that are worth a retry."""
DIVISIBLE = (400, 413)
"""Statuses of a whole batch that may be caused by a single item, or by the number of items."""
MAX_WAIT = 60.0
"""Longest pause between two attempts in seconds, even if the service asks for a longer one."""
BATCH_ITEMS, BATCH_BYTES = 100, 2_000_000
"""A batch is sent when it reaches either limit."""


class UnspunError(Exception):
    """The service gave no verdict. The message says why and what to do; it never quotes a text."""


class ServiceUnreachableError(UnspunError):
    """The service cannot be reached, or does not answer."""


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
    """A problem document (RFC 9457) from the service. `document` is the whole document."""

    status: int
    title: str
    detail: str
    document: Mapping[str, Any]

    @property
    def type(self) -> str:
        """The problem type, such as urn:unspun:problem:too-many-words."""
        return str(self.document.get("type", "about:blank"))

    @property
    def request_id(self) -> str | None:
        """The id of the request in the service's log."""
        instance = self.document.get("instance")
        return None if instance is None else str(instance).removeprefix("urn:unspun:request:")

    @property
    def errors(self) -> list[dict[str, str]]:
        """The invalid fields and their problems."""
        return list(self.document.get("errors") or ())

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait before a retry, if the service says so."""
        seconds = self.document.get("retry_after")
        return float(seconds) if isinstance(seconds, int | float) else None

    def to_json(self) -> str:
        """Return the document as one line of JSON."""
        return json.dumps(self.document, ensure_ascii=False)


Submission = str | Mapping[str, Any]
"""A text, or a mapping with the fields of the API: `text` and optionally `id`, `evidence`, `depth`, `base_rate`."""


class Client:
    """A client for one service. Threads may share it.

    `url` and `api_key` default to the environment variables UNSPUN_URL and UNSPUN_API_KEY. `timeout` is the number of
    seconds to wait for a connection, or for the next bytes of an answer; requests that time out are not retried.
    `retries` is the maximum number of retries of a request.
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
            raise ValueError(f"retries={retries}: must be 0 or more")
        self.url = _address(url or os.environ.get("UNSPUN_URL") or "http://127.0.0.1:8000")
        self._headers = _authorization(api_key or os.environ.get("UNSPUN_API_KEY") or "")
        self._timeout = timeout
        self._retries = retries
        self._sleep = sleep
        self._pool = urllib3.PoolManager(timeout=urllib3.Timeout(timeout), retries=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()

    def score(
        self,
        text: str,
        *,
        id: str | int | None = None,
        evidence: EvidenceChoice = True,
        depth: str = "auto",
        base_rate: float | None = None,
    ) -> Verdict:
        """Score one text. Raises ProblemError and ServiceUnreachableError.

        `base_rate` is the expected share of paraphrased texts among your texts. With it, the verdict has a
        `probability`.
        """
        body = _full({"text": text, "id": id}, _options(evidence, depth, base_rate))
        return verdict_from_dict(self._request("POST", "/v1/score", body))

    def score_url(
        self,
        url: str,
        *,
        id: str | int | None = None,
        evidence: EvidenceChoice = True,
        depth: str = "auto",
        base_rate: float | None = None,
    ) -> Verdict:
        """Score the article of a public web page, which the service fetches if its operator allows that.

        Without an `id`, the verdict has the address as its id. Raises ProblemError and ServiceUnreachableError.
        """
        body = _full({"url": url, "id": id}, _options(evidence, depth, base_rate))
        return verdict_from_dict(self._request("POST", "/v1/score", body))

    def score_many(
        self,
        submissions: Iterable[Submission],
        *,
        evidence: EvidenceChoice = True,
        depth: str = "auto",
        base_rate: float | None = None,
    ) -> Iterator[Verdict | Problem]:
        """Score texts in batches; yield the verdict or the problem of each text, in order.

        Texts that a busy service turned away are retried, and a batch that is too large is split. Raises ProblemError
        if the service refuses every request, for example without an API key, and ServiceUnreachableError.
        """
        for batch in _batches(_lines(submissions, _options(evidence, depth, base_rate))):
            yield from self._score_batch(batch)

    def _score_batch(self, batch: list[bytes]) -> list[Verdict | Problem]:
        answers: list[Verdict | Problem | None] = [None] * len(batch)
        left = list(range(len(batch)))
        attempt = 0
        while True:
            sent = len(left)
            for i, answer in zip(left, self._send_batch([batch[i] for i in left]), strict=True):
                answers[i] = answer
            busy = {i: a for i, a in enumerate(answers) if isinstance(a, Problem) and a.status in PATIENT}
            left = list(busy)
            # A slow service answers part of a large batch each time, which does not count as a failed attempt.
            attempt = 0 if len(left) < sent else attempt + 1
            if not left or attempt > self._retries or not self._retries:
                return [answer for answer in answers if answer is not None]
            self._wait(max(0, attempt - 1), max(problem.retry_after or 0.0 for problem in busy.values()))

    def _send_batch(self, batch: list[bytes]) -> list[Verdict | Problem]:
        """Send a batch once. If the service refuses it as a whole, send its halves, down to single items."""
        try:
            found = self._request("POST", "/v1/score/batch", b"[" + b",".join(batch) + b"]")
        except ProblemError as error:
            if error.status not in DIVISIBLE:
                raise
            if len(batch) == 1:
                return [error.problem]
            half = len(batch) // 2
            return self._send_batch(batch[:half]) + self._send_batch(batch[half:])
        if not isinstance(found, list) or len(found) != len(batch):
            raise _foreign()
        return [_answer(answer) for answer in found]

    def score_stream(
        self,
        submissions: Iterable[Submission],
        *,
        evidence: EvidenceChoice = True,
        depth: str = "auto",
        base_rate: float | None = None,
    ) -> Iterator[Verdict | Problem]:
        """Score any number of texts as they arrive; yield the verdict or the problem of each text, in order.

        Works like score_many, except that it never waits for a batch to fill up: a thread reads `submissions`, at most
        one batch ahead of the answers, and every request sends the texts that are there. So the answer to a text does
        not wait for the next text, and memory stays bounded. An exception that `submissions` raises is raised after the
        answers to the texts before it. A Problem has the number of its text, from 1, as `line`. If the service can no
        longer be reached, the ServiceUnreachableError says how many answers came before.
        """
        ahead = _ReadAhead(_lines(submissions, _options(evidence, depth, base_rate)))
        answered = 0
        try:
            while batch := ahead.take():
                try:
                    answers = self._score_batch(batch)
                except ServiceUnreachableError as error:
                    raise ServiceUnreachableError(f"{error}; the stream ended after {answered:,} answers") from error
                for answer in answers:
                    answered += 1
                    if isinstance(answer, Problem):
                        answer = _to_problem({**answer.document, "line": answered})
                    yield answer
        finally:
            ahead.close()

    def score_files(
        self,
        paths: Iterable[str | os.PathLike[str]],
        *,
        text_field: str | None = None,
        id_field: str | None = None,
        evidence: EvidenceChoice = True,
        depth: str = "auto",
        base_rate: float | None = None,
    ) -> Iterator[Verdict | Problem]:
        """Upload files, one at a time; yield the verdict of each document in them, in order.

        The service reads every format that `unspun score` reads. A file or a record that it cannot read is a Problem,
        with `file` and `line` in its document. `text_field` and `id_field` are the fields of the text and the id in
        JSON, CSV, TSV and Parquet. Raises ProblemError if the service refuses every request, ServiceUnreachableError,
        and OSError if a file cannot be opened.
        """
        options = _options(evidence, depth, base_rate) | {"text_field": text_field, "id_field": id_field}
        given = [(name, _form_value(value)) for name, value in options.items() if value is not None]
        for one in paths:
            path = os.fspath(one)
            content = Path(one).read_bytes()
            body, kind = urllib3.encode_multipart_formdata([*given, ("file", (path, content))])
            try:
                found = self._request("POST", "/v1/score/upload", body, kind)
            except ProblemError as error:
                if error.status not in DIVISIBLE:
                    raise
                yield _to_problem({**error.problem.document, "file": path})
                continue
            if not isinstance(found, list):
                raise _foreign()
            yield from map(_answer, found)

    def compare(
        self, suspect: str, source: str, *, suspect_id: str | int | None = None, source_id: str | int | None = None
    ) -> Comparison:
        """Compare a text with its suspected source. Raises ProblemError and ServiceUnreachableError."""
        fields = {"suspect": suspect, "source": source, "suspect_id": suspect_id, "source_id": source_id}
        return comparison_from_dict(self._request("POST", "/v1/compare", _dump(fields)))

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
        """Store a person's label for a text: human, spun, translated or rewritten. Return the label with its `id`.

        Nothing is stored unless `consent` is true. A retry after a broken connection does not store a second label.
        Raises ProblemError and ServiceUnreachableError; after the latter, the label may or may not have been stored.
        """
        fields = {"text": text, "label": label, "consent": consent, "keep_text": keep_text}
        body = _dump({**fields, "source": source, "comment": comment})
        return _object(self._request("POST", "/v1/feedback", body))

    def get_label(self, id: str) -> dict[str, Any]:
        """Return a stored label. Raises ProblemError and ServiceUnreachableError."""
        return _object(self._request("GET", f"/v1/feedback/{quote(id, safe='')}", None))

    def delete_label(self, id: str) -> None:
        """Delete a label, and its text if that was kept. Raises ProblemError and ServiceUnreachableError."""
        self._request("DELETE", f"/v1/feedback/{quote(id, safe='')}", None)

    def model(self) -> dict[str, Any]:
        """Return the service's description of its model."""
        return _object(self._request("GET", "/v1/model", None))

    def ready(self) -> bool:
        """Return whether the service is ready for requests."""
        try:
            return int(self._pool.request("GET", f"{self.url}/readyz").status) == 200
        except urllib3.exceptions.HTTPError:
            return False

    def _request(self, method: str, path: str, body: bytes | None, kind: str = "application/json") -> Any:
        headers = self._headers if body is None else {**self._headers, "Content-Type": kind}
        attempt = 0
        while True:
            last = attempt == self._retries
            try:
                response = self._pool.request(method, f"{self.url}{path}", body=body, headers=headers)
            except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ProtocolError) as error:
                if last:
                    raise self._unreachable(error) from error
                pause = 0.0
            except urllib3.exceptions.HTTPError as error:  # a retry would not help against a timeout or a certificate
                raise self._unreachable(error) from error
            else:
                if response.status in (200, 201):
                    return _parse(response.data)
                if response.status == 204:
                    return None
                problem = _problem(response.status, response.data, response.headers.get("Retry-After"))
                if last or problem.status not in PATIENT:
                    raise ProblemError(problem)
                pause = problem.retry_after or 0.0
            self._wait(attempt, pause)
            attempt += 1

    def _wait(self, attempt: int, pause: float) -> None:
        """Sleep for `pause`, or for an exponential backoff with jitter if that is longer, but at most MAX_WAIT."""
        backoff = min(0.25 * 2**attempt, 8.0) * random.uniform(0.5, 1.0)  # nosec B311 # nothing secret
        self._sleep(min(max(backoff, pause), MAX_WAIT))

    def _unreachable(self, error: Exception) -> ServiceUnreachableError:
        refused = isinstance(error, urllib3.exceptions.NewConnectionError)  # in urllib3 a kind of TimeoutError
        if isinstance(error, urllib3.exceptions.TimeoutError) and not refused:
            what = f"no answer within {self._timeout:g} seconds; send less text at a time, or use a longer timeout"
        elif isinstance(error, urllib3.exceptions.SSLError):
            what = f"no encrypted connection ({error}); does the service use https, with a certificate trusted here?"
        else:
            what = f"no answer ({type(error).__name__}); is the service running? Start it with `unspun serve`"
        return ServiceUnreachableError(f"{self.url}: {what}")


class _ReadAhead:
    """Reads lines in a thread, at most one batch ahead of the caller."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self._batch: list[bytes] = []
        self._changed = threading.Condition()
        self._finished = False
        self._error: BaseException | None = None
        threading.Thread(target=self._read, name="unspun-reader", daemon=True).start()

    def _read(self) -> None:
        try:
            for line in self._lines:
                with self._changed:
                    while not (self._finished or _has_room(self._batch, line)):
                        self._changed.wait()
                    if self._finished:
                        return
                    self._batch.append(line)
                    self._changed.notify_all()
        except BaseException as error:  # raised in the caller's thread, by take
            self._error = error
        finally:
            self.close()

    def take(self) -> list[bytes]:
        """Wait until there is a line, and return all that have been read; none at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._batch or self._finished)
            batch, self._batch = self._batch, []
            self._changed.notify_all()
        if not batch and self._error is not None:
            raise self._error
        return batch

    def close(self) -> None:
        """End the thread as soon as it has its next line."""
        with self._changed:
            self._finished = True
            self._changed.notify_all()


def verdict_from_dict(answer: Mapping[str, Any]) -> Verdict:
    """Rebuild a Verdict from an answer; its `to_json()` gives the answer's bytes. Raises UnspunError."""
    try:
        return Verdict.from_dict(answer)
    except (AttributeError, LookupError, TypeError, ValueError):
        raise _foreign() from None  # the original message may quote the answer


def comparison_from_dict(answer: Mapping[str, Any]) -> Comparison:
    """Rebuild a Comparison from an answer; its `to_json()` gives the answer's bytes. Raises UnspunError."""
    try:
        return Comparison.from_dict(answer)
    except (AttributeError, LookupError, TypeError, ValueError):
        raise _foreign() from None  # the original message may quote the answer


def _form_value(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)


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
    """Return the problem in an answer, or a substitute if something other than the service answered."""
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
            "detail": "This answer is not from unspun; is there a proxy or another service at this address?",
        }
        return _to_problem({**document, **waits})


def _parse(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        raise _foreign() from None


def _foreign() -> UnspunError:
    return UnspunError(
        "The answer is not from unspun; check the address, and that service and client have the same version"
    )


def _address(url: str) -> str:
    """Return the address of a service without a trailing slash. Raises ValueError."""
    try:
        parts = parse_url(url)
    except ValueError:
        parts = urllib3.util.Url()
    if parts.auth is not None:
        raise ValueError("the service's address must not contain a user name or password; pass the API key as api_key")
    if parts.scheme not in ("http", "https") or not parts.host or parts.query is not None or parts.fragment is not None:
        raise ValueError(f"{url!r} is not the address of a service; use the form http://127.0.0.1:8000")
    return url.strip().rstrip("/")


def _authorization(key: str) -> dict[str, str]:
    """Return the header for a key, or no header for an empty key. Raises ValueError, which does not quote the key."""
    key = key.strip()
    if not all("!" <= character <= "~" for character in key):
        raise ValueError("the API key has invalid characters; pass it exactly as `unspun keys add` printed it")
    return {"Authorization": f"Bearer {key}"} if key else {}


def _options(evidence: EvidenceChoice, depth: str, base_rate: float | None) -> dict[str, Any]:
    """Return the options for all texts that do not set their own."""
    return {"evidence": evidence, "depth": depth} | ({} if base_rate is None else {"base_rate": base_rate})


def _lines(submissions: Iterable[Submission], options: Mapping[str, Any]) -> Iterator[bytes]:
    """Return the submissions as an iterator over JSON. Raises TypeError for a single submission."""
    if isinstance(submissions, str | Mapping):
        raise TypeError("this is a single text; pass a list of texts, or use score")
    return (_full(submission, options) for submission in submissions)


def _full(submission: Submission, options: Mapping[str, Any]) -> bytes:
    fields = {"text": submission} if isinstance(submission, str) else submission
    return _dump({**options, **fields})


def _dump(value: Any) -> bytes:
    """Return JSON in ASCII, so that a lone surrogate reaches the service, which refuses it."""
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def _batches(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    for line in lines:
        if not _has_room(batch, line):
            yield batch
            batch = []
        batch.append(line)
    if batch:
        yield batch


def _has_room(batch: list[bytes], line: bytes) -> bool:
    return not batch or (len(batch) < BATCH_ITEMS and sum(map(len, batch)) + len(line) <= BATCH_BYTES)

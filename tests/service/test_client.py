"""service/client.py against a scripted server: what it sends, what it gives back, and when it asks again."""

from __future__ import annotations

import http.server
import itertools
import json
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import service.client
from tests.service.fake_detector import FakeDetector
from tests.service.support import CLEAR, SPUN
from unspun.model.verdict import Verdict
from unspun.service.client import Client, Problem, ProblemError, ServiceUnreachableError, UnspunError, verdict_from_dict

TOO_LONG = {"type": "urn:unspun:problem:too-many-words", "title": "The text is too long", "status": 413, "detail": "x"}
TOO_LARGE = {"type": "urn:unspun:problem:too-large", "title": "The body is too large", "status": 413, "detail": "x"}
BUSY = {"type": "urn:unspun:problem:overloaded", "title": "Busy", "status": 503, "detail": "x", "retry_after": 2}
BREAK_OFF = (0, b"", {})
"""In a script: close the connection instead of answering."""
SILENCE = (-1, b"", {})
"""In a script: leave the connection open and say nothing."""


@dataclass
class Script:
    """What the server answers, one after another (then verdicts), and what it was asked."""

    answers: list[tuple[int, bytes, dict[str, str]]] = field(default_factory=list)
    asked: list[tuple[str, bytes, dict[str, str]]] = field(default_factory=list)
    most_bytes: int = 1 << 30
    """A longer body is answered with 413."""
    stream_headers: dict[str, str] = field(default_factory=dict)
    streamed: list[bytes] = field(default_factory=list)
    """What came of streams, line by line."""
    over: threading.Event = field(default_factory=threading.Event)


def verdict(fields: dict[str, Any]) -> Verdict:
    asked = {name: fields[name] for name in ("evidence", "base_rate") if name in fields}
    return FakeDetector().score(fields["text"], id=fields.get("id"), **asked)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    script: Script

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        if self.path.endswith("/stream"):
            self._stream()
        else:
            self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, body: bytes) -> None:
        self.script.asked.append((self.path, body, dict(self.headers)))
        if self.script.answers:
            status, data, headers = self.script.answers.pop(0)
            if status <= 0:
                if status < 0:
                    self.script.over.wait()
                self.close_connection = True
                return
        elif len(body) > self.script.most_bytes:
            status, data, headers = problem(TOO_LARGE)
        else:
            fields = json.loads(body or b"{}")
            many = isinstance(fields, list)
            lines = [verdict(item).to_json() for item in (fields if many else [fields])]
            status, headers = 200, {}
            data = ("[" + ",".join(lines) + "]" if many else lines[0]).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def _stream(self) -> None:
        """Answer each line before reading the next, as the service does; some texts say what is to go wrong."""
        self.script.asked.append((self.path, b"", dict(self.headers)))
        if self.script.answers:
            self._answer(b"")
            self.close_connection = True
            return
        self.send_response(200)
        for name, value in {**self.script.stream_headers, "Transfer-Encoding": "chunked"}.items():
            self.send_header(name, value)
        self.end_headers()
        while size := int(self.rfile.readline() or b"0", 16):
            line = self.rfile.read(size)
            self.rfile.readline()
            self.script.streamed.append(line)
            if line.isspace():
                continue
            text = json.loads(line)["text"]
            if text == "break-off":
                self.close_connection = True
                return
            if text == "say-nothing":
                self.script.over.wait()
            elif text == "half-a-line":
                self.wfile.write(b'7\r\n{"id": \r\n')
                self.close_connection = True
                return
            bad = {**TOO_LONG, "line": len(self.script.streamed)}
            answer = (json.dumps(bad) if text == "too-long" else verdict(json.loads(line)).to_json()).encode() + b"\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(answer), answer))
        self.rfile.readline()
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def script() -> Script:
    return Script()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client who hangs up is no error of the server's."""


@pytest.fixture
def server(script: Script) -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), type("Scripted", (Handler,), {"script": script}))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    script.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def url(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}"


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def client(url: str, waits: list[float]) -> Iterator[Client]:
    with Client(url, retries=3, sleep=waits.append) as asked:
        yield asked


def until(done: Callable[[], bool]) -> None:
    """Wait for what happens in another thread."""
    ends = time.monotonic() + 20
    while not done():
        assert time.monotonic() < ends
        time.sleep(0.002)


def problem(document: dict[str, Any], **headers: str) -> tuple[int, bytes, dict[str, str]]:
    return document["status"], json.dumps(document).encode(), headers


# --- one text


def test_a_verdict_is_that_of_the_python_api(client: Client) -> None:
    assert client.score(SPUN, id="a") == FakeDetector().score(SPUN, id="a")


def test_a_verdict_gives_back_its_bytes() -> None:
    line = FakeDetector().score(SPUN, id="a", evidence=False).to_json()
    assert verdict_from_dict(json.loads(line)).to_json() == line


@pytest.mark.parametrize(("way", "texts"), [("score_many", [SPUN, CLEAR]), ("score_stream", [SPUN, CLEAR])])
def test_a_base_rate_holds_for_every_text_that_has_none_of_its_own(way: str, texts: list[str], client: Client) -> None:
    asked = [*texts, {"text": SPUN, "base_rate": 0.5}]
    assert list(getattr(client, way)(asked, base_rate=0.05)) == [
        *(FakeDetector().score(text, base_rate=0.05) for text in texts),
        FakeDetector().score(SPUN, base_rate=0.5),
    ]


def test_a_verdict_with_a_base_rate_has_a_probability(client: Client) -> None:
    assert client.score(SPUN, base_rate=0.05) == FakeDetector().score(SPUN, base_rate=0.05)


def test_without_a_base_rate_none_is_sent(client: Client, script: Script) -> None:
    client.score(SPUN)
    assert "base_rate" not in json.loads(script.asked[0][1])


def test_a_key_is_sent(url: str, script: Script) -> None:
    with Client(url, api_key="unspun_x") as client:
        client.score(SPUN)
    assert script.asked[0][2]["Authorization"] == "Bearer unspun_x"


def test_address_and_key_come_from_the_environment(url: str, script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNSPUN_URL", f"{url}/behind/a/prefix/")
    monkeypatch.setenv("UNSPUN_API_KEY", "unspun_y")
    with Client() as client:
        client.score(SPUN)
    path, _, headers = script.asked[0]
    assert (path, headers["Authorization"]) == ("/behind/a/prefix/v1/score", "Bearer unspun_y")


def test_an_empty_key_is_none(url: str, script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNSPUN_API_KEY", "")
    with Client(url) as client:
        client.score(SPUN)
    assert "Authorization" not in script.asked[0][2]


def test_a_key_that_is_none_is_told_at_once_and_not_quoted() -> None:
    with pytest.raises(ValueError, match="the API key has characters that no key has") as raised:
        Client(api_key="unspun_x\r\nHost: y")
    assert "unspun_x" not in str(raised.value)


def test_a_lone_surrogate_reaches_the_service(client: Client, script: Script) -> None:
    script.answers = [problem(TOO_LONG)]
    with pytest.raises(ProblemError):
        client.score("a \ud800 b")
    assert json.loads(script.asked[0][1])["text"] == "a \ud800 b"


def test_a_number_may_be_the_id(client: Client, script: Script) -> None:
    client.score(SPUN, id=7)
    assert json.loads(script.asked[0][1])["id"] == 7


def test_what_a_later_service_adds_is_passed_over() -> None:
    answer = FakeDetector().score(SPUN).to_dict()
    later = {**answer, "mood": "odd", "evidence": [{**item, "colour": "red"} for item in answer["evidence"]]}
    assert verdict_from_dict(later).to_dict() == answer


@pytest.mark.parametrize(
    "wrong", ["localhost:8000", "ftp://x", "http://", "http://x:99999", "http://[::1", "http://x/?key=1", "http://x y"]
)
def test_an_address_that_is_none_is_told_at_once(wrong: str) -> None:
    with pytest.raises(ValueError, match="write it like"):
        Client(wrong)


def test_a_password_in_an_address_is_refused_and_not_quoted() -> None:
    with pytest.raises(ValueError, match="give its key as api_key") as raised:
        Client("http://me:secret@127.0.0.1")
    assert "secret" not in str(raised.value)


def test_the_model_is_told(client: Client, script: Script) -> None:
    script.answers = [(200, b'{"name": "fake"}', {})]
    assert client.model() == {"name": "fake"}


@pytest.mark.parametrize(("status", "ready"), [(200, True), (503, False)])
def test_ready_is_what_the_service_says(status: int, ready: bool, client: Client, script: Script) -> None:
    script.answers = [(status, b"{}", {})]
    assert client.ready() is ready


# --- patience


@pytest.mark.parametrize("status", [429, 503])
def test_what_asks_for_patience_is_asked_again(status: int, client: Client, script: Script, waits: list[float]) -> None:
    script.answers = [problem({**BUSY, "status": status})] * 2
    assert client.score(SPUN).verdict == "paraphrased"
    assert waits == [2.0, 2.0]


def test_a_proxys_retry_after_is_heeded(client: Client, script: Script, waits: list[float]) -> None:
    script.answers = [(503, b"<html>", {"Retry-After": "7"})]
    client.score(SPUN)
    assert waits == [7.0]


def test_the_header_is_heeded_where_the_document_has_no_time(
    client: Client, script: Script, waits: list[float]
) -> None:
    script.answers = [problem({**TOO_LONG, "status": 503}, **{"Retry-After": "4"})]
    client.score(SPUN)
    assert waits == [4.0]


def test_a_retry_after_may_be_a_date(client: Client, script: Script, waits: list[float]) -> None:
    script.answers = [(503, b"", {"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"})]
    client.score(SPUN)
    assert waits == [60.0]


def test_nobody_waits_longer_than_a_minute(client: Client, script: Script, waits: list[float]) -> None:
    script.answers = [problem({**BUSY, "retry_after": 86_400})]
    client.score(SPUN)
    assert waits == [60.0]


def test_where_nothing_is_asked_for_waits_grow(client: Client, script: Script, waits: list[float]) -> None:
    script.answers = [BREAK_OFF, BREAK_OFF, BREAK_OFF]
    client.score(SPUN)
    assert [0.125 * 2**n <= wait <= 0.25 * 2**n for n, wait in enumerate(waits)] == [True] * 3


def test_patience_ends(client: Client, script: Script) -> None:
    script.answers = [problem(BUSY)] * 4
    with pytest.raises(ProblemError, match="503 Busy"):
        client.score(SPUN)
    assert len(script.asked) == 4


def test_a_service_that_is_not_there_is_told(waits: list[float]) -> None:
    with Client("http://127.0.0.1:1", retries=1, sleep=waits.append) as client:
        assert not client.ready()
        with pytest.raises(ServiceUnreachableError, match="is the service running there"):
            client.score(SPUN)


def test_a_negative_number_of_retries_is_refused() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        Client(retries=-1)


def test_an_answer_that_takes_too_long_is_not_asked_for_again(url: str, script: Script, waits: list[float]) -> None:
    script.answers = [SILENCE]
    with (
        Client(url, timeout=0.1, sleep=waits.append) as client,
        pytest.raises(ServiceUnreachableError, match=r"no answer within 0\.1 seconds"),
    ):
        client.score(SPUN)
    assert (len(script.asked), waits) == (1, [])


def test_other_problems_are_not_asked_again(client: Client, script: Script, waits: list[float]) -> None:
    script.answers = [problem({**TOO_LONG, "instance": "urn:unspun:request:r1"})]
    with pytest.raises(ProblemError) as raised:
        client.score(SPUN)
    assert (raised.value.status, raised.value.problem.request_id, waits) == (413, "r1", [])
    assert "imaginative" not in str(raised.value)


def test_the_answer_of_somebody_else_is_a_problem(client: Client, script: Script) -> None:
    script.answers = [(502, b"<html>Bad gateway</html>", {})]
    with pytest.raises(ProblemError, match="not the service's own answer"):
        client.score(SPUN)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"7", b'{"text": "imaginative"}', b'{"status": "imaginative"}'])
@pytest.mark.parametrize("many", [False, True])
def test_an_answer_that_is_no_verdict_is_told_and_not_quoted(
    body: bytes, many: bool, client: Client, script: Script
) -> None:
    script.answers = [(200, b"[%s]" % body if many else body, {})]
    with pytest.raises(UnspunError, match="none of unspun's") as raised:
        list(client.score_many([SPUN])) if many else client.score(SPUN)
    assert "imaginative" not in str(raised.value)


# --- many texts


def test_a_batch_gives_verdicts_and_problems_in_order(client: Client, script: Script) -> None:
    both = [FakeDetector().score(SPUN).to_dict(), TOO_LONG]
    script.answers = [(200, json.dumps(both).encode(), {})]
    first, second = client.score_many([SPUN, CLEAR])
    assert isinstance(first, Verdict)
    assert isinstance(second, Problem)
    assert second.status == 413


def test_many_texts_go_in_several_batches(client: Client, script: Script) -> None:
    answers = list(client.score_many({"id": str(i), "text": CLEAR} for i in range(250)))
    assert [answer.id for answer in answers if isinstance(answer, Verdict)] == [str(i) for i in range(250)]
    assert [len(json.loads(body)) for _, body, _ in script.asked] == [100, 100, 50]


def test_only_items_that_ask_for_patience_are_sent_again(client: Client, script: Script, waits: list[float]) -> None:
    mixed = [FakeDetector().score(SPUN).to_dict(), BUSY, TOO_LONG]
    script.answers = [(200, json.dumps(mixed).encode(), {})]
    answers = list(client.score_many([SPUN, CLEAR, CLEAR]))
    assert [getattr(a, "verdict", None) or getattr(a, "status", None) for a in answers] == ["paraphrased", "clear", 413]
    assert (len(json.loads(script.asked[1][1])), waits) == (1, [2.0])


def test_a_batch_that_gets_on_is_no_failure(url: str, script: Script, waits: list[float]) -> None:
    done = FakeDetector().score(SPUN).to_dict()
    rounds = [[done, BUSY, BUSY, BUSY], [done, BUSY, BUSY], [done, BUSY]]
    script.answers = [(200, json.dumps(items).encode(), {}) for items in rounds]
    with Client(url, retries=1, sleep=waits.append) as client:
        assert all(isinstance(answer, Verdict) for answer in client.score_many([SPUN] * 4))


def test_items_that_stay_refused_are_problems_in_the_end(client: Client, script: Script, waits: list[float]) -> None:
    script.answers = [(200, json.dumps([BUSY]).encode(), {})] * 4
    [answer] = client.score_many([SPUN])
    assert isinstance(answer, Problem)
    assert (answer.status, len(script.asked), len(waits)) == (503, 4, 3)


def test_one_text_that_is_too_large_does_not_fail_the_others(client: Client, script: Script) -> None:
    script.most_bytes = 1_000
    texts = [CLEAR] * 5 + ["word " * 1_000] + [SPUN] * 3
    answers = list(client.score_many(texts))
    assert [getattr(answer, "verdict", "problem") for answer in answers] == (
        ["clear"] * 5 + ["problem"] + ["paraphrased"] * 3
    )


def test_a_refusal_of_whatever_is_sent_is_raised(client: Client, script: Script) -> None:
    script.answers = [problem({**TOO_LONG, "status": 401, "title": "An API key is needed"})]
    with pytest.raises(ProblemError, match="401 An API key is needed"):
        list(client.score_many([SPUN, SPUN]))
    assert len(script.asked) == 1


def test_batches_are_bounded_by_bytes(client: Client, script: Script) -> None:
    list(client.score_many(["word " * 150_000] * 5))
    assert [len(json.loads(body)) for _, body, _ in script.asked] == [2, 2, 1]


def test_texts_are_read_as_their_batch_is_due(client: Client) -> None:
    numbers = itertools.count()
    next(client.score_many(f"{CLEAR} {next(numbers)}" for _ in range(1_000)))
    assert next(numbers) <= 101


@pytest.mark.parametrize("method", ["score_many", "score_stream"])
@pytest.mark.parametrize("one", [CLEAR, {"text": CLEAR}])
def test_one_text_is_no_list_of_texts(method: str, one: Any, client: Client) -> None:
    with pytest.raises(TypeError, match="this is one text"):
        next(getattr(client, method)(one))


# --- a stream


def test_a_stream_answers_in_order(client: Client) -> None:
    answers = list(client.score_stream({"id": str(i), "text": CLEAR} for i in range(100)))
    assert [answer.id for answer in answers if isinstance(answer, Verdict)] == [str(i) for i in range(100)]


def test_a_stream_far_larger_than_all_buffers_does_not_lock_up(client: Client) -> None:
    text = "word " * 20_000
    assert sum(1 for _ in client.score_stream(text for _ in range(300))) == 300


def test_a_stream_of_nothing_has_no_answers(client: Client) -> None:
    assert list(client.score_stream([])) == []


def test_an_answer_comes_before_the_next_text_is_made(client: Client) -> None:
    answered = threading.Semaphore(1)

    def texts() -> Iterator[str]:
        for _ in range(5):
            assert answered.acquire(timeout=20)
            yield CLEAR

    for _ in client.score_stream(texts()):
        answered.release()


def test_the_callers_texts_are_not_read_far_ahead(client: Client) -> None:
    made = itertools.count()
    large = (f"{next(made):>1000000}" for _ in range(1_000))
    answers = client.score_stream(itertools.chain([CLEAR, "say-nothing"], large))
    next(answers)
    time.sleep(0.3)  # by now all buffers are full, and the sender waits
    answers.close()  # type: ignore[attr-defined]
    assert next(made) < 50


def test_a_stream_whose_connection_is_to_be_closed_after_it_needs_no_other(client: Client, script: Script) -> None:
    script.stream_headers = {"Connection": "close"}

    def texts() -> Iterator[str]:
        for _ in range(20):
            yield CLEAR
            time.sleep(0.005)

    assert len(list(client.score_stream(texts()))) == 20
    assert len(script.asked) == 1


def test_a_stream_keeps_the_service_awake_while_the_caller_has_no_text(
    client: Client, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.client, "HEARTBEAT", 0.01)

    def texts() -> Iterator[str]:
        yield CLEAR
        until(lambda: script.streamed[1:].count(b"\n") >= 3)
        yield CLEAR

    assert len(list(client.score_stream(texts()))) == 2


def test_a_caller_may_take_its_time_over_answers(url: str) -> None:
    with Client(url, timeout=0.2) as client:
        answers = client.score_stream({"id": "i" * 50_000, "text": CLEAR * 1_000} for _ in range(300))
        next(answers)
        time.sleep(0.5)  # by now all buffers are full, on both ways
        assert sum(1 for _ in answers) == 299


def test_a_caller_may_take_its_time_over_texts(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service.client, "GLANCE", 0.02)

    def texts() -> Iterator[str]:
        yield CLEAR
        time.sleep(0.5)
        yield CLEAR

    with Client(url, timeout=0.1) as client:
        assert len(list(client.score_stream(texts()))) == 2


def test_a_service_that_falls_silent_is_told(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service.client, "GLANCE", 0.02)
    with (
        Client(url, timeout=0.1) as client,
        pytest.raises(ServiceUnreachableError, match=r"after 1 answers \(TimeoutError\)"),
    ):
        list(client.score_stream([CLEAR, "say-nothing"]))


def test_a_stream_ends_when_the_caller_does(client: Client) -> None:
    made = [0]

    def texts() -> Iterator[str]:
        yield CLEAR
        yield "say-nothing"
        while True:
            made[0] += 1
            yield CLEAR * 10_000

    answers = client.score_stream(texts())
    next(answers)
    before = -1
    while before != made[0]:  # until all buffers are full, and the sender waits
        before = made[0]
        time.sleep(0.3)
    started = time.monotonic()
    answers.close()  # type: ignore[attr-defined]
    until(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("unspun-")])
    assert time.monotonic() - started < 10  # far less than the client's timeout of 60


def test_a_problem_of_a_stream_tells_the_callers_line(
    client: Client, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.client, "HEARTBEAT", 0.01)

    def texts() -> Iterator[str]:
        yield CLEAR
        until(lambda: b"\n" in script.streamed)
        yield "too-long"

    _, bad = client.score_stream(texts())
    assert isinstance(bad, Problem)
    assert bad.document["line"] == 2


def test_a_stream_that_breaks_off_says_how_far_it_came(client: Client) -> None:
    answers = client.score_stream([CLEAR, CLEAR, "break-off", CLEAR])
    with pytest.raises(ServiceUnreachableError, match="after 2 answers"):
        list(answers)


def test_a_stream_that_breaks_off_in_a_line_says_how_far_it_came(client: Client) -> None:
    with pytest.raises(ServiceUnreachableError, match="after 1 answers"):
        list(client.score_stream([CLEAR, "half-a-line", CLEAR]))


def test_a_stream_waits_for_a_service_that_is_about_to_start(script: Script) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    servers: list[Server] = []

    def start_it(wait: float) -> None:
        servers.append(Server(("127.0.0.1", port), type("Scripted", (Handler,), {"script": script})))
        threading.Thread(target=servers[0].serve_forever, args=(0.01,)).start()

    with Client(f"http://127.0.0.1:{port}", sleep=start_it) as client:
        assert len(list(client.score_stream([CLEAR]))) == 1
    servers[0].shutdown()
    servers[0].server_close()


def test_a_service_that_is_not_there_gets_no_stream(waits: list[float]) -> None:
    with (
        Client("http://127.0.0.1:1", retries=2, sleep=waits.append) as client,
        pytest.raises(ServiceUnreachableError, match="is the service running there"),
    ):
        list(client.score_stream([CLEAR]))
    assert len(waits) == 2


def test_a_stream_that_is_refused_is_a_problem(client: Client, script: Script) -> None:
    script.answers = [problem({**BUSY, "status": 401, "title": "An API key is needed"})]
    with pytest.raises(ProblemError, match="401 An API key is needed"):
        list(client.score_stream([SPUN]))


def test_what_goes_wrong_with_the_callers_texts_is_the_callers(client: Client) -> None:
    def texts() -> Iterator[str]:
        yield CLEAR
        raise ConnectionError("mine")  # and not taken for the service's

    with pytest.raises(ConnectionError, match="mine"):
        list(client.score_stream(texts()))


def test_what_came_before_the_callers_own_failure_is_answered(client: Client) -> None:
    def texts() -> Iterator[str]:
        yield CLEAR
        yield CLEAR
        raise ZeroDivisionError("mine")

    answers = client.score_stream(texts())
    assert [next(answers), next(answers)] == [FakeDetector().score(CLEAR)] * 2


# --- encrypted


@pytest.fixture
def encrypted(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the address of the server behind a certificate that this process trusts."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("makes a certificate with openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    options = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    made = [openssl, *options.split(), "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate]
    subprocess.run(made, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    return f"https://127.0.0.1:{server.server_address[1]}"


def test_an_encrypted_service_answers(encrypted: str) -> None:
    with Client(encrypted) as client:
        assert client.score(SPUN).verdict == "paraphrased"


def test_an_encrypted_stream_goes_both_ways_at_once(encrypted: str) -> None:
    with Client(encrypted) as client:
        answers = list(client.score_stream({"id": f"{i:>20000}", "text": "word " * 10_000} for i in range(200)))
    assert [int(answer.id or "") for answer in answers if isinstance(answer, Verdict)] == list(range(200))


@pytest.mark.parametrize("ask", [lambda c: c.score(SPUN), lambda c: list(c.score_stream([SPUN]))])
def test_a_certificate_that_nobody_vouches_for_is_told_at_once(
    ask: Callable[[Client], Any], encrypted: str, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with (
        Client(encrypted, sleep=waits.append) as client,
        pytest.raises(ServiceUnreachableError, match="a certificate that is trusted here"),
    ):
        ask(client)
    assert waits == []


# --- what it is made of


def test_the_client_is_light() -> None:
    heavy = "{'numpy', 'sklearn', 'flask', 'gevent', 'onnxruntime', 'trafilatura'}"
    code = f"import sys, service.client; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"

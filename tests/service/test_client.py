"""service/client.py against a scripted server: what it sends, what it gives back, and when it asks again."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from model.verdict import Verdict
from service.client import Client, Problem, ProblemError, ServiceUnreachableError, verdict_from_dict
from tests.service.fake_detector import FakeDetector
from tests.service.support import CLEAR, SPUN

TOO_LONG = {"type": "urn:unspun:problem:too-many-words", "title": "The text is too long", "status": 413, "detail": "x"}
BUSY = {"type": "urn:unspun:problem:overloaded", "title": "Busy", "status": 503, "detail": "x", "retry_after": 2}
BREAK_OFF = (0, b"", {})
"""In a script: close the connection instead of answering."""


@dataclass
class Script:
    """What the server answers, one after another (then verdicts), and what it was asked."""

    answers: list[tuple[int, bytes, dict[str, str]]] = field(default_factory=list)
    asked: list[tuple[str, bytes, dict[str, str]]] = field(default_factory=list)


def verdict(fields: dict[str, Any]) -> Verdict:
    return FakeDetector().score(fields["text"], id=fields.get("id"), evidence=fields.get("evidence", True))


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
            if not status:
                self.close_connection = True
                return
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
        """Answer each line before reading the next."""
        self.script.asked.append((self.path, b"", dict(self.headers)))
        if self.script.answers:
            self._answer(b"")
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while size := int(self.rfile.readline(), 16):
            line = self.rfile.read(size)
            self.rfile.readline()
            if b"break-off" in line:
                self.close_connection = True
                return
            answer = verdict(json.loads(line)).to_json().encode() + b"\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(answer), answer))
        self.rfile.readline()
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def url(script: Script) -> Iterator[str]:
    handler = type("Scripted", (Handler,), {"script": script})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def client(url: str, waits: list[float]) -> Iterator[Client]:
    with Client(url, retries=3, sleep=waits.append) as asked:
        yield asked


def problem(document: dict[str, Any], **headers: str) -> tuple[int, bytes, dict[str, str]]:
    return document["status"], json.dumps(document).encode(), headers


# --- one text


def test_a_verdict_is_that_of_the_python_api(client: Client) -> None:
    assert client.score(SPUN, id="a") == FakeDetector().score(SPUN, id="a")


def test_a_verdict_gives_back_its_bytes() -> None:
    line = FakeDetector().score(SPUN, id="a", evidence=False).to_json()
    assert verdict_from_dict(json.loads(line)).to_json() == line


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


@pytest.mark.parametrize("wrong", ["localhost:8000", "ftp://x", "http://"])
def test_an_address_that_is_none_is_told_at_once(wrong: str) -> None:
    with pytest.raises(ValueError, match="write it like"):
        Client(wrong)


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


def test_other_problems_are_not_asked_again(client: Client, script: Script, waits: list[float]) -> None:
    script.answers = [problem({**TOO_LONG, "instance": "urn:unspun:request:r1"})]
    with pytest.raises(ProblemError) as raised:
        client.score(SPUN)
    assert (raised.value.problem.status, raised.value.problem.request_id, waits) == (413, "r1", [])
    assert "imaginative" not in str(raised.value)


def test_the_answer_of_somebody_else_is_a_problem(client: Client, script: Script) -> None:
    script.answers = [(502, b"<html>Bad gateway</html>", {})]
    with pytest.raises(ProblemError, match="not the service's own answer"):
        client.score(SPUN)


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


def test_a_stream_answers_in_order(client: Client) -> None:
    answers = list(client.score_stream({"id": str(i), "text": CLEAR} for i in range(100)))
    assert [answer.id for answer in answers if isinstance(answer, Verdict)] == [str(i) for i in range(100)]


def test_a_stream_far_larger_than_all_buffers_does_not_lock_up(client: Client) -> None:
    text = "word " * 20_000
    assert sum(1 for _ in client.score_stream(text for _ in range(300))) == 300


def test_a_stream_ends_when_the_caller_does(client: Client) -> None:
    made = 0

    def texts() -> Iterator[str]:
        nonlocal made
        while True:
            made += 1
            yield CLEAR * 1_000

    answers = client.score_stream(texts())
    next(answers)
    answers.close()  # type: ignore[attr-defined]
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("unspun-stream")]
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)


def test_a_stream_that_breaks_off_says_how_far_it_came(client: Client) -> None:
    answers = client.score_stream([CLEAR, CLEAR, "break-off", CLEAR])
    with pytest.raises(ServiceUnreachableError, match="after 2 answers"):
        list(answers)


def test_a_stream_that_is_refused_is_a_problem(client: Client, script: Script) -> None:
    script.answers = [problem({**BUSY, "status": 401, "title": "An API key is needed"})]
    with pytest.raises(ProblemError, match="401 An API key is needed"):
        list(client.score_stream([SPUN]))


def test_what_goes_wrong_with_the_callers_texts_is_the_callers(client: Client) -> None:
    def texts() -> Iterator[str]:
        yield CLEAR
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        list(client.score_stream(texts()))


def test_the_client_is_light() -> None:
    heavy = "{'numpy', 'sklearn', 'flask', 'gevent', 'onnxruntime', 'trafilatura'}"
    code = f"import sys, service.client; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"

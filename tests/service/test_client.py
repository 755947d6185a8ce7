"""service/client.py against a scripted server: what it sends, what it returns, and when it retries."""

from __future__ import annotations

import http.server
import itertools
import json
import shutil
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

from tests.service.fake_detector import FakeDetector
from tests.service.support import CLEAR, SPUN, free_port, wait_until
from unspun.model.verdict import Verdict
from unspun.service.client import Client, Problem, ProblemError, ServiceUnreachableError, UnspunError, verdict_from_dict

TOO_LONG = {"type": "urn:unspun:problem:too-many-words", "title": "The text is too long", "status": 413, "detail": "x"}
TOO_LARGE = {"type": "urn:unspun:problem:too-large", "title": "The body is too large", "status": 413, "detail": "x"}
BUSY = {"type": "urn:unspun:problem:overloaded", "title": "Busy", "status": 503, "detail": "x", "retry_after": 2}
BREAK_OFF = (0, b"", {})
"""In a script: close the connection instead of answering."""
SILENCE = (-1, b"", {})
"""In a script: keep the connection open and send nothing."""


@dataclass
class Script:
    """The server's answers, in order (verdicts after the last one), and the requests that it got."""

    answers: list[tuple[int, bytes, dict[str, str]]] = field(default_factory=list)
    asked: list[tuple[str, bytes, dict[str, str]]] = field(default_factory=list)
    most_bytes: int = 1 << 30
    """Longer bodies are answered with 413."""
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

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def script() -> Script:
    return Script()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that hang up."""


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


def problem(document: dict[str, Any], **headers: str) -> tuple[int, bytes, dict[str, str]]:
    return document["status"], json.dumps(document).encode(), headers


# --- one text


def test_a_verdict_is_the_same_as_in_the_python_api(client: Client) -> None:
    assert client.score(SPUN, id="a") == FakeDetector().score(SPUN, id="a")


def test_a_rebuilt_verdict_has_the_same_bytes() -> None:
    line = FakeDetector().score(SPUN, id="a", evidence=False).to_json()
    assert verdict_from_dict(json.loads(line)).to_json() == line


@pytest.mark.parametrize("method", ["score_many", "score_stream"])
def test_a_base_rate_applies_to_every_text_without_its_own(method: str, client: Client) -> None:
    texts = [SPUN, CLEAR, {"text": SPUN, "base_rate": 0.5}]
    assert list(getattr(client, method)(texts, base_rate=0.05)) == [
        FakeDetector().score(text, base_rate=rate) for text, rate in ((SPUN, 0.05), (CLEAR, 0.05), (SPUN, 0.5))
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


def test_an_empty_key_is_not_sent(url: str, script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNSPUN_API_KEY", "")
    with Client(url) as client:
        client.score(SPUN)
    assert "Authorization" not in script.asked[0][2]


def test_an_invalid_key_is_refused_and_not_quoted() -> None:
    with pytest.raises(ValueError, match="the API key has invalid characters") as raised:
        Client(api_key="unspun_x\r\nHost: y")
    assert "unspun_x" not in str(raised.value)


def test_a_lone_surrogate_reaches_the_service(client: Client, script: Script) -> None:
    script.answers = [problem(TOO_LONG)]
    with pytest.raises(ProblemError):
        client.score("a \ud800 b")
    assert json.loads(script.asked[0][1])["text"] == "a \ud800 b"


def test_an_id_may_be_a_number(client: Client, script: Script) -> None:
    client.score(SPUN, id=7)
    assert json.loads(script.asked[0][1])["id"] == 7


def test_unknown_fields_from_a_newer_service_are_ignored() -> None:
    answer = FakeDetector().score(SPUN).to_dict()
    later = {**answer, "mood": "odd", "evidence": [{**item, "colour": "red"} for item in answer["evidence"]]}
    assert verdict_from_dict(later).to_dict() == answer


@pytest.mark.parametrize(
    "wrong", ["localhost:8000", "ftp://x", "http://", "http://x:99999", "http://[::1", "http://x/?key=1", "http://x y"]
)
def test_an_invalid_address_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="is not the address of a service"):
        Client(wrong)


def test_a_password_in_an_address_is_refused_and_not_quoted() -> None:
    with pytest.raises(ValueError, match="pass the API key as api_key") as raised:
        Client("http://me:secret@127.0.0.1")
    assert "secret" not in str(raised.value)


def test_the_model_is_described(client: Client, script: Script) -> None:
    script.answers = [(200, b'{"name": "fake"}', {})]
    assert client.model() == {"name": "fake"}


@pytest.mark.parametrize(("status", "ready"), [(200, True), (503, False)])
def test_ready_follows_the_status_of_the_service(status: int, ready: bool, client: Client, script: Script) -> None:
    script.answers = [(status, b"{}", {})]
    assert client.ready() is ready


# --- retries


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_service_is_asked_again(status: int, client: Client, script: Script, waits: list[float]) -> None:
    script.answers = [problem({**BUSY, "status": status})] * 2
    assert client.score(SPUN).verdict == "paraphrased"
    assert waits == [2.0, 2.0]


@pytest.mark.parametrize(
    ("answer", "pause"),
    [
        ((503, b"<html>", {"Retry-After": "7"}), 7.0),
        (problem({**TOO_LONG, "status": 503}, **{"Retry-After": "4"}), 4.0),
        ((503, b"", {"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}), 60.0),
        (problem({**BUSY, "retry_after": 86_400}), 60.0),
    ],
    ids=["header of a proxy", "header beside a document without a time", "a date", "more than a minute"],
)
def test_the_pause_is_as_long_as_requested_but_at_most_a_minute(
    answer: tuple[int, bytes, dict[str, str]], pause: float, client: Client, script: Script, waits: list[float]
) -> None:
    script.answers = [answer]
    client.score(SPUN)
    assert waits == [pause]


def test_pauses_grow_if_the_service_asks_for_none(client: Client, script: Script, waits: list[float]) -> None:
    script.answers = [BREAK_OFF, BREAK_OFF, BREAK_OFF]
    client.score(SPUN)
    assert [0.125 * 2**n <= wait <= 0.25 * 2**n for n, wait in enumerate(waits)] == [True] * 3


def test_retries_end(client: Client, script: Script) -> None:
    script.answers = [problem(BUSY)] * 4
    with pytest.raises(ProblemError, match="503 Busy"):
        client.score(SPUN)
    assert len(script.asked) == 4


def test_a_service_that_is_not_running_is_reported(waits: list[float]) -> None:
    with Client("http://127.0.0.1:1", retries=1, sleep=waits.append) as client:
        assert not client.ready()
        with pytest.raises(ServiceUnreachableError, match="is the service running"):
            client.score(SPUN)


def test_a_negative_number_of_retries_is_refused() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        Client(retries=-1)


def test_a_request_that_times_out_is_not_retried(url: str, script: Script, waits: list[float]) -> None:
    script.answers = [SILENCE]
    with (
        Client(url, timeout=0.1, sleep=waits.append) as client,
        pytest.raises(ServiceUnreachableError, match=r"no answer within 0\.1 seconds"),
    ):
        client.score(SPUN)
    wait_until(lambda: bool(script.asked))
    assert (len(script.asked), waits) == (1, [])


def test_other_problems_are_not_retried(client: Client, script: Script, waits: list[float]) -> None:
    script.answers = [problem({**TOO_LONG, "instance": "urn:unspun:request:r1"})]
    with pytest.raises(ProblemError) as raised:
        client.score(SPUN)
    assert (raised.value.status, raised.value.problem.request_id, waits) == (413, "r1", [])
    assert "imaginative" not in str(raised.value)


def test_an_answer_from_a_proxy_is_a_problem(client: Client, script: Script) -> None:
    script.answers = [(502, b"<html>Bad gateway</html>", {})]
    with pytest.raises(ProblemError, match="This answer is not from unspun"):
        client.score(SPUN)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"7", b'{"text": "imaginative"}', b'{"status": "imaginative"}'])
@pytest.mark.parametrize("many", [False, True])
def test_an_answer_that_is_not_a_verdict_is_reported_and_not_quoted(
    body: bytes, many: bool, client: Client, script: Script
) -> None:
    script.answers = [(200, b"[%s]" % body if many else body, {})]
    with pytest.raises(UnspunError, match="The answer is not from unspun") as raised:
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


def test_many_texts_are_sent_in_several_batches(client: Client, script: Script) -> None:
    answers = list(client.score_many({"id": str(i), "text": CLEAR} for i in range(250)))
    assert [answer.id for answer in answers if isinstance(answer, Verdict)] == [str(i) for i in range(250)]
    assert [len(json.loads(body)) for _, body, _ in script.asked] == [100, 100, 50]


def test_only_items_that_were_turned_away_are_sent_again(client: Client, script: Script, waits: list[float]) -> None:
    mixed = [FakeDetector().score(SPUN).to_dict(), BUSY, TOO_LONG]
    script.answers = [(200, json.dumps(mixed).encode(), {})]
    answers = list(client.score_many([SPUN, CLEAR, CLEAR]))
    assert [getattr(a, "verdict", None) or getattr(a, "status", None) for a in answers] == ["paraphrased", "clear", 413]
    assert (len(json.loads(script.asked[1][1])), waits) == (1, [2.0])


def test_a_batch_that_makes_progress_does_not_use_up_the_retries(url: str, script: Script, waits: list[float]) -> None:
    done = FakeDetector().score(SPUN).to_dict()
    rounds = [[done, BUSY, BUSY, BUSY], [done, BUSY, BUSY], [done, BUSY]]
    script.answers = [(200, json.dumps(items).encode(), {}) for items in rounds]
    with Client(url, retries=1, sleep=waits.append) as client:
        assert all(isinstance(answer, Verdict) for answer in client.score_many([SPUN] * 4))


def test_items_that_are_always_turned_away_become_problems(client: Client, script: Script, waits: list[float]) -> None:
    script.answers = [(200, json.dumps([BUSY]).encode(), {})] * 4
    [answer] = client.score_many([SPUN])
    assert isinstance(answer, Problem)
    assert (answer.status, len(script.asked), len(waits)) == (503, 4, 3)


def test_one_text_that_is_too_large_does_not_affect_the_others(client: Client, script: Script) -> None:
    script.most_bytes = 1_000
    texts = [CLEAR] * 5 + ["word " * 1_000] + [SPUN] * 3
    answers = list(client.score_many(texts))
    assert [getattr(answer, "verdict", "problem") for answer in answers] == (
        ["clear"] * 5 + ["problem"] + ["paraphrased"] * 3
    )


@pytest.mark.parametrize("method", ["score_many", "score_stream"])
def test_a_refused_request_raises_the_problem(method: str, client: Client, script: Script) -> None:
    script.answers = [problem({**TOO_LONG, "status": 401, "title": "An API key is needed"})]
    with pytest.raises(ProblemError, match="401 An API key is needed"):
        list(getattr(client, method)([SPUN, SPUN]))
    assert len(script.asked) == 1


def test_batches_are_bounded_by_bytes(client: Client, script: Script) -> None:
    list(client.score_many(["word " * 150_000] * 5))
    assert [len(json.loads(body)) for _, body, _ in script.asked] == [2, 2, 1]


def test_texts_are_read_one_batch_at_a_time(client: Client) -> None:
    numbers = itertools.count()
    next(client.score_many(f"{CLEAR} {next(numbers)}" for _ in range(1_000)))
    assert next(numbers) <= 101


@pytest.mark.parametrize("method", ["score_many", "score_stream"])
@pytest.mark.parametrize("one", [CLEAR, {"text": CLEAR}])
def test_a_single_text_is_not_a_list_of_texts(method: str, one: Any, client: Client) -> None:
    with pytest.raises(TypeError, match="this is a single text"):
        next(getattr(client, method)(one))


# --- a stream


def test_a_stream_answers_in_order(client: Client) -> None:
    answers = list(client.score_stream({"id": str(i), "text": CLEAR} for i in range(250)))
    assert [answer.id for answer in answers if isinstance(answer, Verdict)] == [str(i) for i in range(250)]


def test_a_stream_sends_the_texts_that_are_there_in_batches(client: Client, script: Script) -> None:
    list(client.score_stream([CLEAR] * 1000))
    sizes = [len(json.loads(body)) for _, body, _ in script.asked]
    assert (sum(sizes), max(sizes) <= 100, len(sizes) < 100) == (1000, True, True)


def test_an_empty_stream_has_no_answers(client: Client, script: Script) -> None:
    assert list(client.score_stream([])) == []
    assert script.asked == []


def test_an_answer_comes_before_the_next_text_is_made(client: Client) -> None:
    answered = threading.Semaphore(1)

    def texts() -> Iterator[str]:
        for _ in range(5):
            assert answered.acquire(timeout=20)
            yield CLEAR

    for _ in client.score_stream(texts()):
        answered.release()


def test_a_stream_reads_at_most_two_batches_ahead(client: Client) -> None:
    made = itertools.count()
    answers = client.score_stream(f"{next(made):>1000000}" for _ in range(1_000))
    next(answers)
    time.sleep(0.1)  # for a reader that does not stop
    answers.close()  # type: ignore[attr-defined]
    assert next(made) <= 5  # two batches of two megabytes, and the text that does not fit any more


def test_a_stream_ends_when_the_caller_ends_it(client: Client) -> None:
    answers = client.score_stream(itertools.repeat(CLEAR))
    next(answers)
    readers = [thread for thread in threading.enumerate() if thread.name == "unspun-reader"]
    assert readers
    answers.close()  # type: ignore[attr-defined]
    for reader in readers:  # another test's may not have ended yet
        reader.join(20)
        assert not reader.is_alive()


def test_a_problem_in_a_stream_has_the_number_of_its_text(client: Client, script: Script) -> None:
    script.most_bytes = 10_000
    answers = list(client.score_stream([CLEAR, CLEAR, "word " * 10_000, CLEAR]))
    [(place, bad)] = [(i, answer) for i, answer in enumerate(answers, 1) if isinstance(answer, Problem)]
    assert (place, bad.document["line"], bad.status) == (3, 3, 413)


@pytest.mark.parametrize(
    ("broken", "problem"), [(BREAK_OFF, "is the service running"), (SILENCE, "no answer within 3 seconds")]
)
def test_a_stream_whose_service_fails_says_how_many_answers_came(
    broken: tuple[int, bytes, dict[str, str]], problem: str, url: str, script: Script
) -> None:
    with Client(url, timeout=3, retries=0) as client:
        answers = client.score_stream(itertools.repeat(CLEAR))
        next(answers)
        script.answers = [broken] * 3
        with pytest.raises(ServiceUnreachableError, match=rf"{problem}.*the stream ended after [1-9]\d* answers"):
            list(answers)


def test_a_stream_waits_for_a_service_that_is_about_to_start(script: Script) -> None:
    port = free_port()
    servers: list[Server] = []

    def start_it(wait: float) -> None:
        servers.append(Server(("127.0.0.1", port), type("Scripted", (Handler,), {"script": script})))
        threading.Thread(target=servers[0].serve_forever, args=(0.01,)).start()

    with Client(f"http://127.0.0.1:{port}", sleep=start_it) as client:
        assert len(list(client.score_stream([CLEAR]))) == 1
    servers[0].shutdown()
    servers[0].server_close()


@pytest.mark.parametrize("error", [ConnectionError("mine"), ZeroDivisionError("mine"), ServiceUnreachableError("mine")])
def test_an_error_of_the_callers_texts_is_raised_after_the_answers_before_it(error: Exception, client: Client) -> None:
    def texts() -> Iterator[str]:
        yield CLEAR
        yield CLEAR
        raise error

    answers = client.score_stream(texts())
    assert [next(answers), next(answers)] == [FakeDetector().score(CLEAR)] * 2
    with pytest.raises(type(error), match=r"^mine$"):
        next(answers)


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


@pytest.mark.parametrize("ask", [lambda c: c.score(SPUN), lambda c: list(c.score_stream([SPUN]))])
def test_an_untrusted_certificate_is_reported_at_once(
    ask: Callable[[Client], Any], encrypted: str, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with (
        Client(encrypted, sleep=waits.append) as client,
        pytest.raises(ServiceUnreachableError, match="a certificate trusted here"),
    ):
        ask(client)
    assert waits == []


# --- imports


def test_the_client_imports_no_heavy_library() -> None:
    heavy = "{'numpy', 'sklearn', 'flask', 'gevent', 'onnxruntime', 'trafilatura'}"
    code = f"import sys, unspun.service.client; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


# --- files


def test_a_file_is_uploaded_with_the_options_and_each_document_is_answered(
    client: Client, script: Script, tmp_path: Path
) -> None:
    file = tmp_path / "a.csv"
    file.write_text("story\none\n")
    unread = {"type": "urn:unspun:problem:unreadable", "title": "x", "status": 422, "detail": "x", "line": 3}
    script.answers = [(200, json.dumps([FakeDetector().score(SPUN).to_dict(), unread]).encode(), {})]
    first, second = client.score_files([file], text_field="story", evidence=False)
    assert isinstance(first, Verdict)
    assert isinstance(second, Problem)
    [(path, body, headers)] = script.asked
    assert (path, headers["Content-Type"].partition(";")[0]) == ("/v1/score/upload", "multipart/form-data")
    for part in (f'filename="{file}"', 'name="text_field"\r\n\r\nstory', 'name="evidence"\r\n\r\nfalse', "one"):
        assert part.encode() in body


def test_a_file_that_is_too_large_does_not_affect_the_others(client: Client, script: Script, tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("words")
    answer = json.dumps([FakeDetector().score(SPUN).to_dict()]).encode()
    script.answers = [problem(TOO_LARGE), (200, answer, {})]
    first, second = client.score_files([tmp_path / "a.txt", tmp_path / "b.txt"])
    assert isinstance(first, Problem)
    assert (first.status, first.document["file"]) == (413, str(tmp_path / "a.txt"))
    assert isinstance(second, Verdict)

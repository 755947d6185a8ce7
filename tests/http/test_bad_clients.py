"""A client that misbehaves gets a problem document or a closed connection, and all others are served."""

from __future__ import annotations

import gzip
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.http.running import ROOT, Answer, Service, receive_all

SECRET = "Confidential-Manuscript"
TEXT = (ROOT / "seeds" / "examples" / "human" / "04-night-train.txt").read_text("utf-8")
LINE = json.dumps({"id": "a", "text": TEXT}).encode() + b"\n"


@pytest.fixture(autouse=True)
def unharmed(request: pytest.FixtureRequest) -> Iterator[None]:
    """After every test, the same workers still answer, and the log contains no text."""
    service: Service = request.getfixturevalue("impatient" if "impatient" in request.fixturenames else "service")
    before = service.workers()
    yield
    assert service.post("/v1/score", {"text": TEXT}).status == 200
    assert service.workers() == before
    assert SECRET not in json.dumps(service.log)
    assert TEXT[:30] not in json.dumps(service.log)
    assert service.errors == []


def problem_in(received: bytes) -> tuple[int, str]:
    """Return the status and the problem's name of a raw answer."""
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    return int(head.split()[1]), str(json.loads(body)["type"]).rpartition(":")[2]


def head(path: str = "/v1/score", **headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def is_too_large(answer: Answer) -> bool:
    return (answer.status, answer.json["type"]) == (413, "urn:unspun:problem:too-large")


def memory(service: Service) -> int:
    """Return the private memory of the workers in bytes."""
    total = 0
    for worker in service.workers():
        for line in Path(f"/proc/{worker}/smaps_rollup").read_text().splitlines():
            if line.startswith(("Private_Clean", "Private_Dirty")):
                total += int(line.split()[1]) * 1024
    return total


def memory_when_warm(service: Service) -> int:
    """Return the same, once it has not grown for two seconds: a worker warms up after it is ready."""
    seen = [memory(service)]
    while len(seen) < 5 or max(seen[-4:]) > seen[-5] + 1_000_000:
        time.sleep(0.5)
        seen.append(memory(service))
    return seen[-1]


def test_a_body_of_fifty_megabytes_is_too_large(service: Service) -> None:
    assert is_too_large(service.post("/v1/score", bytes(50_000_000), "text/plain"))


def test_a_chunked_body_of_fifty_megabytes_is_too_large(service: Service) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(50):
            yield SECRET.encode() * 43_479

    assert is_too_large(service.ask("POST", "/v1/score", pieces(), {"Content-Type": "text/plain"}))


def test_large_bodies_leak_no_memory(service: Service) -> None:
    service.post("/v1/score", bytes(50_000_000), "text/plain")
    before = memory_when_warm(service)
    for _ in range(5):
        service.post("/v1/score", bytes(50_000_000), "text/plain")
    assert memory(service) < before + 30_000_000


def test_a_gzip_bomb_is_too_large(service: Service) -> None:
    bomb = gzip.compress(bytes(200_000_000))
    assert is_too_large(service.post("/v1/score", bomb, "text/plain", Content_Encoding="gzip"))


def test_deeply_nested_json_is_a_bad_request(service: Service) -> None:
    assert service.post("/v1/score", b"[" * 500_000).status == 400


def test_a_batch_of_a_hundred_thousand_items_is_too_large(service: Service) -> None:
    assert service.post("/v1/score/batch", b"[" + b"{}," * 99_999 + b"{}]").status == 413


def test_an_incomplete_body_times_out(impatient: Service) -> None:
    received = impatient.raw(head(Content_Type="application/json", Content_Length="1000") + b'{"text": "', finish=False)
    assert problem_in(received) == (408, "request-timeout")


def test_a_slowly_sent_body_times_out(impatient: Service) -> None:
    with impatient.connect() as connection:
        connection.sendall(head(Content_Type="application/json", Content_Length="1000"))
        connection.settimeout(0.05)
        ends = time.monotonic() + 30
        received = b""
        while not received and time.monotonic() < ends:
            try:
                connection.send(b" ")
                received = connection.recv(1 << 16)
            except TimeoutError:
                continue
        connection.settimeout(30)
        received += receive_all(connection)
    assert problem_in(received) == (408, "request-timeout")


def test_slowly_sent_headers_time_out(impatient: Service) -> None:
    with impatient.connect() as connection:
        connection.settimeout(0.05)
        received = b""
        for byte in head(X_Dripping=SECRET * 20):
            try:
                connection.send(bytes([byte]))
                received = connection.recv(1 << 16)
            except TimeoutError:
                continue
            if received:
                break
        connection.settimeout(30)
        received += receive_all(connection)
    assert problem_in(received) == (408, "request-timeout")


def test_two_hundred_slow_clients_delay_no_other(impatient: Service) -> None:
    slow = [impatient.connect() for _ in range(200)]
    try:
        for i, connection in enumerate(slow):
            connection.sendall(head(Content_Type="text/plain", Content_Length="9") if i % 2 else b"POST /v1/sc")
        statuses = [impatient.post("/v1/score", {"text": TEXT}).status for _ in range(10)]
        answers = [receive_all(connection) for connection in slow]
    finally:
        for connection in slow:
            connection.close()
    assert statuses == [200] * 10
    assert {problem_in(answer) for answer in answers} == {(408, "request-timeout")}


def test_a_truncated_body_is_a_bad_request(service: Service) -> None:
    received = service.raw(head(Content_Type="application/json", Content_Length="1000") + b'{"text": "x"}')
    assert problem_in(received) == (400, "invalid-request")


@pytest.mark.parametrize(
    "sent",
    [
        os.urandom(200).replace(b"\n", b"") + b"\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
        b"POST /v1/score HTTP/1.1\r\nHost: x\r\nbroken header\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /" + SECRET.encode() * 400 + b" HTTP/1.1\r\n\r\n",
    ],
    ids=["random", "version", "length", "header", "tls", "long line"],
)
def test_input_that_is_not_http_gets_a_problem_document(sent: bytes, service: Service) -> None:
    status, name = problem_in(service.raw(sent))
    assert (400 <= status < 500, name) == (True, "invalid-request")


CHUNKED = head(Content_Type="application/json", Transfer_Encoding="chunked")


def json_body(body: bytes, **headers: str) -> bytes:
    return head(Content_Type="application/json", Content_Length=str(len(body)), **headers) + body


@pytest.mark.parametrize(
    "sent",
    [
        os.urandom(3_000),
        b"EHLO example.org\r\n",
        head(X_Long="x" * 20_000),
        head(Content_Length="-1"),
        head(Content_Length="9", content_length="90") + b"{not json",
        head(Transfer_Encoding="chunked", Content_Length="5") + b"0\r\n\r\n",
        CHUNKED + b"ffffffffffffffffffff\r\nabc\r\n",
        json_body(b"{not json"),
        json_body(b'{"txt": 1}'),
        json_body(b'{"text": "' + b"\xff" * 200 + b'"}'),
        json_body(os.urandom(200), Content_Encoding="gzip"),
    ],
    ids=[
        "random",
        "smtp",
        "long header",
        "negative length",
        "two lengths",
        "length and chunks",
        "huge chunk",
        "no json",
        "unknown field",
        "no utf-8",
        "no gzip",
    ],
)
def test_a_malformed_request_gets_a_4xx_problem(sent: bytes, service: Service) -> None:
    assert problem_in(service.raw(sent))[0] in (400, 408, 422)


def test_broken_chunks_are_a_bad_request(service: Service) -> None:
    assert problem_in(service.raw(CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n")) == (400, "invalid-request")


def test_clients_may_disconnect_before_the_response(service: Service) -> None:
    for _ in range(10):
        connection = service.connect()
        connection.sendall(json_body(LINE))
        connection.close()


def test_pipelined_requests_are_answered_in_order(service: Service) -> None:
    bodies = [json.dumps({"id": str(i), "text": TEXT}).encode() for i in range(5)]
    received = service.raw(b"".join(map(json_body, bodies)))
    assert [part[:1] for part in received.split(b'{"id": "')[1:]] == [b"0", b"1", b"2", b"3", b"4"]


def test_a_connection_stays_open_after_a_problem(service: Service) -> None:
    bad = head("/v1/nothing", Content_Type="text/plain", Content_Length="9") + b"too much."
    received = service.raw(bad + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"404" in received
    assert b'{"status":"ok"}' in received


# --- streams


class Chunks:
    """A stream that is sent and read piece by piece."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._file = connection.makefile("rb")
        connection.sendall(head("/v1/score/stream", Content_Type="application/x-ndjson", Transfer_Encoding="chunked"))
        self._headers_read = False

    def send(self, data: bytes) -> None:
        self._connection.sendall(b"%x\r\n%s\r\n" % (len(data), data))

    def end(self) -> None:
        self._connection.sendall(b"0\r\n\r\n")

    def line(self) -> dict[str, object]:
        """Return the next line of the answer; each is one chunk."""
        while not self._headers_read:
            self._headers_read = self._file.readline() == b"\r\n"
        size = int(self._file.readline(), 16)
        data = self._file.read(size)
        self._file.readline()
        return dict(json.loads(data)) if size else {}


def test_a_line_of_a_stream_is_answered_before_the_next_is_sent(service: Service) -> None:
    with service.connect() as connection:
        chunks = Chunks(connection)
        for i in range(3):
            chunks.send(json.dumps({"id": str(i), "text": "short"}).encode() + b"\n")
            assert chunks.line()["id"] == str(i)
        chunks.end()
        assert chunks.line() == {}


def test_a_stream_that_ends_within_a_line_gets_a_problem(service: Service) -> None:
    with service.connect() as connection:
        chunks = Chunks(connection)
        chunks.send(b'{"text": "The mayor sha')
        chunks.end()
        answer = chunks.line()
    assert (answer["status"], answer["line"]) == (400, 1)


def test_a_client_may_disconnect_during_a_stream(service: Service) -> None:
    with service.connect() as connection:
        chunks = Chunks(connection)
        chunks.send(LINE + b'{"text": "The mayor sha')
        assert chunks.line()["id"] == "a"


def test_an_idle_stream_times_out(impatient: Service) -> None:
    with impatient.connect() as connection:
        chunks = Chunks(connection)
        chunks.send(LINE)
        assert chunks.line()["id"] == "a"
        assert chunks.line()["status"] == 408


def test_a_stream_may_outlast_the_time_limit_while_lines_arrive(impatient: Service) -> None:
    ends = time.monotonic() + 4  # the limit is 3 seconds
    with impatient.connect() as connection:
        chunks = Chunks(connection)
        while time.monotonic() < ends:
            chunks.send(b'{"text": "short"}\n')
            assert "verdict" in chunks.line()
            time.sleep(0.2)


def test_the_service_stops_reading_from_a_client_that_does_not_read(service: Service) -> None:
    """Back-pressure: once the answers fill the buffers, the service stops reading."""
    line = json.dumps({"text": "word " * 2_000}).encode() + b"\n"
    with service.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(1.0)
        connection.sendall(head("/v1/score/stream", Content_Type="application/x-ndjson", Content_Length="1000000000"))
        sent, stuck = 0, False
        while not stuck and sent < 100_000_000:
            try:
                sent += connection.send(line)
            except TimeoutError:
                stuck = True
    assert stuck

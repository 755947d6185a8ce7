"""Web addresses, origins and broken forms under gunicorn: refused with a reason, while all others are served."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.common import cpu_seconds
from tests.http.running import Service
from tests.http.test_bad_clients import head, problem_in
from tests.service.web import Web

PART = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n'
FORM = "multipart/form-data; boundary=x"
ORIGIN = "https://editor.example"


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with Web() as web:
        yield web


@pytest.fixture(scope="module")
def open_service(web: Web) -> Iterator[Service]:
    """Start a service that fetches addresses, from the port of the local web, too."""
    with Service(WORKERS=1, FETCH_URLS="true", FETCH_PORTS=f"80,443,{web.port}", CORS_ORIGINS=ORIGIN) as running:
        yield running


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0"])
def test_no_setting_makes_the_service_fetch_from_this_machine(host: str, web: Web, open_service: Service) -> None:
    answer = open_service.post("/v1/score", {"url": web.url("/article?secret", host=host)})
    assert (answer.status, answer.json["type"]) == (403, "urn:unspun:problem:address-refused")
    assert web.asked == []
    assert "secret" not in str(open_service.log)
    assert open_service.errors == []


def test_pages_of_allowed_origins_may_use_the_api_and_others_may_not(open_service: Service) -> None:
    asked = {"Access-Control-Request-Method": "POST"}
    statuses = [
        open_service.ask("OPTIONS", "/v1/score", None, {"Origin": origin, **asked}).status
        for origin in (ORIGIN, "https://evil.example")
    ]
    answer = open_service.post("/v1/score", {"text": "short"}, Origin=ORIGIN)
    assert statuses == [204, 403]
    assert answer.headers["access-control-allow-origin"] == ORIGIN


def test_a_form_that_never_ends_times_out(impatient: Service) -> None:
    sent = head("/v1/score/upload", Content_Type=FORM, Transfer_Encoding="chunked") + b"5\r\n--x\r\n\r\n"
    assert problem_in(impatient.raw(sent, finish=False)) == (408, "request-timeout")


def test_a_form_of_ten_megabytes_of_headers_holds_nobody_up(open_service: Service) -> None:
    body = PART + b"X-More: y\r\n" * 900_000
    [worker] = open_service.workers()
    before = cpu_seconds(worker)
    answer = open_service.post("/v1/score/upload", body, FORM)
    assert (answer.status, "headers of its parts are too long" in answer.json["detail"]) == (400, True)
    assert cpu_seconds(worker) - before < 3
    assert open_service.get("/healthz").status == 200

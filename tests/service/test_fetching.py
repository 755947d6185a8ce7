"""Web addresses in POST /v1/score: what is fetched, what is refused, and that nothing else is asked for."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
import time
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from tests.cases import cases, why
from tests.service.app import client_for
from tests.service.fake_detector import FakeDetector, load_fake
from tests.service.support import SPUN, free_port
from tests.service.web import Web, web_client, web_settings
from unspun import Client
from unspun.service.http.app import create_app
from unspun.service.http.engine import Engine, ModelInUse
from unspun.service.http.fetching import Fetcher, is_public
from unspun.service.http.keys import KeyStore
from unspun.service.http.problems import RequestError

CASES = "service/fetching.toml"
READ = [  # path and how the text reads
    ("/article", SPUN),
    ("/gzip", SPUN),
    ("/latin-1", f"The café: {SPUN}"),
    ("/file/a.txt?text/plain", SPUN),
    ("/file/a.md?text/markdown; charset=utf-8", SPUN),
    ("/file/a.pdf?application/pdf", SPUN),
    ("/file/a.pdf?text/html", SPUN),  # a server that says so about everything
    ("/file/a.docx?application/octet-stream", SPUN),  # the name shows what it is
    ("/file/a.rtf", SPUN),
    ("/to?/article", SPUN),
]


@pytest.fixture
def client(web: Web) -> FlaskClient:
    return web_client(web)


def problem_of(client: FlaskClient, url: str) -> tuple[str, str]:
    """Return the name of the problem with an address, and its detail."""
    answer = client.post("/v1/score", json={"url": url})
    problem = json.loads(answer.data)
    assert answer.status_code == problem["status"]
    return problem["type"].rpartition(":")[2], problem["detail"]


# --- pages


@pytest.mark.parametrize(("path", "text"), READ)
def test_the_text_of_a_page_is_judged(path: str, text: str, web: Web, client: FlaskClient) -> None:
    answer = client.post("/v1/score", json={"url": web.url(path)})
    assert answer.text == FakeDetector().score(text, id=web.url(path)).to_json() + "\n"


def test_options_and_an_id_apply_to_an_address(web: Web, client: FlaskClient) -> None:
    asked = {"url": web.url(), "id": "a", "evidence": False, "base_rate": 0.1}
    answer = client.post("/v1/score", json=asked)
    assert answer.text == FakeDetector().score(SPUN, id="a", evidence=False, base_rate=0.1).to_json() + "\n"


def test_hidden_text_of_a_page_is_left_out_and_counted(web: Web, client: FlaskClient) -> None:
    answer = client.post("/v1/score", json={"url": web.url("/hidden")})
    assert answer.json["repairs"] == [{"what": "hidden", "count": 3}]


def test_a_page_is_asked_for_once_without_anything_that_identifies_the_reader(web: Web, client: FlaskClient) -> None:
    client.post("/v1/score", json={"url": web.url("/article?a=b c#part")}, headers={"Cookie": "a=b"})
    assert web.asked == ["/article?a=b%20c"]
    assert sorted(web.headers) == ["Accept", "Accept-Encoding", "Connection", "Host", "User-Agent"]


def test_an_address_counts_as_one_text_for_the_rate_limit(web: Web) -> None:
    client = web_client(web, rate_limit="2 per minute")
    statuses = [client.post("/v1/score", json={"url": web.url()}).status_code for _ in range(3)]
    assert (statuses, len(web.asked)) == ([200, 200, 429], 2)


def test_the_address_is_not_logged(web: Web, client: FlaskClient, logged: pytest.LogCaptureFixture) -> None:
    client.post("/v1/score", json={"url": web.url("/article?secret")})
    problem_of(client, web.url("/status/404?secret"))
    assert "secret" not in str([vars(record) for record in logged.records])


def test_the_client_for_python_sends_addresses(web: Web) -> None:
    settings = web_settings(web)
    app = create_app(settings, Engine(ModelInUse(load_fake)), fetcher=Fetcher(settings, allow=lambda address: True))
    server = make_server("127.0.0.1", 0, app)
    threading.Thread(target=server.handle_request, daemon=True).start()
    with Client(f"http://127.0.0.1:{server.port}", retries=0) as client:
        assert client.score_url(web.url(), evidence=False) == FakeDetector().score(SPUN, id=web.url(), evidence=False)
    server.server_close()


def test_the_description_of_the_api_has_addresses_only_if_they_are_fetched(client: FlaskClient) -> None:
    validator = pytest.importorskip("openapi_spec_validator", reason="pip install openapi-spec-validator")
    described = client.get("/v1/openapi.json").get_json()
    validator.validate(described)
    assert "url" in described["components"]["schemas"]["UrlSubmission"]["required"]
    assert "UrlSubmission" not in client_for().get("/v1/openapi.json").text
    assert client.get("/v1/docs").status_code == 200


# --- what is not fetched


def test_nothing_is_fetched_unless_the_operator_allows_it(web: Web) -> None:
    assert problem_of(client_for(), web.url()) == (
        "fetching-off",
        "This service does not fetch web addresses. Send the text, or ask the operator to set UNSPUN_FETCH_URLS.",
    )
    assert web.asked == []


def test_nothing_is_fetched_if_the_text_is_there(web: Web, client: FlaskClient) -> None:
    assert client.post("/v1/score", json={"url": web.url(), "text": SPUN}).json["id"] is None
    assert web.asked == []


def test_nothing_is_fetched_for_a_request_with_a_wrong_option(web: Web, client: FlaskClient) -> None:
    assert client.post("/v1/score", json={"url": web.url(), "depth": "deeper"}).status_code == 422
    assert web.asked == []


def test_nothing_is_fetched_without_the_key(web: Web, tmp_path: Path) -> None:
    KeyStore(tmp_path / "keys.json").add("tests")
    client = web_client(web, keys_file=tmp_path / "keys.json")
    assert client.post("/v1/score", json={"url": web.url()}).status_code == 401
    assert web.asked == []


def test_nothing_is_fetched_for_a_page_of_another_origin(web: Web) -> None:
    client = web_client(web, cors_origins="https://a.example")
    answer = client.post("/v1/score", json={"url": web.url()}, headers={"Origin": "https://evil.example"})
    assert (answer.status_code, web.asked) == (403, [])


@pytest.mark.parametrize("path", ["/v1/score/batch", "/v1/score/stream"])
def test_a_batch_or_a_stream_fetches_nothing(path: str, web: Web, client: FlaskClient) -> None:
    item = {"url": web.url()}
    answer = client.post(path, json=[item] if path.endswith("batch") else item)
    assert "text is missing; only POST /v1/score fetches a `url`" in answer.text
    assert web.asked == []


@pytest.mark.parametrize("case", cases(CASES, "refused"), ids=why)
def test_an_address_that_is_not_one_of_a_public_page_is_refused(
    case: dict[str, Any], web: Web, client: FlaskClient
) -> None:
    port = str(web.port)
    name, detail = problem_of(client, case["url"].replace("PORT", port))
    assert name == case.get("problem", "not-fetched")
    assert case["detail"].replace("PORT", port) in detail
    assert web.asked == []


@pytest.mark.parametrize("case", cases(CASES, "private"), ids=why)
def test_a_host_that_is_not_public_is_refused(case: dict[str, Any], web: Web) -> None:
    settings = web_settings(web)
    with pytest.raises(RequestError) as caught:
        Fetcher(settings).fetch(web.url(host=case["host"]))
    # A machine without IPv6, or a system that does not read odd numbers, knows no such host.
    assert caught.value.name == "address-refused" or caught.value.detail.startswith("There is no such host")
    assert web.asked == []


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "172.32.0.1", "2606:2800:21f:cb07::1", "2a00:1450::1"])
def test_an_address_of_the_public_internet_is_allowed(address: str) -> None:
    assert is_public(ip_address(address))


def test_a_redirect_to_an_address_that_is_not_public_is_refused(web: Web) -> None:
    client = web_client(web, allow=lambda address: str(address) == "127.0.0.1")
    name, detail = problem_of(client, web.url(f"/to?{web.url(host='127.0.0.2')}"))
    assert (name, detail) == (
        "address-refused",
        "After a redirect: This service fetches only pages of the public internet. This address leads to a private or "
        "reserved network address.",
    )
    assert len(web.asked) == 1


def found(*addresses: str) -> list[Any]:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in addresses]


def test_the_connection_is_made_to_the_address_that_was_checked(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: a name that is public when it is checked, and private a moment later."""
    answers = [found("127.0.0.1"), found("127.0.0.2")]
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, port, **_: [(*one[:4], (one[4][0], port)) for one in answers.pop(0)]
    )
    client = web_client(web, allow=lambda address: str(address) == "127.0.0.1")
    assert client.post("/v1/score", json={"url": web.url(host="rebind.example")}).status_code == 200
    assert web.headers["Host"] == f"rebind.example:{web.port}"
    assert len(answers) == 1


def test_a_host_with_one_address_that_is_not_public_is_refused(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found("127.0.0.1", "10.0.0.1"))
    client = web_client(web, allow=lambda address: str(address) == "127.0.0.1")
    assert problem_of(client, web.url(host="both.example"))[0] == "address-refused"
    assert web.asked == []


# --- servers that misbehave


@pytest.mark.parametrize("case", cases(CASES, "failed"), ids=why)
def test_what_a_server_cannot_give_is_a_problem_that_says_why(case: dict[str, Any], web: Web) -> None:
    client = web_client(web, fetch_seconds=case.get("seconds", 30))
    started = time.monotonic()
    name, detail = problem_of(client, web.url(case["path"]))
    assert name == case.get("problem", "not-fetched")
    assert case["detail"] in detail
    assert time.monotonic() - started < 15


def test_a_port_where_nobody_listens_is_a_problem(web: Web) -> None:
    port = free_port()
    client = web_client(web, fetch_ports=str(port))
    detail = "The server cannot be reached, or it broke the connection off. Check the address, or send the text itself."
    assert problem_of(client, f"http://127.0.0.1:{port}/") == ("not-fetched", detail)


# --- encryption


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a certificate of localhost, with its key, that nobody trusts."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate")
    file = tmp_path_factory.mktemp("certificate") / "localhost.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2",
            "-keyout", file, "-out", f"{file}.crt",
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    file.write_text(file.read_text() + Path(f"{file}.crt").read_text())
    return file


def test_a_server_must_have_a_certificate_that_is_trusted_and_names_it(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Web(certificate) as web:
        client = web_client(web)
        at_name, at_number = web.url(host="localhost", scheme="https"), web.url(scheme="https")
        assert problem_of(client, at_name)[1].startswith("The server cannot be trusted: self")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert client.post("/v1/score", json={"url": at_name}).status_code == 200
        assert problem_of(client, at_number)[1].startswith("The server cannot be trusted: IP address mismatch")

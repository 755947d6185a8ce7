"""Web addresses on the page, as the server renders it: the field, the answer and the problems."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.service.app import client_for
from tests.service.support import CLEAR, SPUN
from tests.service.test_page import Shown, judge
from tests.service.web import Web, web_client
from unspun.service.http.keys import KeyStore


@pytest.fixture
def client(web: Web) -> FlaskClient:
    return web_client(web)


def test_the_field_is_there_only_if_the_service_fetches_addresses(client: FlaskClient) -> None:
    assert len(Shown(client.get("/")).all("//input[@name='url']")) == 1
    assert not Shown(client_for().get("/")).all("//input[@name='url']")


def test_the_page_at_an_address_is_checked_instead_of_the_text(web: Web, client: FlaskClient) -> None:
    shown = Shown(judge(client, CLEAR, url=web.url()))
    assert shown.text("//h1") == "Verdict: Paraphrased"
    assert shown.article == SPUN
    assert f"From {web.url()}." in shown.of_class("hint")


def test_a_file_is_checked_instead_of_the_address(web: Web, client: FlaskClient) -> None:
    assert Shown(judge(client, file=(CLEAR.encode(), "a.txt"), url=web.url())).text("//h1") == "Verdict: Clear"
    assert web.asked == []


def test_an_address_without_a_scheme_is_one_of_an_encrypted_page(web: Web, client: FlaskClient) -> None:
    shown = Shown(judge(client, url="example.org:22/article"))
    assert f"no pages from port 22, only from {web.port}" in shown.text("//*[@id='problem']")


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/status/404", 502, "The web address could not be fetched The server answered with status 404 (Not Found)."),
        ("/file/a.png?image/png", 422, "The web page cannot be read The page has the Content-Type image/png."),
        ("/endless", 413, "The text is too large A web page may have at most 20,000 bytes, uncompressed. Send a part"),
    ],
)
def test_a_problem_is_shown_with_the_address(path: str, status: int, says: str, web: Web, client: FlaskClient) -> None:
    answer = judge(client, url=web.url(path))
    shown = Shown(answer)
    assert (answer.status_code, shown.text("//*[@id='problem']").startswith(says)) == (status, True)
    [field] = shown.all("//input[@name='url']")
    assert field.get("value") == web.url(path)
    assert [one.get("name") for one in shown.all("//*[@aria-invalid]")] == ["url"]


def test_a_private_address_is_refused(web: Web) -> None:
    settings: dict[str, Any] = {"fetch_urls": True, "fetch_ports": str(web.port)}
    answer = judge(client_for(**settings), url=web.url())
    assert answer.status_code == 403
    assert "only pages of the public internet" in Shown(answer).text("//*[@id='problem']")
    assert web.asked == []


def test_an_address_that_is_no_address_is_refused(client: FlaskClient) -> None:
    shown = Shown(judge(client, url="http://[::1"))
    assert "The web address is not a valid web address." in shown.text("//*[@id='problem']")


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_nothing_is_fetched_for_a_form_of_another_site(headers: dict[str, str], web: Web, client: FlaskClient) -> None:
    answer = client.post("/", data={"url": web.url()}, headers=headers)
    assert (answer.status_code, web.asked) == (403, [])


def test_nothing_is_fetched_without_a_key(web: Web, tmp_path: Path) -> None:
    KeyStore(tmp_path / "keys.json").add("tests")
    answer = judge(web_client(web, keys_file=tmp_path / "keys.json"), url=web.url())
    assert (answer.status_code, web.asked) == (401, [])


def test_an_address_counts_as_one_text_for_the_rate_limit(web: Web) -> None:
    client = web_client(web, rate_limit="2 per minute")
    assert [judge(client, url=web.url()).status_code for _ in range(3)] == [200, 200, 429]
    assert len(web.asked) == 2


def test_the_page_for_selections_may_be_reached_by_the_page_that_opened_it(client: FlaskClient) -> None:
    assert client.get("/selection").headers["Cross-Origin-Opener-Policy"] == "unsafe-none"
    assert client.get("/").headers["Cross-Origin-Opener-Policy"] == "same-origin"

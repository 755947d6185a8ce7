"""CORS: which pages may use the API from a browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cases import cases, why
from tests.service.app import client_for
from tests.service.support import CLEAR
from unspun.service.http.keys import KeyStore

ASKED = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
ORIGIN = "https://a.example"


@pytest.mark.parametrize("case", cases("service/origins.toml"), ids=why)
def test_exactly_pages_of_allowed_origins_may_use_the_api(case: dict[str, Any]) -> None:
    client = client_for(cors_origins=case.get("setting"))
    headers = {"Origin": case["origin"]} | ({"Sec-Fetch-Site": case["site"]} if "site" in case else {})
    preflight = client.options("/v1/score", headers={**headers, **ASKED})
    answer = client.post("/v1/score", json={"text": CLEAR}, headers=headers)
    found = [one.headers.get("Access-Control-Allow-Origin", "") for one in (preflight, answer)]
    assert (preflight.status_code, answer.status_code) == (case["preflight"], case["status"])
    assert found == [case.get("allowed", "")] * 2


def test_a_refusal_names_the_origin_and_the_setting() -> None:
    answer = client_for(cors_origins=ORIGIN).post(
        "/v1/score", json={"text": CLEAR}, headers={"Origin": "https://evil.example"}
    )
    problem = json.loads(answer.data)
    assert problem["type"] == "urn:unspun:problem:cross-site"
    assert problem["detail"] == (
        "Pages of https://evil.example may not use this API. The operator can allow them with UNSPUN_CORS_ORIGINS."
    )


def test_a_preflight_request_needs_no_key_and_says_what_may_be_sent(tmp_path: Path) -> None:
    KeyStore(tmp_path / "keys.json").add("tests")
    client = client_for(cors_origins=ORIGIN, keys_file=tmp_path / "keys.json")
    answer = client.options("/v1/score", headers={"Origin": ORIGIN, **ASKED})
    assert (answer.status_code, answer.headers["Access-Control-Allow-Methods"]) == (204, "GET, POST, DELETE")
    assert {"Authorization", "Content-Type", "X-API-Key"} <= set(
        answer.headers["Access-Control-Allow-Headers"].split(", ")
    )


def test_a_page_may_read_problems_and_when_to_try_again() -> None:
    client = client_for(cors_origins=ORIGIN, rate_limit="1 per minute")
    answers = [client.post("/v1/score", json={"text": CLEAR}, headers={"Origin": ORIGIN}) for _ in range(2)]
    assert answers[1].status_code == 429
    assert answers[1].headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Retry-After" in answers[1].headers["Access-Control-Expose-Headers"]


def test_caches_keep_the_answers_for_each_origin_apart() -> None:
    assert "Origin" in client_for(cors_origins=ORIGIN).post("/v1/score", json={"text": CLEAR}).headers["Vary"]


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz"])
def test_only_the_api_is_for_other_origins(path: str) -> None:
    answer = client_for(cors_origins="*").get(path, headers={"Origin": ORIGIN})
    assert "Access-Control-Allow-Origin" not in answer.headers

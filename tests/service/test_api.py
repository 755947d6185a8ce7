"""The HTTP API through Flask's test client, with a detector that needs no model."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.cases import why
from tests.service.app import client_for
from tests.service.fake_detector import FakeDetector, load_fake
from tests.service.support import CLEAR, SPUN, SUSPECT, cases
from unspun.model.detector import Detector
from unspun.model.text.allowed import Allowed
from unspun.reading.html import extract_article
from unspun.service.http.app import create_app
from unspun.service.http.config import Settings
from unspun.service.http.engine import Engine, ModelInUse
from unspun.service.http.keys import KeyStore
from unspun.service.http.problems import MEDIA_TYPE

NDJSON = "application/x-ndjson"
BAD = [*cases("bad_requests.toml"), *({"path": "/v1/compare", **case} for case in cases("compare_requests.toml"))]
SECRET = "Confidential-Manuscript"
PLACEHOLDERS = {
    "BOMB": "[" * 15_000,
    "DIGITS": "1" * 5_000,
    "LONG": "x" * 1_025,
    "WORDS": f"{SECRET} " * 201,
    "BYTES": SECRET * 1_000,
    "SECRET": SECRET,
}


@pytest.fixture
def client() -> FlaskClient:
    return client_for()


def lines_of(answer: TestResponse) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.get_data(as_text=True).splitlines()]


def bare(verdict: Any) -> str:
    return json.dumps(verdict, ensure_ascii=False)


# --- one text


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b'{"text": "the \\u0000nal week"}', "application/json"), (b"the \0nal week", "text/plain")],
)
def test_a_text_with_a_nul_is_judged(body: bytes, kind: str, client: FlaskClient) -> None:
    assert client.post("/v1/score", data=body, content_type=kind).get_json()["verdict"] == "abstained"


def test_a_text_gets_the_verdict_of_the_python_api(client: FlaskClient) -> None:
    expected = FakeDetector().score(SPUN, id="a").to_json()
    assert client.post("/v1/score", json={"text": SPUN, "id": "a"}).text == f"{expected}\n"


def test_options_for_plain_text_are_in_the_query(client: FlaskClient) -> None:
    answer = client.post("/v1/score?id=a&evidence=false", data=SPUN, content_type="text/plain; charset=utf-8")
    assert answer.text == FakeDetector().score(SPUN, id="a", evidence=False).to_json() + "\n"


@pytest.mark.parametrize(
    ("evidence", "has_it"), [(None, False), (True, False), ("all", True), (False, False)], ids=repr
)
def test_a_clear_text_has_evidence_only_if_all_is_requested(
    evidence: bool | str | None, has_it: bool, client: FlaskClient
) -> None:
    fields = {} if evidence is None else {"evidence": evidence}
    answer = client.post("/v1/score", json={"text": CLEAR, **fields}).get_json()
    assert {"evidence", "passages"} & answer.keys() == ({"evidence", "passages"} if has_it else set())


def test_all_evidence_can_be_requested_in_the_query(client: FlaskClient) -> None:
    answer = client.post("/v1/score?evidence=all", data=CLEAR, content_type="text/plain")
    assert answer.text == FakeDetector().score(CLEAR, evidence="all").to_json() + "\n"


def test_plain_text_can_be_in_another_encoding(client: FlaskClient) -> None:
    text = f"The café's owner said: {SPUN}"
    answer = client.post("/v1/score", data=text.encode("cp1252"), content_type="text/plain")
    assert answer.text == FakeDetector().score(text).to_json() + "\n"


def test_a_page_is_reduced_to_its_article(client: FlaskClient) -> None:
    page = f"<html><body><nav>Home</nav><article><p>{SPUN}</p></article></body></html>"
    answer = client.post("/v1/score", data=page, content_type="text/html")
    assert answer.text == FakeDetector().score(extract_article(page).text).to_json() + "\n"


def test_hidden_text_of_a_page_is_left_out_and_counted(client: FlaskClient) -> None:
    page = f"<html><body><article><p>{SPUN}</p><p hidden>Nobody sees this.</p></article></body></html>"
    answer = client.post("/v1/score", data=page, content_type="text/html")
    assert answer.json["repairs"] == [{"what": "hidden", "count": 3}]


def test_a_page_without_text_is_refused(client: FlaskClient) -> None:
    answer = client.post("/v1/score", data="<html><script>draw()</script></html>", content_type="text/html")
    assert (answer.status_code, answer.json["detail"]) == (422, "The body cannot be judged: no text in this page.")


def test_a_number_for_an_id_comes_back_as_a_string(client: FlaskClient) -> None:
    assert client.post("/v1/score", json={"text": SPUN, "id": 7}).get_json()["id"] == "7"


def test_unknown_fields_are_ignored(client: FlaskClient) -> None:
    assert client.post("/v1/score", json={"text": SPUN, "label": "human"}).status_code == 200


def test_an_empty_text_gets_an_abstention(client: FlaskClient) -> None:
    assert client.post("/v1/score", json={"text": ""}).get_json()["reason"] == "too_short"


@pytest.mark.parametrize("rate", [0.05, 1e-9, 0.999])
def test_with_a_base_rate_the_verdict_has_a_probability(rate: float, client: FlaskClient) -> None:
    answer = client.post("/v1/score", json={"text": SPUN, "base_rate": rate})
    assert answer.text == FakeDetector().score(SPUN, base_rate=rate).to_json() + "\n"


def test_the_base_rate_for_plain_text_is_in_the_query(client: FlaskClient) -> None:
    answer = client.post("/v1/score?base_rate=0.05", data=SPUN, content_type="text/plain")
    assert answer.text == FakeDetector().score(SPUN, base_rate=0.05).to_json() + "\n"


def test_a_base_rate_may_be_null(client: FlaskClient) -> None:
    assert "probability" not in client.post("/v1/score", json={"text": SPUN, "base_rate": None}).get_json()


@pytest.mark.parametrize("rate", ["0", "1", "5 %", "-0.1", "nan", "inf", ""])
def test_an_invalid_base_rate_in_the_query_is_a_problem(rate: str, client: FlaskClient) -> None:
    answer = client.post("/v1/score", query_string={"base_rate": rate}, data=SPUN, content_type="text/plain")
    problem = json.loads(answer.data)
    assert (answer.status_code, problem["errors"]) == (
        422,
        [{"pointer": "?base_rate", "detail": "must be a number between 0 and 1, such as 0.05 for 5 %"}],
    )


def test_an_unfamiliar_text_has_no_numbers(client: FlaskClient) -> None:
    answer = client.post("/v1/score", json={"text": f"Unfamiliar words. {SPUN}", "base_rate": 0.05}).get_json()
    assert (answer["verdict"], answer["reason"]) == ("abstained", "unfamiliar")
    assert [answer[name] for name in ("score", "false_positive_rate", "share", "kinds")] == [None] * 4
    assert "probability" not in answer


def test_a_gzipped_body_is_unpacked(client: FlaskClient) -> None:
    body = gzip.compress(json.dumps({"text": SPUN}).encode())
    answer = client.post("/v1/score", data=body, headers={"Content-Encoding": "gzip"}, content_type="application/json")
    assert answer.get_json()["verdict"] == "paraphrased"


# --- errors


def body_of(case: dict[str, Any]) -> bytes:
    body = str(case["body"])
    for name, value in PLACEHOLDERS.items():
        body = body.replace(name, value)
    return body.encode().replace(b"NUL", b"\0").replace(b"LATIN1", b"\xe9")


@pytest.mark.parametrize("case", BAD, ids=why)
def test_a_bad_request_gets_a_problem_document_and_is_not_quoted(
    case: dict[str, Any], client: FlaskClient, logged: pytest.LogCaptureFixture
) -> None:
    answer = client.open(
        case.get("path", "/v1/score"),
        method=case.get("method", "POST"),
        data=body_of(case),
        content_type=case.get("kind", "application/json"),
    )
    problem = json.loads(answer.data)
    status = case.get("status", 422)
    assert (answer.status_code, answer.mimetype) == (status, MEDIA_TYPE)
    assert (problem["status"], problem["type"]) == (
        status,
        f"urn:unspun:problem:{case.get('problem', 'invalid-fields')}",
    )
    assert problem["instance"] == f"urn:unspun:request:{answer.headers['X-Request-ID']}"
    assert problem["title"]
    assert problem["detail"]
    assert case.get("detail", "") in problem["detail"]
    if "pointer" in case:
        assert case["pointer"] in [error["pointer"] for error in problem["errors"]]
    assert SECRET not in answer.text + str([vars(record) for record in logged.records])


def test_a_problem_contains_the_exceeded_limit(client: FlaskClient) -> None:
    assert client.post("/v1/score", json={"text": "word " * 201}).get_json(force=True)["limit"] == 200


def test_a_gzip_bomb_is_too_large(client: FlaskClient) -> None:
    bomb = gzip.compress(bytes(5_000_000))
    answer = client.post("/v1/score", data=bomb, headers={"Content-Encoding": "gzip"}, content_type="text/plain")
    assert answer.status_code == 413


@pytest.mark.parametrize("body", [b"no gzip at all", gzip.compress(b"x" * 1000)[:-9]], ids=["none", "cut off"])
def test_broken_gzip_is_a_bad_request(body: bytes, client: FlaskClient) -> None:
    answer = client.post("/v1/score", data=body, headers={"Content-Encoding": "gzip"}, content_type="text/plain")
    assert answer.status_code == 400


def test_an_unsupported_content_encoding_is_refused(client: FlaskClient) -> None:
    body = zlib.compress(b"x")
    answer = client.post("/v1/score", data=body, headers={"Content-Encoding": "deflate"}, content_type="text/plain")
    assert (answer.status_code, answer.headers["Accept-Encoding"]) == (415, "gzip, identity")


def test_an_unexpected_error_is_a_500_without_a_traceback(
    client: FlaskClient, logged: pytest.LogCaptureFixture
) -> None:
    answer = client.post("/v1/score", json={"text": f"{SECRET} raise-error"})
    assert (answer.status_code, "Traceback" in answer.text, "ZeroDivision" in answer.text) == (500, False, False)
    [entry] = [vars(record) for record in logged.records if record.getMessage() == "unexpected error"]
    assert entry["error"] == "ZeroDivisionError"
    assert entry["request_id"] == answer.headers["X-Request-ID"]
    assert "second line" not in str(entry)  # part of its message


def test_an_unsupported_method_gets_the_allowed_ones(client: FlaskClient) -> None:
    assert "POST" in client.get("/v1/score").headers["Allow"]


# --- many texts


def test_a_batch_keeps_its_order(client: FlaskClient) -> None:
    items = [{"text": text, "id": str(i)} for i, text in enumerate([SPUN, CLEAR, SUSPECT, SPUN])]
    answers = client.post("/v1/score/batch", json=items).get_json()
    assert [(a["id"], a["verdict"]) for a in answers] == [
        ("0", "paraphrased"), ("1", "clear"), ("2", "suspect"), ("3", "paraphrased")
    ]  # fmt: skip


def test_items_of_a_batch_may_have_different_options(client: FlaskClient) -> None:
    items = [{"text": SPUN, "evidence": i % 2 == 0} for i in range(5)]
    answers = client.post("/v1/score/batch", json=items).get_json()
    assert ["evidence" in answer for answer in answers] == [True, False, True, False, True]


def test_items_of_a_batch_may_have_different_base_rates(client: FlaskClient) -> None:
    rates = [0.05, None, 0.5, 0.05]
    items = [{"text": SPUN} if rate is None else {"text": SPUN, "base_rate": rate} for rate in rates]
    answers = client.post("/v1/score/batch", json=items).get_json()
    expected = [FakeDetector().score(SPUN, base_rate=rate).probability for rate in rates]
    assert [answer.get("probability") for answer in answers] == expected


def test_an_invalid_base_rate_does_not_affect_other_items(client: FlaskClient) -> None:
    items = [{"text": SPUN, "base_rate": rate} for rate in (0, 0.5, 1, "5 %", True)]
    answers = client.post("/v1/score/batch", json=items).get_json()
    assert [answer.get("status") for answer in answers] == [422, None, 422, 422, 422]
    assert answers[3]["errors"][0]["pointer"] == "#/3/base_rate"


def test_a_bad_item_gets_its_own_problem(client: FlaskClient) -> None:
    items = [{"text": SPUN}, {"text": 7}, "no object", {"text": CLEAR, "depth": "x"}, {"text": CLEAR}]
    answers = client.post("/v1/score/batch", json=items).get_json()
    assert [answer.get("verdict", answer.get("status")) for answer in answers] == [
        "paraphrased", 422, 422, 422, "clear"
    ]  # fmt: skip
    assert answers[1]["errors"][0]["pointer"] == "#/1/text"


def test_an_item_that_breaks_the_model_does_not_affect_others(client: FlaskClient) -> None:
    answers = client.post("/v1/score/batch", json=[{"text": SPUN}, {"text": "raise-error"}, {"text": CLEAR}]).get_json()
    assert [answer.get("verdict", answer.get("status")) for answer in answers] == ["paraphrased", 500, "clear"]


def test_an_empty_batch_gets_an_empty_list(client: FlaskClient) -> None:
    assert client.post("/v1/score/batch", json=[]).get_json() == []


def stream(client: FlaskClient, *lines: str) -> list[dict[str, Any]]:
    with client.post("/v1/score/stream", data="".join(lines).encode(), content_type=NDJSON) as answer:
        return lines_of(answer)


def test_a_stream_answers_each_line_with_a_line(client: FlaskClient) -> None:
    answers = stream(client, *(json.dumps({"text": text, "id": text[:9]}) + "\n" for text in (SPUN, CLEAR)))
    assert [bare(answer) for answer in answers] == [
        FakeDetector().score(text, id=text[:9]).to_json() for text in (SPUN, CLEAR)
    ]


def test_an_invalid_line_does_not_end_a_stream(client: FlaskClient) -> None:
    good = json.dumps({"text": SPUN}) + "\n"
    answers = stream(client, good, "{nonsense\n", "\n", json.dumps({"text": "raise-error"}) + "\n", good)
    assert [(answer.get("status"), answer.get("line")) for answer in answers] == [
        (None, None), (400, 2), (500, 4), (None, None)
    ]  # fmt: skip


def test_lines_of_a_stream_may_have_a_base_rate(client: FlaskClient) -> None:
    answers = stream(client, *(json.dumps({"text": SPUN, "base_rate": rate}) + "\n" for rate in (0.05, 1)))
    assert answers[0]["probability"] == FakeDetector().score(SPUN, base_rate=0.05).probability
    assert (answers[1]["status"], answers[1]["line"]) == (422, 2)


def test_a_line_that_is_too_long_does_not_end_a_stream(client: FlaskClient) -> None:
    good = json.dumps({"text": SPUN}) + "\n"
    answers = stream(client, good, "x" * 200_000 + "\n", good)
    assert [answer.get("status") for answer in answers] == [None, 413, None]


def test_the_last_line_of_a_stream_needs_no_line_end(client: FlaskClient) -> None:
    assert stream(client, json.dumps({"text": SPUN}))[0]["verdict"] == "paraphrased"


def test_a_stream_that_ends_within_a_line_gets_a_problem(client: FlaskClient) -> None:
    [answer] = stream(client, '{"text": "The mayor sha')
    assert (answer["status"], answer["line"]) == (400, 1)


def test_a_gzipped_stream_is_unpacked(client: FlaskClient) -> None:
    body = gzip.compress((json.dumps({"text": SPUN}) + "\n").encode() * 3)
    answer = client.post(
        "/v1/score/stream", data=body, headers={"Content-Encoding": "gzip"}, content_type=NDJSON
    )  # fmt: skip
    assert len(lines_of(answer)) == 3


# --- API keys and rate limits


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / "keys.json")


@pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
def test_a_valid_key_is_accepted(header: str, store: KeyStore) -> None:
    key = store.add("cms")
    value = f"Bearer {key}" if header == "Authorization" else key
    client = client_for(keys_file=store.path)
    assert client.post("/v1/score", json={"text": SPUN}, headers={header: value}).status_code == 200


@pytest.mark.parametrize("path", ["/v1/score", "/v1/score/batch", "/v1/score/stream", "/v1/model"])
def test_a_request_without_a_key_is_refused(path: str, store: KeyStore) -> None:
    store.add("cms")
    client = client_for(keys_file=store.path)
    answer = client.get(path) if path == "/v1/model" else client.post(path, json={"text": SPUN})
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="unspun"')


def test_a_revoked_key_is_refused_at_once(store: KeyStore) -> None:
    headers = {"X-API-Key": store.add("cms")}
    store.add("other")
    client = client_for(keys_file=store.path)
    before = client.post("/v1/score", json={"text": SPUN}, headers=headers)
    store.revoke("cms")
    after = client.post("/v1/score", json={"text": SPUN}, headers=headers)
    assert (before.status_code, after.status_code) == (200, 401)


def test_a_key_revoked_during_a_stream_is_refused_from_then_on(store: KeyStore) -> None:
    headers = {"X-API-Key": store.add("cms")}

    def lines() -> Iterator[bytes]:
        yield json.dumps({"text": SPUN}).encode() + b"\n"
        store.revoke("cms")
        yield json.dumps({"text": SPUN}).encode() + b"\n"

    client = client_for(keys_file=store.path)
    body = BytesInSteps(lines())
    with client.post("/v1/score/stream", input_stream=body, content_type=NDJSON, headers=headers) as answer:
        statuses = [line.get("status") for line in lines_of(answer)]
    assert statuses == [None, 401]


class BytesInSteps(io.BytesIO):
    """A request body that is generated while it is read."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self._pieces = pieces

    def read1(self, size: int | None = -1) -> bytes:
        return next(self._pieces, b"")


def test_if_the_keys_cannot_be_read_all_requests_are_refused(store: KeyStore) -> None:
    headers = {"X-API-Key": store.add("cms")}
    client = client_for(keys_file=store.path)
    store.path.write_text("{")
    assert client.post("/v1/score", json={"text": SPUN}, headers=headers).status_code == 503


def test_an_exceeded_rate_limit_says_when_to_retry() -> None:
    client = client_for(rate_limit="2 per minute")
    answers = [client.post("/v1/score", json={"text": SPUN}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 61  # the end of the minute, rounded up
    assert json.loads(answers[2].data)["retry_after"] == int(answers[2].headers["Retry-After"])


def test_each_text_of_a_batch_counts_against_the_rate_limit() -> None:
    client = client_for(rate_limit="4 per minute")
    answers = [client.post("/v1/score/batch", json=[{"text": SPUN}] * 3) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]


def test_a_batch_larger_than_the_rate_limit_is_refused() -> None:
    answer = client_for(rate_limit="2 per minute").post("/v1/score/batch", json=[{"text": SPUN}] * 3)
    assert (answer.status_code, json.loads(answer.data)["limit"]) == (413, 2)


def test_each_line_of_a_stream_counts_against_the_rate_limit() -> None:
    answers = stream(client_for(rate_limit="2 per minute"), *[json.dumps({"text": SPUN}) + "\n"] * 3)
    assert [answer.get("status") for answer in answers] == [None, None, 429]


def test_each_key_has_its_own_rate_limit(store: KeyStore) -> None:
    keys = [store.add(name) for name in ("a", "b")]
    client = client_for(keys_file=store.path, rate_limit="1 per minute")
    statuses = [
        client.post("/v1/score", json={"text": SPUN}, headers={"X-API-Key": key}).status_code for key in [*keys, *keys]
    ]
    assert statuses == [200, 200, 429, 429]


@pytest.mark.parametrize(
    ("proxies", "expected"), [(1, [200, 200, 429]), (0, [200, 429, 429])], ids=["trusted proxy", "untrusted client"]
)
def test_each_address_that_a_trusted_proxy_forwards_has_its_own_rate_limit(proxies: int, expected: list[int]) -> None:
    client = client_for(rate_limit="1 per minute", trusted_proxies=proxies)
    statuses = [
        client.post("/v1/score", json={"text": SPUN}, headers={"X-Forwarded-For": address}).status_code
        for address in ("192.0.2.1", "192.0.2.2", "192.0.2.1")
    ]
    assert statuses == expected


def test_without_redis_each_worker_counts_separately() -> None:
    client = client_for(rate_limit="1 per minute", redis_url="redis://127.0.0.1:1/0")
    assert [client.post("/v1/score", json={"text": SPUN}).status_code for _ in range(2)] == [200, 429]


# --- headers and the log


def test_the_response_repeats_the_request_id(client: FlaskClient) -> None:
    answer = client.get("/healthz", headers={"X-Request-ID": "cms-17"})
    assert answer.headers["X-Request-ID"] == "cms-17"


def test_a_request_id_that_could_forge_a_log_line_is_replaced(client: FlaskClient) -> None:
    assert client.get("/healthz", headers={"X-Request-ID": 'x"} {'}).headers["X-Request-ID"] != 'x"} {'


@pytest.mark.parametrize("path", ["/", "/healthz", "/v1/openapi.json", "/nothing-here"])
def test_responses_have_security_headers(path: str, client: FlaskClient) -> None:
    headers = client.get(path).headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert (headers["X-Content-Type-Options"], headers["X-Frame-Options"]) == ("nosniff", "DENY")


def test_the_log_has_sizes_times_and_counts(client: FlaskClient, logged: pytest.LogCaptureFixture) -> None:
    client.post("/v1/score/batch", json=[{"text": SPUN}, {"text": CLEAR}, {"text": SPUN}, {"text": 7}]).close()
    [line] = [vars(record) for record in logged.records if record.getMessage() == "request"]
    assert line["verdicts"] == {"paraphrased": 2, "clear": 1}
    assert (line["route"], line["status"]) == ("/v1/score/batch", 200)
    assert min(line["bytes_in"], line["bytes_out"], line["milliseconds"], line["model_milliseconds"]) > 0
    assert line["words"] == len(f"{SPUN} {CLEAR} {SPUN}".split())


def test_the_log_of_a_stream_counts_all_its_lines(client: FlaskClient, logged: pytest.LogCaptureFixture) -> None:
    stream(client, *[json.dumps({"text": SPUN}) + "\n"] * 3)
    [line] = [vars(record) for record in logged.records if record.getMessage() == "request"]
    assert line["verdicts"] == {"paraphrased": 3}


def test_verdicts_are_not_cached(client: FlaskClient) -> None:
    assert client.post("/v1/score", json={"text": SPUN}).headers["Cache-Control"] == "no-store"


# --- operations


def figure(client: FlaskClient, name: str) -> float:
    [line] = [line for line in client.get("/metrics").text.splitlines() if line.startswith(name)]
    return float(line.split()[-1])


def test_metrics_count_verdicts(client: FlaskClient) -> None:
    name = 'unspun_verdicts_total{depth="fast",kind="spun",verdict="suspect"}'
    client.post("/v1/score", json={"text": SUSPECT})
    before = figure(client, name)
    client.post("/v1/score", json={"text": SUSPECT})
    assert figure(client, name) == before + 1


def test_the_model_is_described_with_its_thresholds(tiny_bundle: Path) -> None:
    client = create_app(Settings(), Engine(ModelInUse(Detector.load, tiny_bundle))).test_client()
    described = client.get("/v1/model").get_json()
    assert described["depths"] == ["auto", "fast"]
    assert described["thresholds"] == {
        "score": {"paraphrased": 0.9, "suspect": 0.5},
        "false_positive_rate": {"fast": {"paraphrased": 0.1, "suspect": 0.3}},
    }
    assert described["manifest"]["decision"]["supported"] == 0.002


def test_a_service_that_is_shutting_down_is_not_ready() -> None:
    engine = Engine(ModelInUse(load_fake), draining=lambda: True)
    answer = create_app(Settings(), engine).test_client().get("/readyz")
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)


def test_a_service_that_is_shutting_down_counts_no_problems_for_its_health_checks() -> None:
    """Otherwise each restart would look as if the API keys could not be read."""
    client = create_app(Settings(), Engine(ModelInUse(load_fake), draining=lambda: True)).test_client()
    before = figure(client, 'unspun_problems_total{problem="unavailable"}')
    client.get("/readyz")
    assert figure(client, 'unspun_problems_total{problem="unavailable"}') == before


def test_the_time_limit_holds_for_a_batch_as_a_whole() -> None:
    client = client_for(timeout=1e-9)
    answers = client.post("/v1/score/batch", json=[{"text": SPUN}, {"text": CLEAR}]).get_json()
    assert [(answer["status"], answer["retry_after"]) for answer in answers] == [(503, 1), (503, 1)]


def test_the_openapi_document_is_valid(client: FlaskClient) -> None:
    validator = pytest.importorskip("openapi_spec_validator", reason="pip install openapi-spec-validator")
    validator.validate(client.get("/v1/openapi.json").get_json())


def test_every_field_of_a_verdict_is_described(client: FlaskClient) -> None:
    schemas = client.get("/v1/openapi.json").get_json()["components"]["schemas"]
    for name in ("Verdict", "Evidence", "Repair", "SpunPassage", "ModelInfo"):
        silent = [field for field, one in schemas[name]["properties"].items() if not {"description", "$ref"} & set(one)]
        assert silent == []


def test_the_openapi_document_has_the_fields_of_a_verdict(client: FlaskClient) -> None:
    schema = client.get("/v1/openapi.json").get_json()["components"]["schemas"]["Verdict"]
    complete = client_for(lambda path: load_fake(path).allowing(Allowed([])))
    answer = complete.post("/v1/score", json={"text": SPUN, "base_rate": 0.05}).get_json()
    assert list(schema["properties"]) == list(answer)
    plain = client.post("/v1/score", json={"text": SPUN, "evidence": False}).get_json()
    assert schema["required"] == list(plain)


def test_the_openapi_document_has_every_path(client: FlaskClient) -> None:
    rules = {rule.rule for rule in client.application.url_map.iter_rules()}
    pages = {
        rule
        for rule in rules
        if rule in ("/", "/compare", "/selection", "/v1/docs") or rule.startswith(("/static", "/favicon", "/feedback"))
    }
    off = {rule for rule in rules if rule.startswith("/v1/feedback")}  # tests/feedback/test_routes.py has it on
    assert set(client.get("/v1/openapi.json").get_json()["paths"]) == rules - pages - off

"""The API's upload of files, and the query parameters of a stream that choose fields."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.cases import why
from tests.reading.support import FORMATS
from tests.service.app import client_for
from tests.service.fake_detector import FakeDetector
from tests.service.support import CLEAR, SPUN, cases
from unspun.service.http.keys import KeyStore

CSV = f'id,story\na,"{SPUN}"\nb,"{CLEAR}"\n'.encode()

FORM = "multipart/form-data; boundary=x"
PART = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n'
REPEATED = {b"PARTS": (PART + b"\r\nw\r\n") * 100, b"HEADERS": b"X-More: y\r\n" * 1_700, b"PART": PART, b"|": b"\r\n"}


@pytest.fixture
def client() -> FlaskClient:
    return client_for()


def upload(client: FlaskClient, *files: tuple[str, bytes], **fields: str) -> TestResponse:
    parts: dict[str, Any] = {"file": [(io.BytesIO(content), name) for name, content in files], **fields}
    return client.post("/v1/score/upload", data=parts, content_type="multipart/form-data")


def short(answers: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Return ids and verdicts, and the places and messages of problems."""
    return [
        (one.get("file"), one.get("line"), one["detail"]) if "status" in one else (one["id"], one["verdict"])
        for one in answers
    ]


def test_each_document_of_each_file_gets_the_verdict_of_the_python_api(client: FlaskClient) -> None:
    answer = upload(client, ("a.txt", SPUN.encode()), ("b.csv", CSV), text_field="story")
    expected = [FakeDetector().score(text, id=id) for id, text in (("a.txt", SPUN), ("a", SPUN), ("b", CLEAR))]
    assert answer.text == "[" + ",\n".join(one.to_json() for one in expected) + "]\n"


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_read(name: str, client: FlaskClient) -> None:
    [answer] = upload(client, (name, FORMATS[name]("Some words of a text."))).get_json()
    assert (answer["id"].partition("#")[0], answer["words"]) == (name, 5)


def test_what_cannot_be_read_is_a_problem_with_its_file_and_line_and_affects_nothing_else(client: FlaskClient) -> None:
    files = [
        ("a.csv", b"id,text\na\nb,words\n"),
        ("b.txt", b"\x89PNG\r\n"),
        ("c.jsonl", b'{"story": "words"}\n'),
        ("d.txt", b"words"),
    ]
    assert short(upload(client, *files).get_json()) == [
        ("a.csv", 2, "a.csv:2: 1 fields where the header has 2."),
        ("b", "abstained"),
        ("b.txt", None, "b.txt: binary (PNG), not text."),
        (
            "c.jsonl",
            1,
            'c.jsonl:1: no field "text", "content", "body", "article" or "full_text"; the fields are: story; '
            "choose one with text_field.",
        ),
        ("d.txt", "abstained"),
    ]


def test_a_text_that_is_too_long_is_a_problem_of_its_own(client: FlaskClient) -> None:
    first, second = upload(client, ("a.json", json.dumps(["word " * 201, "word"]).encode())).get_json()
    assert (first["status"], first["file"], first["line"]) == (413, "a.json", 1)
    assert second["id"] == "a.json#2"


def test_options_apply_to_all_files(client: FlaskClient) -> None:
    answers = upload(client, ("a.txt", SPUN.encode()), ("b.txt", SPUN.encode()), evidence="false", base_rate="0.1")
    assert ["evidence" in one or "probability" not in one for one in answers.get_json()] == [False, False]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [({"depth": "deeper"}, "#/depth"), ({"evidence": "perhaps"}, "#/evidence"), ({"base_rate": "2"}, "#/base_rate")],
)
def test_an_invalid_option_is_refused(fields: dict[str, str], pointer: str, client: FlaskClient) -> None:
    answer = upload(client, ("a.txt", b"words"), **fields)
    assert (answer.status_code, answer.get_json()["errors"][0]["pointer"]) == (422, pointer)


def test_a_form_without_a_file_is_refused(client: FlaskClient) -> None:
    answer = upload(client, text_field="story")
    assert (answer.status_code, answer.get_json()["errors"][0]["pointer"]) == (422, "#/file")


@pytest.mark.parametrize("case", cases("broken_forms.toml"), ids=why)
def test_a_broken_form_is_refused_and_the_problem_says_what_is_wrong(case: dict[str, Any], client: FlaskClient) -> None:
    body = case["body"].encode("latin-1")
    for name, value in REPEATED.items():
        body = body.replace(name, value)
    answer = client.post("/v1/score/upload", data=body, content_type=case.get("kind", FORM)).get_json()
    assert (answer["status"], case["detail"] in answer["detail"]) == (case.get("status", 400), True), answer["detail"]


def test_whatever_comes_after_the_last_boundary_is_ignored(client: FlaskClient) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nwords\r\n--x--\r\nmore'
    [answer] = client.post("/v1/score/upload", data=body, content_type=FORM).get_json()
    assert (answer["id"], answer["words"]) == ("a.txt", 1)


def test_a_boundary_may_stand_anywhere_in_a_large_form() -> None:
    """The form is read in pieces; wherever one ends, nothing is lost."""
    client = client_for(max_bytes=100_000)
    for size in range(8_100, 8_200):
        [answer] = upload(client, ("a.txt", b"w" * size + b" and more"), text_field="x").get_json()
        assert answer["words"] == 3


def test_the_limits_of_the_service_apply(client: FlaskClient) -> None:
    assert upload(client, ("a.txt", b"x" * 20_001)).get_json()["type"].endswith(":too-large")
    assert upload(client, ("a.json", b'["a"' + b',"a"' * 10 + b"]")).get_json()["type"].endswith(":too-many-items")


def test_a_file_that_unpacks_to_more_than_the_limit_is_a_problem(client: FlaskClient) -> None:
    bomb = gzip.compress(b"word " * 1_000_000)
    found = short(upload(client, ("a.txt.gz", bomb), ("b.txt", b"words")).get_json())
    assert found == [
        ("a.txt.gz", None, "a.txt.gz: has more than 20,000 bytes when unpacked, the limit of this service."),
        ("b.txt", "abstained"),
    ]


def test_a_rate_limit_counts_documents() -> None:
    client = client_for(rate_limit="2 per minute")
    assert upload(client, ("a.json", b'["a", "b", "c"]')).get_json()["type"].endswith(":too-many-items")


def test_a_key_is_required_if_the_service_has_keys(tmp_path: Path) -> None:
    KeyStore(tmp_path / "keys.json").add("tests")
    client = client_for(keys_file=tmp_path / "keys.json")
    assert upload(client, ("a.txt", b"words")).status_code == 401


def test_a_stream_reads_the_chosen_fields(client: FlaskClient) -> None:
    lines = [{"meta": {"url": "u"}, "story": SPUN}, {"story": 7}, {"text": SPUN}]
    body = "".join(json.dumps(line) + "\n" for line in lines)
    path = "/v1/score/stream?text_field=story&id_field=meta.url"
    answers = client.post(path, data=body, content_type="application/x-ndjson").text.splitlines()
    assert short([json.loads(answer) for answer in answers]) == [
        ("u", "paraphrased"),
        (None, 2, '"story" is a number, not a string.'),
        (None, 3, 'no field "story"; the fields are: text.'),
    ]

"""`/v1/feedback` and the page's buttons through Flask's test client, with a detector that needs no model."""

from __future__ import annotations

import base64
import io
import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from lxml import html
from werkzeug.test import TestResponse

pytest.importorskip("sqlalchemy", reason="labels: pip install 'unspun[feedback]'")

from tests.cases import why
from tests.feedback.making import label_of
from tests.service.fake_detector import FakeDetector, load_fake
from tests.service.support import CLEAR, SPUN, cases
from unspun.service.feedback.store import Store
from unspun.service.http import keeper
from unspun.service.http.app import create_app
from unspun.service.http.config import Settings, SettingsError
from unspun.service.http.engine import Engine, ModelInUse
from unspun.service.http.keeper import Keeper
from unspun.service.http.keys import KeyStore
from unspun.service.http.logs import LOGGER, JsonFormatter
from unspun.service.http.problems import MEDIA_TYPE, RequestError

GOOD = {"text": SPUN, "label": "human", "consent": True}


def client_for(database: object = "", **settings: Any) -> FlaskClient:
    environment = {"UNSPUN_DATABASE_URL": str(database)}
    chosen = Settings.from_environment(environment, **({"max_words": 200, "max_bytes": 20_000} | settings))
    return create_app(chosen, Engine(ModelInUse(load_fake))).test_client()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "labels.db"


@pytest.fixture
def client(url: str) -> Iterator[FlaskClient]:
    """Return a client of a service that stores labels, in SQLite and in PostgreSQL."""
    made = client_for(url)
    keeper: Keeper = made.application.extensions["unspun.feedback"]
    keeper.start()
    yield made
    keeper.close()


def stored(url: object) -> list[dict[str, Any]]:
    store = Store(str(url), migrates=True)
    found = [label.to_dict() for label in store.labels()]
    store.database.close()
    return found


# --- POST, GET, DELETE


def test_a_label_is_stored_with_the_services_verdict(client: FlaskClient, url: str) -> None:
    answer = client.post("/v1/feedback", json={**GOOD, "source": " desk ", "comment": "By its author."})
    assert answer.status_code == 201
    label = answer.json
    expected = FakeDetector().score(SPUN)
    assert label["verdict"] == {
        "score": expected.score,
        "false_positive_rate": expected.false_positive_rate,
        "share": expected.share,
        "verdict": "paraphrased",
        "kind": "spun",
        "reason": None,
        "words": expected.words,
        "depth": "fast",
        "model": expected.model.to_dict(),
    }
    assert label["signals"] == [{"signal": "known_phrase", "count": 2, "weight": 4.5}]
    assert (label["label"], label["source"], label["comment"], label["text"]) == (
        "human",
        "desk",
        "By its author.",
        None,
    )
    assert stored(url) == [label]
    assert answer.headers["Location"] == f"/v1/feedback/{label['id']}"
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_text_is_stored_only_on_request(client: FlaskClient, url: str) -> None:
    client.post("/v1/feedback", json=GOOD)
    client.post("/v1/feedback", json={**GOOD, "text": CLEAR, "keep_text": True})
    assert {label["text"] for label in stored(url)} == {None, CLEAR}


def test_a_label_is_read_and_deleted_by_its_id(client: FlaskClient, url: str) -> None:
    label = client.post("/v1/feedback", json={**GOOD, "keep_text": True}).json
    address = f"/v1/feedback/{label['id']}"
    assert client.get(address).json == label
    gone = client.delete(address)
    assert (gone.status_code, gone.data) == (204, b"")
    assert stored(url) == []
    for again in (client.get(address), client.delete(address)):
        assert (again.status_code, again.json["type"]) == (404, "urn:unspun:problem:not-found")


@pytest.mark.parametrize("id", ["0" * 32, "1", "../score", "' OR 1=1 --", "%00", "é"])
def test_an_unknown_id_is_not_found(id: str, client: FlaskClient) -> None:
    assert client.get(f"/v1/feedback/{id}").status_code == 404
    assert client.delete(f"/v1/feedback/{id}").status_code in (404, 405)


def test_a_second_click_is_the_same_label(client: FlaskClient, url: str) -> None:
    first, second = client.post("/v1/feedback", json=GOOD), client.post("/v1/feedback", json=GOOD)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json == second.json
    assert len(stored(url)) == 1


@pytest.mark.parametrize("case", cases("feedback_bad_requests.toml"), ids=why)
def test_an_invalid_label_is_refused_and_not_stored(case: dict[str, Any], file: Path) -> None:
    asked = {key: value for key, value in {**GOOD, **case["change"]}.items() if value != "GONE"}
    asked = {key: "s" * 201 if value == "LONG" else value for key, value in asked.items()}
    answer = client_for(file).post("/v1/feedback", json=asked)
    assert (answer.status_code, answer.mimetype) == (422, MEDIA_TYPE)
    assert answer.json["errors"][0]["pointer"] == case["pointer"]
    assert case["says"] in answer.json["detail"]
    assert not file.exists()


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[1]", "application/json", 422),
        (b"", "application/json", 400),
        (SPUN.encode(), "text/plain", 415),
        (b"text=a&label=human&consent=true", "application/x-www-form-urlencoded", 415),
        (json.dumps({**GOOD, "text": "word " * 201}).encode(), "application/json", 413),
        (json.dumps({**GOOD, "text": "x" * 30_000}).encode(), "application/json", 413),
    ],
    ids=["no JSON", "a list", "empty", "plain text", "a form of any site", "too many words", "too many bytes"],
)
def test_the_limits_are_the_same_as_for_scoring(body: bytes, kind: str, status: int, file: Path) -> None:
    answer = client_for(file).post("/v1/feedback", data=body, content_type=kind)
    assert (answer.status_code, answer.mimetype) == (status, MEDIA_TYPE)
    assert not file.exists()


def test_a_key_is_required_if_scoring_requires_one(file: Path, tmp_path: Path) -> None:
    key = KeyStore(tmp_path / "keys.json").add("desk")
    client = client_for(file, keys_file=tmp_path / "keys.json")
    assert client.post("/v1/feedback", json=GOOD).status_code == 401
    with_key = {"Authorization": f"Bearer {key}"}
    label = client.post("/v1/feedback", json=GOOD, headers=with_key).json
    address = f"/v1/feedback/{label['id']}"
    assert [client.get(address).status_code, client.delete(address).status_code] == [401, 401]
    assert client.delete(address, headers=with_key).status_code == 204


def test_the_rate_limit_is_shared_with_scoring(file: Path) -> None:
    client = client_for(file, rate_limit="3/hour")
    client.post("/v1/score", json={"text": SPUN})
    label = client.post("/v1/feedback", json=GOOD).json
    client.get(f"/v1/feedback/{label['id']}")
    assert client.post("/v1/feedback", json={**GOOD, "label": "spun"}).status_code == 429
    assert [one["id"] for one in stored(file)] == [label["id"]]


def test_a_text_that_cannot_be_scored_is_not_stored(file: Path) -> None:
    answer = client_for(file).post("/v1/feedback", json={**GOOD, "text": "raise-error"})
    assert answer.status_code == 500
    assert not file.exists()


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Return the log of the service."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    before = LOGGER.level
    LOGGER.addHandler(handler)
    LOGGER.setLevel("INFO")
    yield stream
    LOGGER.removeHandler(handler)
    LOGGER.setLevel(before)


def test_neither_text_nor_id_nor_source_is_logged(client: FlaskClient, log: io.StringIO) -> None:
    with client.post("/v1/feedback", json={**GOOD, "keep_text": True, "source": "desk-of-secrets"}) as answer:
        label = answer.json
    client.get(f"/v1/feedback/{label['id']}").close()
    client.delete(f"/v1/feedback/{label['id']}").close()
    logged = log.getvalue()
    assert [json.loads(line)["route"] for line in logged.splitlines() if '"request"' in line] == [
        "/v1/feedback",
        "/v1/feedback/<id>",
        "/v1/feedback/<id>",
    ]
    assert not [word for word in ("prescient", "desk-of-secrets", label["id"], label["digest"]) if word in logged]


def test_labels_are_counted_by_label(client: FlaskClient) -> None:
    def count() -> float:
        found = [
            line
            for line in client.get("/metrics").text.splitlines()
            if line.startswith('unspun_labels_total{label="rew')
        ]
        return float(found[0].split()[-1]) if found else 0.0

    before = count()
    client.post("/v1/feedback", json={**GOOD, "label": "rewritten"})
    client.post("/v1/feedback", json={**GOOD, "label": "rewritten"})
    assert count() == before + 1


# --- without a database, and with one that fails


def test_without_a_database_the_answer_says_how_to_set_one() -> None:
    client = client_for()
    for answer in (
        client.post("/v1/feedback", json=GOOD),
        client.get("/v1/feedback/0"),
        client.delete("/v1/feedback/0"),
    ):
        assert (answer.status_code, answer.json["type"]) == (501, "urn:unspun:problem:feedback-off")
        assert "UNSPUN_DATABASE_URL" in answer.json["detail"]


def test_with_a_database_the_openapi_description_has_the_paths_for_labels(file: Path) -> None:
    described = client_for(file).get("/v1/openapi.json").json
    assert [path for path in described["paths"] if "feedback" in path] == ["/v1/feedback", "/v1/feedback/{id}"]
    validator = pytest.importorskip("openapi_spec_validator", reason="pip install openapi-spec-validator")
    validator.validate(described)


def test_without_a_database_the_openapi_description_has_no_labels() -> None:
    described = client_for().get("/v1/openapi.json").json
    assert [path for path in described["paths"] if "feedback" in path] == []
    assert "neither stored nor logged" in described["info"]["description"]


def test_an_unsupported_database_is_an_invalid_setting() -> None:
    with pytest.raises(SettingsError) as raised:
        client_for("mysql://u:secret-word@db/x")
    [problem] = raised.value.problems
    assert problem.startswith("UNSPUN_DATABASE_URL: labels can be stored in SQLite or PostgreSQL, not in mysql;")
    assert "secret-word" not in problem


def test_the_settings_do_not_show_the_password() -> None:
    settings = Settings.from_environment({"UNSPUN_DATABASE_URL": "postgresql://u:secret-word@db/x"})
    assert "secret-word" not in f"{settings!r} {settings.database_url}"


def test_if_the_database_fails_only_the_label_is_lost(tmp_path: Path, log: io.StringIO) -> None:
    client = client_for(tmp_path / "nowhere/labels.db")
    answer = client.post("/v1/feedback", json=GOOD)
    assert (answer.status_code, answer.json["type"]) == (503, "urn:unspun:problem:not-stored")
    assert answer.json["detail"].startswith(
        "The label was not stored. The database of labels cannot be created; choose"
    )
    assert str(tmp_path) not in answer.text
    assert str(tmp_path) in log.getvalue()
    assert answer.headers["Retry-After"] == "5"
    assert client.post("/v1/score", json={"text": SPUN}).status_code == 200


def test_a_database_that_comes_back_is_used_again(tmp_path: Path) -> None:
    client = client_for(tmp_path / "mount/labels.db")
    assert client.post("/v1/feedback", json=GOOD).status_code == 503
    (tmp_path / "mount").mkdir()
    assert client.post("/v1/feedback", json=GOOD).status_code == 201


# --- the page


def judge(client: FlaskClient, text: str = SPUN) -> Any:
    form = {"text": text, "file": (io.BytesIO(b""), "")}
    return html.fromstring(client.post("/", data=form, content_type="multipart/form-data").text)


def say(
    client: FlaskClient, text: str = SPUN, headers: Any = None, address: str = "/feedback", **fields: str
) -> TestResponse:
    packed = base64.b64encode(text.encode()).decode()
    given = {"packed": packed, "label": "human", "consent": "true", **fields}
    form = {name: value for name, value in given.items() if value != "GONE"}
    return client.post(address, data=form, headers=headers, content_type="multipart/form-data")


def section(answer: TestResponse) -> str:
    [found] = html.fromstring(answer.text).xpath("//section[contains(@class, 'feedback')]")
    return " ".join(str(found.text_content()).split())


def alert(answer: TestResponse) -> str:
    [found] = html.fromstring(answer.text).xpath("//*[@role='alert']")
    return " ".join(str(found.text_content()).split())


def test_without_a_database_the_page_has_no_buttons(file: Path) -> None:
    assert not judge(client_for()).xpath("//*[@name='label']")
    assert [one.get("value") for one in judge(client_for(file)).xpath("//button[@name='label']")] == [
        "human",
        "spun",
        "translated",
        "rewritten",
    ]


def test_the_page_says_whether_anything_is_stored(file: Path) -> None:
    assert "Nothing that you submit is logged or stored." in client_for().get("/").text
    assert "logged, and it is stored only if you add a label." in client_for(file).get("/").text


@pytest.mark.parametrize("text", [SPUN, "One\r\ntwo\rthree\n", "\n\n leading", "<b>&amp;</b> é 🦉"], ids=repr)
def test_the_page_labels_exactly_the_submitted_text(text: str, file: Path) -> None:
    client = client_for(file)
    shown = judge(client, text)
    [packed] = shown.xpath("//form[@action='/feedback']//input[@name='packed']/@value")
    judged = base64.b64decode(packed).decode()
    assert judged == text.replace("\r\n", "\n").replace("\r", "\n")  # as a text box sends it
    say(client, judged, keep_text="true")
    assert stored(file)[0]["text"] == judged


def test_the_confirmation_names_the_id_and_how_to_delete_it(file: Path) -> None:
    answer = say(client_for(file), source="desk")
    [label] = stored(file)
    assert answer.status_code == 200
    assert (label["source"], label["text"]) == ("desk", None)
    assert "Stored: this text is human" in section(answer)
    assert f"curl -X DELETE http://localhost/v1/feedback/{label['id']}" in section(answer)
    assert "Only a hash of the text was stored." in section(answer)
    assert html.fromstring(answer.text).xpath("//*[@autofocus]/@id") == ["feedback"]


def test_the_label_is_deleted_from_the_page(file: Path) -> None:
    client = client_for(file)
    [id] = html.fromstring(say(client).text).xpath("//input[@name='id']/@value")
    assert "The label was deleted." in say(client, address="/feedback/delete", id=id).text
    assert stored(file) == []
    again = say(client, address="/feedback/delete", id=id)
    assert again.status_code == 404
    assert "There is no label with this id" in alert(again)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"consent": "GONE"}, "Tick the box to agree"),
        ({"consent": "false"}, "Tick the box to agree"),
        ({"label": "GONE"}, "must be one of human, spun, translated, rewritten"),
        ({"source": "s" * 201}, "at most 200 characters"),
        ({"packed": "no base64!"}, "Check the text again"),
        ({"packed": "GONE"}, "must not be blank"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_an_invalid_form_is_refused_with_a_message(fields: dict[str, str], says: str, file: Path) -> None:
    answer = say(client_for(file), **fields)
    assert answer.status_code in (400, 422)
    assert "The label was not stored" in alert(answer)
    assert says in alert(answer)
    assert not file.exists()


def test_the_text_stays_on_the_page_if_the_label_is_not_stored(tmp_path: Path) -> None:
    answer = say(client_for(tmp_path / "nowhere/labels.db"))
    assert answer.status_code == 503
    assert "The label was not stored" in alert(answer)
    assert html.fromstring(answer.text).xpath("//textarea")[0].text.removeprefix("\n") == SPUN


@pytest.mark.parametrize("address", ["/feedback", "/feedback/delete"])
@pytest.mark.parametrize(
    ("headers", "taken"),
    [
        ({}, True),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Origin": "http://localhost"}, True),
        ({"Origin": "https://localhost:8443"}, True),  # the typed address, behind a proxy that sends only the host name
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://localhost"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Origin": "https://elsewhere.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://localhost.elsewhere.example"}, False),
    ],
    ids=str,
)
def test_another_sites_form_is_refused(headers: dict[str, str], taken: bool, address: str, file: Path) -> None:
    client = client_for(file)
    id = client.post("/v1/feedback", json=GOOD).json["id"]
    answer = say(client, CLEAR, headers, address=address, id=id)
    assert answer.status_code == (200 if taken else 403)
    expected = {"/feedback": 2, "/feedback/delete": 0}[address] if taken else 1
    assert len(stored(file)) == expected


def test_the_referrer_policy_lets_browsers_send_the_origin_of_forms(file: Path) -> None:
    assert client_for(file).get("/").headers["Referrer-Policy"] == "same-origin"
    assert client_for().get("/").headers["Referrer-Policy"] == "no-referrer"


def test_the_page_requires_a_key_if_the_api_does(file: Path, tmp_path: Path) -> None:
    key = KeyStore(tmp_path / "keys.json").add("desk")
    client = client_for(file, keys_file=tmp_path / "keys.json")
    assert say(client).status_code == 401
    assert not file.exists()
    shown = html.fromstring(say(client, key=key).text)
    assert len(stored(file)) == 1
    assert shown.xpath("//section[contains(@class, 'feedback')]//input[@name='key']")


def test_the_reference_describes_labels_only_if_they_are_stored(file: Path) -> None:
    shown = client_for(file).get("/v1/docs").text
    assert "curl -X DELETE http://localhost/v1/feedback/ID" in shown
    assert "feedback" not in client_for().get("/v1/docs").text.replace("feedback-off", "")


@pytest.mark.parametrize("change", ["add", "delete"])
def test_a_change_that_waited_too_long_for_its_turn_is_not_made(
    change: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time limit begins with the request, not when a thread is free: by then, the request has been answered."""

    def late(function: Any, seconds: float) -> Any:
        time.sleep(0.1)
        return function()

    there, new = label_of("One."), label_of("Two.")
    store = Store(str(file))
    store.add(there)
    monkeypatch.setattr(keeper, "SECONDS", keeper.COMMIT_SECONDS + 0.05)
    late_keeper = Keeper(f"sqlite:///{file}", late)
    with pytest.raises(RequestError) as raised:
        late_keeper.add(new) if change == "add" else late_keeper.delete(there.id)
    assert "did not answer in time" in raised.value.detail
    assert list(store.labels()) == [there]

"""`/v1/compare` through Flask's test client, with a comparer that needs no model."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.service import app
from tests.service.fake_comparer import FakeComparer
from tests.service.fake_detector import FakeDetector
from unspun.model.verdict import ModelInfo
from unspun.service.client import UnspunError, comparison_from_dict
from unspun.service.http.engine import Model
from unspun.service.http.keys import KeyStore
from unspun.service.http.routes.compare import COMPARERS, Comparers

SOURCE = "The council voted nine to two on Monday to open the harbour steps. Nobody spoke against it."
SUSPECT = "The council balloted nine to two on Monday to unlatch the port steps. Nobody talked against it."
SECRET = "Confidential-Manuscript"


class Detector(FakeDetector):
    """A detector whose model can be replaced."""

    def become(self, sha256: str) -> None:
        self.model = ModelInfo("fake", "0.0.2", sha256)


def client_for(
    make: Callable[[Model], Any] = lambda model: FakeComparer(), detector: FakeDetector | None = None, **settings: Any
) -> FlaskClient:
    loaded = detector or FakeDetector()
    client = app.client_for(lambda path: loaded, **settings)
    client.application.extensions[COMPARERS] = Comparers(make)
    return client


@pytest.fixture
def client() -> FlaskClient:
    return client_for()


def asked(**changes: Any) -> dict[str, Any]:
    return {"suspect": SUSPECT, "source": SOURCE, "suspect_id": "a", "source_id": "b"} | changes


def test_two_texts_get_the_comparison_of_the_python_api(client: FlaskClient) -> None:
    expected = FakeComparer().compare(SUSPECT, SOURCE, suspect_id="a", source_id="b").to_json()
    answer = client.post("/v1/compare", json=asked())
    assert (answer.text, answer.mimetype) == (f"{expected}\n", "application/json")
    assert answer.headers["Cache-Control"] == "no-store"


def test_ids_may_be_left_out_or_numbers(client: FlaskClient) -> None:
    assert client.post("/v1/compare", json={"suspect": SUSPECT, "source": SOURCE}).get_json()["suspect"]["id"] is None
    assert client.post("/v1/compare", json=asked(source_id=7)).get_json()["source"]["id"] == "7"


def test_two_empty_texts_can_be_compared(client: FlaskClient) -> None:
    assert client.post("/v1/compare", json={"suspect": "", "source": ""}).get_json()["reason"] == "too_short"


def test_a_gzipped_body_is_unpacked(client: FlaskClient) -> None:
    body = gzip.compress(json.dumps(asked()).encode())
    headers = {"Content-Encoding": "gzip"}
    answer = client.post("/v1/compare", data=body, headers=headers, content_type="application/json")
    assert answer.get_json()["kind"] == "spun"


def test_a_failed_comparison_is_a_500_without_a_traceback(
    client: FlaskClient, logged: pytest.LogCaptureFixture
) -> None:
    answer = client.post("/v1/compare", json=asked(suspect=f"{SECRET} raise-error"))
    assert (answer.status_code, "ZeroDivision" in answer.text) == (500, False)
    assert SECRET not in str([vars(record) for record in logged.records])


def test_a_comparison_counts_as_two_texts() -> None:
    client = client_for(rate_limit="5 per hour")
    statuses = [client.post("/v1/compare", json=asked()).status_code for _ in range(2)]
    statuses += [client.post("/v1/score", json={"text": SUSPECT}).status_code for _ in range(2)]
    assert statuses == [200, 200, 200, 429]


def test_a_comparison_requires_a_key_if_keys_are_used(tmp_path: Path) -> None:
    key = KeyStore(tmp_path / "keys.json").add("tests")
    client = client_for(keys_file=tmp_path / "keys.json")
    assert client.post("/v1/compare", json=asked()).status_code == 401
    assert client.post("/v1/compare", json=asked(), headers={"X-API-Key": key}).status_code == 200


def test_the_log_has_the_outcome_and_no_text(client: FlaskClient, logged: pytest.LogCaptureFixture) -> None:
    client.post("/v1/compare", json=asked(suspect=f"{SUSPECT} {SECRET}")).close()
    [line] = [vars(record) for record in logged.records if record.getMessage() == "request"]
    assert (line["route"], line["status"], line["verdicts"]) == ("/v1/compare", 200, {"spun": 1})
    assert line["words"] == 17 + 17 + 2
    assert line["model_milliseconds"] > 0
    assert SECRET not in str(line)


def test_metrics_count_comparisons_by_kind(client: FlaskClient) -> None:
    def count(kind: str) -> float:
        found = [
            line for line in client.get("/metrics").text.splitlines() if f'comparisons_total{{kind="{kind}"' in line
        ]
        return float(found[0].split()[-1]) if found else 0.0

    before = count("spun"), count("unrelated")
    client.post("/v1/compare", json=asked())
    client.post("/v1/compare", json=asked(source="Two goals won the cup for a side that few had expected to win it."))
    assert (count("spun"), count("unrelated")) == (before[0] + 1, before[1] + 1)


# --- the model in use


def test_a_comparer_is_made_once_per_model() -> None:
    made: list[str] = []

    def make(model: Model) -> FakeComparer:
        made.append(model.model.sha256)
        return FakeComparer()

    detector = Detector()
    first = detector.model.sha256
    client = client_for(make, detector)
    assert made == []
    for _ in range(2):
        client.post("/v1/compare", json=asked())
    assert made == [first]
    detector.become("ab" * 32)
    for _ in range(2):
        client.post("/v1/compare", json=asked())
    assert made == [first, "ab" * 32]


class Other(FakeComparer):
    """A comparer for which every text is copied."""

    def compare(self, *texts: str, **ids: str | None) -> Any:
        return replace(super().compare(*texts, **ids), kind="copied")


def test_the_new_model_answers() -> None:
    made = iter([FakeComparer(), Other()])
    detector = Detector()
    client = client_for(lambda model: next(made), detector)
    assert client.post("/v1/compare", json=asked()).get_json()["kind"] == "spun"
    detector.become("ab" * 32)
    assert client.post("/v1/compare", json=asked()).get_json()["kind"] == "copied"


def refuse(model: Model) -> Any:
    raise ValueError(f"{SECRET} is not in list")


def test_a_model_that_cannot_compare_still_scores(logged: pytest.LogCaptureFixture) -> None:
    client = client_for(refuse)
    answer = client.post("/v1/compare", json=asked())
    assert (answer.status_code, json.loads(answer.data)["type"]) == (500, "urn:unspun:problem:internal-error")
    assert SECRET not in str([vars(record) for record in logged.records])
    assert client.post("/v1/score", json={"text": SUSPECT}).status_code == 200


# --- read back by the client


def test_the_client_rebuilds_a_comparison() -> None:
    expected = FakeComparer().compare(f"{SUSPECT} It rained.", f"{SOURCE} All went home.", source_id="b")
    assert comparison_from_dict(json.loads(expected.to_json())) == expected


@pytest.mark.parametrize("answer", [{}, [], None, {"suspect": 1}, {"score": 0.5, "verdict": "clear"}])
def test_the_client_refuses_a_response_that_is_not_a_comparison(answer: Any) -> None:
    with pytest.raises(UnspunError, match="The answer is not from unspun"):
        comparison_from_dict(answer)

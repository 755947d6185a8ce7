"""Labels in a running service: gunicorn, several workers, SQLite and a real PostgreSQL."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.http.running import ROOT, Service
from tests.http.test_schema import schemathesis
from tests.service.support import wait_until
from unspun.service.client import Client, ProblemError

pytest.importorskip("sqlalchemy", reason="labels: pip install 'unspun[feedback]'")

from tests.feedback.making import label_of
from tests.feedback.postgres import PASSWORD, Server
from unspun.service.feedback.store import Store

TEXT = (ROOT / "seeds/examples/human/01-harbour-swimmers.txt").read_text("utf-8")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Start a service that stores labels in a file."""
    file = tmp_path_factory.mktemp("labels") / "labels.db"
    with Service(DATABASE_URL=file, MAX_BYTES=1_000_000) as service:
        yield service


def label(service: Service, text: str = TEXT, **fields: Any) -> Any:
    return service.post("/v1/feedback", {"text": text, "label": "human", "consent": True, **fields})


def events(service: Service, name: str) -> list[dict[str, Any]]:
    return [line for line in service.log if line["event"] == name]


def test_any_worker_stores_reads_and_deletes_labels(url: str) -> None:
    with Service(DATABASE_URL=url, WORKERS=2) as service:
        [migrated] = events(service, "database of labels migrated")
        assert (migrated["before"], migrated["now"]) == (None, "0002")
        stored = label(service, keep_text=True).json
        verdict = service.post("/v1/score", {"text": TEXT, "evidence": "all"}).json
        assert stored["verdict"] == {name: verdict.get(name) for name in stored["verdict"]}
        for _ in range(6):
            assert service.get(f"/v1/feedback/{stored['id']}").json == stored
        assert service.ask("DELETE", f"/v1/feedback/{stored['id']}", None, {}).status == 204
        assert service.get(f"/v1/feedback/{stored['id']}").status == 404


def test_no_concurrent_label_is_lost(url: str) -> None:
    with Service(DATABASE_URL=url, WORKERS=2) as service:
        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(lambda i: label(service, f"Text number {i}. {TEXT[:400]}"), range(60)))
        assert [answer.status for answer in answers] == [201] * 60
        ids = [answer.json["id"] for answer in answers]
        assert len(set(ids)) == 60
        assert {service.get(f"/v1/feedback/{id}").status for id in ids} == {200}


def test_the_same_label_sent_to_several_workers_is_stored_once(url: str) -> None:
    with Service(DATABASE_URL=url, WORKERS=2) as service:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: label(service), range(16)))
        assert sorted(answer.status for answer in answers) == [200] * 15 + [201]
        assert len({answer.json["id"] for answer in answers}) == 1


def test_the_client_stores_and_deletes_a_label(kept: Service) -> None:
    with Client(f"http://127.0.0.1:{kept.port}") as client:
        stored = client.add_label(TEXT, "human", consent=True, source="desk")
        assert client.get_label(stored["id"]) == stored
        client.delete_label(stored["id"])
        for asks in (client.get_label, client.delete_label):
            with pytest.raises(ProblemError) as raised:
                asks(stored["id"])
            assert raised.value.status == 404


def test_the_client_raises_a_problem_without_consent(kept: Service) -> None:
    with Client(f"http://127.0.0.1:{kept.port}") as client, pytest.raises(ProblemError) as raised:
        client.add_label(TEXT, "human", consent=False)
    assert raised.value.status == 422


@pytest.mark.skipif(find_spec("schemathesis") is None, reason="pip install schemathesis")
def test_labels_conform_to_the_openapi_document(kept: Service) -> None:
    schemathesis(kept, "--include-path-regex", "feedback")


# --- a database that fails


def test_without_the_database_only_labels_fail(postgres: Server) -> None:
    url = postgres.database()
    with Service(DATABASE_URL=url, WORKERS=1) as service:
        assert label(service).status == 201
        postgres.stop()
        try:
            answer = label(service, f"Now. {TEXT}")
            assert (answer.status, answer.json["type"]) == (503, "urn:unspun:problem:not-stored")
            assert answer.json["detail"].startswith("The label was not stored")
            assert service.post("/v1/score", {"text": TEXT}).status == 200
            assert service.get("/readyz").status == 200
        finally:
            postgres.start()
        assert label(service, f"Later. {TEXT}").status == 201
        [reason] = [line["reason"] for line in events(service, "database of labels failed")]
        assert PASSWORD not in reason


def test_an_unresponsive_database_delays_only_labels() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        url = f"postgresql://u:p@127.0.0.1:{silent.getsockname()[1]}/x?connect_timeout=10"
        with Service(DATABASE_URL=url, WORKERS=1) as service, ThreadPoolExecutor(12) as pool:
            # More than there are threads, for labels and for texts.
            waiting = [pool.submit(label, service, f"{i} {TEXT}") for i in range(12)]
            for _ in range(3):
                assert service.post("/v1/score", {"text": TEXT}).status == 200
            assert not any(future.done() for future in waiting)
            assert {future.result().status for future in waiting} == {503}
        assert len(events(service, "database of labels failed")) == 12


def test_a_service_starts_without_its_database_and_uses_it_later(postgres: Server) -> None:
    url = postgres.database()
    postgres.stop()
    try:
        with Service(DATABASE_URL=url, WORKERS=1) as service:
            assert events(service, "labels cannot be stored")
            assert label(service).status == 503
            assert service.post("/v1/score", {"text": TEXT}).status == 200
            postgres.start()
            assert label(service).status == 201
    finally:
        with contextlib.suppress(AssertionError):
            postgres.start()


def test_a_database_of_a_later_version_is_left_unchanged(tmp_path: Path) -> None:
    file = tmp_path / "labels.db"
    there, _ = Store(str(file)).add(label_of())
    with sqlite3.connect(file) as later:
        later.execute("UPDATE unspun_revision SET version_num = '9999'")
    later.close()
    with Service(DATABASE_URL=file, WORKERS=1) as service:
        answer = label(service, f"Another. {TEXT}")
        assert answer.status == 503
        assert "was migrated by a newer version of unspun" in answer.json["detail"]
        assert answer.json["detail"].endswith("update unspun.")
        assert service.post("/v1/score", {"text": TEXT}).status == 200
    with sqlite3.connect(file) as later:
        assert later.execute("SELECT id FROM unspun_labels").fetchall() == [(there.id,)]
    later.close()


def test_a_killed_worker_loses_no_confirmed_label(tmp_path: Path) -> None:
    with Service(DATABASE_URL=tmp_path / "labels.db", WORKERS=2) as service:
        confirmed: list[str] = []

        def send(i: int) -> None:
            with contextlib.suppress(OSError, json.JSONDecodeError):
                answer = label(service, f"Text number {i}. {TEXT[:400]}")
                if answer.status == 201:
                    confirmed.append(answer.json["id"])

        with ThreadPoolExecutor(8) as pool:
            sent = [pool.submit(send, i) for i in range(40)]
            while len(confirmed) < 5:
                time.sleep(0.01)
            os.kill(service.workers()[0], signal.SIGKILL)
            for future in sent:
                with contextlib.suppress(Exception):
                    future.result()
        wait_until(lambda: len(service.workers()) == 2)
        assert {service.get(f"/v1/feedback/{id}").status for id in confirmed} == {200}

"""A database that is down, locked, read-only or none at all: what is told is one line that says what to do."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

if find_spec("sqlalchemy") is None:
    pytest.skip("labels: pip install 'unspun[feedback]'", allow_module_level=True)

from tests.feedback.making import label_of
from tests.feedback.postgres import PASSWORD, Server
from tests.service.support import cases, why
from unspun.service.feedback import database
from unspun.service.feedback.database import StoreError, parse_url
from unspun.service.feedback.store import Store

SECRET = "secret-word"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a SQLite file with a label in it."""
    path = tmp_path / "labels.db"
    Store(str(path)).add(label_of())
    return path


@pytest.mark.parametrize("case", cases("feedback_urls.toml"), ids=why)
def test_what_an_address_means(case: dict[str, Any]) -> None:
    if "means" in case:
        assert parse_url(case["url"]).render_as_string(hide_password=False) == case["means"]
        return
    with pytest.raises(ValueError, match=case["says"]) as raised:
        parse_url(case["url"])
    assert SECRET not in str(raised.value)


def told(action: Any) -> str:
    with pytest.raises(StoreError) as raised:
        action()
    message = str(raised.value)
    assert "\n" not in message
    assert PASSWORD not in message
    return message


# --- SQLite


def test_reading_does_not_make_a_database(tmp_path: Path) -> None:
    path = tmp_path / "labels.db"
    message = told(lambda: list(Store(str(path)).labels()))
    assert message == f"{path}: there is no such database; labels that are added or imported make it"
    assert not path.exists()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "nowhere/labels.db"
    message = told(lambda: Store(str(path)).add(label_of()))
    assert message.startswith(f"{path}: it cannot be made (No such file or directory); name a file in a folder")


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "labels.db"
    path.write_text("The mayor was here. " * 100)
    assert "it is no SQLite database" in told(lambda: Store(str(path)).add(label_of()))
    assert path.read_text().startswith("The mayor")


def test_a_folder_in_place_of_a_file(tmp_path: Path) -> None:
    assert "it cannot be opened" in told(lambda: Store(str(tmp_path)).add(label_of()))


def test_a_file_that_another_program_holds(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "WAIT_SECONDS", 0.1)
    with sqlite3.connect(file, isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        message = told(lambda: Store(str(file)).add(label_of("Another.")))
        other.execute("ROLLBACK")
    other.close()
    assert message == f"{file}: another program is writing to it (database is locked); try again in a moment"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody who may not write")
def test_a_file_that_may_only_be_read(file: Path) -> None:
    """In a process of another user, for root may write anywhere. Reading goes on."""
    folder = Path("/tmp") / f"unspun-read-only-{os.getpid()}"  # others may not enter pytest's own
    folder.mkdir(mode=0o755)
    try:
        path = folder / "labels.db"
        path.write_bytes(file.read_bytes())
        path.chmod(0o444)
        folder.chmod(0o755)
        code = (
            "import os, sys; from service.feedback.store import Store; from tests.feedback.making import label_of\n"
            "store = Store(sys.argv[1]); list(store.labels())  # all is imported now: Python itself may be root's\n"
            "os.setgid(65534); os.setuid(65534); print(len(list(store.labels())))\n"
            "try: store.add(label_of('Another.'))\n"
            "except Exception as error: print(error)"
        )
        root = Path(__file__).parents[2]
        run = subprocess.run([sys.executable, "-c", code, path], cwd=root, capture_output=True, text=True)
    finally:
        for left in folder.iterdir():
            left.unlink()
        folder.rmdir()
    read, refused = run.stdout.splitlines() or [run.stderr, ""]
    assert read == "1"
    assert refused.startswith(f"{path}: it cannot be written to (attempt to write a readonly database); check who may")


def test_a_driver_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert told(lambda: Store("postgresql://u:p@localhost/x")).endswith("pip install 'unspun[feedback]'")


# --- PostgreSQL


@pytest.fixture
def store(postgres: Server) -> Iterator[Store]:
    made = Store(postgres.database(), migrates=True)
    made.add(label_of())
    yield made
    made.database.close()


def test_a_server_that_is_not_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    message = told(lambda: Store(f"postgresql://u:{PASSWORD}@127.0.0.1:{port}/x").add(label_of()))
    assert message.startswith(f"postgresql://u:***@127.0.0.1:{port}/x: it cannot be used (")
    assert message.endswith("make sure that it runs, and that its address is right")


def test_a_server_that_does_not_answer() -> None:
    """It takes connections and says nothing: libpq's own time-out ends it."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"postgresql://u:{PASSWORD}@127.0.0.1:{silent.getsockname()[1]}/x?connect_timeout=2"
        assert "it cannot be used" in told(lambda: Store(address).add(label_of()))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"password": "wrong"}, "it refuses this user"),
        ({"user": "nobody"}, "it refuses this user"),
        ({"database": "nowhere"}, "it refuses this user"),
    ],
    ids=["password", "user", "database"],
)
def test_a_server_that_refuses_us(change: dict[str, str], says: str, postgres: Server) -> None:
    url = postgres.url(**{"database": "postgres", **change})
    message = told(lambda: Store(url).add(label_of()))
    assert says in message
    assert "wrong" not in message.replace(url, "")


def test_a_server_that_restarts_is_used_again(store: Store, postgres: Server) -> None:
    """The connections that the pool kept are dead then."""
    postgres.stop()
    try:
        assert "it cannot be used" in told(lambda: store.add(label_of("Lost.")))
    finally:
        postgres.start()
    assert store.add(label_of("Stored."))[1]
    assert len(list(store.labels())) == 2


def test_a_database_that_may_only_be_read(store: Store, postgres: Server) -> None:
    name = store.database.url.database
    postgres.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    store.database.close()
    message = told(lambda: store.add(label_of("Another.")))
    assert "it cannot be written to; it is read-only at the moment" in message
    assert len(list(store.labels())) == 1


def test_tables_that_another_user_may_not_write(store: Store, postgres: Server) -> None:
    postgres.execute(f"CREATE USER reader PASSWORD '{PASSWORD}'")
    name = str(store.database.url.database)
    postgres.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader", name)
    other = Store(postgres.url(name, user="reader"))
    assert len(list(other.labels())) == 1
    assert "this user may not do that; grant the rights" in told(lambda: other.add(label_of("Another.")))
    other.database.close()


def test_a_table_that_another_program_holds(store: Store, postgres: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    import psycopg

    monkeypatch.setattr(database, "WAIT_SECONDS", 1)
    with psycopg.connect(postgres.url(str(store.database.url.database))) as other:
        other.execute("LOCK TABLE unspun_labels")
        assert "another program holds it; try again in a moment" in told(lambda: store.add(label_of("Another.")))
    assert store.add(label_of("Another."))[1]

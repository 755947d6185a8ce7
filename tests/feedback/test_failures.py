"""Errors of a database that is down, locked, read-only or not a database: one line that says what to do."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="labels: pip install 'unspun[feedback]'")

from tests.cases import why
from tests.feedback.making import label_of
from tests.feedback.postgres import PASSWORD, Server
from tests.service.support import cases, free_port
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
def test_an_address_is_parsed_or_refused_without_its_password(case: dict[str, Any]) -> None:
    if "means" in case:
        assert parse_url(case["url"]).render_as_string(hide_password=False) == case["means"]
        return
    with pytest.raises(ValueError, match=case["says"]) as raised:
        parse_url(case["url"])
    assert SECRET not in str(raised.value)


def error_of(action: Any) -> str:
    with pytest.raises(StoreError) as raised:
        action()
    message = str(raised.value)
    assert "\n" not in message
    assert PASSWORD not in message
    return message


# --- SQLite


def test_reading_does_not_create_a_database(tmp_path: Path) -> None:
    path = tmp_path / "labels.db"
    message = error_of(lambda: list(Store(str(path)).labels()))
    assert message == f"{path} does not exist; add or import labels to create it"
    assert not path.exists()


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    path = tmp_path / "nowhere/labels.db"
    message = error_of(lambda: Store(str(path)).add(label_of()))
    assert message.startswith(f"{path} cannot be created (No such file or directory); choose a file in an existing")


def test_a_file_that_is_not_a_database(tmp_path: Path) -> None:
    path = tmp_path / "labels.db"
    path.write_text("The mayor was here. " * 100)
    assert "is not a SQLite database" in error_of(lambda: Store(str(path)).add(label_of()))
    assert path.read_text().startswith("The mayor")


def test_a_folder_instead_of_a_file(tmp_path: Path) -> None:
    assert "cannot be opened" in error_of(lambda: Store(str(tmp_path)).add(label_of()))


def test_a_file_that_another_program_locks(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "WAIT_SECONDS", 0.1)
    with sqlite3.connect(file, isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        message = error_of(lambda: Store(str(file)).add(label_of("Another.")))
        other.execute("ROLLBACK")
    other.close()
    assert message == f"{file} is being written to by another program (database is locked); try again in a moment"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become a user who may not write")
def test_a_read_only_file_can_be_read(file: Path) -> None:
    """In a process of another user, because root may write anywhere."""
    folder = Path("/tmp") / f"unspun-read-only-{os.getpid()}"  # other users may not enter pytest's folder
    folder.mkdir(mode=0o755)
    try:
        path = folder / "labels.db"
        path.write_bytes(file.read_bytes())
        path.chmod(0o444)
        folder.chmod(0o755)
        code = (
            "import os, sys; from unspun.service.feedback.store import Store\n"
            "from tests.feedback.making import label_of\n"
            "store = Store(sys.argv[1]); list(store.labels())  # imports before the user changes\n"
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
    assert refused.startswith(
        f"{path} cannot be written to (attempt to write a readonly database); check the permissions"
    )


def test_a_driver_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert error_of(lambda: Store("postgresql://u:p@localhost/x")).endswith(
        "needs psycopg; run pip install 'unspun[feedback]'"
    )


# --- PostgreSQL


@pytest.fixture
def store(postgres: Server) -> Iterator[Store]:
    made = Store(postgres.database(), migrates=True)
    made.add(label_of())
    yield made
    made.database.close()


def test_a_server_that_is_not_running() -> None:
    port = free_port()
    message = error_of(lambda: Store(f"postgresql://u:{PASSWORD}@127.0.0.1:{port}/x").add(label_of()))
    assert message.startswith(f"postgresql://u:***@127.0.0.1:{port}/x cannot be used (")
    assert message.endswith("check that it is running, and its address")


def test_a_server_that_does_not_answer() -> None:
    """It accepts connections and sends nothing, until libpq's time limit."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"postgresql://u:{PASSWORD}@127.0.0.1:{silent.getsockname()[1]}/x?connect_timeout=2"
        assert "cannot be used" in error_of(lambda: Store(address).add(label_of()))


@pytest.mark.parametrize(
    "change", [{"password": "wrong"}, {"user": "nobody"}, {"database": "nowhere"}], ids=["password", "user", "database"]
)
def test_a_server_that_refuses_the_user(change: dict[str, str], postgres: Server) -> None:
    url = postgres.url(**{"database": "postgres", **change})
    message = error_of(lambda: Store(url).add(label_of()))
    assert "refuses this user" in message
    assert "wrong" not in message.replace(url, "")


def test_a_server_that_restarts_is_used_again(store: Store, postgres: Server) -> None:
    """The connections in the pool no longer work."""
    postgres.stop()
    try:
        assert "cannot be used" in error_of(lambda: store.add(label_of("Lost.")))
    finally:
        postgres.start()
    assert store.add(label_of("Stored."))[1]
    assert len(list(store.labels())) == 2


def test_a_read_only_database_can_be_read(store: Store, postgres: Server) -> None:
    name = store.database.url.database
    postgres.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    store.database.close()
    message = error_of(lambda: store.add(label_of("Another.")))
    assert "is read-only at the moment; check whether it is a standby" in message
    assert len(list(store.labels())) == 1


def test_tables_that_another_user_may_not_write(store: Store, postgres: Server) -> None:
    postgres.execute(f"CREATE USER reader PASSWORD '{PASSWORD}'")
    name = str(store.database.url.database)
    postgres.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader", name)
    other = Store(postgres.url(name, user="reader"))
    assert len(list(other.labels())) == 1
    assert "does not permit this to this user; grant the privileges" in error_of(
        lambda: other.add(label_of("Another."))
    )
    other.database.close()


def test_a_table_that_another_program_locks(store: Store, postgres: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    import psycopg

    monkeypatch.setattr(database, "WAIT_SECONDS", 1)
    with psycopg.connect(postgres.url(str(store.database.url.database))) as other:
        other.execute("LOCK TABLE unspun_labels")
        assert "is locked by another program; try again in a moment" in error_of(
            lambda: store.add(label_of("Another."))
        )
    assert store.add(label_of("Another."))[1]

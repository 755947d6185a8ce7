"""The schema: created from nothing, equal to the tables in the code, and left alone if it is newer."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="labels: pip install 'unspun[feedback]'")

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from tests.feedback.making import label_of
from tests.feedback.postgres import Server
from unspun.service.feedback import database
from unspun.service.feedback.database import VERSION_TABLE, Database, NewerSchemaError, StoreError
from unspun.service.feedback.store import Store, labelled_texts
from unspun.service.feedback.tables import Base

LATER = '''"""Of a newer version."""
import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("unspun_labels", sa.Column("later", sa.String(8), nullable=True))
    {fails}
'''


FIRST = """
INSERT INTO unspun_labels
    (id, created, label, source, digest, text, score, verdict, kind, reason, words, depth,
     model_name, model_version, model_sha256, signals)
VALUES
    ('a', '2026-11-23 06:05:00', 'human', 'desk', 'd', 'A text.', 0.97, 'paraphrased', 'spun', NULL, 300, 'deep',
     'default', '1.2.0', 'f', '[{"signal": "misfit", "count": 2, "weight": 4.5}]'),
    ('b', '2026-11-23 06:05:01', 'spun', NULL, 'e', NULL, 0.08, 'abstained', NULL, 'too_short', 3, 'fast',
     'default', '1.2.0', 'f', '[]')
"""


@pytest.fixture
def earlier(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Return a database of unspun 1.2 with two labels."""
    folder = tmp_path / "earlier"
    shutil.copytree(database.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__", "labels_0002.py"))
    made = Database(url, migrates=True)
    with monkeypatch.context() as then:
        then.setattr(database, "MIGRATIONS", folder)
        assert made.migrate() == (None, "0001")
        with made.writing() as connection:
            connection.exec_driver_sql(FIRST)
    return made


@pytest.fixture
def later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with the migrations of a newer version of unspun."""
    folder = tmp_path / "later"
    shutil.copytree(database.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions/later_0003.py").write_text(LATER.format(fails=""))
    return folder


def differences(made: Database) -> Any:
    """Return what Alembic would change to make the tables of a database equal to those in the code."""
    options = {"version_table": VERSION_TABLE, "compare_type": True, "target_metadata": Base.metadata}
    with made.reading() as connection:
        return compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata)


def test_the_migrations_create_the_tables_in_the_code(url: str) -> None:
    made = Database(url, migrates=True)
    assert made.migrate() == (None, "0002")
    assert differences(made) == []
    made.close()


def test_the_comparison_finds_a_difference(url: str, later: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "MIGRATIONS", later)
    made = Database(url, migrates=True)
    made.migrate()
    [(what, *_, column)] = differences(made)
    assert (what, column.name) == ("remove_column", "later")
    made.close()


def test_labels_of_unspun_1_keep_their_scores_except_abstentions(earlier: Database) -> None:
    assert earlier.migrate() == ("0001", "0002")
    store = Store(earlier.url)
    judged, abstained = store.labels()
    store.database.close()
    assert (judged.text, judged.verdict.verdict, judged.verdict.score) == ("A text.", "paraphrased", 0.97)
    assert [(signal.signal, signal.weight) for signal in judged.signals] == [("misfit", 4.5)]
    assert (abstained.verdict.reason, abstained.verdict.score) == ("too_short", None)
    for label in (judged, abstained):
        assert (label.verdict.false_positive_rate, label.verdict.share) == (None, None)
    earlier.close()


def test_a_migrated_table_equals_a_new_one(earlier: Database) -> None:
    """Including constraints and indices, which SQLite has to recreate."""
    earlier.migrate()
    assert differences(earlier) == []
    with pytest.raises(StoreError), earlier.writing() as connection:
        connection.exec_driver_sql("UPDATE unspun_labels SET label = 'robot'")
    earlier.close()


def test_a_second_migration_does_nothing(url: str) -> None:
    made = Database(url)
    made.migrate()
    assert made.migrate() == ("0002", "0002")
    made.close()


def test_an_older_database_keeps_its_labels(
    url: str, store: Store, later: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    label = label_of(keep_text=True)
    store.add(label)
    monkeypatch.setattr(database, "MIGRATIONS", later)
    assert store.database.migrate() == ("0002", "0003")
    assert list(store.labels()) == [label]


def test_a_service_migrates_an_older_database(
    url: str, store: Store, later: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.add(label_of("Before."))
    monkeypatch.setattr(database, "MIGRATIONS", later)
    store.add(label_of("After."))
    assert len(list(store.labels())) == 2


def test_only_one_of_several_simultaneous_migrations_runs(url: str) -> None:
    made = [Database(url) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        before = list(pool.map(lambda one: one.migrate()[0], made))
    assert sorted(before, key=str) == ["0002"] * 5 + [None]
    for one in made:
        one.close()


@pytest.mark.parametrize("what", ["add", "read", "migrate", "learn"])
def test_a_newer_database_is_refused_and_not_changed(
    what: str, url: str, store: Store, later: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.add(label_of())
    with monkeypatch.context() as newer:
        newer.setattr(database, "MIGRATIONS", later)
        store.database.migrate()
    actions = {
        "add": lambda: store.add(label_of("Another.")),
        "read": lambda: list(store.labels()),
        "migrate": store.database.migrate,
        "learn": lambda: labelled_texts(url),
    }
    with pytest.raises(NewerSchemaError) as raised:
        actions[what]()
    message = "was migrated by a newer version of unspun (to 0003; this version knows 0002); update unspun"
    assert str(raised.value) == f"{store.database.where} {message}"
    monkeypatch.setattr(database, "MIGRATIONS", later)
    assert store.database.migrate() == ("0003", "0003")
    assert len(list(store.labels())) == 1


def test_a_migration_that_fails_changes_nothing(
    url: str, store: Store, later: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    label = label_of()
    store.add(label)
    with monkeypatch.context() as broken:
        (later / "versions/later_0003.py").write_text(LATER.format(fails='op.execute("SELECT nothing FROM nowhere")'))
        broken.setattr(database, "MIGRATIONS", later)
        with pytest.raises(StoreError):
            store.database.migrate()
    assert list(store.labels()) == [label]
    store.add(label_of("Another."))


def test_other_tables_of_a_shared_database_are_left_alone(url: str, store: Store) -> None:
    """Especially another program's Alembic revision."""
    made = store.database
    made.migrate()
    with made.writing() as connection:
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('ours')")
    assert made.migrate() == ("0002", "0002")
    with made.reading() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == "ours"


def test_postgresql_is_migrated_only_explicitly(postgres: Server) -> None:
    store = Store(postgres.database())
    with pytest.raises(StoreError, match=r"is empty; run `unspun feedback migrate`$"):
        store.add(label_of())
    store.database.migrate()
    assert store.add(label_of())[1]
    store.database.close()

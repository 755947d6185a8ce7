"""The commands of docs/operations.md that back up labels and restore them, on SQLite and on PostgreSQL."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy", reason="labels: pip install 'unspun[feedback]'")

from tests.docs.pages import commands_of
from tests.feedback.making import label_of
from tests.feedback.postgres import Server, binaries
from unspun.service.feedback.labels import Label
from unspun.service.feedback.store import Store

PAGE = "docs/operations.md"
LABELS = [
    label_of(
        "A text that was kept: naïve \N{EM DASH} 「引用」.", "spun", keep_text=True, comment='"quoted", and\ttabs'
    ),
    label_of("A text that was not kept.", "human", after=1.0, source="desk"),
    label_of("Too short.", "rewritten", after=2.5, verdict="abstained", reason="too_short"),
]


def fill(url: str, labels: Sequence[Label] = LABELS) -> None:
    store = Store(url, migrates=True)
    assert store.add_many(labels) == len(labels)
    store.database.close()


def stored(url: str) -> list[Label]:
    store = Store(url)
    try:
        return list(store.labels())
    finally:
        store.database.close()


def run(commands: list[str], here: Path, url: str, restored: str) -> str:
    """Run commands in one shell, with the addresses of the database and of the one to restore into.

    Return what they print.
    """
    programs = [Path(sys.executable).parent, *filter(None, [binaries()])]
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([*map(str, programs), os.environ["PATH"]]),
        "UNSPUN_DATABASE_URL": url,
        "RESTORED": restored,
    }
    script = "\n".join(["set -eux -o pipefail", *commands])
    done = subprocess.run(
        ["bash", "-c", script], cwd=here, env=environment, capture_output=True, text=True, check=False
    )
    if "command not found" in done.stderr:
        pytest.skip(done.stderr.splitlines()[-1])
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return done.stdout


def commands(*beginnings: str) -> list[str]:
    """Return the commands of the page's sections on backup that begin like this."""
    every = [*commands_of(PAGE, "back-up"), *commands_of(PAGE, "restore")]
    chosen = [command for command in every if command.startswith(beginnings)]
    assert len(chosen) >= len(beginnings)
    return chosen


@pytest.mark.parametrize("kinds", [("sqlite", "postgresql"), ("postgresql", "sqlite")], ids=" to ".join)
def test_an_export_is_restored_into_an_empty_database(kinds: tuple[str, str], here: Path, postgres: Server) -> None:
    addresses = {"sqlite": f"sqlite:///{here}/labels.db", "postgresql": postgres.database()}
    url, restored = (addresses[kind] for kind in kinds)
    fill(url)
    run(commands("unspun feedback"), here, url, restored)
    assert stored(restored) == LABELS


@pytest.mark.integration
def test_sqlites_own_copy_is_restored_and_its_labels_are_counted(here: Path) -> None:
    fill("sqlite:///feedback.db")
    printed = run(commands("sqlite3", "unspun feedback stats"), here, "sqlite:///feedback.db", "sqlite:///restored.db")
    assert stored("sqlite:///restored.db") == LABELS
    in_copy, restored, *_ = printed.splitlines()
    assert (in_copy, restored.split()) == (str(len(LABELS)), [str(len(LABELS)), "labels"])


@pytest.mark.integration
def test_only_their_owner_can_read_copies(here: Path) -> None:
    fill("sqlite:///feedback.db")
    chosen = commands("umask", "unspun feedback export --with-text >", "sqlite3")
    run(chosen, here, "sqlite:///feedback.db", "sqlite:///restored.db")
    for name in ("labels.jsonl", "copy.db", "restored.db"):
        assert stat.S_IMODE((here / name).stat().st_mode) == 0o600, name


@pytest.mark.integration
def test_sqlites_own_copy_fails_in_the_wrong_folder(here: Path) -> None:
    backup, *_ = commands("sqlite3")
    with pytest.raises(AssertionError, match="unable to open database"):
        run([backup], here, "sqlite:///feedback.db", "")


def test_postgresqls_own_copy_is_restored(here: Path, postgres: Server) -> None:
    url, restored = postgres.database(), postgres.database()
    fill(url)
    run(commands("pg_dump", "pg_restore"), here, url, restored)
    assert stored(restored) == LABELS


@pytest.mark.integration
def test_a_database_that_lacks_a_label_of_the_copy_is_noticed(here: Path) -> None:
    url, restored = (f"sqlite:///{here}/{name}.db" for name in ("labels", "restored"))
    fill(url)
    fill(restored, LABELS[1:])
    export, compare = commands("unspun feedback export")
    with pytest.raises(AssertionError, match=LABELS[0].id):
        run([export, compare], here, url, restored)

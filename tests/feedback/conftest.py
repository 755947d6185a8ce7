"""Fixtures that run each test of a store on SQLite and on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

if find_spec("sqlalchemy") is not None:  # without it the tests are skipped
    from tests.feedback.postgres import Server, running
    from unspun.service.feedback.store import Store

    @pytest.fixture(scope="session")
    def postgres() -> Iterator[Server]:
        with running() as server:
            yield server

    @pytest.fixture(params=["sqlite", "postgresql"])
    def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
        """Return the address of an empty database."""
        if request.param == "sqlite":
            return f"sqlite:///{tmp_path}/labels.db"
        server: Server = request.getfixturevalue("postgres")
        return server.database()

    @pytest.fixture
    def store(url: str) -> Iterator[Store]:
        made = Store(url, migrates=True)
        yield made
        made.database.close()

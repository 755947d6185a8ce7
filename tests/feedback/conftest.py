"""The store of labels, in SQLite and in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import pytest

if find_spec("sqlalchemy") is not None:  # without it the tests are skipped
    from unspun.service.feedback.store import Store

    @pytest.fixture
    def store(url: str) -> Iterator[Store]:
        made = Store(url, migrates=True)
        yield made
        made.database.close()

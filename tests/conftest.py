"""The `integration` marker, for tests that need another program: a browser, a cluster, a server or an installation; and
an empty current folder.
"""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent
INTEGRATION = (HERE / "browser", HERE / "deployment", HERE / "packaging")
"""Folders in which every test is an integration test; elsewhere the marker is on the test or its parameter."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of the integration folders."""
    for item in items:
        if any(folder in item.path.parents for folder in INTEGRATION):
            item.add_marker(pytest.mark.integration)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder that is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path

"""The `integration` marker, for tests that need another program: a browser, a cluster, a server or an installation; and
an empty current folder.
"""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent
FOLDERS = (HERE / "browser", HERE / "deployment", HERE / "packaging")
"""Folders in which every test is an integration test."""
FIXTURES = {"postgres", "cluster"}
"""Fixtures that start such a program: a test that uses one is an integration test."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark integration tests by folder, fixture or the parameter "postgresql"; others carry the marker themselves."""
    for item in items:
        callspec = getattr(item, "callspec", None)
        parameters = callspec.params.values() if callspec else ()
        if (
            any(folder in item.path.parents for folder in FOLDERS)
            or FIXTURES & set(getattr(item, "fixturenames", ()))
            or any(isinstance(value, str) and value == "postgresql" for value in parameters)
        ):
            item.add_marker(pytest.mark.integration)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder that is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path

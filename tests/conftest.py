"""The `integration` marker, for tests that need another program, and the fixtures that several folders use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from unspun.service.machine import ONE_THREAD

if TYPE_CHECKING:
    from tests.feedback.postgres import Server
    from unspun.model.comparing.comparer import Comparer
    from unspun.model.detector import Detector

# Several tests run at a time. More threads in each would only wait for each other, which took a fifth of the time.
# Numerical libraries read these when they are loaded.
os.environ.update({**ONE_THREAD, **os.environ})

# A busy machine can take seconds for an example that usually takes milliseconds.
settings.register_profile("unspun", deadline=None)
settings.load_profile("unspun")

HERE = Path(__file__).parent
FOLDERS = tuple(HERE / name for name in ("browser", "deployment", "http", "packaging"))
"""Folders in which every test is an integration test."""
FIXTURES = {"postgres", "cluster"}
"""Fixtures that start another program: a test that uses one is an integration test."""
LONGEST = (
    "test_endurance_batch.py",
    "test_endurance.py",
    "test_lifecycle.py",
    "test_commands.py",
    "test_wheel.py",
    "test_feedback.py",
    "test_tutorial.py",
    "test_observability.py",
    "test_engines.py",
)
"""Files that take most of a minute or more. They start first, so that no worker is left with one at the end."""


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
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder that is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the tiny model's bundle on disk; tests that change it work on a copy."""
    from tests import tables as tiny

    return tiny.save_bundle(tmp_path_factory.mktemp("tiny") / "bundle")


@pytest.fixture(scope="session")
def first_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the bundle of the tiny model with all three tiers."""
    from tests import first

    return first.save_bundle(tmp_path_factory.mktemp("first") / "bundle")


@pytest.fixture(scope="session")
def first_detector(first_bundle: Path) -> Detector:
    """Return the detector of the tiny model with all three tiers. Of texts that the first one leaves, the deep one
    decides at depth `auto`.
    """
    from unspun.model.detector import Detector

    return Detector.load(first_bundle)


@pytest.fixture(scope="session")
def shipped() -> Detector:
    """Return the detector with the shipped model; skip the test if there is no model."""
    from unspun.model import bundle
    from unspun.model.detector import Detector

    if not (bundle.DEFAULT / bundle.MANIFEST).exists():
        pytest.skip(f"no model in {bundle.DEFAULT}: train one with `unspun train`")
    return Detector.load()


@pytest.fixture(scope="session")
def comparer(shipped: Detector) -> Comparer:
    """Return the comparer with the shipped model."""
    from unspun.model.comparing.comparer import Comparer

    return Comparer(shipped.bundle)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """Start PostgreSQL."""
    from tests.feedback.postgres import running

    with running() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of an empty database: once in SQLite, once in PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/labels.db"
    server: Server = request.getfixturevalue("postgres")
    return server.database()

"""One service with the shipped model for all tests that do not change it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.http.running import ROOT, Service

MODEL = ROOT / "model" / "default" / "manifest.json"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = None
    if not MODEL.exists():
        reason = "model/default is not built"
    elif find_spec("gunicorn") is None:
        reason = "the service: pip install 'unspun[service]'"
    for item in items:
        if reason and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    with Service(MAX_BYTES=1_000_000, LOG_LEVEL="info") as running:
        yield running


@pytest.fixture(scope="session")
def impatient() -> Iterator[Service]:
    """Start a service with a time limit of three seconds, for the tests of that limit."""
    with Service(TIMEOUT=3, LOG_LEVEL="info") as running:
        yield running

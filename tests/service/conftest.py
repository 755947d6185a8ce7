"""The command line with a detector that needs no model."""

from __future__ import annotations

import logging
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.service.fake_detector import load_fake
from tests.service.support import Make, Unspun, run_unspun
from tests.service.web import Web


@pytest.fixture(scope="module")
def running_web() -> Iterator[Web]:
    """Run the server of tests that fetch pages."""
    with Web() as web:
        yield web


@pytest.fixture
def web(running_web: Web) -> Web:
    """Return the server, which has been asked for nothing yet."""
    running_web.asked.clear()
    return running_web


@pytest.fixture
def unspun() -> Unspun:
    """Run `unspun` in this process, with a detector that needs no model."""
    return partial(run_unspun, load=load_fake)


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    """Return the log of the service, at all levels."""
    from unspun.service.http.logs import LOGGER

    monkeypatch.setattr(LOGGER, "propagate", True)
    caplog.set_level(logging.DEBUG, "unspun")
    return caplog


@pytest.fixture
def make(tiny_bundle: Path, tmp_path: Path) -> Make:
    """Return a function that writes a tiny model's bundle with a name and changes to its manifest."""
    from tests.service.model_variants import variant

    def made(name: str, /, **changes: Any) -> Path:
        return variant(tiny_bundle, tmp_path / "trained" / name, **{"name": name, "version": "1.0.0", **changes})

    return made


@pytest.fixture
def small_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Mount a file system of 128 kB, unless a test sets another size, and return its folder."""
    place = tmp_path / "small"
    place.mkdir()
    size = f"size={getattr(request, 'param', 128)}k"
    mount = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(place)]
    mounted = shutil.which("mount") and subprocess.run(mount, capture_output=True, check=False)
    if not mounted or mounted.returncode:
        pytest.skip("no rights to mount a file system")
    yield place
    subprocess.run(["umount", str(place)], check=True)

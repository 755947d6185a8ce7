"""The command line with a detector that needs no model."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.service.fake_detector import load_fake
from tests.service.support import Run, run_unspun


@pytest.fixture
def unspun() -> Callable[..., Run]:
    """Run `unspun` on some arguments, in this process, standard output not a terminal."""

    return partial(run_unspun, load=load_fake)


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the bundle of a tiny model; tests that change it work on a copy."""
    from tests import tables as tiny

    return tiny.save_bundle(tmp_path_factory.mktemp("tiny") / "bundle")


@pytest.fixture
def make(tiny_bundle: Path, tmp_path: Path) -> Callable[..., Path]:
    """Make a tiny model's bundle of a name, with changes to its manifest."""
    from tests.service.model_variants import variant

    def made(name: str, /, **changes: Any) -> Path:
        return variant(tiny_bundle, tmp_path / "trained" / name, **{"name": name, "version": "1.0.0", **changes})

    return made


@pytest.fixture
def small_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A small file system, of 128 kB unless a test sets another size, if this machine allows one."""
    place = tmp_path / "small"
    place.mkdir()
    size = f"size={getattr(request, 'param', 128)}k"
    mount = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(place)]
    mounted = shutil.which("mount") and subprocess.run(mount, capture_output=True, check=False)
    if not mounted or mounted.returncode:
        pytest.skip("no rights to mount a file system")
    yield place
    subprocess.run(["umount", str(place)], check=True)

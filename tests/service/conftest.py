"""The command line with a detector that needs no model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.service.fake_detector import load_fake
from tests.service.support import Run
from unspun.service.cli import cli


@pytest.fixture
def unspun() -> Callable[..., Run]:
    """Run `unspun` on some arguments, in this process, standard output not a terminal."""

    def run(*arguments: str | Path, stdin: bytes = b"", load: Any = load_fake) -> Run:
        result = CliRunner().invoke(
            cli, [str(argument) for argument in arguments], input=stdin, obj=load, prog_name="unspun"
        )
        return Run(result.exit_code, result.stdout, result.stderr.splitlines())

    return run


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

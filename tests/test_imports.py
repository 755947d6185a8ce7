"""The arrows between the rooms go one way: service -> model <- training."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest


@pytest.mark.skipif(find_spec("importlinter") is None, reason="import contracts: pip install import-linter")
def test_the_contracts_hold() -> None:
    code = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    root = Path(__file__).parents[1]
    answer = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize("module", ["unspun.model.detector", "unspun.service.cli"])
def test_the_fast_tier_does_not_wait_for_what_the_deep_one_runs_on(module: str) -> None:
    code = f"import sys, {module}; print([name for name in ('onnxruntime', 'tokenizers') if name in sys.modules])"
    root = Path(__file__).parents[1]
    answer = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


@pytest.mark.skipif(not (Path(__file__).parents[1] / "model" / "default").exists(), reason="model/default is not built")
def test_the_deep_tier_tells_nobody_that_it_runs(tmp_path: Path) -> None:
    """onnxruntime would write an identifier to the temporary folder and the home, and send it to its maker."""
    code = "from model.detector import Detector; Detector.load().score('The mayor was here. ' * 20, depth='deep')"
    inherited = {name: value for name, value in os.environ.items() if name in ("PATH", "LD_LIBRARY_PATH")}
    environment = {**inherited, "TMPDIR": str(tmp_path), "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    root = Path(__file__).parents[1]
    subprocess.run([sys.executable, "-c", code], cwd=root, env=environment, check=True, timeout=120)
    assert list(tmp_path.iterdir()) == []

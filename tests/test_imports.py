"""The arrows between the rooms go one way: service -> model <- training."""

from __future__ import annotations

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


@pytest.mark.parametrize("module", ["model.detector", "service.cli"])
def test_the_fast_tier_does_not_wait_for_what_the_deep_one_runs_on(module: str) -> None:
    code = f"import sys, {module}; print([name for name in ('onnxruntime', 'tokenizers') if name in sys.modules])"
    root = Path(__file__).parents[1]
    answer = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"

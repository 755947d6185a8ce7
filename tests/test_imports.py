"""The import contracts, and what importing or using unspun must not do."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.skipif(find_spec("importlinter") is None, reason="import contracts: pip install import-linter")
def test_the_contracts_hold() -> None:
    code = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize("module", ["unspun.model.detector", "unspun.service.cli"])
def test_importing_unspun_does_not_import_the_libraries_of_the_deep_tier(module: str) -> None:
    code = f"import sys, {module}; print([name for name in ('onnxruntime', 'tokenizers') if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_the_service_does_not_import_scikit_learn() -> None:
    """It takes a second and 100 MB. Only `unspun train` and the search for sources need it."""
    code = "import sys, unspun.service.http.app; print([name for name in ('sklearn', 'pandas') if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


@pytest.mark.skipif(not (ROOT / "model" / "default").exists(), reason="model/default is not built")
def test_the_deep_tier_sends_and_writes_nothing(tmp_path: Path) -> None:
    """By default, onnxruntime writes an identifier to the temporary and home folders and sends it to its makers."""
    code = "from unspun.model.detector import Detector; Detector.load().score('A ferry. ' * 40, depth='deep')"
    inherited = {name: value for name, value in os.environ.items() if name in ("PATH", "LD_LIBRARY_PATH")}
    folders = dict.fromkeys(("TMPDIR", "HOME", "XDG_CACHE_HOME"), str(tmp_path))
    environment = {**inherited, **folders, "PYTHONPATH": str(ROOT / "src")}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True, timeout=120)
    assert list(tmp_path.iterdir()) == []

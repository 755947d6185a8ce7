"""schemathesis sends valid and invalid requests to a service, and checks the answers against its description."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.http.running import ROOT, Service
from unspun.service.http.keys import KeyStore

pytestmark = pytest.mark.skipif(find_spec("schemathesis") is None, reason="pip install schemathesis")


def schemathesis(service: Service, *options: str) -> None:
    """Run all checks of schemathesis in a separate process; fail with its report."""
    schema = f"http://127.0.0.1:{service.port}/v1/openapi.json"
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", schema, "--checks", "all", "--max-examples", "15",
        "--seed", "1", "--phases", "examples,coverage,fuzzing", "--no-color", "--request-timeout", "20", *options,
    ]  # fmt: skip
    run = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONWARNINGS": "ignore", "SCHEMATHESIS_HOOKS": "tests.http.schemathesis_hooks"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]


def test_the_service_conforms_to_its_openapi_document(service: Service) -> None:
    schemathesis(service)


def test_the_service_conforms_to_its_openapi_document_with_keys(tmp_path: Path) -> None:
    key = KeyStore(tmp_path / "keys.json").add("tests")
    with Service(KEYS_FILE=tmp_path / "keys.json") as service:
        schemathesis(service, "--header", f"Authorization: Bearer {key}")

"""README.md shows what the demo prints."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.shown import matches

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


@pytest.mark.skipif(not (ROOT / "model" / "default" / "manifest.json").exists(), reason="model/default is not built")
def test_the_demo_prints_what_is_shown() -> None:
    [command] = re.findall(r"`unspun (score seeds/examples [^`]*)`", README)
    [shown] = re.findall(r"^```text\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    run = subprocess.run(
        [sys.executable, "-m", "unspun.service.cli", *command.split()],
        cwd=ROOT,
        env={**{k: v for k, v in os.environ.items() if not k.startswith("UNSPUN_")}, "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert matches(shown.splitlines(), run.stdout), run.stdout


def test_the_demo_is_that_of_the_makefile() -> None:
    [command] = re.findall(r"`(unspun score seeds/examples [^`]*)`", README)
    assert f"$(BIN)/{command}" in (ROOT / "Makefile").read_text("utf-8")

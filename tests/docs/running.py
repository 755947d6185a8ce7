"""Runs the steps of a page in one shell, in a temporary folder with the texts that the page uses."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, Step, matches, steps
from tests.service.support import free_port

MARK = "@@@"
TUTORIAL = "docs/tutorial.md"
TEXT = "seeds/examples/spun/01-harbour-swimmers.wordnet.txt"
"""The variable `text` in Python snippets."""


def needs_service(page: str) -> bool:
    """Return whether a step of a page sends requests to a service."""
    return any(":8000" in step.code for step in steps(page) if step.is_run)


def typed(step: Step, port: int) -> str:
    """Return a step as a shell command for a service at a port; the service itself is started before all steps."""
    if step.code.split("#")[0].strip() == "unspun serve":
        return ":"
    code = step.code
    if step.language == "python":
        code = f"python - <<'END'\ntext = open({TEXT!r}, encoding='utf-8').read()\n{code}\nEND"
    return re.sub(r"(?<=localhost:|127.0.0.1:)8000|8123", str(port), code)


def run_page(page: str, folder: Path) -> list[str]:
    """Run the steps of a page in one shell, and return what each printed."""
    if page == TUTORIAL:
        shutil.copytree(ROOT / "seeds" / "tutorial", folder / "courier")
    else:
        shutil.copytree(ROOT / "seeds", folder / "seeds")
        (folder / "training").symlink_to(ROOT / "training")
    port = free_port()
    todo = [step for step in steps(page) if step.is_run]
    script = ["exec 2>&1", "trap 'kill $(jobs -p) 2>/dev/null || :' EXIT"]
    if needs_service(page):
        script += [
            f"unspun serve --workers 1 --port {port} > serve.log 2>&1 &",
            f"until curl -sf http://127.0.0.1:{port}/readyz > ready.json; do kill -0 $!; sleep 0.1; done",
        ]
    script += [f"echo '{MARK}'\n{typed(step, port)}" for step in todo]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("UNSPUN_")}
    run = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", "\n".join(script)],
        cwd=folder,
        env={**kept, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "100"},
        stdout=subprocess.PIPE,
        text=True,
        timeout=400,
    )
    printed = run.stdout.split(f"{MARK}\n")[1:]
    assert run.returncode == 0, f"{page}: {todo[len(printed) - 1].code}\n{run.stdout[-2000:]}"
    return printed


def check_page(page: str, folder: Path) -> None:
    """Assert that every step of a page prints what the page shows."""
    if shutil.which("curl") is None:
        pytest.skip("curl: apt-get install curl")
    todo = [step for step in steps(page) if step.is_run]
    wrong = [
        f"{step.code}\n{output}"
        for step, output in zip(todo, run_page(page, folder), strict=True)
        if step.shown is not None and not matches(step.shown, output)
    ]
    assert not wrong, "\n".join(wrong)

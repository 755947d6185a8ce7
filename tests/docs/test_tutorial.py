"""docs/tutorial.md, run as it stands: each command in one shell, in an empty folder with the tutorial's texts."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.docs.shown import matches

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorial.md"
PORT = "8123"
MARK = "@@@"
NEEDED = ("bash", "curl")


@dataclass
class Step:
    """A command of the tutorial, and the lines that it is said to print."""

    command: str
    shown: list[str] = field(default_factory=list)


def steps() -> list[Step]:
    """Return the commands of all console blocks, in order."""
    found: list[Step] = []
    for block in re.findall(r"^```console\n(.*?)^```", TUTORIAL.read_text("utf-8"), re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(Step(line[2:]))
            else:
                found[-1].shown.append(line)
    return found


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return what each command printed."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")
    folder = tmp_path_factory.mktemp("tutorial")
    shutil.copytree(ROOT / "seeds" / "tutorial", folder / "courier")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    lines = [f"echo '{MARK}'; {step.command.replace(PORT, str(port))}" for step in steps()]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("UNSPUN_")}
    run = subprocess.run(
        [
            "bash",
            "-e",
            "-o",
            "pipefail",
            "-c",
            "exec 2>&1\ntrap 'kill $(jobs -p) 2>/dev/null || :' EXIT\n" + "\n".join(lines),
        ],
        cwd=folder,
        env={**kept, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "100"},
        stdout=subprocess.PIPE,
        text=True,
        timeout=400,
    )
    answers = run.stdout.split(f"{MARK}\n")[1:]
    assert run.returncode == 0, f"{steps()[len(answers) - 1].command}\n{answers[-1]}"
    return answers


@pytest.mark.parametrize(("number", "step"), list(enumerate(steps())), ids=[step.command[:60] for step in steps()])
def test_each_command_prints_what_is_shown(printed: list[str], number: int, step: Step) -> None:
    assert matches(step.shown, printed[number]), printed[number]


def test_a_line_that_is_missing_is_noticed() -> None:
    assert matches(["a 1.5", "...", "b"], "a 2.25\nx\ny\nb\n")
    assert not matches(["a 1.5", "b"], "a 2.25\nx\nb\n")
    assert not matches(["a", "...", "c"], "a\nb\n")

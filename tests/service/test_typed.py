"""Commands that are given nothing, or a text itself, say what to type."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cases import why
from tests.service.support import CLEAR, ENVIRONMENT, Unspun, cases, run_on_terminal

SCORE = [sys.executable, "-m", "tests.service.fake_detector", "score"]


@pytest.mark.parametrize("case", cases("typed.toml"), ids=why)
def test_the_error_says_what_to_type(case: dict[str, Any], unspun: Unspun, here: Path) -> None:
    Path("a.txt").write_text(CLEAR)
    run = unspun(*case["arguments"])
    assert (run.status, run.out) == (2, "")
    assert case["message"] in run.errors[-1]


@pytest.mark.parametrize("arguments", [["nowhere"], ["my texts.txt"], ["my texts/*.txt"], ["a.txt", "gone", "lost"]])
def test_names_of_missing_files_are_no_texts(arguments: list[str], unspun: Unspun, here: Path) -> None:
    Path("a.txt").write_text(CLEAR)
    run = unspun("score", *arguments)
    assert run.status == 3
    assert "no such file" in run.errors[0]


def test_a_piped_text_needs_no_argument(unspun: Unspun) -> None:
    assert unspun("score", stdin=CLEAR).ids == ["-"]


def test_a_null_device_is_no_pipe() -> None:
    run = subprocess.run(SCORE, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert run.returncode == 2
    assert "nothing to read. Name a file or folder" in run.stderr


def test_on_a_terminal_the_error_says_what_to_type() -> None:
    status, shown = run_on_terminal(SCORE)
    assert status == 2
    assert "nothing to read. Name a file or folder" in shown

"""`unspun score --fail-on`: an exit status for hooks and continuous integration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cases import why
from tests.service.support import CLEAR, SPUN, SUSPECT, Unspun, cases

TEXTS = {"spun.txt": SPUN, "odd.txt": SUSPECT, "plain.txt": CLEAR, "short.txt": "Too short."}


@pytest.fixture
def texts(here: Path) -> Path:
    """Return the current folder, with a text for each verdict."""
    for name, text in TEXTS.items():
        (here / name).write_text(text)
    return here


@pytest.mark.parametrize("case", cases("fail_on.toml"), ids=why)
def test_the_exit_status_is_explained_even_if_quiet(case: dict[str, Any], unspun: Unspun, texts: Path) -> None:
    run = unspun("score", *case["files"], "--fail-on", case["fail_on"], "--quiet")
    assert run.status == case["status"]
    assert [line for line in run.errors if "--fail-on" in line] == ([case["line"]] if case["line"] else [])


def test_verdicts_are_written_before_the_command_fails(unspun: Unspun, texts: Path) -> None:
    run = unspun("score", "spun.txt", "plain.txt", "--fail-on", "suspect")
    assert run.ids == ["spun.txt", "plain.txt"]


def test_without_the_option_verdicts_do_not_change_the_exit_status(unspun: Unspun, texts: Path) -> None:
    assert unspun("score", "spun.txt").status == 0


def test_a_resumed_run_fails_on_what_earlier_commands_found(unspun: Unspun, texts: Path) -> None:
    options = ("spun.txt", "plain.txt", "--output", "out/", "--workers", "1", "--fail-on", "suspect")
    assert unspun("score", *options).status == 4
    again = unspun("score", *options)
    assert again.status == 4
    assert "unspun: --fail-on suspect: 1 paraphrased" in again.errors

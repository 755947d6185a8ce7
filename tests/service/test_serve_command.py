"""The settings of `unspun serve`."""

from __future__ import annotations

import errno
import os
from typing import Any

import pytest

from tests.cases import why
from tests.service.support import Unspun, cases

# Imported before the command sets a folder for metrics, so that those of this process stay in memory.
from unspun.service.http import metrics
from unspun.service.http.config import Settings


@pytest.fixture(autouse=True)
def no_folder_stays_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(metrics.FOLDER, "")


@pytest.mark.parametrize("case", cases("settings.toml"), ids=why)
def test_an_invalid_setting_is_reported_on_one_line(
    case: dict[str, Any], unspun: Unspun, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in case["environment"].items():
        monkeypatch.setenv(name, value)
    run = unspun("serve")
    [line] = run.errors
    assert (run.status, run.out) == (case.get("status", 2), "")
    assert line.startswith(f"unspun: {case['message']}")


def test_all_invalid_settings_are_reported_at_once(unspun: Unspun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNSPUN_PORT", "x")
    monkeypatch.setenv("UNSPUN_QUEUE", "0")
    assert len(unspun("serve").errors) == 2


def test_an_invalid_option_is_reported_by_its_name(unspun: Unspun) -> None:
    assert unspun("serve", "--port", "x").errors == [
        "unspun: --port=x: input should be a valid integer, unable to parse string as an integer"
    ]


def test_an_option_overrides_the_environment(unspun: Unspun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNSPUN_PORT", "1")
    assert "UNSPUN_PORT=2\n" in unspun("serve", "--port", "2", "--settings").out


def test_an_unknown_setting_is_reported_with_a_suggestion(unspun: Unspun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNSPUN_MAX_WORD", "9")
    assert unspun("serve", "--settings").errors == [
        "unspun: warning: UNSPUN_MAX_WORD: unknown setting; did you mean UNSPUN_MAX_WORDS?"
    ]


def test_a_full_temporary_folder_is_reported(unspun: Unspun, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(prefix: str) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("unspun.service.commands.serve.tempfile.mkdtemp", full)
    run = unspun("serve", "--port", "0")
    [line] = run.errors
    assert run.status == 1
    assert line.endswith(": No space left on device; free some space, or set TMPDIR to another folder")


def test_all_settings_are_listed(unspun: Unspun) -> None:
    out = unspun("serve", "--settings").out
    assert [name for name in Settings.model_fields if f"UNSPUN_{name.upper()}=" not in out] == []


def test_an_empty_variable_is_ignored() -> None:
    assert Settings.from_environment({"UNSPUN_RATE_LIMIT": "", "UNSPUN_PORT": " "}) == Settings()


def test_variables_that_kubernetes_sets_are_ignored() -> None:
    assert Settings.from_environment({"UNSPUN_PORT": "tcp://10.0.0.1:80"}) == Settings()

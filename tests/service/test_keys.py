"""API keys: added, listed and revoked on the command line, and stored as hashes."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.service.support import Unspun
from unspun.service.http.keys import KeysError, KeyStore


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def test_a_key_is_printed_once_and_stored_as_a_hash(unspun: Unspun, file: Path) -> None:
    key = unspun("keys", "--file", file, "add", "cms").out.strip()
    assert KeyStore(file).name_of(key) == "cms"
    assert key not in file.read_text()


def test_keys_are_random(unspun: Unspun, file: Path) -> None:
    keys = {unspun("keys", "--file", file, "add", name).out for name in "abc"}
    assert len(keys) == 3


def test_the_key_file_is_private(file: Path) -> None:
    KeyStore(file).add("cms")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_permissions_of_the_key_file_are_kept(file: Path) -> None:
    KeyStore(file).add("a")
    file.chmod(0o640)
    KeyStore(file).add("b")
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_list_shows_the_names_of_all_keys(unspun: Unspun, file: Path) -> None:
    for name in ("cms", "crawler"):
        unspun("keys", "--file", file, "add", name)
    assert [line.split()[-1] for line in unspun("keys", "--file", file, "list").out.splitlines()] == ["cms", "crawler"]


@pytest.mark.parametrize("command", [["add"], ["list"], ["revoke"]])
def test_help_needs_no_file(command: list[str], unspun: Unspun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNSPUN_KEYS_FILE", raising=False)
    assert unspun("keys", *command, "--help").status == 0


def test_the_file_can_be_named_before_or_after_the_subcommand(unspun: Unspun, file: Path) -> None:
    unspun("keys", "--file", file, "add", "cms")
    assert unspun("keys", "list", "--file", file).out.endswith("cms\n")


def test_without_a_file_the_error_says_how_to_name_one(unspun: Unspun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNSPUN_KEYS_FILE", raising=False)
    run = unspun("keys", "add", "cms")
    assert run.status == 2
    assert run.errors[-1] == "Error: name the file of the keys with --file FILE, or set UNSPUN_KEYS_FILE."


def test_a_revoked_key_is_unknown(unspun: Unspun, file: Path) -> None:
    key = unspun("keys", "--file", file, "add", "cms").out.strip()
    assert unspun("keys", "--file", file, "revoke", "cms").status == 0
    assert KeyStore(file).name_of(key) is None


def test_a_guessed_key_is_unknown(file: Path) -> None:
    KeyStore(file).add("cms")
    assert KeyStore(file).name_of("unspun_guess") is None


def test_keys_added_concurrently_are_all_kept(file: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: KeyStore(file).add(f"n{i}"), range(24)))
    assert {key.name for key in KeyStore(file).all()} == {f"n{i}" for i in range(24)}


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "not a key file"), ("[]", "not a key file"), ('{"format": 2, "keys": []}', "update unspun")],
)
def test_a_file_that_is_not_a_key_file_is_reported_on_one_line(
    content: str, message: str, unspun: Unspun, file: Path
) -> None:
    file.write_text(content)
    run = unspun("keys", "--file", file, "list")
    assert (run.status, len(run.errors)) == (1, 1)
    assert message in run.errors[0]


@pytest.mark.parametrize("arguments", [("add", "cms"), ("revoke", "other"), ("add", "no spaces")])
def test_an_impossible_change_is_reported_on_one_line(arguments: tuple[str, str], unspun: Unspun, file: Path) -> None:
    KeyStore(file).add("cms")
    before = json.loads(file.read_text())
    run = unspun("keys", "--file", file, *arguments)
    assert (run.status, len(run.errors), json.loads(file.read_text())) == (1, 1, before)


def test_a_missing_key_file_accepts_no_key(file: Path) -> None:
    store = KeyStore(file)
    key = store.add("cms")
    file.unlink()
    with pytest.raises(KeysError):
        store.name_of(key)

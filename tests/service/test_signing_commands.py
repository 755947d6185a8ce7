"""`unspun models keygen`, `sign` and `verify`, and the setting that refuses unsigned models."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests import tables as tiny
from tests.service.model_variants import line, variant
from tests.service.support import Run, run_unspun
from unspun.model.detector import Detector

pytest.importorskip("cryptography", reason="signing needs the extra `signing`")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with the tiny model `house`, a text, a key, and the file of trusted keys."""
    monkeypatch.chdir(tmp_path)
    tiny.save_bundle(tmp_path / "house")
    (tmp_path / "text.txt").write_text(tiny.ARTICLE, "utf-8")
    (tmp_path / "trusted.txt").write_text(unspun("models", "keygen", "--output", "release.pem").out, "utf-8")
    return tmp_path


def unspun(*arguments: str) -> Run:
    return run_unspun(*arguments, load=Detector.load)


@pytest.mark.usefixtures("here")
class TestVerify:
    def test_a_signed_model(self) -> None:
        assert unspun("models", "sign", "--model", "./house", "--key", "release.pem").status == 0
        done = unspun("models", "verify", "--model", "./house", "--trusted-keys", "trusted.txt")
        assert done.status == 0
        assert "signed by release at" in done.out

    def test_an_unsigned_model(self) -> None:
        done = unspun("models", "verify", "--model", "./house", "--trusted-keys", "trusted.txt")
        assert "not signed" in line(done)

    def test_the_shipped_model_needs_no_signature(self) -> None:
        done = unspun("models", "verify", "--model", "default", "--trusted-keys", "trusted.txt")
        assert "the model that ships with unspun" in done.out

    def test_the_name_of_the_model_is_shown_on_one_line(self, here: Path) -> None:
        variant(here / "house", here / "odd", name="evil\x1b[2J\nsigned by the pope")
        unspun("models", "sign", "--model", "./odd", "--key", "release.pem")
        done = unspun("models", "verify", "--model", "./odd", "--trusted-keys", "trusted.txt")
        assert done.status == 0
        assert done.out[:-1].isprintable()
        assert done.out.endswith("\n")

    def test_it_asks_for_the_trusted_keys(self) -> None:
        done = unspun("models", "verify", "--model", "./house")
        assert done.status == 2
        assert "--trusted-keys FILE" in done.errors[-1]


@pytest.mark.usefixtures("here")
class TestKeygen:
    def test_a_day_in_the_past_is_refused(self) -> None:
        done = unspun("models", "keygen", "--output", "other.pem", "--expires", "2020-01-01")
        assert done.status == 2
        assert not Path("other.pem").exists()

    def test_a_folder_that_does_not_exist(self) -> None:
        done = unspun("models", "keygen", "--output", "nowhere/x.pem")
        assert "nowhere/x.pem: No such file or directory; choose another --output" in line(done)

    def test_a_private_key_that_does_not_exist(self) -> None:
        done = unspun("models", "sign", "--model", "./house", "--key", "nowhere.pem")
        assert "nowhere.pem: No such file or directory; give the file that `unspun models keygen" in line(done)

    def test_a_passphrase_comes_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("UNSPUN_PASSPHRASE", "correct horse")
        assert unspun("models", "keygen", "--output", "other.pem", "--passphrase", "--expires", "never").status == 0
        assert "ENCRYPTED" in Path("other.pem").read_text("utf-8")
        assert unspun("models", "sign", "--model", "./house", "--key", "other.pem").status == 0
        monkeypatch.setenv("UNSPUN_PASSPHRASE", "wrong")
        assert "wrong passphrase; try again, or check UNSPUN_PASSPHRASE" in line(
            unspun("models", "sign", "--model", "./house", "--key", "other.pem")
        )


class TestRefused:
    """With UNSPUN_TRUSTED_KEYS, commands refuse models without a signature."""

    @pytest.fixture(autouse=True)
    def trusting(self, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("UNSPUN_TRUSTED_KEYS", "trusted.txt")

    @pytest.mark.parametrize(
        "command",
        [
            ("score", "text.txt", "--model", "./house"),
            ("models", "promote", "--model", "./house"),
            ("models", "diff", "--model", "./house", "text.txt"),
            ("calibrate", "--model", "./house", "--on", "text.txt"),
            ("compare", "text.txt", "text.txt", "--model", "./house"),
            ("train", "--model", "./house", "--human", "text.txt", "--output", "new"),
            ("evaluate", "text.txt", "--model", "./house"),
        ],
        ids=lambda command: command[0],
    )
    def test_an_unsigned_model(self, command: tuple[str, ...]) -> None:
        done = unspun(*command)
        assert done.status != 0
        assert "not signed" in done.errors[-1], done

    def test_a_signed_model_is_used(self) -> None:
        unspun("models", "sign", "--model", "./house", "--key", "release.pem")
        assert unspun("score", "text.txt", "--model", "./house").status == 0

    def test_promoting_copies_the_signature(self) -> None:
        unspun("models", "sign", "--model", "./house", "--key", "release.pem")
        assert unspun("models", "promote", "--model", "./house").status == 0
        assert unspun("score", "text.txt", "--model", "models/current").status == 0

    def test_promoting_again_renews_the_signature(self) -> None:
        unspun("models", "sign", "--model", "./house", "--key", "release.pem")
        unspun("models", "promote", "--model", "./house")
        other = unspun("models", "keygen", "--output", "new.pem").out
        Path("trusted.txt").write_text(other, "utf-8")
        assert "does not list" in line(unspun("models", "promote", "--model", "./house"))
        unspun("models", "sign", "--model", "./house", "--key", "new.pem")
        assert unspun("models", "promote", "--model", "./house").status == 0
        assert unspun("score", "text.txt", "--model", "models/current").status == 0

    def test_a_refused_model_does_not_replace_the_one_in_use(self, here: Path) -> None:
        unspun("models", "sign", "--model", "./house", "--key", "release.pem")
        unspun("models", "promote", "--model", "./house")
        variant(here / "house", here / "other", version="0.0.2")  # with the signature of the other model
        before = Path("models/current").readlink()
        assert "does not match" in line(unspun("models", "promote", "--model", "./other"))
        assert Path("models/current").readlink() == before

    def test_list_and_show_say_which_models_are_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("UNSPUN_TRUSTED_KEYS")
        unspun("models", "promote", "--model", "default")
        unspun("models", "promote", "--model", "./house")
        monkeypatch.setenv("UNSPUN_TRUSTED_KEYS", "trusted.txt")
        listed = unspun("models", "list")
        assert listed.status == 0
        refused = {entry["in_use"]: entry["refused"] for entry in map(json.loads, listed.out.splitlines())}
        assert refused[False] is None  # the model that ships
        assert "not signed" in str(refused[True])
        assert "refused: not signed" in " ".join(unspun("models", "list", "--format", "table").out.split())
        assert "not signed" in json.loads(unspun("models", "show").out)["refused"]
        assert "not signed" in " ".join(unspun("models", "show", "--format", "table").out.split())
        monkeypatch.setenv("UNSPUN_TRUSTED_KEYS", "missing.txt")
        entries = [json.loads(row) for row in unspun("models", "list").out.splitlines()]
        assert all("missing.txt: No such file" in entry["refused"] for entry in entries)

    def test_a_file_of_keys_that_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("UNSPUN_TRUSTED_KEYS", "missing.txt")
        assert "missing.txt: No such file or directory; check the path in UNSPUN_TRUSTED_KEYS" in line(
            unspun("score", "text.txt")
        )


def test_the_service_refuses_an_unsigned_model(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from unspun.service.commands.serve import _prepare
    from unspun.service.http.config import Settings

    settings = Settings.from_environment({"UNSPUN_MODEL": "./house", "UNSPUN_TRUSTED_KEYS": "trusted.txt"})
    with pytest.raises(Exception, match="not signed"):
        _prepare(settings)
    unspun("models", "sign", "--model", "./house", "--key", "release.pem")
    models = _prepare(settings)
    old = models.model.model
    variant(here / "house", here / "other", version="0.0.2")
    shutil.copy(here / "other" / "manifest.json", here / "house" / "manifest.json")
    models.refresh(force=True)
    assert models.model.model == old


def test_the_service_logs_a_short_reason_for_a_long_manifest(
    here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It logs the reason again every time it tries the model again."""
    from unspun.service.commands.serve import _prepare
    from unspun.service.http.config import Settings

    models = _prepare(Settings.from_environment({"UNSPUN_MODEL": "./house"}))
    file = here / "house" / "manifest.json"
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), "ranking_bias": "A" * 1_000_000}), "utf-8")
    models.refresh(force=True)
    [refused] = [json.loads(row)["reason"] for row in capfd.readouterr().err.splitlines() if "is refused" in row]
    assert "could not convert" in refused
    assert len(refused) < 600

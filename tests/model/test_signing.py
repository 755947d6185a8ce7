"""model/signing.py: only bundles that a trusted key signed are loaded, if the caller asks for that."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cases import cases, why
from tests.model.test_hostile_bundles import edit, put
from tests.service.support import without_override
from unspun.model import bundle
from unspun.model.bundle import BundleError
from unspun.model.comparing.comparer import Comparer
from unspun.model.detector import Detector
from unspun.model.signing import (
    SIGNATURE,
    PassphraseError,
    Signature,
    SignatureError,
    TrustedKeys,
    TrustError,
    create_key,
    read_key,
    sign,
)

pytest.importorskip("cryptography", reason="signing needs the extra `signing`")
LAST_DAY = date(2030, 12, 31)


class Signed:
    """A signed copy of the tiny bundle, the key, and the file of trusted keys."""

    def __init__(self, source: Path, here: Path) -> None:
        self.here = here
        self.folder = Path(shutil.copytree(source, here / "bundle"))
        self.key = here / "release.pem"
        self.trusted = here / "trusted-keys.txt"
        key = create_key(self.key, "release 2026", None)
        self.trusted.write_text(f"# Keys of the newsroom\n\n{key.line}\n", "utf-8")
        self.sign(self.folder, self.key)

    @staticmethod
    def sign(folder: Path, key: Path) -> None:
        sign(folder, bundle.check(folder)[0].sha256, read_key(key))

    def change_signature(self, **entries: str) -> None:
        file = self.folder / SIGNATURE
        file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), **entries}), "utf-8")

    # --- what somebody may do to a signed bundle

    def remove_signature(self) -> None:
        (self.folder / SIGNATURE).unlink()

    def swap_file(self) -> None:
        put(self.folder, bundle.WORDS, b"other\nwords")

    def swap_only_file(self) -> None:
        (self.folder / bundle.WORDS).write_text("other\nwords", "utf-8")

    def borrow_signature(self) -> None:
        other = Path(shutil.copytree(self.folder, self.here / "other"))
        edit(other, lambda manifest: manifest.update(version="0.0.2"))
        self.sign(other, self.key)
        shutil.copy(other / SIGNATURE, self.folder / SIGNATURE)

    def change_time(self) -> None:
        self.change_signature(signed="2020-01-01T00:00:00+00:00")

    def cut_signature(self) -> None:
        os.truncate(self.folder / SIGNATURE, 50)

    def garble_signature(self) -> None:
        self.change_signature(signature="no base64")

    def other_algorithm(self) -> None:
        self.change_signature(algorithm="none")

    def long_algorithm(self) -> None:
        self.change_signature(algorithm="A" * 90_000)

    def sign_with_other_key(self) -> None:
        create_key(self.here / "other.pem", "stranger", None)
        self.sign(self.folder, self.here / "other.pem")

    def pretend(self) -> None:
        trusted = Signature.read(self.folder)
        assert trusted is not None
        self.sign_with_other_key()
        self.change_signature(key=trusted.key)

    def make_pipe(self) -> None:
        self.remove_signature()
        os.mkfifo(self.folder / SIGNATURE)

    def make_folder(self) -> None:
        self.remove_signature()
        (self.folder / SIGNATURE).mkdir()

    def make_long(self) -> None:
        os.truncate(self.folder / SIGNATURE, 200_000)


@pytest.fixture
def signed(tiny_bundle: Path, tmp_path: Path) -> Signed:
    return Signed(tiny_bundle, tmp_path)


def test_a_signed_bundle_is_loaded(signed: Signed) -> None:
    assert Detector.load(signed.folder, trusted_keys=signed.trusted).model == Detector.load(signed.folder).model


def test_the_signature_names_its_key_and_its_time(signed: Signed) -> None:
    key, signature = TrustedKeys.read(signed.trusted).verify(signed.folder, bundle.check(signed.folder)[0].sha256)
    assert (key.name, key.last_day) == ("release 2026", None)
    assert signature.signed.endswith("+00:00")


@pytest.mark.parametrize("case", cases("model/signatures.toml"), ids=why)
def test_a_changed_bundle_is_refused(signed: Signed, case: dict[str, Any]) -> None:
    getattr(signed, case["change"])()
    with pytest.raises(BundleError) as raised:
        Detector.load(signed.folder, trusted_keys=signed.trusted)
    assert str(signed.folder) in str(raised.value)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 600
    for message in case["messages"]:
        assert message in str(raised.value)


@pytest.mark.parametrize(("days", "accepted"), [(-1, True), (0, True), (1, False)])
def test_a_key_is_accepted_until_its_last_day(signed: Signed, days: int, accepted: bool) -> None:
    signed.trusted.write_text(signed.trusted.read_text("utf-8").replace("never", LAST_DAY.isoformat()), "utf-8")
    keys, digest = TrustedKeys.read(signed.trusted), bundle.check(signed.folder)[0].sha256
    today = LAST_DAY + timedelta(days=days)
    if accepted:
        keys.verify(signed.folder, digest, today=today)
    else:
        with pytest.raises(SignatureError, match="'release 2026', which expired on 2030-12-31"):
            keys.verify(signed.folder, digest, today=today)


def test_an_expired_key_is_refused(signed: Signed) -> None:
    signed.trusted.write_text(signed.trusted.read_text("utf-8").replace("never", "2020-01-01"), "utf-8")
    with pytest.raises(BundleError, match="expired on 2020-01-01"):
        Detector.load(signed.folder, trusted_keys=signed.trusted)


def test_a_signature_without_permission_to_read_it(signed: Signed) -> None:
    (signed.folder / SIGNATURE).chmod(0)
    digest = bundle.check(signed.folder)[0].sha256
    with without_override(), pytest.raises(SignatureError, match="Permission denied; restore the bundle, or ask"):
        TrustedKeys.read(signed.trusted).verify(signed.folder, digest)


class TestEnvironment:
    """UNSPUN_TRUSTED_KEYS applies wherever a model is loaded to be used."""

    @pytest.fixture
    def unsigned(self, signed: Signed, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setenv("UNSPUN_TRUSTED_KEYS", str(signed.trusted))
        Detector.load(signed.folder)
        signed.remove_signature()
        return signed.folder

    @pytest.mark.parametrize("load", [Detector.load, Comparer.load])
    def test_unsigned_bundles_are_refused(self, unsigned: Path, load: Any) -> None:
        with pytest.raises(BundleError, match="not signed"):
            load(unsigned)

    def test_a_copy_of_the_shipped_bundle_is_loaded_without_a_signature(self, unsigned: Path, tmp_path: Path) -> None:
        copy = Path(shutil.copytree(bundle.DEFAULT, tmp_path / "shipped"))
        assert bundle.check(copy, trusted=bundle.trusted())[0].sha256 == bundle.SHIPPED_SHA256

    def test_a_file_of_keys_that_is_missing_refuses_every_bundle(
        self, unsigned: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("UNSPUN_TRUSTED_KEYS", "/nonexistent/keys")
        with pytest.raises(
            BundleError, match="/nonexistent/keys: No such file or directory; check the path in UNSPUN_TRUSTED_KEYS"
        ):
            Detector.load()


def test_the_program_knows_the_hash_of_the_shipped_model() -> None:
    """After a new bundle, change SHIPPED_SHA256 in model/bundle.py."""
    assert hashlib.sha256((bundle.DEFAULT / bundle.MANIFEST).read_bytes()).hexdigest() == bundle.SHIPPED_SHA256


def test_saving_a_bundle_deletes_the_old_signature(signed: Signed) -> None:
    loaded = bundle.load(signed.folder)
    bundle.save(signed.folder, loaded.manifest, loaded.tables, loaded.tagger, loaded.classifier, loaded.seen)
    assert not (signed.folder / SIGNATURE).exists()


class TestKeys:
    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            ("", "lists no keys"),
            ("# only a comment\n", "lists no keys"),
            ("ed25519 AAAA never", "line 1: not a key"),
            ("rsa AAAA never x", "line 1: not a key"),
            ("\ned25519 AAAA never x", "line 2: 'AAAA' is not an Ed25519 key of 32 bytes"),
            ("ed25519 ??? never x", "'???' is not a public key in base64"),
            (f"ed25519 {'A' * 43}= soon x", "'soon' is not a day like"),
            (f"ed25519 {'A' * 43}= {'9' * 5000} x", "99...99"),
            (f"ed25519 {'A' * 43}= never x\u2028ed25519", "characters that cannot be shown"),
        ],
    )
    def test_a_line_that_is_not_a_key_is_reported(self, tmp_path: Path, content: str, expected: str) -> None:
        file = tmp_path / "keys.txt"
        file.write_text(content, "utf-8")
        with pytest.raises(TrustError) as raised:
            TrustedKeys.read(file)
        assert str(raised.value).startswith(str(file))
        assert expected in str(raised.value)

    @pytest.mark.parametrize("end", ["\u2028", "\u2029", "\x0c", "\x0b", "\x85", "\x1e"])
    def test_a_comment_ends_only_where_its_line_ends(self, signed: Signed, end: str) -> None:
        """An editor shows these characters inside the line, so that a key after them would be hidden."""
        hidden = create_key(signed.here / "hidden.pem", "hidden", None)
        with signed.trusted.open("a", encoding="utf-8") as file:
            file.write(f"# a comment{end}{hidden.line}\n")
        assert [key.name for key in TrustedKeys.read(signed.trusted).keys] == ["release 2026"]

    def test_a_file_written_on_windows(self, signed: Signed) -> None:
        lines = signed.trusted.read_text("utf-8")
        signed.trusted.write_text(lines.split("\n", 2)[2].replace("\n", "\r\n"), "utf-8-sig", newline="")
        assert [key.name for key in TrustedKeys.read(signed.trusted).keys] == ["release 2026"]

    def test_the_same_key_twice(self, signed: Signed) -> None:
        """The first line would win, although somebody may have added the second one to shorten the key's life."""
        signed.trusted.write_text(signed.trusted.read_text("utf-8") * 2, "utf-8")
        with pytest.raises(TrustError, match="line 6: the same key as in line 3; keep only one"):
            TrustedKeys.read(signed.trusted)

    @pytest.mark.parametrize("read", [TrustedKeys.read, read_key])
    def test_a_pipe_is_not_waited_for(self, tmp_path: Path, read: Any) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(TrustError, match="Not a regular file"):
            read(tmp_path / "pipe")

    def test_a_folder_in_the_place_of_the_trusted_keys(self, tmp_path: Path) -> None:
        with pytest.raises(TrustError, match="Is a directory; check the path in UNSPUN_TRUSTED_KEYS"):
            TrustedKeys.read(tmp_path)

    def test_only_the_owner_may_read_a_private_key(self, tmp_path: Path) -> None:
        create_key(tmp_path / "key.pem", "key", None)
        assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600

    def test_a_private_key_is_never_overwritten(self, tmp_path: Path) -> None:
        create_key(tmp_path / "key.pem", "key", None)
        before = (tmp_path / "key.pem").read_bytes()
        with pytest.raises(TrustError, match="exists already"):
            create_key(tmp_path / "key.pem", "key", None)
        assert (tmp_path / "key.pem").read_bytes() == before

    def test_a_passphrase_protects_a_private_key(self, tmp_path: Path) -> None:
        create_key(tmp_path / "key.pem", "key", None, "correct horse")
        with pytest.raises(PassphraseError):
            read_key(tmp_path / "key.pem")
        with pytest.raises(TrustError, match="wrong passphrase; try again"):
            read_key(tmp_path / "key.pem", "wrong")
        assert read_key(tmp_path / "key.pem", "correct horse")

    def test_a_public_key_cannot_sign(self, signed: Signed) -> None:
        with pytest.raises(TrustError, match="not a private key"):
            read_key(signed.trusted)

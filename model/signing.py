"""Signatures of bundles: who made a model, and that nobody has changed it since.

A signature is the file `manifest.sig` in a bundle: an Ed25519 signature (RFC 8032) over the sha256 of the manifest,
which lists the sha256 of every other file, and over the time of signing. A text file lists the keys that are trusted:

    # Lines that begin with # are comments.
    ed25519 kL7vJ...= 2027-11-30 release-2026
    ed25519 0aP3x...= never      old-laptop

The second column is the public key, the third the last day (UTC) on which it is accepted, the rest is a name. Each key
has one line.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from unspun.model.atomic import atomic_write
from unspun.model.quoting import quoted
from unspun.model.regular import read_regular

# cryptography is an extra, and slow to import.
if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SIGNATURE = "manifest.sig"
TRUSTED_KEYS = "UNSPUN_TRUSTED_KEYS"
"""The environment variable that names the file of trusted keys."""
ALGORITHM = "ed25519"
NEVER = "never"
MOST_BYTES = 100_000
"""Most bytes of a signature, and of a private key."""
MOST_BYTES_OF_KEYS = 1_000_000
INSTALL = "pip install 'unspun[signing]'"
SIGN = "if it is yours, sign it with `unspun models sign`"
RESTORE = "restore the bundle, or ask whoever signed it"
KEYGEN = "`unspun models keygen` prints such a line"
PATH = f"check the path in {TRUSTED_KEYS} or --trusted-keys"
PRIVATE = "give the file that `unspun models keygen --output` wrote"


class SignatureError(ValueError):
    """A bundle has no signature that can be trusted. The message says why and what to do."""


class TrustError(ValueError):
    """A file of keys cannot be used. The message names the file and says why."""


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A public key (base64), its name, and the last day on which it is accepted; None if it does not expire."""

    public: str
    name: str
    last_day: date | None

    @property
    def expires(self) -> datetime | None:
        """The end of the last day, None if the key does not expire."""
        if self.last_day is None:
            return None
        return datetime(self.last_day.year, self.last_day.month, self.last_day.day, tzinfo=UTC) + timedelta(days=1)

    @property
    def line(self) -> str:
        """The key's line in a file of trusted keys."""
        return f"{ALGORITHM} {self.public} {NEVER if self.last_day is None else self.last_day.isoformat()} {self.name}"


@dataclass(frozen=True, slots=True)
class Signature:
    """Who signed a bundle: the public key (base64), when (UTC, ISO 8601), and the signature itself (base64)."""

    key: str
    signed: str
    signature: str

    @classmethod
    def read(cls, folder: Path) -> Signature | None:
        """Return a bundle's signature, None if it has none. Raises SignatureError if it cannot be read."""
        try:
            entry = json.loads(read_regular(folder / SIGNATURE, MOST_BYTES))
            if entry["algorithm"] != ALGORITHM:
                raise SignatureError(f"{SIGNATURE}: unknown algorithm {quoted(entry['algorithm'])}; update unspun")
            return cls(*(str(entry[name]) for name in ("key", "signed", "signature")))
        except FileNotFoundError:
            return None
        except SignatureError:
            raise
        except OSError as error:
            raise SignatureError(f"{SIGNATURE}: {error.strerror}; {RESTORE}") from error
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise SignatureError(f"{SIGNATURE}: cut off, or not a signature; {RESTORE}") from error


class TrustedKeys:
    """The keys that are trusted, as a file lists them."""

    def __init__(self, path: Path, keys: tuple[TrustedKey, ...]) -> None:
        self.path = path
        self.keys = keys

    @classmethod
    def read(cls, path: Path) -> TrustedKeys:
        """Read a file of keys. Raises TrustError if a line is not a key, or cryptography is not installed."""
        _cryptography()
        try:
            # Only line feeds end a line, as in an editor, so that no key hides in a comment. Windows adds the rest.
            lines = read_regular(path, MOST_BYTES_OF_KEYS).decode("utf-8-sig").split("\n")
        except OSError as error:
            raise TrustError(f"{path}: {error.strerror}; {PATH}") from error
        except UnicodeDecodeError as error:
            raise TrustError(f"{path}: not a text file in UTF-8; {PATH}") from error
        keys: dict[str, TrustedKey] = {}
        places: dict[str, int] = {}
        for number, line in enumerate(lines, 1):
            if line.strip() and not line.lstrip().startswith("#"):
                try:
                    key = _parse(line)
                except ValueError as error:
                    raise TrustError(f"{path}, line {number}: {error}; {KEYGEN}") from error
                if key.public in keys:
                    raise TrustError(
                        f"{path}, line {number}: the same key as in line {places[key.public]}; keep only one of them"
                    )
                keys[key.public], places[key.public] = key, number
        if not keys:
            raise TrustError(f"{path}: lists no keys; {KEYGEN}")
        return cls(path, tuple(keys.values()))

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> TrustedKeys | None:
        """Return the keys in the file that UNSPUN_TRUSTED_KEYS names, None if none is set. Raises TrustError."""
        path = environment.get(TRUSTED_KEYS, "").strip()
        return cls.read(Path(path)) if path else None

    def verify(self, folder: Path, digest: str, *, today: date | None = None) -> tuple[TrustedKey, Signature]:
        """Return who signed a bundle whose manifest has this sha256. Raises SignatureError if no trusted key did."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        found = Signature.read(folder)
        if found is None:
            raise SignatureError(f"not signed, but only bundles signed by a key of {self.path} are accepted; {SIGN}")
        key = next((key for key in self.keys if key.public == found.key), None)
        if key is None:
            raise SignatureError(
                f"signed by a key that {self.path} does not list ({quoted(found.key)}); if you trust that key, add "
                "its line, else do not use this bundle"
            )
        if key.last_day is not None and (today or datetime.now(UTC).date()) > key.last_day:
            raise SignatureError(
                f"signed by the key {quoted(key.name)}, which expired on {key.last_day}; sign the bundle with a new "
                f"key, or change the date in {self.path}"
            )
        try:
            content = base64.b64decode(found.signature, validate=True)
            Ed25519PublicKey.from_public_bytes(_decoded(key.public)).verify(content, _message(digest, found.signed))
        except (InvalidSignature, ValueError) as error:
            raise SignatureError(
                f"the signature by the key {quoted(key.name)} does not match: the bundle or {SIGNATURE} was changed "
                "after it was signed; restore the bundle"
            ) from error
        return key, found


def create_key(file: Path, name: str, last_day: date | None, passphrase: str | None = None) -> TrustedKey:
    """Write a new private key (PKCS #8, PEM), which only its owner may read, and return the public one.

    Raises TrustError if the file exists or cannot be written.
    """
    _cryptography()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase.encode())
    content = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    created = False
    try:
        with os.fdopen(os.open(file, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "wb") as stream:
            created = True
            stream.write(content)
    except FileExistsError as error:
        raise TrustError(f"{file}: exists already; move it away, or choose another --output") from error
    except OSError as error:
        if created:
            file.unlink(missing_ok=True)
        raise TrustError(
            f"{file}: {error.strerror}; choose another --output, in a folder that exists and that you may write to"
        ) from error
    return TrustedKey(_public(key), name, last_day)


def read_key(file: Path, passphrase: str | None = None) -> Ed25519PrivateKey:
    """Read a private key. Raises TrustError if the file is no such key, or the passphrase is missing or wrong."""
    _cryptography()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        content = read_regular(file, MOST_BYTES)
    except OSError as error:
        raise TrustError(f"{file}: {error.strerror}; {PRIVATE}") from error
    try:
        key = load_pem_private_key(content, passphrase.encode() if passphrase else None)
    except TypeError as error:  # a passphrase is missing, or there is none
        raise PassphraseError(f"{file}: {str(error).rstrip('.')[:1].lower()}{str(error).rstrip('.')[1:]}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        if passphrase and b"ENCRYPTED" in content:
            raise TrustError(f"{file}: wrong passphrase; try again, or check UNSPUN_PASSPHRASE") from error
        raise TrustError(f"{file}: not a private key; {PRIVATE}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise TrustError(f"{file}: not an Ed25519 key; {PRIVATE}")
    return key


class PassphraseError(TrustError):
    """A private key needs a passphrase, or has none although one was given."""


def sign(folder: Path, digest: str, key: Ed25519PrivateKey) -> Signature:
    """Sign a bundle whose manifest has this sha256, replacing its signature. Raises OSError."""
    signed = datetime.now(UTC).isoformat(timespec="seconds")
    content = base64.b64encode(key.sign(_message(digest, signed))).decode()
    signature = Signature(_public(key), signed, content)
    entry = {"algorithm": ALGORITHM, "key": signature.key, "signed": signed, "signature": content}
    with atomic_write(folder / SIGNATURE) as file:
        file.write(f"{json.dumps(entry, indent=1)}\n".encode())
    return signature


def _message(digest: str, signed: str) -> bytes:
    """Return what is signed. It begins with its purpose, so that the key's signature of anything else does not fit."""
    return f"unspun model signature 1\n{digest}\n{signed}\n".encode()


def _parse(line: str) -> TrustedKey:
    parts = line.split(maxsplit=3)
    if len(parts) < 4 or parts[0] != ALGORITHM:
        raise ValueError(f"not a key: write {ALGORITHM}, the public key, its last day or `{NEVER}`, and a name")
    _, public, last_day, name = parts
    _decoded(public)
    name = name.strip()
    if not name.isprintable():
        raise ValueError(f"the name {quoted(name)} has characters that cannot be shown")
    try:
        return TrustedKey(public, name, None if last_day == NEVER else date.fromisoformat(last_day))
    except ValueError as error:
        raise ValueError(f"{quoted(last_day)} is not a day like 2027-11-30, nor `{NEVER}`") from error


def _decoded(public: str) -> bytes:
    try:
        content = base64.b64decode(public, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"{quoted(public)} is not a public key in base64") from error
    if len(content) != 32 or base64.b64encode(content).decode() != public:
        raise ValueError(f"{quoted(public)} is not an Ed25519 key of 32 bytes in base64")
    return content


def _public(key: Ed25519PrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def _cryptography() -> None:
    """Raise TrustError if the package cryptography is not installed."""
    try:
        import cryptography  # noqa: F401
    except ModuleNotFoundError as error:
        raise TrustError(f"signatures need the package cryptography: {INSTALL}") from error

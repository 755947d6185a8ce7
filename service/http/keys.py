"""API keys. `unspun keys add` creates them, and a running service rereads the file of their hashes when it changes."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from unspun.model.atomic import atomic_write

PREFIX = "unspun_"
NAME = re.compile(r"[\w.@-]{1,64}", re.ASCII)
FORMAT = 1


class KeysError(Exception):
    """A key file cannot be used. The message says which, why and what to do, in one line."""


@dataclass(frozen=True, slots=True)
class Key:
    """What is stored for an API key: its hash, never the key itself."""

    name: str
    sha256: str
    created: str


class KeyStore:
    """The API keys in a file. Processes may share it: it is written under a lock and replaced atomically.

    A key has 256 random bits, so a single SHA-256 protects it as well as a slow hash protects a password.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._keys: tuple[Key, ...] = ()
        self._seen: tuple[int, int, int] | None = None

    def all(self) -> tuple[Key, ...]:
        """Return the keys; the file is read again if it has changed. Raises KeysError."""
        try:
            found = self.path.stat()
            seen = (found.st_mtime_ns, found.st_ino, found.st_size)
            if seen != self._seen:
                self._keys = _parse(self.path, self.path.read_bytes())
                self._seen = seen
        except OSError as error:
            raise KeysError(f"{self.path}: {error.strerror}; create it with `unspun keys add NAME`") from error
        return self._keys

    def name_of(self, key: str) -> str | None:
        """Return the name of a key, None if it is unknown, in constant time. Raises KeysError."""
        digest = _digest(key)
        name = None
        for known in self.all():
            if hmac.compare_digest(known.sha256, digest):
                name = known.name
        return name

    def add(self, name: str) -> str:
        """Create a key and return it; it cannot be retrieved later. Raises KeysError."""
        if not NAME.fullmatch(name):
            raise KeysError(f"{name!r} is not a valid name for a key; use 1 to 64 letters, digits and any of . _ - @")
        with self._locked():
            keys = self.all() if self.path.exists() else ()
            if any(key.name == name for key in keys):
                raise KeysError(f"{self.path}: {name} already has a key; revoke it first, or choose another name")
            key = PREFIX + secrets.token_urlsafe(32)
            created = datetime.now(UTC).isoformat(timespec="seconds")
            self._write((*keys, Key(name, _digest(key), created)))
        return key

    def revoke(self, name: str) -> None:
        """Revoke a key; running services refuse it from the next request on. Raises KeysError."""
        with self._locked():
            keys = self.all()
            left = tuple(key for key in keys if key.name != name)
            if len(left) == len(keys):
                raise KeysError(f"{self.path}: {name} has no key; `unspun keys list` shows all names")
            self._write(left)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        lock = self.path.with_name(f"{self.path.name}.lock")
        try:
            acquired = FileLock(lock, mode=0o600).acquire()
        except OSError as error:
            raise KeysError(f"{lock}: {error.strerror}") from error
        with acquired:
            yield

    def _write(self, keys: tuple[Key, ...]) -> None:
        text = json.dumps({"format": FORMAT, "keys": [asdict(key) for key in keys]}, indent=1)
        try:
            # The service may run as another user, so a file that is replaced keeps its owner and permissions.
            with atomic_write(self.path, mode=0o600) as file:
                file.write(f"{text}\n".encode())
        except OSError as error:
            raise KeysError(f"{self.path}: {error.strerror}") from error
        self._seen = None


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _parse(path: Path, data: bytes) -> tuple[Key, ...]:
    try:
        content = json.loads(data)
        if content["format"] != FORMAT:
            raise KeysError(f"{path}: unknown key file format {content['format']!r}; update unspun")
        return tuple(Key(str(key["name"]), str(key["sha256"]), str(key["created"])) for key in content["keys"])
    except (ValueError, LookupError, TypeError) as error:
        raise KeysError(f"{path}: not a key file; restore it, or move it away and add the keys again") from error

"""Versions of models: a folder that contains them, a link to the one in use, and a history of changes.

    models/
      house-1.2.0-3f9c1a2b/     a model bundle, named by the model's name, its version and the start of its sha256
      house-1.3.0-77d01e5c/
      current -> house-1.3.0-77d01e5c
      history.jsonl             a line per change: when, what, from which model, forced or not

`current` always links to a complete model: a bundle is copied under a temporary name, tested and
flushed to the disk before it gets its final name, and the link is replaced atomically. No model is ever deleted.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Literal

from filelock import FileLock, Timeout

from unspun.model import bundle
from unspun.model.atomic import atomic_write
from unspun.model.bundle import BundleError
from unspun.model.quoting import shortened
from unspun.model.regular import open_regular
from unspun.model.signing import MOST_BYTES, SIGNATURE
from unspun.model.verdict import TIERS, ModelInfo
from unspun.service.batch.scoring import WARM_UP, has_depth
from unspun.service.console import CommandError

UNCHANGED = "the model in use was not changed"
CURRENT = "current"
HISTORY = "history.jsonl"
DOCUMENTS = (".md", ".html", ".json")
"""Other files that are copied with a bundle, besides its signature: its card and its reports."""
MOST_DOCUMENT_BYTES = 20_000_000
"""Most bytes of a document that is copied. The card and the reports of a model have less than a million."""
WAIT_SECONDS = 120.0
"""How long a command waits while another command is changing the same folder."""

_LOCK = ".lock"
_PART = ".part-"
_DIGITS = 8
_LEAST_DIGITS = 4
"""Digits of the sha256 in a folder's name, and the fewest that select a model."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

Action = Literal["promote", "rollback", "found"]


class ModelsError(CommandError):
    """A folder of models cannot be read or changed; the message says which, why and what to do."""


@dataclass(frozen=True, slots=True)
class ModelChange:
    """A line of the history: since `when` (UTC, ISO 8601), `model`, a name in the folder, has been in use.

    `action` is `found` if another program changed the link, or if unspun was killed right after changing it. `source`
    is where a promoted model came from, and `forced` says whether it is known to be worse. `previous` is None if no
    model of the folder had been in use.
    """

    when: str
    action: Action
    model: str
    previous: str | None
    sha256: str | None = None
    source: str | None = None
    forced: bool = False

    def to_json(self) -> str:
        """Return the line."""
        entry = {"from" if name == "previous" else name: value for name, value in asdict(self).items()}
        return json.dumps(entry, ensure_ascii=True)  # paths may hold bytes that are not UTF-8

    @classmethod
    def from_json(cls, line: str) -> ModelChange:
        """Read a line. Raises ValueError, LookupError or TypeError if it is not a change."""
        entry = json.loads(line)
        return cls(
            str(entry["when"]),
            entry["action"],
            str(entry["model"]),
            entry["from"],
            entry.get("sha256"),
            entry.get("source"),
            bool(entry.get("forced")),
        )


@dataclass(frozen=True, slots=True)
class Version:
    """A model of the folder. `problem` says why it cannot be used; it is None if the model is complete.

    If the manifest cannot be read, `info` is None and `manifest` empty. `created` is when it was trained (UTC, ISO
    8601). `refused` says why a complete model is refused because of UNSPUN_TRUSTED_KEYS, None if it is accepted.
    """

    folder: Path
    info: ModelInfo | None
    manifest: dict[str, Any]
    created: str
    in_use: bool
    problem: str | None = None
    refused: str | None = None


class ModelFolder:
    """The models of a folder. Several commands can use it at once: writers take a lock, and readers need none.

    `tell` is called with each message that is not an error.
    """

    def __init__(self, path: Path, *, tell: Callable[[str], None] = lambda line: None) -> None:
        self.path = path
        self._tell = tell

    # --- reading

    @property
    def in_use(self) -> str | None:
        """The name that `current` links to, even if it does not exist; None if no model is in use."""
        link = self.path / CURRENT
        try:
            name = str(link.readlink())
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno == errno.EINVAL:
                raise ModelsError(f"{link}: not a link to a model; move it elsewhere, then promote a model") from error
            raise ModelsError(f"{link}: {error.strerror}") from error
        real = Path(os.path.realpath(link))
        return real.name if real.parent == Path(os.path.realpath(self.path)) else name

    def versions(self) -> list[Version]:
        """Return all models, also broken ones, the oldest first. Raises ModelsError."""
        self._check_readable()
        with self._explained():
            folders = [entry for entry in self.path.iterdir() if not entry.name.startswith(".")]
            found = [self._version(entry) for entry in folders if entry.is_dir() and not entry.is_symlink()]
        return sorted(found, key=lambda version: (version.created, version.folder.name))

    def find(self, name: str) -> Path:
        """Return the folder of a model: `current`, `default` for the one that ships, a name in the folder or the start
        of one, the start of a sha256, or a path. Raises ModelsError.
        """
        if name == bundle.SHIPPED:
            return bundle.DEFAULT
        if name == CURRENT:
            in_use = self.in_use
            if in_use is None:
                raise ModelsError(f"{self.path}: no model is in use; run `unspun models promote --model BUNDLE`")
            return self.path / in_use
        with self._explained():
            names = [entry.name for entry in self.path.iterdir() if _is_model(entry)] if self.path.is_dir() else []
            if name not in names and os.path.lexists(name):
                return Path(name)
            fitting = [name] if name in names else sorted(one for one in names if _is_called(self.path / one, name))
        if len(fitting) == 1:
            return self.path / fitting[0]
        if fitting:
            raise ModelsError(f"{name!r} matches several models: {', '.join(fitting)}; give more of the name")
        raise ModelsError(
            f"{name!r}: neither a model in {self.path} nor a folder; run `unspun models list` to see the models"
        )

    def history(self) -> list[ModelChange]:
        """Return the changes, the oldest first, without lines that cannot be read. Raises ModelsError."""
        file = self.path / HISTORY
        try:
            lines = file.read_text("utf-8", "replace").splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ModelsError(f"{file}: {error.strerror}") from error
        changes = []
        for line in lines:
            with contextlib.suppress(ValueError, LookupError, TypeError):
                changes.append(ModelChange.from_json(line))
        return changes

    # --- changing

    def promote(self, source: Path, *, force: bool = False) -> ModelChange:
        """Put a model in use: one of the folder, or a bundle, which is copied into it. Return the change.

        The model must be complete and able to score a text. If its manifest says that it is worse than the model that
        it was compared with, it needs `force`. Raises ModelsError and BundleError; then the model in use does not
        change.
        """
        with self._locked():
            info, manifest = bundle.check(source, trusted=bundle.trusted())
            if not force:
                _refuse_if_worse(source, info, manifest)
            forced = force and bool(comparison(manifest).get("worse"))
            real = Path(os.path.realpath(source))
            if real.parent == Path(os.path.realpath(self.path)):
                folder = self.path / real.name
                self._check_unchanged(folder, info)
                prove(folder)
            else:
                prove(source)
                folder = self._take_in(source, info, manifest)
            previous = self.in_use
            if previous == folder.name:
                self._tell(f"{folder} is already in use")
            elif previous is not None and not _was_compared_with(manifest, self.path / previous):
                self._tell(
                    f"{folder.name} was not compared with {previous}, which was in use; to compare them, run "
                    f"`unspun models diff --model {previous} --model {folder.name} PATH...`"
                )
            change = ModelChange(_now(), "promote", folder.name, previous, info.sha256, str(source), forced)
            return self._put_in_use(change)

    def rollback(self, name: str | None = None) -> ModelChange:
        """Put the model in use that was in use before, or another model of the folder, by name. Return the change.

        Each call goes one step further back. Raises ModelsError and BundleError; then the model in use does not change.
        """
        with self._locked(make=False):
            previous = self.in_use
            folder = self._before() if name is None else self.find(name)
            if folder.parent != self.path:
                raise ModelsError(f"{folder}: not a model in {self.path}; run `unspun models promote` to add it")
            try:
                info, _ = bundle.check(folder, trusted=bundle.trusted())
                self._check_unchanged(folder, info)
                prove(folder)
            except (BundleError, ModelsError) as error:
                if name is not None:
                    raise
                raise ModelsError(
                    f"{error}; or choose another model: `unspun models rollback --model BUNDLE`"
                ) from error
            return self._put_in_use(ModelChange(_now(), "rollback", folder.name, previous, info.sha256))

    # --- details

    def _version(self, folder: Path) -> Version:
        in_use = self.in_use == folder.name
        try:
            created = _created(folder)
            info, manifest = bundle.check(folder)
            self._check_unchanged(folder, info)
        except (BundleError, ModelsError, OSError) as error:
            return Version(folder, None, {}, created, in_use, _without_folder(str(error), folder))
        written = manifest.get("created")
        when = written if isinstance(written, str) else created
        return Version(folder, info, manifest, when, in_use, refused=refusal(folder, info))

    def _check_unchanged(self, folder: Path, info: ModelInfo) -> None:
        """Raise ModelsError if the manifest of a model has changed since it was put in use."""
        known = [change.sha256 for change in self.history() if change.model == folder.name and change.sha256]
        if known and info.sha256 != known[-1]:
            raise ModelsError(
                f"{folder}: its manifest has changed since the model was put in use (sha256 {info.sha256[:12]}..., "
                f"expected {known[-1][:12]}...); restore it, or promote the new model from another folder"
            )

    def _before(self) -> Path:
        """Return the model that was in use before the current one."""
        stack: list[str] = []
        for change in self.history():
            if change.action == "rollback" and change.model in stack:
                del stack[len(stack) - stack[::-1].index(change.model) :]
            elif stack[-1:] != [change.model]:
                stack.append(change.model)
        if not stack:
            raise ModelsError(f"{self.path}: no model has been in use yet; run `unspun models promote --model BUNDLE`")
        if self.in_use is None:
            return self.path / stack[-1]
        if len(stack) == 1:
            raise ModelsError(
                f"{self.path}: no model was in use before {stack[0]}; "
                "run `unspun models promote --model default` to use the model that ships with unspun"
            )
        return self.path / stack[-2]

    def _take_in(self, source: Path, info: ModelInfo, manifest: dict[str, Any]) -> Path:
        """Copy a bundle into the folder, flushed to the disk before it gets its name; return the copy."""
        folder, there = self._place_for(info)
        if there:
            if os.path.lexists(source / SIGNATURE):  # the same model may have been signed since
                with _open_unlisted(source / SIGNATURE) as old, atomic_write(folder / SIGNATURE) as file:
                    file.write(old.read(MOST_BYTES))
            return folder
        part = self.path / f"{_PART}{folder.name}"
        documents = self._documents(source, manifest)
        names = [*manifest["files"], *documents, bundle.MANIFEST]
        try:
            part.mkdir()
            for name in names:
                _copy(source / name, part / name, listed=name not in documents)
            # Check again, so that these bytes are the ones that were tested.
            copied, _ = bundle.check(part, trusted=bundle.trusted())
            if copied.sha256 != info.sha256:
                raise ModelsError(f"{source}: changed while it was copied; try again when it is complete")
            _sync(part)
            part.rename(folder)
            _sync(self.path)
        except BundleError as error:
            raise ModelsError(f"{source}: changed while it was copied ({error}); try again") from error
        except OSError as error:
            if error.errno in _FULL:
                size = sum((source / name).stat().st_size for name in names) / 1e6
                raise ModelsError(
                    f"{self.path}: {error.strerror} while copying {source}, which needs {size:,.0f} MB; free some "
                    f"space, and try again; {UNCHANGED}"
                ) from error
            raise
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return folder

    def _documents(self, source: Path, manifest: dict[str, Any]) -> list[str]:
        """Return the names of the files besides those that the manifest lists: documents, and the signature.

        Reports documents that are not copied. A link could lead to any file of whoever promotes the model.
        """
        names = []
        for entry in sorted(source.iterdir()):
            if entry.name in manifest["files"] or entry.name == bundle.MANIFEST:
                continue
            if entry.name == SIGNATURE or (entry.suffix in DOCUMENTS and _is_small_file(entry, MOST_DOCUMENT_BYTES)):
                names.append(entry.name)
            elif entry.suffix in DOCUMENTS:
                self._tell(
                    f"{entry}: not copied, because it is not a plain file of at most "
                    f"{MOST_DOCUMENT_BYTES // 1_000_000} MB"
                )
        return names

    def _place_for(self, info: ModelInfo) -> tuple[Path, bool]:
        """Return the folder for a model, and whether it already contains the complete model.

        If another model or a broken copy has that name, the folder's name contains more digits of the sha256.
        """
        name = f"{_safe(info.name)}-{_safe(info.version)}"
        for digits in range(_DIGITS, len(info.sha256) + 1, 4):
            folder = self.path / f"{name}-{info.sha256[:digits]}"
            if not os.path.lexists(folder):
                return folder, False
            try:
                if bundle.check(folder)[0].sha256 == info.sha256:
                    return folder, True
            except BundleError as error:
                self._tell(f"{error}; this copy is left unchanged")
        raise ModelsError(f"{self.path}: broken models use all possible names of {name}; move them elsewhere")

    def _put_in_use(self, change: ModelChange) -> ModelChange:
        link = self.path / f"{_PART}{CURRENT}"
        link.symlink_to(change.model)
        link.replace(self.path / CURRENT)
        try:
            _sync(self.path)
            if change.model != change.previous:
                self._note(change)
        except OSError as error:  # it is in use anyway; the next change adds it to the history
            self._tell(f"warning: {change.model} is in use, but {self.path / HISTORY}: {error.strerror}")
        return change

    def _note(self, change: ModelChange) -> None:
        file = self.path / HISTORY
        with file.open("ab+") as history:
            history.seek(0, os.SEEK_END)
            torn = False
            if history.tell():  # do not append to a line that a full disk cut off
                history.seek(-1, os.SEEK_END)
                torn = history.read(1) != b"\n"
            history.write(("\n" if torn else "").encode() + change.to_json().encode() + b"\n")
            history.flush()
            os.fsync(history.fileno())

    @contextlib.contextmanager
    def _locked(self, *, make: bool = True) -> Iterator[None]:
        """Hold the folder's lock; first delete what a command that was killed has left."""
        if not make:
            self._check_readable()
        with self._explained():
            if make:
                self._make()
            lock = FileLock(self.path / _LOCK)
            try:
                self._acquire(lock)
                for entry in self.path.iterdir():
                    if entry.name.startswith(_PART):
                        entry.unlink() if entry.is_symlink() or not entry.is_dir() else shutil.rmtree(entry)
                self._note_foreign_change()
                yield
            finally:
                lock.release()

    def _acquire(self, lock: FileLock) -> None:
        try:
            lock.acquire(blocking=False)
        except Timeout:
            self._tell(f"{self.path}: another command is changing it; waiting for it to finish")
            try:
                lock.acquire(timeout=WAIT_SECONDS)
            except Timeout:
                raise ModelsError(
                    f"{self.path}: another command has been changing it for {WAIT_SECONDS:g} seconds; "
                    "find out what it is waiting for, and try again"
                ) from None

    def _note_foreign_change(self) -> None:
        """Add a change of the link to the history if another program made it."""
        in_use, history = self.in_use, self.history()
        known = history[-1].model if history else None
        if in_use is None or in_use == known:
            return
        digest = None
        with contextlib.suppress(BundleError):
            digest = bundle.check(self.path / in_use)[0].sha256
        self._note(ModelChange(_now(), "found", in_use, known, digest))

    def _make(self) -> None:
        """Create the folder if it does not exist. Raises ModelsError if it contains other files."""
        self.path.mkdir(parents=True, exist_ok=True)
        if (self.path / bundle.MANIFEST).exists():
            raise ModelsError(
                f"{self.path}: this is a model, not a folder of models; choose another folder with --models"
            )
        entries = list(self.path.iterdir())
        ours = any(entry.name in (CURRENT, HISTORY, _LOCK) or _is_model(entry) for entry in entries)
        if entries and not ours:
            raise ModelsError(f"{self.path}: contains files other than models; choose a new folder with --models")

    def _check_readable(self) -> None:
        with self._explained():
            if not self.path.is_dir():
                raise ModelsError(
                    f"{self.path}: no folder of models; run `unspun models promote --model BUNDLE` to create one, or "
                    "choose another folder with --models or UNSPUN_MODELS"
                )
            if (self.path / bundle.MANIFEST).exists():
                raise ModelsError(
                    f"{self.path}: this is a model, not a folder of models; give the folder that contains it"
                )

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn errors of the system into ModelsError, with advice."""
        try:
            yield
        except OSError as error:
            advice = "fix this, and try again"
            if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
                advice = "use an account that may read and change the folder, or choose another with --models"
            elif error.errno in _FULL:
                advice = "free some space, and try again"
            raise ModelsError(f"{error.filename or self.path}: {error.strerror}; {advice}; {UNCHANGED}") from error


def prove(folder: Path) -> None:
    """Load a model and score a text with each of its tiers. Raises ModelsError and BundleError."""
    from unspun.model.detector import Detector

    try:
        detector = Detector.load(folder)
        for depth in [tier for tier in TIERS if has_depth(detector, tier)]:
            [verdict] = detector.score_many([WARM_UP], depth=depth)
            # A model gives no score to a text that is unfamiliar to it.
            if verdict.score is not None and not (math.isfinite(verdict.score) and 0.0 <= verdict.score <= 1.0):
                raise ModelsError(f"{folder}: gives a text the score {verdict.score}; train the model again")
    except (BundleError, ModelsError):
        raise
    except Exception as error:
        raise ModelsError(
            f"{folder}: all files are present, but it cannot score a text ({type(error).__name__}: {error}); train the "
            "model again"
        ) from error


def measured(manifest: dict[str, Any]) -> dict[str, float]:
    """Return the AUROC of each kind, from the first section of the manifest's `accuracy` that has it."""
    accuracy = manifest.get("accuracy")
    for section in accuracy.values() if isinstance(accuracy, dict) else ():
        rows = section.get("rows") if isinstance(section, dict) else section
        if isinstance(rows, list) and rows and all(isinstance(row, dict) and "kind" in row for row in rows):
            return {str(row["kind"]): float(row["auroc"]) for row in rows if isinstance(row.get("auroc"), float)}
    return {}


def comparison(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return the manifest's comparison with another model, or an empty dictionary."""
    found = manifest.get("comparison")
    return found if isinstance(found, dict) else {}


def compared_with(other: dict[str, Any]) -> str:
    """Return the name and the version of the model that a model was compared with, as its manifest says."""
    return " ".join(shortened(str(other.get(key)), 100) for key in ("name", "version"))


def _refuse_if_worse(source: Path, info: ModelInfo, manifest: dict[str, Any]) -> None:
    found = comparison(manifest)
    if not found.get("worse"):
        return
    other = found.get("with")
    name = "the model it was compared with"
    if isinstance(other, dict):
        name = compared_with(other)
    raise ModelsError(
        f"{source}: {info.name} {info.version} was measured to be worse than {name} when it was trained; "
        "train it again with more texts, or pass --force to promote it anyway"
    )


def _was_compared_with(manifest: dict[str, Any], folder: Path) -> bool:
    """Return whether a model was compared with the one in `folder`; also True if it was not compared with any."""
    other = comparison(manifest).get("with")
    if not isinstance(other, dict):
        return True
    try:
        return bool(bundle.check(folder)[0].sha256 == other.get("sha256"))
    except BundleError:
        return True


def _created(folder: Path) -> str:
    """Return when a bundle was created; copies keep the time."""
    for file in (folder / bundle.MANIFEST, folder):
        with contextlib.suppress(OSError):
            return datetime.fromtimestamp(file.stat().st_mtime, UTC).isoformat(timespec="seconds")
    return ""


def refusal(folder: Path, info: ModelInfo) -> str | None:
    """Return why a complete model is refused because of UNSPUN_TRUSTED_KEYS, None if it is accepted."""
    try:
        bundle.check_signature(folder, info.sha256, bundle.trusted())
    except BundleError as error:
        return _without_folder(str(error), folder)
    return None


def _without_folder(message: str, folder: Path) -> str:
    return message.removeprefix(f"{folder}").removeprefix(": ").removeprefix("/")


def _is_small_file(file: Path, most: int) -> bool:
    found = file.lstat()
    return stat.S_ISREG(found.st_mode) and found.st_size <= most


def _open_unlisted(file: Path) -> IO[bytes]:
    """Open a file that no hash covers. A link is refused, since it may lead to a file that should not be published."""
    most = MOST_BYTES if file.name == SIGNATURE else MOST_DOCUMENT_BYTES
    try:
        return open_regular(file, most, follow=False)
    except (FileNotFoundError, PermissionError):
        raise
    except OSError as error:
        reason = "A link" if error.errno == errno.ELOOP else error.strerror
        raise ModelsError(
            f"{file}: {reason}, so it is not copied; replace it by a file, or remove it, and try again; {UNCHANGED}"
        ) from error


def _copy(source: Path, target: Path, *, listed: bool) -> None:
    """Copy a file and its time, flushed to the disk; not its permissions, since the service may run as another user.

    Links are followed only if the file is `listed` in the manifest with its hash.
    """
    with open_regular(source) if listed else _open_unlisted(source) as old, target.open("xb") as new:
        shutil.copyfileobj(old, new, 1 << 20)
        new.flush()
        found = os.fstat(old.fileno())
        os.utime(new.fileno(), ns=(found.st_atime_ns, found.st_mtime_ns))
        os.fsync(new.fileno())


def _sync(folder: Path) -> None:
    """Flush the names in a folder to the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _safe(name: str) -> str:
    """Return a name for use in a folder's name: ASCII letters and digits, with . _ - between them."""
    return re.sub(r"[^\w.]+", "-", name, flags=re.ASCII).strip("-.")[:64] or "model"


def _is_model(entry: Path) -> bool:
    return not entry.name.startswith(".") and not entry.is_symlink() and (entry / bundle.MANIFEST).is_file()


def _is_called(folder: Path, name: str) -> bool:
    """Return whether a folder's name, the sha256 at its end or the whole sha256 of its model starts with `name`."""
    if folder.name.startswith(name):
        return bool(name)
    digest = folder.name.rpartition("-")[2]
    if digest and name.startswith(digest):
        digest = bundle.sha256_of(folder)
    return len(name) >= _LEAST_DIGITS and digest.startswith(name)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")

"""A run over an archive: verdicts are written in parts, each complete or absent, so that a command can be resumed.

A run's folder contains `run.json` (the settings and the model), `part-00000.jsonl` and so on with the verdicts, and for
each part a marker, `part-00000.done`, which is written last: the number of documents, their verdicts, the failures, and
a digest of the input. A part without its marker is written again, and so is one whose file is lost or cut off. At the
end `failures.jsonl`, `skipped.jsonl` and `summary.json` describe the whole run; `commands.jsonl` lists its commands.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import IO, Any

from filelock import FileLock, Timeout

from unspun.model.atomic import atomic_write, part_of, put_in_place
from unspun.reading.reader import Failure, Record
from unspun.reading.records import Lost, Omission, Omissions
from unspun.service.batch.history import History
from unspun.service.batch.parallel import LostWorkersError, Task, Workers, score_in_parallel, write
from unspun.service.batch.scoring import Outcome, Scorer, Tally, Written, notice
from unspun.service.console import CommandError, is_bundle_error, one_line
from unspun.service.render import VerdictWriter

FORMAT = 1
RUN, SUMMARY, FAILURES, SKIPPED = "run.json", "summary.json", "failures.jsonl", "skipped.jsonl"
DUPLICATES, COMMANDS, LOCK = "duplicates.jsonl", "commands.jsonl", ".lock"
DONE = ".done"
PART = re.compile(r"part-\d{5,}\.(done|jsonl|csv|parquet)(\.part)?")
PART_ITEMS = 1_000
"""Documents in a part: at most this many are scored again if a run is killed."""
NEW_OUTPUT = "choose another --output, or pass --force to start over"


class ChangedError(CommandError):
    """The input has changed since an earlier command of the run read it."""


class LostInputError(CommandError):
    """An input cannot be reached, or no longer; the same command can go on when it can be reached again."""


@dataclass
class RunPart:
    """The counts, failures and input digest of one part. Its JSON is the part's marker."""

    items: int = 0
    digest: str = ""
    words: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    failures: list[dict[str, str]] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    size: int | None = None
    """Bytes of the file with the verdicts; None in markers of versions before 2.1."""

    def add(self, outcome: Outcome) -> None:
        """Count a document."""
        self.items += 1
        if isinstance(outcome, Omission):
            self.skipped[outcome.message] += 1
        elif isinstance(outcome, Failure):
            self.failures.append({"where": outcome.where, "reason": outcome.message})
        else:
            of = outcome if isinstance(outcome, Written) else outcome.verdict
            self.verdicts[of.verdict] += 1
            self.words += of.words
            if of.reason is not None:
                self.reasons[of.reason] += 1

    @classmethod
    def from_json(cls, text: str) -> RunPart:
        """Read a marker. Raises ValueError, LookupError and TypeError."""
        found = json.loads(text)
        return cls(
            int(found["items"]),
            str(found["digest"]),
            int(found["words"]),
            Counter(found["verdicts"]),
            Counter(found["reasons"]),
            list(found["failures"]),
            Counter(found.get("skipped", {})),
            found.get("size"),
        )

    def to_json(self) -> str:
        """Return the marker."""
        return json.dumps(vars(self), ensure_ascii=False)


class RunFolder:
    """The folder of a run. Only one process may use it at a time.

    `settings` must be the same for all commands of a run; `workers` says who scores. Raises CommandError if the folder
    holds another run or other files. With `force`, the files of another run are deleted.
    """

    def __init__(
        self, path: Path, settings: dict[str, Any], *, suffix: str, force: bool = False, workers: str = ""
    ) -> None:
        self.path = path
        self._suffix = suffix
        self._settings = {"version": FORMAT, **settings}
        path.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(path / LOCK, thread_local=False)
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            raise CommandError(
                f"{path}: another run is using this folder; wait until it ends, or choose another folder"
            ) from None
        try:
            if force and (path / RUN).exists():
                self._clear()
            else:
                self._check()
            self._write(RUN, json.dumps(self._settings, indent=1, ensure_ascii=False) + "\n")
            self.parts = self._read_markers()
            self.history = History(path / COMMANDS)
            self.history.start(self.documents, workers)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Release the folder."""
        with suppress(OSError):
            (self.path / LOCK).unlink()
        self._lock.release()

    def file(self, number: int) -> Path:
        """Return the file with the verdicts of a part."""
        return self.path / f"part-{number:05d}{self._suffix}"

    @property
    def documents(self) -> int:
        """Documents in the parts that are done."""
        return sum(part.verdicts.total() for part in self.parts.values())

    @contextmanager
    def open(self, number: int) -> Iterator[IO[bytes]]:
        """Open a file for the verdicts of a part, which `complete` gives its final name; otherwise it is deleted."""
        file = part_of(self.file(number))
        try:
            with file.open("wb") as stream:
                yield stream
        finally:
            # On a full disk, this also makes room for the reason why the command ends.
            with suppress(OSError):
                file.unlink(missing_ok=True)

    def complete(self, number: int, part: RunPart, stream: IO[bytes]) -> None:
        """Close the file of a part and mark the part as done: it is never written again."""
        part.size = stream.tell()
        put_in_place(stream, part_of(self.file(number)), self.file(number))
        self._write(f"part-{number:05d}{DONE}", part.to_json() + "\n")
        self.parts[number] = part

    def sum_up(self, tally: Tally, seconds: float, skipped: Omissions, *, complete: bool) -> dict[str, Any]:
        """Write the failures and the summary of all parts, and return the summary.

        `tally` and `seconds` belong to the current command; the time that earlier commands took is unknown. `skipped`
        is what was skipped in reading; what was skipped in the parts is added to it.
        """
        total = RunPart()
        lines = []
        for _, part in sorted(self.parts.items()):
            total.items += part.items
            total.words += part.words
            total.verdicts += part.verdicts
            total.reasons += part.reasons
            skipped.reasons += part.skipped
            lines += [json.dumps(failure, ensure_ascii=False) + "\n" for failure in part.failures]
        self._write(FAILURES, "".join(lines))
        self._write(SKIPPED, "".join(_skipped_lines(skipped)))
        summary = {
            "complete": complete,
            "documents": total.verdicts.total(),
            "failures": len(lines),
            "skipped": dict(skipped.reasons.most_common()),
            "verdicts": dict(total.verdicts),
            "reasons": dict(total.reasons),
            "words": total.words,
            "interruptions": self.history.interruptions + (not complete),
            "this_command": {
                "documents": tally.documents,
                "seconds": round(seconds, 2),
                "words_per_second": round(tally.words / max(seconds, 1e-9)),
            },
            "model": self._settings.get("model"),
        }
        self._write(SUMMARY, json.dumps(summary, indent=1, ensure_ascii=False) + "\n")
        return summary

    def write_duplicates(self, left_out: list[tuple[str, str]]) -> None:
        """Write the ids of skipped near-duplicates, each with the id of the document that it resembles."""
        lines = (json.dumps({"id": id, "like": first}, ensure_ascii=False) + "\n" for id, first in left_out)
        self._write(DUPLICATES, "".join(lines))

    def _check(self) -> None:
        file = self.path / RUN
        if not file.exists():
            if others := sorted(found.name for found in self.path.iterdir() if found.name != LOCK):
                raise CommandError(
                    f"{self.path}: the folder contains other files, such as {others[0]}; choose another --output"
                )
            return
        try:
            before = json.loads(file.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise CommandError(f"{file}: cannot be read; {NEW_OUTPUT}") from error
        for name, value in self._settings.items():
            if before.get(name) != value:
                message = (
                    f"{self.path}: contains a run with another {name} ({_short(before.get(name))}, now "
                    f"{_short(value)}); {NEW_OUTPUT}"
                )
                with suppress(OSError):
                    History(self.path / COMMANDS).refuse(message)
                raise CommandError(message)

    def _read_markers(self) -> dict[int, RunPart]:
        parts = {}
        for marker in self.path.glob(f"part-*{DONE}"):
            number = int(marker.name.removeprefix("part-").removesuffix(DONE))
            # If the marker or the file was damaged, such as by a power cut, the part is written again.
            with suppress(ValueError, LookupError, TypeError, AttributeError, FileNotFoundError):
                part = RunPart.from_json(marker.read_text("utf-8"))
                if part.size in (None, self.file(number).stat().st_size):
                    parts[number] = part
        return parts

    def _clear(self) -> None:
        for file in self.path.iterdir():
            if PART.fullmatch(file.name) or file.name in (RUN, SUMMARY, FAILURES, SKIPPED, DUPLICATES, COMMANDS):
                file.unlink()

    def _write(self, name: str, text: str) -> None:
        with atomic_write(self.path / name) as file:
            file.write(text.encode("utf-8", "replace"))


def run(
    items: Iterable[Record | Failure],
    task: Task,
    workers: Workers,
    folder: RunFolder,
    writer: Callable[[IO[bytes]], VerdictWriter],
    *,
    scorer: Scorer,
    tally: Tally,
    part_items: int = PART_ITEMS,
    progress: Callable[[Tally], None] = lambda tally: None,
    tell: Callable[[str], None] = lambda line: None,
) -> None:
    """Score everything that the folder does not have yet, and count it in the tally.

    `writer` makes the writer of a part's file; `tell` is called with a line for each failure. Raises ChangedError if
    the input has changed since the finished parts were written, LostInputError if a server cannot be reached, and
    what scoring and writing raise.
    """
    ahead: deque[tuple[int, str]] = deque()
    """For each item that is being scored: its number, and the digest of its part up to it."""
    fresh = _not_done(items, folder, part_items, ahead)
    with closing(score_in_parallel(fresh, task, workers, scorer)) as scored:
        outcomes = zip(scored, iter(ahead.popleft, None), strict=False)
        for number, group in groupby(outcomes, lambda entry: entry[1][0] // part_items):
            part = RunPart()
            with folder.open(number) as stream:
                out = writer(stream)
                for outcome, (_, digest) in group:
                    part.add(outcome)
                    part.digest = digest
                    if not isinstance(outcome, Failure):
                        write(out, outcome)
                    if (line := notice(outcome)) is not None:
                        tell(line)
                    tally.add(outcome)
                    progress(tally)
                out.close()
                folder.complete(number, part, stream)


def why_ended(error: BaseException) -> tuple[str, str]:
    """Return why an error ends a command, in a word or two for the run's history, and its message."""
    message = error.message if isinstance(error, CommandError) else str(error)
    if isinstance(error, OSError) and error.strerror:
        message = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    elif isinstance(error, KeyboardInterrupt):
        message = "interrupted by the user"
    reasons: tuple[tuple[type[BaseException], str], ...] = (
        (KeyboardInterrupt, "interrupted"),
        (LostWorkersError, "workers lost"),
        (LostInputError, "connection lost"),
        (ChangedError, "input changed"),
        (OSError, "disk"),
    )
    if isinstance(error, Exception) and is_bundle_error(error):
        return "model changed", one_line(message)
    why = next((why for kind, why in reasons if isinstance(error, kind)), "error")
    return why, one_line(message or type(error).__name__)


def _not_done(
    items: Iterable[Record | Failure], folder: RunFolder, part_items: int, ahead: deque[tuple[int, str]]
) -> Iterator[Record | Failure]:
    """Yield the items of parts that are not done yet, and check that the other parts were made from the same items."""
    digest = hashlib.blake2b(digest_size=16)
    done: RunPart | None = None
    place = -1
    for place, item in enumerate(items):
        if isinstance(item, Lost):
            raise LostInputError(f"{item}; once it can be reached again, rerun the command to resume")
        number, within = divmod(place, part_items)
        if within == 0:
            _compare(folder, number - 1, done, digest.hexdigest(), part_items)
            digest = hashlib.blake2b(digest_size=16)
            done = folder.parts.get(number)
        _feed(digest, item)
        if done is None:
            ahead.append((place, digest.hexdigest()))
            yield item
    _compare(folder, place // part_items, done, digest.hexdigest(), place % part_items + 1)
    if beyond := [number for number in folder.parts if number > place // part_items]:
        raise _changed(folder, min(beyond))


def _compare(folder: RunFolder, number: int, done: RunPart | None, digest: str, items: int) -> None:
    if done is not None and (done.digest, done.items) != (digest, items):
        raise _changed(folder, number)


def _changed(folder: RunFolder, number: int) -> ChangedError:
    return ChangedError(
        f"{folder.path}: the input has changed since part {number} was written (documents were added, removed or "
        f"edited); {NEW_OUTPUT}"
    )


def _feed(digest: Any, item: Record | Failure) -> None:
    parts = (item.where, item.message) if isinstance(item, Failure) else (item.where, item.id, item.text)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)


def _skipped_lines(skipped: Omissions) -> Iterator[str]:
    """Yield a line of JSON for each skipped file, and one for each reason with the number of the others."""
    for one in skipped.first:
        yield json.dumps({"where": one.where, "reason": one.message}, ensure_ascii=False) + "\n"
    for reason, count in skipped.beyond(len(skipped.first)).most_common():
        yield json.dumps({"more": count, "reason": reason}, ensure_ascii=False) + "\n"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

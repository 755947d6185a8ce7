"""A run over an archive: verdicts in parts, each whole or not there, so that the same command goes on where one ended.

A run's folder holds `run.json` (what was asked, and the model), `part-00000.jsonl` and so on with the verdicts, and
beside each part `part-00000.done`, written last: how many documents, their verdicts, what failed, and a digest of what
was read. A part without its marker is written anew. At the end `failures.jsonl` and `summary.json` sum it all up.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from filelock import FileLock, Timeout

from unspun.model.atomic import atomic_write, part_of, put_in_place
from unspun.model.text.document import MAX_CHARACTERS
from unspun.reading.reader import Failure, Record
from unspun.service.batch.parallel import Outcome, Plan, Task, score_in_parallel
from unspun.service.batch.scoring import Scored, Scorer, Tally
from unspun.service.render import Writer

FORMAT = 1
RUN, SUMMARY, FAILURES, DUPLICATES, LOCK = "run.json", "summary.json", "failures.jsonl", "duplicates.jsonl", ".lock"
DONE = ".done"
PART = re.compile(r"part-\d{5,}\.(done|jsonl|csv|parquet)(\.part)?")
PART_ITEMS = 1_000
"""Documents of a part: what is lost when a run is killed."""


class BatchError(Exception):
    """A run cannot begin or go on; the message says why and what to do, in one line."""


@dataclass
class Part:
    """What came of a run of consecutive documents; its JSON is the part's marker."""

    items: int = 0
    digest: str = ""
    words: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    failures: list[dict[str, str]] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Count a document."""
        self.items += 1
        if isinstance(outcome, Failure):
            self.failures.append({"where": outcome.where, "reason": outcome.message})
        else:
            self.verdicts[outcome.verdict.verdict] += 1
            self.words += outcome.verdict.words
            if outcome.verdict.reason is not None:
                self.reasons[outcome.verdict.reason] += 1

    @classmethod
    def from_json(cls, text: str) -> Part:
        """Read a marker. Raises ValueError, LookupError and TypeError."""
        found = json.loads(text)
        return cls(
            int(found["items"]),
            str(found["digest"]),
            int(found["words"]),
            Counter(found["verdicts"]),
            Counter(found["reasons"]),
            list(found["failures"]),
        )

    def to_json(self) -> str:
        """Return the marker."""
        return json.dumps(vars(self), ensure_ascii=False)


class RunFolder:
    """The folder of a run. One process at a time may have it.

    `settings` are what must not change between two commands that make one run. Raises BatchError where the folder is
    another run's, or somebody's else, unless `force`: then what a run has left there is taken away.
    """

    def __init__(self, path: Path, settings: dict[str, Any], *, suffix: str, force: bool = False) -> None:
        self.path = path
        self._suffix = suffix
        self._settings = {"version": FORMAT, **settings}
        path.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(path / LOCK, thread_local=False)
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            raise BatchError(
                f"{path}: another run is at work here; wait for its end, or choose another folder"
            ) from None
        try:
            if force and (path / RUN).exists():
                self._clear()
            else:
                self._check()
            self._write(RUN, json.dumps(self._settings, indent=1, ensure_ascii=False) + "\n")
            self.parts = self._read_markers()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let others have the folder."""
        with suppress(OSError):
            (self.path / LOCK).unlink()
        self._lock.release()

    def file(self, number: int) -> Path:
        """Return where the verdicts of a part are."""
        return self.path / f"part-{number:05d}{self._suffix}"

    def open(self, number: int) -> IO[bytes]:
        """Return a file for the verdicts of a part, which is there under its own name only after `complete`."""
        return part_of(self.file(number)).open("wb")

    def complete(self, number: int, part: Part, stream: IO[bytes]) -> None:
        """Close the file of a part, and mark the part as done: from now on it is never written again."""
        put_in_place(stream, part_of(self.file(number)), self.file(number))
        self._write(f"part-{number:05d}{DONE}", part.to_json() + "\n")
        self.parts[number] = part

    def sum_up(self, tally: Tally, seconds: float, *, complete: bool) -> dict[str, Any]:
        """Write the failures and the summary of all parts, and return the summary.

        `tally` and `seconds` are of the command at hand, and only its speed is told: of others the time is not known.
        """
        total = Part()
        lines = []
        for _, part in sorted(self.parts.items()):
            total.items += part.items
            total.words += part.words
            total.verdicts += part.verdicts
            total.reasons += part.reasons
            lines += [json.dumps(failure, ensure_ascii=False) + "\n" for failure in part.failures]
        self._write(FAILURES, "".join(lines))
        summary = {
            "complete": complete,
            "documents": total.verdicts.total(),
            "failures": len(lines),
            "verdicts": dict(total.verdicts),
            "reasons": dict(total.reasons),
            "words": total.words,
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
        """Write which documents were left out, and which one each is like."""
        lines = (json.dumps({"id": id, "like": first}, ensure_ascii=False) + "\n" for id, first in left_out)
        self._write(DUPLICATES, "".join(lines))

    def _check(self) -> None:
        file = self.path / RUN
        if not file.exists():
            if others := sorted(found.name for found in self.path.iterdir() if found.name != LOCK):
                raise BatchError(
                    f"{self.path}: not empty ({others[0]} is there) and no run's folder; choose another for --output"
                )
            return
        try:
            before = json.loads(file.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise BatchError(f"{file}: cannot be read; choose another --output, or begin anew with --force") from error
        for name, value in self._settings.items():
            if before.get(name) != value:
                raise BatchError(
                    f"{self.path}: holds a run with another {name} ({_short(before.get(name))}, now {_short(value)}); "
                    "choose another --output, or begin anew with --force"
                )

    def _read_markers(self) -> dict[int, Part]:
        parts = {}
        for marker in self.path.glob(f"part-*{DONE}"):
            number = int(marker.name.removeprefix("part-").removesuffix(DONE))
            with suppress(ValueError, LookupError, TypeError):  # half-written by a full disk: the part is made again
                part = Part.from_json(marker.read_text("utf-8"))
                if self.file(number).exists():
                    parts[number] = part
        return parts

    def _clear(self) -> None:
        for file in self.path.iterdir():
            if PART.fullmatch(file.name) or file.name in (RUN, SUMMARY, FAILURES, DUPLICATES):
                file.unlink()

    def _write(self, name: str, text: str) -> None:
        with atomic_write(self.path / name) as file:
            file.write(text.encode("utf-8", "replace"))


def run(
    items: Iterable[Record | Failure],
    task: Task,
    plan: Plan,
    folder: RunFolder,
    writer: Callable[[IO[bytes]], Writer],
    *,
    scorer: Scorer | None = None,
    tally: Tally,
    part_items: int = PART_ITEMS,
    progress: Callable[[Tally], None] = lambda tally: None,
    tell: Callable[[str], None] = lambda line: None,
) -> None:
    """Score everything that the folder does not have yet, and enter it into the tally.

    `writer` makes the writer of a part's file. Raises BatchError where the input is not that of the parts
    that are there.
    """
    ahead: deque[tuple[int, str]] = deque()
    """For each item under way: its number, and the digest of its part up to it."""
    fresh = _not_done(items, folder, part_items, ahead)
    part, number = Part(), -1
    stream: IO[bytes] | None = None
    out: Writer | None = None
    try:
        for outcome in score_in_parallel(fresh, task, plan, scorer):
            place, digest = ahead.popleft()
            if place // part_items != number:
                if out is not None and stream is not None:
                    out.close()
                    folder.complete(number, part, stream)
                part, number = Part(), place // part_items
                stream = folder.open(number)
                out = writer(stream)
            assert out is not None
            part.add(outcome)
            part.digest = digest
            if isinstance(outcome, Scored):
                out.write(outcome.record.text, outcome.verdict)
                if len(outcome.record.text) > MAX_CHARACTERS:
                    tell(f"{outcome.record.where}: only its first {MAX_CHARACTERS:,} characters were judged")
            else:
                tell(str(outcome))
            tally.add(outcome)
            progress(tally)
        if out is not None and stream is not None:
            out.close()
            folder.complete(number, part, stream)
    finally:
        if stream is not None and not stream.closed:
            with suppress(OSError):
                stream.close()


def _not_done(
    items: Iterable[Record | Failure], folder: RunFolder, part_items: int, ahead: deque[tuple[int, str]]
) -> Iterator[Record | Failure]:
    """Yield the items of parts that are not done yet, and check that the others are those that were read before."""
    digest = hashlib.blake2b(digest_size=16)
    done: Part | None = None
    place = -1
    for place, item in enumerate(items):
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
    beyond = [number for number in folder.parts if number > place // part_items]
    if beyond:
        raise BatchError(f"{folder.path}: {_changed(min(beyond))}")


def _compare(folder: RunFolder, number: int, done: Part | None, digest: str, items: int) -> None:
    if done is not None and (done.digest, done.items) != (digest, items):
        raise BatchError(f"{folder.path}: {_changed(number)}")


def _changed(number: int) -> str:
    return (
        f"the input is not what it was when part {number} was made (texts changed, came or went); "
        "choose another --output, or begin anew with --force"
    )


def _feed(digest: Any, item: Record | Failure) -> None:
    parts = (item.where, item.message) if isinstance(item, Failure) else (item.where, item.id, item.text)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

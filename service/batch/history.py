"""The commands of a run: when each started, how far the run was, and why it ended.

`commands.jsonl` gets a line when a command starts and another when it ends. A command that could not write the second
one, because it was killed or had no disk left, is noticed by the next command, which writes it.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

STARTED, ENDED, REFUSED = "started", "ended", "refused"
FINISHED, KILLED = "finished", "killed"
UNRECORDED = (
    "it ended without saying why, as a command does that is killed, or whose disk is full or read-only; "
    "noticed by the next command"
)


class History:
    """The history of a run. Methods raise OSError."""

    def __init__(self, file: Path) -> None:
        self._file = file
        events = self._read()
        numbers = [event["command"] for event in events]
        self._number = max(numbers, default=0) + 1
        self._open = {event["command"] for event in events if event["event"] == STARTED}
        self._open -= {event["command"] for event in events if event["event"] == ENDED}
        self.interruptions = len(self._open) + sum(
            event["event"] == ENDED and event.get("why") != FINISHED for event in events
        )
        """Commands that started and did not finish."""

    def start(self, documents: int, workers: str) -> None:
        """Record that this command starts; so many documents have been scored by earlier ones."""
        for number in sorted(self._open):
            self._append(number, ENDED, documents=documents, why=KILLED, message=UNRECORDED)
        self._append(self._number, STARTED, documents=documents, workers=workers, process=os.getpid())

    def end(self, documents: int, why: str, message: str) -> None:
        """Record why this command ends, and how many documents of the run have been scored."""
        self._append(self._number, ENDED, documents=documents, why=why, message=message)

    def refuse(self, message: str) -> None:
        """Record that this command did nothing, and why."""
        self._append(self._number, REFUSED, message=message)

    def _append(self, number: int, event: str, **more: Any) -> None:
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        line = json.dumps({"command": number, "event": event, "time": moment, **more}, ensure_ascii=False) + "\n"
        with self._file.open("ab") as file:
            whole = file.tell()
            try:
                file.write(line.encode("utf-8", "replace"))
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                with suppress(OSError):
                    os.ftruncate(file.fileno(), whole)
                raise

    def _read(self) -> list[dict[str, Any]]:
        """Return the events; a line that a killed command left incomplete is cut off."""
        if not self._file.exists():
            return []
        data = self._file.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.truncate(self._file, whole)
        events = []
        for line in data[:whole].splitlines():
            with suppress(ValueError):  # people may edit it
                found = json.loads(line)
                if isinstance(found, dict) and isinstance(found.get("command"), int) and "event" in found:
                    events.append(found)
        return events

"""`unspun` with a fault inside: the harness runs it in the place of the command.

    python -m benchmarks.endurance.faulty FAULT ... -- score ...

`rename=N` makes the Nth rename of the file of a part fail, as on a disk that is full at that moment; `marker=N` does
the same to a marker. `no-resume`, `no-locking` and `no-atomic` each switch off what protects a run, to find out whether
the harness notices.
"""

from __future__ import annotations

import errno
import os
import re
import sys
from pathlib import Path
from typing import Any

RENAMED = {"rename": re.compile(r"part-\d+\.jsonl"), "marker": re.compile(r"part-\d+\.done")}


def main() -> None:
    """Add the faults and run the command."""
    faults, command = sys.argv[1 : sys.argv.index("--")], sys.argv[sys.argv.index("--") + 1 :]
    for fault in faults:
        name, _, number = fault.partition("=")
        if name in RENAMED:
            _fail_rename(RENAMED[name], int(number))
        else:
            {"no-resume": _no_resume, "no-locking": _no_locking, "no-atomic": _no_atomic}[name]()
    from unspun.service.cli import main as unspun

    sys.argv[1:] = command
    unspun()


def _fail_rename(files: re.Pattern[str], number: int) -> None:
    replace, seen = os.replace, 0

    def failing(source: Any, target: Any, **options: Any) -> None:
        nonlocal seen
        if files.fullmatch(Path(target).name):
            seen += 1
            if seen == number:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(source), None, str(target))
        replace(source, target, **options)

    os.replace = failing


def _no_resume() -> None:
    from unspun.service.batch.runs import RunFolder

    RunFolder._read_markers = lambda self: {}  # type: ignore[method-assign]


def _no_locking() -> None:
    from filelock import FileLock

    FileLock.acquire = lambda self, *arguments, **options: None
    FileLock.release = lambda self, *arguments, **options: None


def _no_atomic() -> None:
    from unspun.service.batch import runs

    def in_place(stream: Any, part: Path, target: Path) -> None:
        stream.close()

    runs.RunFolder.open = lambda self, number: self.file(number).open("wb")  # type: ignore[assignment, method-assign]
    runs.put_in_place = in_place


if __name__ == "__main__":
    main()

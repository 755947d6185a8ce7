"""The child process that reads one document: `python -m unspun.reading.documents.child KIND SECONDS MEGABYTES`.

It reads the file from standard input and writes one line of JSON to standard output: `text`, `repairs` and
`pages`, or `error`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any

from unspun.reading import records
from unspun.reading.documents.draft import Draft
from unspun.reading.records import UnreadableError, too_long


def main(kind: str, seconds: int, megabytes: int) -> None:
    """Read the document and write the result."""
    # The parent ends this process on Ctrl-C, and when the time is over. The alarm is for a parent that was killed.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "alarm"):  # not on Windows
        signal.alarm(seconds + 10)
    _limit(megabytes)
    # Nothing but the result may reach the parent, whatever the libraries print.
    answer = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    with answer:
        answer.write(json.dumps(_result(kind, megabytes)).encode("ascii"))


def _limit(megabytes: int) -> None:
    """Limit the memory, and write nothing to disk: no files, and no image of the memory after a crash."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for kind, most in (
        (resource.RLIMIT_AS, megabytes << 20),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(ValueError, OSError):  # macOS refuses the limit of memory, or accepts and ignores it
            resource.setrlimit(kind, (most, most))


def _result(kind: str, megabytes: int) -> dict[str, Any]:
    try:
        data = sys.stdin.buffer.read()
        # Only the reader of this format is imported: starting the child is half of the time that a small file takes.
        read: Callable[[bytes], Draft] = import_module(f"unspun.reading.documents.{kind}").read
        draft = read(data)
        text = draft.text()
        if not text:
            raise UnreadableError("contains no text")
        if len(text) > records.LONGEST:
            raise UnreadableError(too_long("characters"))
        return {"text": text, "repairs": dict(draft.repairs), "pages": draft.pages()}
    except UnreadableError as error:
        return {"error": str(error)}
    except MemoryError:
        return {"error": memory_message(megabytes)}
    except RecursionError:
        return {"error": "its elements are nested too deeply to be read"}
    except Exception as error:  # no file may look like a fault of the run
        return {"error": f"could not be read ({type(error).__name__}: {error}); please report this"}


def memory_message(megabytes: int) -> str:
    """Return the message about a document that needs more memory than is allowed."""
    return (
        f"needs more than {megabytes:,} MB of memory to be read; if you trust the file, raise the limit with "
        "--document-memory or UNSPUN_DOCUMENT_MEMORY"
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))

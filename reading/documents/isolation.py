"""Starts the child process that reads one document, and limits its time and memory.

The files come from strangers, and their formats are complex. In a process of its own, a reader that crashes, hangs or
takes all memory costs one file and not the run. To start a process takes 0.06 s, less than scoring a page of text. In
return there is nothing to share, restart or lock, so this works in threads, in gevent and in workers of every kind.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from unspun.reading.documents.child import memory_message
from unspun.reading.records import UnreadableError

DocumentFormat = Literal["pdf", "docx", "odt", "rtf", "epub"]
DOCUMENT_FORMATS: tuple[DocumentFormat, ...] = get_args(DocumentFormat)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long reading one document may take, and how much memory. macOS does not enforce the limit of memory."""

    seconds: int = 60
    megabytes: int = 512


LIMITS = Limits()
KILLED = 9
"""The number of SIGKILL, which the signal module lacks on Windows."""


def recognise(data: bytes) -> DocumentFormat | None:
    """Return the format of a document by its content, None if it is something else."""
    if data.startswith(b"%PDF-"):
        return "pdf"
    if data.startswith(b"{\\rtf"):
        return "rtf"
    if not data.startswith(b"PK\x03\x04"):
        return None
    start = data[:200]
    if b"mimetypeapplication/epub+zip" in start:
        return "epub"
    if b"mimetypeapplication/vnd.oasis.opendocument.text" in start:
        return "odt"
    return "docx" if b"word/document" in data[-(1 << 16) :] else None


class DocumentText(NamedTuple):
    """The text of a document, with a blank line between paragraphs, and what was left out of it, by kind.

    `pages` says where the page changes in a PDF: the offset, and the number of the page.
    """

    text: str
    repairs: Mapping[str, int]
    pages: tuple[tuple[int, int], ...]


def read_document(data: bytes, kind: DocumentFormat, limits: Limits = LIMITS) -> DocumentText:
    """Return the text of a document.

    Raises UnreadableError if the document cannot be read.
    """
    module = "unspun.reading.documents.child"
    # -P: no module is imported from the working directory, which may hold anything.
    command = [sys.executable, "-P", "-m", module, kind, str(limits.seconds), str(limits.megabytes)]
    # The path of this process, so that the child finds the same libraries.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    try:
        done = subprocess.run(
            command,
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=limits.seconds,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UnreadableError(
            f"takes longer than {limits.seconds:,} s to read; if you trust the file, raise the limit with "
            "--document-seconds or UNSPUN_DOCUMENT_SECONDS"
        ) from None
    except OSError as error:
        raise UnreadableError(f"no process could be started to read it: {error.strerror or error}") from error
    try:
        result = json.loads(done.stdout)
    except ValueError:
        raise UnreadableError(_end(done.returncode, kind, limits)) from None
    if "error" in result:
        raise UnreadableError(result["error"])
    return DocumentText(result["text"], result["repairs"], tuple((place, page) for place, page in result["pages"]))


def _end(status: int, kind: str, limits: Limits) -> str:
    """Return the message about a child that ended without an answer."""
    if status == -KILLED:
        return "the system ended the process that read it, probably because memory ran out"
    reason = f"exit status {status}"
    if status < 0:
        reason = signal.strsignal(-status) or f"signal {-status}"
    return f"broken {kind.upper()}, or {memory_message(limits.megabytes)} (its reader crashed: {reason})"

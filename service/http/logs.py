"""The log: one line per request or other event, without any submitted text. It is JSON, except on a terminal."""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from unspun.service.console import one_line

LOGGER = logging.getLogger("unspun")
STANDARD = frozenset(vars(logging.makeLogRecord({})))
"""The attributes of every log record; any others are fields of the event."""


class JsonFormatter(logging.Formatter):
    """Writes a record as one line of JSON.

    Exceptions are logged by type and place, without their message, which may quote a submitted text.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "process": record.process,
        }
        line |= {key: value for key, value in vars(record).items() if key not in STANDARD}
        if record.exc_info and record.exc_info[1] is not None:
            line |= _describe(record.exc_info[1])
        return json.dumps(line, default=str)


class TerminalFormatter(logging.Formatter):
    """Writes a record as one line for people: of a request, the most important fields; of other events, all."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields = {key: value for key, value in vars(record).items() if key not in STANDARD and value is not None}
        if record.exc_info and record.exc_info[1] is not None:
            fields |= _describe(record.exc_info[1])
        message = record.getMessage()
        if message == "listening":
            host = f"[{fields['host']}]" if ":" in fields["host"] else fields["host"]
            return f"unspun is listening on http://{host}:{fields['port']}"
        if message == "request":
            words = f", {fields['words']:,} words" if fields.get("words") else ""
            took = f" in {fields['milliseconds']:.0f} ms" if "milliseconds" in fields else ""
            message = f"{fields['method']} {fields['route']}: {fields['status']}{took}{words}"
        elif fields:
            message += f" ({', '.join(f'{key} {value}' for key, value in fields.items())})"
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        return one_line(f"{datetime.fromtimestamp(record.created):%H:%M:%S} {level}{message}")


def for_people() -> bool:
    """Return whether the log is shown on a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()


def configure(level: str) -> None:
    """Write unspun's log to standard error: for people if that is a terminal, otherwise as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TerminalFormatter() if for_people() else JsonFormatter())
    LOGGER.handlers[:] = [handler]
    LOGGER.setLevel(level.upper())
    LOGGER.propagate = False


def event(name: str, level: int = logging.INFO, **fields: Any) -> None:
    """Log an event with its fields."""
    LOGGER.log(level, name, extra=fields)


def log_error(error: BaseException, **fields: Any) -> None:
    """Log an unexpected error by type and place, without its message."""
    event("unexpected error", logging.ERROR, **fields, **_describe(error))


def milliseconds(since: float) -> float:
    """Return the milliseconds since a `time.perf_counter()`."""
    return round((time.perf_counter() - since) * 1000, 2)


def _describe(error: BaseException) -> dict[str, Any]:
    frames = traceback.extract_tb(error.__traceback__)[-12:]
    places = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
    return {"error": type(error).__name__, "at": places}

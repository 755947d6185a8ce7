"""One JSON line a request, and one for whatever else there is to tell. Nothing of a submitted text is ever in them."""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

LOGGER = logging.getLogger("unspun")
STANDARD = frozenset(vars(logging.makeLogRecord({})))
"""What every log record has; all else of a record are the event's own fields."""


class JsonFormatter(logging.Formatter):
    """Writes a record as one line of JSON. Of an exception it tells the type and the place, never the message: that may
    quote what was submitted.
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


def configure(level: str) -> None:
    """Send unspun's log to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    LOGGER.handlers[:] = [handler]
    LOGGER.setLevel(level.upper())
    LOGGER.propagate = False


def event(name: str, level: int = logging.INFO, **fields: Any) -> None:
    """Log an event with its fields."""
    LOGGER.log(level, name, extra=fields)


def told(error: BaseException, **fields: Any) -> None:
    """Log where an unexpected error happened, without its message."""
    event("unexpected error", logging.ERROR, **fields, **_describe(error))


def milliseconds(since: float) -> float:
    """Return the milliseconds since a `time.perf_counter()`."""
    return round((time.perf_counter() - since) * 1000, 2)


def _describe(error: BaseException) -> dict[str, Any]:
    frames = traceback.extract_tb(error.__traceback__)[-12:]
    places = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
    return {"error": type(error).__name__, "at": places}

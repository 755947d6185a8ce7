"""The log of the service: lines for people on a terminal, JSON lines in a pipe."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
from collections.abc import Iterator

import pytest

from unspun.service.http import logs


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def unchanged() -> Iterator[None]:
    before = logs.LOGGER.handlers[:], logs.LOGGER.level, logs.LOGGER.propagate
    yield
    logs.LOGGER.handlers[:], logs.LOGGER.level, logs.LOGGER.propagate = before


def logged(stream: io.StringIO, name: str, monkeypatch: pytest.MonkeyPatch, **fields: object) -> str:
    """Return what the log of an event looks like on a stream."""
    monkeypatch.setattr(sys, "stderr", stream)
    logs.configure("info")
    logs.event(name, **fields)  # type: ignore[arg-type]
    return stream.getvalue()


@pytest.mark.parametrize(("host", "address"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]"), ("0.0.0.0", "0.0.0.0")])
def test_a_terminal_shows_the_address(host: str, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    line = logged(Terminal(), "listening", monkeypatch, host=host, port=8000, workers=2)
    assert line == f"unspun is listening on http://{address}:8000\n"


def test_a_terminal_shows_a_request_on_a_short_line(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {"method": "POST", "route": "/v1/score", "status": 200, "milliseconds": 35.2, "words": 1200, "key": None}
    line = logged(Terminal(), "request", monkeypatch, **fields)
    assert re.fullmatch(r"\d\d:\d\d:\d\d POST /v1/score: 200 in 35 ms, 1,200 words\n", line)


def test_a_terminal_shows_the_fields_of_other_events(monkeypatch: pytest.MonkeyPatch) -> None:
    line = logged(Terminal(), "labels cannot be stored", monkeypatch, level=logging.ERROR, reason="no\x1b[31m disk")
    assert line[9:] == "error: labels cannot be stored (reason no\N{REPLACEMENT CHARACTER}[31m disk)\n"


def test_a_pipe_gets_json_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    line = json.loads(logged(io.StringIO(), "listening", monkeypatch, host="127.0.0.1", port=8000, workers=2))
    assert (line["event"], line["port"]) == ("listening", 8000)

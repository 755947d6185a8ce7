"""service/batch/progress.py: a line per minute if there is no terminal."""

from __future__ import annotations

import pytest

from unspun.reading.reader import Reader
from unspun.service.batch.progress import Progress
from unspun.service.batch.scoring import Tally


class QuarterRead(Reader):
    """A reader of 4,000 bytes that has read 1,000 of them."""

    bytes_read = 1000

    def total_bytes(self) -> int | None:
        return 4000


@pytest.fixture
def reader() -> Reader:
    return QuarterRead([])


def lines(reader: Reader, capsys: pytest.CaptureFixture[str], *, enabled: bool = True) -> list[str]:
    """Return the lines shown during three minutes at 2,000 words per second."""
    second, tally = 0, Tally()
    with Progress(reader, enabled=enabled, terminal=False, clock=lambda: float(second)) as progress:
        for second in range(181):
            tally.verdicts["clear"] = second
            tally.words = second * 2_000
            progress.update(tally)
    return capsys.readouterr().err.splitlines()


def test_without_a_terminal_progress_is_a_line_per_minute(reader: Reader, capsys: pytest.CaptureFixture[str]) -> None:
    shown = lines(reader, capsys)
    assert [line.partition(",")[0] for line in shown] == [f"unspun: {n} documents" for n in (60, 120, 180)]


def test_a_line_shows_the_speed_and_the_remaining_time(reader: Reader, capsys: pytest.CaptureFixture[str]) -> None:
    # A quarter of the bytes is read after a minute, so three more are to come.
    assert lines(reader, capsys)[0] == "unspun: 60 documents, 2,000 words/s, 25 % read, about 0:03:00 left"


def test_disabled_progress_shows_nothing(reader: Reader, capsys: pytest.CaptureFixture[str]) -> None:
    assert lines(reader, capsys, enabled=False) == []

"""Runs unspun's command line with one change: the first argument names it, and the others are the command.

python -m tests.http.altered slow-loading=FILE serve    # models finish loading only once FILE is gone
python -m tests.http.altered slow-starting serve        # workers take a second until they can handle signals
python -m tests.http.altered often-releasing serve      # workers return memory every half second, not every minute
"""

from __future__ import annotations

import runpy
import sys
import time
from pathlib import Path
from typing import Any

from unspun.model.detector import Detector
from unspun.service.http import server


def slow_loading(held: str) -> None:
    load = Detector.load

    def slow(*arguments: Any, **options: Any) -> Detector:
        while Path(held).exists():
            time.sleep(0.05)
        return load(*arguments, **options)

    Detector.load = slow  # type: ignore[method-assign, assignment]


def slow_starting(_: str) -> None:
    init = server.Worker.init_signals

    def slow(worker: server.Worker) -> None:
        time.sleep(1.0)
        init(worker)

    server.Worker.init_signals = slow  # type: ignore[method-assign]


def often_releasing(_: str) -> None:
    server.RELEASE_SECONDS = 0.5


if __name__ == "__main__":
    name, _, value = sys.argv.pop(1).partition("=")
    {"slow-loading": slow_loading, "slow-starting": slow_starting, "often-releasing": often_releasing}[name](value)
    runpy.run_module("unspun.service.cli", run_name="__main__", alter_sys=True)

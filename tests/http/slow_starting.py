"""Runs unspun's command line, with workers that take a second until they can handle signals."""

from __future__ import annotations

import runpy
import time

from unspun.service.http.server import Worker


def main() -> None:
    """Run the command line with the arguments."""
    init = Worker.init_signals

    def slow(worker: Worker) -> None:
        time.sleep(1.0)
        init(worker)

    Worker.init_signals = slow  # type: ignore[method-assign]
    runpy.run_module("unspun.service.cli", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()

"""Runs unspun's command line, with models that finish loading only once a file is gone: the first argument."""

from __future__ import annotations

import runpy
import sys
import time
from pathlib import Path
from typing import Any

from unspun.model.detector import Detector


def main() -> None:
    """Run the command line with the other arguments."""
    held, load = Path(sys.argv.pop(1)), Detector.load

    def slow(*arguments: Any, **options: Any) -> Detector:
        while held.exists():
            time.sleep(0.05)
        return load(*arguments, **options)

    Detector.load = slow  # type: ignore[method-assign, assignment]
    runpy.run_module("unspun.service.cli", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()

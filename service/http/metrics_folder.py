"""Where the workers of a service keep their figures, so that any of them can tell those of all."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile


def metrics_folder() -> str:
    """Make the folder in which workers keep their figures; it goes when this process ends.

    To be called before service.metrics is imported.
    """
    folder = tempfile.mkdtemp(prefix="unspun-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    owner = os.getpid()
    atexit.register(lambda: shutil.rmtree(folder, ignore_errors=True) if os.getpid() == owner else None)
    return folder

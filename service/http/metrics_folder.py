"""The folder in which workers share their metrics, so that each can report those of all."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile


def metrics_folder() -> str:
    """Make the folder in which workers share their metrics; it is removed when this process ends.

    Call this before importing unspun.service.http.metrics.
    """
    folder = tempfile.mkdtemp(prefix="unspun-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    owner = os.getpid()
    atexit.register(lambda: shutil.rmtree(folder, ignore_errors=True) if os.getpid() == owner else None)
    return folder

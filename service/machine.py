"""Facts about this machine, and its memory."""

from __future__ import annotations

import ctypes
import gc
import os
from contextlib import suppress

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Environment variables that give one thread to each numerical library, if set before it is loaded."""


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def release_memory() -> None:
    """Return freed memory to the system, as far as the C library can. glibc would keep most of it. Takes 25 ms."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)

"""What unspun does with the memory of the machine."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from tests.service.support import ENVIRONMENT

FREES_MEMORY = """
import re
from pathlib import Path
from unspun.service.machine import release_memory

def megabytes():
    return int(re.search(r"RssAnon:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024

model = [bytes(2_000) for _ in range(50_000)]
kept = bytes(2_000)  # at the end, so that the C library keeps everything before it
del model
print(megabytes())
release_memory()
print(megabytes())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can return freed memory")
def test_freed_memory_is_returned_to_the_system() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FREES_MEMORY], env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    before, after = map(int, done.stdout.split())
    assert after < before - 80

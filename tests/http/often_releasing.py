"""Runs unspun's command line, with workers that return memory to the system every half second, not every minute."""

from __future__ import annotations

import runpy

from unspun.service.http import server

if __name__ == "__main__":
    server.RELEASE_SECONDS = 0.5
    runpy.run_module("unspun.service.cli", run_name="__main__", alter_sys=True)

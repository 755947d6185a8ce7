"""`unspun serve` on a terminal."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys

from tests.service.support import ENVIRONMENT, free_port


def test_a_terminal_is_told_the_address_of_the_service() -> None:
    port = free_port()
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "unspun.service.cli", "serve", "--port", str(port), "--workers", "1"]
    shown = b""
    with subprocess.Popen(command, env=ENVIRONMENT, stdin=follower, stdout=follower, stderr=follower) as process:
        os.close(follower)
        try:
            while b"listening" not in shown or not shown.endswith(b"\n"):
                shown += os.read(leader, 1 << 16)
        finally:
            process.send_signal(signal.SIGINT)
    os.close(leader)
    assert shown.decode().replace("\r\n", "\n") == f"unspun is listening on http://127.0.0.1:{port}\n"

"""The server of a part of the corpus, whose connections can be cut."""

from __future__ import annotations

import functools
import http.server
import math
import re
import threading
from pathlib import Path
from typing import Any


class Server:
    """Serves a folder on one port. The next `cuts` answers with a file end in the middle."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.cuts: float = 0
        self.cut = 0
        """Answers that were cut so far."""
        handler = functools.partial(_Handler, self, directory=str(folder))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def is_cut(self) -> bool:
        """Return whether the next answer is cut, and count it."""
        if self.cuts <= 0:
            return False
        self.cuts -= 1  # math.inf stays what it is
        self.cut += 1
        return True


DOWN = math.inf
"""As `cuts`: until further notice."""


class _Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, cutting: Server, *arguments: Any, **options: Any) -> None:
        self._cutting = cutting
        super().__init__(*arguments, **options)

    def log_message(self, *arguments: Any) -> None:
        pass

    def do_GET(self) -> None:
        file = Path(self.translate_path(self.path))
        if not file.is_file():
            super().do_GET()
            return
        data = file.read_bytes()
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        # Servers without ranges are read in another way, so some files are served like that.
        if asked and not file.name.endswith(".jsonl"):
            start, end = int(asked[1]), min(int(asked[2] or len(data)), len(data) - 1)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{end}/{len(data)}")
            data = data[start : end + 1]
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self._cutting.is_cut():
            data = data[: len(data) // 2]
            self.close_connection = True
        self.wfile.write(data)

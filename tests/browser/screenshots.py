"""Takes the screenshot of a result page that README.md shows: `make screenshots`.

The text is an example of our own. Needs the extras `service` and `dev`, and Debian's package chromium.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import sync_playwright

from tests.browser.conftest import CHROMIUM, QUIET, ROOT

TEXT = ROOT / "seeds" / "examples" / "spun" / "01-harbour-swimmers.wordnet.txt"
IMAGE = ROOT / "docs" / "images" / "result.png"
VIEWPORT = {"width": 1000, "height": 760}


@contextmanager
def serve() -> Iterator[str]:
    """Run `unspun serve` with its default settings, and give its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "-m", "unspun", "serve", "--workers", "1", "--port", address.rpartition(":")[2]]
    settings = {name: value for name, value in os.environ.items() if not name.startswith("UNSPUN_")}
    with subprocess.Popen(command, cwd=ROOT, env={**settings, "UNSPUN_LOG_LEVEL": "error"}) as process:
        try:
            wait_until_ready(address, process)
            yield address
        finally:
            process.terminate()


def wait_until_ready(address: str, process: subprocess.Popen[bytes], seconds: float = 60.0) -> None:
    """Wait until the service answers. Raises SystemExit if it does not."""
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"{address}/readyz").close()
            return
        except urllib.error.URLError:
            time.sleep(0.2)
    raise SystemExit("the service did not start")


def main() -> None:
    """Submit the example on the page, and save what the page then shows."""
    if CHROMIUM is None:
        raise SystemExit("screenshots need Chromium: apt-get install chromium")
    with serve() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        page = browser.new_page(viewport=VIEWPORT, base_url=address, color_scheme="light")
        page.goto("/")
        page.locator("#text").fill(TEXT.read_text("utf-8"))
        page.locator("#text").evaluate("box => box.form.requestSubmit()")
        page.locator(".article .odd").first.wait_for()
        page.screenshot(path=IMAGE)
        browser.close()
    print(f"{IMAGE.relative_to(ROOT)}: {IMAGE.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()

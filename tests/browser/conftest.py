"""Headless Chromium on a running service with the model that ships."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

from tests.service.fake_detector import load_fake
from unspun.service.http.app import create_app
from unspun.service.http.config import Settings
from unspun.service.http.engine import Engine, ModelInUse

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 360, "height": 740}

Open = Callable[..., Any]


@pytest.fixture(scope="session")
def output() -> Path:
    """Return the folder in which screenshots are kept."""
    folder = Path(os.environ.get("TEST_OUTPUT") or ROOT / "test-output")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


# By module, not by session: while Playwright runs, no other test could have an event loop of its own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Start Chromium once."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield started
        started.close()


@pytest.fixture(scope="module")
def service(browser: Any) -> Iterator[str]:
    """Start `unspun serve`, and return its address."""
    command = [sys.executable, "-m", "unspun.service.cli", "serve", "--port", "0", "--workers", "1"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("UNSPUN_")}
    environment["UNSPUN_DRAIN_SECONDS"] = "0"
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = (json.loads(line) for line in process.stderr if line.startswith("{"))
        port = next((line["port"] for line in lines if line["event"] == "listening"), None)
        assert port is not None, "the service did not start"
        threading.Thread(target=process.stderr.read, daemon=True).start()  # else it would wait for a reader
        yield f"http://127.0.0.1:{port}"
        process.terminate()
        process.wait(20)


@pytest.fixture
def serve_fake() -> Iterator[Callable[..., str]]:
    """Serve the application in a thread, with a detector that needs no model; return its address."""
    servers = []

    def serve(**settings: Any) -> str:
        app = create_app(Settings(**settings), Engine(ModelInUse(load_fake)))
        server = make_server("127.0.0.1", 0, app, threaded=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.port}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def open_page(browser: Any, service: str) -> Iterator[Open]:
    """Open the page as a reader with some settings; what the browser complains of fails the test."""
    contexts = []
    complaints: list[str] = []

    def complain(message: Any) -> None:
        # That a document came with an error's status is no complaint.
        if message.type in ("error", "warning") and "the server responded with a status of" not in message.text:
            complaints.append(message.text)

    def open_at(path: str = "/", *, address: str = service, **options: Any) -> Any:
        context = browser.new_context(viewport=options.pop("viewport", DESKTOP), base_url=address, **options)
        context.set_default_timeout(10_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", complain)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None if request.url.startswith((f"{address}/", "data:")) else complaints.append(f"asked {request.url}")
            ),
        )
        page.goto(path)
        return page

    yield open_at
    for context in contexts:
        context.close()
    assert complaints == []

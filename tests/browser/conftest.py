"""Headless Chromium on a running service with the model that ships."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

from tests.http.running import Service
from tests.service.fake_detector import load_fake
from unspun.service.http.app import create_app
from unspun.service.http.config import Settings
from unspun.service.http.engine import Engine, ModelInUse
from unspun.service.http.fetching import Fetcher, is_public

ROOT = Path(__file__).parents[2]
PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser")
CHROMIUM = next(filter(None, map(shutil.which, PROGRAMS)), None)
"""The first one has no windows to draw and takes less than half the time."""
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


# Per module, not per session: while Playwright runs, no other test can start an event loop.
@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Start Chromium once."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium: apt-get install chromium-headless-shell")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield started
        started.close()


@pytest.fixture(scope="module")
def service(browser: Any) -> Iterator[str]:
    """Start a service with the shipped model, and return its address."""
    with Service(WORKERS=1) as running:
        yield running.url


@pytest.fixture
def serve_fake() -> Iterator[Callable[..., str]]:
    """Return a function that serves the application in a thread, without a model, and returns its address."""
    servers = []

    def serve(allow: Any = is_public, **settings: Any) -> str:
        chosen = Settings(**settings)
        app = create_app(chosen, Engine(ModelInUse(load_fake)), fetcher=Fetcher(chosen, allow=allow))
        server = make_server("127.0.0.1", 0, app, threaded=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.port}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def visit(browser: Any) -> Iterator[Open]:
    """Return a function that opens an address. Messages on the console and requests to other places fail the test."""
    contexts = []
    complaints: list[str] = []

    def complain(message: Any) -> None:
        # The browser also reports documents with the status of an error.
        if "the server responded with a status of" not in message.text:
            complaints.append(message.text)

    def check(request: Any, place: str) -> None:
        if not request.url.startswith((place, "data:")):
            complaints.append(f"requested {request.url}")

    def open_address(place: str, path: str = "", **options: Any) -> Any:
        context = browser.new_context(**{"viewport": DESKTOP, **options})
        context.set_default_timeout(60_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", complain)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: check(request, place))
        page.goto(place + path)
        return page

    yield open_address
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def open_page(visit: Open, service: str) -> Open:
    """Return a function that opens a page of a service, with options of the browser."""

    def open_at(path: str = "/", *, address: str = service, **options: Any) -> Any:
        return visit(f"{address}/", path.removeprefix("/"), base_url=address, **options)

    return open_at


@pytest.fixture
def open_file(visit: Open, tmp_path: Path) -> Open:
    """Return a function that opens a page from a file, without a network."""

    def open_content(content: str, **options: Any) -> Any:
        path = tmp_path / "page.html"
        path.write_text(content, "utf-8")
        return visit(path.as_uri(), offline=True, **options)

    return open_content


def scrolls_sideways(page: Any) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def violations(page: Any) -> list[tuple[str, str]]:
    """Return the serious problems of accessibility that axe finds, and the HTML of each."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    found = axe.Axe().run(page).response["violations"]
    return [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")]

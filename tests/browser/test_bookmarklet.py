"""Text from other sites in headless Chromium: a web address, and the bookmark that hands a selection over."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import pytest

from tests.browser.conftest import PHONE, Open, scrolls_sideways, violations
from tests.service.support import SPUN
from tests.service.web import Web

STRICT = "default-src 'none'; script-src 'none'; connect-src 'none'; form-action 'none'; frame-ancestors 'none'"
SEALED = {"Cross-Origin-Opener-Policy": "same-origin"}


class Site:
    """Another site: its home page has a strict content security policy, and `/sealed` is kept apart from windows."""

    def __init__(self) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Security-Policy", STRICT)
                for name, value in SEALED.items() if self.path == "/sealed" else ():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(f"<h1>News</h1><p id=story>{SPUN}</p><p>Another story.</p>".encode())

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://localhost:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.close()


@pytest.fixture
def bookmark(visit: Open, serve_fake: Callable[..., str]) -> Callable[..., str]:
    """Return a function that starts a service and returns what a bookmark of its link runs."""

    def made(**settings: Any) -> str:
        link = visit(serve_fake(**settings)).get_by_role("link", name="Check with unspun")
        return unquote(str(link.get_attribute("href")).removeprefix("javascript:"))

    return made


def select(page: Any) -> None:
    page.evaluate("getSelection().selectAllChildren(document.getElementById('story'))")


def use(page: Any, code: str) -> Any:
    """Choose the bookmark on a page, and return the window that it opens."""
    with page.expect_popup() as opened:
        page.evaluate(code)
    return opened.value


def received(page: Any) -> str:
    """Return what the window says, once it is not waiting any more."""
    notice = page.locator("#received").filter(has_not_text=re.compile("^(Waiting|Copy)"))
    notice.wait_for()
    return str(notice.inner_text())


def test_a_selection_is_handed_over_from_a_site_that_blocks_requests(
    browser: Any, site: Site, bookmark: Callable[..., str]
) -> None:
    code = bookmark()
    page = browser.new_page()
    page.goto(site.url)
    select(page)
    opened = use(page, code)
    assert received(opened) == f"13 words from {site.url}. Nothing is sent until you press the button."
    assert opened.locator("#text").input_value() == SPUN
    opened.keyboard.press("Enter")  # the button has the focus
    opened.wait_for_selector(".verdict")
    assert opened.locator("h1").inner_text().endswith("Paraphrased")
    page.context.close()


def test_a_selection_in_a_box_is_handed_over(browser: Any, site: Site, bookmark: Callable[..., str]) -> None:
    code = bookmark()
    page = browser.new_page()
    page.goto(site.url)
    page.evaluate(
        """() => {
            const box = document.body.appendChild(document.createElement("textarea"));
            box.value = "not this, but these words";
            box.focus();
            box.setSelectionRange(14, 25);
        }"""
    )
    opened = use(page, code)
    received(opened)
    assert opened.locator("#text").input_value() == "these words"
    page.context.close()


def test_without_a_selection_the_bookmark_says_what_to_do(
    browser: Any, site: Site, bookmark: Callable[..., str]
) -> None:
    code = bookmark()
    page = browser.new_page()
    page.goto(site.url)
    said: list[str] = []
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.evaluate(code)
    assert said == ["Select some text first. Then choose this bookmark again."]
    page.context.close()


def test_a_selection_that_is_too_large_is_refused(browser: Any, site: Site, bookmark: Callable[..., str]) -> None:
    code = bookmark(max_bytes=1_000)
    page = browser.new_page()
    page.goto(site.url)
    page.evaluate("document.getElementById('story').textContent = 'é'.repeat(501)")
    select(page)
    opened = use(page, code)
    assert "has 1,002 bytes, and this service takes 1,000 at most. Select less." in received(opened)
    assert opened.locator("#text").input_value() == ""
    page.context.close()


def test_a_site_that_is_kept_apart_from_other_windows_is_explained(
    browser: Any, site: Site, bookmark: Callable[..., str]
) -> None:
    code = bookmark()
    page = browser.new_page()
    page.goto(f"{site.url}/sealed")
    select(page)
    with page.context.expect_page() as opened:
        page.evaluate(code)
    assert "Copy the text there, and paste it into the box." in received(opened.value)
    page.context.close()


def test_only_the_window_that_opened_the_page_may_hand_a_text_over(
    browser: Any, site: Site, serve_fake: Callable[..., str]
) -> None:
    address = serve_fake()
    page = browser.new_page()
    page.goto(site.url)
    with page.expect_popup() as popup:
        page.evaluate("address => { window.opened = open(address); }", f"{address}/selection")
    opened = popup.value
    opened.wait_for_load_state()
    # From itself: not the window that opened it.
    opened.evaluate("postMessage({unspun: 'selection', text: 'from elsewhere'}, '*')")
    # From the right window, but nothing that the bookmark sends.
    page.evaluate("opened.postMessage('something else', '*')")
    page.evaluate("opened.postMessage({unspun: 'selection', text: {toString: 1}}, '*')")
    assert received(opened) == f"No text came from {site.url}. Select some there first."
    # And only once.
    page.evaluate("opened.postMessage({unspun: 'selection', text: 'too late'}, '*')")
    opened.wait_for_timeout(100)
    assert opened.locator("#text").input_value() == ""
    page.context.close()


def test_the_text_goes_to_no_other_origin(browser: Any, site: Site, bookmark: Callable[..., str]) -> None:
    """The window that the bookmark opened leads elsewhere by now: whoever is there gets nothing."""
    code = bookmark()
    page = browser.new_page()
    page.goto(site.url)
    select(page)
    page.context.route("**/selection", lambda route: route.fulfill(status=302, headers={"Location": site.url}))
    opened = use(page, code)
    opened.wait_for_load_state()
    opened.evaluate("window.got = []; addEventListener('message', event => got.push(event.data))")
    opened.evaluate("opener.postMessage('unspun: ready', '*')")
    opened.wait_for_timeout(200)
    assert opened.evaluate("got") == []
    page.context.close()


def test_clicking_the_link_says_what_to_do_instead(visit: Open, serve_fake: Callable[..., str]) -> None:
    page = visit(serve_fake())
    page.get_by_role("link", name="Check with unspun").click()
    assert "Drag the link to your bookmarks" in page.locator("#bookmark-hint").inner_text()


def test_an_address_is_checked(visit: Open, serve_fake: Callable[..., str]) -> None:
    with Web() as web:
        page = visit(serve_fake(allow=lambda address: True, fetch_urls=True, fetch_ports=str(web.port)))
        page.get_by_label("Or a web address").fill(web.url())
        page.get_by_role("button", name="Check").click()
        page.wait_for_selector(".verdict")
        assert page.locator("h1").inner_text().endswith("Paraphrased")
        assert f"From {web.url()}." in page.locator(".reading").inner_text()


def test_a_private_address_is_refused_with_a_reason(visit: Open, serve_fake: Callable[..., str]) -> None:
    page = visit(serve_fake(fetch_urls=True))
    page.get_by_label("Or a web address").fill("http://169.254.169.254/latest/meta-data/")
    page.get_by_role("button", name="Check").click()
    assert "only pages of the public internet" in page.get_by_role("alert").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/selection"])
def test_the_forms_are_accessible_and_fit_a_phone(
    path: str, scheme: str, visit: Open, serve_fake: Callable[..., str]
) -> None:
    page = visit(serve_fake(fetch_urls=True), path, viewport=PHONE, color_scheme=scheme)
    assert violations(page) == []
    assert not scrolls_sideways(page)

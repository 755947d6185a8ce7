"""Takes the screenshot of a result page that README.md shows: `make screenshots`.

The text is an example of our own. Needs the extras `service` and `dev`, and Debian's package
chromium-headless-shell.
"""

from __future__ import annotations

from playwright.sync_api import sync_playwright

from tests.browser.conftest import CHROMIUM, QUIET, ROOT
from tests.http.running import Service

TEXT = ROOT / "seeds" / "examples" / "spun" / "01-harbour-swimmers.wordnet.txt"
IMAGE = ROOT / "docs" / "images" / "result.png"
VIEWPORT = {"width": 1000, "height": 760}


def main() -> None:
    """Submit the example on the page, and save a picture of the result."""
    if CHROMIUM is None:
        raise SystemExit("screenshots need Chromium: apt-get install chromium-headless-shell")
    with Service(WORKERS=1) as service, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        page = browser.new_page(viewport=VIEWPORT, base_url=service.url, color_scheme="light")
        page.goto("/")
        page.locator("#text").fill(TEXT.read_text("utf-8"))
        page.locator("#text").evaluate("box => box.form.requestSubmit()")
        page.locator(".article .odd").first.wait_for()
        page.screenshot(path=IMAGE)
        browser.close()
    print(f"{IMAGE.relative_to(ROOT)}: {IMAGE.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()

"""A result as one HTML file that any browser opens without the service, and the text in such a file."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime
from functools import cache
from pathlib import PurePath

from jinja2 import Template

from unspun.model.wording import DISGUISED, NO_SOURCE, SCALE
from unspun.service.page.result import Download, Result, data_url
from unspun.service.render.page import STATIC, TEMPLATES, page_template

NAME = re.compile(r"\.unspun[^./\\]{0,20}\.html$", re.IGNORECASE)
"""How the names of saved results end; browsers and desktops number copies, as in "essay.unspun (1).html"."""
PACKED = re.compile(rb'<meta name="unspun-text" content="([A-Za-z0-9+/=]*)">')
HEAD = 2_000
"""The text is in a saved file before the style, followed by as many characters as it has; this much may come before."""


def saved(result: Result, when: datetime) -> Download:
    """Return a result as a self-contained page."""
    page = _template().render(result=result, when=when.astimezone(UTC))
    source = result.source or "result"
    stem = NAME.sub("", source) if NAME.search(source) else PurePath(source).stem
    return Download("Save this result", f"{stem}.unspun.html", data_url(page.encode("utf-8", "replace"), "text/html"))


def text_of(page: bytes) -> str | None:
    """Return the text of a saved result, None if the page is none."""
    found = PACKED.search(page)
    if found is None or found.start() > HEAD:
        return None
    try:
        return base64.b64decode(found[1], validate=True).decode("utf-8")
    except ValueError:
        return None


@cache
def _template() -> Template:
    return page_template(
        "result",
        styles=(),
        scripts=[STATIC / "tooltip.js", TEMPLATES / "result.js"],
        disguise=DISGUISED,
        no_source=NO_SOURCE,
        scale=SCALE,
    )

"""Self-contained HTML pages: one file with the style of the service's page, and a content security policy that lets
nothing run or load except what is in the file.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from unspun.service.console import printable

TEMPLATES = Path(__file__).with_name("templates")
STATIC = Path(__file__).parents[1] / "page" / "static"


def page_template(
    name: str,
    *,
    scripts: Sequence[Path] = (),
    filters: Mapping[str, Callable[..., Any]] | None = None,
    **known: Any,
) -> Template:
    """Return the template `name`.html, with the style of the service's page and of `name`.css, and with `scripts`.

    The template knows `style`, `script`, their digests for the content security policy, `icon`, and everything in
    `known`. All text is escaped and loses its control characters, so that it cannot act on the reader's screen.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_plain,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    # Browsers do not unescape the content of style and script elements.
    style = Markup((STATIC / "page.css").read_text("utf-8") + (TEMPLATES / f"{name}.css").read_text("utf-8"))
    code = Markup("".join(path.read_text("utf-8") for path in scripts))
    icon = base64.b64encode((STATIC / "favicon.svg").read_bytes()).decode("ascii")
    environment.globals.update(
        style=style,
        script=code,
        style_digest=_digest(style),
        script_digest=_digest(code),
        icon=f"data:image/svg+xml;base64,{icon}",
        **known,
    )
    environment.filters.update(filters or {})
    return environment.get_template(f"{name}.html")


def _plain(value: Any) -> Any:
    """Remove control characters from a text that a template shows; it is escaped afterwards."""
    return printable(value) if type(value) is str else value


def _digest(content: str) -> str:
    return base64.b64encode(hashlib.sha256(content.encode("utf-8")).digest()).decode("ascii")

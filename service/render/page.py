"""Pages of ours that need nothing else: one HTML file, with the style of the service's page and the content policy that
lets nothing run or load but what is in it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
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
    script: bool = True,
    filters: Mapping[str, Callable[..., Any]] | None = None,
    **known: Any,
) -> Template:
    """Return the template `name`.html with `name`.css after the page's style and, if it has one, `name`.js.

    It knows `style`, `script`, their digests for the content policy, `icon`, and what else is `known`. Nothing that is
    shown can act on the reader's screen: control characters are taken away, and the rest is escaped.
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
    # Browsers do not unescape what is in a style or script element.
    style = Markup((STATIC / "page.css").read_text("utf-8") + (TEMPLATES / f"{name}.css").read_text("utf-8"))
    code = Markup((TEMPLATES / f"{name}.js").read_text("utf-8") if script else "")
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
    """Take from every text that a template shows what would act on the reader's screen; escaping comes after."""
    return printable(value) if type(value) is str else value


def _digest(content: str) -> str:
    return base64.b64encode(hashlib.sha256(content.encode("utf-8")).digest()).decode("ascii")

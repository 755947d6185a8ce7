"""Self-contained HTML pages: one file, in the style of the service's page. A content security policy allows
nothing from outside the file.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from unspun.model.wording import LIMITS, percent
from unspun.service.console import plural, printable

CONTROLS = re.compile(r"[^\n\t]+")
TEMPLATES = Path(__file__).with_name("templates")
STATIC = Path(__file__).parents[1] / "page" / "static"


def page_template(
    name: str,
    *,
    styles: Sequence[Path] | None = None,
    scripts: Sequence[Path] = (),
    filters: Mapping[str, Callable[..., Any]] | None = None,
    **known: Any,
) -> Template:
    """Return the template NAME.html, with `styles` (default: NAME.css) after the service's style, and with `scripts`.

    The template knows `style`, `script`, their digests for the policy, `icon`, and the names in `known`; it has the
    filters `percent`, `count` and `verbatim` besides `filters`. No text can affect the reader's screen: control
    characters are replaced, and the rest is escaped.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_without_controls,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    # Browsers do not unescape the content of style and script elements.
    sheets = [STATIC / "page.css", *([TEMPLATES / f"{name}.css"] if styles is None else styles)]
    style, script = _joined(sheets), _joined(scripts)
    icon = base64.b64encode((STATIC / "favicon.svg").read_bytes()).decode("ascii")
    environment.globals.update(
        style=style,
        script=script,
        style_digest=_digest(style),
        script_digest=_digest(script),
        thresholds=LIMITS,
        icon=f"data:image/svg+xml;base64,{icon}",
        **known,
    )
    environment.filters.update(percent=percent, count=count, verbatim=verbatim, **(filters or {}))
    return environment.get_template(f"{name}.html")


def _joined(files: Iterable[Path]) -> Markup:
    """Return the content of some of our own files, which the template does not escape."""
    content = "".join(file.read_text("utf-8") for file in files)
    return Markup(content)  # nosec B704


def _without_controls(value: Any) -> Any:
    """Replace control characters in a text that a template shows; it is escaped afterwards."""
    return printable(value) if type(value) is str else value


def verbatim(text: str) -> Markup:
    """Return a text with its line ends and tabs, which are otherwise replaced like other control characters."""
    return escape(CONTROLS.sub(lambda found: printable(found[0]), text))


def count(number: int, noun: str = "") -> str:
    """Return a number, perhaps with its noun."""
    return plural(number, noun) if noun else f"{number:,}"


def _digest(content: str) -> str:
    return base64.b64encode(hashlib.sha256(content.encode("utf-8")).digest()).decode("ascii")

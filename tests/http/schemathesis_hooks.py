"""Hooks of schemathesis, for what the schema cannot say: which bodies are texts."""

from __future__ import annotations

from typing import Any

import schemathesis

from unspun.reading.encodings import NotTextError, decode
from unspun.reading.html import extract_article
from unspun.reading.records import UnreadableError


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:
    """Leave out requests whose body claims to be a text, but is empty, binary or a page without text."""
    kind = str(case.media_type or "")
    if not kind.startswith("text/"):
        return True
    body = case.body if isinstance(case.body, bytes) else str(case.body).encode("utf-8", "surrogatepass")
    try:
        text = decode(body)
        return bool(extract_article(text).text if kind == "text/html" else text)
    except (NotTextError, UnreadableError):
        return False

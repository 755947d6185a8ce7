"""Reads an e-mail: the text of its body, without headers and attachments."""

from __future__ import annotations

from collections.abc import Callable
from email import message_from_bytes, policy
from email.errors import MessageError

from unspun.reading.html import Article
from unspun.reading.records import UnreadableError


def read_mail(data: bytes, article: Callable[[str], Article]) -> Article:
    """Return the body of an e-mail: its plain text, or else the article of its page.

    Raises UnreadableError if it has neither.
    """
    try:
        body = message_from_bytes(data, policy=policy.default).get_body(("plain", "html"))
        content = None if body is None else body.get_content()
    except (MessageError, LookupError, ValueError, AttributeError, RecursionError) as error:  # broken parts
        raise UnreadableError(f"broken e-mail: {error}") from error
    if body is None or not isinstance(content, str):
        raise UnreadableError("this e-mail has no text, only attachments")
    return article(content) if body.get_content_subtype() == "html" else Article(content, {})

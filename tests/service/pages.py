"""Checks of pages that are a single file."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256

import lxml.html


def assert_self_contained(source: str) -> None:
    """Assert that a page loads nothing, and that its policy allows only its own styles, scripts and images."""
    page = lxml.html.document_fromstring(source)
    addresses = page.xpath("//@src | //@href | //@data | //@action | //@srcset | //@poster")
    assert [address for address in addresses if not address.startswith(("#", "data:"))] == []
    assert not re.search(r"url\(|@import|\sstyle=", source)
    allowed = {"default-src 'none'", "img-src data:", "base-uri 'none'", "form-action 'none'"}
    for element in page.cssselect("style, script"):
        digest = b64encode(sha256(element.text_content().encode()).digest()).decode()
        allowed.add(f"{element.tag}-src 'sha256-{digest}'")
    [policy] = page.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    assert set(policy.split("; ")) == allowed

"""Reads RTF with striprtf, after rewriting the words of RTF that it reads in another way than a person does."""

from __future__ import annotations

import re
from collections.abc import Callable

from unspun.reading.documents.draft import Draft
from unspun.reading.records import UnreadableError, optional

PARAGRAPH = re.compile(r"\\(?:par|cell|nestcell|row|nestrow)(?![a-z])")
LINK = re.compile(r"\\fldinst(?![a-z])")
HIDDEN_PART = re.compile(r"\\(?:v|deleted)(?![a-z0-9-])([^{}]*?)\\(?:v|deleted)0 ?")
HIDDEN_GROUP = re.compile(r"\\(?:v|deleted)(?![a-z0-9-])")
CODE_PAGE = re.compile(rb"\\ansicpg(\d{1,5})")


def read(data: bytes) -> Draft:
    """Return the text of an RTF file. Footnotes, headers and comments are left out. Raises UnreadableError."""
    with optional("striprtf", "documents"):
        from striprtf import striprtf

    data = data.lstrip(b"\xef\xbb\xbf \r\n\t\0")
    if not data.startswith(b"{\\rtf"):
        raise UnreadableError("not an RTF file")
    source = _decode(data)
    # `\sect` gives a blank line, which separates paragraphs; `\xe` starts a group that is left out.
    source = PARAGRAPH.sub(r"\\sect", source)
    # Otherwise striprtf writes the address of a link into the text.
    source = LINK.sub(r"\\xe", source)
    shown = HIDDEN_GROUP.sub(r"\\xe ", HIDDEN_PART.sub(r"{\\xe \1}", source))
    to_text: Callable[..., str] = striprtf.rtf_to_text
    draft = Draft()
    text = _whole(to_text(shown, errors="replace"))
    for paragraph in text.split("\n\n"):
        draft.add(paragraph)
    if shown != source:
        hidden = len(to_text(source, errors="replace").split()) - len(text.split())
        draft.hide("word " * max(hidden, 0))
    return draft


def _decode(data: bytes) -> str:
    """Return the source. It is ASCII by definition; some programs write bytes of the code page all the same."""
    found = CODE_PAGE.search(data[:1000])
    try:
        return data.decode(f"cp{int(found[1])}" if found else "cp1252", "replace")
    except LookupError:
        return data.decode("cp1252", "replace")


def _whole(text: str) -> str:
    """Return the text with characters that RTF writes as two surrogates put together."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

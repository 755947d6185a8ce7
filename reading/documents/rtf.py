"""Reads RTF with striprtf, after rewriting the words of RTF that it reads in another way than a person does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from unspun.reading.documents.draft import Draft
from unspun.reading.records import UnreadableError, optional

PARAGRAPH = re.compile(r"\\(?:par|cell|nestcell|row|nestrow)(?![a-z])")
LINK = re.compile(r"\\fldinst(?![a-z])")
COLORS = re.compile(r"\\colortbl([^{}]*)")
BEHIND = re.compile(r"\\(?:highlight|cbpat|chcbpat|clcbpat|chshdng|shading)(?![a-z])")
"""Words for what is behind text, against which white letters may be seen."""
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
    shown = source
    for start, end in _hidden(source):
        # Until the text is seen again, or to the end of the group.
        shown = re.sub(
            rf"\\(?:{start})(?![a-z0-9-])([^{{}}]*?)(?=\\(?:{end}|plain|pard)(?![a-z]))", r"{\\xe \1}", shown
        )
        shown = re.sub(rf"\\(?:{start})(?![a-z0-9-])", r"\\xe ", shown)
    to_text: Callable[..., str] = striprtf.rtf_to_text
    draft = Draft()
    text = to_text(shown, errors="replace")
    for paragraph in text.split("\n\n"):
        draft.add(paragraph)
    if shown != source:
        hidden = len(to_text(source, errors="replace").split()) - len(text.split())
        draft.hide("word " * max(hidden, 0))
    return draft


def _hidden(source: str) -> Iterator[tuple[str, str]]:
    """Yield patterns of the words of RTF that hide text, and of those that show it again."""
    yield "v|deleted", "(?:v|deleted)0"
    yield "fs[0-3]", r"fs\d+"
    colors = COLORS.search(source)
    if colors and not BEHIND.search(source):
        white = [index for index, color in enumerate(colors[1].split(";")) if color.count("255") == 3]
        if white:
            yield f"cf(?:{'|'.join(map(str, white))})", r"cf\d+"


def _decode(data: bytes) -> str:
    """Return the source. It is ASCII by definition; some programs write bytes of the code page all the same."""
    found = CODE_PAGE.search(data[:1000])
    try:
        return data.decode(f"cp{int(found[1])}" if found else "cp1252", "replace")
    except LookupError:
        return data.decode("cp1252", "replace")

"""Restores words whose letters were lost or replaced by others: only if the result is a common word of English."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import product
from math import prod

from unspun.model.text.characters import all_bytes_but, count_bytes
from unspun.model.text.edits import Editor, TextEdit
from unspun.model.text.wordlists import common_words

FEWEST_DISGUISED = 3
"""Words with digits or signs for letters from which they are not just odd names."""
FEWEST_ACCENTED, ACCENTED = 5, 0.08
"""Least number and share of common words with accents that they do not have for the accents to be a disguise."""
MOST_SPELLINGS = 16
"""Spellings that a disguised word may stand for; a word with more is not restored."""
MOST_NULS = 0.2
"""Share of NULs above which they are not lost letters."""

LIGATURES = ("fi", "fl", "ff", "ffi", "ffl")
"""What extractors lose: ligatures whose font has no table of characters."""
_SIGN = "[\x00-\x08\x0e-\x1f\ufffd]{1,3}"
_LOST_SIGN = re.compile(_SIGN)
# Words are short; without limits, matching would take quadratic time.
_LOST = re.compile(
    rf"(?<![A-Za-z])[A-Za-z]{{0,30}}(?:{_SIGN}[A-Za-z]{{1,30}}){{1,2}}|(?<![A-Za-z])[A-Za-z]{{1,30}}{_SIGN}"
)


def restore_ligatures(editor: Editor) -> None:
    """Replace control characters inside words with the ligature that makes a known word, or with nothing."""
    if editor.text.count("\x00") > MOST_NULS * len(editor.text):
        # Text of two bytes a letter that was read as one byte a letter.
        nuls = [(place, place + 1) for place, letter in enumerate(editor.text) if letter == "\x00"]
        editor.count("control", editor.remove(nuls))
    if _LOST_SIGN.search(editor.text):
        editor.count("ligature", editor.replace(_ligatures(editor.text)))


def _ligatures(text: str) -> Iterator[TextEdit]:
    for match in _LOST.finditer(text):
        pieces = _LOST_SIGN.split(match.group())
        if len(pieces) > 3:
            continue
        # A replacement character may be an apostrophe or a letter, which are restored elsewhere.
        choices = LIGATURES if "\ufffd" in match.group() else (*LIGATURES, "")
        for ligatures in product(choices, repeat=len(pieces) - 1):
            word = "".join(a + b for a, b in zip(pieces, (*ligatures, ""), strict=True))
            if word.lower() in common_words():
                for sign, ligature in zip(_LOST_SIGN.finditer(match.group()), ligatures, strict=True):
                    yield TextEdit(match.start() + sign.start(), match.start() + sign.end(), ligature)
                break


_LETTERS = dict(zip("0134578@$!|I", ("o", "li", "e", "a", "s", "t", "b", "a", "s", "i", "li", "l"), strict=True))
_MAY_BE_DISGUISED = re.compile(rb"0(?<=a0)a")
_SIGNS_TO_ZERO = bytes.maketrans(b"bcdefghijklmnopqrstuvwxyz134578@$!|I", b"a" * 25 + b"0" * 11)
"""Leaves of UTF-8 what matters to a disguise: small letters become "a", and what may stand for a letter becomes "0"."""
_DISGUISED = re.compile(r"(?<![\w@$!|])[A-Za-z@$!|013457]{0,20}[a-z][0134578@$!|I][a-z][A-Za-z@$!|0134578]{0,20}(?!\w)")


def undisguise(editor: Editor) -> None:
    """Replace digits and signs that look like letters ("v1s1on") and accents that a word does not have ("vísïon")."""
    if _MAY_BE_DISGUISED.search(editor.text.encode("utf-8", "surrogatepass").translate(_SIGNS_TO_ZERO)):
        found = list(_spellings(editor.text))
        if len(found) >= FEWEST_DISGUISED:
            editor.count("homoglyph", editor.replace(found))
    if not editor.text.isascii():
        _strip_accents(editor)


def _spellings(text: str) -> Iterator[TextEdit]:
    for match in _DISGUISED.finditer(text):
        word = match.group()
        options = [_LETTERS.get(letter, letter) if letter != "I" or i else "I" for i, letter in enumerate(word)]
        if prod(map(len, options)) <= MOST_SPELLINGS:
            for letters in product(*options):
                spelling = "".join(letters)
                if spelling.lower() in common_words():
                    yield TextEdit(*match.span(), spelling)
                    break


_ACCENTED = re.compile("[\u00c0-\u024f\u1e00-\u1eff\u0300-\u036f]")
_NO_ACCENTS = all_bytes_but("".join(map(chr, (*range(0xC0, 0x250), *range(0x1E00, 0x1F00), *range(0x300, 0x370)))))
_LETTER_RUN = re.compile("[A-Za-z\u00c0-\u024f\u1e00-\u1eff\u0300-\u036f]+")


def _accented_words(text: str) -> Iterator[tuple[int, int]]:
    end = 0
    for accent in _ACCENTED.finditer(text):
        if accent.start() >= end:
            start = accent.start()
            while start > end and text[start - 1].isalpha():
                start -= 1
            run = _LETTER_RUN.match(text, start)
            end = run.end() if run else accent.end()
            yield start, end


def _strip_accents(editor: Editor) -> None:
    text = editor.text
    if count_bytes(text, _NO_ACCENTS) < FEWEST_ACCENTED:
        return
    words = list(_accented_words(text))
    edits: list[TextEdit] = []
    known = 0
    for start, end in words:
        decomposed = unicodedata.normalize("NFD", text[start:end])
        letters = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
        if letters.isascii():
            edits.append(TextEdit(start, end, letters))
            known += letters.lower() in common_words()
    if known >= max(FEWEST_ACCENTED, ACCENTED * text.count(" "), len(words) / 2):
        editor.count("homoglyph", editor.replace(edits))

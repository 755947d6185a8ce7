"""Replaces letters that only look Latin: other alphabets' letters inside Latin words, and decorated letters.

To evade detection, people replace a few letters of a word with Cyrillic or Greek ones, so that no dictionary knows it,
or write whole words in fullwidth, mathematical or circled letters. Words that are wholly in another alphabet are left
alone, and so are words in which Greek is meant ("TNFα", "NFκB").
"""

from __future__ import annotations

import re
import unicodedata
from importlib import resources

_CYRILLIC = str.maketrans(
    "абеорсухіјѕһԁԛԝӏвкмнтгАВЕЅІЈКМНОРСТУХҮԌԚԜӀҺ",
    "a6eopcyxijshdqwlBkmhtrABESIJKMHOPCTYXYGQWIh",
)
# Inside a Latin word, lower-case Cyrillic letters that look like capitals or digits do not look right.
for _letter in "бвкмнтг":
    del _CYRILLIC[ord(_letter)]

_GREEK_CAPITALS = str.maketrans("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹϳ\u037f", "ABEZHIKMNOPTYXCjJ")
_GREEK_SMALL = str.maketrans("αικνορυϲϱ", "aikvopucp")


def _of_other_alphabets() -> dict[int, int]:
    """Return Latin letters by their look-alikes in lookalikes.txt: Cherokee, Armenian, Lisu and others."""
    lines = resources.files("unspun.model.text").joinpath("lookalikes.txt").read_text(encoding="utf-8").splitlines()
    table = {ord(other): ord(line[0]) for line in lines if not line.startswith("#") for other in line[2:]}
    # Small Cherokee letters look like small forms of the capitals.
    for small in (*range(0x13F8, 0x13FE), *range(0xAB70, 0xABC0)):
        if letter := table.get(ord(chr(small).upper())):
            table.setdefault(small, ord(chr(letter).lower()))
    return table


_OTHER = _of_other_alphabets()

_MIXED = _CYRILLIC | _GREEK_CAPITALS | _GREEK_SMALL | _OTHER
"""Latin letters by their look-alikes, which are replaced only in words that also have Latin letters."""

_WITHOUT_GREEK_SMALL = {code: latin for code, latin in _MIXED.items() if code not in _GREEK_SMALL}


def _dressed() -> dict[int, int]:
    """Return plain letters and digits by their decorated forms in Unicode."""
    ranges = [
        range(0xFF10, 0xFF5B),  # fullwidth
        range(0x1D400, 0x1D800),  # mathematical
        range(0x24B6, 0x24EA),  # circled
        range(0x249C, 0x24B6),  # in brackets
        range(0x2160, 0x2180),  # Roman numerals
        range(0x2100, 0x2150),  # letterlike symbols, including those missing from the mathematical alphabets
        range(0x02B0, 0x02B9),  # raised
        range(0x02E0, 0x02E5),
        range(0x1D2C, 0x1D6B),
        range(0x1D9B, 0x1DC0),
        range(0x2071, 0x209D),  # raised and lowered
        range(0x1F130, 0x1F14A),  # in squares
    ]
    table = dict(zip(map(ord, "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ"), map(ord, "abcdefghijklmnoprstuvwyz"), strict=True))
    for codes in ranges:
        for code in codes:
            plain = unicodedata.normalize("NFKC", chr(code)).strip("()")
            if len(plain) == 1 and plain.isascii() and plain.isalnum():
                table[code] = ord(plain)
    # A raised digit is the mark of a note or a power.
    table = {code: letter for code, letter in table.items() if not 0x2070 <= code < 0x2090}
    table[0x2071], table[0x207F] = ord("i"), ord("n")
    for start in (0x1F150, 0x1F170):  # white on black circles and squares
        table.update({start + number: ord("A") + number for number in range(26)})
    return table


_DRESSED = _dressed()

FEWEST_MIXED = 5
"""Words with look-alikes and Latin letters from which every letter that looks Latin is taken for a Latin one."""
LOOKALIKES = "".join(map(chr, sorted({*_MIXED, *_DRESSED})))
"""All letters that may be replaced."""

_WORD = re.compile("[\\w\u249c-\u24e9\U0001f130-\U0001f189]+")
_LATIN_LETTER = re.compile("[A-Za-z]")
_SMALL_GREEK_INSIDE = re.compile(f"[a-z](?:[{''.join(map(chr, _GREEK_SMALL))}]+[a-z]+)+")


def undress(word: str) -> str:
    """Return a word with decorated letters replaced by plain ones. A single letter remains a symbol."""
    plain = word.translate(_DRESSED)
    return plain if len(word) > 1 else word


def latinise(word: str) -> str:
    """Return a word with look-alikes replaced by Latin letters, if its other letters are Latin."""
    if not _LATIN_LETTER.search(word):
        return word
    table = _MIXED if _SMALL_GREEK_INSIDE.search(word) else _WITHOUT_GREEK_SMALL
    latin = word.translate(table)
    return latin if all(_is_latin(ord(letter)) for letter in latin) else word


def _is_latin(code: int) -> bool:
    """Return whether a code point can be part of a Latin word: a letter up to Latin Extended-B, or a digit."""
    return code < 0x0250 or 0x1E00 <= code < 0x1F00


def replace_lookalikes(text: str) -> tuple[str, int]:
    """Return the text with look-alikes replaced one for one, and the number of words that had any.

    Words that consist of look-alikes only ("а" for "a"), and single letters, are replaced if mixed words show that
    letters were swapped and hardly anything is in another alphabet.
    """
    mixed = foreign = 0

    def plain(match: re.Match[str]) -> str:
        nonlocal mixed, foreign
        word = match.group()
        if word.isascii():
            return word
        latin = latinise(undress(word))
        mixed += latin != word
        foreign += not all(_is_latin(ord(letter)) for letter in _plainest(latin))
        return latin

    replaced = _WORD.sub(plain, text)
    if mixed == 0 or foreign * 10 > mixed:
        return replaced, mixed
    whole = 0

    def wholly(match: re.Match[str]) -> str:
        nonlocal whole
        word = match.group()
        latin = _plainest(word) if mixed >= FEWEST_MIXED else word.translate(_CYRILLIC)
        if latin == word or not latin.isascii():
            return word
        whole += 1
        return latin

    replaced = _WORD.sub(wholly, replaced)
    return replaced, mixed + whole


def _plainest(word: str) -> str:
    return word.translate(_DRESSED).translate(_MIXED)

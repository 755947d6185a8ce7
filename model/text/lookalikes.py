"""Letters that only look Latin: other alphabets' letters inside Latin words, letters dressed up as symbols.

Evaders swap a few letters of a word for Cyrillic or Greek ones so that no dictionary knows it; the web
dresses whole words in fullwidth, mathematical or circled letters. Words wholly in another alphabet are left
alone, and so are words where Greek stands for itself ("TNFα", "NFκB").
"""

from __future__ import annotations

import re
import unicodedata

_CYRILLIC = str.maketrans(
    "абеорсухіјѕһԁԛԝӏвкмнтгАВЕЅІЈКМНОРСТУХҮԌԚԜӀҺ",
    "a6eopcyxijshdqwlBkmhtrABESIJKMHOPCTYXYGQWIh",
)
# Lower-case Cyrillic letters that look like capitals or digits are no likeness inside a Latin word.
for _letter in "бвкмнтг":
    del _CYRILLIC[ord(_letter)]

_GREEK_CAPITALS = str.maketrans("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹϳ\u037f", "ABEZHIKMNOPTYXCjJ")
_GREEK_SMALL = str.maketrans("αικνορυϲϱ", "aikvopucp")
_OTHER = str.maketrans("ɑɡոսօցհԼՕՏ", "agnuoqhLOS")

_MIXED = _CYRILLIC | _GREEK_CAPITALS | _GREEK_SMALL | _OTHER
"""What the letter looks like, for letters that count only inside a word with Latin letters."""

_WITHOUT_GREEK_SMALL = {code: latin for code, latin in _MIXED.items() if code not in _GREEK_SMALL}


def _dressed() -> dict[int, int]:
    """Return the plain letter or digit of each that Unicode holds in a decorated form as well."""
    ranges = [
        range(0xFF10, 0xFF5B),  # fullwidth
        range(0x1D400, 0x1D800),  # mathematical
        range(0x24B6, 0x24EA),  # circled
        range(0x2100, 0x2150),  # letterlike, among them the holes of the mathematical alphabets
    ]
    table = dict(zip(map(ord, "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ"), map(ord, "abcdefghijklmnoprstuvwyz"), strict=True))
    for codes in ranges:
        for code in codes:
            plain = unicodedata.normalize("NFKC", chr(code))
            if len(plain) == 1 and plain.isascii() and plain.isalnum():
                table[code] = ord(plain)
    return table


_DRESSED = _dressed()

_WORD = re.compile("[\\w\u24b6-\u24e9]+")
_LATIN_LETTER = re.compile("[A-Za-z]")
_SMALL_GREEK_INSIDE = re.compile(f"[a-z](?:[{''.join(map(chr, _GREEK_SMALL))}]+[a-z]+)+")


def undress(word: str) -> str:
    """Return the word in plain letters where it is spelt in decorated ones; a lone letter stays a symbol."""
    plain = word.translate(_DRESSED)
    return plain if len(word) > 1 else word


def latinise(word: str) -> str:
    """Return the word with look-alike letters replaced by the Latin ones, if the rest of it is Latin."""
    if not _LATIN_LETTER.search(word):
        return word
    table = _MIXED if _SMALL_GREEK_INSIDE.search(word) else _WITHOUT_GREEK_SMALL
    latin = word.translate(table)
    return latin if all(_is_latin(ord(letter)) for letter in latin) else word


def _is_latin(code: int) -> bool:
    """Return whether the code point belongs in a Latin word: a letter up to Latin Extended-B, or a digit."""
    return code < 0x0250 or 0x1E00 <= code < 0x1F00


def replace_lookalikes(text: str) -> tuple[str, int]:
    """Return the text with look-alikes made Latin, character for character, and how many words had any.

    Words spelt wholly in look-alikes ("а" for "a") are made Latin only where mixed words show that somebody
    swaps letters and hardly anything is in another alphabet.
    """
    mixed = foreign = 0

    def plain(match: re.Match[str]) -> str:
        nonlocal mixed, foreign
        word = match.group()
        if word.isascii():
            return word
        latin = latinise(undress(word))
        mixed += latin != word
        foreign += not all(_is_latin(ord(letter)) for letter in latin.translate(_MIXED))
        return latin

    replaced = _WORD.sub(plain, text)
    if mixed == 0 or foreign * 10 > mixed:
        return replaced, mixed
    whole = 0

    def wholly(match: re.Match[str]) -> str:
        nonlocal whole
        word = match.group()
        latin = word if word.isascii() else word.translate(_CYRILLIC)
        if latin == word or not latin.isascii():
            return word
        whole += 1
        return latin

    replaced = _WORD.sub(wholly, replaced)
    return replaced, mixed + whole

"""Undoes what encodings, web pages, printing and evaders do to text, and keeps track of where each character came from.

It repairs mojibake ("donâ€™t"), HTML entities, look-alike letters of other alphabets inside Latin words, zero-width
characters, control characters, ligatures, odd spaces and decomposed accents, and it calls the modules that remove
markup, additions and layouts. It leaves alone what people write on
purpose: curly quotes, dashes, accents, emoji, "AT&T", "a<b", and words wholly in another script.
"""

from __future__ import annotations

import html
import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from typing import Any

import ftfy
import numpy as np
from ftfy.badness import is_bad
from numpy.typing import NDArray

from unspun.model.text.additions import remove_additions, remove_tags
from unspun.model.text.characters import TABLE_SIZE, code_points
from unspun.model.text.edits import Editor, TextEdit
from unspun.model.text.layouts.pages import mark_soft_hyphens
from unspun.model.text.layouts.undo import undo_layouts
from unspun.model.text.lookalikes import LOOKALIKES, replace_lookalikes
from unspun.model.text.markup import strip_markup, strip_noise
from unspun.model.text.respelling import restore_ligatures, undisguise
from unspun.model.text.spacing import BLANKS, join_spaced_letters, restore_blanks, restore_spaces


def repair(text: str) -> Editor:
    """Repair a text, in time linear in its length. Text without damage is returned unchanged.

    The result counts the repairs by kind; `REPAIRS` in `unspun.model.wording` names the kinds.
    """
    editor = Editor(text)
    if not _is_clean(text):
        for step in _STEPS:
            step(editor)
    _decode_escapes(editor)
    restore_spaces(editor)
    remove_tags(editor)
    strip_markup(editor)
    undo_layouts(editor)
    remove_additions(editor)
    strip_noise(editor)
    join_spaced_letters(editor)
    undisguise(editor)
    return editor


def _is_clean(text: str) -> bool:
    """Return whether there is nothing to repair. Takes a few nanoseconds per character."""
    if text.isascii():
        return not text.encode("ascii").translate(None, _CLEAN_ASCII)
    characters = code_points(text)
    trouble = _trouble_table().take(characters, mode="clip")
    if (trouble & _TROUBLE).any() or (trouble[:-1] & _MANGLED_FIRST & (trouble[1:] << 1)).any():
        return False
    return not (characters > 0xFFFF).any() or _ASTRAL_TROUBLE.isdisjoint(text)


@cache
def _trouble_table() -> NDArray[np.uint8]:
    """Return for each code point of the Basic Multilingual Plane the damage that it can indicate, shape (65536,)."""
    table = np.zeros(TABLE_SIZE, dtype=np.uint8)
    plane = "".join(map(chr, range(TABLE_SIZE)))
    table[[match.start() for match in _TROUBLE_RE.finditer(plane)]] |= _TROUBLE
    table[128:] |= _MANGLED_FIRST | _MANGLED_SECOND
    table[[ord(character) for character in _MET_IN_PRINT]] &= ~_MANGLED_FIRST
    return table


# Characters without width: soft hyphen, joiners, direction marks, byte order mark, variation selectors, tags.
_ZERO_WIDTH_EARLY = (
    "\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e01ef"
)
_OVERLAYS = "\u0334-\u0338"
_SPACES = "\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_NEWLINES = "\x0b\x0c\u2028\u2029"
_LIGATURES = "\ufb00-\ufb06"
_ACCENTS = "\u0300-\u036f\u3099\u309a"
_OTHER_LETTERS = re.escape(LOOKALIKES)
# UTF-8 that was read as a single-byte encoding becomes pairs of characters outside ASCII. Quotes, dashes and the like
# are also neighbours in undamaged text. "Ã " and "Â " remain where a non-breaking space became a plain one.
_MET_IN_PRINT = "\u2018\u2019\u201c\u201d\u2013\u2014\u2026\u2022\u00a0"
_MANGLED = f"[^\x00-\x7f{_MET_IN_PRINT}][^\x00-\x7f]|[\u00c2\u00c3] |[\x80-\x9f]"

_CLEAN_ASCII = bytes({*b"\t\n", *range(0x20, 0x7F)} - {*b"&"})
_TROUBLE, _MANGLED_SECOND, _MANGLED_FIRST = np.uint8(1), np.uint8(2), np.uint8(4)
_TROUBLE_RE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f&\u00ad\u00c2\u00c3\ufffd"
    f"{BLANKS}{_ZERO_WIDTH_EARLY}{_SPACES}{_NEWLINES}{_LIGATURES}{_ACCENTS}{_OTHER_LETTERS}\uff01-\uff5e\u3001\u3002]"
)
_ASTRAL_TROUBLE = {*(one for one in LOOKALIKES if one > "\uffff"), *map(chr, range(0xE0000, 0xE01F0))}
_ZERO_WIDTH_EARLY_RE = re.compile(f"[{_ZERO_WIDTH_EARLY}{_OVERLAYS}]|(?<=[A-Za-z])\u00ad")
_ZERO_WIDTH_RE = re.compile(f"[\u00ad{_ZERO_WIDTH_EARLY}{_OVERLAYS}]")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_MANGLED_RE = re.compile(_MANGLED)
_MANGLED_RUN = re.compile("[^\x00-\x7f]+(?:(?<=[\u00c2\u00c3]) )?")
_LOST_QUOTE = re.compile("\u00e2\u20ac(?![^\x00-\x7f])")
_LOST_APOSTROPHE = re.compile("(?<=[A-Za-z])\ufffd(?=(?:s|t|m|d|re|ve|ll)(?![A-Za-z]))")
_C1 = re.compile("[\x80-\x9f]")
_CARRIAGE_RETURN = re.compile("\r\n")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f]")
_TO_NEWLINE = re.compile("[\r\x0b\u2028\u2029]")
_LOOKALIKES = frozenset(LOOKALIKES)  # far faster than a character class of a thousand letters
_SPACE = re.compile(f"[{_SPACES}]")
_LIGATURE = re.compile(f"[{_LIGATURES}]")
# No alphabet stacks more than eight marks. Without a limit, sorting them takes quadratic time.
_ACCENTED = re.compile(f"[^{_ACCENTS}\n][{_ACCENTS}]{{1,8}}")

_WIDE_SIGNS = {chr(0xFEE0 + code): chr(code) for code in range(0x21, 0x7F) if not chr(code).isalnum()}
_WIDE_SIGNS |= {"\u3002": ".", "\u3001": ",", "\uff61": ".", "\uff64": ","}
_WIDE_SIGN = re.compile(f"[{re.escape(''.join(_WIDE_SIGNS))}]")
_QUOTED_PRINTABLE = re.compile(r"(?:=[0-9A-F]{2})+|(?<!=)=\n")
_EXCEL = re.compile("_x([0-9A-F]{4})_")
# Two escapes for one character, such as an emoji, are decoded together.
_JSON = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\[nrt\"'/\\]")
FEWEST_ESCAPES = 3
"""Escapes of JSON from which a text is a string that was not decoded."""

_C1_AS_WINDOWS_1252 = {
    code: bytes([code]).decode("windows-1252", "replace").replace("\ufffd", " ") for code in range(0x80, 0xA0)
}
_TO_SPACE = dict.fromkeys([0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000], " ")


def _remove_zero_width(work: Editor, pattern: re.Pattern[str]) -> None:
    """Remove characters without width. Those next to Latin letters and digits, where no language needs them, count."""
    if work.text.isascii() or not pattern.search(work.text):
        return
    characters = code_points(work.text)
    removed = np.zeros(characters.size, dtype=np.bool_)
    removed[[match.start() for match in pattern.finditer(work.text)]] = True
    places = np.arange(characters.size)
    base = np.maximum.accumulate(np.where(removed, 0, places))
    latin = ((characters | 0x20) >= ord("a")) & ((characters | 0x20) <= ord("z"))
    latin |= (characters >= ord("0")) & (characters <= ord("9"))
    after_latin = latin[base]
    # A stroke through a Latin letter is removed as well, but through "=" it makes another sign.
    overlay = (characters >= ord(_OVERLAYS[0])) & (characters <= ord(_OVERLAYS[-1]))
    removed &= after_latin | ~overlay
    before_latin = np.append(latin[1:], False)
    work.count("zero_width", int(np.count_nonzero(removed & (after_latin | before_latin))))
    if removed.any():
        work.keep(~removed)


def _remove_early_zero_width(work: Editor) -> None:
    """Remove zero-width characters, which may hide other damage.

    A soft hyphen is kept for now unless it follows a plain letter, because it may be half of a mangled letter.
    """
    _remove_zero_width(work, _ZERO_WIDTH_EARLY_RE)


def _remove_late_zero_width(work: Editor) -> None:
    """Remove zero-width characters that decoding revealed, such as a byte order mark that was itself mangled."""
    _remove_zero_width(work, _ZERO_WIDTH_RE)


def _decode_entities(work: Editor) -> None:
    """Decode HTML entities, including those that were encoded twice ("&amp;amp;")."""
    for _ in range(3):
        found = 0
        if "&" in work.text:
            found = work.replace(_entities(work.text))
        if found == 0:
            return
        work.count("entity", found)


def _entities(text: str) -> Iterator[TextEdit]:
    for match in _ENTITY.finditer(text):
        decoded = html.unescape(match.group())
        if decoded != match.group():
            yield TextEdit(match.start(), match.end(), decoded or " ")


def _decode_mojibake(work: Editor) -> None:
    """Decode text that was read in the wrong encoding, run by run, so that offsets are known for each character."""
    text = work.text
    if text.isascii():
        return
    if _MANGLED_RE.search(text) and is_bad(text):
        work.count("mojibake", work.replace(_mojibake(text)))
        if "mojibake" in work.counts:
            lost = (TextEdit(*match.span(), '"') for match in _LOST_QUOTE.finditer(work.text))
            work.count("mojibake", work.replace(lost))
    lost = (TextEdit(*match.span(), "'") for match in _LOST_APOSTROPHE.finditer(work.text))
    work.count("mojibake", work.replace(lost))
    work.substitute(_C1, _C1_AS_WINDOWS_1252, "mojibake")


def _mojibake(text: str) -> Iterator[TextEdit]:
    """Yield the correction of each run of characters outside ASCII that ftfy is sure is mangled."""
    for match in _MANGLED_RUN.finditer(text):
        start, end = match.span()
        run = match.group()
        fixed, lengths = _decode_short(run) if len(run) <= 16 else _decode(run)
        if fixed != run:
            yield TextEdit(start, end, fixed, lengths)


def _decode(run: str) -> tuple[str, list[int] | None]:
    """Return the decoded run, and the number of its characters that each decoded one came from, if known."""
    fixed, explanation = ftfy.fix_encoding_and_explain(run)
    return fixed, None if fixed == run else _decoded_lengths(run, fixed, explanation)


# A few runs are very frequent, such as "â€™" in contractions.
_decode_short = lru_cache(maxsize=4096)(_decode)


def _decoded_lengths(run: str, fixed: str, steps: list[Any] | None) -> list[int] | None:
    """Return the number of characters that each decoded one came from; None if ftfy did more than decode."""
    lengths = [1] * len(run)
    text = run
    for step in steps or ():
        if step[0] == "encode":
            encoded = text.encode(step[1])
            if len(encoded) != len(text):
                return None
        elif step[0] == "decode":
            text = encoded.decode(step[1])
            sizes = [len(letter.encode("utf-8")) if step[1] == "utf-8" else 1 for letter in text]
            if sum(sizes) != len(lengths):
                return None
            edges = np.cumsum([0, *sizes])
            lengths = np.add.reduceat(lengths, edges[:-1]).tolist()
        else:
            return None
    return lengths if text == fixed else None


def _normalise_controls(work: Editor) -> None:
    """Replace every kind of line end with a newline, and other control characters with spaces.

    Form feeds stay, because `layouts` needs to know where pages end.
    """
    if "\r\n" in work.text:
        kept = np.ones(len(work.text), dtype=np.bool_)
        kept[[match.start() for match in _CARRIAGE_RETURN.finditer(work.text)]] = False
        work.keep(kept)
    work.substitute(_TO_NEWLINE, dict.fromkeys(map(ord, "\r\x0b\u2028\u2029"), "\n"), None)
    controls = [*range(0x09), *range(0x0E, 0x20), 0x7F]
    work.substitute(_CONTROL, dict.fromkeys(controls, " "), "control")


def _compose_accents(work: Editor) -> None:
    """Compose letters with the accents that follow them, if Unicode has them as one character."""
    if not work.text.isascii() and _ACCENTED.search(work.text):
        work.count("accent", work.replace(_composed(work.text)))


def _composed(text: str) -> Iterator[TextEdit]:
    for match in _ACCENTED.finditer(text):
        composed = unicodedata.normalize("NFC", match.group())
        if len(composed) < len(match.group()):
            yield TextEdit(*match.span(), composed)


def _replace_homoglyphs(work: Editor) -> None:
    if not work.text.isascii() and not _LOOKALIKES.isdisjoint(work.text):
        work.text, words = replace_lookalikes(work.text)
        work.count("homoglyph", words)


def _expand_ligatures(work: Editor) -> None:
    if not work.text.isascii():
        found = (
            TextEdit(match.start(), match.end(), unicodedata.normalize("NFKC", match.group()))
            for match in _LIGATURE.finditer(work.text)
        )
        work.count("ligature", work.replace(found))


def _normalise_spaces(work: Editor) -> None:
    """Replace non-breaking, thin and wide spaces with plain ones."""
    if not work.text.isascii():
        work.substitute(_SPACE, _TO_SPACE, "space")


def _normalise_punctuation(work: Editor) -> None:
    """Replace full-width and ideographic punctuation in Latin text."""
    if not work.text.isascii() and _WIDE_SIGN.search(work.text):
        plain = sum(letter.isascii() for letter in work.text if letter.isalpha())
        if 2 * plain > sum(map(str.isalpha, work.text)):
            edits = (TextEdit(*match.span(), _wide_sign(match)) for match in _WIDE_SIGN.finditer(work.text))
            work.count("homoglyph", work.replace(edits))


def _wide_sign(match: re.Match[str]) -> str:
    """Return the ASCII sign, with a space after it where the wide one is a letter's width from the next word."""
    sign = _WIDE_SIGNS[match[0]]
    return f"{sign} " if sign in ",.;:!?)" and match.string[match.end() : match.end() + 1].isalnum() else sign


def _decode_escapes(editor: Editor) -> None:
    """Decode the escapes of mail (quoted-printable), of Excel ("_x000D_") and of JSON strings that were not decoded."""
    if "=" in editor.text and ("=\n" in editor.text or "=E2=80" in editor.text):
        editor.count("entity", editor.replace(_quoted_printable(editor.text)))
    if "_" in editor.text and "_x000" in editor.text:
        signs = (TextEdit(*match.span(), chr(int(match[1], 16))) for match in _EXCEL.finditer(editor.text))
        editor.count("entity", editor.replace(signs))
        editor.substitute(_TO_NEWLINE, dict.fromkeys(map(ord, "\r\x0b\x0c\u2028\u2029"), "\n"), None)
    if "\\" in editor.text:
        found = [TextEdit(*match.span(), _json(match)) for match in _JSON.finditer(editor.text)]
        # Programs have such escapes as well, but they have more lines.
        if len(found) >= FEWEST_ESCAPES and len(found) > editor.text.count("\n"):
            editor.count("entity", editor.replace(found))


def _quoted_printable(text: str) -> Iterator[TextEdit]:
    for match in _QUOTED_PRINTABLE.finditer(text):
        code = match.group().replace("=\n", "").replace("=", "")
        try:
            yield TextEdit(*match.span(), bytes.fromhex(code).decode("utf-8"))
        except UnicodeDecodeError:
            continue


def _json(match: re.Match[str]) -> str:
    # JSON does not escape apostrophes, but other languages do.
    return "'" if match.group() == "\\'" else str(json.loads(f'"{match.group()}"'))


_STEPS: tuple[Callable[[Editor], None], ...] = (
    restore_blanks,
    mark_soft_hyphens,
    _remove_early_zero_width,
    _decode_entities,
    restore_ligatures,
    _remove_early_zero_width,
    _decode_mojibake,
    _remove_late_zero_width,
    _normalise_controls,
    _compose_accents,
    _replace_homoglyphs,
    _expand_ligatures,
    _normalise_spaces,
    _normalise_punctuation,
)

"""Undoes what encodings, web pages and evaders do to text, and keeps track of where each character came from.

It repairs mojibake ("donâ€™t"), HTML entities, look-alike letters of other alphabets inside Latin words, zero-width
characters, control characters, ligatures, odd spaces and decomposed accents. It leaves alone what people write on
purpose: curly quotes, dashes, accents, emoji, "AT&T", "a<b", and words wholly in another script.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import ftfy
import numpy as np
from ftfy.badness import is_bad
from numpy.typing import NDArray

from unspun.model.text.characters import TABLE_SIZE, code_points, to_text
from unspun.model.text.lookalikes import replace_lookalikes


@dataclass(frozen=True, eq=False, slots=True)
class OffsetMap:
    """Maps character i of a repaired text to the span [start[i], end[i]) of the text as submitted."""

    start: NDArray[np.int32]
    end: NDArray[np.int32]

    def then(self, later: OffsetMap) -> OffsetMap:
        """Return the map of a later repair, composed with this one so that it refers to the text as submitted."""
        return OffsetMap(self.start[later.start], self.end[later.end - 1])


@dataclass(frozen=True, eq=False, slots=True)
class Repaired:
    """A repaired text.

    Attributes:
        text: the repaired text.
        counts: number of repairs by kind: "mojibake", "entity", "homoglyph", "zero_width", "control", "ligature",
            "space", "accent".
        offsets: maps characters to the text as submitted; None if all are still at the same offset.
    """

    text: str
    counts: dict[str, int]
    offsets: OffsetMap | None


class TextEdit(NamedTuple):
    """Replaces text[start:end] with `text`; `lengths` are the old characters that each new one came from, if known."""

    start: int
    end: int
    text: str
    lengths: list[int] | None = None


def repair(text: str) -> Repaired:
    """Repair a text, in time linear in its length. Text without damage is returned unchanged."""
    if _is_clean(text):
        return Repaired(text, {}, None)
    work = _Work(text)
    for step in _STEPS:
        step(work)
    return Repaired(work.text, work.counts, work.offsets)


def _is_clean(text: str) -> bool:
    """Return whether there is nothing to repair. Takes a few nanoseconds per character."""
    if text.isascii():
        return not text.encode("ascii").translate(None, _CLEAN_ASCII)
    characters = code_points(text)
    trouble = _trouble_table().take(characters, mode="clip")
    if (trouble & _TROUBLE).any() or (trouble[:-1] & _MANGLED_FIRST & (trouble[1:] << 1)).any():
        return False
    return not (characters > 0xFFFF).any() or not _ASTRAL_TROUBLE.search(text)


@cache
def _trouble_table() -> NDArray[np.uint8]:
    """Return for each code point of the Basic Multilingual Plane the damage that it can indicate, shape (65536,)."""
    table = np.zeros(TABLE_SIZE, dtype=np.uint8)
    plane = "".join(map(chr, range(TABLE_SIZE)))
    table[[match.start() for match in _TROUBLE_RE.finditer(plane)]] |= _TROUBLE
    table[128:] |= _MANGLED_FIRST | _MANGLED_SECOND
    table[[ord(character) for character in _MET_IN_PRINT]] &= ~_MANGLED_FIRST
    return table


class _Work:
    """A text that is being repaired: the text so far, its offsets, and the counts of repairs."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.offsets: OffsetMap | None = None
        self.counts: dict[str, int] = {}

    def count(self, kind: str, number: int) -> None:
        """Add to the number of repairs of a kind."""
        if number:
            self.counts[kind] = self.counts.get(kind, 0) + number

    def substitute(self, pattern: re.Pattern[str], table: Mapping[int, str], kind: str | None) -> None:
        """Replace single characters with single characters."""
        if pattern.search(self.text):
            if kind is not None:
                self.count(kind, sum(1 for _ in pattern.finditer(self.text)))
            self.text = self.text.translate(table)

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Remove all characters that are not `kept` (C,)."""
        start = np.flatnonzero(kept).astype(np.int32)
        self._take(to_text(code_points(self.text)[kept]), OffsetMap(start, start + np.int32(1)))

    def replace(self, edits: Iterable[TextEdit]) -> int:
        """Apply edits, which must be in order and must not overlap. Return their number."""
        pieces: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        places: list[tuple[int, int, int]] = []
        done = 0
        for one in edits:
            pieces += [self.text[done : one.start], one.text]
            edges = _edges(one)
            starts += edges[:-1]
            ends += [max(a + 1, b) for a, b in pairwise(edges)]
            places.append((one.start, one.end, len(one.text)))
            done = one.end
        if places:
            pieces.append(self.text[done:])
            self._take("".join(pieces), _offsets(len(self.text), places, starts, ends))
        return len(places)

    def _take(self, text: str, later: OffsetMap) -> None:
        self.text = text
        self.offsets = later if self.offsets is None else self.offsets.then(later)


def _edges(edit: TextEdit) -> list[int]:
    """Return the offset at which each new character of an edit starts in the old text, and the end of the last one.

    If the lengths are unknown, the old passage is divided evenly, so that tokens inside it do not overlap.
    """
    if edit.lengths is not None:
        return list(accumulate(edit.lengths, initial=edit.start))
    span = edit.end - edit.start
    size = max(len(edit.text), 1)
    return [edit.start + number * span // size for number in range(len(edit.text) + 1)]


def _offsets(length: int, places: list[tuple[int, int, int]], starts: list[int], ends: list[int]) -> OffsetMap:
    """Return the offset map of a text's edits.

    Args:
        length: length of the old text.
        places: start, end and new length of each edit.
        starts, ends: the span in the old text of each new character.
    """
    first, last, size = np.array(places, dtype=np.int64).T
    new_first = first + np.cumsum(size - (last - first)) - (size - (last - first))
    kept = _outside(length, first, last)
    new_length = kept.size + len(starts)
    new_kept = _outside(new_length, new_first, new_first + size)
    start = np.empty(new_length, dtype=np.int32)
    end = np.empty(new_length, dtype=np.int32)
    replaced = np.ones(new_length, dtype=np.bool_)
    replaced[new_kept] = False
    start[new_kept], end[new_kept] = kept, kept + 1
    start[replaced], end[replaced] = starts, ends
    return OffsetMap(start, end)


def _outside(length: int, first: NDArray[np.int64], last: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the positions below `length` that are outside all spans."""
    change = np.zeros(length + 1, dtype=np.int32)
    np.add.at(change, first, 1)
    np.add.at(change, last, -1)
    return np.flatnonzero(np.cumsum(change[:-1]) == 0)


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
_OTHER_LETTERS = (
    "\u0251\u0261\u0370-\u03ff\u0400-\u058f\u13a0-\u13ff\u1d00-\u1d2f\u2100-\u214f\u24b6-\u24e9\ua730\ua731"
    "\uff10-\uff5a\U0001d400-\U0001d7ff"
)
# UTF-8 that was read as a single-byte encoding becomes pairs of characters outside ASCII. Quotes, dashes and the like
# are also neighbours in undamaged text. "Ã " and "Â " remain where a non-breaking space became a plain one.
_MET_IN_PRINT = "\u2018\u2019\u201c\u201d\u2013\u2014\u2026\u2022\u00a0"
_MANGLED = f"[^\x00-\x7f{_MET_IN_PRINT}][^\x00-\x7f]|[\u00c2\u00c3] |[\x80-\x9f]"

_CLEAN_ASCII = bytes({*b"\t\n", *range(0x20, 0x7F)} - {*b"&"})
_TROUBLE, _MANGLED_SECOND, _MANGLED_FIRST = np.uint8(1), np.uint8(2), np.uint8(4)
_TROUBLE_RE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f&\u00ad\u00c2\u00c3\ufffd"
    f"{_ZERO_WIDTH_EARLY}{_SPACES}{_NEWLINES}{_LIGATURES}{_ACCENTS}{_OTHER_LETTERS}]"
)
_ASTRAL_TROUBLE = re.compile("[\U0001d400-\U0001d7ff\U000e0000-\U000e01ef]")
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
_TO_NEWLINE = re.compile("[\r\x0b\x0c\u2028\u2029]")
_OTHER_LETTERS_RE = re.compile(f"[{_OTHER_LETTERS}]")
_SPACE = re.compile(f"[{_SPACES}]")
_LIGATURE = re.compile(f"[{_LIGATURES}]")
# No alphabet stacks more than eight marks. Without a limit, sorting them takes quadratic time.
_ACCENTED = re.compile(f"[^{_ACCENTS}\n][{_ACCENTS}]{{1,8}}")

_C1_AS_WINDOWS_1252 = {
    code: bytes([code]).decode("windows-1252", "replace").replace("\ufffd", " ") for code in range(0x80, 0xA0)
}
_TO_SPACE = dict.fromkeys([0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000], " ")


def _remove_zero_width(work: _Work, pattern: re.Pattern[str]) -> None:
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


def _remove_early_zero_width(work: _Work) -> None:
    """Remove zero-width characters, which may hide other damage.

    A soft hyphen is kept for now unless it follows a plain letter, because it may be half of a mangled letter.
    """
    _remove_zero_width(work, _ZERO_WIDTH_EARLY_RE)


def _remove_late_zero_width(work: _Work) -> None:
    """Remove zero-width characters that decoding revealed, such as a byte order mark that was itself mangled."""
    _remove_zero_width(work, _ZERO_WIDTH_RE)


def _decode_entities(work: _Work) -> None:
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


def _decode_mojibake(work: _Work) -> None:
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


def _normalise_controls(work: _Work) -> None:
    """Replace every kind of line end with a newline, and other control characters with spaces."""
    if "\r\n" in work.text:
        kept = np.ones(len(work.text), dtype=np.bool_)
        kept[[match.start() for match in _CARRIAGE_RETURN.finditer(work.text)]] = False
        work.keep(kept)
    work.substitute(_TO_NEWLINE, dict.fromkeys(map(ord, "\r\x0b\x0c\u2028\u2029"), "\n"), None)
    controls = [*range(0x09), *range(0x0E, 0x20), 0x7F]
    work.substitute(_CONTROL, dict.fromkeys(controls, " "), "control")


def _compose_accents(work: _Work) -> None:
    """Compose letters with the accents that follow them, if Unicode has them as one character."""
    if not work.text.isascii() and _ACCENTED.search(work.text):
        work.count("accent", work.replace(_composed(work.text)))


def _composed(text: str) -> Iterator[TextEdit]:
    for match in _ACCENTED.finditer(text):
        composed = unicodedata.normalize("NFC", match.group())
        if len(composed) < len(match.group()):
            yield TextEdit(*match.span(), composed)


def _replace_homoglyphs(work: _Work) -> None:
    if not work.text.isascii() and _OTHER_LETTERS_RE.search(work.text):
        work.text, words = replace_lookalikes(work.text)
        work.count("homoglyph", words)


def _expand_ligatures(work: _Work) -> None:
    if not work.text.isascii():
        found = (
            TextEdit(match.start(), match.end(), unicodedata.normalize("NFKC", match.group()))
            for match in _LIGATURE.finditer(work.text)
        )
        work.count("ligature", work.replace(found))


def _normalise_spaces(work: _Work) -> None:
    """Replace non-breaking, thin and wide spaces with plain ones."""
    if not work.text.isascii():
        work.substitute(_SPACE, _TO_SPACE, "space")


_STEPS: tuple[Callable[[_Work], None], ...] = (
    _remove_early_zero_width,
    _decode_entities,
    _remove_early_zero_width,
    _decode_mojibake,
    _remove_late_zero_width,
    _normalise_controls,
    _compose_accents,
    _replace_homoglyphs,
    _expand_ligatures,
    _normalise_spaces,
)

"""Restores the case of texts in capitals, in Title Case or in lower case, as far as the words tell.

Names, sentences and headings are recognised by capitals. Where a writer or an evader changed the case of most words,
each word gets the case that people usually give it in the middle of a sentence (truecasing: Lita et al. 2003).
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from unspun.model.text.characters import TABLE_SIZE, CharacterClass, classify
from unspun.model.text.sentences import TERMINATORS, is_among
from unspun.model.text.tokens import Shape, TokenClass, Tokens, shapes
from unspun.model.text.wordlists import usual_cases

FEWEST_CAPITALS, MOST_CAPITALS = 0.005, 0.055
"""Share of capitals among a text's letters outside of which its sentences are examined."""
FEWEST_WORDS = 40
"""Words that a text must have. A title is short, and a few words may just not need a capital."""
LOWER_WORDS = 0.97
"""Share of words in lower case from which a text is in lower case: few of its words would be names."""
LONGER = 6
"""Words of a line that may not just be a heading or a link."""
SENTENCE_SHARE = 0.2
"""Share of function words from which a line is part of a sentence, and not of a list of names or references."""
ODD_WORDS = 0.4
"""Share of a line's words in an unusual case from which the line is oddly cased: headlines have about half."""
ODD_LINES = 0.3
"""Share of the words in longer lines that must be in oddly cased ones for these lines to be restored."""
FEWEST_DIFFERENT = 4
"""Different words in an unusual case from which single words are restored."""
LONE_WORDS, LONE_CAPITALS = 0.15, 0.05
"""Shares of the words usually in lower case that must have a capital, or be in capitals, for single words to be
restored. In 99 of 100 human texts of ../shared/corpora at most 0.14 and 0.04 do, as parts of names."""


class _Case:
    """How a word is written, or usually written. The first four are the numbers in CASES."""

    LOWER: Final = 0
    CAPITAL: Final = 1
    CAPITALS: Final = 2
    MIXED: Final = 3
    UNKNOWN: Final = 4


def restore_case(
    characters: NDArray[np.uint32], tokens: Tokens, functions: NDArray[np.bool_], document_start: NDArray[np.int64]
) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Return the characters with the case of oddly cased sentences restored, and the number of words that changed.

    Args:
        characters: (C,) the code points of D documents. Lengths stay the same.
        tokens: their T tokens, whose shapes are updated in place.
        functions: (T,) which tokens are function words of English.
        document_start: (D + 1,) the first character of each document.

    Returns:
        The characters (C,), and the number of changed words of each document (D,).
    """
    size = document_start.size - 1
    changes = np.zeros(size, dtype=np.int64)
    suspects = _may_be_odd(tokens.classes, document_start).nonzero()[0]
    if not suspects.size:
        return characters, changes
    first = tokens.start.searchsorted(document_start[suspects])
    last = tokens.start.searchsorted(document_start[suspects + 1])
    restored = characters.copy()
    for number, begin, end in zip(suspects.tolist(), first.tolist(), last.tolist(), strict=True):
        changes[number] = _restore_document(restored, tokens, functions, begin, end)
    return restored, changes


def _may_be_odd(classes: NDArray[np.uint8], document_start: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which documents (D,) have unusually many or few capitals."""

    bounds = document_start.tolist()

    def count(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.array([np.count_nonzero(flags[a:b]) for a, b in pairwise(bounds)], dtype=np.int64)

    capitals = count(classes == CharacterClass.UPPER)
    letters = capitals + count(classes == CharacterClass.LOWER)
    odd: NDArray[np.bool_] = (capitals > MOST_CAPITALS * letters) | (capitals < FEWEST_CAPITALS * letters)
    return odd


def _restore_document(
    characters: NDArray[np.uint32], tokens: Tokens, functions: NDArray[np.bool_], begin: int, end: int
) -> int:
    """Restore the case of the tokens `begin` to `end` (not included), in place; return the number of changed words."""
    start, stop = tokens.start[begin:end], tokens.end[begin:end]
    word = tokens.token_class[begin:end] == TokenClass.WORD
    words = word.nonzero()[0]
    if words.size < FEWEST_WORDS:
        return 0
    hashes = tokens.hash[begin:end][words]
    usual = _usual_case(hashes)
    origin = start[0]
    written = _written_case(tokens.classes[origin : stop[-1]], start[words] - origin, stop[words] - origin)
    line, sentence = _lines_and_sentences(characters, start, stop, words)
    opens = np.diff(sentence, prepend=-1) > 0
    chosen = _oddly_cased(hashes, usual, written, functions[begin:end][words], line)
    wanted = _wanted_case(usual, written, opens)
    changed = np.flatnonzero(chosen & (wanted != written))
    lower, upper = _case_tables()
    for place in changed.tolist():
        a, b = int(start[words[place]]), int(stop[words[place]])
        capitals = {_Case.LOWER: 0, _Case.CAPITAL: 1, _Case.CAPITALS: b - a}[wanted[place]]
        for table, part in ((lower, slice(a + capitals, b)), (upper, slice(a, a + capitals))):
            piece = characters[part]
            characters[part] = np.where(piece < TABLE_SIZE, table.take(piece, mode="clip"), piece)
    if changed.size:
        # Nothing outside the document's tokens matters to their shapes, except the space before the first one.
        first_shape = tokens.shape[begin] & Shape.SPACE_BEFORE
        tokens.shape[begin:end] = shapes(classify(characters[origin : stop[-1]]), start - origin, stop - origin)
        tokens.shape[begin] = (tokens.shape[begin] & ~Shape.SPACE_BEFORE) | first_shape
    return changed.size


def _oddly_cased(
    hashes: NDArray[np.uint64],
    usual: NDArray[np.uint8],
    written: NDArray[np.uint8],
    functions: NDArray[np.bool_],
    line: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Return which words (W,) of a document are to be restored: all, those of some lines, some words, or none."""
    if np.count_nonzero(written == _Case.LOWER) >= LOWER_WORDS * written.size:
        return np.ones(written.size, dtype=np.bool_)
    inside = (np.diff(line, prepend=-1) == 0) & (usual < _Case.MIXED)
    odd = np.bincount(line, weights=inside & (written != usual))
    odd_line = odd >= np.maximum(ODD_WORDS * np.bincount(line, weights=inside), 1)
    size = np.bincount(line)
    long = ((size >= LONGER) & (np.bincount(line, weights=functions) >= SENTENCE_SHARE * size))[line]
    chosen: NDArray[np.bool_] = odd_line[line]
    if np.count_nonzero(chosen & long) < max(ODD_LINES * np.count_nonzero(long), 1):
        chosen[:] = False
    # Single words of sentences that people write in lower case, and unknown ones in capitals.
    lower = long & (usual == _Case.LOWER) & (written != _Case.LOWER)
    in_capitals = long & ((written == _Case.CAPITALS) | (written == _Case.MIXED))
    plain = np.count_nonzero(inside & (usual == _Case.LOWER))
    # The same word again and again is an abbreviation, such as "GOT" and "WHO".
    for least, odd_words, restored in (
        (LONE_WORDS, lower, lower | (long & (usual >= _Case.MIXED))),
        (LONE_CAPITALS, lower & in_capitals, in_capitals & (usual != _Case.CAPITAL) & (usual != _Case.CAPITALS)),
    ):
        found = odd_words & inside
        if np.count_nonzero(found) > least * plain and np.unique(hashes[found]).size >= FEWEST_DIFFERENT:
            chosen |= restored
    return chosen


def _usual_case(hashes: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Return the usual _Case of words (W,)."""
    known, cases = usual_cases()
    place = np.minimum(known.searchsorted(hashes), known.size - 1)
    usual: NDArray[np.uint8] = np.where(known[place] == hashes, cases[place], np.uint8(_Case.UNKNOWN))
    return usual


def _written_case(classes: NDArray[np.uint8], start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return the _Case of each word (W,)."""
    running = np.zeros((2, classes.size + 1), dtype=np.int64)
    (classes == CharacterClass.UPPER).cumsum(out=running[0, 1:])
    (classes == CharacterClass.LOWER).cumsum(out=running[1, 1:])
    uppers, lowers = running[:, end] - running[:, start]
    capital = classes[start] == CharacterClass.UPPER
    case = np.full(start.size, _Case.MIXED, dtype=np.uint8)
    case[uppers == 0] = _Case.LOWER
    case[capital & (uppers == 1)] = _Case.CAPITAL
    case[(lowers == 0) & (uppers > 1)] = _Case.CAPITALS
    return case


def _lines_and_sentences(
    characters: NDArray[np.uint32], start: NDArray[np.int64], end: NDArray[np.int64], words: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the line and the sentence of each word (W,), numbered.

    A line is a sentence, or the part of it that is on one line; a sentence ends at a terminator or an empty line.
    """
    newlines = np.zeros(int(end[-1] - start[0]) + 1, dtype=np.int64)
    (characters[start[0] : end[-1]] == ord("\n")).cumsum(out=newlines[1:])
    breaks = np.append(newlines[start[1:] - start[0]] - newlines[end[:-1] - start[0]], 0)
    ended = is_among(characters[start], TERMINATORS)
    line: NDArray[np.int64] = (ended | (breaks > 0)).cumsum()
    sentence: NDArray[np.int64] = (ended | (breaks > 1)).cumsum()
    return line[words], sentence[words]


def _wanted_case(usual: NDArray[np.uint8], written: NDArray[np.uint8], opens: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the _Case that each word (W,) should have."""
    wanted = np.where(usual == _Case.MIXED, np.uint8(_Case.LOWER), usual)
    # Unknown words may be names, but a spinner's rare words must not pass for names.
    wanted[usual == _Case.UNKNOWN] = _Case.LOWER
    wanted[opens & (wanted == _Case.LOWER)] = _Case.CAPITAL
    return wanted


@cache
def _case_tables() -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Return the lower and the upper case of each code point of the Basic Multilingual Plane, shapes (65536,)."""

    def table(changed: list[str]) -> NDArray[np.uint32]:
        return np.array([ord(new) if len(new) == 1 else code for code, new in enumerate(changed)], dtype=np.uint32)

    plane = [chr(code) for code in range(TABLE_SIZE)]
    return table([one.lower() for one in plane]), table([one.upper() for one in plane])

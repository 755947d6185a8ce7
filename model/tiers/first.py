"""The first tier: settles most human text in a few passes over its bytes, before anything else is computed.

Its evidence is that of the quick signals. It can only say `clear`: a text with evidence above the limits, or one that
is not plain English prose, goes on to the fast tier.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from unspun.model.signals.quick import QuickSignals, weighted
from unspun.model.text.quick import QuickWords
from unspun.model.text.wordlists import read_sections
from unspun.model.tiers.deep import pool

SECTION = 290
"""Words of a section, punctuation marks included. Long texts are read in sections, like those of the fast tier."""
MOST_CHARACTERS = 200_000
"""Longer texts are left to the fast tier."""

LEAST_FUNCTION_WORDS = 0.32
"""Share of function words in each section of plain English prose. Other languages and lists have fewer."""
CAPITALS = (0.02, 0.3)
"""Shares of words with a capital. Text with fewer or more is left to the fast tier, which restores capitals."""
MOST_DIGITS, MOST_SIGNS, MOST_MARKUP = 0.1, 0.5, 0.07
"""Numbers, punctuation marks, and signs that are typical of markup and code, per word."""
MOST_LINES = 0.12
"""Line ends per word; more are typical of verse, lists and tables."""
LETTERS = (4.6, 7.3)
"""Bytes per word, with the space and the punctuation after it. Others are typical of spaced-out or joined words."""
MARGIN = 1.25
"""A text needs this many times the words that a verdict needs, because this tier does not know what is prose."""

_LOWER, _CAPITAL, _DIGIT, _MARK, _MARKUP, _CONTROL = range(6)
_ROLE = np.full(256, _MARK, dtype=np.uint8)
_ROLE[:32] = _ROLE[127] = _CONTROL
_ROLE[list(b"<>{}[]|\\^~#*_=@&+`/")] = _MARKUP
_ROLE[list(b"abcdefghijklmnopqrstuvwxyz")] = _LOWER
_ROLE[list(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")] = _CAPITAL
_ROLE[list(b"0123456789")] = _DIGIT
_ROLE[128:] = _LOWER
_UNUSUAL = re.compile(
    "[^\x00-\x7f\u00a1-\u00ac\u00ae-\u017f\u1e00-\u1eff"  # Latin
    "\u2010-\u2027\u2030-\u203a\u20ac\u2122\u2190-\u2bff"  # punctuation, arrows, mathematics
    "\u3001-\u303e\u3041-\u30ff\u3400-\u9fff\uac00-\ud7a3\U0001f300-\U0001faff]"  # East Asian scripts, emoji
    "|[\u00c2\u00c3\u00e2][\u0080-\u00bf\u20ac]"
)
"""Characters that may look like others in English text, or that come from a wrong encoding: the fast tier repairs them.
"""


@dataclass(frozen=True, eq=False)
class FirstLook:
    """What the first tier saw in D texts.

    Attributes:
        log_odds: (S, 6) log odds of the quick signals in each section.
        owner: (S,) the text of each section.
        words: (D,) words, without numbers and punctuation marks.
        plain: (D,) whether the text is plain English prose of sufficient length, the only text that this tier settles.
    """

    log_odds: NDArray[np.float64]
    owner: NDArray[np.int64]
    words: NDArray[np.int64]
    plain: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class FirstTier:
    """The tier: the weights (2, 3) of the quick signals; it settles texts whose rates are above `doubt` (3,)."""

    weights: NDArray[np.float64]
    doubt: NDArray[np.float64]

    def evidence(self, look: FirstLook) -> NDArray[np.float64]:
        """Return the evidence of each kind (D, 3) in texts."""
        return pool(weighted(look.log_odds, self.weights), look.owner, len(look.words))

    def settles(self, plain: NDArray[np.bool_], log_rates: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which texts (D,) are settled, of those that are `plain` (D,), given their log rates (D, 3)."""
        answer: NDArray[np.bool_] = plain & (log_rates > np.log(self.doubt)).all(axis=1)
        return answer


def look(signals: QuickSignals, texts: Sequence[str], minimum_words: int) -> FirstLook:
    """Read texts. Those of fewer than `minimum_words` words are never plain."""
    words = QuickWords.of([text[:MOST_CHARACTERS] for text in texts])
    ptr, owner = words.in_sections(SECTION)
    counts = _roles(words.first, ptr)
    spelt = counts[:, _LOWER] + counts[:, _CAPITAL]
    total = np.bincount(owner, weights=spelt, minlength=len(texts)).astype(np.int64)
    strange = np.bincount(owner[~_is_plain(words, ptr, counts)], minlength=len(texts)) > 0
    strange |= words.lines > MOST_LINES * total
    strange |= (words.size < LETTERS[0] * total) | (words.size > LETTERS[1] * total)
    strange |= total < MARGIN * minimum_words
    usual = [len(text) <= MOST_CHARACTERS and (text.isascii() or not _UNUSUAL.search(text)) for text in texts]
    return FirstLook(signals.log_odds(words, ptr), owner, total, ~strange & np.array(usual, dtype=np.bool_))


def _roles(first: NDArray[np.uint8], ptr: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many words of each role (S, 6) each section has."""
    section = np.repeat(np.arange(len(ptr) - 1) * (_CONTROL + 1), np.diff(ptr))
    size = (len(ptr) - 1) * (_CONTROL + 1)
    counts: NDArray[np.int64] = np.bincount(section + _ROLE[first], minlength=size).reshape(-1, _CONTROL + 1)
    return counts


def _is_plain(words: QuickWords, ptr: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which sections (S,) read like plain English prose."""
    spelt = counts[:, _LOWER] + counts[:, _CAPITAL]
    known = _function_words()[words.hashes >> np.uint64(48)]
    function = np.diff(np.concatenate([[0], np.cumsum(known)])[ptr])
    plain = function >= LEAST_FUNCTION_WORDS * spelt
    plain &= (counts[:, _CAPITAL] >= CAPITALS[0] * spelt) & (counts[:, _CAPITAL] <= CAPITALS[1] * spelt)
    plain &= counts[:, _DIGIT] <= MOST_DIGITS * spelt
    plain &= counts[:, _MARK] + counts[:, _MARKUP] <= MOST_SIGNS * spelt
    plain &= counts[:, _MARKUP] <= MOST_MARKUP * spelt
    answer: NDArray[np.bool_] = plain & (counts[:, _CONTROL] == 0)
    return answer


@cache
def _function_words() -> NDArray[np.bool_]:
    """Return for each value of a hash's upper 16 bits whether it is that of an English function word."""
    table = np.zeros(1 << 16, dtype=np.bool_)
    table[QuickWords.of([" ".join(read_sections("function_words.txt")["en"])]).hashes >> np.uint64(48)] = True
    return table

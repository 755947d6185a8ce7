"""When to give no verdict: too little text, another language, verse, no prose, or too many allowed terms.

Decided before any signal.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unspun.model.text.allowed import MOST_ALLOWED
from unspun.model.text.arrays import counts_between, steps
from unspun.model.text.document import Documents, Shape, TokenClass
from unspun.model.text.foreign import FEWEST_FOREIGN, LEAST_FOREIGN, MOST_OTHER_LETTERS, most_foreign
from unspun.model.text.sentences import TERMINATORS, is_among
from unspun.model.text.verse import FEWEST_ROWS, MOST_WORDS, is_verse
from unspun.model.verdict import Reason

LEAST_ENGLISH = 0.12
"""Share of English function words below which running text is not English.

English texts of 60 words or more have at least 0.19 in every corpus examined, including abstracts and spun text.
"""

FEWEST_FOR_SHARE = 40
"""Words from which a share that low is reliable."""

LEAST_PROSE = 0.2
"""Share of words in prose below which a text is a table, a list, or code with a caption."""

MOST_CODE = 0.4
"""Share of words outside prose above which a text is a program, if most of the lines outside prose are code."""

LEAST_WORDS = 0.5
"""Share of words among words and numbers below which a text consists of numbers."""

MOST_SIGNS = 0.6
"""Share of punctuation among the tokens above which a text is not language."""

MOST_GLUED = 0.25
"""Share of words with a number attached above which a text without English function words is encoded data."""

LONGEST_MEAN_WORD = 14.0
"""Mean length of Latin words, in letters, above which a text is encoded data."""

FEWEST_TOKENS = 8
"""Tokens from which these shares are reliable. Shorter texts are too short for a verdict anyway."""


def reasons(documents: Documents, minimum_words: int) -> list[Reason | None]:
    """Return for each document the reason to give no verdict, or None.

    Args:
        documents: the batch, D documents.
        minimum_words: words of prose that a verdict needs.

    Returns:
        D reasons: "not_english" if the text is clearly in another language, even if it is short; "verse" for poems and
        songs; "not_prose" for code, tables, lists, numbers and gibberish; "allowed_terms" if too many words are allowed
        terms; "too_short" if there are too few other words of prose.
    """
    counts = _Counts(documents)
    encoded, lacks_english = _is_encoded(counts), _lacks_english(counts)
    not_english = _is_other_language(counts, minimum_words, lacks_english & ~encoded)
    not_prose = _is_not_prose(counts, minimum_words, lacks_english | encoded)
    mostly_allowed = counts.allowed > MOST_ALLOWED * counts.prose
    too_short = counts.prose - counts.allowed < minimum_words
    verse = _is_verse(documents, counts, minimum_words)
    answer: list[Reason | None] = [None] * len(documents)
    found: tuple[tuple[Reason, list[bool]], ...] = (
        ("too_short", too_short.tolist()),
        ("allowed_terms", mostly_allowed.tolist()),
        ("not_prose", not_prose.tolist()),
        ("verse", verse),
        ("not_english", not_english.tolist()),
    )
    for reason, flags in found:
        answer = [reason if flag else earlier for flag, earlier in zip(flags, answer, strict=True)]
    return answer


class _Counts:
    """Counts for the rules below, one for each document: arrays of shape (D,).

    Sentences that are known to be in another language are counted apart, as `foreign_part`. Words of `prose` are also
    those that are `allowed`.
    """

    foreign_part: NDArray[np.int64]
    tokens: NDArray[np.int64]
    words: NDArray[np.int64]
    numbers: NDArray[np.int64]
    prose: NDArray[np.int64]
    allowed: NDArray[np.int64]
    lower: NDArray[np.int64]
    english: NDArray[np.int64]
    glued: NDArray[np.int64]
    ends: NDArray[np.int64]

    def __init__(self, documents: Documents) -> None:
        self._size = len(documents)
        self._document = documents.token_document
        ours = ~documents.token_foreign
        is_word = documents.token_class == TokenClass.WORD
        word = is_word & ours
        number = (documents.token_class == TokenClass.NUMBER) & ours
        flags = [
            is_word & documents.token_foreign,
            ours,
            word,
            number,
            word & (documents.token_prose | documents.token_allowed),
            word & documents.token_allowed,
            word & (documents.token_shape & Shape.CAPITAL == 0),
            word & documents.token_function,
            _glued(documents, word, number),
            ours & is_among(documents.characters[documents.token_start], TERMINATORS),
        ]
        (
            self.foreign_part,
            self.tokens,
            self.words,
            self.numbers,
            self.prose,
            self.allowed,
            self.lower,
            self.english,
            self.glued,
            self.ends,
        ) = counts_between(np.array(flags), documents.token_ptr)
        lists = np.where(word, documents.token_lists, np.uint32(0))
        self.foreign = most_foreign(lists, self._document, self._size)
        length = (documents.token_end - documents.token_start) * word
        self.letters = np.bincount(self._document, weights=length, minlength=self._size)
        self.other_letters = self._other_letters(documents)
        is_code = [one.get("code", 0) > 0.5 * sum(one.values()) for one in documents.excluded]
        self.is_code = np.array(is_code, dtype=np.bool_)

    def _other_letters(self, documents: Documents) -> NDArray[np.int64]:
        """Return the number of word characters outside the Latin alphabet."""
        codes = documents.characters
        other = (codes >= 0x0250).nonzero()[0]
        if not len(other):
            return np.zeros(self._size, dtype=np.int64)
        other = other[(codes[other] < 0x1E00) | (codes[other] >= 0x1F00)]
        token = documents.token_start.searchsorted(other, side="right") - 1
        inside = (token >= 0) & (other < documents.token_end[np.maximum(token, 0)])
        token = token[inside]
        token = token[(documents.token_class[token] == TokenClass.WORD) & ~documents.token_foreign[token]]
        counts: NDArray[np.int64] = np.bincount(self._document[token], minlength=self._size)
        return counts


def _glued(documents: Documents, word: NDArray[np.bool_], number: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which words have a number directly before or after them, without a space."""
    glued = np.zeros(word.size, dtype=np.bool_)
    if not number.any():
        return glued
    attached = documents.token_shape & Shape.SPACE_BEFORE == 0
    glued[1:] |= word[1:] & number[:-1] & attached[1:]
    glued[:-1] |= word[:-1] & number[1:] & attached[1:]
    return glued


def _is_other_language(counts: _Counts, minimum_words: int, lacks_english: NDArray[np.bool_]) -> NDArray[np.bool_]:
    script = (counts.other_letters > MOST_OTHER_LETTERS * counts.letters) & (counts.other_letters > 1)
    foreign = (counts.foreign >= FEWEST_FOREIGN) & (counts.foreign > counts.english)
    foreign &= counts.foreign >= LEAST_FOREIGN * counts.words
    # Languages without a word list here still have sentences of mostly lower-case words.
    running = (counts.ends * 60 >= counts.words) & (counts.lower >= 0.6 * counts.words)
    unlisted = lacks_english & running & (counts.prose >= 0.5 * counts.words)
    little_english = (counts.prose < minimum_words) & (counts.foreign_part > counts.words)
    return script | foreign | unlisted | little_english


def _is_not_prose(counts: _Counts, minimum_words: int, is_no_language: NDArray[np.bool_]) -> NDArray[np.bool_]:
    items = counts.words + counts.numbers
    figures = (counts.words < LEAST_WORDS * items) & (items >= FEWEST_TOKENS)
    left_out = counts.words - counts.prose
    mostly_left_out = (left_out > counts.prose) & (counts.prose < minimum_words) & (items >= FEWEST_TOKENS)
    mostly_left_out |= counts.prose < LEAST_PROSE * counts.words
    mostly_left_out |= (left_out > MOST_CODE * counts.words) & counts.is_code
    return figures | mostly_left_out | is_no_language


def _is_verse(documents: Documents, counts: _Counts, minimum_words: int) -> list[bool]:
    """Return which documents are verse. Only those with short lines are looked at."""
    breaks = ((documents.characters == ord("\n")) | (documents.characters == ord("/"))).nonzero()[0]
    lines = steps(breaks.searchsorted(documents.document_start))
    may_be = (counts.words >= minimum_words) & (lines >= FEWEST_ROWS) & (counts.words <= MOST_WORDS * lines)
    may_be &= ~counts.is_code
    return [
        bool(flag) and is_verse(documents.text(number), documents.repairs[number])
        for number, flag in enumerate(may_be.tolist())
    ]


def _lacks_english(counts: _Counts) -> NDArray[np.bool_]:
    """Return which documents are long enough for English function words but have hardly any."""
    return (counts.words >= FEWEST_FOR_SHARE) & (counts.english < LEAST_ENGLISH * counts.words)


def _is_encoded(counts: _Counts) -> NDArray[np.bool_]:
    """Return which documents are encoded data or signs, judging by punctuation, attached numbers and word length."""
    some = counts.tokens >= FEWEST_TOKENS
    signs = counts.tokens - counts.words - counts.numbers
    encoded = some & (signs > MOST_SIGNS * counts.tokens)
    glued = (counts.words > 0) & (counts.glued > MOST_GLUED * counts.words)
    encoded |= some & glued & (counts.english < LEAST_ENGLISH * counts.words)
    long_words = counts.letters - counts.other_letters > LONGEST_MEAN_WORD * np.maximum(counts.words, 1)
    return encoded | (some & long_words)

"""Finds the sentences of a text that are in another language, so that only the English ones are judged."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unspun.model.text.arrays import steps
from unspun.model.text.tokens import TokenClass, Tokens
from unspun.model.text.wordlists import foreign_bits, foreign_languages, listed_words

FEWEST_FOREIGN, LEAST_FOREIGN = 2, 0.1
"""Least number and share of another language's function words for a passage or a text to be in that language."""
MOST_OTHER_LETTERS = 0.5
"""Share of words or letters outside the Latin alphabet above which a passage or a text is not English."""
LONG_PASSAGE, LEAST_ENGLISH = 25, 0.04
"""Words from which a passage with fewer English function words than this share is in a language without a list here."""
FEWEST_IN_TEXT = 6
"""Foreign words that a text must have for its sentences to be looked at; an English text may have a foreign name."""


def find_foreign(
    characters: NDArray[np.uint32],
    tokens: Tokens,
    lists: NDArray[np.uint32],
    sentences: NDArray[np.int32],
    paragraphs: NDArray[np.int32],
    token_ptr: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Return which tokens (T,) are in sentences of another language.

    A sentence is foreign if it has more function words of another language than of English, or is mostly in another
    alphabet; and so is a sentence without English function words in a paragraph that is foreign as a whole.

    Args:
        characters: (C,) the code points of D documents.
        tokens: their T tokens.
        lists: (T,) the `listed_words` that each token is among.
        sentences, paragraphs: (T,) of each token.
        token_ptr: (D + 1,) the first token of each document.
    """
    word = tokens.token_class == TokenClass.WORD
    foreign = word & (lists & foreign_bits() > 0)
    first = characters[tokens.start]
    other_letters = word & (first >= 0x0250) & ((first < 0x1E00) | (first >= 0x1F00))
    answer = np.zeros(word.size, dtype=np.bool_)
    many = steps((foreign | other_letters).nonzero()[0].searchsorted(token_ptr)) >= FEWEST_IN_TEXT
    if not many.any():
        return answer
    places = np.repeat(many, np.diff(token_ptr)).nonzero()[0]
    word, lists, other_letters = word[places], lists[places], other_letters[places]
    sentences, paragraphs = sentences[places], paragraphs[places]
    sentence = _Passages(sentences, word, other_letters, lists)
    paragraph = _Passages(paragraphs, word, other_letters, lists)
    unlisted = (paragraph.words >= LONG_PASSAGE) & (paragraph.english < LEAST_ENGLISH * paragraph.words)
    of_paragraph = (paragraph.is_foreign | unlisted)[paragraphs]
    plain = (sentence.english < np.maximum(sentence.foreign, 1))[sentences]
    answer[places] = sentence.is_foreign[sentences] | (of_paragraph & plain)
    return answer


def most_foreign(lists: NDArray[np.uint32], group: NDArray[np.int32], size: int) -> NDArray[np.int64]:
    """Return the number of function words of the language that has most of them in each group (size,).

    Args:
        lists: (T,) the `listed_words` that each token is among.
        group: (T,) the group of each token: a document, paragraph or sentence.
        size: the number of groups.
    """
    listed = (lists & foreign_bits() > 0).nonzero()[0]
    lists, group = lists[listed], group[listed]
    most = np.zeros(size, dtype=np.int64)
    met = np.bitwise_or.reduce(lists)
    for bit in foreign_languages().values():
        if met & bit:
            np.maximum(most, np.bincount(group[lists & bit > 0], minlength=size), out=most)
    return most


class _Passages:
    """Counts for the N sentences or paragraphs of a batch: arrays (N,)."""

    def __init__(
        self,
        passage: NDArray[np.int32],
        word: NDArray[np.bool_],
        other_letters: NDArray[np.bool_],
        lists: NDArray[np.uint32],
    ) -> None:
        size = int(passage[-1]) + 1
        self.words = np.bincount(passage[word], minlength=size)
        self.english = np.bincount(passage[word & (lists & listed_words().bit("en") > 0)], minlength=size)
        self.foreign = most_foreign(np.where(word, lists, np.uint32(0)), passage, size)
        in_script = np.bincount(passage[other_letters], minlength=size)
        self.is_foreign = (in_script > MOST_OTHER_LETTERS * self.words) & (in_script > 1)
        listed_more = (self.foreign >= FEWEST_FOREIGN) & (self.foreign > self.english)
        self.is_foreign |= listed_more & (self.foreign >= LEAST_FOREIGN * self.words)

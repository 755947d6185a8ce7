"""What do tools leave behind: spintax, stray braces, doubled words, broken capitals, fragments, "a" before a vowel?

What it looks for: slips that text processing makes, counted per 100 words.

Why that betrays a machine: a spinner that replaces "large" with "enormous" keeps the "a" where people write "an". One
that moves words around doubles them ("the The West") or leaves fragments ("sanctions. Moscow."). Careful people make
such slips too, and hurried people often, so only their rate counts.

What it misses: every tool that cleans up its output.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from unspun.model.language.encoding import Encoding
from unspun.model.language.vocabulary import SPECIALS, Vocabulary
from unspun.model.signals.base import Pool, SignalValues, in_columns
from unspun.model.signals.frequency import FUNCTION_WORD
from unspun.model.text.arrays import running_totals
from unspun.model.text.document import Shape, TokenClass, hash_token

DEBRIS = {
    "spintax": 4.0,
    "braced_word": 3.0,
    "doubled_word": 2.0,
    "broken_capital": 1.0,
    "fragment": 1.0,
    "article": 1.5,
}
"""The kinds of debris, and the weight of one as evidence, in nats."""
_MAY_DOUBLE = "had that very so no really is ha bye many long far never again yeah blah you her what more"
MAY_DOUBLE = frozenset(_MAY_DOUBLE.split())
"""Words that people double on purpose or by grammar ("had had", "that that")."""
SOUNDED_H = ("hour", "honest", "honour", "honor", "heir")
VOWEL_AFTER_ALL = ("unid", "unim", "unin", "oner", "urb", "urg", "urn", "urch", "utt", "utm")
"""Beginnings of words that start with a vowel sound despite CONSONANT_VOWELS: unintended, onerous, urban, utter."""
CONSONANT_VOWELS = ("uni", "use", "usu", "uti", "eu", "one", "once", "ufo", "ubi", "uk", "ut", "ur")
"""Beginnings of words that start with a vowel letter but a consonant sound: university, European, one."""
VOWELS = frozenset("aeiou")
UNCERTAIN = frozenset(beginning[0] for beginning in (*SOUNDED_H, *CONSONANT_VOWELS))
"""First letters of words whose further letters matter."""


class Debris:
    """Marks the tokens that are debris, by kind."""

    name = "debris"
    question = "what do tools leave behind: spintax, stray braces, doubled words, broken capitals?"
    evidence: ClassVar = {"debris": "a slip that automatic rewriting leaves behind"}
    token_names = tuple(DEBRIS)
    document_names = tuple(f"{kind}_per_100_words" for kind in DEBRIS)

    def __init__(self, vocabulary: Vocabulary) -> None:
        words = vocabulary.words
        self.starts_with_vowel = np.array([_sounds_like_vowel(word) for word in words])
        self.may_double = np.array([word in MAY_DOUBLE for word in words])
        self.function_word = vocabulary.log_probability > FUNCTION_WORD
        self.article = np.array([vocabulary.ids_of_words.get(word, -1) for word in ("a", "an")])
        self.stop = np.uint64(hash_token("."))
        self.brace = tuple(np.uint64(hash_token(mark)) for mark in "{|}")

    def read(self, encoding: Encoding) -> SignalValues:
        """Mark debris and count it per 100 words."""
        documents, size = encoding.documents, len(encoding.documents.texts)
        marks = np.array(
            [
                *self._braces(encoding),
                self._doubled(encoding),
                self._broken_capital(encoding),
                self._fragment(encoding),
                self._article(encoding),
            ]
        )
        marks &= documents.token_prose
        kind, token = marks.nonzero()
        counts = np.bincount(kind * size + documents.token_document[token], minlength=len(DEBRIS) * size)
        rates = np.minimum(100 * counts.reshape(len(DEBRIS), size) / Pool.of(encoding).weight, 20.0)
        return SignalValues(tokens=in_columns(list(marks)), documents=in_columns(list(rates)))

    def _braces(self, encoding: Encoding) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Mark the opening braces of spintax, `{a|b}`, and of a single word in braces."""
        hashes = encoding.documents.token_hash
        spintax = np.zeros(len(hashes), dtype=bool)
        braced = np.zeros(len(hashes), dtype=bool)
        opens, bars, closes = self.brace
        start = (hashes == opens).nonzero()[0]
        if not len(start):
            return spintax, braced
        at_close = (hashes == closes).nonzero()[0]
        if not len(at_close):
            return spintax, braced
        end = at_close[np.minimum(at_close.searchsorted(start), len(at_close) - 1)]
        near = (end > start) & (end - start <= 40)
        near &= encoding.documents.token_document[start] == encoding.documents.token_document[end]
        bars_before = running_totals(hashes == bars)
        has_bar = bars_before[end] > bars_before[start]
        spintax[start[near & has_bar]] = True
        single = start[near & ~has_bar & (end - start == 2)]
        braced[single[~encoding.documents.token_allowed[single + 1]]] = True
        return spintax, braced

    def _doubled(self, encoding: Encoding) -> NDArray[np.bool_]:
        """Mark the second of two equal words in a row."""
        documents = encoding.documents
        answer = np.zeros(len(encoding.ids), dtype=bool)
        same = (documents.token_hash[1:] == documents.token_hash[:-1]) & (
            documents.token_sentence[1:] == documents.token_sentence[:-1]
        )
        if not same.any():
            return answer
        names = (documents.token_shape[1:] & Shape.CAPITAL > 0) & (documents.token_shape[:-1] & Shape.CAPITAL > 0)
        answer[1:] = same & encoding.judged[1:] & ~self.may_double[encoding.ids[1:]] & ~names
        return answer

    def _broken_capital(self, encoding: Encoding) -> NDArray[np.bool_]:
        """Mark capitalised function words between two lower-case words, inside a sentence."""
        documents = encoding.documents
        word = documents.token_class == TokenClass.WORD
        capital = documents.token_shape & (Shape.CAPITAL | Shape.ALL_CAPITALS)
        plain = word & (documents.token_shape & Shape.CAPITAL == 0)
        same_sentence = documents.token_sentence[1:] == documents.token_sentence[:-1]
        answer: NDArray[np.bool_] = word & (capital == Shape.CAPITAL) & self.function_word[encoding.ids]
        answer &= documents.token_end - documents.token_start > 2
        answer[1:] &= plain[:-1] & same_sentence
        answer[:-1] &= plain[1:] & same_sentence
        answer[:1] = answer[-1:] = False
        return answer

    def _fragment(self, encoding: Encoding) -> NDArray[np.bool_]:
        """Mark sentences of a single content word and a full stop."""
        documents = encoding.documents
        sentence = documents.token_sentence
        lone = np.bincount(sentence) == 2
        if not lone.any():
            return np.zeros(len(sentence), dtype=bool)
        size = len(lone)
        lone &= np.bincount(sentence[documents.token_class == TokenClass.WORD], minlength=size) == 1
        lone &= np.bincount(sentence[documents.token_hash == self.stop], minlength=size) == 1
        long = documents.token_end - documents.token_start > 2
        answer: NDArray[np.bool_] = lone[sentence] & encoding.judged & ~self.function_word[encoding.ids] & long
        return answer

    def _article(self, encoding: Encoding) -> NDArray[np.bool_]:
        """Mark "a" before a vowel sound and "an" before a consonant sound, if the next word is in the vocabulary."""
        shape, document = encoding.documents.token_shape, encoding.documents.token_document
        following = encoding.following
        vowel = self.starts_with_vowel[following]
        a = (encoding.ids == self.article[0]) & vowel
        an = (encoding.ids == self.article[1]) & ~vowel
        lower = shape & (Shape.CAPITAL | Shape.ALL_CAPITALS) == 0
        answer: NDArray[np.bool_] = (a | an) & (following >= len(SPECIALS)) & encoding.judged
        answer &= shape & Shape.ALL_CAPITALS == 0
        answer[:-1] &= encoding.judged[1:] & lower[1:] & (document[1:] == document[:-1])
        answer[-1:] = False
        return answer


def _sounds_like_vowel(word: str) -> bool:
    """Return whether "an" goes before a word, judging by its spelling."""
    if word[:1] not in UNCERTAIN:
        return word[:1] in VOWELS
    if word.startswith(SOUNDED_H):
        return True
    if not word.startswith(CONSONANT_VOWELS):
        return word[:1] in VOWELS
    return word.startswith(VOWEL_AFTER_ALL)

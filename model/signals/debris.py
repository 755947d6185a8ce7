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

from unspun.model.language.encoding import Encoding, shift
from unspun.model.language.vocabulary import Vocabulary
from unspun.model.signals.base import Pool, SignalValues
from unspun.model.signals.frequency import FUNCTION_WORD
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
        marks = np.stack(
            [
                *self._braces(encoding),
                self._doubled(encoding),
                self._broken_capital(encoding),
                self._fragment(encoding),
                self._article(encoding),
            ],
            axis=1,
        )
        marks &= encoding.documents.token_prose[:, None]
        documents = encoding.documents
        words = Pool.of(encoding).weight
        counts = np.stack(
            [np.bincount(documents.token_document[column], minlength=len(documents.texts)) for column in marks.T],
            axis=1,
        )
        rates = np.minimum(100 * counts / words[:, None], 20.0)
        return SignalValues(tokens=marks.astype(np.float32), documents=rates.astype(np.float32))

    def _braces(self, encoding: Encoding) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Mark the opening braces of spintax, `{a|b}`, and of a single word in braces."""
        hashes = encoding.documents.token_hash
        opens, bars, closes = (hashes == mark for mark in self.brace)
        spintax = np.zeros(len(hashes), dtype=bool)
        braced = np.zeros(len(hashes), dtype=bool)
        at_close = np.flatnonzero(closes)
        if not opens.any() or not len(at_close):
            return spintax, braced
        start = np.flatnonzero(opens)
        end = at_close[np.minimum(np.searchsorted(at_close, start), len(at_close) - 1)]
        near = (end > start) & (end - start <= 40)
        near &= encoding.documents.token_document[start] == encoding.documents.token_document[end]
        bars_before = np.concatenate([[0], np.cumsum(bars)])
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
        names = (documents.token_shape[1:] & Shape.CAPITAL > 0) & (documents.token_shape[:-1] & Shape.CAPITAL > 0)
        answer[1:] = same & encoding.judged[1:] & ~self.may_double[encoding.ids[1:]] & ~names
        return answer

    def _broken_capital(self, encoding: Encoding) -> NDArray[np.bool_]:
        """Mark capitalised function words between two lower-case words, inside a sentence."""
        documents = encoding.documents
        word = documents.token_class == TokenClass.WORD
        capital = (documents.token_shape & Shape.CAPITAL).astype(np.int32)
        plain = np.where(word & (capital == 0), 1, 0).astype(np.int32)
        before = shift(plain, documents.token_sentence, -1, 0)
        after = shift(plain, documents.token_sentence, 1, 0)
        function = self.function_word[encoding.ids] & (documents.token_end - documents.token_start > 2)
        answer: NDArray[np.bool_] = word & (capital == 1) & function & (before == 1) & (after == 1)
        answer &= documents.token_shape & Shape.ALL_CAPITALS == 0
        return answer

    def _fragment(self, encoding: Encoding) -> NDArray[np.bool_]:
        """Mark sentences of a single content word and a full stop."""
        documents = encoding.documents
        sentence = documents.token_sentence
        size = int(sentence[-1]) + 1 if len(sentence) else 0
        words = np.bincount(sentence[documents.token_class == TokenClass.WORD], minlength=size)
        tokens = np.bincount(sentence, minlength=size)
        stop = documents.token_hash == self.stop
        stops = np.bincount(sentence[stop], minlength=size)
        lone = (words == 1) & (tokens == 2) & (stops == 1)
        long = documents.token_end - documents.token_start > 2
        answer: NDArray[np.bool_] = (
            (lone[sentence] & encoding.judged & ~self.function_word[encoding.ids] & long)
            if size
            else np.zeros(0, dtype=bool)
        )
        return answer

    def _article(self, encoding: Encoding) -> NDArray[np.bool_]:
        """Mark "a" before a vowel sound and "an" before a consonant sound, if the next word is in the vocabulary."""
        following = encoding.neighbours[1]
        vowel = self.starts_with_vowel[following]
        known = (following > 2) & (
            shift(encoding.judged.astype(np.int32), encoding.documents.token_document, 1, 0) == 1
        )
        lower = encoding.documents.token_shape & Shape.ALL_CAPITALS == 0
        next_plain = (
            shift(
                (encoding.documents.token_shape & (Shape.CAPITAL | Shape.ALL_CAPITALS)).astype(np.int32),
                encoding.documents.token_document,
                1,
                1,
            )
            == 0
        )
        a = (encoding.ids == self.article[0]) & vowel
        an = (encoding.ids == self.article[1]) & ~vowel
        answer: NDArray[np.bool_] = (a | an) & known & lower & next_plain & encoding.judged
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

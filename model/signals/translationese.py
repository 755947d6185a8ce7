"""How does the text use function words, sentence length, vocabulary and punctuation?

What it looks for: rates of function words, endings and punctuation marks, sentence length and its spread, and
repetition.

Why that betrays a machine: translation systems and neural rewriters use articles, connectives and contractions at other
rates than people, make sentences more even in length, and repeat words where people vary them (Volansky et al. 2015,
"On the features of translationese"; Vanmassenhove et al. 2021, "Machine translationese").

What it misses: short texts, because single words prove nothing here. Unusual registers can look like machines, so it
counts only together with the signals about odd words.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unspun.model.language.encoding import Encoding
from unspun.model.language.vocabulary import UNKNOWN, Vocabulary
from unspun.model.signals.base import Floats, Pool, SignalValues, in_columns, share, side_by_side
from unspun.model.signals.style import SUFFIXES, ending_classes
from unspun.model.text.arrays import followed_by, starts_of_runs, steps
from unspun.model.text.document import Shape

_FUNCTION_WORDS = """
the a an of to in and is that for on with as was it by at from be this are not have has had which or but its their his
her he she they we i you will would can could may might should must been were if when while than so also there these
those such some any all more most other who what where how into about after before between through during over under
however therefore although because since then only just very even still no do does did said one two up out our my your
him them us me
"""
FUNCTION_WORDS = _FUNCTION_WORDS.split()
PUNCTUATION = (",", ";", ":", "-", "—", "–", "(", '"', "'", "!", "?", "/")
NEAR = 60
"""Tokens within which a word that occurs again counts as repeated."""


class Translationese:
    """Rates of function words, endings and punctuation, sentence rhythm, and repetition."""

    name = "translationese"
    question = "does the text use function words, sentence lengths and punctuation as machine translation does?"
    token_names: tuple[str, ...] = ()
    document_names = (
        *(f"word_{word}" for word in FUNCTION_WORDS),
        *(f"mark_{mark}" for mark in PUNCTUATION),
        *(f"ending_{suffix}" for suffix in SUFFIXES),
        "sentence_length",
        "sentence_length_deviation",
        "short_sentences",
        "long_sentences",
        "repeated_content",
        "repeated_function",
        "repeated_pairs",
        "word_length",
        "long_words",
        "capitals",
    )

    def __init__(self, vocabulary: Vocabulary, log_probability: Floats) -> None:
        ids = vocabulary.ids_of_words
        self.column = np.full(len(vocabulary), -1, dtype=np.int16)
        for i, word in enumerate((*FUNCTION_WORDS, *PUNCTUATION)):
            if word in ids:
                self.column[ids[word]] = i
        self.ending = ending_classes(vocabulary.words) - 1
        self.content = log_probability < -7.0

    def read(self, encoding: Encoding) -> SignalValues:
        """Compute the document features. There are no token values."""
        documents = encoding.documents
        size = len(documents.texts)
        prose = documents.token_prose
        judged = encoding.judged
        words = Pool.of(encoding).weight
        ids = encoding.ids
        rates = _counts(self.column[ids], documents.token_document, prose, len(FUNCTION_WORDS) + len(PUNCTUATION), size)
        endings = _counts(self.ending[ids], documents.token_document, judged, len(SUFFIXES), size)
        columns = [
            np.sqrt(rates / words[:, None]),
            np.sqrt(endings / words[:, None]),
            in_columns([*_rhythm(encoding), *self._repetition(encoding), *_lengths(encoding)]),
        ]
        return SignalValues(
            tokens=np.zeros((len(ids), 0), np.float32),
            documents=side_by_side(columns),
        )

    def _repetition(self, encoding: Encoding) -> list[Floats]:
        """Return how often content words, function words and pairs of words are repeated within NEAR tokens."""
        judged = (encoding.judged & (encoding.ids != UNKNOWN)).nonzero()[0]
        ids = encoding.ids[judged]
        document = encoding.documents.token_document[judged]
        content = self.content[ids]
        wide = ids.astype(np.int64)
        again = _recurs(wide, document, judged)
        pair_again = _recurs(wide * (1 << 20) + encoding.following.take(judged), document, judged)
        pool = Pool(document, len(encoding.documents.texts))
        contents, repeated, both, pairs = pool.counts(np.array([content, again, again & content, pair_again]))
        return [share(both, contents), share(repeated - both, pool.number - contents), share(pairs, pool.number)]


def _counts(
    column: NDArray[np.integer],
    document: NDArray[np.int32],
    mask: NDArray[np.bool_],
    columns: int,
    documents: int,
) -> NDArray[np.float64]:
    """Count tokens by document and column, shape (D, columns). Tokens with a negative column are left out."""
    keep = mask & (column >= 0)
    place = document[keep].astype(np.int64) * columns + column[keep]
    return np.bincount(place, minlength=documents * columns).reshape(documents, columns).astype(np.float64)


def _recurs(key: NDArray[np.int64], document: NDArray[np.int32], place: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return for each token whether its key occurs among the NEAR tokens before it, in the same document.

    Keys are below 2^40. Places are in rising order.
    """
    answer = np.zeros(len(key), dtype=bool)
    # Key and index are packed into one integer, because sorting is several times as fast as argsort.
    bits = len(key).bit_length()
    order = np.sort((key << bits) | np.arange(len(key)))
    number = order & ((1 << bits) - 1)
    same = (order[1:] ^ order[:-1]) >> bits == 0
    same &= document[number[1:]] == document[number[:-1]]
    same &= steps(place[number]) <= NEAR
    answer[number[1:]] = same
    return answer


def _rhythm(encoding: Encoding) -> list[Floats]:
    """Return mean and deviation of log sentence length, and the shares of short and of long sentences."""
    documents = encoding.documents
    sentence = documents.token_sentence.take(encoding.places)
    size = len(documents.texts)
    if not len(sentence):
        return [np.zeros(size, np.float32)] * 4
    first = starts_of_runs(sentence).nonzero()[0]
    length = np.log(steps(followed_by(first, len(sentence))))
    pool = Pool(encoding.place_document[first], size)
    short_and_long = np.array([length < np.log(7.0), length > np.log(30.0)])
    return [*pool.mean_and_deviation(length), *pool.means(short_and_long)]


def _lengths(encoding: Encoding) -> list[Floats]:
    """Return mean word length in characters and the shares of long words and of capitals inside sentences."""
    documents = encoding.documents
    judged = encoding.places
    pool = Pool.of(encoding)
    length = (documents.token_end - documents.token_start).take(judged)
    shape = documents.token_shape.take(judged)
    inner_capital = shape & (Shape.CAPITAL | Shape.SENTENCE_START) == Shape.CAPITAL
    return [pool.mean(length), *pool.means(np.array([length >= 9, inner_capital]))]

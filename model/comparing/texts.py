"""The two texts of a comparison, prepared: words with their stems and rarity, and sentences as bags of words."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unspun.model.comparing.align import stem
from unspun.model.language.topics import UNIT, PackedVectors
from unspun.model.language.vocabulary import SPECIALS, Vocabulary
from unspun.model.text.characters import to_text
from unspun.model.text.document import Documents, Shape, TokenClass
from unspun.model.text.tokens import hash_token
from unspun.model.text.wordlists import english_function_words

Floats = NDArray[np.float64]

UNKNOWN_RARITY, COMMON_RARITY = 16.0, 2.5
"""Rarity in nats of a word that is not in the vocabulary (usually a name), and of the commonest words."""
LEAST_WEIGHT = 0.1
"""Weight of the commonest words."""
LONGEST_PIECE = 120
"""Tokens after which a sentence is cut, because the time to align words grows with the square of their number."""
MOST_CAPITALS = 0.5
"""Share of capitalised words inside sentences above which a capital no longer marks a name."""
_PAUSES = frozenset((",", ";", ":", "-", "--", "–", "—", "("))


@dataclass(frozen=True, eq=False)
class TextWords:
    """The N words and numbers of a text.

    Attributes:
        start: (N,) offset of each word in the text, in characters.
        stems: the stem of each word.
        weight: (N,) how rare each stem is.
        length: (N,) letters in each word.
        function: (N,) whether the word is a function word.
        own: (N,) whether the word is neither a function word nor a name, a number or quoted. Two reports of the same
            event share names, numbers and quotations, but need not share these words.
        ids: (N,) vocabulary ids.
    """

    start: NDArray[np.int64]
    stems: list[str]
    weight: Floats
    length: NDArray[np.int64]
    function: NDArray[np.bool_]
    own: NDArray[np.bool_]
    ids: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.stems)


@dataclass(frozen=True, eq=False)
class PreparedText:
    """One of the two texts, with its S sentences.

    Attributes:
        text: the repaired text.
        bags: the stems of each sentence with their weights; rarer stems weigh more.
        vectors: (S, E) the weighted sum of each sentence's word vectors.
        spans: start and end of each sentence in `text`, in characters.
        words: (S,) words and numbers in each sentence.
        pauses: (S,) commas, dashes and similar marks in each sentence.
        each: the words themselves.
    """

    text: str
    bags: list[dict[str, float]]
    vectors: NDArray[np.float32]
    spans: list[tuple[int, int]]
    words: NDArray[np.int64]
    pauses: NDArray[np.int64]
    each: TextWords

    def __len__(self) -> int:
        return len(self.bags)

    def characters(self, run: tuple[int, int]) -> tuple[int, int]:
        """Return start and end, in characters of `text`, of a run of sentences (first, last)."""
        return self.spans[run[0]][0], self.spans[run[1]][1]

    def count(self, start: int, end: int) -> int:
        """Return how many words and numbers start between two characters of `text`."""
        first, last = np.searchsorted(self.each.start, (start, end))
        return int(last - first)


class TextPreparer:
    """Prepares texts for a comparison, with a model's vocabulary and word vectors."""

    def __init__(self, vocabulary: Vocabulary, vectors: PackedVectors) -> None:
        self._vocabulary = vocabulary
        self._vectors = vectors
        # Words come commonest first. Among words with the same stem, the commonest sets the stem's rarity.
        self._rarity: dict[str, float] = {}
        for word, value in zip(reversed(vocabulary.words), reversed(vocabulary.log_probability.tolist()), strict=True):
            self._rarity[stem(word)] = -value

    def prepare(self, documents: Documents, number: int) -> PreparedText:
        """Prepare one document of a batch."""
        first, last = int(documents.token_ptr[number]), int(documents.token_ptr[number + 1])
        origin = int(documents.document_start[number])
        text = to_text(documents.characters[origin : int(documents.document_start[number + 1]) - 1])
        starts = (documents.token_start[first:last] - origin).tolist()
        ends = (documents.token_end[first:last] - origin).tolist()
        place = _pieces(documents.token_sentence[first:last])
        sentences = np.unique(place)
        counted = documents.token_class[first:last] != TokenClass.PUNCTUATION
        folded = _lowered(text)
        tokens = [folded[start:end] for start, end in zip(starts, ends, strict=True)]
        pause = np.array([token in _PAUSES for token in tokens], dtype=bool)
        spans = [(0, 0)] * len(sentences)
        for start, end, row in zip(starts, ends, place.tolist(), strict=True):
            begin, stop = spans[row]
            spans[row] = (start if stop == 0 else begin, end)
        each = self._words(documents, np.flatnonzero(counted) + first, tokens, first, origin)
        rows = place[counted]
        bags: list[dict[str, float]] = [{} for _ in sentences]
        for row, root, weight in zip(rows.tolist(), each.stems, each.weight.tolist(), strict=True):
            bags[row][root] = bags[row].get(root, 0.0) + weight
        vectors = np.zeros((len(sentences), self._vectors.values.shape[1]), dtype=np.float32)
        known = each.ids >= len(SPECIALS)
        scaled = self._vectors.values[each.ids[known]] * (UNIT * each.weight[known].astype(np.float32))[:, None]
        np.add.at(vectors, rows[known], scaled)
        size = len(sentences)
        return PreparedText(
            text,
            bags,
            vectors,
            spans,
            words=np.bincount(rows, minlength=size),
            pauses=np.bincount(place[pause], minlength=size),
            each=each,
        )

    def _words(
        self, documents: Documents, places: NDArray[np.int64], tokens: Sequence[str], first: int, origin: int
    ) -> TextWords:
        words = [tokens[place - first] for place in places.tolist()]
        stems = [stem(word) for word in words]
        function = english_function_words().contains(documents.token_hash[places])
        capital = documents.token_shape[places] & Shape.CAPITAL > 0
        within = capital & (documents.token_shape[places] & Shape.SENTENCE_START == 0)
        names = _names(words, within, ~capital) & ~function
        named_or_quoted = names | _quoted(documents, places) | (documents.token_class[places] == TokenClass.NUMBER)
        return TextWords(
            documents.token_start[places] - origin,
            stems,
            np.array([self._weight(root) for root in stems], dtype=np.float64),
            documents.token_end[places] - documents.token_start[places],
            function,
            ~function & ~named_or_quoted,
            self._vocabulary.ids(documents)[places],
        )

    def _weight(self, root: str) -> float:
        """Return how much rarer a stem is than the commonest words, in nats."""
        return max(self._rarity.get(root, UNKNOWN_RARITY) - COMMON_RARITY, LEAST_WEIGHT)


def _pieces(sentence: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the piece (T,) of each token, from 0: its sentence, or a part of one that is very long."""
    if not len(sentence):
        return np.zeros(0, dtype=np.int64)
    begins = np.flatnonzero(np.diff(sentence, prepend=sentence[0] - 1))
    place = np.arange(len(sentence)) - np.repeat(begins, np.diff(begins, append=len(sentence)))
    answer: NDArray[np.int64] = np.cumsum(place % LONGEST_PIECE == 0) - 1
    return answer


def _names(words: Sequence[str], capital: NDArray[np.bool_], lower: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which words are names: capitalised inside sentences more often than lower-case.

    A text all in capitals has none.
    """
    if len(words) == 0 or capital.mean() > MOST_CAPITALS:
        return np.zeros(len(words), dtype=bool)
    count = Counter(itertools.compress(words, capital.tolist()))
    count.subtract(Counter(itertools.compress(words, lower.tolist())))
    return np.array([count[word] > 0 for word in words], dtype=bool)


def _quoted(documents: Documents, places: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which words are between double quotes. Paragraphs with an odd number of quotes are ignored."""
    if len(places) == 0:
        return np.zeros(0, dtype=bool)
    first, last = int(places[0]), int(places[-1]) + 1
    marks = documents.token_hash[first:last] == np.uint64(hash_token('"'))
    paragraph = documents.token_paragraph[first:last]
    seen = np.concatenate([[0], np.cumsum(marks)])
    begin = np.searchsorted(paragraph, paragraph)
    stop = np.searchsorted(paragraph, paragraph, side="right")
    inside = ((seen[1:] - seen[begin]) % 2 == 1) & ((seen[stop] - seen[begin]) % 2 == 0)
    return np.asarray(inside[places - first], dtype=bool)


def _lowered(text: str) -> str:
    """Return a text in lower case with every character at its old offset.

    The few letters whose lower case is two characters are left as they are.
    """
    answer = text.lower()
    if len(answer) == len(text):
        return answer
    return "".join(char.lower() if len(char.lower()) == 1 else char for char in text)

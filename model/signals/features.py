"""Computes all signals of a batch: the document features that the classifier uses, as a scikit-learn transformer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from unspun.model.language.encoding import Encoding
from unspun.model.language.ngrams import LanguageModel
from unspun.model.language.topics import PackedVectors, Topics
from unspun.model.language.vocabulary import Vocabulary
from unspun.model.signals.base import Floats, Pool, Signal, above, in_columns, share, side_by_side
from unspun.model.signals.collocations import Collocations
from unspun.model.signals.debris import Debris
from unspun.model.signals.frequency import FUNCTION_WORD, Frequency
from unspun.model.signals.known_phrases import KnownPhrases, PhraseTable
from unspun.model.signals.quick import NAMES as QUICK_NAMES
from unspun.model.signals.quick import QuickSignals
from unspun.model.signals.style import BUCKETS, Style
from unspun.model.signals.substitutions import Alternatives, Substitutions
from unspun.model.signals.tagger import Tagger
from unspun.model.signals.translationese import Translationese
from unspun.model.text.allowed import Allowed
from unspun.model.text.document import Documents, Shape
from unspun.model.text.quick import QuickWords

BATCH_DOCUMENTS = 64
"""Documents in a batch: enough to share the cost of numpy's calls, few enough for the processor's caches."""
LIMITS = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.5)
"""Limits: the shares of words with log odds of replacement above each are features."""
NOT_JUDGED = np.float32(-12.0)
"""The tagger's log odds of tokens that it does not judge."""


@dataclass(frozen=True, eq=False)
class Tables:
    """The tables of a model that the signals use."""

    vocabulary: Vocabulary
    language: LanguageModel
    alternatives: Alternatives
    vectors: PackedVectors
    phrases: PhraseTable
    quick: QuickSignals | None = None
    """Without them, there are no features of these signals."""


@dataclass(frozen=True, eq=False)
class BatchFeatures:
    """The features of a batch of D documents with T tokens.

    Attributes:
        encoding: the batch as vocabulary ids.
        tokens: (T, n) the signals' values of each token.
        misfit: (T,) the tagger's log odds that the token was replaced; NOT_JUDGED for other tokens than words of prose.
        documents: (D, F) the document features.
        style: (D, model.signals.style.BUCKETS) sparse counts of style n-grams.
    """

    encoding: Encoding
    tokens: Floats
    misfit: Floats
    documents: Floats
    style: csr_array


class Signals:
    """All signals over one set of tables."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        collocations = Collocations(tables.language)
        self.topics = Topics.of(tables.vectors)
        self.substitutions = Substitutions(collocations, tables.alternatives, self.topics)
        self.known_phrases = KnownPhrases(tables.language, tables.phrases)
        self.for_tagger: tuple[Signal, ...] = (Frequency(tables.language), collocations, self.substitutions)
        self.debris = Debris(tables.vocabulary)
        self.style = Style(tables.vocabulary)
        self.for_documents: tuple[Signal, ...] = (
            self.known_phrases,
            self.debris,
            Translationese(tables.vocabulary, tables.language.unigram),
        )
        names = [f"{signal.name}.{name}" for signal in self.for_tagger for name in signal.token_names]
        self.token_names: tuple[str, ...] = (*names, "capital", "first_of_sentence")

    def encode(self, documents: Documents) -> Encoding:
        """Look up the vocabulary ids of a parsed batch."""
        return Encoding.of(documents, self.tables.vocabulary)

    def read_tokens(self, encoding: Encoding) -> tuple[Floats, list[Floats]]:
        """Return the token values (T, n) that the tagger uses, and the document features of the same signals."""
        readings = [signal.read(encoding) for signal in self.for_tagger]
        shape = encoding.documents.token_shape
        flags = in_columns([shape & Shape.CAPITAL > 0, shape & Shape.SENTENCE_START > 0])
        tokens = side_by_side([*(one.tokens for one in readings), flags])
        return tokens, [one.documents for one in readings]


class FeatureExtractor:
    """Turns D texts into document features (D, F), float32. It has nothing to fit; the tables come from training.

    Terms that are `allowed` are masked in texts.
    """

    def __init__(self, tables: Tables, tagger: Tagger, allowed: Allowed | None = None) -> None:
        self.tables = tables
        self.tagger = tagger
        self.allowed = allowed
        self._signals = Signals(tables)

    @property
    def signals(self) -> Signals:
        """The signals, which evidence needs."""
        return self._signals

    def fit(self, texts: Sequence[str], labels: Any = None) -> FeatureExtractor:
        """Return self. scikit-learn's pipelines call it."""
        return self

    def transform(self, texts: Sequence[str]) -> Floats:
        """Return the document features (D, F) of texts."""
        return self.transform_with_style(texts)[0]

    def transform_with_style(self, texts: Sequence[str]) -> tuple[Floats, csr_array]:
        """Return the document features (D, F), and the style n-grams (D, model.signals.style.BUCKETS)."""
        numbers = [np.zeros((0, len(self.get_feature_names_out())), np.float32)]
        style: list[Any] = [csr_array((0, BUCKETS), dtype=np.float32)]
        for start in range(0, len(texts), BATCH_DOCUMENTS):
            measured = self.measure(Documents.parse(texts[start : start + BATCH_DOCUMENTS], allowed=self.allowed))
            numbers.append(measured.documents)
            style.append(measured.style)
        return np.concatenate(numbers), csr_array(vstack(style, format="csr"))

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.str_]:
        """Return the names of the features: the signal's name, a dot, and the name of the value."""
        signals = (*self._signals.for_tagger, *self._signals.for_documents)
        names = [f"{signal.name}.{name}" for signal in signals for name in signal.document_names]
        last = QUICK_NAMES if self.tables.quick else ()  # last, so that those of models without them keep their places
        return np.array([*names, *(f"misfit.{name}" for name in MISFIT_NAMES), "length", *last])

    def measure(self, documents: Documents) -> BatchFeatures:
        """Compute all signals of a parsed batch."""
        encoding = self._signals.encode(documents)
        tokens, columns = self._signals.read_tokens(encoding)
        places = encoding.places
        misfit = np.full(len(encoding.ids), NOT_JUDGED, dtype=np.float32)
        misfit[places] = self.tagger.log_odds(encoding, tokens, places)
        columns += [signal.read(encoding).documents for signal in self._signals.for_documents]
        columns.append(_pool_misfit(encoding, misfit, self.tables.language.unigram))
        words = np.bincount(encoding.place_document, minlength=len(documents.texts))
        columns.append(np.log1p(words)[:, None])
        if self.tables.quick is not None:
            quick = QuickWords.of(documents.prose_texts())
            columns.append(self.tables.quick.log_odds(quick, quick.ptr).astype(np.float32))
        numbers = side_by_side(columns)
        return BatchFeatures(encoding, tokens, misfit, numbers, self._signals.style.read(encoding))


MISFIT_NAMES = (
    "probability_mean",
    "probability_deviation",
    "log_odds_mean",
    "log_odds_deviation",
    *(f"above_{limit:g}" for limit in LIMITS),
    *(f"content_above_{limit:g}" for limit in LIMITS),
    *(f"function_above_{limit:g}" for limit in LIMITS[:-2]),
    "sentences_above_0.1",
    "sentences_above_0.2",
    "sentences_above_0.4",
    "sentence_deviation",
    "runs",
)


def _pool_misfit(encoding: Encoding, misfit: Floats, unigram: Floats) -> Floats:
    """Summarise the tagger's log odds by document, (D, len(MISFIT_NAMES))."""
    judged = encoding.places
    documents = encoding.documents
    log_odds = misfit.take(judged)
    # Not scipy's expit: it rounds float32 differently, and the bundles' trees were fitted with this rounding.
    with np.errstate(over="ignore"):
        probability = 1 / (1 + np.exp(-log_odds))
    pool = Pool.of(encoding)
    is_content = unigram.take(encoding.ids.take(judged)) < FUNCTION_WORD
    exceeds = above(log_odds, LIMITS)
    number, of_content = pool.counts(exceeds), pool.counts(exceeds & is_content)
    content = pool.counts(is_content[None])
    sentence = documents.token_sentence.take(judged)
    sentences = int(sentence[-1]) + 1 if len(sentence) else 0
    length = np.bincount(sentence, minlength=sentences)
    full = (length >= 5).nonzero()[0]
    by_sentence = (np.bincount(sentence, weights=probability, minlength=sentences) / np.maximum(length, 1))[full]
    owner = np.zeros(sentences, dtype=np.int32)
    owner[sentence] = encoding.place_document
    of_sentences = Pool(owner[full], len(documents.texts))
    odd = np.zeros(len(misfit), dtype=bool)
    positive = misfit > 0
    odd[1:] = positive[1:] & positive[:-1] & (documents.token_document[1:] == documents.token_document[:-1])
    both = np.array([probability, log_odds])
    means = pool.means(both)
    deviations = pool.deviations(both, means)
    return in_columns(
        [
            *(means[0], deviations[0], means[1], deviations[1]),
            *share(number, pool.number),
            *share(of_content, content),
            *share(number - of_content, pool.number - content)[:-2],
            *of_sentences.shares_above(by_sentence, (0.1, 0.2, 0.4)),
            of_sentences.mean_and_deviation(by_sentence)[1],
            pool.mean(odd.take(judged)),
        ]
    )

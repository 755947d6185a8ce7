"""A tiny model made from two dozen of our own sentences. It has every part of the real one, in a few kilobytes."""

from __future__ import annotations

import hashlib
import itertools
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from unspun.model import bundle
from unspun.model.language.encoding import Encoding
from unspun.model.language.ngrams import LanguageModel
from unspun.model.language.topics import PackedVectors
from unspun.model.language.vocabulary import BOUNDARY, Vocabulary
from unspun.model.signals.features import FeatureExtractor, Signals, Tables
from unspun.model.signals.style import BUCKETS
from unspun.model.signals.substitutions import INPUTS, Alternatives
from unspun.model.signals.tagger import Tagger, TaggerInputs
from unspun.model.text.document import Documents
from unspun.model.tiers.fast import FastClassifier, Head, Unfamiliarity
from unspun.model.verdict import KINDS
from unspun.training.language.ngrams import build_language_model, choose_vocabulary, count_ngrams
from unspun.training.language.phrases import build_phrases

DATA = Path(__file__).parent / "data" / "model"
SENTENCES = tuple((DATA / "tiny_corpus.txt").read_text("utf-8").splitlines())
ARTICLE = " ".join(SENTENCES[:14])
"""More than a hundred words of prose, all of which are in the vocabulary."""
EXTRA_WORDS = ("instructed", "journalists", "vitality", "ship", "hour", "apple", "european", "very")
ALTERNATIVES = {
    "instructed": ("told", "gave"),
    "journalists": ("reporters",),
    "ship": ("ferry", "boat", "boats"),
    "old": ("new", "long"),
    "closed": ("open",),
}
PHRASES = (
    ("counterfeit consciousness", "artificial intelligence"),
    ("imaginative and prescient", "vision"),
    ("in line with the mayor", "according to the mayor"),
    ("ship", "ferry"),
    ("boat", "ferry"),
)
VECTOR_SIZE = 8
HIDDEN = 6


def stream(texts: tuple[str, ...], words: tuple[str, ...]) -> NDArray[np.int32]:
    """Return the word ids of all texts, separated by BOUNDARY."""
    vocabulary = Vocabulary(words, np.zeros(len(words), np.float32))
    documents = Documents.parse(texts)
    return np.insert(vocabulary.ids(documents), documents.token_ptr[:-1], BOUNDARY).astype(np.int32)


@cache
def words() -> tuple[str, ...]:
    """Return the vocabulary: the words of the sentences, commonest first, and EXTRA_WORDS."""
    counts: dict[str, float] = dict.fromkeys(EXTRA_WORDS, 0.1)
    for word in Documents.parse(SENTENCES).words():
        if word != ".":
            counts[word] = counts.get(word, 0.0) + 1.0
    return choose_vocabulary(counts, 1000)


@cache
def language() -> LanguageModel:
    counts = count_ngrams(stream(SENTENCES, words()), len(words()))
    return build_language_model([counts], bigrams=2000, trigrams=2000, slot_bits=10)


@cache
def tables() -> Tables:
    """Return the tables; the vectors are random but fixed."""
    vocabulary = Vocabulary(words(), language().unigram)
    ids = vocabulary.ids_of_words
    table = np.zeros((len(vocabulary), 3), dtype=np.uint16)
    for word, others in ALTERNATIVES.items():
        table[ids[word], : len(others)] = [ids[other] for other in others]
    vectors = np.random.default_rng(7).normal(size=(len(vocabulary), VECTOR_SIZE))
    vectors[:3] = 0
    return Tables(
        vocabulary=vocabulary,
        language=language(),
        alternatives=Alternatives(
            ids=table,
            log_prior=np.log(np.array([6 / 11, 3 / 11, 2 / 11])).astype(np.float32),
            weights=np.linspace(0.5, 1.0, len(INPUTS)).astype(np.float32),
            bias=np.float32(-1.0),
        ),
        vectors=PackedVectors.pack(vectors),
        phrases=build_phrases(PHRASES, SENTENCES, vocabulary),
    )


@cache
def signals() -> Signals:
    return Signals(tables())


def encode(*texts: str) -> Encoding:
    return signals().encode(Documents.parse(texts))


@cache
def tagger() -> Tagger:
    """Return a tagger with random weights, so that its output differs widely from word to word."""
    rng = np.random.default_rng(11)
    inputs = TaggerInputs(signals().topics)
    numbers = len(signals().token_names)
    sizes = (inputs.size(numbers), HIDDEN, 1)
    # In half precision, as in a bundle.
    weights = tuple(
        rng.normal(scale=3.0 / np.sqrt(a), size=(a, b)).astype(np.float16).astype(np.float32)
        for a, b in itertools.pairwise(sizes)
    )
    biases = tuple(rng.normal(scale=0.1, size=size).astype(np.float32) for size in sizes[1:])
    centre, spread = np.zeros(numbers, np.float32), np.full(numbers, 4.0, np.float32)
    return Tagger(inputs, weights, biases, centre, spread)


@cache
def extractor() -> FeatureExtractor:
    return FeatureExtractor(tables(), tagger())


@cache
def classifier() -> FastClassifier:
    """Return heads of the same types as after training, fitted to random labels."""
    rng = np.random.default_rng(3)
    texts = [" ".join(rng.choice(SENTENCES, size=8)) for _ in range(80)]
    features, style = extractor().transform_with_style(texts)
    heads = []
    for kind in range(3):
        columns = np.arange(kind, features.shape[1], 6)
        labels = rng.random(len(texts)) < 0.5
        boosted = HistGradientBoostingClassifier(max_iter=8, min_samples_leaf=5, random_state=0)
        boosted.fit(features[:, columns], labels)
        weights = LogisticRegression(max_iter=300).fit(style, labels).coef_[0].astype(np.float32) if kind else None
        assert weights is None or weights.shape == (BUCKETS,)
        heads.append(Head(columns, boosted, weights, 0.1))
    names = extractor().get_feature_names_out().tolist()
    column = np.array([names.index("frequency.unknown")])
    unfamiliarity = Unfamiliarity(column, np.zeros(1, np.float32), np.full(1, 0.2, np.float32), np.ones(1, np.float32))
    return FastClassifier(tuple(heads), unfamiliarity)


LEAST_FAMILIAR = 4.0
"""Unfamiliarity above which the tiny model abstains: four words in five are unknown."""


def tier(*, centre: float = 0.0, paraphrased: float = 0.1, suspect: float = 0.3) -> dict[str, Any]:
    """Return a tier's entry in the manifest. At all lengths, human evidence has this centre and a deviation of 1."""
    tail = {
        "words": [50.0, 5000.0],
        "centre": [centre, centre],
        "spread": [1.0, 1.0],
        "unfamiliar": [0.0, 0.0],
        "deviations": [-2.0, 0.0, 2.0, 4.0],
        "log_odds": [4.0, 0.0, -4.0, -9.0],
        "between": 0.1,
    }
    return {
        "tails": dict.fromkeys(KINDS, tail),
        "shares": dict.fromkeys(KINDS, 1 / 3),
        "paraphrased": paraphrased,
        "suspect": suspect,
    }


def decision(*tiers: str) -> dict[str, Any]:
    """Return the manifest's decision for some tiers."""
    likelihoods = {"scores": [0.0, 0.5, 0.9, 1.0], "log_ratios": [-2.0, 1.0, 4.0, 6.0]}
    return {
        "minimum_words": 40,
        "supported": 0.002,
        "least_familiar": LEAST_FAMILIAR,
        "tiers": {name: tier() for name in tiers},
        "likelihoods": dict.fromkeys(tiers, likelihoods),
    }


def manifest() -> dict[str, Any]:
    """Return the entries that training writes and the engine reads."""
    return {
        "name": "tiny",
        "version": "0.0.1",
        "decision": decision("fast"),
        "doubt": dict.fromkeys(KINDS, 0.5),
        "tagger_prior_log_odds": -2.0,
    }


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a folder."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


def save_bundle(folder: Path) -> Path:
    """Write the tiny model's bundle and return the folder."""
    seen = np.array([1, 2, 3], dtype=np.uint64)
    bundle.save(folder, manifest(), tables(), tagger(), classifier(), seen)
    return folder

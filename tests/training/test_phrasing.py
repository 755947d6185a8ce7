"""training/classifier/phrasing.py: weights of hashed n-grams that tell one kind of paraphrase from human text."""

from __future__ import annotations

import numpy as np
import pytest

from tests import tables as tiny
from unspun.model.signals.phrasing import BUCKETS, NgramWeights, buckets
from unspun.model.text.quick import QuickWords
from unspun.training.classifier.phrasing import fit_ngrams, ngram_counts
from unspun.training.corpora.corpus import LabelledText

PHRASE = "a plethora of"


def labelled(number: int, label: str) -> LabelledText:
    """Return an article; machine text has the phrase in every second sentence."""
    sentences = np.random.default_rng(number).choice(tiny.SENTENCES, size=14).tolist()
    if label != "human":
        sentences = [f"{PHRASE} {sentence}" if i % 2 else sentence for i, sentence in enumerate(sentences)]
    return LabelledText(f"{label}-{number}", label, "news", " ".join(sentences))  # type: ignore[arg-type]


TEXTS = [*(labelled(i, "human") for i in range(40)), *(labelled(40 + i, "rewritten") for i in range(40))]


@pytest.fixture(scope="module")
def weights() -> NgramWeights:
    return fit_ngrams(TEXTS)


def test_texts_that_it_has_not_seen_are_told_apart(weights: NgramWeights) -> None:
    words = QuickWords.of([labelled(900, "human").text, labelled(901, "rewritten").text])
    human, rewritten = weights.log_odds(words, words.ptr)[:, 2].tolist()
    assert human < 0 < rewritten


@pytest.mark.parametrize("phrase", ["plethora", "a plethora", PHRASE])
def test_words_pairs_and_runs_of_three_count(weights: NgramWeights, phrase: str) -> None:
    size = len(phrase.split())
    assert weights.weights[2, buckets(QuickWords.of([phrase]))[size - 1]] > 0


def test_a_kind_without_texts_is_never_found(weights: NgramWeights) -> None:
    assert not weights.weights[:2].any()
    assert weights.bias[:2].tolist() == [-12.0, -12.0]


def test_the_same_texts_give_the_same_weights(weights: NgramWeights) -> None:
    np.testing.assert_array_equal(fit_ngrams(TEXTS).weights, weights.weights)


def test_a_long_text_is_counted_in_sections() -> None:
    table, words, owner = ngram_counts([TEXTS[0].text, " ".join(text.text for text in TEXTS[:10])])
    assert table.shape == (len(words), BUCKETS)
    assert owner[0] == 0
    assert set(owner[1:].tolist()) == {1}
    assert words[1:].max() - words[1:].min() <= 1

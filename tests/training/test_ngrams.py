"""training/language/ngrams.py: counting, pooling, and a model with plausible probabilities."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests import tables as tiny
from unspun.model.language.ngrams import LanguageModel
from unspun.model.language.vocabulary import BOUNDARY, SPECIALS, UNKNOWN
from unspun.training.language.ngrams import (
    CORPUS_WEIGHT,
    POCKETSPHINX_WEIGHT,
    NgramCounts,
    TrieModel,
    _unpack,
    build_language_model,
    choose_vocabulary,
    count_ngrams,
    pocketsphinx_counts,
    read_pocketsphinx,
    symspell_counts,
)

A, B, C = 3, 4, 5
SIZE = 6


def counted(*stream: int) -> NgramCounts:
    return count_ngrams(np.array(stream, dtype=np.int32), SIZE)


def as_dictionary(ids: NDArray[np.int32], counts: NDArray[np.float64]) -> dict[tuple[int, ...], float]:
    return {tuple(row): count / CORPUS_WEIGHT for row, count in zip(ids.tolist(), counts.tolist(), strict=True)}


def test_pairs_are_counted() -> None:
    counts = counted(A, B, A, B, C)
    assert as_dictionary(counts.bigrams.ids, counts.bigrams.counts) == {(A, B): 2, (B, A): 1, (B, C): 1}


def test_triples_that_occur_once_are_dropped() -> None:
    counts = counted(A, B, C, A, B, C)
    assert as_dictionary(counts.trigrams.ids, counts.trigrams.counts) == {(A, B, C): 2}


def test_unknown_words_are_counted_too() -> None:
    assert (counted(A, A, UNKNOWN, B).unigrams / CORPUS_WEIGHT).tolist() == [1, 0, 0, 2, 1, 0]


def test_ngrams_with_an_unknown_word_are_dropped() -> None:
    counts = counted(A, UNKNOWN, B, A, UNKNOWN, B)
    assert as_dictionary(counts.bigrams.ids, counts.bigrams.counts) == {(B, A): 1}
    assert not len(counts.trigrams.ids)


def test_a_boundary_is_at_the_end_of_an_ngram_and_never_inside() -> None:
    counts = counted(*[A, BOUNDARY, B] * 3)
    assert (A, BOUNDARY, B) not in as_dictionary(counts.trigrams.ids, counts.trigrams.counts)
    assert as_dictionary(counts.bigrams.ids, counts.bigrams.counts)[(BOUNDARY, B)] == 3


@pytest.mark.parametrize("stream", [(), (A,), (A, B)])
def test_a_stream_shorter_than_an_ngram_has_none(stream: tuple[int, ...]) -> None:
    assert not len(counted(*stream).trigrams.ids)


def followers(model: LanguageModel, first: int) -> float:
    """Return the sum of P(second | first) over the vocabulary."""
    second = np.arange(len(model.unigram))
    return float(np.exp(model.bigram(np.full(len(second), first), second).astype(np.float64)).sum())


def test_single_words_sum_to_one() -> None:
    assert np.exp(tiny.language().unigram.astype(np.float64)).sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("word", ["the", "harbour", "council", "vitality", "<boundary>"])
def test_the_followers_of_a_word_sum_to_about_one(word: str) -> None:
    # Quantisation may move the sum a little.
    assert followers(tiny.language(), tiny.words().index(word)) == pytest.approx(1, abs=0.1)


def test_pairs_that_occurred_are_likelier_than_others() -> None:
    model, words = tiny.language(), tiny.words()
    the, harbour, cheese = (np.array([words.index(word)]) for word in ("the", "harbour", "cheese"))
    assert model.bigram(the, harbour)[0] > model.bigram(the, cheese)[0]


def test_the_number_of_ngrams_is_limited() -> None:
    counts = count_ngrams(tiny.stream(tiny.SENTENCES, tiny.words()), len(tiny.words()))
    model = build_language_model([counts], bigrams=50, trigrams=10, slot_bits=8)
    assert int((model.table.slots > 0).sum()) == 60


def test_a_text_without_repeated_triples_makes_a_model() -> None:
    model = build_language_model([counted(A, B, C, A)], bigrams=10, trigrams=10, slot_bits=4)
    assert np.isfinite(model.unigram).all()


def test_sources_add_up() -> None:
    stream = tiny.stream(tiny.SENTENCES, tiny.words())
    counts = count_ngrams(stream, len(tiny.words()))
    once = build_language_model([counts], bigrams=500, trigrams=50, slot_bits=10)
    twice = build_language_model([counts, counts], bigrams=500, trigrams=50, slot_bits=10)
    word = tiny.words().index("the")
    # Twice the evidence leaves less for unseen words.
    assert twice.backoff[word] < once.backoff[word]


@given(st.lists(st.integers(1, SIZE - 1), min_size=8, max_size=60))
def test_the_same_stream_gives_the_same_model(stream: list[int]) -> None:
    stream = [*stream, *stream]  # so that some triple occurs twice
    first, second = (build_language_model([counted(*stream)], bigrams=30, trigrams=30, slot_bits=8) for _ in range(2))
    assert first.table.slots.tobytes() == second.table.slots.tobytes()
    assert np.isfinite(first.table.levels).all()
    assert (first.backoff <= 0).all()


def test_the_vocabulary_is_sorted_by_count_and_ties_by_spelling() -> None:
    assert choose_vocabulary({"b": 1, "a": 1, "c": 5, "d": 0.5}, 3) == (*SPECIALS, "c", "a", "b")


@given(st.lists(st.tuples(st.integers(0, 2**11 - 1), st.integers(0, 2**16 - 1)), min_size=1, max_size=30))
def test_packed_fields_are_read_back(rows: list[tuple[int, int]]) -> None:
    packed = 0
    for place, (low, high) in enumerate(rows):
        packed |= (low | high << 11) << (27 * place)
    data = np.frombuffer(packed.to_bytes(27 * len(rows) // 8 + 9, "little"), np.uint8)
    assert _unpack(data, len(rows), 27, 0, 11).tolist() == [low for low, _ in rows]
    assert _unpack(data, len(rows), 27, 11, 16).tolist() == [high for _, high in rows]


@pytest.fixture(scope="module")
def trie() -> TrieModel:
    if find_spec("pocketsphinx") is None:
        pytest.skip("language statistics: pip install pocketsphinx")
    return read_pocketsphinx()


def test_pocketsphinx_has_the_documented_size(trie: TrieModel) -> None:
    assert len(trie.words) == 72_547
    assert 2_000_000 < len(trie.bigrams) < 2_100_000
    assert 1_600_000 < len(trie.trigrams) < 1_700_000


def test_pocketsphinx_words_sum_to_one(trie: TrieModel) -> None:
    share = np.exp(trie.unigram)
    share[trie.words.index("<s>")] = 0
    assert share.sum() == pytest.approx(1, abs=0.01)


def test_pocketsphinx_pairs_sum_to_at_most_one(trie: TrieModel) -> None:
    sums = np.bincount(trie.bigrams[:, 0], weights=np.exp(trie.bigram_log_probability))
    assert sums.max() < 1.02
    assert sums[trie.words.index("of")] > 0.5


def test_pocketsphinx_gives_a_frequent_pair_its_probability(trie: TrieModel) -> None:
    of, the = trie.words.index("of"), trie.words.index("the")
    rows = (trie.bigrams[:, 0] == of) & (trie.bigrams[:, 1] == the)
    assert np.exp(trie.bigram_log_probability[rows]) == pytest.approx([0.25], abs=0.1)


def test_pocketsphinx_trigrams_refer_to_words(trie: TrieModel) -> None:
    assert trie.trigrams.min() >= 0
    assert trie.trigrams.max() < len(trie.words)
    assert trie.trigram_log_probability.max() <= 0


def test_pocketsphinx_counts_are_scaled_to_the_pooled_size(trie: TrieModel) -> None:
    counts = pocketsphinx_counts(trie, (*SPECIALS, "of", "the", "and"))
    assert counts.unigrams.sum() == pytest.approx(POCKETSPHINX_WEIGHT, rel=0.1)
    assert (counts.bigrams.ids != UNKNOWN).all()
    assert counts.bigrams.counts.sum() <= counts.unigrams.sum()


def test_symspell_pairs_are_read() -> None:
    pytest.importorskip("symspellpy", reason="bigram counts: pip install symspellpy")
    counts = symspell_counts((*SPECIALS, "of", "the", "and"))
    assert [3, 4] in counts.bigrams.ids.tolist()
    assert (counts.bigrams.counts > 0).all()

"""model/language/ngrams.py: a hash table that is nearly as exact as a dictionary, and standard backoff."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from unspun.model.language.ngrams import (
    BACKOFF,
    BLOCK,
    FINGERPRINT_BITS,
    MAX_PROBES,
    LanguageModel,
    NgramTable,
    ngram_keys,
)

KEYS = st.integers(0, 2**64 - 1)


def random_table(count: int, slot_bits: int) -> tuple[NgramTable, NDArray[np.uint64], NDArray[np.float64]]:
    rng = np.random.default_rng(0)
    ids = np.unique(rng.integers(0, 50_000, size=(count, 2)), axis=0)
    keys = ngram_keys(*ids.T)
    values = -rng.gamma(4.0, 2.0, size=len(keys))
    return NgramTable.build(keys, values, slot_bits), keys, values


def answers(table: NgramTable, keys: NDArray[np.uint64]) -> NDArray[np.float32]:
    """Return the stored value of each key, or NaN."""
    values = np.full(len(keys), np.nan, dtype=np.float32)
    places, found = table.find(keys)
    values[places] = found
    return values


@given(st.dictionaries(KEYS, st.floats(-30, 0), min_size=1, max_size=200), st.lists(KEYS, max_size=50))
def test_a_table_behaves_like_a_dictionary(stored: dict[int, float], others: list[int]) -> None:
    wanted = [*stored, *others]
    # Keys with the same fingerprint can be confused; another test checks how often.
    assume(len({key % 2**FINGERPRINT_BITS for key in wanted}) == len(set(wanted)))
    keys = np.array(list(stored), dtype=np.uint64)
    table = NgramTable.build(keys, np.array(list(stored.values())), 9)
    found = dict(zip(wanted, answers(table, np.array(wanted, dtype=np.uint64)).tolist(), strict=True))
    assert all(math.isnan(found[key]) for key in others if key not in stored)
    known = {key: value for key, value in found.items() if not math.isnan(value)}
    assert len(known) == int((table.slots > 0).sum())  # only keys that found no slot are missing
    low, high = min(stored.values()), max(stored.values())
    assert all(low - 1e-4 <= value <= high + 1e-4 for value in known.values())


def test_a_single_value_is_stored_exactly() -> None:
    keys = ngram_keys(np.arange(5))
    assert answers(NgramTable.build(keys, np.full(5, -2.5), 4), keys).tolist() == [-2.5] * 5


def test_absent_ngrams_are_rarely_found() -> None:
    table, _, _ = random_table(93_000, 17)  # as full as in the shipped model
    rng = np.random.default_rng(1)
    absent = ngram_keys(*rng.integers(60_000, 90_000, size=(2, 200_000)))
    assert len(table.find(absent)[0]) / len(absent) < 0.005


def test_stored_ngrams_are_nearly_all_found() -> None:
    table, keys, _ = random_table(93_000, 17)
    assert np.mean(np.isnan(answers(table, keys))) < 0.02


def test_the_quantised_value_is_near_the_stored_one() -> None:
    table, keys, values = random_table(93_000, 17)
    error = np.abs(answers(table, keys) - values)
    assert np.nanmean(error) < 0.25
    assert np.nanquantile(error, 0.95) < 0.7


def test_the_levels_keep_the_mean() -> None:
    table, keys, values = random_table(20_000, 17)
    assert np.nanmean(answers(table, keys)) == pytest.approx(values.mean(), abs=0.01)


def test_probes_are_limited_even_in_a_full_table() -> None:
    table, _, _ = random_table(900, 10)
    assert table.probes <= MAX_PROBES


def test_too_many_ngrams_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        random_table(1000, 10)


def test_columns_are_broadcast() -> None:
    rows, columns = np.arange(3)[:, None], np.arange(4)[None]
    whole = ngram_keys(*np.broadcast_arrays(rows, columns))
    assert np.array_equal(ngram_keys(rows, columns), whole)


def test_places_are_in_rising_order() -> None:
    table, keys, _ = random_table(600, 10)
    places, _ = table.find(np.resize(keys, 3 * BLOCK))
    assert (np.diff(places) > 0).all()


def test_more_keys_than_a_block_give_the_same_values() -> None:
    table, keys, _ = random_table(600, 10)
    many = np.resize(keys, BLOCK + 700)
    assert np.array_equal(answers(table, many), np.resize(answers(table, keys), BLOCK + 700), equal_nan=True)


def test_no_keys_give_no_values() -> None:
    table, _, _ = random_table(600, 10)
    places, found = table.find(np.zeros(0, np.uint64))
    assert (len(places), len(found)) == (0, 0)


@given(st.tuples(st.integers(0, 60_000), st.integers(0, 60_000)))
def test_order_and_length_of_an_ngram_matter(pair: tuple[int, int]) -> None:
    first, second = (np.array([word]) for word in pair)
    keys = [int(ngram_keys(*columns)[0]) for columns in ((first, second), (second, first), (first, second, first))]
    assert len(set(keys)) == (3 if pair[0] != pair[1] else 2)


def three_words() -> LanguageModel:
    """P(1|0) = 1/2 and P(2|0,1) = 1/4 are stored; unigrams are 1/2, 1/4, 1/4; 1/10 is left for the unseen."""
    columns = np.array([[0, 1]])
    keys = np.concatenate([ngram_keys(*columns.T), ngram_keys(np.array([0]), np.array([1]), np.array([2]))])
    return LanguageModel(
        unigram=np.log([0.5, 0.25, 0.25]).astype(np.float32),
        backoff=np.log([0.1, 0.1, 1.0]).astype(np.float32),
        table=NgramTable.build(keys, np.log([0.5, 0.25]), 4),
    )


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((0, 1), 0.5),  # stored
        ((0, 2), 0.1 * 0.25),  # unseen: the rest after word 0, times the word's own share
        ((2, 0), 1.0 * 0.5),  # nothing is stored after word 2, so nothing is taken from the unigram
        ((0, 1, 2), 0.25),  # stored
        ((1, 0, 1), 0.4 * 0.5),  # the pair is stored: one step back
        ((1, 0, 2), 0.4 * 0.1 * 0.25),  # nothing is stored: two steps back
    ],
)
def test_backoff_equals_a_calculation_by_hand(words: tuple[int, ...], expected: float) -> None:
    pairs, _, triples = three_words().running(np.array(words))
    last = pairs if len(words) == 2 else triples
    assert math.exp(last[0]) == pytest.approx(expected, rel=1e-5)


def test_stored_pairs_are_known() -> None:
    _, known, _ = three_words().running(np.array([0, 1, 0, 2]))
    assert known.tolist() == [True, False, False]


def test_the_backoff_factor_is_that_of_the_paper() -> None:
    assert math.exp(BACKOFF) == pytest.approx(0.4)


@given(st.lists(st.tuples(*[st.integers(0, 2)] * 6), min_size=1, max_size=20))
def test_words_between_others_fit_as_their_ngrams_do(rows: list[tuple[int, ...]]) -> None:
    model = three_words()
    left2, left1, first, second, right1, right2 = np.array(rows, dtype=np.int32).T
    words, right_pair = np.stack([first, second]), model.bigram(right1, right2)
    found = model.fit(words, left2, left1, right1, right2, right_pair)
    for word, fits in zip(words, found.transpose(1, 2, 0), strict=True):
        for text, fit in zip(np.stack([left2, left1, word, right1, right2], axis=1), fits, strict=True):
            assert np.array_equal(fit, model.running(text)[2])

"""model/signals/collocations.py: words that people often combine fit together better than other words."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tables import encode
from unspun.model.signals.collocations import Collocations
from unspun.model.signals.features import Signals


@pytest.fixture
def collocations(signals: Signals) -> Collocations:
    return Collocations(signals.tables.language)


def column(collocations: Collocations, name: str, text: str) -> list[float]:
    return collocations.read(encode(text)).tokens[:, collocations.token_names.index(name)].tolist()


def test_a_word_fits_after_words_it_follows_in_the_corpus(collocations: Collocations) -> None:
    usual = column(collocations, "after_left", "in the harbour")[2]
    odd = column(collocations, "after_left", "a very harbour")[2]
    assert usual > odd


def test_a_pair_from_the_corpus_is_known(collocations: Collocations) -> None:
    assert column(collocations, "left_known", "The mayor gave cheese")[1:] == [1, 1, 0]


def test_a_known_pair_is_known_from_both_of_its_words(collocations: Collocations) -> None:
    text = "the old ferry was cold fish"
    left = column(collocations, "left_known", text)
    right = column(collocations, "right_known", text)
    assert left[1:] == right[:-1]


def test_association_is_the_gain_over_the_word_by_itself(collocations: Collocations, signals: Signals) -> None:
    ids = encode("the bridge").ids
    pair = signals.tables.language.bigram(ids[:1], ids[1:])
    expected = float((pair - signals.tables.language.unigram[ids[1:]])[0])
    assert column(collocations, "left_association", "the bridge")[1] == pytest.approx(expected)


def test_the_document_before_has_no_influence(collocations: Collocations) -> None:
    alone = collocations.read(encode("harbour was empty"))
    after = collocations.read(encode("boats in the", "harbour was empty"))
    assert np.array_equal(alone.tokens, after.tokens[3:])
    assert np.array_equal(alone.documents[0], after.documents[1])


def test_the_share_of_unknown_pairs_is_counted(collocations: Collocations) -> None:
    place = collocations.document_names.index("unknown_pairs")
    documents = collocations.read(encode("cheese mayor fish very", "The mayor said")).documents
    assert documents[:, place].tolist() == [1, 0]

"""model/signals/substitutions.py: finds synonyms that fit much better than the word itself."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tables import encode
from unspun.model.language.vocabulary import UNKNOWN
from unspun.model.signals.features import Signals
from unspun.model.signals.substitutions import INPUTS, NO_ALTERNATIVE, Substitutions


@pytest.fixture
def substitutions(signals: Signals) -> Substitutions:
    return signals.substitutions


def value(substitutions: Substitutions, name: str, text: str, place: int) -> float:
    tokens = substitutions.read(encode(text)).tokens
    return float(tokens[place, substitutions.token_names.index(name)])


@pytest.mark.parametrize(
    ("text", "place", "best"),
    [
        ("She instructed the reporters that the council had no plan.", 1, "told"),  # a verb
        ("She told the journalists that the council had no plan.", 3, "reporters"),  # its object
        ("The old ship was late again.", 2, "ferry"),  # the likeliest in context, not the first in the list
        ("He has a small ship, and he goes out.", 4, "boat"),  # the same word in another context
    ],
)
def test_the_original_is_the_best_alternative(
    substitutions: Substitutions, signals: Signals, text: str, place: int, best: str
) -> None:
    _, ids = substitutions.read_with_best(encode(text))
    assert signals.tables.vocabulary.words[ids[place]] == best


def test_a_spun_word_has_higher_odds_than_the_original(substitutions: Substitutions) -> None:
    spun = value(substitutions, "odds", "The old ship was late again.", 2)
    human = value(substitutions, "odds", "The old ferry was late again.", 1)
    assert spun > 0 > human


def test_a_word_without_alternatives_has_none(substitutions: Substitutions) -> None:
    tokens, best = substitutions.read_with_best(encode("The ferry"))
    assert tokens[1].tolist() == [NO_ALTERNATIVE] * 3 + [0, 0, 0]
    assert best.tolist() == [UNKNOWN, UNKNOWN]


def test_the_difference_in_frequency_is_given(substitutions: Substitutions) -> None:
    assert value(substitutions, "rarer_by", "The old ship was late.", 2) > 0


def test_the_number_of_alternatives_is_given(substitutions: Substitutions) -> None:
    assert value(substitutions, "alternatives", "The old ship was late.", 2) == 3


def test_empty_alternatives_are_never_the_best(substitutions: Substitutions) -> None:
    found = substitutions.candidates(encode("the journalists"), np.array([0, 1]))
    assert (found.score[found.ids == UNKNOWN] == NO_ALTERNATIVE).all()
    assert found.inputs[found.ids == UNKNOWN].sum() == 0


def test_the_score_is_the_weighted_sum_of_the_inputs(substitutions: Substitutions, signals: Signals) -> None:
    found = substitutions.candidates(encode("the old ship was late"), np.array([2]))
    alternatives = signals.tables.alternatives
    assert found.inputs.shape == (1, 3, len(INPUTS))
    assert found.score[0] == pytest.approx(found.inputs[0] @ alternatives.weights + alternatives.bias)


def test_words_outside_prose_have_no_alternatives(substitutions: Substitutions) -> None:
    # A line of a list is not prose.
    encoding = encode("The ferry was late again, and the people on the quay were cold.\n\n- ship\n- old\n- ship\n")
    tokens = substitutions.read(encoding).tokens
    assert not (tokens[~encoding.judged, 5] > 0).any()


def test_a_text_without_alternatives_has_zeros(substitutions: Substitutions) -> None:
    assert not substitutions.read(encode("", "the ferry")).documents.any()

"""model/signals/translationese.py: rates, sentence lengths and repetition."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tables import ARTICLE, encode
from unspun.model.signals.features import Signals
from unspun.model.signals.translationese import NEAR, Translationese


@pytest.fixture
def signal(signals: Signals) -> Translationese:
    return next(signal for signal in signals.for_documents if isinstance(signal, Translationese))


def number(signal: Translationese, name: str, *texts: str) -> list[float]:
    return signal.read(encode(*texts)).documents[:, signal.document_names.index(name)].tolist()


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("word_the", "The boats and the ferry went home.", 2 / 7),  # a function word, in any case
        ("mark_,", "So, again, home went the boats.", 2 / 6),  # commas per word
        ("ending_ed", "It was closed and xylophoned.", 1 / 5),  # a known word and an unknown one
        ("word_the", "Boats went home.", 0.0),  # none
    ],
)
def test_rates_are_square_roots_of_shares(signal: Translationese, name: str, text: str, expected: float) -> None:
    assert number(signal, name, text)[0] == pytest.approx(np.sqrt(expected), rel=1e-5)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("sentence_length", "The old ferry was late. The mayor gave a speech again.", (np.log(5) + np.log(6)) / 2),
        ("short_sentences", "The ferry was late. The boats went back to the harbour in the morning.", 0.5),
        ("repeated_function", "zither xylophone balalaika", 0),  # unknown words do not repeat each other
        ("word_length", "a ferry was", 3),  # in characters
        ("capitals", "The ferry left London at night.", 1 / 6),  # not at the start of a sentence
    ],
)
def test_numbers(signal: Translationese, name: str, text: str, expected: float) -> None:
    assert number(signal, name, text) == [pytest.approx(expected, rel=1e-5)]


def test_even_sentences_have_no_deviation(signal: Translationese) -> None:
    even, uneven = number(
        signal, "sentence_length_deviation", "The ferry was late. The town was cold.", "We went. " + ARTICLE
    )
    assert even == pytest.approx(0, abs=1e-6)
    assert uneven > 0.1


def test_a_word_that_occurs_again_nearby_is_a_repetition(signal: Translationese) -> None:
    near, far = number(
        signal,
        "repeated_content",
        "vitality and vitality",
        "vitality " + "and " * NEAR + "vitality",
    )
    assert (near, far) == (0.5, 0)


def test_repetitions_do_not_span_documents(signal: Translationese) -> None:
    assert number(signal, "repeated_content", "vitality", "vitality") == [0, 0]

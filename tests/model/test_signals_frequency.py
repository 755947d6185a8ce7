"""model/signals/frequency.py: how common the words of a text are."""

from __future__ import annotations

import pytest

from tests.tables import encode
from unspun.model.signals.features import Signals
from unspun.model.signals.frequency import Frequency


@pytest.fixture
def frequency(signals: Signals) -> Frequency:
    return Frequency(signals.tables.language)


def number(frequency: Frequency, name: str, *texts: str) -> list[float]:
    column = frequency.document_names.index(name)
    return frequency.read(encode(*texts)).documents[:, column].tolist()


def test_a_token_has_the_log_probability_of_its_word(frequency: Frequency, signals: Signals) -> None:
    tokens = frequency.read(encode("the harbour")).tokens
    ids = signals.tables.vocabulary.ids_of_words
    assert tokens[:, 0].tolist() == [signals.tables.language.unigram[ids[word]] for word in ("the", "harbour")]


def test_an_unknown_word_is_marked(frequency: Frequency) -> None:
    assert frequency.read(encode("the xylophone")).tokens[:, 1].tolist() == [0, 1]


def test_the_share_of_unknown_words_is_counted(frequency: Frequency) -> None:
    shares = number(frequency, "unknown", "the harbour", "the xylophone", "zither xylophone")
    assert shares == [0, 0.5, 1]


def test_rarer_words_have_a_lower_mean(frequency: Frequency) -> None:
    # Only words rarer than FUNCTION_WORD count. In this small model these are words that are not in its sentences.
    mean = number(frequency, "mean", "vitality hour", "the town")
    assert mean[0] < -7
    assert mean[1] == 0

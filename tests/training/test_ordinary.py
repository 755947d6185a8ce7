"""The known phrases that people also write are listed, and never shown as phrases of spinners."""

from __future__ import annotations

import pytest

from unspun.model.signals.known_phrases import ordinary_keys, phrase_keys
from unspun.model.text.document import hash_phrase
from unspun.training.language.ordinary import ordinary

HUMAN = ["On the whole, rather than wait, she went home.", "He was late due\nto the snow."]


def test_a_phrase_that_people_write_is_listed() -> None:
    assert ordinary(["due to", "Rather than", "bosom peril"], HUMAN) == ["due to", "rather than"]


def test_single_words_are_not_listed() -> None:
    assert ordinary(["snow"], HUMAN) == []


def test_a_phrase_can_be_required_to_occur_several_times() -> None:
    assert ordinary(["due to", "rather than"], [*HUMAN, "It was due to the snow."], least=2) == ["due to"]


@pytest.mark.parametrize(
    "phrase",
    ["due to", "rather than", "as well as", "run of the mill", "one of a kind", "put differently"],
)
def test_the_list_that_ships_has_ordinary_english(phrase: str) -> None:
    hashes = hash_phrase(phrase)
    assert phrase_keys(hashes, len(hashes))[0] in ordinary_keys()


@pytest.mark.parametrize("phrase", ["imaginative and prescient", "counterfeit consciousness", "withinside the"])
def test_the_list_that_ships_has_no_phrases_of_spinners(phrase: str) -> None:
    hashes = hash_phrase(phrase)
    assert phrase_keys(hashes, len(hashes))[0] not in ordinary_keys()

"""Edits that leave a text what it was (training.machines.edits)."""

from __future__ import annotations

import numpy as np
import pytest

from unspun.training.machines.edits import corrected, respelled, restored

ORIGINAL = "The dish says that energy exports increased a lot, and the council was told about it."
CHANGED = "The plate states that power exports rose a lot, and the council was told about it."


@pytest.mark.parametrize(
    ("british", "american"),
    [
        ("The organisation's colour was analysed.", "The organization's color was analyzed."),
        ("They unrecognised the theatre while travelling.", "They unrecognized the theater while traveling."),
        ("Neighbours realise it.", "Neighbors realize it."),
        # No British spelling, although they look like one.
        ("The exercise was a promise of paradise.", "The exercise was a promise of paradise."),
        ("Four hours of tour", "Four hours of tour"),
    ],
)
def test_british_spelling_becomes_american(british: str, american: str) -> None:
    assert respelled(british) == american


def test_the_grammar_checker_corrects_what_it_finds() -> None:
    pytest.importorskip("harper", reason="no grammar checker: pip install harper-py")
    assert corrected("Yes i think that she dont know.") == "Yes I think that she don't know."


def test_correct_text_stays_as_it_is() -> None:
    pytest.importorskip("harper", reason="no grammar checker: pip install harper-py")
    text = "The ferry left before the storm came in from the north."
    assert corrected(text) == text


def test_no_passage_is_changed_back_where_none_should_be() -> None:
    assert restored(CHANGED, ORIGINAL, np.random.default_rng(0), share=0.0) == CHANGED


def test_every_replaced_word_can_be_changed_back() -> None:
    assert restored(CHANGED, ORIGINAL, np.random.default_rng(0), share=1.0) == ORIGINAL


def test_the_same_seed_changes_the_same_words_back() -> None:
    some = [restored(CHANGED, ORIGINAL, np.random.default_rng(5), share=0.5) for _ in range(2)]
    assert some[0] == some[1]
    assert some[0] not in (ORIGINAL, CHANGED)

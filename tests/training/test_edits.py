"""training/machines/edits.py: edits that do not change the label of a text."""

from __future__ import annotations

import numpy as np
import pytest

from unspun.training.machines.base import Machine
from unspun.training.machines.edits import EDITS, AmericanSpelling, GrammarChecker, partly_reverted

ORIGINAL = "The dish says that energy exports increased a lot, and the council was told about it."
CORRECT = "The ferry left before the storm came in from the north."
CHANGED = "The plate states that power exports rose a lot, and the council was told about it."


def edited(edit: Machine, text: str) -> str:
    return edit.paraphrase(text, np.random.default_rng(0)).text


@pytest.mark.parametrize(
    ("british", "american"),
    [
        ("The organisation's colour was analysed.", "The organization's color was analyzed."),
        ("They unrecognised the theatre while travelling.", "They unrecognized the theater while traveling."),
        ("Neighbours realise it.", "Neighbors realize it."),
        # These only look like British spelling.
        ("The exercise was a promise of paradise.", "The exercise was a promise of paradise."),
        ("Four hours of tour", "Four hours of tour"),
    ],
)
def test_british_spelling_becomes_american(british: str, american: str) -> None:
    assert edited(AmericanSpelling(), british) == american


@pytest.mark.parametrize(
    ("text", "correct"),
    [("Yes i think that she dont know.", "Yes I think that she don't know."), (CORRECT, CORRECT)],
)
def test_the_grammar_checker_corrects_mistakes_only(text: str, correct: str) -> None:
    pytest.importorskip("harper", reason="no grammar checker: pip install harper-py")
    assert edited(GrammarChecker(), text) == correct


def test_an_edited_human_text_is_still_human() -> None:
    assert {edit.kind for edit in EDITS} == {"human"}


@pytest.mark.parametrize(("share", "text"), [(0.0, CHANGED), (1.0, ORIGINAL)])
def test_the_share_of_reverted_passages_is_respected(share: float, text: str) -> None:
    assert partly_reverted(CHANGED, ORIGINAL, np.random.default_rng(0), share) == text


def test_the_same_seed_reverts_the_same_words() -> None:
    some = [partly_reverted(CHANGED, ORIGINAL, np.random.default_rng(5), share=0.5) for _ in range(2)]
    assert some[0] == some[1]
    assert some[0] not in (ORIGINAL, CHANGED)

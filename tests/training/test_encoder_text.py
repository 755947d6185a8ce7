"""training/encoder_text.py: which word pieces a machine put there, and what stood there before."""

from __future__ import annotations

import numpy as np
import pytest

from model.fast import MACHINE_KINDS
from model.wordpieces import WordPieces
from training.encoder_text import NO_PIECE, UNSAID, Lesson, prepare
from training.spinners import Substitution

PIECES = WordPieces(
    ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "vision", "imagin", "##ative", "and", "view", "a", "ship"]
)
SPUN = MACHINE_KINDS.index("spun")


def labels_of(lesson: Lesson) -> list[list[int]]:
    return prepare([lesson], PIECES).labels.tolist()


def test_human_text_is_no_machines() -> None:
    assert labels_of(Lesson("the ship", "human")) == [[0, 0, 0]] * 2


@pytest.mark.parametrize("kind", ["translated", "rewritten"])
def test_every_piece_of_a_machines_text_is_its_own_and_the_other_kinds_are_unsaid(kind: str) -> None:
    expected = [1 if name == kind else UNSAID for name in MACHINE_KINDS]
    assert labels_of(Lesson("the ship", kind, None)) == [expected] * 2


def test_a_replaced_word_is_the_spinners_in_all_its_pieces() -> None:
    found = prepare([Lesson("the imaginative ship", "spun", [Substitution(4, 15, "vision")])], PIECES)
    assert found.labels[:, SPUN].tolist() == [0, 1, 1, 0]


def test_a_replaced_phrase_is_the_spinners_in_all_its_words() -> None:
    found = prepare([Lesson("the imaginative and view ship", "spun", [Substitution(4, 24, "vision")])], PIECES)
    assert found.labels[:, SPUN].tolist() == [0, 1, 1, 1, 1, 0]


def test_what_stood_there_before_is_told_of_every_replaced_piece() -> None:
    found = prepare([Lesson("the imaginative ship", "spun", [Substitution(4, 15, "Vision")])], PIECES)
    vision = PIECES.pieces.index("vision")
    assert found.before.tolist() == [NO_PIECE, vision, vision, NO_PIECE]


def test_an_original_that_is_no_single_piece_is_not_told() -> None:
    found = prepare([Lesson("the view ship", "spun", [Substitution(4, 8, "imaginative")])], PIECES)
    assert found.labels[:, SPUN].tolist() == [0, 1, 0]
    assert (found.before == NO_PIECE).all()


def test_an_article_that_was_mended_says_nothing() -> None:
    found = prepare([Lesson("a view", "spun", [Substitution(0, 1, "an")])], PIECES)
    assert found.labels[:, SPUN].tolist() == [UNSAID, 0]


def test_texts_keep_their_places() -> None:
    found = prepare([Lesson("the ship", "human"), Lesson("", "human"), Lesson("view", "human")], PIECES)
    assert found.ptr.tolist() == [0, 2, 2, 3]
    assert len(found) == 3
    assert found.ids.dtype == np.int32

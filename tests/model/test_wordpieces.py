"""model/tiers/wordpieces.py: word pieces with their offsets, and the windows that cover a text."""

from __future__ import annotations

import itertools
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import deep as tiny
from tests.cases import cases
from unspun.model.tiers.wordpieces import TYPOGRAPHY, UNKNOWN_PIECE, Pieces, WordPieces, windows

WORDPIECES = WordPieces(tiny.PIECES)
SIGN_PIECES = (*tiny.PIECES, *(sign for sign in TYPOGRAPHY if sign not in tiny.PIECES), *"".join(TYPOGRAPHY.values()))
SIGNS = WordPieces(SIGN_PIECES)
ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()))
SNIPPETS = st.sampled_from(
    ["The vessel", "boatized", "e\u0301", "İ", "ﬁ", "\ud800", "\u200b", "\x00", "😀", "中", "각", "\n"]
)


def cut(text: str) -> list[tuple[str, int, int]]:
    """Return the pieces of a text with the characters that they cover."""
    found = WORDPIECES.cut([text])
    return [(tiny.PIECES[i], int(a), int(b)) for i, a, b in zip(found.ids, found.starts, found.ends, strict=True)]


def as_read(text: str) -> str:
    """Return what pieces should spell, by Python's Unicode data: lower case, no accents, nothing invisible."""
    seen = unicodedata.normalize("NFD", text.encode("utf-8", "replace").decode("utf-8"))
    return "".join(c for c in seen if unicodedata.category(c)[0] not in "MC" and c != "\ufffd").lower()


@pytest.mark.parametrize("case", cases("model/wordpieces.toml"), ids=lambda case: ascii(case["text"]))
def test_a_text_is_split_into_pieces(case: dict[str, Any]) -> None:
    text = case["text"]
    assert [[piece, text[start:end]] for piece, start, end in cut(text)] == case["pieces"]


@given(ANY_TEXT | st.lists(SNIPPETS | st.text(max_size=3), max_size=8).map("".join))
def test_a_piece_spells_the_characters_at_its_offsets(text: str) -> None:
    for piece, start, end in cut(text):
        assert piece == UNKNOWN_PIECE or as_read(text[start:end]) == piece.removeprefix("##")


@given(ANY_TEXT | st.lists(SNIPPETS | st.text(max_size=3), max_size=8).map("".join))
def test_pieces_are_in_order_and_inside_the_text(text: str) -> None:
    found = cut(text)
    assert all(0 <= start < end <= len(text) for _, start, end in found)
    assert all(first[2] <= second[1] for first, second in itertools.pairwise(found))


def test_a_lone_surrogate_becomes_a_question_mark() -> None:
    assert cut("\udc00\ud800the") == [("?", 0, 1), ("?", 1, 2), ("the", 2, 5)]


@pytest.mark.parametrize("mark", ["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
def test_markers_in_a_text_are_ordinary_text(mark: str) -> None:
    assert not {"[PAD]", "[CLS]", "[SEP]"} & {piece for piece, _, _ in cut(f"the {mark} ferry{mark}")}


def test_a_very_long_word_is_one_unknown_piece() -> None:
    assert cut("the " + "s" * 101) == [("the", 0, 3), ("[UNK]", 4, 105)]


@settings(max_examples=30)
@given(st.lists(SNIPPETS | ANY_TEXT, max_size=5))
def test_pieces_do_not_depend_on_the_batch(texts: list[str]) -> None:
    together = WORDPIECES.cut(texts)
    alone = [WORDPIECES.cut([text]) for text in texts]
    assert [part(together, i) for i in range(len(texts))] == [part(one, 0) for one in alone]


def part(pieces: Pieces, number: int) -> list[list[int]]:
    chosen = slice(pieces.ptr[number], pieces.ptr[number + 1])
    return [pieces.ids[chosen].tolist(), pieces.starts[chosen].tolist(), pieces.ends[chosen].tolist()]


@pytest.mark.parametrize("texts", [[], [""], ["", " "]])
def test_no_text_has_no_pieces(texts: list[str]) -> None:
    found = WORDPIECES.cut(texts)
    assert found.ptr.tolist() == [0] * (len(texts) + 1)
    assert found.ids.shape == found.starts.shape == found.ends.shape == (0,)


def test_a_vocabulary_file_has_one_piece_per_line(tmp_path: Path) -> None:
    file = tmp_path / "pieces.txt"
    file.write_text("\n".join(tiny.PIECES) + "\n", "utf-8")
    assert WordPieces.read(file).pieces == tiny.PIECES


def test_a_vocabulary_knows_its_size() -> None:
    assert len(WORDPIECES) == len(tiny.PIECES)


def test_a_duplicate_piece_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        WordPieces([*tiny.PIECES, "ferry"])


def test_a_vocabulary_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match=r"lacks the word piece \[CLS\]"):
        WordPieces(["ferry", "[UNK]"])


class TestTypography:
    """Typographic variants are replaced by plain signs."""

    @staticmethod
    def read(text: str) -> list[str]:
        """Return the pieces as the encoder reads them."""
        ids = SIGNS.cut([text]).ids
        return [SIGN_PIECES[i] for i in SIGNS.typography[ids[SIGNS.without_repeats(ids)]]]

    @pytest.mark.parametrize(
        ("written", "plain"),
        [
            ("“the ferry”", '"the ferry"'),
            ("„the ferry“", '"the ferry"'),
            ("«the ferry»", '"the ferry"'),
            ("the ferry’s", "the ferry's"),
            ("‘the ferry’", "'the ferry'"),
            ("the ferry – the council", "the ferry - the council"),
            ("the ferry—the council", "the ferry-the council"),
            ("the ferry…", "the ferry..."),
            ("• the ferry", "* the ferry"),
            ("the ferry -- the council", "the ferry - the council"),
            ("``the ferry''", "'the ferry'"),
            ("the ferry.....", "the ferry."),
            ("***the ferry", "* the ferry"),
        ],
    )
    def test_typographic_variants_give_the_same_pieces(self, written: str, plain: str) -> None:
        assert self.read(written) == self.read(plain)

    @pytest.mark.parametrize("text", ["the the ferry", "a a a a", "council, ferry, council"])
    def test_words_and_single_signs_are_unchanged(self, text: str) -> None:
        ids = SIGNS.cut([text]).ids
        assert SIGNS.without_repeats(ids).all()
        assert np.array_equal(SIGNS.typography[ids], ids)

    def test_different_signs_are_both_kept(self) -> None:
        assert self.read("the ferry.'") == ["the", "ferry", ".", "'"]

    def test_a_variant_is_kept_if_the_plain_sign_is_not_in_the_vocabulary(self) -> None:
        pieces = ("[UNK]", "[CLS]", "[SEP]", "—", "the")
        assert WordPieces(pieces).typography.tolist() == [0, 1, 2, 3, 4]

    def test_no_pieces_give_no_pieces(self) -> None:
        assert SIGNS.without_repeats(np.zeros(0, np.int32)).tolist() == []


class TestWindows:
    """The starts of windows of `size` pieces that overlap by at least `overlap`."""

    @pytest.mark.parametrize(
        ("pieces", "size", "overlap", "starts"),
        [
            (126, 126, 30, [0]),
            (0, 126, 30, [0]),  # one empty window
            (127, 126, 30, [0, 1]),
            (250, 100, 20, [0, 75, 150]),  # spread evenly
        ],
    )
    def test_examples(self, pieces: int, size: int, overlap: int, starts: list[int]) -> None:
        assert windows(pieces, size, overlap).tolist() == starts

    @given(st.integers(0, 1000), st.integers(1, 150), st.data())
    def test_windows_cover_the_text_and_end_with_it(self, pieces: int, size: int, data: st.DataObject) -> None:
        starts = windows(pieces, size, data.draw(st.integers(0, size - 1)))
        read = np.zeros(max(pieces, size), dtype=bool)
        for start in starts:
            read[start : start + size] = True
        assert read.all()
        assert starts[-1] + size == max(pieces, size)

    @given(st.integers(0, 1000), st.integers(1, 150), st.data())
    def test_each_window_overlaps_the_one_before(self, pieces: int, size: int, data: st.DataObject) -> None:
        overlap = data.draw(st.integers(0, size - 1))
        steps = np.diff(windows(pieces, size, overlap))
        assert np.all(steps > 0)
        assert np.all(steps <= size - overlap)

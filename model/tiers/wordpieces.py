"""Splits texts into word pieces with their offsets: the input of the deep tier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TYPOGRAPHY = {'"': "“”„‟«»″", "'": "‘’‚‛`´′", "-": "‐‑‒–—―−", ".": "…", "*": "•·●"}
"""Typographic variants of a few signs, by the sign that replaces them. They depend on a text's file format and
typesetter, so an encoder that sees them learns to recognise the corpus instead of the machine.
"""
UNKNOWN_PIECE, START, END = "[UNK]", "[CLS]", "[SEP]"
STAND_IN = "5"
"""The piece that the encoder sees in place of an allowed term: a number changes the verdict on the rest of a text less
than letters, pronouns, names, the encoder's own mask, or no piece at all (benchmarks.allowed)."""


@dataclass(frozen=True, eq=False)
class Pieces:
    """The word pieces of D texts, P in all.

    `ids` (P,) int32; `starts` and `ends` (P,) int64, offsets in characters into each piece's text; `ptr` (D + 1,)
    int64: the pieces of text d are ptr[d]:ptr[d + 1].
    """

    ids: NDArray[np.int32]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    ptr: NDArray[np.int64]


def check_pieces(pieces: Sequence[str]) -> None:
    """Raise ValueError unless pieces can be those of a tokenizer."""
    different = set(pieces)
    if len(different) != len(pieces):
        raise ValueError("the vocabulary lists a word piece twice")
    if missing := sorted({UNKNOWN_PIECE, START, END} - different):
        raise ValueError(f"the vocabulary lacks the word piece {missing[0]}")


class WordPieces:
    """BERT's tokenizer (Devlin et al. 2019) over a vocabulary of word pieces: lower case, without accents."""

    def __init__(self, pieces: Sequence[str]) -> None:
        # Imported here because it is slow, and the fast tier does not need it.
        from tokenizers import Tokenizer
        from tokenizers.models import WordPiece
        from tokenizers.normalizers import BertNormalizer
        from tokenizers.pre_tokenizers import BertPreTokenizer

        self.pieces = tuple(pieces)
        check_pieces(self.pieces)
        numbers = {piece: number for number, piece in enumerate(self.pieces)}
        self.start, self.end = numbers[START], numbers[END]
        self.stand_in = numbers.get(STAND_IN, numbers[UNKNOWN_PIECE])
        self._tokenizer = Tokenizer(WordPiece(numbers, unk_token=UNKNOWN_PIECE, max_input_chars_per_word=100))
        self._tokenizer.normalizer = BertNormalizer(lowercase=True)
        self._tokenizer.pre_tokenizer = BertPreTokenizer()
        signs = {sign: plain for plain, family in TYPOGRAPHY.items() for sign in family}
        self.typography = np.array(
            [numbers.get(signs.get(piece, piece), number) for number, piece in enumerate(self.pieces)], dtype=np.int32
        )
        self._signs = np.array([len(piece) == 1 and not piece.isalnum() for piece in self.pieces])

    @classmethod
    def read(cls, file: Path) -> WordPieces:
        """Read a vocabulary with one piece per line."""
        return cls(file.read_text("utf-8").rstrip("\n").split("\n"))

    def without_repeats(self, ids: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Return which pieces (P,) the encoder reads: all but the repetitions of a sign ("--", "...", "''")."""
        plain = self.typography[ids]
        again = np.zeros(len(ids), dtype=bool)
        again[1:] = (plain[1:] == plain[:-1]) & self._signs[plain[1:]]
        return ~again

    def __len__(self) -> int:
        """Return the number of pieces."""
        return len(self.pieces)

    def cut(self, texts: Sequence[str]) -> Pieces:
        """Split texts into pieces. Any strings are accepted."""
        clean = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]  # lone surrogates become "?"
        found = self._tokenizer.encode_batch(clean, add_special_tokens=False)
        ptr = np.zeros(len(found) + 1, dtype=np.int64)
        np.cumsum([len(one) for one in found], out=ptr[1:])
        ids = np.concatenate([np.zeros(0, np.int32), *(np.array(one.ids, dtype=np.int32) for one in found)])
        places = [np.array(one.offsets, dtype=np.int64).reshape(-1, 2) for one in found]
        offsets = np.concatenate([np.zeros((0, 2), np.int64), *places])
        return Pieces(ids, offsets[:, 0], offsets[:, 1], ptr)


def windows(pieces: int, size: int, overlap: int) -> NDArray[np.int64]:
    """Return the starts of windows of `size` pieces that cover a text of `pieces` pieces, as few as possible.

    They are spread evenly, from the first piece to the last. Each repeats at least `overlap` pieces of the one before.
    """
    if pieces <= size:
        return np.zeros(1, dtype=np.int64)
    others = -(-(pieces - size) // (size - overlap))
    answer: NDArray[np.int64] = np.arange(others + 1) * (pieces - size) // others
    return answer

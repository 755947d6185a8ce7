"""Texts to word pieces with their places: what the deep tier reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TYPOGRAPHY = {'"': "“”„‟«»″", "'": "‘’‚‛`´′", "-": "‐‑‒–—―−", ".": "…", "*": "•·●"}
"""Signs that a text's typesetter or its file format chose, by the sign that they are read as: an encoder that sees them
learns which corpus a text comes from.
"""
UNKNOWN_PIECE, START, END = "[UNK]", "[CLS]", "[SEP]"


@dataclass(frozen=True, eq=False)
class Pieces:
    """The word pieces of D texts, P in all.

    `ids` (P,) int32; `starts` and `ends` (P,) int64, characters of the own text; `ptr` (D + 1,) int64: the pieces of
    text d are ptr[d]:ptr[d + 1].
    """

    ids: NDArray[np.int32]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    ptr: NDArray[np.int64]


class WordPieces:
    """A vocabulary of word pieces, as BERT cuts text (Devlin et al. 2019): lower case, no accents."""

    def __init__(self, pieces: Sequence[str]) -> None:
        # Imported here: the fast tier alone should not wait for it.
        from tokenizers import Tokenizer
        from tokenizers.models import WordPiece
        from tokenizers.normalizers import BertNormalizer
        from tokenizers.pre_tokenizers import BertPreTokenizer

        self.pieces = tuple(pieces)
        numbers = {piece: number for number, piece in enumerate(self.pieces)}
        if len(numbers) != len(self.pieces):
            raise ValueError("a word piece is listed twice")
        self.start, self.end = numbers[START], numbers[END]
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
        """Read a vocabulary, a piece a line."""
        return cls(file.read_text("utf-8").rstrip("\n").split("\n"))

    def told_apart(self, ids: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Return which pieces (P,) are read: of a sign that is repeated ("--", "...", "''"), the first."""
        plain = self.typography[ids]
        again = np.zeros(len(ids), dtype=bool)
        again[1:] = (plain[1:] == plain[:-1]) & self._signs[plain[1:]]
        return ~again

    def __len__(self) -> int:
        """Return the number of pieces."""
        return len(self.pieces)

    def cut(self, texts: Sequence[str]) -> Pieces:
        """Cut texts into pieces. Every string is accepted."""
        clean = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]  # lone surrogates: one "?" each
        found = self._tokenizer.encode_batch(clean, add_special_tokens=False)
        ptr = np.zeros(len(found) + 1, dtype=np.int64)
        np.cumsum([len(one) for one in found], out=ptr[1:])
        ids = np.concatenate([np.zeros(0, np.int32), *(np.array(one.ids, dtype=np.int32) for one in found)])
        places = [np.array(one.offsets, dtype=np.int64).reshape(-1, 2) for one in found]
        offsets = np.concatenate([np.zeros((0, 2), np.int64), *places])
        return Pieces(ids, offsets[:, 0], offsets[:, 1], ptr)


def windows(pieces: int, size: int, overlap: int) -> NDArray[np.int64]:
    """Return where windows of `size` pieces start that cover so many, each overlapping the one before by `overlap` or
    more: the last ends with the text.
    """
    if pieces <= size:
        return np.zeros(1, dtype=np.int64)
    return np.append(np.arange(0, pieces - size, size - overlap), pieces - size).astype(np.int64)

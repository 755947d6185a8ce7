"""Text for the deep tier to learn from: word pieces, each with what is known of who put it there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.fast import MACHINE_KINDS
from model.wordpieces import WordPieces
from training.spinners import Substitution

UNSAID = -1
"""Label of a piece of which it is not known, or does not matter, whether that kind of machine put it there."""
NO_PIECE = -1


@dataclass(frozen=True, slots=True)
class Lesson:
    """A text to learn from: `kind` is the text's, one of model.verdict.KINDS.

    `substitutions` are the words that a spinner replaced, in order; None where that is not known.
    """

    text: str
    kind: str
    substitutions: Sequence[Substitution] | None = ()


@dataclass(frozen=True, eq=False)
class Lessons:
    """Lessons as arrays: `ids` (P,) word pieces; `labels` (P, kinds) 1, 0 or UNSAID; `before` (P,) the piece that stood
    there before, or NO_PIECE; the pieces of text d are ptr[d]:ptr[d + 1].
    """

    ids: NDArray[np.int32]
    labels: NDArray[np.int8]
    before: NDArray[np.int32]
    ptr: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.ptr) - 1


def prepare(lessons: Sequence[Lesson], wordpieces: WordPieces) -> Lessons:
    """Cut lessons into word pieces and label each.

    A replaced word is the spinner's in all its pieces. Every piece of a translated or rewritten text is its machine's:
    which ones give it away is for the encoder to find. Of each kind the others say nothing, apart from human text,
    which is no machine's.
    """
    cut = wordpieces.cut([lesson.text for lesson in lessons])
    labels = np.full((len(cut.ids), len(MACHINE_KINDS)), UNSAID, dtype=np.int8)
    before = np.full(len(cut.ids), NO_PIECE, dtype=np.int32)
    singles = {piece: number for number, piece in enumerate(wordpieces.pieces)}
    for number, lesson in enumerate(lessons):
        rows = slice(int(cut.ptr[number]), int(cut.ptr[number + 1]))
        if lesson.kind == "human":
            labels[rows] = 0
            continue
        if lesson.kind != "spun":
            labels[rows, MACHINE_KINDS.index(lesson.kind)] = 1
            continue
        if lesson.substitutions is None:
            continue
        labels[rows, 0] = 0
        starts, ends = cut.starts[rows], cut.ends[rows]
        for change in lesson.substitutions:
            first = int(np.searchsorted(ends, change.start, side="right"))
            last = int(np.searchsorted(starts, change.end, side="left"))
            labels[rows.start + first : rows.start + last, 0] = 1
            original = change.original.lower()
            if original in ("a", "an"):
                labels[rows.start + first : rows.start + last, 0] = UNSAID
            else:
                before[rows.start + first : rows.start + last] = singles.get(original, NO_PIECE)
    return Lessons(cut.ids, labels, before, cut.ptr)

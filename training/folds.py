"""Folds that part labelled texts by tool, and human text by source, for encoders that must not see what they judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.corpora import LabelledText, tool_family
from training.matrix import group_share


@dataclass(frozen=True, eq=False)
class Folds:
    """`tool` (N,): the fold that leaves the text's tool, or source of human text, out. `part` (N,): the fold that
    leaves the text's group out.

    A text is judged in fold `part`, if that is also the fold of its tool; human text in any case. It is learnt from in
    every fold that leaves out neither.
    """

    tool: NDArray[np.int64]
    part: NDArray[np.int64]
    human: NDArray[np.bool_]

    def learns(self, fold: int) -> NDArray[np.bool_]:
        """Return which texts an encoder of this fold may learn from (N,)."""
        # Human text that machine text was made from stays with it: without its originals a tool's texts would be told
        # by their subject.
        answer: NDArray[np.bool_] = (self.part != fold) & ((self.tool != fold) | self.human)
        return answer

    def judges(self, fold: int) -> NDArray[np.bool_]:
        """Return which texts an encoder of this fold has seen neither the tool, the source nor the group of (N,)."""
        answer: NDArray[np.bool_] = (self.part == fold) & ((self.tool == fold) | self.human)
        return answer


def part_by_tool(texts: Sequence[LabelledText], groups: NDArray[np.int32], folds: int, *, seed: int = 0) -> Folds:
    """Give every tool, and every source of human text, the fold that leaves it out; evenly by number of texts.

    A group of texts made from one original goes by the fold of its tools; where they are of several folds it is left
    out in one of them, drawn by its content.
    """
    human = np.array([text.label == "human" for text in texts])
    cells = np.array([text.source if text.label == "human" else tool_family(text) for text in texts])
    labels = np.array([text.label for text in texts])
    tool = np.zeros(len(texts), dtype=np.int64)
    rng = np.random.default_rng(seed)
    for label in np.unique(labels):
        rows = labels == label
        names, counts = np.unique(cells[rows], return_counts=True)
        filled = rng.random(folds)  # breaks ties, so that the kinds' largest tools do not share a fold
        for name in names[np.argsort(-counts, kind="stable")]:
            fold = int(np.argmin(filled))
            filled[fold] += counts[names == name][0]
            tool[rows & (cells == name)] = fold
    share = group_share(texts, groups, salt=2)
    size = int(groups.max()) + 1
    present = np.zeros((size, folds), dtype=bool)
    present[groups[~human], tool[~human]] = True
    alone = np.asarray(~present.any(axis=1), dtype=bool)
    for fold in range(folds):
        rows = human & alone[groups] & (tool == fold)
        present[groups[rows], fold] = True
    choice = np.floor(share * present.sum(axis=1)[groups]).astype(np.int64)
    rank = np.cumsum(present, axis=1)[groups]
    part = (rank > choice[:, None]).argmax(axis=1)
    return Folds(tool, part, human)

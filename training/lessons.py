"""What the deep tier's encoder learns from: human text, what our own paraphrasers make of it, and what real tools made.

Human text of the language statistics and the tagger, two paraphrases of each, word by word labelled; machine text
of the classifier's part, with the human originals that it was made from, so that a tool is not told by its subject. Of
real spinners the replaced words are found by aligning each text with its original.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.align import substitutions
from model.repair import repair
from model.wordpieces import WordPieces
from training.corpora import LabelledText
from training.encoder_text import Lesson, Lessons, prepare
from training.fine_tune import Stream
from training.spinners import Substitution
from training.spinning import spin
from training.train import PARAPHRASERS, Parts, Recipe

SHARES = {"human": 0.26, "original": 0.13, "own": 0.34, "spinner": 0.05, "translated": 0.11, "rewritten": 0.11}
"""Of each batch: human text, human originals of machine text, text of our own paraphrasers, of real spinners, and of
the other machines."""
COPIES = 2
SPINNER_LIMIT = 400
"""Texts of one source of spun text that are aligned with their originals."""
LEAST_CHANGES = 2


@dataclass(frozen=True, eq=False)
class Gathered:
    """Lessons with, for each, the labelled text that it comes from, `owner` (N,), its stream and its source (N,)."""

    lessons: Lessons
    owner: NDArray[np.int64]
    stream: NDArray[np.str_]
    source: NDArray[np.str_]

    def streams(self, learns: NDArray[np.bool_]) -> list[Stream]:
        """Return the streams of the texts that an encoder may learn from, (number of labelled texts,).

        Within a stream a source counts by the root of its size.
        """
        answer = []
        for name, share in SHARES.items():
            rows = np.flatnonzero(learns[self.owner] & (self.stream == name))
            if len(rows):
                _, inverse, counts = np.unique(self.source[rows], return_inverse=True, return_counts=True)
                answer.append(Stream(rows, 1.0 / np.sqrt(counts[inverse]), share))
        return answer

    def replaced_share(self) -> float:
        """Return the share of replaced pieces in human text and our own paraphrasers', as they are mixed."""
        shares = []
        for name in ("human", "own"):
            pieces = np.repeat(self.stream == name, np.diff(self.lessons.ptr))
            shares.append(SHARES[name] * float((self.lessons.labels[pieces, 0] == 1).mean()))
        return sum(shares) / (SHARES["human"] + SHARES["own"])


def gather(texts: Sequence[LabelledText], parts: Parts, wordpieces: WordPieces, recipe: Recipe) -> Gathered:
    """Gather and label all lessons."""
    found: list[tuple[Lesson, int, str]] = []
    found += _of_our_own(texts, np.flatnonzero(parts.statistics | parts.tagger), recipe)
    places = np.flatnonzero(parts.matrix & ~parts.held_out)
    places = np.random.default_rng(recipe.seed + 1).permutation(places)
    found += _of_machines(texts, places)
    found += _of_spinners(texts, places)
    machine = np.array([text.label not in ("human", "llm") for text in texts])
    paired = np.isin(parts.groups, np.unique(parts.groups[machine]))
    seen = {lesson.text for lesson, _, stream in found if stream == "original"}
    for i in places.tolist():
        if texts[i].label == "human" and paired[i] and (text := repair(texts[i].text).text) not in seen:
            found.append((Lesson(text, "human"), i, "original"))
    return Gathered(
        prepare([lesson for lesson, _, _ in found], wordpieces),
        np.array([owner for _, owner, _ in found], dtype=np.int64),
        np.array([stream for _, _, stream in found]),
        np.array([texts[owner].source for _, owner, _ in found]),
    )


def _of_our_own(
    texts: Sequence[LabelledText], places: NDArray[np.int64], recipe: Recipe
) -> list[tuple[Lesson, int, str]]:
    human = [(repair(texts[i].text).text, i) for i in places.tolist()]
    human = [(text, i) for text, i in human if not repair(text).counts]
    found = [(Lesson(text, "human"), i, "human") for text, i in human]
    for copy in range(COPIES):
        names = PARAPHRASERS[-2 * copy :] + PARAPHRASERS[: -2 * copy] if copy else PARAPHRASERS
        seed = recipe.seed + 1000 * (copy + 1)
        spun = spin([text for text, _ in human], names, seed=seed, lexicons=recipe.lexicons, jobs=recipe.jobs)
        for (_, i), one in zip(human, spun, strict=True):
            if len(one.substitutions) >= LEAST_CHANGES and not repair(one.text).counts:
                found.append((Lesson(one.text, "spun", one.substitutions), i, "own"))
    return found


def _of_machines(texts: Sequence[LabelledText], places: NDArray[np.int64]) -> list[tuple[Lesson, int, str]]:
    found: list[tuple[Lesson, int, str]] = []
    originals: set[str] = set()
    for i in places.tolist():
        text = texts[i]
        if text.label not in ("translated", "rewritten"):
            continue
        found.append((Lesson(repair(text.text).text, text.label, None), i, text.label))
        if text.original and text.original_is_human:
            original = repair(text.original).text
            if original not in originals:
                originals.add(original)
                found.append((Lesson(original, "human"), i, "original"))
    return found


def _of_spinners(texts: Sequence[LabelledText], places: NDArray[np.int64]) -> list[tuple[Lesson, int, str]]:
    found: list[tuple[Lesson, int, str]] = []
    taken: Counter[str] = Counter()
    for i in places.tolist():
        text = texts[i]
        if text.label != "spun" or not text.original or taken[text.source] >= SPINNER_LIMIT:
            continue
        taken[text.source] += 1
        spun = repair(text.text).text
        pairs = substitutions(text.original, spun, inflections=True)
        changes = [Substitution(pair.start, pair.end, pair.original_text) for pair in pairs]
        found.append((Lesson(spun, "spun", changes), i, "spinner"))
    return found

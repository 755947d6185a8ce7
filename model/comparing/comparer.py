"""Compares a suspect text with its suspected source: what corresponds, word by word, and was one made from the other?

texts.py prepares the two texts, sentences.py matches their sentences and aligns the words, measures.py turns the
alignment into numbers, judge.py decides from them, and changes.py lists what changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from threadpoolctl import ThreadpoolController

from unspun.model import bundle
from unspun.model.comparing.changes import alignments, share_of_source, substitutions
from unspun.model.comparing.comparison import RELATIONS, ComparedText, Comparison, Obstacle, Relation
from unspun.model.comparing.judge import STYLE_NUMBERS, shipped_judge
from unspun.model.comparing.measures import measure
from unspun.model.comparing.sentences import match_sentences
from unspun.model.comparing.texts import Floats, PreparedText, TextPreparer
from unspun.model.decision.abstention import reasons
from unspun.model.signals.features import FeatureExtractor
from unspun.model.text.document import Documents

FEWEST_WORDS = 20
"""Words that each text needs, unless both are the same."""
DERIVED = 0.5
"""Probability from which a text counts as derived."""
DECIMALS = 6


class Comparer:
    """Compares pairs of texts. Threads may share one."""

    def __init__(self, loaded: bundle.Bundle) -> None:
        self._model = loaded.info
        self._texts = TextPreparer(loaded.tables.vocabulary, loaded.tables.vectors)
        self._extractor = FeatureExtractor(loaded.tables, loaded.tagger)
        names = self._extractor.get_feature_names_out().tolist()
        self._style_columns = [names.index(name) for name in STYLE_NUMBERS]
        self._directions = loaded.tagger.inputs.topics.directions
        self._threads = ThreadpoolController()

    @classmethod
    def load(cls, path: Path | None = None) -> Comparer:
        """Load a comparer with the vocabulary of a bundle, by default the one that ships. Raises BundleError."""
        return cls(bundle.load(path, trusted=bundle.trusted()))

    def compare(
        self, suspect: str, source: str, *, suspect_id: str | None = None, source_id: str | None = None
    ) -> Comparison:
        """Compare two texts. Accepts any strings; the same two texts always give the same result.

        If the texts cannot be compared, `reason` says why and `probability` is 0. All `kinds` are equal unless the
        suspect is derived.
        """
        documents = Documents.parse([suspect, source])
        sides = self._texts.prepare(documents, 0), self._texts.prepare(documents, 1)
        reason = _obstacle(documents, sides)
        matches = match_sentences(*sides) if reason is None else []
        probability = 0.0
        kinds: dict[Relation, float] = dict.fromkeys(RELATIONS, 1 / len(RELATIONS))
        if reason is None:
            numbers = measure(matches, *sides, self._directions)
            judge = shipped_judge()
            probability = judge.probability(numbers)
            if probability >= DERIVED:
                if _is_copy(*sides):
                    kinds = {name: float(name == "copied") for name in RELATIONS}
                else:
                    kinds = judge.kinds_of(np.concatenate([numbers, self._style(documents)]))
        derived = probability >= DERIVED
        likeliest: Relation = max(RELATIONS, key=kinds.__getitem__)
        return Comparison(
            derived=derived,
            probability=round(probability, DECIMALS),
            kind=likeliest if derived else None,
            kinds={name: kinds[name] for name in RELATIONS},
            share=round(share_of_source(matches, *sides), DECIMALS),
            reason=reason,
            substitutions=substitutions(matches) if derived else (),
            suspect=ComparedText(suspect_id, int(sides[0].words.sum())),
            source=ComparedText(source_id, int(sides[1].words.sum())),
            model=self._model,
            alignments=tuple(alignments(documents, matches, *sides)),
        )

    def measure(self, suspect: str, source: str) -> Floats:
        """Return the numbers (len(NAMES) + len(STYLE),) from which the judge decides: for training."""
        documents = Documents.parse([suspect, source])
        sides = self._texts.prepare(documents, 0), self._texts.prepare(documents, 1)
        return np.concatenate([measure(match_sentences(*sides), *sides, self._directions), self._style(documents)])

    def _style(self, documents: Documents) -> Floats:
        """Return the suspect's document features, and how much larger they are than the source's (len(STYLE),)."""
        with self._threads.limit(limits=1):
            measured = self._extractor.measure(documents)
        suspect, source = measured.documents[:, self._style_columns].astype(np.float64)
        return np.concatenate([suspect, suspect - source])


def _is_copy(suspect: PreparedText, source: PreparedText) -> bool:
    """Return whether a derived text is a copy: all words are the same, as in all short texts that are compared."""
    few = min(int(side.words.sum()) for side in (suspect, source)) < FEWEST_WORDS
    return few or suspect.text.split() == source.text.split()


def _obstacle(documents: Documents, sides: Sequence[PreparedText]) -> Obstacle | None:
    """Return why two texts cannot be compared, or None. Identical texts always can, however short they are."""
    if min(int(side.words.sum()) for side in sides) == 0:
        return "too_short"
    if "not_english" in reasons(documents, FEWEST_WORDS):
        return "not_english"
    if min(int(side.words.sum()) for side in sides) < FEWEST_WORDS and sides[0].bags != sides[1].bags:
        return "too_short"
    return None

"""The engine's tables, made from the published resources that training reads: all other tests use small stand-ins."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.training.passages import passages
from tests.training.small import RECIPE, require_resources
from unspun.training.classifier import fast_tier
from unspun.training.classifier.fast_tier import make_tables, split
from unspun.training.corpora.corpus import LabelledText
from unspun.training.language import resources
from unspun.training.machines.synonyms import word_vectors


def test_tables_are_made_from_the_published_resources(monkeypatch: pytest.MonkeyPatch) -> None:
    require_resources()
    monkeypatch.setattr(resources, "word_vectors", lambda: word_vectors(3000))  # neighbours among few words: seconds
    idioms = fast_tier.read_phrases()[:40]
    monkeypatch.setattr(fast_tier, "read_phrases", lambda: idioms)
    human = [LabelledText(f"h{i}", "human", "site", text) for i, text in enumerate(passages(20))]
    tables = make_tables(human, split(human), dataclasses.replace(RECIPE, vocabulary=400), lambda line: None)
    words = tables.vocabulary.words
    assert len(words) == pytest.approx(400, abs=5)
    originals = {words[place] for place in tables.alternatives.ids[words.index("big")]}
    assert "great" in originals
    assert np.isfinite(tables.language.unigram).all()
    assert len(tables.phrases.originals) == 40

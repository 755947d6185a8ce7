"""model/signals/features.py: a scikit-learn transformer, each row of which depends only on its text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests import tables as tiny
from unspun.model.signals.features import BATCH_DOCUMENTS, NOT_JUDGED, FeatureExtractor
from unspun.model.signals.style import BUCKETS
from unspun.model.text.document import Documents

SNIPPETS = (*tiny.SENTENCES, "ferry", "the the", "{old|new}", "Vitality.", "\n\n- ship\n- boat\n\n", "É ß 7%", "ship")


def test_each_column_has_a_name(extractor: FeatureExtractor) -> None:
    names = extractor.get_feature_names_out().tolist()
    assert extractor.transform([tiny.ARTICLE]).shape == (1, len(names))
    assert len(set(names)) == len(names)


def test_the_last_feature_is_the_length(extractor: FeatureExtractor) -> None:
    row = extractor.transform(["The ferry was late."])[0]
    assert extractor.get_feature_names_out()[-1] == "length"
    assert row[-1] == pytest.approx(np.log(5))


def test_no_texts_have_no_rows(extractor: FeatureExtractor) -> None:
    numbers, style = extractor.transform_with_style([])
    assert numbers.shape == (0, len(extractor.get_feature_names_out()))
    assert style.shape == (0, BUCKETS)


@pytest.mark.parametrize("text", ["", " \n\t", "…", "7 8 9", "\ud800", "\u200b\u200b", "{", "a", "的" * 50])
def test_features_are_finite_for_any_text(extractor: FeatureExtractor, text: str) -> None:
    assert np.isfinite(extractor.transform([text])).all()


def test_more_texts_than_a_batch_keep_their_order(extractor: FeatureExtractor) -> None:
    texts = [" ".join(tiny.SENTENCES[: 1 + i % 20]) for i in range(BATCH_DOCUMENTS + 5)]
    numbers, style = extractor.transform_with_style(texts)
    again, again_style = extractor.transform_with_style(texts[-3:])
    assert np.array_equal(numbers[-3:], again)
    assert (style[[-3, -2, -1]] != again_style).nnz == 0


def test_it_works_in_a_pipeline(extractor: FeatureExtractor) -> None:
    pipeline = make_pipeline(extractor, StandardScaler())
    assert pipeline.fit_transform(list(tiny.SENTENCES)).shape[0] == len(tiny.SENTENCES)


def test_it_can_be_cloned(extractor: FeatureExtractor) -> None:
    copy = clone(extractor, safe=False)
    assert np.array_equal(copy.transform([tiny.ARTICLE]), extractor.transform([tiny.ARTICLE]))


def test_tokens_outside_prose_have_no_misfit(extractor: FeatureExtractor) -> None:
    measured = extractor.measure(Documents.parse(["The ferry, 7 boats."]))
    judged = measured.encoding.judged
    assert (measured.misfit[~judged] == NOT_JUDGED).all()
    assert (measured.misfit[judged] != NOT_JUDGED).all()


@settings(max_examples=60)
@given(st.lists(st.lists(st.sampled_from(SNIPPETS), max_size=6), min_size=1, max_size=5))
def test_a_row_does_not_depend_on_the_batch(parts: list[list[str]]) -> None:
    extractor = tiny.extractor()
    # Without the last full stop, so that words are next to words of the following text.
    texts = [" ".join(part).removesuffix(".") for part in parts]
    alone = np.concatenate([extractor.transform([text]) for text in texts])
    names = extractor.get_feature_names_out()
    differs = np.flatnonzero((extractor.transform(texts) != alone).any(axis=0))
    assert names[differs].tolist() == []

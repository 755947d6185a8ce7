"""model/tiers/fast.py: document features to evidence for each kind, and unfamiliarity."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_array

from tests import tables as tiny
from unspun.model.signals.style import BUCKETS
from unspun.model.tiers.fast import MOST_UNFAMILIAR, NEVER, FastClassifier, Head, Unfamiliarity
from unspun.model.tiers.house import Correction

NOTHING = csr_array((1, BUCKETS), dtype=np.float32)
FAMILIAR = Unfamiliarity(
    columns=np.array([0, 1]),
    centre=np.float32([1.0, 2.0]),
    spread=np.float32([0.5, 1.0]),
    sign=np.float32([1.0, -1.0]),
)
"""High values of the first feature and low values of the second are unfamiliar."""


class FirstColumn:
    """An estimator that returns the first column as the probability."""

    def predict_proba(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        score = features[:, 0].astype(np.float64)
        return np.stack([1 - score, score], axis=1)


def head(column: int = 0) -> Head:
    return Head(np.array([column]), FirstColumn())


class TestHead:
    """A head separates one kind of paraphrase from human text."""

    def test_it_gives_log_odds(self) -> None:
        assert head().log_odds(np.array([[0.9]], np.float32), NOTHING) == pytest.approx([np.log(9)], rel=1e-5)

    def test_it_uses_its_own_columns(self) -> None:
        assert head(1).log_odds(np.array([[0.9, 0.5]], np.float32), NOTHING) == pytest.approx([0])

    def test_a_certain_estimator_is_bounded(self) -> None:
        assert np.isfinite(head().log_odds(np.array([[0.0], [1.0]], np.float32), NOTHING)).all()

    def test_style_is_the_other_half(self) -> None:
        weights = np.zeros(BUCKETS, np.float32)
        weights[7] = 2.0
        styled = Head(np.array([0]), FirstColumn(), weights, 0.5)
        style = csr_array(([1.0], ([0], [7])), shape=(1, BUCKETS), dtype=np.float32)
        assert styled.log_odds(np.array([[0.5]], np.float32), style) == pytest.approx([(0 + 2.5) / 2])

    def test_a_kind_that_the_model_was_not_trained_for_is_never_found(self) -> None:
        assert Head(np.array([0]), None).log_odds(np.ones((2, 1), np.float32), NOTHING).tolist() == [NEVER, NEVER]

    def test_its_pickle_does_not_depend_on_use(self) -> None:
        fresh = tiny.classifier().heads[0]
        fresh = Head(fresh.columns, fresh.estimator, fresh.style_weights, fresh.style_bias)
        before = pickle.dumps(pickle.loads(pickle.dumps(fresh)))
        features, style = tiny.extractor().transform_with_style([tiny.ARTICLE])
        fresh.log_odds(features, style)
        assert pickle.dumps(pickle.loads(pickle.dumps(fresh))) == before


class TestUnfamiliarity:
    """How far a text's words and n-grams are from the text that the tables were counted on."""

    def of(self, *numbers: float) -> float:
        return float(FAMILIAR.of(np.array([numbers], np.float32))[0])

    @pytest.mark.parametrize(
        ("numbers", "expected"),
        [
            ((1.0, 2.0), 0.0),  # the centre
            ((2.0, 1.0), (2.0 + 1.0) / 2),  # the mean of the standard deviations
            ((0.5, 3.0), -1.0),  # more familiar than usual
            ((1e9, 2.0), MOST_UNFAMILIAR / 2),  # no single feature makes a text unfamiliar
        ],
    )
    def test_it_is_the_mean_of_the_limited_deviations(self, numbers: tuple[float, float], expected: float) -> None:
        assert self.of(*numbers) == pytest.approx(expected)

    @given(st.floats(-1e6, 1e6, width=32), st.floats(-1e6, 1e6, width=32))
    def test_it_is_bounded(self, first: float, second: float) -> None:
        assert -MOST_UNFAMILIAR <= self.of(first, second) <= MOST_UNFAMILIAR

    def test_other_columns_do_not_count(self) -> None:
        assert FAMILIAR.of(np.float32([[1, 2, 99], [1, 2, -99]])).tolist() == [0.0, 0.0]


class TestClassifier:
    CLASSIFIER = FastClassifier((head(0), head(1), head(2)), FAMILIAR)

    def test_the_heads_are_in_order(self) -> None:
        found = self.CLASSIFIER.log_odds(np.array([[0.5, 0.9, 0.1]], np.float32), NOTHING)
        assert found == pytest.approx(np.array([[0, np.log(9), -np.log(9)]]), rel=1e-5)

    def test_the_correction_is_added(self) -> None:
        correction = Correction(
            centre=np.zeros(3, np.float32),
            spread=np.ones(3, np.float32),
            weights=np.zeros((3, 3)),
            bias=np.array([1.0, 0.0, -1.0]),
            domain_weights=np.zeros(3),
            domain_bias=40.0,
        )
        features = np.array([[0.5, 0.5, 0.5]], np.float32)
        corrected = FastClassifier(self.CLASSIFIER.heads, FAMILIAR, correction)
        expected = self.CLASSIFIER.log_odds(features, NOTHING) + correction.log_odds(features)
        assert corrected.log_odds(features, NOTHING) == pytest.approx(expected)

    def test_no_documents_have_no_evidence(self) -> None:
        none = np.zeros((0, len(tiny.extractor().get_feature_names_out())), np.float32)
        assert tiny.classifier().log_odds(none, csr_array((0, BUCKETS), dtype=np.float32)).shape == (0, 3)

    def test_the_evidence_does_not_depend_on_the_batch(self) -> None:
        extractor, classifier = tiny.extractor(), tiny.classifier()
        texts = [" ".join(tiny.SENTENCES[i : i + 9]) for i in range(17)]
        features, style = extractor.transform_with_style(texts)
        batch = classifier.log_odds(features, style)
        alone = [classifier.log_odds(features[[i]], style[[i]])[0] for i in range(len(texts))]
        # Equal in all printed decimals and well beyond.
        assert np.abs(batch - np.array(alone)).max() < 1e-12
        alone_unfamiliar = [classifier.unfamiliar(features[[i]])[0] for i in range(len(texts))]
        assert classifier.unfamiliar(features).tolist() == alone_unfamiliar

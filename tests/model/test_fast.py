"""model/fast.py: log odds of the kinds, calibrated to probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.sparse import csr_array

from model.fast import Calibration, FastClassifier, Head, calibration_inputs
from model.style import BUCKETS
from tests import tables as tiny

NOTHING = csr_array((1, BUCKETS), dtype=np.float32)


class Says:
    """An estimator that gives the first column for the probability."""

    def predict_proba(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        score = features[:, 0].astype(np.float64)
        return np.stack([1 - score, score], axis=1)


def head(column: int = 0) -> Head:
    return Head(np.array([column]), Says())


def test_a_head_gives_log_odds() -> None:
    assert head().log_odds(np.array([[0.9]], np.float32), NOTHING) == pytest.approx([np.log(9)], rel=1e-5)


def test_a_head_reads_its_own_columns() -> None:
    assert head(1).log_odds(np.array([[0.9, 0.5]], np.float32), NOTHING) == pytest.approx([0])


def test_a_certain_estimator_is_bounded() -> None:
    assert np.isfinite(head().log_odds(np.array([[0.0], [1.0]], np.float32), NOTHING)).all()


def test_style_is_the_other_half() -> None:
    weights = np.zeros(BUCKETS, np.float32)
    weights[7] = 2.0
    styled = Head(np.array([0]), Says(), weights, 0.5)
    style = csr_array(([1.0], ([0], [7])), shape=(1, BUCKETS), dtype=np.float32)
    assert styled.log_odds(np.array([[0.5]], np.float32), style) == pytest.approx([(0 + 2.5) / 2])


def test_the_calibration_reads_length_and_its_products() -> None:
    inputs = calibration_inputs(np.array([[1.0, 2.0, 3.0]]), np.array([7.0]))
    assert inputs.tolist() == [[1, 2, 3, 2, 2, 4, 6]]


def test_calibration_by_hand() -> None:
    weights = np.zeros((4, 7))
    weights[1, 0] = 1.0  # the log odds of "spun" speak for spun
    found = Calibration(weights, np.zeros(4)).probabilities(np.array([[np.log(3), 0, 0]]), np.array([5.0]))
    assert found == pytest.approx(np.array([[1, 3, 1, 1]]) / 6)


@given(
    arrays(np.float64, (5, 3), elements=st.floats(-14, 14)),
    arrays(np.float64, 5, elements=st.floats(0, 15)),
    arrays(np.float64, (4, 7), elements=st.floats(-5, 5)),
    arrays(np.float64, 4, elements=st.floats(-20, 20)),
)
def test_probabilities_sum_to_one(
    log_odds: NDArray[np.float64], length: NDArray[np.float64], weights: NDArray[np.float64], bias: NDArray[np.float64]
) -> None:
    with np.errstate(under="ignore"):
        found = Calibration(weights, bias).probabilities(log_odds, length)
    assert found.sum(axis=1) == pytest.approx(np.ones(5))
    assert (found >= 0).all()


def test_no_documents_have_no_probabilities() -> None:
    classifier = tiny.classifier()
    none = np.zeros((0, len(tiny.extractor().get_feature_names_out())), np.float32)
    assert classifier.probabilities(none, csr_array((0, BUCKETS), dtype=np.float32)).shape == (0, 4)


def test_the_heads_are_in_order() -> None:
    classifier = FastClassifier((head(0), head(1), head(2)), Calibration(np.zeros((4, 7)), np.zeros(4)), 3)
    found = classifier.log_odds(np.array([[0.5, 0.9, 0.1, 5.0]], np.float32), NOTHING)
    assert found == pytest.approx(np.array([[0, np.log(9), -np.log(9)]]), rel=1e-5)


def test_a_document_is_judged_alike_in_any_company() -> None:
    extractor, classifier = tiny.extractor(), tiny.classifier()
    texts = [" ".join(tiny.SENTENCES[i : i + 9]) for i in range(17)]
    features, style = extractor.transform_with_style(texts)
    batch = classifier.probabilities(features, style)
    alone = [classifier.probabilities(features[[i]], style[[i]])[0] for i in range(len(texts))]
    # The same to the last place that is shown, and far beyond it.
    assert np.abs(batch - np.array(alone)).max() < 1e-13

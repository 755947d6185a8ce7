"""model/tiers/house.py: the correction applies in the user's domain and does not depend on the batch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests import tables as tiny
from unspun.model import bundle
from unspun.model.detector import Detector
from unspun.model.tiers.fast import FastClassifier
from unspun.model.tiers.house import FURTHEST, Correction, scale
from unspun.model.verdict import KINDS

COLUMNS = 57


def correction(columns: int = COLUMNS, *, domain_bias: float = -1.0) -> Correction:
    rng = np.random.default_rng(2)
    return Correction(
        centre=rng.normal(size=columns).astype(np.float32),
        spread=(rng.random(columns) + 0.5).astype(np.float32),
        weights=rng.normal(size=(columns, 3)),
        bias=rng.normal(size=3),
        domain_weights=rng.normal(size=columns),
        domain_bias=domain_bias,
    )


def rows(count: int) -> np.ndarray:
    return np.random.default_rng(3).normal(size=(count, COLUMNS)).astype(np.float32)


@given(st.lists(st.integers(0, 39), min_size=1, max_size=40), st.sampled_from(("C", "F")))
def test_the_correction_does_not_depend_on_the_batch(places: list[int], order: str) -> None:
    everyone = correction().log_odds(rows(40))
    chosen = np.asarray(rows(40)[places], order=order)  # type: ignore[call-overload]
    assert np.array_equal(correction().log_odds(chosen), everyone[places])


def test_text_far_from_the_domain_is_not_corrected() -> None:
    found = correction()
    away = -np.sign(found.domain_weights) * FURTHEST * found.spread + found.centre
    assert np.abs(found.log_odds(away[None].astype(np.float32))).max() < 1e-9


def test_text_inside_the_domain_is_fully_corrected() -> None:
    found = correction()
    inside = (np.sign(found.domain_weights) * FURTHEST * found.spread + found.centre)[None].astype(np.float32)
    linear = scale(inside, found.centre, found.spread) @ found.weights + found.bias
    assert found.log_odds(inside) == pytest.approx(linear)


def test_a_kind_without_user_texts_is_not_corrected() -> None:
    weights, bias = correction().weights.copy(), correction().bias.copy()
    weights[:, 1], bias[1] = 0.0, 0.0
    found = replace(correction(), weights=weights, bias=bias).log_odds(rows(10))
    assert (found[:, 1] == 0.0).all()
    assert (found[:, [0, 2]] != 0.0).all()


@given(hnp.arrays(np.float32, (2, COLUMNS), elements=st.floats(-(2.0**96), 2.0**96, width=32)))
def test_the_correction_is_bounded(features: np.ndarray) -> None:
    found = correction()
    most = FURTHEST * np.abs(found.weights).sum(axis=0) + np.abs(found.bias)
    assert (np.abs(found.log_odds(features)) <= most).all()


def test_no_texts_have_no_correction() -> None:
    assert correction().log_odds(rows(0)).shape == (0, len(KINDS))


def corrected() -> FastClassifier:
    columns = len(tiny.extractor().get_feature_names_out())
    return replace(tiny.classifier(), correction=correction(columns, domain_bias=2.0))


@pytest.fixture(scope="module")
def house_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("house") / "bundle"
    seen = np.zeros(0, np.uint64)
    bundle.save(folder, tiny.manifest(), tiny.tables(), tiny.tagger(), corrected(), seen)
    return folder


def test_a_bundle_keeps_the_correction(house_bundle: Path) -> None:
    features, style = tiny.extractor().transform_with_style([tiny.ARTICLE])
    loaded = bundle.load(house_bundle).classifier
    assert np.array_equal(loaded.log_odds(features, style), corrected().log_odds(features, style))
    assert not np.array_equal(loaded.log_odds(features, style), tiny.classifier().log_odds(features, style))


def test_verdicts_are_corrected(house_bundle: Path, tmp_path: Path) -> None:
    plain = Detector.load(tiny.save_bundle(tmp_path / "plain")).score(tiny.ARTICLE)
    assert Detector.load(house_bundle).score(tiny.ARTICLE).score != plain.score


@settings(max_examples=15)
@given(st.lists(st.sampled_from(tiny.SENTENCES), min_size=1, max_size=20), st.integers(1, 5))
def test_verdicts_of_a_corrected_model_do_not_depend_on_the_batch(
    house_bundle: Path, chosen: list[str], size: int
) -> None:
    detector = Detector.load(house_bundle)
    texts = [" ".join(chosen[start:]) for start in range(0, len(chosen), size)]
    assert detector.score_many(texts) == [detector.score(text) for text in texts]

"""training/calibration/reference.py: the numbers that a bundle keeps from the texts that it was made with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.training.references import COLUMNS, labelled_evidence, reference
from unspun.training.calibration.evidence import LabelledEvidence
from unspun.training.calibration.reference import LEVELS, ReferenceTexts, kept_texts
from unspun.training.rows import Runs

EXACT = ("labels", "tools", "sources", "domains", "groups", "words", "house", "keys")


def again(rows: ReferenceTexts) -> ReferenceTexts:
    return ReferenceTexts.unpack(*rows.pack())


def same(first: ReferenceTexts, second: ReferenceTexts) -> bool:
    pairs = [
        (np.asarray(getattr(first, name)), np.asarray(getattr(second, name)))
        for name in ReferenceTexts.__dataclass_fields__
    ]
    return all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in pairs)


@pytest.mark.parametrize("name", EXACT)
def test_descriptions_are_kept_exactly(name: str) -> None:
    rows = reference(own=True)
    assert getattr(again(rows), name).tolist() == getattr(rows, name).tolist()


def test_evidence_is_kept_closely() -> None:
    rows = reference()
    assert again(rows).log_odds == pytest.approx(rows.log_odds, rel=1e-6)


def test_unfamiliarity_is_kept_closely() -> None:
    rows = replace(reference(), unfamiliar=np.linspace(-1.0, 4.0, len(reference())))
    assert again(rows).unfamiliar == pytest.approx(rows.unfamiliar, rel=1e-6)


def test_missing_values_stay_missing() -> None:
    rows = reference()
    found = again(rows)
    assert np.isnan(found.deep).all()
    assert np.isnan(found.changed).tolist() == np.isnan(rows.changed).tolist()


numbers = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 200), st.integers(1, 3)),
    elements=st.sampled_from((0.0, 1.0, -1.0)) | st.floats(-1e6, 1e6, width=32),
)


@given(numbers)
def test_a_number_is_kept_as_the_nearest_level(features: np.ndarray) -> None:
    arrays, _ = with_features(features).pack()
    found = again(with_features(features)).features
    for column, values in enumerate(features.T):
        levels = arrays["reference_levels"][column].astype(np.float64)
        assert set(found[:, column].tolist()) <= set(values.tolist())  # nothing is made up
        nearest = np.abs(values[:, None].astype(np.float64) - levels).min(axis=1)
        assert np.abs(values.astype(np.float64) - found[:, column]) == pytest.approx(nearest, rel=1e-6)


@given(numbers)
def test_numbers_keep_their_order(features: np.ndarray) -> None:
    found = again(with_features(features)).features
    for before, after in zip(features.T, found.T, strict=True):
        assert (np.diff(after[np.argsort(before)]) >= 0).all()


@given(hnp.arrays(np.float32, (LEVELS, 2), elements=st.integers(0, LEVELS - 1).map(float)))
def test_few_numbers_are_kept_exactly(features: np.ndarray) -> None:
    assert np.array_equal(again(with_features(features)).features, features)


def with_features(features: np.ndarray) -> ReferenceTexts:
    count, columns = features.shape
    rows = reference({"human": count})
    return replace(rows, names=tuple(f"number.{i}" for i in range(columns)), features=features)


def test_the_same_rows_are_packed_to_the_same_bytes() -> None:
    first, second = (reference().pack()[0] for _ in range(2))
    assert {name: values.tobytes() for name, values in first.items()} == {
        name: values.tobytes() for name, values in second.items()
    }


def test_a_mask_and_row_numbers_take_the_same_rows() -> None:
    rows = reference()
    mask = rows.labels == "spun"
    assert same(rows.take(mask), rows.take(np.flatnonzero(mask)))
    assert len(rows.take(mask)) == mask.sum()


def test_joined_rows_share_no_group() -> None:
    rows = reference()
    both = rows.followed_by(rows)
    first, second = both.groups[: len(rows)], both.groups[len(rows) :]
    assert not set(first) & set(second)
    assert np.array_equal(np.diff(first), np.diff(second))


def test_joining_no_rows_changes_nothing() -> None:
    rows = reference()
    none = rows.take(np.zeros(len(rows), bool))
    assert same(rows.followed_by(none), rows)
    assert same(none.followed_by(rows), rows)


def test_rows_with_other_columns_are_not_joined() -> None:
    rows = reference()
    with pytest.raises(ValueError, match="columns have different names"):
        rows.followed_by(replace(rows, names=COLUMNS[::-1]))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda arrays, entry: arrays.pop("reference_levels"),
        lambda arrays, entry: entry.pop("tools"),
        lambda arrays, entry: entry["sources"].clear(),
        lambda arrays, entry: arrays.update(reference_levels=arrays["reference_levels"][:2]),
        lambda arrays, entry: arrays.update(reference_codes=arrays["reference_codes"][:2]),
    ],
    ids=["no levels", "no names of tools", "names of sources missing", "columns missing", "codes missing"],
)
def test_parts_that_do_not_match_are_refused(spoil: Any) -> None:
    arrays, entry = reference().pack()
    spoil(arrays, entry)
    with pytest.raises((KeyError, IndexError, ValueError)):
        ReferenceTexts.unpack(arrays, entry)


# --- from evidence


def evidence(**columns: Any) -> LabelledEvidence:
    """Return the evidence of six human texts of two sections each, which the deep tier read in two windows."""
    starts = np.arange(7) * 2
    rng = np.random.default_rng(1)
    windows, sections = (rng.normal(size=(12, 3)).astype(np.float32) for _ in range(2))
    plain: dict[str, Any] = {
        "windows": Runs(windows, np.array(columns.pop("windows", starts))),
        "sections": Runs(sections, starts),
        "features": Runs(np.arange(24, dtype=np.float32).reshape(12, 2), starts),
        "unfamiliar": np.linspace(0.0, 1.0, 6),
    }
    return labelled_evidence(6, **plain, **columns)


NAMES = ("frequency.mean", "length")


def test_a_text_of_several_sections_is_one_row() -> None:
    rows = ReferenceTexts.of(evidence(), NAMES)
    assert len(rows) == 6
    assert rows.features[0].tolist() == [1.0, 2.0]  # the mean of both sections
    assert rows.log_odds == pytest.approx(evidence().fast())
    assert rows.deep == pytest.approx(evidence().deep())
    assert rows.unfamiliar.tolist() == evidence().unfamiliar.tolist()
    assert not rows.house.any()


def test_texts_without_a_group_are_groups_of_their_own() -> None:
    groups = ReferenceTexts.of(evidence(groups=["a", "a", "", "", "b", ""]), NAMES).groups
    assert groups[0] == groups[1]
    assert len(set(groups.tolist())) == 5


def test_rows_with_keys_are_a_users_own() -> None:
    rows = ReferenceTexts.of(evidence(), NAMES, keys=np.arange(6, dtype=np.uint64))
    assert rows.house.all()
    assert rows.keys.tolist() == list(range(6))


@pytest.mark.parametrize(
    ("columns", "kept"),
    [
        ({}, [0, 1, 2, 3, 4, 5]),
        ({"reasons": ["", "unfamiliar", "", "", "too_short", ""]}, [0, 2, 3, 5]),
        ({"ids": ["a", "b", "a#short", "c", "d", "e"]}, [0, 1, 3, 4, 5]),
        ({"labels": ["human", "llm", "spun", "human", "human", "human"]}, [0, 2, 3, 4, 5]),
        ({"windows": [0, 2, 2, 4, 6, 8, 12]}, [0, 2, 3, 4, 5]),
    ],
    ids=["all", "those that get a verdict", "whole texts", "known kinds", "those that the deep tier read"],
)
def test_a_bundle_keeps(columns: dict[str, Any], kept: list[int]) -> None:
    assert kept_texts(evidence(**columns)).tolist() == kept


def test_a_bundle_keeps_a_limited_number_of_each_source_and_maker() -> None:
    sources = ["big"] * 4 + ["small"] * 2
    assert kept_texts(evidence(sources=sources), limit=2).tolist() == [0, 2, 4, 5]
    assert kept_texts(evidence(makers=["a", "a", "a", "b", "b", "b"]), limit=1).tolist() == [0, 3]

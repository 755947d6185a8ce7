"""training/retraining/correction.py: learning from a user's texts at no cost to other texts."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from tests.training.references import CENTRE, COLUMNS, model, reference, scores
from unspun.model.tiers.house import scale
from unspun.model.verdict import KINDS
from unspun.training.calibration.reference import ReferenceTexts
from unspun.training.retraining.correction import (
    LARGEST_FALL,
    LARGEST_RISE,
    LEAST_CELL,
    LEAST_SCORE,
    LEAST_TEXTS,
    STRENGTHS,
    Fitter,
    called,
    logistic,
    parts,
)

AWAY = 4.0
"""How far a house's texts are from the others, in standard deviations of one column."""


@pytest.fixture(scope="module")
def fitter() -> Fitter:
    return Fitter(model(), reference())


def house(seed: int = 1, *, foreign: float = AWAY, **counts: int) -> ReferenceTexts:
    return reference(counts or {"human": 30, "spun": 30}, seed=seed, foreign=foreign, own=True)


# --- learning


@pytest.mark.parametrize("kind", KINDS)
def test_thirty_texts_of_a_kind_are_learnt(fitter: Fitter, kind: str) -> None:
    fitted = fitter.fit(house(**{"human": 30, kind: 30}))
    assert fitted.correction is not None
    fresh = house(seed=2, **{"human": 200, kind: 200})
    machine = fresh.labels == kind
    before = roc_auc_score(machine, scores(fresh.log_odds))
    after = roc_auc_score(machine, scores(fresh.log_odds + fitted.correction.log_odds(fresh.features)))
    assert after > before + 0.1


def test_nothing_is_learnt_of_a_kind_without_texts(fitter: Fitter) -> None:
    correction = fitter.fit(house(human=30, spun=30, translated=LEAST_TEXTS - 1)).correction
    assert correction is not None
    assert (correction.weights[:, 1:] == 0.0).all()
    assert (correction.bias[1:] <= 0.0).all()  # lowered where the house's human texts look like it
    assert (correction.weights[:, 0] != 0.0).any()


def test_a_house_with_too_few_texts_of_every_kind_has_no_correction(fitter: Fitter) -> None:
    fitted = fitter.fit(house(human=30, spun=LEAST_TEXTS - 1, rewritten=LEAST_TEXTS - 1))
    assert (fitted.correction, fitted.strength) == (None, 0.0)


def test_texts_of_other_domains_are_hardly_corrected(fitter: Fitter) -> None:
    correction = fitter.fit(house(foreign=12.0)).correction
    assert correction is not None
    elsewhere, own = (np.abs(correction.log_odds(rows.features)) for rows in (reference(seed=9), house(foreign=12.0)))
    assert np.median(elsewhere.max(axis=1)) < np.median(own.max(axis=1)) / 20


# --- limits


def falls(known: ReferenceTexts, after: np.ndarray) -> list[float]:
    """Recompute how far the AUROC of each part falls, by the score and by the kind's own score."""
    answer = []
    for number, kind in enumerate(KINDS):
        for column in ("sources", "domains"):
            for name in np.unique(getattr(known, column)):
                own = (known.labels == kind) & (getattr(known, column) == name)
                human = known.labels == "human"
                if column == "domains":
                    human = human & (known.domains == name)
                if min(own.sum(), human.sum()) < LEAST_CELL:
                    continue
                rows = own | human
                for rate in (scores, lambda odds, number=number: odds[:, number]):
                    before, now = (roc_auc_score(own[rows], rate(odds[rows])) for odds in (known.log_odds, after))
                    answer.append(float(before - now))
    assert answer
    return answer


def share_called(known: ReferenceTexts, log_odds: np.ndarray, word: str) -> float:
    return float((np.round(scores(log_odds[known.labels == "human"]), 6) >= LEAST_SCORE[word]).mean())


SWAPPED = {"human": "spun", "spun": "human"}
big = reference({"human": 240, "spun": 160, "translated": 160, "rewritten": 160})


@settings(max_examples=6)
@given(st.integers(0, 1000), st.sampled_from((0.0, 1.0, 2.0, AWAY)), st.sampled_from(("right", "swapped", "random")))
def test_losses_and_false_positives_stay_within_the_limits(seed: int, foreign: float, labelled: str) -> None:
    own = house(seed=seed, foreign=foreign)
    if labelled == "swapped":
        own = replace(own, labels=np.array([SWAPPED[label] for label in own.labels]))
    if labelled == "random":
        own = replace(own, labels=np.random.default_rng(seed).permutation(own.labels))
    fitted = Fitter(model(), big).fit(own)
    if fitted.correction is None:
        assert fitted.strength == 0.0
        return
    assert fitted.strength in STRENGTHS
    after = big.log_odds + fitted.correction.log_odds(big.features)
    worst = max(falls(big, after))
    assert worst <= LARGEST_FALL + 1e-9
    assert fitted.effect.fall == pytest.approx(worst, abs=1e-6)
    for word, most in LARGEST_RISE.items():
        rise = share_called(big, after, word) - share_called(big, big.log_odds, word)
        assert rise <= most + 1e-6
        assert fitted.effect.rise[word] == pytest.approx(rise, abs=1e-6)


def test_a_harmful_correction_is_held_back() -> None:
    """Swapped labels on texts that resemble the reference."""
    known = big
    swapped = house(foreign=0.0, human=60, spun=60)
    swapped = replace(swapped, labels=np.array([SWAPPED[label] for label in swapped.labels]))
    assert Fitter(model(), known).fit(swapped).strength < min(1.0, Fitter(model(), known).fit(house()).strength)


def test_parts_are_kinds_within_a_source_or_a_domain() -> None:
    known = reference({"human": 240, "spun": 2 * LEAST_CELL})
    names = {part.name: (len(part.machine), len(part.human)) for part in parts(known)}
    human = int(((known.labels == "human") & (known.domains == "review")).sum())
    machine = int(((known.labels == "spun") & (known.domains == "review")).sum())
    assert names == {
        "spun of source 0": (LEAST_CELL, 240),
        "spun of source 1": (LEAST_CELL, 240),
        "spun review among review": (machine, human),
    }


def test_barely_changed_texts_are_in_no_part() -> None:
    known = reference({"human": 240, "spun": 200})
    barely = replace(known, changed=np.where(known.labels == "spun", 0.001, np.nan).astype(np.float32))
    assert parts(known)
    assert parts(barely) == []


# --- the arithmetic


@settings(max_examples=12)
@given(st.integers(0, 10_000), st.sampled_from((0.01, 0.1, 1.0)), st.booleans())
def test_the_logistic_regression_agrees_with_scikit_learn(seed: int, penalty: float, even: bool) -> None:
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(120, 4))
    truth = inputs @ rng.normal(size=4) + rng.logistic(size=120) > rng.normal()
    truth[:2] = True, False
    shares = np.full(120, 1 / 120) if even else rng.dirichlet(np.ones(120))
    theirs = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=10_000)
    theirs.fit(inputs, truth, sample_weight=shares)
    weights, bias = logistic(inputs, truth, shares, penalty * np.eye(4))
    assert weights == pytest.approx(theirs.coef_[0], abs=1e-4)
    assert bias == pytest.approx(theirs.intercept_[0], abs=1e-3)  # ours is pulled a little, too


def test_an_offset_is_subtracted_from_the_fit() -> None:
    rng = np.random.default_rng(4)
    inputs, shares = rng.normal(size=(400, 3)), np.full(400, 1 / 400)
    offset = inputs @ np.array([1.0, -2.0, 0.5])
    truth = offset + rng.logistic(size=400) > 0
    weights, _ = logistic(inputs, truth, shares, 1e-6 * np.eye(3), offset=offset)
    whole, _ = logistic(inputs, truth, shares, 1e-6 * np.eye(3))
    assert weights == pytest.approx(whole - np.array([1.0, -2.0, 0.5]), abs=1e-3)


def test_separable_classes_and_huge_offsets_converge() -> None:
    inputs = np.linspace(-3, 3, 40)[:, None]
    truth = inputs[:, 0] > 0
    weights, bias = logistic(inputs, truth, np.full(40, 1 / 40), 1e-4 * np.eye(1), offset=np.where(truth, -40.0, 40.0))
    assert np.isfinite([*weights, bias]).all()
    assert weights[0] > 0


def test_called_agrees_with_the_verdict() -> None:
    tier = model().decision.tiers["fast"]
    rates = np.log([0.5, 0.021, 0.019, 0.0021, 0.0019, 1e-9])
    words = [tier.word(float(rate)) for rate in rates]
    assert called(tier.scores(rates), "suspect").tolist() == [word != "clear" for word in words]
    assert called(tier.scores(rates), "paraphrased").tolist() == [word == "paraphrased" for word in words]


# --- with a deep tier


def with_deep(rows: ReferenceTexts, deep: np.ndarray) -> ReferenceTexts:
    return replace(rows, deep=deep)


def two_tiers(fast_weight: float = 0.0) -> Any:
    """Return a model whose two tiers have the same thresholds."""
    one = model()
    decision = replace(one.decision, tiers={"fast": one.decision.tiers["fast"], "deep": one.decision.tiers["fast"]})
    deep = SimpleNamespace(fast_weights=np.full(3, fast_weight))
    return SimpleNamespace(classifier=one.classifier, deep=deep, decision=decision)


def test_a_correction_is_added_to_both_tiers() -> None:
    rows = with_deep(house(), house().log_odds - 1.0)
    found = Fitter(two_tiers(), with_deep(big, big.log_odds)).scores(rows, np.ones((len(rows), 3)))
    assert found["fast"] == pytest.approx(scores(rows.log_odds + 1.0))
    assert found["deep"] == pytest.approx(scores(rows.log_odds))


def test_the_deep_tier_adds_the_fast_tiers_evidence_and_the_correction_once() -> None:
    rows = with_deep(house(), 0.3 * house().log_odds)
    found = Fitter(two_tiers(0.7), with_deep(big, big.log_odds)).scores(rows, np.ones((len(rows), 3)))
    assert found["deep"] == pytest.approx(scores(rows.log_odds + 1.0))


def test_a_correction_that_harms_only_the_deep_tier_is_held_back() -> None:
    """Its evidence in the reference texts is so close to the threshold that small changes matter."""
    spread = np.where(big.labels == "human", -0.001, 0.001)[:, None] * np.ones(3)
    alone = Fitter(model(), big).fit(house(foreign=2.0))
    both = Fitter(two_tiers(), with_deep(big, CENTRE + spread)).fit(house(foreign=2.0))
    assert both.strength < alone.strength


def test_texts_that_the_deep_tier_did_not_read_have_no_deep_score() -> None:
    assert list(Fitter(two_tiers(), with_deep(big, big.log_odds)).scores(house())) == ["fast"]


def test_a_constant_column_has_no_effect() -> None:
    """One column has one value throughout the reference and another in the house's texts."""
    known, own = reference(), house()
    column = COLUMNS.index("noise")
    for rows, value in ((known, 0.0), (own, 5.0)):
        rows.features[:, column] = value
    fitter = Fitter(model(), known)
    assert np.isfinite(scale(own.features, fitter.centre, fitter.spread)).all()
    fitted = fitter.fit(own)
    assert fitted.correction is not None
    assert np.isfinite(fitted.correction.log_odds(own.features)).all()

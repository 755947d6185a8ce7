"""training/calibration/fit.py: small samples give a usable decision, and the thresholds hold."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.references import labelled_evidence
from unspun.model.decision.decision import Decision
from unspun.model.verdict import KINDS
from unspun.training.calibration.evidence import LabelledEvidence
from unspun.training.calibration.fit import (
    PARAPHRASED,
    SUPPORTING,
    SUSPECT,
    Sample,
    choose_shares,
    fit_decision,
    human_weights,
    makers_of,
    over_sources,
    thresholds,
)
from unspun.training.rows import Runs


def evidence_of(
    labels: Sequence[str], evidence: np.ndarray, *, sources: int | Sequence[str] = 1, **columns: Any
) -> LabelledEvidence:
    """Return texts of one section each, with this evidence (N, 3) of the fast tier."""
    count = len(labels)
    starts = np.arange(count + 1)
    return labelled_evidence(
        count,
        sections=Runs(evidence.astype(np.float32), starts),
        features=Runs(np.zeros((count, 1), np.float32), starts),
        labels=labels,
        sources=[f"source{i % sources}" for i in range(count)] if isinstance(sources, int) else sources,
        **{"makers": [f"maker of {label}" for label in labels], **columns},
    )


def drawn(human: int, machine: int, *, seed: int = 0) -> LabelledEvidence:
    """Return human texts, and texts of each kind, whose evidence of that kind is higher by three."""
    rng = np.random.default_rng(seed)
    labels = ["human"] * human + [kind for kind in KINDS for _ in range(machine)]
    evidence = rng.normal(size=(len(labels), 3))
    for number, kind in enumerate(KINDS):
        evidence[np.array(labels) == kind, number] += 3.0
    return evidence_of(labels, evidence, sources=5)


def fitted(some: LabelledEvidence) -> Decision:
    return fit_decision({"fast": Sample(some, some.fast())}, minimum_words=50, least_familiar=5.0)


@settings(max_examples=12)
@given(st.integers(1, 60), st.integers(0, 6), st.integers(0, 1000))
def test_few_texts_make_a_decision_that_can_be_written_and_read(human: int, machine: int, seed: int) -> None:
    decision = fitted(drawn(human, machine, seed=seed))
    again = Decision.from_manifest(decision.to_manifest())
    rates = again.tiers["fast"].log_rates(np.full((1, 3), 9.0), np.array([200]), np.zeros(1))
    assert np.isfinite(again.tiers["fast"].scores(rates)).all()


@pytest.mark.parametrize("evidence", [-12.0, 0.0])
def test_texts_with_equal_evidence_are_clear(evidence: float) -> None:
    """A head that was fitted on a handful of texts gives the same evidence for all."""
    some = evidence_of(["human"] * 30 + ["spun"] * 30, np.full((60, 3), evidence))
    tier = Decision.from_manifest(fitted(some).to_manifest()).tiers["fast"]
    rates = tier.log_rates(some.fast(), some.words, some.unfamiliar).min(axis=1)
    assert {tier.word(float(rate)) for rate in rates} == {"clear"}


def even(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the log rates of `count` human texts, evenly spread over all probabilities."""
    return np.log((np.arange(count) + 0.5) / count), np.full(count, 1.0 / count)


@pytest.mark.parametrize("count", [10, 50, 200, 5000])
def test_thresholds_do_not_depend_on_the_number_of_human_texts(count: int) -> None:
    paraphrased, suspect = thresholds(*even(count))
    assert paraphrased == pytest.approx(PARAPHRASED, rel=0.35)
    assert suspect == pytest.approx(SUSPECT, rel=0.35)


def test_one_odd_text_of_a_small_sample_does_not_set_a_threshold() -> None:
    rates, weights = even(50)
    odd = rates.copy()
    odd[0] = -30.0
    assert SUPPORTING > 1
    assert thresholds(odd, weights) == pytest.approx(thresholds(rates, weights))


def test_shares_go_where_machine_text_is_found() -> None:
    some = drawn(2000, 0)
    spun = evidence_of(["spun"] * 400, np.random.default_rng(2).normal(size=(400, 3)) + np.array([3.0, 0.0, 0.0]))
    labels = [*some.labels.tolist(), *spun.labels.tolist()]
    both = evidence_of(labels, np.concatenate([some.sections.values, spun.sections.values]), sources=5)
    shares = fitted(both).tiers["fast"].shares
    assert shares[0] > max(shares[1:])
    assert shares.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("machine", [0, 3])
def test_a_small_collection_has_shares(machine: int) -> None:
    """Without machine text the shares are equal; makers with few texts count if there are no others."""
    some = drawn(40, machine)
    shares = choose_shares(some, np.log(np.random.default_rng(0).random((len(some), 3))), human_weights(some))
    assert shares.sum() == pytest.approx(1.0)
    if not machine:
        assert shares == pytest.approx(np.full(3, 1 / 3))


@cache
def many(
    sources: int = 40, per_source: int = 150, *, between: float = 0.3, machine: int = 0, seed: int = 1
) -> tuple[LabelledEvidence, np.ndarray]:
    """Return human texts of all lengths and of different sources, with a known distribution of evidence.

    Centre and spread fall with length; the evidence of machine text is higher by four spreads.
    """
    rng = np.random.default_rng(seed)
    human = sources * per_source
    labels = ["human"] * human + [kind for kind in KINDS for _ in range(machine)]
    count = len(labels)
    words = np.exp(rng.uniform(np.log(50), np.log(20_000), count)).astype(int)
    centre = 2.0 - 0.5 * np.log(words / 50)
    spread = 1.5 - 0.1 * np.log(words / 50)
    source = np.arange(count) % sources
    effect = rng.normal(scale=between, size=(sources, 3))[source]
    evidence = centre[:, None] + spread[:, None] * (rng.normal(size=(count, 3)) + effect)
    for number, kind in enumerate(KINDS):
        evidence[np.array(labels) == kind, number] += 4.0 * spread[np.array(labels) == kind]
    some = evidence_of(labels, evidence, words=words, sources=[f"source{i}" for i in source])
    return some, evidence


@cache
def fitted_many(**options: Any) -> Decision:
    """Return the decision that is fitted to `many`, once for all tests."""
    return fitted(many(**options)[0])


class TestOverSources:
    """The threshold of `paraphrased` holds in other draws of the sources."""

    RATES = np.log(np.random.default_rng(4).uniform(size=8000))
    WEIGHTS = np.full(8000, 1 / 8000)
    SOURCES = np.array([f"s{i % 20}" for i in range(8000)])

    def test_similar_sources_hardly_change_the_threshold(self) -> None:
        plain, _ = thresholds(self.RATES, self.WEIGHTS)
        assert 0.6 * plain < over_sources(self.RATES, self.SOURCES, self.WEIGHTS) <= plain

    def test_a_source_with_most_of_the_strong_texts_lowers_the_threshold(self) -> None:
        sources = self.SOURCES.copy()
        sources[np.argsort(self.RATES)[:400]] = "s0"
        assert over_sources(self.RATES, sources, self.WEIGHTS) < over_sources(self.RATES, self.SOURCES, self.WEIGHTS)

    def test_machine_texts_do_not_count(self) -> None:
        rates, sources = np.append(self.RATES, [-50.0] * 50), np.append(self.SOURCES, ["m"] * 50)
        weights = np.append(self.WEIGHTS, [0.0] * 50)
        assert over_sources(rates, sources, weights) == over_sources(self.RATES, self.SOURCES, self.WEIGHTS)


class TestHumanWeights:
    """Every human source counts the same."""

    def test_large_and_small_sources_count_the_same(self) -> None:
        some = evidence_of(["human"] * 10, np.zeros((10, 3)), sources=["large"] * 9 + ["small"])
        weights = human_weights(some)
        assert weights[:9].sum() == pytest.approx(weights[9]) == pytest.approx(0.5)

    def test_machine_text_and_abstentions_do_not_count(self) -> None:
        reasons = np.array(["", "", "too_short", "unfamiliar"])
        some = evidence_of(["human", "spun", "human", "human"], np.zeros((4, 3)), reasons=reasons)
        assert human_weights(some).tolist() == [1.0, 0.0, 0.0, 0.0]

    def test_without_human_text_all_weights_are_zero(self) -> None:
        assert human_weights(evidence_of(["spun"], np.zeros((1, 3)))).tolist() == [0.0]


class TestKnownTails:
    """Evidence with a known distribution in human text."""

    def test_the_stated_share_of_human_texts_crosses_the_thresholds(self) -> None:
        some, _ = many()
        tier = fitted_many().tiers["fast"]
        rates = tier.log_rates(some.fast(), some.words, some.unfamiliar).min(axis=1)
        words = np.array([tier.word(float(rate)) for rate in rates])
        assert np.mean(words == "paraphrased") == pytest.approx(PARAPHRASED, abs=0.002)
        assert np.mean(words != "clear") == pytest.approx(SUSPECT, abs=0.003)

    def test_the_thresholds_hold_on_new_texts(self) -> None:
        tier = fitted_many().tiers["fast"]
        fresh, _ = many(seed=7)
        rates = tier.log_rates(fresh.fast(), fresh.words, fresh.unfamiliar).min(axis=1)
        assert np.mean([tier.word(float(rate)) != "clear" for rate in rates]) == pytest.approx(SUSPECT, abs=0.015)
        assert np.mean([tier.word(float(rate)) == "paraphrased" for rate in rates]) < 3 * PARAPHRASED

    @pytest.mark.parametrize("words", [60, 200, 1000, 5000, 15_000])
    def test_the_thresholds_hold_at_every_length(self, words: int) -> None:
        some, _ = many()
        tier = fitted_many().tiers["fast"]
        rates = tier.log_rates(some.fast(), some.words, some.unfamiliar).min(axis=1)
        near = np.abs(np.log(some.words / words)) < 0.5
        flagged = np.mean([tier.word(float(rate)) != "clear" for rate in rates[near]])
        assert flagged < 2.5 * SUSPECT

    def test_a_rate_is_close_to_the_share_of_human_texts(self) -> None:
        some, evidence = many(between=0.0)
        tail = fitted_many(between=0.0).tiers["fast"].tails[0]
        rates = np.exp(tail.log_rate(evidence[:, 0], some.words, some.unfamiliar))
        for share in (0.5, 0.1, 0.02):
            assert np.mean(rates <= share) == pytest.approx(share, rel=0.25)

    def test_differences_between_sources_are_measured(self) -> None:
        alike, unlike = (fitted_many(between=between).tiers["fast"].tails[0] for between in (0.0, 0.8))
        assert alike.between < 0.15 < 0.35 < unlike.between

    def test_stronger_evidence_than_any_in_the_sample_never_ties(self) -> None:
        tier = fitted_many().tiers["fast"]
        strong = np.repeat(np.linspace(8, 60, 30)[:, None], 3, axis=1)
        rates = tier.log_rates(strong, np.full(30, 300), np.zeros(30)).min(axis=1)
        assert (np.diff(rates) < 0).all()
        assert (np.diff(tier.scores(rates).round(6)) > 0).all()

    def test_unfamiliar_text_is_compared_with_equally_unfamiliar_text(self) -> None:
        some, evidence = many(between=0.0)
        rng = np.random.default_rng(3)
        unfamiliar = np.abs(rng.normal(size=len(some)))
        shifted = evidence + 1.2 * unfamiliar[:, None]
        changed = evidence_of(["human"] * len(some), shifted, words=some.words, unfamiliar=unfamiliar)
        tier = fitted(changed).tiers["fast"]
        assert all(tail.unfamiliar[0] > 0.5 for tail in tier.tails)
        rates = tier.log_rates(changed.fast(), changed.words, unfamiliar).min(axis=1)
        odd = unfamiliar > 1.5
        assert np.mean([tier.word(float(rate)) != "clear" for rate in rates[odd]]) < 3 * SUSPECT

    def test_shares_sum_to_one(self) -> None:
        assert fitted_many(machine=300).tiers["fast"].shares.sum() == pytest.approx(1.0)

    def test_no_rate_is_stated_below_what_the_sample_supports(self) -> None:
        assert fitted_many().supported == pytest.approx(3 / 6000, rel=0.5)
        assert fitted_many(sources=4, per_source=10).supported > 0.05


class TestLikelihoods:
    """How much more often paraphrased text has a score than human text."""

    def test_likelihood_ratios_rise_with_the_score(self) -> None:
        decision = fitted_many(machine=300)
        scores, ratios = decision.likelihoods["fast"]
        assert (np.diff(scores) > 0).all()
        assert (np.diff(ratios) >= 0).all()
        assert ratios[0] < 0 < 2 < ratios[-1]

    def test_probabilities_are_about_right(self) -> None:
        some, _ = many(machine=300)
        decision = fitted_many(machine=300)
        tier = decision.tiers["fast"]
        scores = tier.scores(tier.log_rates(some.fast(), some.words, some.unfamiliar)).max(axis=1)
        base = float(np.mean(some.labels != "human"))
        found = np.array([decision.probability("fast", float(score), base) for score in scores])
        assert found.mean() == pytest.approx(base, abs=0.05)

    def test_without_machine_text_a_decision_can_still_be_written(self) -> None:
        decision = fitted_many()
        assert Decision.from_manifest(decision.to_manifest()).probability("fast", 0.9, 0.5) > 0.5


class TestMakers:
    """Machine text by maker; each maker counts once."""

    def test_all_systems_of_the_contests_are_one_maker(self) -> None:
        makers = np.array(["wmt:promt"] * 10 + ["wmt:online-g"] * 10 + ["deepl"] * 20)
        some = evidence_of(["translated"] * 40, np.zeros((40, 3)), makers=makers)
        assert {name: int(rows.sum()) for name, rows in makers_of(some, "translated")} == {"wmt": 20, "deepl": 20}

    def test_a_maker_with_few_texts_does_not_count(self) -> None:
        some = evidence_of(["spun"] * 5, np.zeros((5, 3)))
        assert list(makers_of(some, "spun")) == []
        assert len(list(makers_of(some, "spun", least=1))) == 1

    def test_texts_without_a_verdict_do_not_count(self) -> None:
        some = evidence_of(["spun"] * 30, np.zeros((30, 3)), reasons=np.array(["too_short"] * 20 + [""] * 10))
        assert [int(rows.sum()) for _, rows in makers_of(some, "spun", least=1)] == [10]

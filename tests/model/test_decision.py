"""model/decision/decision.py: from evidence to rates, and from rates to a score and a verdict."""

from __future__ import annotations

import copy
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests import tables as tiny
from unspun.model.decision.decision import (
    LONGEST,
    SCORE_PARAPHRASED,
    SCORE_SUSPECT,
    SHORTEST,
    Decision,
    Tail,
    TierDecision,
    check_base_rate,
)
from unspun.model.verdict import KINDS

EVIDENCE = st.floats(-20, 60)
WORDS = st.integers(1, 60_000)
UNFAMILIAR = st.floats(-3, 6)
STEP = 1e-3
"""Differences in evidence below this may give the same rate."""


@st.composite
def tails(draw: st.DrawFn) -> Tail:
    """Draw a tail with numbers in order."""
    size, knots = draw(st.integers(1, 5)), draw(st.integers(2, 6))
    steps = st.floats(0.05, 3)
    words = 50.0 * np.cumprod([1.0, *draw(st.lists(st.floats(1.1, 10), min_size=size - 1, max_size=size - 1))])
    centre = draw(st.lists(st.floats(-8, 8), min_size=size, max_size=size))
    spread = draw(st.lists(st.floats(0.2, 5), min_size=size, max_size=size))
    deviations = -2.0 + np.cumsum(draw(st.lists(steps, min_size=knots, max_size=knots)))
    log_odds = 4.0 - np.cumsum(draw(st.lists(steps, min_size=knots, max_size=knots)))
    unfamiliar = draw(st.tuples(st.floats(0, 1), st.floats(0, 0.5)))
    between = draw(st.floats(0, 1))
    return Tail(words, np.array(centre), np.array(spread), unfamiliar, deviations, log_odds, between)


@st.composite
def tiers(draw: st.DrawFn) -> TierDecision:
    """Draw a tier with thresholds in order."""
    shares = np.array(draw(st.lists(st.floats(0.1, 1), min_size=3, max_size=3)))
    paraphrased = draw(st.floats(1e-4, 0.02))
    suspect = draw(st.floats(1.5, 20)) * paraphrased
    return TierDecision(tuple(draw(tails()) for _ in KINDS), shares / shares.sum(), paraphrased, suspect)


def log_rate(tail: Tail, evidence: float, words: int = 300, unfamiliar: float = 0.0) -> float:
    return float(tail.log_rate(np.array([evidence]), np.array([words]), np.array([unfamiliar]))[0])


def score(tier: TierDecision, log_rate: float) -> float:
    return float(tier.scores(np.array([log_rate]))[0])


PLAIN = TierDecision.from_manifest(tiny.tier(paraphrased=0.005, suspect=0.03))


class TestTail:
    """A tail: how often human text shows evidence at least this strong."""

    @given(tails(), EVIDENCE, st.floats(STEP, 10), WORDS, UNFAMILIAR)
    def test_stronger_evidence_is_rarer_at_every_length_and_unfamiliarity(
        self, tail: Tail, evidence: float, more: float, words: int, unfamiliar: float
    ) -> None:
        weaker, stronger = (log_rate(tail, at, words, unfamiliar) for at in (evidence, evidence + more))
        assert stronger < weaker or weaker > -1e-12  # so weak that nearly all human text shows as much

    @given(tails(), EVIDENCE, WORDS, UNFAMILIAR)
    def test_a_rate_is_a_probability(self, tail: Tail, evidence: float, words: int, unfamiliar: float) -> None:
        assert -math.inf < log_rate(tail, evidence, words, unfamiliar) <= 0.0

    @given(st.integers(SHORTEST, LONGEST), EVIDENCE)
    def test_one_word_more_changes_little(self, words: int, evidence: float) -> None:
        entry = {**tiny.tier()["tails"]["spun"], "centre": [-2.0, 2.0], "spread": [1.0, 0.5]}
        tail = Tail.from_manifest(entry)
        assert abs(log_rate(tail, evidence, words) - log_rate(tail, evidence, words + 1)) < 0.2 * (1 + abs(evidence))

    @pytest.mark.parametrize(("words", "nearest"), [(1, SHORTEST), (49, SHORTEST), (90_000, LONGEST)])
    def test_other_lengths_count_as_the_nearest_measured_one(self, words: int, nearest: int) -> None:
        tail = PLAIN.tails[0]
        assert log_rate(tail, 1.5, words) == log_rate(tail, 1.5, nearest)

    def test_the_rate_is_for_a_source_that_is_worse_than_most(self) -> None:
        entry = tiny.tier()["tails"]["spun"]
        alike, unlike = (Tail.from_manifest({**entry, "between": between}) for between in (0.0, 0.5))
        assert log_rate(unlike, 2.0) > log_rate(alike, 2.0)

    def test_unfamiliar_text_is_compared_with_equally_unfamiliar_text(self) -> None:
        tail = Tail.from_manifest({**tiny.tier()["tails"]["spun"], "unfamiliar": [0.5, 0.2]})
        familiar, odd = (log_rate(tail, 3.0, unfamiliar=unfamiliar) for unfamiliar in (0.0, 2.0))
        assert odd > familiar

    def test_half_of_human_text_exceeds_the_centre(self) -> None:
        tail = Tail.from_manifest({**tiny.tier(centre=-4.0)["tails"]["spun"], "between": 0.0})
        assert math.exp(log_rate(tail, -4.0)) == pytest.approx(0.5)


class TestScore:
    """The score, a fixed function of the rate."""

    @given(tiers())
    def test_the_score_is_fixed_at_the_thresholds(self, tier: TierDecision) -> None:
        assert score(tier, math.log(tier.paraphrased)) == pytest.approx(SCORE_PARAPHRASED, abs=1e-9)
        assert score(tier, math.log(tier.suspect)) == pytest.approx(SCORE_SUSPECT, abs=1e-9)

    @given(tiers(), st.floats(-60, 1), st.floats(STEP, 10))
    def test_a_rarer_text_scores_higher(self, tier: TierDecision, common: float, rarer: float) -> None:
        assert score(tier, common - rarer) > score(tier, common)

    @given(tiers(), st.floats(-80, 2))
    def test_the_score_is_between_0_and_1(self, tier: TierDecision, value: float) -> None:
        assert 0.0 < score(tier, value) < 1.0

    @given(st.floats(-40, -6), st.floats(0.05, 5))
    def test_strong_texts_differ_in_the_printed_score(self, common: float, rarer: float) -> None:
        assert round(score(PLAIN, common - rarer), 6) > round(score(PLAIN, common), 6)

    @given(tiers(), st.floats(-40, 1.5))
    def test_score_and_verdict_agree(self, tier: TierDecision, value: float) -> None:
        found = score(tier, value)
        assume(min(abs(found - limit) for limit in (SCORE_SUSPECT, SCORE_PARAPHRASED)) > 1e-9)
        expected = "paraphrased" if found > SCORE_PARAPHRASED else "suspect" if found > SCORE_SUSPECT else "clear"
        assert tier.word(value) == expected

    @pytest.mark.parametrize("word", ["paraphrased", "suspect"])
    def test_a_rate_on_the_threshold_counts(self, word: str) -> None:
        assert PLAIN.word(math.log(getattr(PLAIN, word))) == word

    def test_the_shape_of_the_array_is_kept(self) -> None:
        assert PLAIN.scores(np.zeros((2, 3))).shape == (2, 3)


class TestShares:
    """The kinds' shares of the budget of false positives."""

    @given(tiers(), st.lists(EVIDENCE, min_size=3, max_size=3), WORDS)
    def test_a_kinds_rate_is_its_probability_divided_by_its_share(
        self, tier: TierDecision, evidence: list[float], words: int
    ) -> None:
        found = tier.log_rates(np.array([evidence]), np.array([words]), np.zeros(1))
        alone = [log_rate(tail, value, words) for tail, value in zip(tier.tails, evidence, strict=True)]
        assert found[0] == pytest.approx(np.array(alone) - np.log(tier.shares))

    def test_a_kind_with_a_small_share_needs_stronger_evidence(self) -> None:
        shares = dict(zip(KINDS, (0.8, 0.1, 0.1), strict=True))
        tier = TierDecision.from_manifest({**tiny.tier(), "shares": shares})
        spun, translated, _ = tier.log_rates(np.full((1, 3), 2.0), np.array([300]), np.zeros(1))[0]
        assert spun < translated


class TestProbability:
    """Bayes' rule, for users who know how many of their texts are paraphrased."""

    DECISION = Decision.from_manifest(tiny.decision("fast", "deep"))

    @given(st.floats(0, 1), st.floats(0.001, 0.9), st.floats(0.01, 0.09))
    def test_the_probability_rises_with_the_base_rate(self, score: float, base_rate: float, more: float) -> None:
        low, high = (self.DECISION.probability("fast", score, rate) for rate in (base_rate, base_rate + more))
        assert 0.0 < low < high < 1.0

    @given(st.floats(0, 1), st.floats(0, 1), st.floats(0.001, 0.999))
    def test_the_probability_never_falls_with_the_score(self, first: float, second: float, base_rate: float) -> None:
        low, high = (self.DECISION.probability("deep", value, base_rate) for value in sorted((first, second)))
        assert low <= high

    def test_a_ratio_of_one_leaves_the_base_rate(self) -> None:
        decision = tiny.decision("fast")
        decision["likelihoods"] = {"fast": {"scores": [0.0, 1.0], "log_ratios": [0.0, 0.0]}}
        assert Decision.from_manifest(decision).probability("fast", 0.7, 0.05) == pytest.approx(0.05)

    @pytest.mark.parametrize("value", [0, 1, 0.0, 1.0, -0.1, 5, "5 %", "0.05", None, math.nan, math.inf, True])
    def test_an_invalid_base_rate_is_refused(self, value: Any) -> None:
        with pytest.raises(ValueError, match=r"base rate .*: give the share of paraphrased texts, between 0 and 1"):
            check_base_rate(value)

    @pytest.mark.parametrize("value", [1e-6, 0.05, 0.999])
    def test_a_valid_base_rate_is_returned(self, value: float) -> None:
        assert check_base_rate(value) == value


def broken(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Return the manifest's decision with one entry changed."""
    entry = copy.deepcopy(tiny.decision("fast", "deep"))
    place = entry
    for name in path[:-1]:
        place[name] = copy.deepcopy(place[name])
        place = place[name]
    place[path[-1]] = value
    return entry


TAIL = ("tiers", "fast", "tails", "spun")


class TestManifest:
    @given(tiers())
    def test_a_tier_survives_a_round_trip(self, tier: TierDecision) -> None:
        again = TierDecision.from_manifest(json.loads(json.dumps(tier.to_manifest())))
        assert (again.paraphrased, again.suspect) == (tier.paraphrased, tier.suspect)
        evidence, words = np.linspace(-5, 15, 30).reshape(10, 3), np.geomspace(50, 30_000, 10).astype(int)
        first, second = (one.log_rates(evidence, words, np.ones(10)) for one in (tier, again))
        assert second == pytest.approx(first, rel=1e-4, abs=1e-2)

    def test_a_decision_survives_a_round_trip(self) -> None:
        written = Decision.from_manifest(tiny.decision("fast", "deep")).to_manifest()
        assert Decision.from_manifest(json.loads(json.dumps(written))).to_manifest() == written

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            ((*TAIL, "deviations"), [0.0, -2.0, 2.0, 4.0]),  # not rising
            ((*TAIL, "log_odds"), [4.0, 0.0, 0.0, -9.0]),  # not falling
            ((*TAIL, "spread"), [1.0, 0.0]),  # no spread
            ((*TAIL, "centre"), [1.0]),  # one number for two lengths
            ((*TAIL, "words"), [5000.0, 50.0]),  # lengths out of order
            ((*TAIL, "words"), [0.0, 50.0]),
            ((*TAIL, "log_odds"), [4.0]),  # no slope to extrapolate with
            ((*TAIL, "centre"), [math.nan, 0.0]),
            ((*TAIL, "between"), math.inf),
            (("tiers", "fast", "paraphrased"), 0.5),  # above `suspect`
            (("tiers", "fast", "suspect"), 1.0),
            (("tiers", "fast", "paraphrased"), 0.0),
            (("tiers", "fast", "shares"), dict.fromkeys(KINDS, 0.0)),
            (("tiers",), {"deep": tiny.tier()}),  # no fast tier
            (("likelihoods",), {}),
            (("likelihoods", "fast", "scores"), [0.0, 0.9, 0.5, 1.0]),
            (("likelihoods", "fast", "log_ratios"), [0.0, 1.0]),
        ],
    )
    def test_invalid_numbers_are_refused(self, path: tuple[str, ...], value: Any) -> None:
        with pytest.raises((ValueError, LookupError)):
            Decision.from_manifest(broken(path, value))

    def test_thresholds_can_be_changed_for_one_tier(self) -> None:
        decision = Decision.from_manifest(tiny.decision("fast", "deep"))
        changed = decision.with_thresholds("deep", 0.001, 0.2)
        assert (changed.tiers["deep"].paraphrased, changed.tiers["deep"].suspect) == (0.001, 0.2)
        assert changed.tiers["fast"] is decision.tiers["fast"]
        assert decision.tiers["deep"].suspect == 0.3

    def test_a_factor_multiplies_the_rate_of_its_kind(self) -> None:
        entry = tiny.decision("fast")
        entry["tiers"]["fast"] = {**tiny.tier(), "factors": {"spun": 2.0, "translated": 0.5}}
        plain, tier = (Decision.from_manifest(one).tiers["fast"] for one in (tiny.decision("fast"), entry))
        at = np.ones((1, 3)), np.array([300]), np.zeros(1)
        assert np.exp(tier.log_rates(*at) - plain.log_rates(*at))[0] == pytest.approx([2.0, 0.5, 1.0])
        assert tier.to_manifest()["factors"] == {"spun": 2.0, "translated": 0.5, "rewritten": 1.0}
        assert "factors" not in plain.to_manifest()

    @pytest.mark.parametrize("factor", [0.0, -1.0, math.inf, math.nan])
    def test_a_factor_that_is_not_a_positive_number_is_refused(self, factor: float) -> None:
        with pytest.raises(ValueError, match="factors"):
            Decision.from_manifest(broken(("tiers", "fast", "factors"), {"spun": factor}))

"""training/calibration/cascade.py: how the tiers work together, fitted on evidence in labelled texts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.training.labelled import TEXTS, fast_tier, undecided, with_quick_signals
from unspun.training.calibration.cascade import (
    LEAST_FAMILIAR,
    Cascade,
    as_first_sees,
    choose_doubt,
    choose_fast_weights,
    fit_cascade,
    least_familiar,
    with_long_texts,
)
from unspun.training.calibration.evidence import LabelledEvidence, gather_evidence
from unspun.training.calibration.fit import Sample, fit_tier, human_weights


@pytest.fixture(scope="module")
def evidence() -> LabelledEvidence:
    return gather_evidence(undecided(fast_tier()), TEXTS)


@pytest.fixture(scope="module")
def with_quick() -> LabelledEvidence:
    """Return the evidence of a model with quick signals."""
    return gather_evidence(undecided(with_quick_signals()), TEXTS)


@pytest.fixture(scope="module")
def cascade(with_quick: LabelledEvidence) -> Cascade:
    return fit_cascade(with_quick, deep=True)


class TestWithLongTexts:
    """Long human texts, made by joining the pages of one document in order."""

    def test_pages_of_one_source_are_joined_up_to_each_length(self, evidence: LabelledEvidence) -> None:
        long = with_long_texts(evidence, (1000, 3000)).words[len(evidence) :]
        assert ((long >= 1000) & (long < 1000 + evidence.words.max())).any()
        assert (long >= 1000).all()

    def test_texts_of_many_writers_are_not_joined(self, evidence: LabelledEvidence) -> None:
        extended = with_long_texts(evidence, (1000,))
        added = extended.take(np.arange(len(evidence), len(extended)))
        assert set(added.sources.tolist()) == {"handbook"}

    def test_machine_text_is_not_joined(self, evidence: LabelledEvidence) -> None:
        found = with_long_texts(evidence, (1000,))
        assert (found.labels[len(evidence) :] == "human").all()

    def test_no_text_is_longer_than_its_source(self, evidence: LabelledEvidence) -> None:
        total = int(evidence.words[evidence.sources == "handbook"].sum())
        assert with_long_texts(evidence, (total * 2,)).words.max() <= evidence.words.max()

    def test_joined_human_text_is_not_more_suspicious(self, evidence: LabelledEvidence) -> None:
        found = with_long_texts(evidence, (1000, 3000))
        pages = evidence.deep()[evidence.sources == "handbook"]
        assert (found.deep()[len(evidence) :] <= pages.max(axis=0) + 1e-6).all()

    def test_nothing_to_join_changes_nothing(self, evidence: LabelledEvidence) -> None:
        essays = evidence.take(evidence.sources == "essays")
        assert len(with_long_texts(essays)) == len(essays)


def test_hardly_any_human_text_is_too_unfamiliar(evidence: LabelledEvidence) -> None:
    unfamiliar = np.random.default_rng(0).permutation(len(evidence)).astype(float)
    changed = replace(evidence, unfamiliar=unfamiliar)
    exceeding = human_weights(changed)[unfamiliar > least_familiar(changed)].sum()
    assert exceeding <= LEAST_FAMILIAR + 1 / 40


class TestChooseFastWeights:
    """The weight of the fast tier's evidence relative to the encoder's."""

    @staticmethod
    def weights(evidence: LabelledEvidence, deep: float, fast: float) -> np.ndarray:
        """Return the weights if the evidence of machine text is higher by this many deviations in each tier."""
        rng = np.random.default_rng(6)
        columns = []
        for runs, shift in ((evidence.windows, deep), (evidence.sections, fast)):
            of_text = rng.normal(size=len(evidence)) + shift * (evidence.labels == "spun")
            columns.append(replace(runs, values=np.repeat(of_text[runs.owner][:, None], 3, axis=1).astype(np.float32)))
        return choose_fast_weights(replace(evidence, windows=columns[0], sections=columns[1]))

    def test_the_fast_tier_counts_if_it_finds_more_than_the_encoder(self, evidence: LabelledEvidence) -> None:
        spun, *kinds_without_texts = self.weights(evidence, deep=0.5, fast=2.0)
        assert spun > 0
        assert kinds_without_texts == [0.0, 0.0]

    def test_the_fast_tier_does_not_count_if_the_encoder_finds_everything(self, evidence: LabelledEvidence) -> None:
        assert self.weights(evidence, deep=30.0, fast=0.0)[0] == 0.0


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_the_stated_share_of_human_text_goes_to_the_next_tier(evidence: LabelledEvidence, share: float) -> None:
    sample = Sample(evidence, evidence.fast())
    rates = fit_tier(sample).log_rates(sample.evidence, evidence.words, evidence.unfamiliar)
    doubt = choose_doubt(evidence, rates, None, share)
    sent = (rates <= np.log(doubt)).any(axis=1)
    assert human_weights(evidence)[sent].sum() == pytest.approx(share, abs=0.05)


class TestFirstTier:
    """With quick signals, the model gets a first tier."""

    def test_without_quick_signals_there_is_none(self, evidence: LabelledEvidence) -> None:
        found = fit_cascade(evidence, deep=True)
        assert found.first is found.quick is None
        assert set(found.decision.tiers) == {"fast", "deep"}

    def test_the_decision_has_all_tiers(self, cascade: Cascade) -> None:
        assert set(cascade.decision.tiers) == {"first", "fast", "deep"}

    def test_the_quick_signals_are_part_of_the_fast_tiers_evidence(
        self, cascade: Cascade, with_quick: LabelledEvidence
    ) -> None:
        assert cascade.quick is not None
        log_odds = with_quick.features.values[:, -6:].reshape(-1, 2, 3)
        expected = with_quick.sections.values + (log_odds * cascade.quick).sum(axis=1)
        np.testing.assert_allclose(cascade.labelled.sections.values, expected, rtol=1e-5)

    def test_texts_that_are_not_plain_have_no_part_in_it(self, with_quick: LabelledEvidence) -> None:
        some = replace(with_quick, plain=np.arange(len(with_quick)) % 2 == 0)
        assert (human_weights(as_first_sees(some)) > 0).tolist() == (
            some.plain & (with_quick.labels == "human")
        ).tolist()

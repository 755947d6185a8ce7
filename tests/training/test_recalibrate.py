"""Calibrating on trusted texts: the targets hold, and the stated guarantee is true."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests import deep as tiny_deep
from tests import tables as tiny
from unspun.model import bundle
from unspun.model.decision.decision import Decision
from unspun.model.detector import Detector
from unspun.model.verdict import KINDS
from unspun.training.reporting.card import CARD
from unspun.training.retraining.recalibrate import (
    FEWEST,
    LEAST_FACTOR,
    WORDS,
    CalibrationError,
    Recalibrated,
    TrustedEvidence,
    bound,
    leaves_out_first,
    measure,
    recalibrate,
    texts_needed,
    write,
)

Floats = NDArray[np.float64]

TARGETS = {"paraphrased": 0.02, "suspect": 0.1}


def decision(*tiers: str) -> Decision:
    """Return a decision with thresholds like those of a real model."""
    entry = tiny.decision(*(tiers or ("fast",)))
    return Decision.from_manifest(
        {**entry, "tiers": dict.fromkeys(entry["tiers"], tiny.tier(paraphrased=0.005, suspect=0.03))}
    )


def measured(
    evidence: Floats, deep: Floats | None = None, *, judged: NDArray[np.bool_] | None = None
) -> TrustedEvidence:
    """Return what the tiers say about familiar texts of 100 words and more."""
    count = len(evidence)
    tiers = {"fast": evidence} if deep is None else {"fast": evidence, "deep": deep}
    words = 100 + np.arange(count) % 900
    return TrustedEvidence(tiers, words, np.zeros(count), np.ones(count, bool) if judged is None else judged)


@st.composite
def samples(draw: st.DrawFn) -> TrustedEvidence:
    """Draw evidence in a user's texts: weaker or stronger than expected, correlated across kinds, and with ties."""
    count, seed = draw(st.integers(FEWEST, 700)), draw(st.integers(0, 10_000))
    centre, spread = draw(st.floats(-6, 6)), draw(st.floats(0.1, 4))
    alike, places = draw(st.floats(0, 1)), draw(st.integers(0, 6))
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((count, 1))
    evidence = centre + spread * (alike * shared + (1 - alike) * rng.standard_normal((count, len(KINDS))))
    return measured(np.round(evidence, places))


target = st.sampled_from((0.005, 0.01, 0.03, 0.1, 0.3))


def called(made: Decision, sample: TrustedEvidence) -> dict[str, float]:
    """Return the share of judged texts that a written model calls each word or worse."""
    read = Decision.from_manifest(json.loads(json.dumps(made.to_manifest()))).tiers["fast"]
    rows = sample.rows("fast")
    rates = read.log_rates(sample.evidence["fast"][rows], sample.words[rows], sample.unfamiliar[rows]).min(axis=1)
    verdicts = [read.word(float(rate)) for rate in rates]
    return {
        "paraphrased": verdicts.count("paraphrased") / len(verdicts),
        "suspect": 1 - verdicts.count("clear") / len(verdicts),
    }


# --- the target on the texts given


@settings(max_examples=30)
@given(samples(), target, st.sampled_from((1, 3, 6)))
@example(measured(np.full((300, 3), 9.0)), 0.005, 6)  # all alike, and all too high
@example(measured(np.full((300, 3), -9.0)), 0.1, 3)
@example(measured(np.eye(300, 3) * 30 - 5), 0.005, 6)  # each kind has one strong text of its own
@example(measured(np.eye(300, 3) * 30 - 5), 0.3, 1)
def test_the_target_holds_on_the_given_texts(sample: TrustedEvidence, share: float, factor: int) -> None:
    targets = {"paraphrased": share, "suspect": min(0.5, factor * share)}
    found = recalibrate(decision(), sample, targets)
    before, after = called(decision(), sample), called(found.decision, sample)
    for check in found.checks:
        assert after[check.word] <= check.target + 1e-9
        assert round(after[check.word] * check.texts) == check.after
        assert round(before[check.word] * check.texts) == check.before


@settings(max_examples=30)
@given(samples(), target)
def test_no_kind_exceeds_its_share_of_the_target(sample: TrustedEvidence, share: float) -> None:
    targets = {"paraphrased": share, "suspect": share}
    tier = recalibrate(decision(), sample, targets).decision.tiers["fast"]
    rates = tier.log_rates(sample.evidence["fast"], sample.words, sample.unfamiliar)
    assert ((rates <= np.log(tier.suspect)).mean(axis=0) <= share * tier.shares / tier.shares.sum() + 1e-9).all()


@settings(max_examples=30)
@given(samples(), target)
def test_a_factor_is_below_one_only_if_the_texts_prove_both_targets(sample: TrustedEvidence, share: float) -> None:
    found = recalibrate(decision(), sample, {"paraphrased": share, "suspect": min(0.5, 6 * share)})
    factors = found.decision.tiers["fast"].factors
    assert (factors >= LEAST_FACTOR).all()
    assert all(check.enough for check in found.checks) or (factors >= 1.0).all()
    for check in found.checks:
        assert check.enough == (check.at_most <= check.target)
        assert check.after / check.texts <= check.at_most


@settings(max_examples=15)
@given(samples())
def test_only_factors_are_set(sample: TrustedEvidence) -> None:
    before = decision().to_manifest()
    after = recalibrate(decision(), sample, TARGETS).decision.to_manifest()
    after["tiers"]["fast"].pop("factors", None)
    assert after == before


@settings(max_examples=30)
@given(samples(), samples())
def test_calibrating_again_discards_earlier_factors(sample: TrustedEvidence, other: TrustedEvidence) -> None:
    once = recalibrate(decision(), sample, TARGETS).decision
    again = recalibrate(recalibrate(decision(), other, TARGETS).decision, sample, TARGETS).decision
    assert again.to_manifest() == once.to_manifest()


def normal(count: int, centre: float = 0.0) -> Floats:
    return centre + np.random.default_rng(1).standard_normal((count, len(KINDS)))


def test_too_few_texts_to_prove_a_target_make_a_model_stricter_if_it_is_missed() -> None:
    evidence = normal(300, -6.0)
    evidence[:9, 1] = 8.0  # only one kind misses it
    found = recalibrate(decision(), measured(evidence), {"paraphrased": 0.005, "suspect": 0.02})
    factors = found.decision.tiers["fast"].factors
    assert factors[1] > 1.0
    assert factors[[0, 2]].tolist() == [1.0, 1.0]
    assert [(check.word, check.before, check.after, check.enough) for check in found.checks] == [
        ("paraphrased", 9, 0, False),
        ("suspect", 9, 0, False),  # all nine are alike, so either all of them are called `suspect` or none
    ]


def test_too_few_texts_to_prove_a_target_never_make_a_model_less_strict() -> None:
    found = recalibrate(decision(), measured(normal(300, -6.0)), {"paraphrased": 0.005, "suspect": 0.02})
    assert found.decision.to_manifest() == decision().to_manifest()


def test_many_texts_make_a_strict_model_less_strict_up_to_the_target() -> None:
    found = recalibrate(decision(), measured(normal(5000)), TARGETS)
    factors = found.decision.tiers["fast"].factors
    assert (factors < 1.0).all()
    assert all(check.enough for check in found.checks)
    assert any(check.after > 0.8 * check.target * check.texts for check in found.checks)


def test_factors_are_limited_so_that_common_evidence_never_accuses() -> None:
    found = recalibrate(decision(), measured(normal(5000, -12.0)), TARGETS)
    assert found.decision.tiers["fast"].factors.tolist() == [LEAST_FACTOR] * 3


def test_each_tier_is_set_by_its_own_evidence() -> None:
    found = recalibrate(decision("fast", "deep"), measured(normal(300, 3.0), normal(300, -9.0)), TARGETS)
    assert [(check.tier, check.word) for check in found.checks] == [(t, w) for t in ("fast", "deep") for w in WORDS]
    assert (found.decision.tiers["fast"].factors > 1.0).all()
    assert (found.decision.tiers["deep"].factors <= 1.0).all()


# --- which texts count


def test_texts_without_a_verdict_do_not_count() -> None:
    evidence = normal(400, -6.0)
    evidence[300:] = 9.0
    found = recalibrate(decision(), measured(evidence, judged=np.arange(400) < 300), TARGETS)
    assert {(check.texts, check.before) for check in found.checks} == {(300, 0)}


def test_texts_that_the_deep_tier_did_not_read_do_not_count_for_it() -> None:
    deep = normal(400, -6.0)
    deep[350:] = np.nan
    found = recalibrate(decision("fast", "deep"), measured(normal(400, -6.0), deep), TARGETS)
    assert [check.texts for check in found.checks] == [400, 400, 350, 350]


@pytest.mark.parametrize(("count", "missing"), [(0, FEWEST), (FEWEST - 1, 1)])
def test_too_few_texts_are_reported_with_the_number_missing(count: int, missing: int) -> None:
    with pytest.raises(CalibrationError) as refused:
        recalibrate(decision(), measured(normal(count)), {"paraphrased": 0.005, "suspect": 0.03})
    assert str(refused.value) == (
        f"{count} of {count} texts can be judged: {missing} more are needed, {FEWEST} in all, and 1,258 to prove a "
        "share of 0.5%"
    )


# --- what is guaranteed


@pytest.mark.parametrize(("blocks", "texts"), [(1, 59), (2, 93), (3, 124)])
def test_the_bound_is_that_of_wilks(blocks: int, texts: int) -> None:
    """The smallest samples that leave at most 5 % outside with 95 % confidence (Wilks 1941)."""
    assert bound(texts, blocks) <= 0.05 < bound(texts - 1, blocks)


@pytest.mark.parametrize("share", [0.001, 0.005, 0.03, 0.2])
def test_the_stated_number_of_texts_proves_a_target(share: float) -> None:
    needed = texts_needed(share)
    assert bound(needed, len(KINDS)) <= share < bound(needed - 1, len(KINDS))


@pytest.mark.parametrize("alike", [0.0, 0.7], ids=["independent kinds", "correlated kinds"])
def test_the_guarantee_holds_on_new_texts(alike: float) -> None:
    """In 95 of 100 calibrations: checked with 200 calibrations on different texts, and 20,000 new texts."""
    rng = np.random.default_rng(2)

    def texts(count: int) -> TrustedEvidence:
        shared = rng.standard_normal((count, 1))
        return measured(1.0 + alike * shared + (1 - alike) * rng.standard_normal((count, len(KINDS))))

    new = texts(20_000)
    kept = dict.fromkeys(WORDS, 0)
    for _ in range(200):
        found = recalibrate(decision(), texts(400), TARGETS)
        tier = found.decision.tiers["fast"]
        strongest = tier.log_rates(new.evidence["fast"], new.words, new.unfamiliar).min(axis=1)
        for check in found.checks:
            limit = np.log(tier.paraphrased if check.word == "paraphrased" else tier.suspect)
            kept[check.word] += bool((strongest <= limit).mean() <= check.at_most)
    assert min(kept.values()) >= 185  # at least 190 are expected, less some for chance


# --- on disk


def lesson(count: int) -> list[str]:
    """Return texts, some with words that the deep tier takes for a machine's."""
    rng = np.random.default_rng(4)
    odd = (tiny_deep.SPUN_SENTENCE, "Moreover, moreover, the council was told.", "It delves and delves into it.", "")
    return [
        f"{' '.join(sentences)} {odd[min(int(rng.integers(40)), 3)]}"
        for sentences in rng.choice(tiny.SENTENCES, size=(count, 9))
    ]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the tiny model with a deep tier, and with an array that training keeps in it."""
    folder = tmp_path_factory.mktemp("base") / "base"
    seen = np.array([1, 2, 3], dtype=np.uint64)
    parts: tuple[Any, ...] = (tiny.tables(), tiny.tagger(), tiny.classifier(), seen, tiny_deep.tier())
    manifest = {**tiny_deep.manifest(), "reference": {"texts": 5}}
    bundle.save(folder, manifest, *parts, extra={"reference_keys": np.arange(5, dtype=np.uint64)})
    return folder


@pytest.mark.parametrize("depth", ["fast", "deep", "auto"])
def test_the_written_model_gives_the_stated_number_of_verdicts(base: Path, tmp_path: Path, depth: str) -> None:
    texts, detector = lesson(240), Detector.load(base)
    found = recalibrate(detector.decision, measure(detector, texts), TARGETS)
    write(detector, found, tmp_path / "new", version="0.0.1+calibrated")
    again = Detector.load(tmp_path / "new")
    assert again.model.version == "0.0.1+calibrated"
    verdicts = [verdict.verdict for verdict in again.score_many(texts, depth=depth, evidence=False)]
    after = {"paraphrased": verdicts.count("paraphrased"), "suspect": len(texts) - verdicts.count("clear")}
    assert all(after[word] <= TARGETS[word] * len(texts) for word in WORDS)
    for check in found.checks:
        assert depth != check.tier or after[check.word] == check.after


def test_only_the_decision_changes(base: Path, tmp_path: Path) -> None:
    detector = Detector.load(base)
    found = recalibrate(detector.decision, measure(detector, lesson(240)), TARGETS)
    write(detector, found, tmp_path / "new", version="2")
    before, after = (json.loads((folder / bundle.MANIFEST).read_text("utf-8")) for folder in (base, tmp_path / "new"))
    assert after["files"] == before["files"]
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {"decision", "version", "calibration", "calibrated_from"}
    assert after["calibrated_from"] == detector.model.to_dict()
    assert after["calibration"] == [dataclasses.asdict(check) for check in found.checks]
    assert (tmp_path / "new" / CARD).exists()


@pytest.mark.parametrize(("factor", "kept"), [(1.0, True), (2.0, True), (0.9, False)])
def test_the_first_tier_is_kept_unless_the_later_ones_find_more(
    first_detector: Detector, tmp_path: Path, factor: float, kept: bool
) -> None:
    old = first_detector.decision
    changed = dataclasses.replace(old.tiers["deep"], factors=np.array([1.0, factor, 1.0]))
    found = Recalibrated(dataclasses.replace(old, tiers={**old.tiers, "deep": changed}), ())
    assert leaves_out_first(first_detector, found) is not kept
    write(first_detector, found, tmp_path / "new", version="2")
    again = bundle.load(tmp_path / "new")
    assert (again.first is not None, "first" in again.decision.tiers) == (kept, kept)
    if kept:
        assert Detector(again).score(tiny.ARTICLE).depth == "first"


def test_the_deep_tier_decides_on_all_suspect_texts(base: Path, tmp_path: Path) -> None:
    detector = Detector.load(base)
    hasty = Detector(tiny_deep.with_doubt(detector.bundle, 1e-6))
    hasty.bundle.manifest["doubt"] = dict.fromkeys(KINDS, 1e-6)
    found = recalibrate(hasty.decision, measure(hasty, lesson(240)), TARGETS)
    write(hasty, found, tmp_path / "new", version="2")
    assert bundle.load(tmp_path / "new").doubt.tolist() == [found.decision.tiers["fast"].suspect] * 3


def test_chunks_do_not_change_the_evidence(base: Path) -> None:
    texts, detector = [*lesson(40), "Too short."], Detector.load(base)
    whole = detector.measure(texts)
    found = measure(detector, texts)
    assert found.evidence["fast"] == pytest.approx(whole.fast, abs=1e-9)
    assert found.evidence["deep"] == pytest.approx(whole.deep, abs=1e-9, nan_ok=True)
    assert found.judged.tolist() == [True] * 40 + [False]

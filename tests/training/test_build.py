"""training/build.py: the texts that the decision is fitted on, and the bundle that is written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests import deep as tiny_deep
from tests import tables as tiny
from tests.training.labelled import TEXTS, fast_tier, human, undecided
from unspun.model import bundle
from unspun.model.detector import Detector
from unspun.training.build import (
    build,
    calibration_texts,
    evidence_name,
    fit_blend,
    fitted_on,
    provisional_detector,
)
from unspun.training.calibration.evidence import LabelledEvidence, gather_evidence
from unspun.training.classifier.fast_tier import FastTier, Recipe
from unspun.training.corpora.corpus import LabelledText
from unspun.training.corpora.roles import Roles, default_roles


@pytest.fixture(scope="module")
def fast() -> FastTier:
    return fast_tier()


@pytest.fixture(scope="module")
def detector(fast: FastTier) -> Detector:
    return undecided(fast)


@pytest.fixture(scope="module")
def evidence(detector: Detector) -> LabelledEvidence:
    return gather_evidence(detector, TEXTS)


class TestProvisionalDetector:
    """A detector that gathers evidence before there is a decision."""

    def test_no_text_is_too_unfamiliar(self, evidence: LabelledEvidence) -> None:
        assert set(evidence.reasons.tolist()) == {""}

    def test_both_tiers_read_every_text(self, evidence: LabelledEvidence) -> None:
        assert np.isfinite(evidence.fast()).all()
        assert np.isfinite(evidence.deep()).all()

    def test_the_deep_tier_is_optional(self, fast: FastTier) -> None:
        assert gather_evidence(provisional_detector(fast, None), TEXTS[:3]).windows.values.shape == (0, 3)


class TestCalibrationTexts:
    """A sample of each source and maker, and passages that serve as short texts."""

    def test_a_language_models_own_text_is_left_out(self) -> None:
        assert calibration_texts([LabelledText("a", "llm", "chat", tiny.ARTICLE)], seed=0) == []

    def test_passages_come_from_human_text(self) -> None:
        found = calibration_texts(TEXTS, seed=0)
        passages = [text for text in found if text.id.endswith("#short")]
        assert {text.label for text in passages} == {"human"}
        assert {text.source for text in passages} == {"handbook", "essays"}
        assert all(50 <= len(text.text.split()) <= 130 for text in passages)

    def test_the_same_seed_gives_the_same_texts(self) -> None:
        assert calibration_texts(TEXTS, seed=3) == calibration_texts(TEXTS, seed=3)


def test_evidence_is_kept_only_for_the_same_model_and_texts() -> None:
    first = evidence_name(7, "abc", TEXTS)
    assert first == evidence_name(7, "abc", TEXTS[::-1])
    others = [evidence_name(8, "abc", TEXTS), evidence_name(7, "abd", TEXTS), evidence_name(7, "abc", TEXTS[1:])]
    assert len({first, *others}) == 4


def test_the_blend_weighs_the_encoder_by_its_success(detector: Detector) -> None:
    blend = fit_blend(detector, TEXTS)
    assert blend.deep > 0
    assert -6 < blend.prior_log_odds < 0


class TestBundle:
    @pytest.fixture
    def manifest(
        self, fast: FastTier, detector: Detector, evidence: LabelledEvidence, tmp_path: Path
    ) -> dict[str, object]:
        blend = fit_blend(detector, TEXTS)
        recipe = Recipe(name="built", version="9.9")
        build(tmp_path / "bundle", fast, tiny_deep.weights(), blend, evidence, TEXTS, recipe)
        found: dict[str, object] = json.loads((tmp_path / "bundle" / bundle.MANIFEST).read_text("utf-8"))
        return found

    def test_the_bundle_loads_and_scores(self, manifest: dict[str, object], tmp_path: Path) -> None:
        detector = Detector.load(tmp_path / "bundle")
        assert (detector.model.name, detector.model.version) == ("built", "9.9")
        verdict = detector.score(human(999, "handbook").text, depth="deep")
        assert (verdict.verdict, verdict.depth) == ("clear", "deep")

    def test_the_manifest_states_what_each_part_was_fitted_on(self, manifest: dict[str, object]) -> None:
        assert set(manifest["fitted_on"]) == {"tables", "tagger", "classifier", "decision", "encoder"}  # type: ignore[call-overload]

    def test_the_same_evidence_gives_the_same_bytes(
        self, fast: FastTier, evidence: LabelledEvidence, detector: Detector, tmp_path: Path
    ) -> None:
        blend = fit_blend(detector, TEXTS)
        for name in ("a", "b"):
            build(tmp_path / name, fast, tiny_deep.weights(), blend, evidence, TEXTS, Recipe())
        assert tiny.digests(tmp_path / "a") == tiny.digests(tmp_path / "b")


def allowed(entry: dict[str, object], roles: Roles) -> list[str]:
    """Return the sources and makers of a part that its role does not allow."""
    role = entry["role"]
    sources: list[str] = entry["sources"]  # type: ignore[assignment]
    makers: list[str] = entry["makers"]  # type: ignore[assignment]
    wrong = []
    for source in sources:
        origin = roles.origin_of.get(source, source)
        # Sources of an origin that is split by group, of pages and of round trips have texts of every role.
        if origin not in roles.split and not source.startswith(("wild_", "roundtrip_")):
            wrong += [source] * (roles.origins.get(origin, "train") != role)
    return wrong + [maker for maker in makers if roles.makers.get(maker, "train") != role]


class TestFittedOn:
    """Every part was fitted only on texts that its role allows."""

    def test_each_part_states_role_sources_and_makers(self, evidence: LabelledEvidence) -> None:
        found = fitted_on(TEXTS, evidence, deep=True)
        assert found["classifier"] == {"role": "train", "sources": ["essays", "handbook"], "makers": ["pwws"]}
        assert found["tables"]["makers"] == []
        assert found["decision"]["role"] == "calibrate"

    def test_a_violation_of_the_roles_is_detected(self, evidence: LabelledEvidence) -> None:
        roles = replace(default_roles(), origins={"handbook": "test"}, makers={"pwws": "calibrate"})
        assert allowed(fitted_on(TEXTS, evidence, deep=True)["classifier"], roles) == ["handbook", "pwws"]

    def test_the_shipped_model_respects_the_roles(self) -> None:
        manifest = json.loads((bundle.DEFAULT / bundle.MANIFEST).read_text("utf-8"))
        for artefact, entry in manifest["fitted_on"].items():
            assert allowed(entry, default_roles()) == [], artefact
            assert entry["role"] == ("calibrate" if artefact == "decision" else "train")
